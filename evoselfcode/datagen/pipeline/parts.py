"""The shards of a stage as their folders hold them, and what they must have alike to be parts of one run.

This file decides which of them may be merged. It refuses to know what is in their journals
(:mod:`evoselfcode.datagen.pipeline.merging`).
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec

from evoselfcode.clients import Findings
from evoselfcode.config import RunConfig, flatten
from evoselfcode.datagen.pipeline.sharding import Shard, shards_in
from evoselfcode.errors import RunMismatch, UsageError
from evoselfcode.storage import Manifest, RunFolder, generation_of, journal_files, read_manifest

WAYS = "run them to their end, or merge what there is with --partial and go on without --shard"
"""What to do where something is missing."""


class Part(NamedTuple):
    """One shard as its folder holds it."""

    shard: Shard
    folder: RunFolder
    manifest: Manifest
    findings: Findings
    run: str
    judged_by: dict[str, object]


def parts_in(folder: Path, *, partial: bool) -> tuple[list[Part], tuple[int, ...]]:
    """Return the shards below a stage's folder in order, and the numbers of those that are missing.

    Args:
        folder: The stage's folder.
        partial: Whether some may be missing, or not complete.

    Raises:
        UsageError: There are none, or some are missing or not complete, and not `partial`.
        RunMismatch: They are of different settings, models or cuts.
        StorageError: A manifest cannot be read.
    """
    parts = []
    for shard, path in shards_in(folder).items():
        manifest = read_manifest((shard_folder := RunFolder(path)).manifest)
        if manifest is not None:
            findings = msgspec.convert(manifest.preflight, Findings)
            files = journal_files(path)
            run = files[0].name.run if files else "run"
            parts.append(Part(shard, shard_folder, manifest, findings, run, generation_of(path).judged_by))
    if not parts:
        raise UsageError(f"there are no shards in {folder}", hint="name the folder above shard-0-of-N")
    of = parts[0].shard.of
    if any(part.shard.of != of for part in parts):
        counts = " and of ".join(map(str, sorted({part.shard.of for part in parts})))
        raise RunMismatch(f"{folder} holds shards of {counts}", hint="move those away that are not meant")
    there = {part.shard.index for part in parts}
    absent = tuple(index for index in range(of) if index not in there)
    if absent and not partial:
        some = ", ".join(map(str, absent[:10])) + (", …" if len(absent) > 10 else "")
        raise UsageError(f"shards of {of} that are missing in {folder}: {some}", hint=WAYS)
    for part in parts:
        _refuse_other(parts[0], part)
    late = [f"{part.shard} ({part.manifest.state})" for part in parts if part.manifest.state != "complete"]
    if late and not partial:
        raise UsageError(f"shards in {folder} that are not complete: {', '.join(late[:10])}", hint=WAYS)
    return parts, absent


def _refuse_other(first: Part, part: Part) -> None:
    """Refuse a shard that was asked otherwise than the first one: where and how fast is its own matter.

    Raises:
        RunMismatch: It names the settings.
    """
    if part.manifest.shard != str(part.shard):
        raise RunMismatch(
            f"{part.folder.path} is of shard {part.manifest.shard}, and its name says {part.shard}",
            hint="give the folder its own name back",
        )
    then, this = (_settings(it) for it in (first, part))
    differing = [key for key in sorted({*then, *this}) if then.get(key) != this.get(key)]
    if differing:
        told = "".join(f"\n  {key}: {then.get(key)!r:.60} and {this.get(key)!r:.60}" for key in differing[:20])
        raise RunMismatch(
            f"shards {first.shard} and {part.shard} are of different settings:{told}",
            hint="run all shards with one configuration; those that are complete are not asked again",
        )


def _settings(part: Part) -> dict[str, object]:
    """Return all that shards must have alike: what shapes rows, the plan, and the model as it was asked for."""
    free = ("api.", "rating.api.", "output.")
    manifest = part.manifest
    shown = {key: value for key, value in flatten(manifest.config).items() if not key.startswith(free)}
    model = part.findings.dialect.model
    by = {f"{key} (judged by)": value for key, value in part.judged_by.items()}
    return {"stage": manifest.stage} | shown | manifest.fingerprint | by | {"the model's name on the server": model}


def config_of(manifest: Manifest, folder: Path) -> RunConfig:
    """Make the configuration of a manifest; of keys it has none, and its output is where the folder is now."""
    document = msgspec.json.decode(msgspec.json.encode(manifest.config))
    for api in (document["api"], document["rating"]["api"]):
        for name in ("api_key", "api_key_file"):
            api.pop(name, None)
    document["output"]["dir"] = str(folder.parent)
    return RunConfig.from_mapping(document)
