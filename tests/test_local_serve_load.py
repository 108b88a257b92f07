"""The served model says how busy it is, as the governor reads it."""

from __future__ import annotations

from anyio.lowlevel import checkpoint
from asgi import Exchange
from test_local_serve import Clock, app_with, in_time, until

from evoselfcode.local.serve import App
from evoselfcode.wire.load import Load, read_load


async def metrics(app: App) -> bytes:
    page = await Exchange(app, b"", path="/metrics", method="GET").run()
    assert page.status == 200
    return page.body


async def load(app: App) -> Load | None:
    return read_load("evoselfcode", 200, await metrics(app))


async def settle() -> None:
    for _ in range(20):
        await checkpoint()


async def test_it_says_how_busy_it_is() -> None:
    """Who leaves the queue is counted no longer. Sabotage: count what waits only when it has its slot."""
    clock = Clock()
    app = app_with(slots=2, sleep=clock.sleep)
    async with in_time() as group:
        asked = [Exchange(app) for _ in range(5)]
        for number, exchange in enumerate(asked):
            group.start_soon(exchange.run)
            await until(lambda number=number: clock.waiting == min(2, number + 1))  # type: ignore[misc]
        await settle()
        assert await load(app) == Load(2, 3)
        asked[4].leave()
        await settle()
        assert await load(app) == Load(2, 2)
        for number in range(4):
            await until(lambda number=number: len(clock.asked) == min(4, number + 2))  # type: ignore[misc]
            await clock.strike()
            await until(lambda number=number: asked[number].complete)  # type: ignore[misc]
    assert await load(app) == Load(0, 0)
    assert b"\nevoselfcode_serve_slots 2\n" in await metrics(app)


async def test_without_slots_nothing_waits() -> None:
    """Sabotage: say 0 slots, which is none at all."""
    assert await load(app_with()) == Load(0, 0)
    assert b"slots" not in await metrics(app_with())
