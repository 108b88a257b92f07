"""Judge the draws of a names run again, by other filters: the model is asked nothing.

This file decides which settings may change so, and that an entry is judged in the place in which it settled: of two
draws of one name the earlier is kept, as in a run that had these filters from the beginning. How the journal is written
anew is :mod:`evoselfcode.storage.rewriting`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from evoselfcode.config import FILTERS, RunConfig
from evoselfcode.datagen.filters.names import NameJudge, begun_name, parse_name
from evoselfcode.datagen.pipeline.namegen import NAMES
from evoselfcode.datagen.pipeline.provenance import now
from evoselfcode.datagen.pipeline.reading import manifest_of
from evoselfcode.datagen.pipeline.resume import refuse_other_settings, settings_then
from evoselfcode.datagen.pipeline.saturating import Saturating
from evoselfcode.datagen.pipeline.viewing import write_views
from evoselfcode.engine import Meter
from evoselfcode.errors import UsageError
from evoselfcode.records import Choice, L2r, Request, Sampling
from evoselfcode.storage import (
    MANIFEST,
    Draw,
    Entry,
    Manifest,
    RunFolder,
    read_manifest,
    read_once,
    rewrite_journal,
    write_manifest,
)


@dataclass
class Refiltered:
    """What judging again came to.

    Attributes:
        folder: The run's folder.
        draws: Draws that were judged.
        kept: Draws that are kept.
        before: Draws that were kept before.
        changed: Draws with another verdict than before.
        damaged: Damaged lines of the journal that were left out; their requests will be asked again.
        files: Rows of each view.
    """

    folder: Path
    draws: int = 0
    kept: int = 0
    before: int = 0
    changed: int = 0
    damaged: int = 0
    files: dict[str, int] = field(default_factory=dict)


def refilter(folder: Path, config: RunConfig) -> Refiltered:
    """Judge every draw of the run in `folder` by `config`, and write its journal, manifest and views anew.

    Args:
        folder: The folder of a names run.
        config: The configuration of the run with other filters.

    Raises:
        UsageError: There is no names run in the folder; code is filtered by ``filter-code``.
        RunMismatch: Something else than a filter is another setting, or a process writes in the folder.
        StorageError: A file cannot be read or written. The journal is the old one or the new one as a whole.
    """
    _refuse_other_stage(folder)
    manifest_of(folder, NAMES.name)  # before a folder is made
    with RunFolder(folder) as target:
        manifest = manifest_of(folder, NAMES.name)
        now_ = NAMES.fingerprint(config)
        then = settings_then(folder, manifest)
        filters = FILTERS[NAMES.name]
        same = now_ | {key: then[key] for key in filters if key in then}
        refuse_other_settings(target, manifest, same, NAMES.fingerprint(RunConfig()))
        judging = _Judging(config, Refiltered(folder))
        judged_by = {key: now_[key] for key in filters}
        judging.made.damaged = rewrite_journal(folder, judging.change, judged_by)
        made, changed = judging.made, judging.manifest(manifest, now_)
        write_manifest(target.manifest, changed)
        made.files = write_views(NAMES, config, folder, read_once(folder))
        return made


def _refuse_other_stage(folder: Path) -> None:
    manifest = read_manifest(folder / MANIFEST)
    if manifest is not None and manifest.stage == "code":
        raise UsageError(
            f"{folder} is a run of code, which is filtered from its journal as often as you like, without rewriting it",
            hint=f"evoselfcode filter-code {folder}",
        )
    if manifest is not None and manifest.stage != NAMES.name:
        raise UsageError(
            f"{folder} is a run of the stage {manifest.stage!r}, whose verdicts depend on no setting",
            hint="refilter is for runs of datagen-names",
        )


class _Judging:
    """Judges entries one by one, as they settled."""

    def __init__(self, config: RunConfig, made: Refiltered) -> None:
        arms = NAMES.arms(config)
        self.made = made
        self._config = config
        self._meter = Meter()
        self._saturating = Saturating(NAMES.rules(config), arms, NAMES.name_of)
        self._judges = {arm: NameJudge(config.filters.name_regex, config.namegen.weaklist) for arm in arms}
        self._begun = {arm: _Begun(config, arm) for arm in arms}

    def change(self, entry: Entry, counts: bool) -> Entry:
        """Return the entry with today's verdicts; history, and entries of something else, stay as they are."""
        if not counts or entry.stage != NAMES.name or entry.arm not in self._judges:
            return entry
        begun = self._begun[entry.arm].of(entry.number)
        request = Request(
            key=entry.key,
            prompt=L2r(f"def {begun}" if begun else ""),
            sampling=Sampling(max_new_tokens=1),
            arm=entry.arm,
            number=entry.number,
        )
        draws = tuple(self._judged(request, index, draw) for index, draw in enumerate(entry.draws))
        changed = msgspec.structs.replace(entry, draws=draws)
        self._saturating.add(changed)
        self._meter.add(
            entry.arm,
            [draw.reason for draw in draws],
            dead=entry.failure is not None,
            prompt_tokens=entry.usage.prompt_tokens or 0,
            completion_tokens=entry.usage.completion_tokens or 0,
        )
        return changed

    def _judged(self, request: Request, index: int, draw: Draw) -> Draw:
        candidate = parse_name(request, index, Choice(draw.raw_text, draw.finish_reason))
        reason = self._judges[request.arm](candidate).reason
        self.made.draws += 1
        self.made.before += draw.reason is None
        self.made.kept += reason is None
        self.made.changed += reason != draw.reason
        return msgspec.structs.replace(draw, text=candidate.text, reason=reason)

    def manifest(self, then: Manifest, fingerprint: dict[str, object]) -> Manifest:
        """Return the manifest of a run that had today's filters from the beginning."""
        self._meter.planned = then.counts.get("planned", 0)
        return msgspec.structs.replace(
            then,
            fingerprint=fingerprint,
            config=self._config.to_public(),
            updated=now(),
            counts=self._meter.counts(),
            ended_early=self._saturating.sentences(),
        )


class _Begun:
    """What the prompts of an arm had written of the name, by the number of the request."""

    def __init__(self, config: RunConfig, arm: str) -> None:
        endless = msgspec.structs.replace(config.namegen, num_requests=1 << 62)
        self._plan = self._names(msgspec.structs.replace(config, namegen=endless), arm)
        self._known: list[str] = []

    def of(self, number: int) -> str:
        """Return the beginning of a name that the prompt of request `number` ended in, or nothing."""
        while len(self._known) <= number:
            self._known.append(next(self._plan))
        return self._known[number]

    @staticmethod
    def _names(config: RunConfig, arm: str) -> Iterator[str]:
        known: dict[str, str] = {}
        for request in NAMES.plan(config, "", arm):
            begun = begun_name(request.before)
            yield known.setdefault(begun, begun)
