"""The simulation's event loop: a virtual clock, one step at a time, the same order in each run, and a kill at any step.

This file decides how time passes, what a step is and how a process ends without clean-up. It refuses to know what the
steps do.
"""

from __future__ import annotations

import asyncio
import heapq
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, tzinfo
from inspect import CORO_CREATED, getcoroutinestate
from typing import Any, TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread
from anyio._backends._asyncio import CancelScope
from virtual_time import VirtualLoop

T = TypeVar("T")

EPOCH = 1_800_000_000.0
"""What the wall clock shows when the loop's clock shows 0: Unix time in seconds."""

SHORTEST = 1e-6
"""Seconds that a timer takes at least."""

MOST_STEPS = 5_000_000
"""Steps after which a run spins; one of 20,000 rows takes 400,000."""

LAST_STEPS = 100_000
"""Steps that cancelled tasks may take to their end: more is a task that cannot be cancelled."""


class Killed(SystemExit):
    """SIGKILL. A ``SystemExit``, because asyncio lets nothing else out of the loop at once."""


class _Task(asyncio.Task[Any]):
    """A task whose hash is its number: anyio cancels the tasks of a group in the order of a set."""

    def __init__(self, number: int, *args: Any, **kwargs: Any) -> None:
        self._number = number
        super().__init__(*args, **kwargs)

    def __hash__(self) -> int:
        return self._number


