"""Scores of functions that are in memory, for who writes no files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import aclosing
from typing import Any

import msgspec

from evoselfcode.clients import OpenAICompletionClient
from evoselfcode.clients.sync import run_sync
from evoselfcode.config import RunConfig
from evoselfcode.datagen.pipeline.fleets import fleet_of
from evoselfcode.datagen.pipeline.refusing import Refusals
from evoselfcode.datagen.pipeline.stage import judged
from evoselfcode.datagen.scoring.functions import Function, once
from evoselfcode.datagen.scoring.numbers import ScoreRow
from evoselfcode.datagen.scoring.score import SCORE, requests_about
from evoselfcode.datagen.scoring.tally import Tally
from evoselfcode.errors import UsageError
from evoselfcode.storage import make_entry


async def ascore_rows(
    client: OpenAICompletionClient, rows: Iterable[Mapping[str, Any]], config: RunConfig
) -> list[ScoreRow]:
    """Score functions and return their scores, in their order. Nothing is written.

    Args:
        client: The client to ask with.
        rows: Each with ``func_name``, ``code`` and, if there is one, ``description``.
        config: Texts, prompt and limits; its file of rows is not read.

    Raises:
        UsageError: A row is none.
        ScoresUnavailable: The server gives no log-probabilities of a given text.
        EndpointDown: The endpoint was away for longer than ``api.outage_limit``.
        EndpointRefused: The endpoint refuses every request, or breaks of them.
    """
    functions = [_function(number, row) for number, row in enumerate(rows)]
    tally, refusals = Tally(), Refusals(fragile=SCORE.fragile)
    async with client.connect(n=1, scores=True) as connection:
        texts, _ = SCORE.served(config, config.score.texts, connection.findings)
        plan = requests_about(once(functions), config, connection.dialect.model, texts)
        judges = {text: SCORE.judge(config) for text in texts}
        batches = judged(SCORE, config, fleet_of(SCORE, config, connection), plan, judges)
        async with aclosing(batches):
            async for batch in batches:
                for settled in batch:
                    for entry in refusals.settle(make_entry(settled.outcome, settled.draws)):
                        tally.add(entry)
    for entry in refusals.rest():
        tally.add(entry)
    return [tally.row(function, config.score.description_prompt) for function in functions]


def score_rows(client: OpenAICompletionClient, rows: Iterable[Mapping[str, Any]], config: RunConfig) -> list[ScoreRow]:
    """Do as :func:`ascore_rows`, and wait for the result.

    Works in scripts, in threads and inside a running event loop.
    """
    return run_sync(lambda: ascore_rows(client, rows, config))


def _function(number: int, row: Mapping[str, Any]) -> Function:
    try:
        function = msgspec.convert(row, Function)
        msgspec.json.encode(function)  # half of a surrogate pair can be sent to nobody
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        raise UsageError(f"row {number} is no function: {error}") from error
    return function
