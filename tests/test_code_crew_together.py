"""Callers that wait are asked for together, and each gets its own answers whatever becomes of the others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
from crews import BAD, EMPTY, GOOD, TASK, UNLIMITED, children

from evoselfcode.datagen.code.crew import Crew
from evoselfcode.datagen.code.examiner import Draft, Examination, Rules

SLOW = Draft(TASK, "    x = x\n" * 90_000 + "    return x\n", "stop")
"""Seconds of work, but no more letters than a message may have together with others."""


class Counted(Crew):
    """A crew that remembers how many drafts each of its messages was about, the harmless ones left out."""

    def __init__(self, size: int, seconds: float) -> None:
        super().__init__(Rules(limits=UNLIMITED, seconds=seconds), size)
        self.messages: list[int] = []

    def encoded(self, asked: Sequence[Draft]) -> bytes:
        if asked[0] != self.harmless():
            self.messages.append(len(asked))
        return super().encoded(asked)


@asynccontextmanager
async def counted(size: int, seconds: float = 60.0) -> AsyncIterator[Counted]:
    made = Counted(size, seconds)
    with anyio.fail_after(20):
        try:
            yield made
        finally:
            await made.aclose()


async def asked_by_many(crew: Crew, callers: Sequence[Sequence[Draft]]) -> list[list[Examination]]:
    """Let each caller ask at the same time, and return what each was told."""
    told: dict[int, list[Examination]] = {}

    async def ask(number: int) -> None:
        told[number] = await crew.look_at(callers[number])

    async with anyio.create_task_group() as group:
        for number in range(len(callers)):
            group.start_soon(ask, number)
    return [told[number] for number in range(len(callers))]


def numbered(callers: int, each: int) -> list[list[Draft]]:
    return [[Draft(TASK, f"    return x + {one * each + two}\n") for two in range(each)] for one in range(callers)]


def reasons(told: Sequence[Sequence[Examination]]) -> list[list[str | None]]:
    return [[it.examined.reason for it in found] for found in told]


async def test_callers_that_wait_share_a_message_and_each_gets_its_own_answers() -> None:
    """Sabotage: leave ``_share`` at once, or cut ``found`` for the leader last."""
    callers = numbered(20, 4)
    async with counted(1) as crew:
        told = await asked_by_many(crew, callers)
    assert [[it.source.code for it in found] for found in told] == [
        [TASK.head + draft.text for draft in drafts] for drafts in callers
    ]
    assert crew.messages == [64, 16]


async def test_one_process_leaves_the_others_as_much_to_do() -> None:
    """Sabotage: divide by 1 in ``_share``: the first process takes 28 of 32."""
    async with counted(2) as crew:
        await asked_by_many(crew, numbered(8, 4))
    assert sum(crew.messages) == 32
    assert max(crew.messages) <= 16


async def test_a_callers_own_drafts_are_one_message_however_many() -> None:
    """The filter hands over hundreds. Sabotage: cut what a leader asks for at ``TOGETHER``."""
    async with counted(1) as crew:
        told = await asked_by_many(crew, numbered(2, 100))
    assert crew.messages == [100, 100]
    assert list(map(len, told)) == [100, 100]


async def test_what_processes_die_of_is_the_verdict_of_its_caller_alone() -> None:
    """Sabotage: let ``_lead`` answer for what it has after the first death."""
    async with counted(1, seconds=0.3) as crew:
        told = await asked_by_many(crew, [[GOOD, BAD], [EMPTY, SLOW], [SLOW], [BAD, GOOD]])
    assert reasons(told) == [[None, "unparsable"], ["placeholder", "too_complex"], ["too_complex"],
                             ["unparsable", None]]  # fmt: skip


async def test_who_shared_a_message_with_one_that_is_cancelled_is_asked_for_again() -> None:
    """Sabotage: do not put those that were taken back in ``_lead``: they wait for ever."""
    found: list[list[Examination]] = []
    async with counted(1) as crew:
        async with anyio.create_task_group() as group:
            leader = anyio.CancelScope()

            async def lead() -> None:
                with leader:
                    await crew.look_at([SLOW])

            async def follow() -> None:
                found.append(await crew.look_at([GOOD, BAD]))

            group.start_soon(lead)
            group.start_soon(follow)
            while not crew.messages:
                await anyio.lowlevel.checkpoint()
            leader.cancel()
        assert crew.messages == [3, 2]
    assert reasons(found) == [[None, "unparsable"]]
    assert children() == set()


async def test_who_is_cancelled_at_its_turn_keeps_no_process() -> None:
    """Sabotage: give up the lead only of those that have answers: nobody is ever asked for again."""
    async with counted(1) as crew:
        async with anyio.create_task_group() as group:
            group.start_soon(crew.look_at, [SLOW])  # its turn has come, and it is cancelled before it takes it
            await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
        assert reasons([await crew.look_at([GOOD])]) == [[None]]
    assert crew.messages == [1]


async def test_who_stops_waiting_is_not_asked_for() -> None:
    """Sabotage: leave ``_waiting.remove`` out: its turn comes, and those behind it wait for ever."""
    async with counted(1, seconds=0.3) as crew, anyio.create_task_group() as group:
        group.start_soon(crew.look_at, [SLOW])
        while not crew.messages:
            await anyio.lowlevel.checkpoint()
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as leaving:
                leaving.start_soon(crew.look_at, [BAD])
                await anyio.lowlevel.checkpoint()
                scope.cancel()
        assert reasons([await crew.look_at([GOOD])]) == [[None]]
    assert crew.messages == [1, 1, 1]
