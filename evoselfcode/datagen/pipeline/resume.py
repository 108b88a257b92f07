"""Going on from what an earlier process left in the folder.

This file decides whether a run may go on under today's settings, and what of the earlier preflight still holds. It
refuses to know how the rest is asked: that is :mod:`evoselfcode.datagen.pipeline.run`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator
from pathlib import Path
from typing import Any

import msgspec

from evoselfcode.clients import Findings
from evoselfcode.config import FILTERS, arm_of
from evoselfcode.errors import RunMismatch, UsageError
from evoselfcode.storage import Damage, Entry, Manifest, RunFolder, generation_of, has_rows, read_once


def refuse_other_settings(
    folder: RunFolder, manifest: Manifest | None, now: dict[str, Any], defaults: dict[str, Any]
) -> None:
    """Refuse to mix rows of different settings in one folder. A folder without rows takes any settings.

    An arm more than the run had is welcome: no other arm's draws depend on it.

    Args:
        folder: The run's folder.
        manifest: How the rows in it were asked for.
        now: The fingerprint of today's settings.
        defaults: The fingerprint of the default settings, for those that the run's version did not know.

    Raises:
        RunMismatch: A setting that changes results is another one now; each is named with both values.
            Or there are rows and no manifest, so that nobody knows what they were asked with.
    """
    if not has_rows(folder.path):
        return
    if manifest is None:
        raise RunMismatch(
            f"{folder.path} holds a journal and no manifest, so its settings are not known",
            hint="use --new-run to set it aside and begin anew, or put manifest.json back",
        )
    then = _as_known_now(settings_then(folder.path, manifest), defaults)
    asked = {arm_of(key) for key in then}  # and None, for what is no setting of an arm
    idle = {key for key, lever in _PROMPTS_OF.items() if not any(then.get(f"namegen.arms.{a}.{lever}") for a in asked)}
    changed = [key for key in sorted({*now, *then} - idle) if now.get(key) != then.get(key) and arm_of(key) in asked]
    if changed:
        gone = asked - {arm_of(key) for key in now}
        lines = [f"\n  namegen.arms.{arm}: an arm then, none now" for arm in sorted(filter(None, gone))]
        lines += [
            f"\n  {key}: {_short(then.get(key))} then, {_short(now.get(key))} now"
            for key in changed
            if arm_of(key) not in gone
        ]
        leave = "; --arm runs some arms alone, the others stay in namegen.arms" if gone else ""
        judge = "; evoselfcode refilter judges what is there by the new filters" if set(changed) <= _FILTERS else ""
        raise RunMismatch(
            f"{folder.path} holds a run with other settings:" + "".join(lines),
            hint="use --new-run to set it aside and begin anew, or set output.dir to another folder" + leave + judge,
        )


def settings_then(folder: Path, manifest: Manifest) -> dict[str, Any]:
    """Return the settings that the rows of a run are of: those of its manifest, and those it was judged by since.

    Raises:
        StorageError: What they were judged by cannot be read.
    """
    return manifest.fingerprint | generation_of(folder).judged_by


_FILTERS = {key for filters in FILTERS.values() for key in filters}

_PROMPTS_OF = {"prompts.topic_prefix": "topics", "prompts.used_name": "used_names"}
"""Settings that no prompt depends on but those of the arms with a lever: the first such arm may come with its own."""


def _as_known_now(then: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of an earlier run, with the default of each that its version did not know."""
    named = any(map(arm_of, then))
    return {key: value for key, value in defaults.items() if not (named and arm_of(key))} | then


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def one_model(then: str, now: str) -> bool:
    """Say whether an earlier preflight was of today's server: one of the addresses is the same.

    Replicas come and go; each is looked at before it is asked anything.

    Args:
        then: The addresses of the earlier run, with commas between.
        now: Those of today.
    """
    return not {*then.split(",")}.isdisjoint(now.split(","))


def recalled_findings(manifest: Manifest, require: Callable[[Findings], object]) -> Findings | None:
    """Return what an earlier preflight of this server found, or ``None`` if it must be run again.

    It must where no way of FIM or of scoring was found and that is wanted (the server may have been mended), and where
    the record is of another version.

    Args:
        manifest: What the earlier run wrote down.
        require: Refuses findings that do not serve today's arms.
    """
    try:
        findings = msgspec.convert(manifest.preflight, Findings)
        require(findings)
    except (msgspec.ValidationError, UsageError):
        return None
    return findings


_KEY = re.compile(r"[0-9a-f]{32}(\.[0-9-]+)?", re.ASCII)


def entries_of(stage: str, arms: Container[str], folder: RunFolder) -> Iterator[Entry | Damage | None]:
    """Yield the entries of a stage in `folder` that count, the damages, and ``None`` for an entry of no use to it.

    Such an entry is of another stage, arm or version.

    Raises:
        StorageError: The journal cannot be read.
    """
    for entry in read_once(folder.path):
        if isinstance(entry, Damage):
            yield entry
        else:
            yield entry if entry.stage == stage and entry.arm in arms and _KEY.fullmatch(entry.key) else None