class SteppedLoop(VirtualLoop):
    """Runs one callback at a time and counts them.

    All tasks in it are the simulated process's; the world around it has callbacks alone, and outlives a process.

    Attributes:
        steps: Callbacks run so far.
        kill_at: The step at which the process is killed, or 0.
        offset: Seconds by which the wall clock has jumped.
        complaints: What was reported to the loop while no process was being killed: errors that nobody took.
    """

    def __init__(self) -> None:
        super().__init__()
        self.steps = 0
        self.kill_at = 0
        self.offset = 0.0
        self.complaints: list[str] = []
        self._tasks = 0
        self._at_work: set[asyncio.Future[None]] = set()
        self._dying = False
        self.set_task_factory(self._make_task)
        self.set_exception_handler(self._complain)

    def _make_task(self, loop: asyncio.AbstractEventLoop, coro: Any, **kwargs: Any) -> _Task:
        self._tasks += 1
        return _Task(self._tasks, coro, loop=loop, **kwargs)

    def _complain(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not self._dying and not isinstance(context.get("exception"), Killed):
            self.complaints.append(f"{context.get('message')}: {context.get('exception')!r}")

    def wall(self) -> float:
        """Return the Unix time that the process sees, in seconds."""
        return EPOCH + self.time() + self.offset

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        """Call it then, or a moment later: where the clock stands still, who waits for now would wait for ever."""
        return super().call_at(max(when, self.time() + SHORTEST), callback, *args, context=context)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Leave it in the heap: it is passed over when its time comes."""

    def _run_once(self) -> None:
        """Run one callback, after a jump of the clock where nothing is ready. Takes the place of asyncio's own."""
        ready, timers = self._ready, self._scheduled
        if not ready:
            self._jump(timers)
        while timers and timers[0]._when <= self._jumping.now:
            handle = heapq.heappop(timers)
            handle._scheduled = False
            if not handle._cancelled:
                ready.append(handle)
        handle = ready.popleft()
        if handle._cancelled:
            return
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise RuntimeError("the run spins: it makes steps without end")
        if self.steps == self.kill_at:
            ready.appendleft(handle)
            raise Killed("at a step")
        handle._run()

    def _jump(self, timers: list[asyncio.TimerHandle]) -> None:
        while timers and timers[0]._cancelled:
            heapq.heappop(timers)
        if not timers:
            raise RuntimeError("nothing is ready and nothing is awaited: this would wait for ever")
        self._jumping.now = max(self._jumping.now, timers[0]._when)

    def bury(self) -> list[str]:
        """Take the tasks of a killed process away and name those that would not go; the world goes on.

        Python cannot drop a task without running its clean-up. It runs while the disk and the network of the process
        are dead, so that it changes nothing but what the process held: descriptors, locks.
        """
        self._dying, self.kill_at = True, 0
        for work in [it for it in self._at_work if not it.done()]:
            work.set_exception(Killed("in a thread"))
        last = self.steps + LAST_STEPS
        while self._ready and self._unborn() and self.steps < last:
            with suppress(Killed):
                self._run(lambda: not self._ready or not self._unborn() or self.steps >= last)
        for task in sorted(asyncio.all_tasks(self), key=hash):
            task.cancel()
        while self._ready and self.steps < last:
            with suppress(Killed):
                self._run(lambda: not self._ready or self.steps >= last)
        left = asyncio.all_tasks(self)
        for task in left:
            task._log_destroy_pending = False  # type: ignore[attr-defined]
        self._dying = False
        return [repr(task) for task in left]

    def _unborn(self) -> bool:
        """Whether a task has not made its first step: cancelled before it, it could not clean up."""
        return any(getcoroutinestate(task.get_coro()) == CORO_CREATED for task in asyncio.all_tasks(self))

    def process(self, program: Coroutine[Any, Any, T]) -> T:
        """Run a process to its end.

        Raises:
            Killed: It was killed; :meth:`bury` it.
        """
        task = self.create_task(program)
        try:
            self._run(task.done)
        except Killed:
            task.add_done_callback(lambda task: task.cancelled() or task.exception())  # nobody is left to be told
            raise
        return task.result()

    def pass_time(self, seconds: float) -> None:
        """Let the world go on without a process."""
        future = self.create_future()
        self.call_later(seconds, future.set_result, None)
        self._run(future.done)

    async def work(self, seconds: float) -> None:
        """Wait as a thread works: nothing but the end of the process cuts it short."""
        if self._dying:
            raise Killed("in a thread")
        done = self.create_future()
        self._at_work.add(done)
        timer = self.call_later(seconds, done.set_result, None)
        try:
            await done
        finally:
            timer.cancel()
            self._at_work.discard(done)

    def _run(self, done: Callable[[], bool]) -> None:
        """Run until something is done. ``run_until_complete`` would leave its own callbacks behind after a kill."""
        before = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(self._asyncgen_firstiter_hook, self._asyncgen_finalizer_hook)
        asyncio._set_running_loop(self)
        try:
            while not done():
                self._run_once()
        finally:
            asyncio._set_running_loop(None)
            sys.set_asyncgen_hooks(*before)


@contextmanager
def clocks(loop: SteppedLoop) -> Iterator[None]:
    """Let every clock that the package reads be the simulation's."""

    class Now(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.fromtimestamp(loop.wall(), tz or UTC)

    def standing() -> float:
        return 0.0

    simulated: dict[Any, Any] = {
        datetime: Now, time.time: loop.wall, time.monotonic: loop.time, time.perf_counter: loop.time,
        time.process_time: standing,
    }  # fmt: skip
    modules = [module for name, module in sys.modules.items() if name.startswith("evoselfcode") or module is time]
    clocks = [
        (module, name, value)
        for module in modules
        for name, value in vars(module).items()
        if callable(value) and getattr(value, "__hash__", None) and value in simulated
    ]
    for module, name, value in clocks:
        setattr(module, name, simulated[value])
    try:
        yield
    finally:
        for module, name, value in clocks:
            setattr(module, name, value)


@contextmanager
def no_threads(loop: SteppedLoop, seconds: Callable[[], float]) -> Iterator[None]:
    """Run at once, in the loop, what the package hands to a thread.

    Args:
        loop: The loop.
        seconds: Says how long the next piece of such work takes; the loop goes on meanwhile, before it and after it.
    """
    real = anyio.to_thread.run_sync

    async def run_sync(
        function: Callable[..., T], *args: Any, abandon_on_cancel: bool = False, limiter: Any = None
    ) -> T:
        await anyio.lowlevel.checkpoint()
        with anyio.CancelScope(shield=not abandon_on_cancel):
            took = seconds()
            await loop.work(took / 2)
            result = function(*args)
            await loop.work(took / 2)
            return result

    anyio.to_thread.run_sync = run_sync  # type: ignore[assignment]
    try:
        yield
    finally:
        anyio.to_thread.run_sync = real


@contextmanager
def same_order() -> Iterator[None]:
    """Let anyio cancel in the same order each time: it keeps tasks and scopes in sets, ordered by their addresses."""
    scope: Any = CancelScope
    real = scope.__hash__
    scope.__hash__ = lambda scope: hash(scope._host_task)
    try:
        yield
    finally:
        scope.__hash__ = real
