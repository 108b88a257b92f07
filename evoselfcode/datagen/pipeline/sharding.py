"""Cutting a plan into shards, so that several processes ask the parts of one run.

This file decides which request belongs to which shard, who says which shard this process is, and in which folder a
shard's run lives. It refuses to know how a run is made and how shards become one again
(:mod:`evoselfcode.datagen.pipeline.merging`).

A request belongs to a shard by its key, so it is in exactly one, whatever the order or the length of the plan.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from evoselfcode.errors import RunMismatch, UsageError
from evoselfcode.records import Request
from evoselfcode.storage import MANIFEST, has_rows, read_manifest

MOST_SHARDS = 100_000
"""Shards of one run: as many as an Indexed Job has completions at most (KEP-3850)."""

_GIVEN = re.compile(r"(?:(\d{1,9})/)?(\d{1,9})", re.ASCII)
_FOLDER = re.compile(r"shard-(\d+)-of-(\d+)", re.ASCII)


class Shard(msgspec.Struct, frozen=True):
    """One part of a run.

    Attributes:
        index: Which one, from 0.
        of: How many there are.
    """

    index: int
    of: int

    def __str__(self) -> str:
        return f"{self.index}/{self.of}"

    @property
    def folder(self) -> str:
        """The name of its folder below the stage's."""
        return f"shard-{self.index}-of-{self.of}"

    def holds(self, key: str) -> bool:
        """Say whether the request with this key is this shard's; the parts of a split request go together."""
        return int(key[:8], 16) % self.of == self.index


def part_of(plan: Iterable[Request], shard: Shard | None) -> Iterable[Request]:
    """Return the requests of a plan that are a shard's; all of them where it is not cut."""
    return plan if shard is None else (request for request in plan if shard.holds(request.key))


def name_of(shard: Shard | None) -> str:
    """Return what the names of the journal's files say of a shard, or of a run that is not cut."""
    return "0of1" if shard is None else f"{shard.index}of{shard.of}"


class _Said(NamedTuple):
    """A number and who said it."""

    number: int
    by: str


def shard_of(given: str | None, environ: Mapping[str, str]) -> Shard | None:
    """Find out which shard this process is, or ``None`` if it is to run the whole plan.

    Without an option the environment decides, if it says both which shard and of how many: an Indexed Job with
    ``EVOSELFCODE_SHARDS``, a Slurm array, ``RANK`` with ``WORLD_SIZE``. One process of one is the whole run.

    Args:
        given: ``I/N``, or ``N`` where the environment says which.
        environ: The environment.

    Raises:
        UsageError: Two sources disagree, one is missing, there is no such shard, or a number is none.
    """
    found = _GIVEN.fullmatch((given or "").strip())
    if given is not None and found is None:
        raise UsageError(f"--shard: got {given[:40]!r}, expected I/N or N", hint="for example --shard 0/8")
    index, count = _indexes(environ, int(found[2]) if found else None), _counts(environ)
    if found is not None:
        index = [_Said(int(found[1]), f"--shard {given}"), *index] if found[1] is not None else index
        count = [_Said(int(found[2]), f"--shard {given}"), *(said for said in count if said.by == "EVOSELFCODE_SHARDS")]
    elif {said.by for said in index} <= {"RANK"} and not count:
        return None  # RANK alone may mean anything
    if not index and not count:
        return None
    number, of = _one(index, "which shard this is"), _one(count, "how many shards there are")
    if of is None or number is None:
        raise _half(number, of)
    if not 1 <= of.number <= MOST_SHARDS:
        raise UsageError(f"{of.by} says {of.number} shards, expected 1 to {MOST_SHARDS:,}")
    if number.number >= of.number:
        raise UsageError(
            f"there is no shard {number.number} ({number.by}) of {of.number} ({of.by})",
            hint="shards are counted from 0: as many processes are needed as there are shards",
        )
    return None if given is None and of.number == 1 else Shard(number.number, of.number)


