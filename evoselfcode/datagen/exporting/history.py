"""How a dataset was made, as the files of the runs beside it say.

This file decides what of those files a stranger may read: models, settings that shape results, versions, counts; no
addresses, no paths, no keys. It refuses to know how it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

import msgspec

from evoselfcode.datagen.filters.benchmarks import benchmarks
from evoselfcode.errors import StorageError
from evoselfcode.storage import MANIFEST, Manifest, read_manifest

STAGES = ("names", "describe", "skeleton", "asserts", "code", "score", "rating")
"""The stages that may lie beside, in the order of the work."""

_PUBLIC = ("n", "temperature", "top_p", "max_new_tokens", "seed", "arms", "num_requests", "on_length")
_SECTIONS = {"names": "namegen", "code": "codegen"}


@dataclass
class Step:
    """One stage, as its manifest says.

    Attributes:
        stage: Its name.
        server: The kind of its server, where the preflight told.
        model: Its model.
        versions: Of this package and of libraries.
        settings: What of its settings shapes what it draws.
        began: The day on which it was first started.
        ended: The day on which it was last written to.
        counts: Its totals.
    """

    stage: str
    server: str | None
    model: str | None
    versions: dict[str, str]
    settings: dict[str, Any]
    began: str
    ended: str
    counts: dict[str, int]


@dataclass
class History:
    """What is known of how the rows were made.

    Attributes:
        steps: The stages that left a manifest.
        metrics: What the filter of code came to; empty if nobody knows.
        choice: What the choice came to; empty if there was none.
        remarks: What a reader should know.
    """

    steps: list[Step] = field(default_factory=list)
    metrics: dict[str, Any] = field(default_factory=dict)
    choice: dict[str, Any] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    @property
    def day(self) -> str | None:
        """The last day on which something of it was made."""
        return max((step.ended for step in self.steps if step.ended), default=None)

    @property
    def chosen(self) -> dict[str, int]:
        """How many functions there were to choose from, of how many names, and how many were chosen."""
        found = ((name, self.choice.get(name)) for name in ("rows", "names", "chosen"))
        return {name: value for name, value in found if isinstance(value, int)}

    @property
    def weights(self) -> dict[str, float]:
        """What each metric weighed in the choice, the heaviest first."""
        metrics = {name: _mapping(said).get("weight") for name, said in _mapping(self.choice.get("metrics")).items()}
        known = {name: weight for name, weight in metrics.items() if isinstance(weight, int | float) and weight}
        return dict(sorted(known.items(), key=lambda item: (-item[1], item[0])))

    @property
    def filters(self) -> dict[str, Any]:
        """The settings of the filter; some are paths."""
        return dict(_mapping(_mapping(self.metrics.get("of")).get("filters")))

    def decontamination(self) -> str:
        """Say in a paragraph what was done against benchmarks."""
        names = ", ".join(f"{title} ({benchmark.tasks} tasks)" for title, benchmark in benchmarks().items())
        if not self.metrics:
            return f"Nobody knows: no metrics of a filter lie beside the rows. The filter would know {names}."
        arms = [_mapping(arm) for arm in _mapping(self.metrics.get("arms")).values()]
        dropped = sum(_mapping(arm.get("reasons")).get("contaminated", 0) for arm in arms)
        others = [PurePath(str(name)).name for name in self.filters.get("contamination", ())]
        against = names + (f" and of the files {', '.join(others)}" if others else "")
        off = {"contaminated", "quarantined"} & set(self.filters.get("disabled_gates", ()))
        return (
            f"Functions were compared with the tasks of {against}: by long runs of their text, and by the syntax tree "
            f"of the reference solutions with names made alike. {dropped:,} were dropped for it, and "
            f"{self.metrics.get('quarantined', 0):,} were set aside because they are named like a task."
            + (f" These gates were switched off: {', '.join(sorted(off))}." if off else "")
        )


def history_of(run: Path) -> History:
    """Read what lies in the folder of a code run, and in those of the stages beside it."""
    made = History()
    for stage in STAGES:
        for folder in dict.fromkeys((run if stage == "code" else run.parent / stage, run.parent / stage)):
            step = _step(folder, stage, made.remarks)
            if step is not None:
                made.steps.append(step)
                break
    made.metrics = _document(run / "metrics.json", made.remarks)
    made.choice = _document(run / "choice.json", made.remarks)
    return made


def _step(folder: Path, stage: str, remarks: list[str]) -> Step | None:
    try:
        manifest = read_manifest(folder / MANIFEST)
    except StorageError as error:
        remarks.append(error.message)
        return None
    if manifest is None or manifest.stage != stage:
        return None
    section = _SECTIONS.get(stage, stage)
    settings = {
        key.removeprefix(f"{section}."): value
        for key, value in sorted(manifest.fingerprint.items())
        if key.startswith(f"{section}.") and key.removeprefix(f"{section}.") in _PUBLIC
    }
    dialect = _mapping(manifest.preflight.get("dialect"))
    return Step(
        stage=stage,
        server=_text(dialect.get("server")),
        model=_model(manifest, dialect),
        versions=dict(manifest.versions),
        settings=settings,
        began=manifest.started[:10],
        ended=manifest.updated[:10],
        counts=dict(manifest.counts),
    )


def _model(manifest: Manifest, dialect: Mapping[str, Any]) -> str | None:
    return _text(dialect.get("model")) or _text(manifest.fingerprint.get("model"))


def _document(path: Path, remarks: list[str]) -> dict[str, Any]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.DecodeError, RecursionError):
        remarks.append(f"{path.name} cannot be read, so the card does not say what it says")
        return {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
