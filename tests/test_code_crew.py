"""The crew of processes: whatever happens to one of them, each draft gets its own verdict and nothing stays behind."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Collection, Sequence

import anyio
import anyio.lowlevel
import pytest
from crews import BAD, EMPTY, GOOD, SLOW, TASK, answers, children, crew, descriptors, environment, examiners, until

from evoselfcode.datagen.code.crew import Crew
from evoselfcode.datagen.code.examiner import Draft, Examination, Rules
from evoselfcode.datagen.filters.gates import Limits
from evoselfcode.errors import EvoselfcodeError


def verdicts(found: Sequence[Examination]) -> list[str | None]:
    return [it.examined.reason for it in found]


async def after(count: int, but: Collection[int] = ()) -> int:
    """Wait until a process that is not among `but` has written `count` times, and return the process.

    It writes an answer to the harmless draft that it is started with, and, the first of its kind, compiled modules.
    """
    found: list[int] = []

    def answered() -> bool:
        found[:] = [child for child in examiners() - set(but) if answers(child) >= count]
        return bool(found)

    await until(answered)
    return found[0]


async def test_verdicts_come_in_the_order_of_the_drafts() -> None:
    """Sabotage: insert each answer before the others in ``_asked``."""
    drafts = [Draft(TASK, f"    return x + {number}\n") if number % 3 else BAD for number in range(100)]
    async with crew(2) as members:
        found = await members.look_at(drafts)
    assert [it.source.code for it in found] == [TASK.head + draft.text for draft in drafts]
    assert verdicts(found) == [None if number % 3 else "unparsable" for number in range(100)]


async def test_no_more_processes_than_the_crew_is_large_and_they_are_used_again() -> None:
    """Sabotage: do not put a process back among those that are idle."""
    seen: set[int] = set()
    async with crew(2) as members:
        for _ in range(3):
            async with anyio.create_task_group() as group:
                for _ in range(6):
                    group.start_soon(members.look_at, [GOOD])
            seen |= examiners()
    assert len(seen) == 2


async def test_what_takes_a_process_too_long_is_too_complex_and_its_neighbours_are_not() -> None:
    """Sabotage: set no timer in ``examiner.serve``, or put the verdict before the others."""
    async with crew(seconds=0.3) as members:
        found = await members.look_at([GOOD, BAD, SLOW, EMPTY, GOOD])
    assert verdicts(found) == [None, "unparsable", "too_complex", "placeholder", None]
    assert found[2].source.code == TASK.head + SLOW.text


async def test_what_a_process_has_no_memory_for_is_too_complex() -> None:
    """200 MB are read; to cut them is more than there is. Sabotage: ask again until there is an answer."""
    large = Draft(TASK, "    x\n" * 33_000_000, "stop")
    async with crew() as members:
        assert verdicts(await members.look_at([GOOD, large, BAD])) == [None, "too_complex", "unparsable"]


async def test_many_long_drafts_are_not_too_much_together() -> None:
    """600 MB in all. Sabotage: return all drafts from ``_first``."""
    long = Draft(TASK, "    return x + 1\nx = 1\n" + "#" * 6_000_000, "stop")
    async with crew() as members:
        assert verdicts(await members.look_at([long] * 100)) == [None] * 100


async def test_a_process_that_is_killed_once_costs_no_draft_its_verdict() -> None:
    """The kernel kills who holds much memory, not who wants more. Sabotage: begin with ``alone = True``."""
    long = Draft(TASK, "    return x + 2\nx = 1\n" + "#" * 2_000_000)  # more than fits into a pipe
    async with crew() as members:
        await members.look_at([GOOD])
        (process,) = examiners()
        os.kill(process, signal.SIGSTOP)
        async with anyio.create_task_group() as group:

            async def ask() -> None:
                assert verdicts(await members.look_at([long, BAD])) == [None, "unparsable"]

            group.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            os.kill(process, signal.SIGKILL)
        assert examiners() not in ({process}, set())


async def test_a_draft_that_two_processes_die_of_is_too_complex_and_its_neighbours_are_not() -> None:
    """Sabotage: take no draft for hopeless."""
    killed: set[int] = set()
    async with crew() as members:
        await members.look_at([GOOD])
        (first,) = examiners()

        async def kill_both(written: int) -> None:
            for count in (written + 1, 1):
                process = await after(count, but=killed)
                os.kill(process, signal.SIGKILL)
                killed.add(process)

        async with anyio.create_task_group() as group:
            group.start_soon(kill_both, answers(first))
            found = await members.look_at([GOOD, SLOW, BAD])
    assert len(killed) == 2
    assert verdicts(found) == [None, "too_complex", "unparsable"]


async def test_processes_that_died_while_they_were_idle_are_replaced() -> None:
    """Sabotage: keep those that are idle after a death."""
    async with crew(2) as members:
        for _ in range(3):
            async with anyio.create_task_group() as group:
                for _ in range(2):
                    group.start_soon(members.look_at, [GOOD])
            for process in examiners():
                os.kill(process, signal.SIGKILL)
            assert verdicts(await members.look_at([GOOD, BAD])) == [None, "unparsable"]


async def test_half_of_a_surrogate_pair_costs_nothing_but_itself() -> None:
    """Sabotage: encode the drafts without ``_utf8``: the run ends with UnicodeEncodeError."""
    async with crew() as members:
        found = await members.look_at([GOOD, Draft(TASK, "    return '\ud800' + x, '\ud83d\ude00'\0\n"), GOOD])
    assert verdicts(found) == [None, "unparsable", None]
    assert "'\ufffd' + x, '\U0001f600'\0" in found[1].source.code


async def test_cancelled_at_work_no_process_stays_behind() -> None:
    """Sabotage: in ``_asked``, put the process back although answers are still to come."""
    async with crew() as members:
        await members.look_at([GOOD])
        (process,) = examiners()
        written = answers(process)
        async with anyio.create_task_group() as group:
            group.start_soon(members.look_at, [GOOD, SLOW])
            await after(written + 1)
            group.cancel_scope.cancel()
        assert children() == set()
        assert verdicts(await members.look_at([BAD])) == ["unparsable"]  # and it works on


async def test_cancelled_while_it_starts_no_process_stays_behind() -> None:
    """Sabotage: call ``open_one`` in ``_started`` without ``finished``: asyncio kills it and does not wait."""
    async with crew() as members:
        for steps in range(40):
            async with anyio.create_task_group() as group:
                group.start_soon(members.look_at, [GOOD])
                for _ in range(steps % 10):
                    await anyio.lowlevel.checkpoint()
                group.cancel_scope.cancel()
            assert children() == set(), steps


async def test_closing_ends_the_processes_and_closing_again_does_nothing() -> None:
    """Sabotage: leave ``aclose`` empty."""
    members = Crew(Rules(limits=Limits()), 2)
    await members.look_at([GOOD])
    assert len(examiners()) == 1
    await members.aclose()
    assert children() == set()
    await members.aclose()


async def test_closing_that_is_cancelled_still_ends_the_processes() -> None:
    """Sabotage: await the ends in ``aclose`` without ``finished``."""
    async with crew(3) as members:
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(members.look_at, [GOOD])
        assert len(examiners()) == 3
        with anyio.CancelScope() as scope:
            scope.cancel()
            await members.aclose()
        assert children() == set()


async def test_no_descriptor_stays_open() -> None:
    """Sabotage: leave ``aclose`` empty."""
    async with crew(seconds=0.2) as members:
        await members.look_at([GOOD])
    before = descriptors()
    for _ in range(3):
        async with crew(seconds=0.2) as members:
            await members.look_at([GOOD, SLOW, GOOD])
    assert descriptors() == before


async def test_the_processes_know_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sabotage: hand ``os.environ`` on."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    monkeypatch.setenv("EVOSELFCODE_API_KEY", "sk-canary")
    async with crew() as members:
        await members.look_at([GOOD])
        (process,) = examiners()
        known = environment(process)
    assert b"PYTHONPATH=" in known
    assert b"canary" not in known


async def test_where_no_process_can_be_started_the_run_ends_with_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sabotage: let the ``OSError`` of ``open_process`` through."""
    async with crew() as members:
        for broken in ("/bin/false", "/nowhere/python"):
            monkeypatch.setattr(sys, "executable", broken)
            with pytest.raises(EvoselfcodeError, match="a process that looks at code cannot be started"):
                await members.look_at([GOOD])
    assert children() == set()
