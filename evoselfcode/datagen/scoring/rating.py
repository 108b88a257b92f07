"""The stage rating: a model rates each function in five dimensions, and some of them again, to see what that is worth.

This file decides how the stage is put together. What is shown is :mod:`evoselfcode.datagen.scoring.rating_prompt`, what
is read off a reply :mod:`~evoselfcode.datagen.scoring.rating_reply`, which rows are asked about
:mod:`~evoselfcode.datagen.scoring.rating_rows`, and what the ratings are worth
:mod:`~evoselfcode.datagen.scoring.rating_health`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b

import msgspec

from evoselfcode.clients import OpenAICompletionClient
from evoselfcode.config import RunConfig
from evoselfcode.config.check import SEEDS
from evoselfcode.datagen.pipeline.stage import Stage, request_key
from evoselfcode.datagen.scoring.rating_files import RatingRow, ReplyRow, encode_reply, views
from evoselfcode.datagen.scoring.rating_health import documents
from evoselfcode.datagen.scoring.rating_prompt import PROMPT_ID, STOP, order_of, prompt_of
from evoselfcode.datagen.scoring.rating_reply import read_reply
from evoselfcode.datagen.scoring.rating_rows import ARMS, RATING, RETEST, code_of, read_arm, rows_file
from evoselfcode.errors import UsageError
from evoselfcode.records import Candidate, Choice, L2r, Request, Sampling, Task, Verdict
from evoselfcode.storage import Draw

NAME = "rating"

RATING_REASONS: dict[str, str] = {"unparsed": "no line of the reply is a rating that can be read"}
"""Every reason a reply can be dropped for."""


def rater(config: RunConfig) -> RunConfig:
    """Return the configuration whose model and address are those of the rater.

    The key of the generator goes to no address but its own. Where the model rates what it wrote itself, the section
    ``rating`` names neither a model nor an address.
    """
    there, api = config.rating.api, config.api
    rating = config.rating
    own = {url.rstrip("/") for url in api.addresses}
    elsewhere = not own.issuperset(url.rstrip("/") for url in there.addresses)
    if not elsewhere and rating.model in (None, config.model):
        rating = msgspec.structs.replace(rating, model=None, api=msgspec.structs.replace(there, base_url=None))
    key = there.api_key if there.api_key is not None else "" if elsewhere else api.api_key
    return msgspec.structs.replace(
        config,
        rating=rating,
        model=config.rating.model or config.model,
        api=msgspec.structs.replace(
            api,
            base_url=api.base_url if there.base_url is None else there.base_url,
            headless=api.headless if there.base_url is None else there.headless,
            api_key=key,
            concurrency=there.concurrency or api.concurrency,
        ),
    )


def rater_client(config: RunConfig) -> OpenAICompletionClient:
    """Build the client of the rater, given what :func:`rater` returned; it fills no middles."""
    api = config.api
    return OpenAICompletionClient(
        base_url=api.addresses,
        model=config.model or "",
        api_key=api.api_key,
        fim_mode="none",
        timeout=api.timeout,
        max_attempts=api.max_attempts,
        headless=api.headless,
        chat=config.rating.chat,
    )


def plan(config: RunConfig, model: str, arm: str) -> Iterator[Request]:
    """Yield one request for each row that an arm is about; its key and seed depend on the row, never on its place."""
    rating = config.rating
    for number, row in enumerate(read_arm(config, arm)):
        code, id_ = code_of(arm, rating.seed, row), row.row
        if code is None:
            continue
        # A mutant is shown as its original was: nothing differs but the bug.
        order = order_of(rating.seed, id_, again=arm == RETEST)
        prompt = L2r(prompt_of(code, row.told, order, chat=rating.chat))
        sampling = Sampling(
            max_new_tokens=rating.max_new_tokens,
            n=rating.n,
            temperature=rating.temperature,
            stop=() if rating.chat else (STOP,),
            seed=int.from_bytes(blake2b(f"{rating.seed}/{arm}/{id_}".encode(), digest_size=8).digest()) % SEEDS,
            logprobs=rating.logprobs or None,
        )
        yield Request(
            key=request_key(NAME, arm, prompt, sampling, 0, model, row.asked_as),
            prompt=prompt,
            sampling=sampling,
            stage=NAME,
            arm=arm,
            number=number,
            row=row.asked_as,
        )


def parse(request: Request, index: int, choice: Choice) -> Candidate:
    """Read a reply; a candidate without text is one that holds no rating."""
    reply = read_reply(choice, request.sampling.stop)
    return Candidate.of(request, index, choice, encode_reply(reply) if reply else "")


class _Parsed:
    """Keeps a reply that has a rating."""

    async def __call__(self, request: Request, candidates: Sequence[Candidate]) -> list[Verdict]:
        return [Verdict(None if candidate.text else "unparsed") for candidate in candidates]

    def remember(self, text: str) -> None:
        """Do nothing: what was kept before changes no verdict."""

    async def aclose(self) -> None:
        """Hold nothing."""


def warnings(config: RunConfig) -> list[str]:
    """Say so if a model is to rate what it wrote itself.

    Raises:
        UsageError: There is no file of functions, it is empty, or a line of it is none.
        StorageError: It cannot be read.
    """
    path = rows_file(config)
    if not sum(1 for _ in read_arm(config, RATING)):  # all of it: before anything is asked
        raise UsageError(f"{path} holds no functions", hint="why none was kept: evoselfcode report RUN")
    if config.rating.model is None and config.rating.api.base_url is None:  # see rater
        return [f"the model rates its own functions ({path})\nhint: set rating.model to another, if there is one"]
    return []


def _no_row(arm: str, task: Task | None, draw: Draw) -> RatingRow | ReplyRow:
    raise TypeError("ratings are of rows of a file: there is no row of a draw alone")


RATINGS: Stage[RatingRow | ReplyRow] = Stage(
    name=NAME,
    arms=lambda config: ARMS,
    n=lambda config: config.rating.n,
    plan=plan,
    fingerprint=lambda config: config.fingerprint(NAME) | {"rating.prompt": PROMPT_ID},
    seed=lambda config: config.rating.seed,
    rules=lambda config: None,
    warnings=warnings,
    require=lambda config, arm, findings: None,
    parse=parse,
    judge=lambda config: _Parsed(),
    name_of=lambda draw: None,
    row=_no_row,
    views=views,
    documents=documents,
    remembers=False,
)
