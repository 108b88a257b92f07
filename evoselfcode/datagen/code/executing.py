"""Run the functions that nothing is against, and say what came of it.

This file decides what of a run drops a function: that it cannot be defined, that it fails on arguments of its own
types, that the examples of its docstring do not hold. Asserts that a model wrote drop nothing, for they may be wrong
themselves; which functions agree on them is written beside each (CodeT, arXiv 2207.10397). How code is held is
:mod:`evoselfcode.datagen.sandbox`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import anyio.to_thread
import msgspec

from evoselfcode.config import RunConfig
from evoselfcode.datagen.code.examiner import Examination
from evoselfcode.datagen.code.processes import processors
from evoselfcode.datagen.code.rows import CodeFileRow, objecting
from evoselfcode.datagen.code.tasks import ASSERTS_FILE
from evoselfcode.datagen.filters.asserts import vetted
from evoselfcode.datagen.sandbox import Check, Job, Limits, Outcome, Result, Sandbox, probe
from evoselfcode.datagen.sandbox.checks import assert_checks, smoke_checks, smoke_fault
from evoselfcode.datagen.sandbox.mutants import VACUOUS_BELOW, mutants, notices, strength
from evoselfcode.errors import ConfigError, UsageError
from evoselfcode.stats.agreement import dual_agreement
from evoselfcode.storage import Damage, read_rows

MOST_ASSERTS = 40
"""Asserts of one name that its functions are run against: what eight draws of five come to."""


class _AssertsRow(msgspec.Struct):
    func_name: str
    asserts: tuple[str, ...]
    description: str | None = None


class Asserts:
    """What functions are to hold, by name; rows with a description are for functions that are described so."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str | None], dict[str, None]] = {}

    def add(self, func_name: str, description: str | None, asserts: Iterable[str]) -> None:
        """Take asserts; one that does not call the function, or does more, is passed over."""
        checked = filter(None, (vetted(text, func_name) for text in asserts))
        self._found.setdefault((func_name, description), {}).update(dict.fromkeys(checked))

    def of(self, func_name: str, description: str) -> tuple[str, ...]:
        """Return the asserts of a function."""
        found = self._found.get((func_name, None), {}) | self._found.get((func_name, description), {})
        return tuple(found)[:MOST_ASSERTS]


class _Solution(NamedTuple):
    """A function that was run against the asserts of its name."""

    id: str
    program: str
    passed: tuple[bool, ...]


class Execution:
    """Runs functions behind a wall, and knows in the end which of them agree.

    Args:
        sandbox: Where they run.
        asserts: What functions are to hold.
        off: Gates that are switched off.
    """

    def __init__(self, sandbox: Sandbox, asserts: Asserts, off: Sequence[str]) -> None:
        self._sandbox = sandbox
        self._asserts = asserts
        self._off = frozenset(off)
        self._solutions: dict[tuple[str, str], list[_Solution]] = {}

    async def run(
        self, rows: Sequence[CodeFileRow], ids: Sequence[str], found: Sequence[Examination]
    ) -> list[CodeFileRow]:
        """Run those of the rows that are not dropped. Cancelled: what runs is killed."""
        done = list(rows)

        async def one(number: int) -> None:
            done[number] = await self._executed(rows[number], ids[number], found[number])

        async with anyio.create_task_group() as group:
            for number, row in enumerate(rows):
                if row.verdict != "dropped":
                    group.start_soon(one, number)
        return done

    async def _executed(self, row: CodeFileRow, id_: str, found: Examination) -> CodeFileRow:
        task = row.func_name, row.description
        planned, asserts = found.checks, self._asserts.of(*task)
        groups = (smoke_checks(planned.inputs, row.func_name), planned.examples, assert_checks(asserts))
        checks = tuple(check for group in groups for check in group)
        program = found.source.program
        result = await self._sandbox.run(Job(program=program, checks=checks, key=id_))
        calls, examples, held = _parted(result, groups)
        fault = smoke_fault(planned.inputs, calls)
        status = _status(result.program, fault, examples)
        passed = tuple(outcome.status == "pass" for outcome in held)
        if status == "pass" and held and all(outcome.status != "sandbox_error" for outcome in held):
            self._solutions.setdefault(task, []).append(_Solution(id_, program, passed))
        told: dict[str, Any] = {
            "status": status,
            "detail": result.program.detail or None,
            "level": result.level,
            "arguments": planned.inputs.status,
            "calls": len(calls),
            "examples": next((outcome.status for outcome in examples), None),
            "asserts": {"passed": sum(passed), "of": len(passed)},
        }
        row = msgspec.structs.replace(row, execution=told)
        fine = status in ("pass", "sandbox_error") or "failed" in self._off
        return row if fine else objecting(row, "failed", of=status)

    async def agreements(self) -> dict[str, dict[str, Any]]:
        """Return, for each function that was run against asserts, how many agree with it and whether they say much."""
        told: dict[str, dict[str, Any]] = {}
        for task, solutions in self._solutions.items():
            solutions.sort()  # as the journals have it is as the network had it
            agreement = dual_agreement([solution.passed for solution in solutions])
            noticed = None
            if agreement.chosen:
                winner = solutions[agreement.chosen[0]]
                noticed = await self._noticed(task, winner.program, agreement.clusters[0].tests)
            for cluster in agreement.clusters:
                for member in cluster.members:
                    told[solutions[member].id] = {
                        "size": len(cluster.members),
                        "of": len(solutions),
                        "asserts": len(cluster.tests),
                        "score": round(cluster.score, 4),
                        "chosen": member in agreement.chosen,
                        "mutants_noticed": noticed,
                        "vacuous": noticed is not None and noticed < VACUOUS_BELOW,
                    }
        return told

    async def _noticed(self, task: tuple[str, str], program: str, tests: Iterable[int]) -> float | None:
        """Return the share of small bugs, put into a function of the winning cluster, that its asserts notice."""
        asserts = self._asserts.of(*task)
        checks = assert_checks(asserts[test] for test in tests)
        noticed: list[bool | None] = []

        async def one(mutant: str) -> None:
            result = await self._sandbox.run(Job(program=mutant, checks=checks))
            noticed.append(notices((True,) * len(checks), result.checks))

        async with anyio.create_task_group() as group:
            for mutant in await anyio.to_thread.run_sync(mutants, program, task[0]):
                group.start_soon(one, mutant.program)
        share = strength(noticed)
        return None if share is None else round(share, 4)


