"""Play one scenario: build its world, run the names stage in it, kill it, start it again until the plan is settled.

This file decides how a life of the process begins and ends. What is run is the real program: ``run_stage`` of the names
stage, its client, wire code, engine, retry policy and storage, unchanged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

from evoselfcode import OpenAICompletionClient, RunConfig
from evoselfcode.datagen.pipeline.namegen import NAMES
from evoselfcode.datagen.pipeline.run import run_stage
from evoselfcode.datagen.pipeline.stage import requests
from evoselfcode.datagen.pipeline.summary import Summary
from evoselfcode.engine import FleetStatistics, Stop
from evoselfcode.engine.member import Member
from evoselfcode.errors import EndpointDown, EvoselfcodeError, FimUnavailable, Interrupted, StorageError
from sim.checks import after_a_life, after_the_end
from sim.disk import Disk
from sim.history import History, Life
from sim.loop import Killed, SteppedLoop, clocks, no_threads, same_order
from sim.nemesis import let_loose
from sim.replica import Speed
from sim.replies import MODEL
from sim.scenario import Death, Scenario
from sim.world import World, network

MOST_LIVES = 60
"""Lives after which a run that has not ended is stuck: each waits for the one before, and troubles end."""

LAST_PROBE = 60.0
"""Seconds after a trouble within which everybody must have noticed that it is over."""

LONGEST_PAUSE = 300.0
"""Seconds between two lives at most; as Kubernetes does, each pause is twice the one before."""

LAST_SECOND = 24 * 3600.0
"""Virtual time by which every run must have ended."""


class Played:
    """A scenario in play.

    Args:
        scenario: What is played.
        folder: An empty folder for the run's output.
        telling: Keep every event for people to read.
    """

    def __init__(self, scenario: Scenario, folder: Path, *, telling: bool = False) -> None:
        self.scenario = scenario
        self.history = History(telling=telling)
        self.folder = folder / "names"
        self.loop = SteppedLoop()
        self.random = Random(f"play {scenario.seed}")
        self.disk = Disk(folder, Random(f"disk {scenario.seed}"))
        self.world = World(
            self.loop,
            self.history,
            count=scenario.replicas,
            slots=scenario.slots,
            speed=Speed(scenario.tokens, scenario.spread),
            seed=scenario.seed,
        )
        urls = [self.world.url(replica) for replica in self.world.replicas]
        self.config = RunConfig.from_mapping({
            "model": MODEL,
            "api": {
                "base_url": urls,
                "concurrency": scenario.concurrency or "auto",
                "outage_limit": 3600.0,
                **scenario.api,
            },
            "namegen": {"num_requests": scenario.requests, "n": scenario.n, "seed": scenario.seed},
            "output": {"dir": str(folder), "disk_wait": scenario.disk_wait},
        })  # fmt: skip
        plan = requests(NAMES, self.config, MODEL, None, NAMES.arms(self.config))
        self.plan = {request.key: request for request in plan}
        self.world.keys = {request.sampling.seed or 0: key for key, request in self.plan.items()}
        assert len(self.world.keys) == len(self.plan), "two requests have one seed: the world cannot tell them apart"

    def play(self) -> History:
        """Run it to the end; what must never be is in the history's ``broken``."""
        with ExitStack() as stack:
            stack.enter_context(clocks(self.loop))
            stack.enter_context(no_threads(self.loop, lambda: self.random.uniform(0.0, self.scenario.slow_disk)))
            stack.enter_context(same_order())
            stack.enter_context(network(self.world))
            stack.enter_context(self.disk.watching())
            stack.enter_context(self._limits())
            self._arm()
            deaths = iter(self.scenario.deaths)
            pause = self.scenario.restart
            while not self._live(next(deaths, None)) and not self.history.broken:
                self.loop.pass_time(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            if not self.history.broken:
                self._again()
        self.history.broken += self.loop.complaints
        self.loop.close()
        return self.history

    def _again(self) -> None:
        """Run what is finished once more, and look at what it all came to."""
        asked = len(self.history.attempts)
        self._live(None)
        if len(self.history.attempts) > asked:
            self.history.broken.append("a finished run was run again and asked something")
        after_the_end(self.history, self.plan, self.folder, self.config)

    def _arm(self) -> None:
        """Let everything loose that happens at a time."""
        let_loose(self.world, self.scenario.troubles, Random(f"nemesis {self.scenario.seed}"))
        self.disk.short = self.scenario.short
        self.disk.on_fault = lambda told: self.history.note(self.loop.time(), told)
        for at, seconds in self.scenario.full:
            self.loop.call_later(at, setattr, self.disk, "full", True)
            self.loop.call_later(at + seconds, setattr, self.disk, "full", False)
        for at in self.scenario.failing_syncs:
            self.loop.call_later(at, setattr, self.disk, "failing_syncs", 1)
        for at, by in self.scenario.jumps:
            self.loop.call_later(at, setattr, self.loop, "offset", by)

    def _live(self, death: Death | None) -> bool:
        """Live one life of the process; say whether the plan is settled."""
        life = Life(began=self.loop.time())
        self.history.lives.append(life)
        self.history.note(life.began, f"life {self.history.life} begins")
        self.disk.dead, self.disk.kill_at = False, 0
        if death is not None and death.where == "step":
            self.loop.kill_at = self.loop.steps + int(death.at)
        elif death is not None and death.where == "disk":
            self.disk.kill_at = self.disk.operations + int(death.at)
        try:
            self.loop.process(self._program(life, death))
            life.how, over = "complete", True
        except Killed:
            life.how, over = "killed", False
        except (Interrupted, EndpointDown, StorageError, FimUnavailable) as error:
            life.how, over = type(error).__name__, False
            self._judge_an_error(error)
        except EvoselfcodeError as error:
            life.how, over = type(error).__name__, True
            self.history.broken.append(f"the run ended with {error!r}")
        self.loop.kill_at = 0
        life.ended, life.steps = self.loop.time(), self.loop.steps
        self._bury(life, power=death is not None and death.power)
        self.history.note(life.ended, f"life {self.history.life} ends: {life.how}")
        after_a_life(self.history, self.folder, self.scenario)
        if len(self.history.lives) > MOST_LIVES or life.ended > LAST_SECOND:
            self.history.broken.append(f"the run did not end: {len(self.history.lives)} lives, {life.ended:.0f} s")
            return True
        return over

    def _judge_an_error(self, error: EvoselfcodeError) -> None:
        if isinstance(error, StorageError) and not self.disk.faults:
            self.history.broken.append(f"the run complained about a sound disk: {error}")
        ill = any(begins < self.loop.time() < ends + LAST_PROBE for _, _, begins, ends in self.history.ills)
        if isinstance(error, EndpointDown | FimUnavailable) and not ill:  # a preflight believes three 500s in a row
            self.history.broken.append(f"(R2) the run gave up replicas that are well: {error}")

    def _bury(self, life: Life, *, power: bool) -> None:
        """Take away what is left of a process."""
        if life.how == "killed":
            self.disk.dead = self.world.dead = True
            self.world.killed()
        left = self.loop.bury()
        self.disk.dead = self.world.dead = False
        if left:
            self.history.broken.append(
                f"{len(left)} tasks are left behind by a run that ended as {life.how}: {left[0]}"
            )
        if self.history.flying:
            self.history.broken.append(f"{self.history.flying} attempts are in flight after the end of the run")
        if power and life.how == "killed":
            self.disk.power_loss()
            self.history.note(self.loop.time(), "the power is lost")

    async def _program(self, life: Life, death: Death | None) -> Summary:
        stop = Stop()

        def terminate(grace: float) -> None:
            if life.ended:
                return
            self.history.note(self.loop.time(), "SIGTERM")
            stop.set()
            self.loop.call_later(grace, self._too_late, life)

        if death is not None and death.where == "stop":
            asyncio.get_running_loop().call_later(death.at, terminate, death.grace)
        client = OpenAICompletionClient.from_config(self.config)
        return await run_stage(
            NAMES, client, self.config, stop=stop, report=self._look, acknowledged=self._acknowledged
        )

    def _too_late(self, life: Life) -> None:
        """The grace is over: SIGKILL, if it is still the same life."""
        if not life.ended:
            self.loop.kill_at = self.loop.steps + 1

    def _look(self, summary: Summary, fleet: FleetStatistics) -> None:
        """C1: every slot that is held at a moment is an attempt that begins, lasts or ends at this moment."""
        if self.config.api.requests_per_second is None:  # who waits for his start holds his slot
            self.loop.call_later(1e-6, self._compare, self.loop.time(), fleet.in_flight)

    def _compare(self, moment: float, held: int) -> None:
        just = [attempt for attempt in self.history.attempts[-500:] if (attempt.ended or 0.0) >= moment]
        open_or_just = [*self.history.in_flight(), *just]
        if any(attempt.what == "models" for attempt in open_or_just):
            return  # a replica that nobody has looked at yet is looked at first, from a row's slot
        if held > (there := sum(attempt.what == "row" for attempt in open_or_just)):
            self.history.broken.append(f"(C1) {held} slots were held for {there} attempts in flight at {moment:.6f}")

    def _acknowledged(self, keys: Iterable[str]) -> None:
        self.history.acknowledge(keys, self.loop.time())

    @contextmanager
    def _limits(self) -> Iterator[None]:
        """Note the engine's limit with each attempt: the greater one, of a moment in which it changes."""
        seen: dict[str, tuple[float, int, int]] = {}
        reopen = Member._reopen

        def reopened(member: Member) -> None:
            host, now = urlsplit(member.name).hostname or "", self.loop.time()
            at, before, last = seen.get(host, (now, 0, 0))
            seen[host] = (now, max(before, last) if at == now else last, member.limit)
            reopen(member)

        def limit_of(replica: str) -> int:
            at, before, last = seen[replica]
            return max(before, last) if at == self.loop.time() else last

        Member._reopen, self.history.limit_of = reopened, limit_of  # type: ignore[method-assign]
        try:
            yield
        finally:
            Member._reopen = reopen  # type: ignore[method-assign]


def play(scenario: Scenario, folder: Path, *, telling: bool = False) -> History:
    """Play a scenario in an empty folder and return what happened."""
    return Played(scenario, folder, telling=telling).play()