def _indexes(environ: Mapping[str, str], of: int | None) -> list[_Said]:
    """Return who says which shard this process is.

    Args:
        environ: The environment.
        of: How many shards the option says there are. If an array has another number of tasks, it is a part of one that
            is submitted anew: its tasks are counted from 0 and not from the first that there is.
    """
    said = []
    if (number := _number(environ, "JOB_COMPLETION_INDEX")) is not None:
        said.append(_Said(number, "JOB_COMPLETION_INDEX"))
    if (number := _number(environ, "SLURM_ARRAY_TASK_ID")) is not None:
        anew = of is not None and of != _number(environ, "SLURM_ARRAY_TASK_COUNT")
        first = 0 if anew else _number(environ, "SLURM_ARRAY_TASK_MIN") or 0
        step = 1 if anew else max(1, _number(environ, "SLURM_ARRAY_TASK_STEP") or 1)
        place, between = divmod(number - first, step)
        if between or place < 0:
            raise UsageError(f"SLURM_ARRAY_TASK_ID={number} is none of the tasks from {first} in steps of {step}")
        said.append(_Said(place, "SLURM_ARRAY_TASK_ID"))
    if (number := _number(environ, "RANK")) is not None:
        said.append(_Said(number, "RANK"))
    return said


def _counts(environ: Mapping[str, str]) -> list[_Said]:
    """Return who says how many shards there are; what Slurm and torchrun say counts where they say which, too."""
    said = []
    for name, needs in (
        ("EVOSELFCODE_SHARDS", None),
        ("SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_ID"),
        ("WORLD_SIZE", "RANK"),
    ):
        number = _number(environ, name) if needs is None or environ.get(needs) else None
        if number is not None:
            said.append(_Said(number, name))
    return said


def _number(environ: Mapping[str, str], name: str) -> int | None:
    text = environ.get(name, "").strip()
    if not text:
        return None
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise UsageError(f"{name}={text[:40]!r} in the environment is no number", hint=f"unset {name}, or mend it")
    return int(text)


def _one(said: list[_Said], what: str) -> _Said | None:
    """Return what all say alike.

    Raises:
        UsageError: Two disagree.
    """
    for one in said[1:]:
        if one.number != said[0].number:
            raise UsageError(
                f"{said[0].by} and {one.by} disagree about {what}: {said[0].number} and {one.number}",
                hint="unset the variable that is not meant, for example with `env -u NAME`",
            )
    return said[0] if said else None


def _half(number: _Said | None, of: _Said | None) -> UsageError:
    if number is not None:
        return UsageError(
            f"{number.by} says that this is shard {number.number}, and nobody says of how many",
            hint="give --shard N, or set EVOSELFCODE_SHARDS=N; 1 runs the whole plan",
        )
    by, count = (of.by, of.number) if of is not None else ("nobody", 0)
    return UsageError(
        f"{by} says {count} shards, and nobody says which one this is",
        hint=f"give --shard I/{count}, or set JOB_COMPLETION_INDEX, SLURM_ARRAY_TASK_ID or RANK",
    )


def shards_in(folder: Path) -> dict[Shard, Path]:
    """Return the shards of a stage that were begun, in order.

    Args:
        folder: The stage's folder.
    """
    found = {}
    for path in folder.glob("shard-*-of-*"):
        named = _FOLDER.fullmatch(path.name)
        if named and path.is_dir():
            found[Shard(int(named[1]), int(named[2]))] = path
    return dict(sorted(found.items(), key=lambda item: (item[0].of, item[0].index)))


def folder_of(output: Path, stage: str, shard: Shard | None) -> Path:
    """Return the folder of a run: ``<output>/<stage>``, or the shard's below it.

    Raises:
        RunMismatch: What lies there was cut otherwise: its rows would be asked again.
        StorageError: A manifest cannot be read.
    """
    whole = output / stage
    begun = {it: path for it, path in shards_in(whole).items() if shard is None or it.of != shard.of}
    others = sorted({it.of for it, path in begun.items() if has_rows(path)})
    asked = has_rows(whole)
    manifest = read_manifest(whole / MANIFEST) if asked else None
    merged = manifest is not None and manifest.merged is not None
    if shard is None:
        if others and not asked:
            raise RunMismatch(
                f"{whole} holds shards of {_listed(others)} that are not merged; their rows would be asked again",
                hint=f"evoselfcode merge {whole} (--partial if shards are missing), then run the same command again",
            )
        return whole
    if others:
        raise RunMismatch(
            f"{whole} holds shards of {_listed(others)}, and this is shard {shard}; its rows would be asked again",
            hint=f"finish them as shards of {others[0]}, or `evoselfcode merge --partial {whole}` and go on without "
            "--shard, or set output.dir to another folder",
        )
    if asked and not merged:
        raise RunMismatch(
            f"{whole} holds a run that was not cut into shards; its rows would be asked again",
            hint="go on without --shard, or set output.dir to another folder",
        )
    return whole / shard.folder


def _listed(numbers: Iterable[int]) -> str:
    return " and of ".join(map(str, numbers))
