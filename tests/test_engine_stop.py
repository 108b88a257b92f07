"""Work that is cancelled when something else comes first: how the race ends, each way."""

from __future__ import annotations

from math import inf

import anyio
import pytest

from evoselfcode.engine import Stop, unless
from evoselfcode.errors import EndpointDown, Interrupted

STOPPED = Interrupted("stopped")


async def soon() -> str:
    """End in the third turn of the event loop."""
    for _ in range(3):
        await anyio.lowlevel.checkpoint()
    return "done"


async def test_work_that_ends_gives_its_result_and_ends_what_runs_beside() -> None:
    """Sabotage: do not cancel the group behind the work: this would hang."""
    ended: list[str] = []

    async def for_ever(name: str) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(name)

    result = await unless(lambda: for_ever("over"), soon, instead=STOPPED, beside=lambda: for_ever("beside"))
    assert result == "done"
    assert sorted(ended) == ["beside", "over"]


async def test_what_comes_first_cancels_the_work() -> None:
    """Sabotage: return where the group is left, whatever became of the work."""
    stop = Stop()

    async def work() -> str:
        stop.set()
        await anyio.sleep_forever()
        return "never"

    with pytest.raises(Interrupted, match="stopped"):
        await unless(lambda: stop.wait(inf), work, instead=STOPPED)


async def test_work_that_brings_its_end_about_though_it_is_cancelled_keeps_its_result() -> None:
    """Rows that are in are not thrown away. Sabotage: raise ``instead`` whenever the work was cancelled."""

    async def at_once() -> None:
        """Be over before the work begins."""

    async def work() -> str:
        with anyio.CancelScope(shield=True):
            return await soon()

    assert await unless(at_once, work, instead=STOPPED) == "done"


async def test_an_error_of_the_work_is_raised_as_it_is() -> None:
    """Sabotage: let the group raise it: it would come in an ExceptionGroup, which is no message."""

    async def work() -> str:
        await soon()
        raise EndpointDown("away")

    with pytest.raises(EndpointDown, match="away"):
        await unless(anyio.sleep_forever, work, instead=STOPPED)
