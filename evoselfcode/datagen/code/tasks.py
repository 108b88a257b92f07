"""The rows that Stage B begins from: names, with descriptions, signatures and skeletons where there are any.

This file decides which file a stage reads, what counts as a row of it, and how a row becomes a request. It refuses to
know what is asked for and what becomes of the answer.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path

import msgspec

from evoselfcode.config import Asking, RunConfig
from evoselfcode.config.check import SEEDS
from evoselfcode.datagen.code.prompts import fill, sentence_of, skeleton_of, task_of
from evoselfcode.datagen.filters.names import LONGEST
from evoselfcode.datagen.pipeline.stage import request_key
from evoselfcode.errors import UsageError
from evoselfcode.records import Fim, L2r, Prompt, Request, Sampling
from evoselfcode.storage import Damage, read_rows

NAME_FILES = ("names/selected.jsonl", "names/combined_raw.jsonl")
"""What a stage reads whose names are not given, the first that is there, below ``output.dir``."""

DESCRIPTION_FILE, SKELETON_FILE, ASSERTS_FILE = "descriptions.jsonl", "skeletons.jsonl", "asserts.jsonl"

SOURCES: dict[str, tuple[str, ...]] = {
    "describe": NAME_FILES,
    "skeleton": (f"describe/{DESCRIPTION_FILE}", *NAME_FILES),
    "asserts": (f"skeleton/{SKELETON_FILE}", f"describe/{DESCRIPTION_FILE}", *NAME_FILES),
    "code": (f"skeleton/{SKELETON_FILE}", f"describe/{DESCRIPTION_FILE}", *NAME_FILES),
}


class NamedRow(msgspec.Struct, frozen=True):
    """A row of such a file; what else it holds is passed over.

    Attributes:
        func_name: The function's name.
        description: What it is to do.
        signature: Its parameters and what it returns, as ``(values: list[int]) -> int``.
        skeleton: Its ``def`` line and docstring.
    """

    func_name: str
    description: str | None = None
    signature: str | None = None
    skeleton: str | None = None

    def values(self) -> dict[str, str]:
        """Return what the placeholders of a template stand for."""
        description = "\n".join((self.description or "").strip().splitlines()) or sentence_of(self.func_name)
        signature = (self.signature or "").strip()
        skeleton = (self.skeleton or "").rstrip()
        return {
            "func_name": self.func_name,
            "description": description.replace('"""', "'''"),
            "signature": signature or "()",
            "skeleton": f"{skeleton}\n" if skeleton else skeleton_of(self.func_name, signature, description),
        }


def names_file(config: RunConfig, stage: str, asking: Asking) -> Path:
    """Return the file that a stage reads.

    Raises:
        UsageError: It is not there, or none of those is that an earlier stage could have written.
    """
    if asking.names is not None:
        path = Path(asking.names)
        if not path.is_file():
            raise UsageError(f"{path} is no file", hint="the path of names is relative to the folder you are in")
        return path
    folder = Path(config.output.dir)
    for name in SOURCES[stage]:
        if (folder / name).is_file() and (folder / name).stat().st_size:  # a stage may have kept nothing
            return folder / name
    raise UsageError(
        f"there are no names to begin from: {folder} holds none of {', '.join(SOURCES[stage])}",
        hint="run datagen-names first, or name a JSONL file with func_name by --names",
    )


def warnings(config: RunConfig, stage: str, asking: Asking) -> list[str]:
    """Say so if a file of an earlier stage, that was not named, has not all the names that there are.

    Raises:
        UsageError: There is no file of names, it has no names, or a line of it is none.
        StorageError: A file cannot be read.
    """
    path = names_file(config, stage, asking)
    found = {row.func_name for row in read_tasks(path)}
    if not found:
        raise UsageError(f"{path} holds no names")
    folder = Path(config.output.dir)
    every = next((folder / name for name in NAME_FILES if (folder / name).is_file()), path)
    if asking.names is not None or every == path:
        return []
    missing = sum(row.func_name not in found for row in read_tasks(every))
    told = f"{path} is read, and {missing} of the names in {every} are not in it"
    return [f"{told}\nhint: --names {every} takes them all"] if missing else []


def read_tasks(path: Path) -> Iterator[NamedRow]:
    """Yield the rows of a file, each once.

    Raises:
        UsageError: A line is no row, or its name is no identifier.
        StorageError: The file cannot be read.
    """
    seen: set[bytes] = set()
    for number, row in enumerate(read_rows(path, NamedRow), 1):
        if isinstance(row, Damage):
            raise UsageError(f"{path} line {number}: is no JSON object with a func_name of text")
        if row.skeleton and f"def {row.func_name}(" not in row.skeleton:
            raise UsageError(f"{path} line {number}: its skeleton defines no {row.func_name}")
        if not _is_name(row.func_name):
            shown = row.func_name if len(row.func_name) <= 60 else row.func_name[:57] + "..."
            raise UsageError(f"{path} line {number}: {shown!r} is no name that a function can have")
        identity = blake2b(msgspec.msgpack.encode(row), digest_size=16).digest()
        if identity not in seen:
            seen.add(identity)
            yield row


def _is_name(text: str) -> bool:
    return len(text) <= LONGEST and bool(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text)) and not keyword.iskeyword(text)


def plan_tasks(
    config: RunConfig,
    stage: str,
    asking: Asking,
    template: str,
    *,
    model: str,
    arm: str = "L2R",
    suffix: str | None = None,
    logprobs: bool = False,
) -> Iterator[Request]:
    """Yield one request for each row of the stage's file.

    Its key and seed depend on the row, never on its place: rows may be added, dropped and sorted, and what was asked
    before is not asked again.

    Args:
        config: The configuration.
        stage: The stage's name.
        asking: How it draws.
        template: The text before the cursor, to be filled.
        model: The model's name as sent.
        arm: The arm.
        suffix: The text after the cursor; ``None`` asks left-to-right.
        logprobs: Whether to ask for log-probabilities.
    """
    asked: set[str] = set()
    prompt_of: Callable[[str], Prompt] = L2r if suffix is None else lambda text: Fim(text, suffix)
    for number, row in enumerate(read_tasks(names_file(config, stage, asking))):
        values = row.values()
        text = fill(template, values)
        if config.prompts.code_boundary == "token":
            text = text.rstrip()  # many vocabularies have a token of a line end and the indentation behind it
        prompt = prompt_of(text)
        sampling = Sampling(
            max_new_tokens=asking.max_new_tokens,
            n=asking.n,
            temperature=asking.temperature,
            top_p=asking.top_p,
            stop=asking.stop,
            seed=_seed(asking.seed, arm, text),
            logprobs=0 if logprobs else None,
        )
        key = request_key(stage, arm, prompt, sampling, 0, model)
        if key in asked:  # rows that differ in what the template does not show
            continue
        asked.add(key)
        yield Request(
            key=key,
            prompt=prompt,
            sampling=sampling,
            stage=stage,
            arm=arm,
            number=number,
            task=task_of(text, row.func_name, values["description"], (row.signature or "").strip()),
        )


def _seed(seed: int, arm: str, text: str) -> int:
    """Seed a request by what it asks: two that are closer than n ask for different things, so nothing is repeated."""
    return int.from_bytes(blake2b(f"{seed}/{arm}/{text}".encode(), digest_size=8).digest()) % SEEDS
