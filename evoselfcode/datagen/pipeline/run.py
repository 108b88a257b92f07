"""Run a stage into a folder: resume what is there, ask for the rest, keep every draw, rebuild the views.

This file decides when a run may go on from what it finds, and what is written when. It refuses to know what a stage
asks (:class:`evoselfcode.datagen.pipeline.stage.Stage`) and how progress is shown (`report` is handed in).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from evoselfcode.clients import Connection, Findings, OpenAICompletionClient
from evoselfcode.config import RunConfig
from evoselfcode.datagen.pipeline.committing import Acknowledged, Committing, Patience
from evoselfcode.datagen.pipeline.events import EventLog
from evoselfcode.datagen.pipeline.fleets import fleet_of
from evoselfcode.datagen.pipeline.provenance import manifest_of, now
from evoselfcode.datagen.pipeline.recalling import Recall
from evoselfcode.datagen.pipeline.reconciling import Reckoning, count_entry, reconcile
from evoselfcode.datagen.pipeline.refusing import Refusals
from evoselfcode.datagen.pipeline.resume import entries_of, one_model, recalled_findings, refuse_other_settings
from evoselfcode.datagen.pipeline.saturating import Saturating
from evoselfcode.datagen.pipeline.settled import Retry, Settled
from evoselfcode.datagen.pipeline.sharding import Shard, folder_of, name_of
from evoselfcode.datagen.pipeline.stage import Judge, Judged, Row, Stage, chosen_arms, judged, requests
from evoselfcode.datagen.pipeline.stopping import breathe, rows_remain, stretches, unless_stopped
from evoselfcode.datagen.pipeline.summary import Report, Summary
from evoselfcode.datagen.pipeline.viewing import MOST_AT_A_STOP, write_views
from evoselfcode.engine import Meter, Stop
from evoselfcode.errors import Interrupted, RunMismatch
from evoselfcode.finishing import finished
from evoselfcode.records import Fim, Request
from evoselfcode.storage import Damage, Entry, Manifest, RunFolder, has_rows, make_entry, read_manifest, write_manifest


async def run_stage(
    stage: Stage[Row],
    client: OpenAICompletionClient,
    config: RunConfig,
    *,
    arms: Iterable[str] | None = None,
    shard: Shard | None = None,
    new_run: bool = False,
    stop: Stop | None = None,
    report: Report = lambda summary, fleet: None,
    retry: Retry | None = None,
    acknowledged: Acknowledged = lambda keys: None,
) -> Summary:
    """Run `stage` into ``output.dir/<stage>`` and return what it came to; a finished run sends nothing.

    Args:
        stage: The stage.
        client: The client to ask with.
        config: The configuration.
        arms: The arms to run; all of the configuration's if left out.
        shard: The part of the plan to ask, into ``output.dir/<stage>/shard-I-of-N``; all of it if left out.
        new_run: Set the run that is there aside and begin anew.
        stop: Ends the run early; what is in flight is awaited.
        report: Shows progress.
        retry: ``dead`` asks again for the requests that were given up, and for no others.
        acknowledged: Told the keys of requests when they are durable: no kill and no power failure loses them.

    Raises:
        Interrupted: `stop` came before the end, or requests remain that were never asked; running again resumes.
        RunMismatch: The folder holds a run with other settings, or one cut otherwise, or another process writes in it.
        UsageError: There is no such arm.
        FimUnavailable: An arm fills in the middle and no way of that works.
        ScoresUnavailable: Texts are to be scored, and no way of that works.
        EndpointError: The endpoint is down, or refuses every request.
        StorageError: A file cannot be read or written.

    Cancelled: what was judged is committed, the views show it unless it is much, and the manifest says ``stopped``.
    """
    stage = replace(stage, shard=shard)
    chosen = chosen_arms(stage.arms(config), arms)
    with RunFolder(folder_of(Path(config.output.dir), stage.name, stage.shard)) as folder:
        run = _Run(stage, client, config, chosen, folder, stop or Stop(), report)  # may refuse: before a file moves
        run.settled, run.acknowledged, run.refusals.patient = Settled(retry), acknowledged, retry is not None
        if new_run:
            folder.set_aside()
        manifest = read_manifest(folder.manifest)
        refuse_other_settings(folder, manifest, run.fingerprint, stage.fingerprint(RunConfig()))
        return await run.run(manifest)


class _Run:
    """One run of one stage into its folder."""

    def __init__(
        self,
        stage: Stage[Any],
        client: OpenAICompletionClient,
        config: RunConfig,
        arms: tuple[str, ...],
        folder: RunFolder,
        stop: Stop,
        report: Report,
    ) -> None:
        self._stage = stage
        self._client = client
        self._config = config
        self._chosen = self._arms = arms
        self._folder = folder
        self._stop = stop
        self._report = report
        self.fingerprint = stage.fingerprint(config)
        self._judges: dict[str, Judge] = {arm: stage.judge(config) for arm in stage.arms(config)}
        self._saturating = Saturating(stage.rules(config), stage.arms(config), stage.name_of)
        self.settled = Settled(None)
        self.acknowledged: Acknowledged = lambda keys: None
        self._open: Counter[str] = Counter()
        self.refusals = Refusals(fragile=stage.fragile)
        self._reckoning = Reckoning()
        self._started = now()
        self._summary = Summary(stage.name, folder.path, Findings.unknown(), Meter(), shard=stage.shard)

    async def run(self, manifest: Manifest | None) -> Summary:
        began = anyio.current_time()
        if manifest is not None:
            self._started = manifest.started
            self._summary.arms, self._summary.merged = manifest.arms, manifest.merged
            self._recall(manifest)
        await self._resume()
        known = self._summary.findings
        if known.requests and await self._count_plan(known) == 0:
            await self._finish(began, state := "stopped" if self.settled.left else "complete")
        else:
            state = await self._run(began)
        if state == "stopped":
            raise rows_remain(self._summary.meter.remaining, self.settled.left)
        return self._summary

    async def _run(self, began: float) -> str:
        """Ask for what is left, write what it came to, and return the state that the run ends in."""
        state, ours = "failed", True
        try:
            async with AsyncExitStack() as stack:
                opened = self._client.connect(n=self._stage.n(self._config), scores=self._stage.scores)
                connect = partial(stack.enter_async_context, opened)
                await self._ask(await unless_stopped(self._stop, connect), began)
            stopped = self._stop.is_set() and self._summary.meter.remaining
            state = "stopped" if self.settled.left or stopped else "complete"
        except (anyio.get_cancelled_exc_class(), Interrupted):
            state = "stopped"
            raise
        except RunMismatch:  # another process has taken the folder over: views and manifest are its own to write
            ours = False
            raise
        finally:
            if ours:
                await finished(self._finish(began, state))
        return state

    def _recall(self, manifest: Manifest) -> None:
        if not one_model(manifest.base_url, self._client.base_url) or manifest.fingerprint != self.fingerprint:
            return
        findings = recalled_findings(manifest, partial(self._stage.served, self._config, self._chosen))
        if findings is not None:
            self._use(findings)

    def _use(self, findings: Findings) -> None:
        """Go on with what a preflight found, and without the arms that it rules out."""
        self._client.use(findings)
        self._summary.findings = findings
        self._arms, self._summary.left_out = self._stage.served(self._config, self._chosen, findings)
        self._summary.arms = tuple(dict.fromkeys((*self._summary.arms, *self._arms)))

    async def _resume(self) -> None:
        """Read the journal: what is settled, what was kept, what it came to."""
        stage, told = self._stage, (self.settled, self._saturating, self._summary)
        await Recall(stage.name, self._judges, stage.remembers, *told).read(self._folder, self._stop)

    def _entries(self) -> Iterator[Entry | Damage | None]:
        return entries_of(self._stage.name, self._judges, self._folder)

    def _plan(self, findings: Findings) -> Iterator[Request]:
        dialect = findings.dialect
        return requests(self._stage, self._config, dialect.model, dialect.max_n, self._arms)

    async def _count_plan(self, findings: Findings) -> int:
        """Return how many requests of the plan will be asked, and tell the meter."""
        self._open.clear()
        self.settled.left = 0
        for planned in stretches(self._plan(findings)):
            await breathe(self._stop)
            self._summary.fim |= any(isinstance(it.prompt, Fim) and it.prompt.order is None for it in planned)
            self._open.update(request.arm for request in self.settled.to_ask(planned))
        return self._expect()

    def _expect(self) -> int:
        """Tell the meter what is still to come, which an arm that has ended shortens; return it."""
        to_come = sum(count for arm, count in self._open.items() if not self._saturating.ended(arm))
        self._summary.meter.planned = self._summary.meter.settled + to_come
        self._summary.saturated = self._saturating.sentences()
        return to_come

    def _to_ask(self, findings: Findings) -> Iterator[Request | None]:
        """Yield what is to be asked, and ``None`` now and then: what is settled is passed over, which takes a while."""
        for planned in stretches(self._plan(findings)):
            yield None
            self._reckoning.plan(planned)
            yield from (it for it in planned if not self._saturating.ended(it.arm) and self.settled.wants(it))

    async def _ask(self, connection: Connection, began: float) -> None:
        findings = connection.findings
        self._use(findings)
        await self._count_plan(findings)
        self._write_manifest("running")
        self._summary.sent = True
        events = EventLog(self._folder.path)
        fleet = fleet_of(self._stage, self._config, connection, events.append)
        plan, fail = self._to_ask(findings), self._summary.meter.fail
        batches = judged(self._stage, self._config, fleet, plan, self._judges, stop=self._stop, on_failure=fail)

        def shown() -> None:
            self._report(self._summary, fleet.statistics())

        patience = Patience(self._config.output.disk_wait, self._stop, shown)
        commits, part = self._summary.commits, name_of(self._stage.shard)
        journal = Committing(self._folder.path, self.fingerprint, patience, self.acknowledged, part, commits)

        async with AsyncExitStack() as closing:  # the journal first, and the others whatever becomes of it
            for judge in self._judges.values():
                closing.push_async_callback(judge.aclose)
            closing.push_async_callback(events.aclose)
            closing.push_async_callback(journal.aclose)
            async with aclosing(batches):
                async for batch in batches:
                    self._take(journal, batch)
                    self._expect()
                    await journal.commit_if_due(moment := anyio.current_time())
                    await events.commit()
                    self._summary.seconds = moment - began
                    shown()
            if not self._stop.is_set():
                self._settle(journal, self.refusals.rest())
            await journal.commit(anyio.current_time())

    def _take(self, journal: Committing, batch: list[Judged]) -> None:
        at = datetime.now(UTC).timestamp()
        settled, refused = self.refusals.settle_all(make_entry(it.outcome, it.draws, at) for it in batch)
        self._settle(journal, settled)
        if refused is not None:
            raise refused

    def _settle(self, journal: Committing, entries: Iterable[Entry]) -> None:
        for entry in entries:
            journal.append(entry)
            self._summary.commits.pending += 1
            self._saturating.add(entry)
            count_entry(self._summary.meter, entry, resumed=False)
            self._open[entry.arm] -= 1

    async def _finish(self, began: float, state: str) -> None:
        """Rebuild the views from the journal and write the manifest; a run that asked nothing writes nothing."""
        if not self._summary.findings.requests and not has_rows(self._folder.path):
            return
        if state == "complete" or self._summary.meter.settled <= MOST_AT_A_STOP:
            entries = self._reckoning.journal(self._entries())
            write = partial(write_views, self._stage, self._config, self._folder.path, entries)
            self._summary.files = await anyio.to_thread.run_sync(write)
        gap = None
        if state == "complete" and self._summary.sent:
            plan = partial(self._plan, self._summary.findings)
            gap = await reconcile(self._reckoning, plan, self._entries, self._summary, self._saturating.ended)
        self._summary.seconds = anyio.current_time() - began
        if self._summary.findings.requests:
            self._write_manifest(state if gap is None else "failed")
        if gap is not None:
            raise gap

    def _write_manifest(self, state: str) -> None:
        made = (self._config, self.fingerprint, self._client.base_url, self._summary)
        write_manifest(self._folder.manifest, manifest_of(*made, started=self._started, state=state))
