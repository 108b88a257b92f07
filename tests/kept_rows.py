"""Rows of filtered.jsonl and the files beside them, made up."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import anyio
import msgspec

from evoselfcode.config import RunConfig
from evoselfcode.datagen.choosing.choosing import CHOSEN, RANKED, choose_code
from evoselfcode.datagen.code.rows import CodeFileRow, Measures, row_id
from evoselfcode.datagen.filters.hashes import Hashes

CODE = "def f(x):\n    return x + 1\n"


def kept(**given: Any) -> CodeFileRow:
    """Return a row; its hashes are made of its code where none are given."""
    code = given.get("code", CODE)
    alpha = given.pop("alpha", None) or sha256(code.encode("utf-8", "surrogatepass")).hexdigest()
    fields: dict[str, Any] = {
        "func_name": "f", "source": "L2R", "description": "Do.", "code": code, "syntax_valid": True,
        "finish_reason": "stop", "verdict": "kept", "reason": None, "reasons": (), "of": None,
        "hashes": Hashes(alpha, alpha, alpha), "model": "m", "key": "k", "index": 0, "logprob": -1.0,
        "measures": Measures(code.count("\n"), 9, False, 0.0),
    }  # fmt: skip
    return CodeFileRow(**fields | given)


def agreement(size: int, of: int, *, chosen: bool = True, vacuous: bool = False, asserts: int = 3) -> dict[str, Any]:
    """Return what execution says of a group."""
    return {
        "size": size, "of": of, "asserts": asserts, "score": 1.0, "chosen": chosen,
        "mutants_noticed": 0.0 if vacuous else 0.9, "vacuous": vacuous,
    }  # fmt: skip


def write(path: Path, rows: Iterable[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    return path


def write_code(folder: Path, rows: Iterable[CodeFileRow], draws: Iterable[CodeFileRow] = ()) -> Path:
    """Write a filtered run; the draws are those rows, and whatever else."""
    every = list(rows)
    write(folder / "filtered.jsonl", every)
    write(folder / "raw.jsonl", [*every, *draws])
    return folder


def scored(row: CodeFileRow, **scores: float | None) -> dict[str, Any]:
    return {"id": row_id(row), "func_name": row.func_name, "source": row.source, "scores": scores}


def rated(row: CodeFileRow, **rating: float | None) -> dict[str, Any]:
    return {"id": row_id(row), "func_name": row.func_name, "source": row.source, "rating": rating, "probabilities": {}}


def health(informative: Mapping[str, bool]) -> dict[str, Any]:
    told = {name: {"informative": good, "why": [] if good else ["retest"]} for name, good in informative.items()}
    return {"dimensions": told}


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def _code(number: int, name: str = "f") -> str:
    """Return functions that differ in a number and in nothing that is measured of them."""
    return f"def {name}(x):\n    return x + {number:03}.5\n"


def row(number: int, name: str = "f", **given: Any) -> CodeFileRow:
    return kept(func_name=name, code=given.pop("code", _code(number, name)), key=f"k{number}", **given)


def choose(folder: Path, **given: Any) -> dict[str, Any]:
    config = RunConfig.from_mapping({"choose": {key: given.pop(key) for key in [*given] if key not in ARGUMENTS}})

    async def run() -> dict[str, Any]:
        return await choose_code(folder, config, **given)

    return anyio.run(run)


ARGUMENTS = ("scores", "ratings", "out", "stop", "progress")


def why(folder: Path) -> dict[str, str]:
    """Return why each function is chosen or not, by its key."""
    return {row["key"]: row["choice"]["why"] for row in lines(folder / RANKED)}


def chosen(folder: Path) -> list[str]:
    return [row["key"] for row in lines(folder / CHOSEN)]
