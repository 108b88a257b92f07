"""Which event loop is used: another one where it is installed and not switched off, by every door."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Iterator
from types import SimpleNamespace

import anyio
import anyio.lowlevel
import pytest

from evoselfcode import loops
from evoselfcode.clients.sync import run_sync


class Other(asyncio.SelectorEventLoop):
    """An event loop that is not the usual one."""


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Act as if uvloop were installed."""
    monkeypatch.setitem(sys.modules, "uvloop", SimpleNamespace(new_event_loop=Other))
    monkeypatch.delenv(loops.SWITCH, raising=False)
    return monkeypatch


async def which() -> type:
    await anyio.lowlevel.checkpoint()
    return type(asyncio.get_running_loop())


@pytest.mark.usefixtures("installed")
def test_it_is_used_by_every_door() -> None:
    """Sabotages: ``asyncio.run`` in ``run_sync``; no ``backend_options`` for the portal."""

    async def inside() -> type:
        return run_sync(which)

    assert (loops.run(which), run_sync(which), asyncio.run(inside())) == (Other, Other, Other)


@pytest.mark.parametrize("value", ["0", "off", " False "])
def test_it_can_be_switched_off(installed: pytest.MonkeyPatch, value: str) -> None:
    """Sabotage: do not read the variable."""
    installed.setenv(loops.SWITCH, value)
    assert Other not in (loops.run(which), run_sync(which))


@pytest.mark.parametrize("value", ["", "1", "on"])
def test_other_values_leave_it_on(installed: pytest.MonkeyPatch, value: str) -> None:
    installed.setenv(loops.SWITCH, value)
    assert loops.run(which) is Other


def test_it_need_not_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sabotage: catch no ``ImportError``."""
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert loops.loop_factory() is None
    assert issubclass(loops.run(which), asyncio.BaseEventLoop)


@pytest.fixture
def odd() -> Iterator[tuple[int, int, int]]:
    """Set thresholds that nobody else sets."""
    before = gc.get_threshold()
    gc.set_threshold(701, 11, 12)
    yield gc.get_threshold()
    gc.set_threshold(*before)


def test_garbage_is_looked_for_seldom_while_a_run_lasts(
    odd: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sabotage: leave the thresholds as they are, or do not put them back after an error."""
    monkeypatch.setenv(loops.SWITCH, "0")

    async def thresholds() -> tuple[int, int, int]:
        return gc.get_threshold()

    async def fail() -> None:
        raise ValueError

    assert loops.run(thresholds) == loops.COLLECT
    with pytest.raises(ValueError, match=r"^$"):
        loops.run(fail)
    assert gc.get_threshold() == odd
    assert gc.get_freeze_count() == 0
