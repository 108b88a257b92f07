"""The code stage: names in, functions out.

This file is the stage as data: what is asked and who judges what comes. A draw is judged as it comes by what can be
told from its text alone, in processes of their own; what needs the other draws, another program or a sandbox comes
when all are there (:mod:`evoselfcode.datagen.code.filtering`), as often as you like.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import TypedDict

from evoselfcode.clients import Findings, OpenAICompletionClient
from evoselfcode.clients.sync import run_sync
from evoselfcode.config import RunConfig
from evoselfcode.datagen.code.crew import Crew
from evoselfcode.datagen.code.examiner import Draft, Examination
from evoselfcode.datagen.code.rowstage import row_stage, task_of
from evoselfcode.datagen.code.rules import rules_of
from evoselfcode.datagen.code.tasks import plan_tasks
from evoselfcode.datagen.filters.function_text import cut
from evoselfcode.datagen.pipeline.stage import Stage, stream
from evoselfcode.errors import UsageError
from evoselfcode.records import Candidate, Choice, Request, Task, Verdict
from evoselfcode.storage import Draw


class CodeRow(TypedDict):
    """A function that no gate objects to, as the library calls show it."""

    func_name: str
    source: str
    description: str
    code: str


def plan(config: RunConfig, model: str, arm: str) -> Iterator[Request]:
    """Yield one request for each name."""
    prompts, codegen = config.prompts, config.codegen
    return plan_tasks(
        config,
        "code",
        codegen,
        prompts.codegen.template_or(prompts.global_prefix),
        model=model,
        arm=arm,
        suffix=prompts.codegen.suffix if arm == "FIM" else None,
        logprobs=codegen.logprobs,
    )


def require(config: RunConfig, arm: str, findings: Findings) -> None:
    """Refuse the arm FIM where no way of that works.

    Raises:
        FimUnavailable: The server cannot fill in the middle.
    """
    if arm == "FIM":
        findings.require_fim(None)


def parse(request: Request, index: int, choice: Choice) -> Candidate:
    """Take a choice as it is: to read a function off hostile text is the crew's part."""
    return Candidate.of(request, index, choice, "")


class CodeJudge:
    """Judges drafts by what their text alone tells.

    Args:
        config: The thresholds, and which gates are off.

    Raises:
        ConfigError: A file of ``filters.contamination`` cannot be read.
    """

    def __init__(self, config: RunConfig) -> None:
        self._crew = Crew(rules_of(config))

    async def __call__(self, request: Request, candidates: Sequence[Candidate]) -> list[Verdict]:
        """Judge the candidates of one request. Cancelled: they are not judged."""
        task = task_of(request)
        drafts = [Draft(task, candidate.raw_text, candidate.finish_reason) for candidate in candidates]
        return [verdict_of(found) for found in await self._crew.look_at(drafts)]

    def remember(self, text: str) -> None:
        """Do nothing: what was kept before changes no verdict here."""

    async def aclose(self) -> None:
        """End the crew."""
        await self._crew.aclose()


def verdict_of(found: Examination) -> Verdict:
    """Return the first reason that was found."""
    return Verdict(next(iter(found.examined.reasons), None))


def row(arm: str, task: Task, draw: Draw) -> CodeRow:
    """Show a kept draw."""
    code, _ = cut(task.head, draw.raw_text, draw.finish_reason)
    return CodeRow(func_name=task.func_name, source=arm, description=task.description, code=code)


CODE: Stage[CodeRow] = row_stage(
    "code",
    lambda config: config.codegen,
    plan=plan,
    parse=parse,
    judge=CodeJudge,
    row=row,
    views=lambda config, entries: {},
    arms=lambda config: config.codegen.arms,
    require=require,
)


def stream_code(client: OpenAICompletionClient, config: RunConfig, mode: str = "L2R") -> AsyncGenerator[CodeRow, None]:
    """Yield functions as they are kept: those that no gate objects to that looks at one text alone.

    Nothing is written, and nothing is compared with what came before: duplicates are yielded too. May be left at any
    time, as :func:`evoselfcode.datagen.pipeline.namegen.stream_funcnames`.

    Args:
        client: The client to ask with.
        config: Prompts, sampling, filters and limits; ``codegen.names`` is the file of names.
        mode: ``L2R`` or ``FIM``.

    Yields:
        Rows with ``func_name``, ``source``, ``description`` and ``code``.

    Raises:
        UsageError: There is no file of names, or a line of it is no row.
        FimUnavailable: ``mode`` is ``FIM`` and no way of FIM works on this server.
        EndpointDown: The endpoint was away for longer than ``api.outage_limit``.
        EndpointRefused: The endpoint refuses every request: key, model or URL.
    """
    if mode not in ("L2R", "FIM"):
        raise UsageError(f"mode is {mode!r}, expected 'L2R' or 'FIM'")
    return stream(CODE, client, config, mode)


def generate_code(client: OpenAICompletionClient, config: RunConfig, mode: str = "L2R") -> list[CodeRow]:
    """Write functions in one mode and return those that were kept, by name and code.

    The sync twin of :func:`stream_code`, with the same arguments and errors; works in scripts, in threads and inside a
    running event loop.
    """

    async def collect() -> list[CodeRow]:
        return [row async for row in stream_code(client, config, mode)]

    return sorted(run_sync(collect), key=lambda row: (row["func_name"], row["code"]))
