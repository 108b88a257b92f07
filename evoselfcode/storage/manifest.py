"""The manifest: the truth about how a run is configured, beside the journal that is the truth about its progress."""

from __future__ import annotations

from pathlib import Path

import msgspec

from evoselfcode.errors import StorageError
from evoselfcode.storage.files import atomic_write, storage_errors


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """How a run was made; written when it begins and when it ends.

    Attributes:
        stage: The stage.
        versions: Versions of this package, of Python and of the libraries that shape results.
        fingerprint: Every setting that changes results, by key path.
        config: The whole configuration, the key masked.
        base_url: Where the server was; of several replicas, their addresses with commas between.
        preflight: What the preflight found, so that a resumed run need not ask again.
        started: When the run was first started (UTC, ISO 8601).
        updated: When this manifest was written (UTC, ISO 8601).
        state: ``running``, ``complete``, ``stopped`` or ``failed``.
        counts: Totals by name.
        ended_early: For each arm that a saturation rule ended, which one and what twice the draws would give.
        arms: The arms that were asked last.
        shard: Which part of the plan this is of, ``I/N``; ``None`` if of all of it.
        merged: How many shards it was merged from; ``None`` if it was asked by itself.
    """

    stage: str
    versions: dict[str, str]
    fingerprint: dict[str, object]
    config: dict[str, object]
    base_url: str
    preflight: dict[str, object]
    started: str
    updated: str
    state: str
    counts: dict[str, int]
    ended_early: dict[str, str] = {}
    arms: tuple[str, ...] = ()
    shard: str | None = None
    merged: int | None = None


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write the manifest atomically.

    Raises:
        StorageError: It cannot be written; the old one is untouched.
    """
    atomic_write(path, [msgspec.json.format(msgspec.json.encode(manifest)), b"\n"])


def read_manifest(path: Path) -> Manifest | None:
    """Read a manifest, or return ``None`` if there is none.

    Raises:
        StorageError: It cannot be read, or is no manifest of this version.
    """
    if not path.exists():
        return None
    with storage_errors(path, "read"):
        data = path.read_bytes()
    try:
        return msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise StorageError(
            f"{path} is not a manifest this version can read: {error}",
            hint="move the folder away, or use --new-run to begin anew beside it",
        ) from error