def _parted(result: Result, groups: Sequence[Sequence[Check]]) -> list[tuple[Outcome, ...]]:
    """Return the outcomes of a result group by group."""
    parts, begin = [], 0
    for group in groups:
        parts.append(result.checks[begin : begin + len(group)])
        begin += len(group)
    return parts


def _status(program: Outcome, fault: str | None, examples: Sequence[Outcome]) -> str:
    """Return what came of a function in one word: ``pass``, ``sandbox_error``, or what is wrong with it."""
    if program.status != "pass":
        return program.status
    if fault is not None:
        return fault
    wrong = [outcome.status for outcome in examples if outcome.status not in ("pass", "sandbox_error")]
    return f"example {wrong[0]}" if wrong else "pass"


def require_hypothesis() -> None:
    """Say so if hypothesis is not installed.

    Raises:
        UsageError: It is not.
    """
    if find_spec("hypothesis") is None:
        raise UsageError("filters.execute needs hypothesis", hint='pip install "evoselfcode[execute]"')


@asynccontextmanager
async def execution(config: RunConfig, folders: Sequence[Path]) -> AsyncGenerator[Execution | None, None]:
    """Hold what runs code, if ``filters.execute`` is on; ``None`` if it is not.

    Args:
        config: How code is run.
        folders: Where the folders of the runs are, and the asserts' beside them.

    Raises:
        UsageError: No wall holds that is strong enough.
        ConfigError: The file of asserts cannot be used.
    """
    if not config.filters.execute:
        yield None
        return
    settings = config.filters.execution
    asserts = await anyio.to_thread.run_sync(read_asserts, config, folders)
    weak = settings.least_wall == "rlimits"
    wall = await anyio.to_thread.run_sync(lambda: probe(least=settings.least_wall, allow_rlimits_only=weak))
    limits = Limits(
        seconds=settings.seconds, check_seconds=settings.seconds / 8, memory_bytes=settings.memory_mib << 20
    )
    async with Sandbox(wall, workers=settings.workers or processors(), limits=limits) as sandbox:
        yield Execution(sandbox, asserts, config.filters.disabled_gates)


def asserts_files(config: RunConfig, folders: Sequence[Path]) -> list[Path]:
    """Return the files of asserts that code is run against: the one that is named, else what lies beside the runs."""
    if config.filters.execution.asserts is not None:
        return [Path(config.filters.execution.asserts)]
    beside = dict.fromkeys(folder / "asserts" / ASSERTS_FILE for folder in folders)
    return [path for path in beside if path.is_file()]


def read_asserts(config: RunConfig, folders: Sequence[Path]) -> Asserts:
    """Read the asserts that code is run against.

    Raises:
        ConfigError: A file cannot be read, or a line of it is no row.
    """
    found = Asserts()
    hint = "filters.execution.asserts names a JSONL file with func_name and asserts, such as datagen-asserts writes"
    for path in asserts_files(config, folders):
        if not path.is_file():
            raise ConfigError([f"{path} is no file"], hint=hint)
        for number, row in enumerate(read_rows(path, _AssertsRow), 1):
            if isinstance(row, Damage):
                raise ConfigError([f"{path} line {number}: is no row with func_name and a list of asserts"], hint=hint)
            found.add(row.func_name, row.description, row.asserts)
    return found
