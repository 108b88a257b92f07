"""Draws of made-up code runs, their documents, and folders that hold them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from report_documents import HOSTILE

from evoselfcode.config import RunConfig
from evoselfcode.datagen.code.rows import verdict_on
from evoselfcode.datagen.code.rules import settings_of
from evoselfcode.datagen.filters.gates import CODE_REASONS
from evoselfcode.records import Task, Usage
from evoselfcode.report.code_document import code_document
from evoselfcode.report.code_draws import CodeDraw, _Agreement, _Asserts, _Execution, _Hashes
from evoselfcode.report.excerpts import digest_of
from evoselfcode.report.page import render_code
from evoselfcode.storage import (
    Draw,
    Entry,
    Journal,
    Manifest,
    journal_files,
    write_document,
    write_manifest,
    write_rows,
)

MANIFEST = Manifest(
    stage="code", versions={"evoselfcode": "0.1.0", "python": "3.11.9"}, fingerprint={"codegen.n": 4, "namegen.n": 1},
    config={"api": {"concurrency": 8}}, base_url="http://127.0.0.1:8000/v1",
    preflight={"dialect": {"model": "Qwen2.5-Coder-32B", "server": "vllm", "fim": "sentinel", "family": "qwen"}},
    started="2025-11-26T02:03:11Z", updated="2025-11-26T02:41:07Z", state="complete", counts={},
)  # fmt: skip

EVIL = (
    "def f(x):\n    return '</script><img src=x onerror=alert(1)>'\n",
    "def f(x):\n    # \u202e\u2066 } if admin\u2069 \u200b\n    return 'nul\0bell\7\x1b[31m'\n",
    "def f(x):\n\treturn '" + "y" * 100_000 + "'\n",
    "</pre></details><svg onload=alert(1)>{{ 7 * 7 }}\r\n</style>",
    "",
)
"""Functions that a page must show and not obey."""


def draw(
    number: int, *reasons: str, arm: str = "L2R", name: str = "", code: str = "", status: str | None = None, **more: Any
) -> CodeDraw:
    """Make a draw that these reasons are against."""
    name = name or f"task_{number // 4}"
    code = code or f"def {name}(values):\n    return sorted(values)[{number}]\n"
    verdict, reason = verdict_on(reasons)
    ran = status and _Execution(status=status, level="bubblewrap", asserts=_Asserts(of=5))
    return CodeDraw(
        func_name=name, source=arm, code=code, syntax_valid="unparsable" not in reasons, verdict=verdict,
        reason=reason, reasons=reasons, key=f"{arm}{number // 4}", hashes=_Hashes(alpha=digest_of(code)),
        execution=ran or None, **more,
    )  # fmt: skip


def entry(number: int, arm: str = "L2R", **more: Any) -> Entry:
    """Make the request of the draws 4 × number to 4 × number + 3."""
    return Entry(
        key=f"{arm}{number}", stage="code", arm=arm, number=number, seed=4 * number, attempts=1, seconds=0.5,
        usage=Usage(30, 200), task=Task(func_name=f"task_{number}"), at=100.0 + number, **more,
    )  # fmt: skip


def metrics_of(rows: Iterable[CodeDraw], **filters: Any) -> dict[str, Any]:
    """Make what a filter that wrote these rows says of them, as far as a report reads it."""
    settings = settings_of(RunConfig.from_mapping({"filters": filters}))
    rows = list(rows)
    arms = {row.source: {"accepted": {"raw": 9, "ast": 8, "alpha": 7}} for row in rows}
    return {
        "version": 1, "stage": "code", "draws": len(rows), "arms": arms, "warnings": [],
        "of": {"files": {}, "filters": msgspec.json.decode(msgspec.json.encode(settings))},
    }  # fmt: skip


def audit_of(metrics: dict[str, Any]) -> dict[str, Any]:
    """Make an audit with the run's filters: banned_call loses 2 of 8 good programs, ruff 4 if it were on."""
    lost = {"banned_call": 2, "ruff": 4}
    gates = [
        {"gate": gate, "on": gate != "ruff", "drops": 2 * lost.get(gate, 0) * (gate != "ruff"),
         "loses": lost.get(gate, 0) * (gate != "ruff"),
         "alone": {"drops": 3 * lost.get(gate, 0), "loses": lost.get(gate, 0)}}
        for gate in CODE_REASONS if gate not in ("failed", "duplicate", "near_duplicate")
    ]  # fmt: skip
    filters = metrics["of"]["filters"]
    return {"corpus": "corpus.jsonl.gz", "programs": 20, "good": 8, "kept": 10, "kept_good": 6, "gates": gates,
            "filters": filters}  # fmt: skip


def made(rows: Iterable[CodeDraw], entries: Iterable[Entry] = (), **more: Any) -> dict[str, Any]:
    """Make the document of a run of these draws."""
    rows = list(rows)
    metrics = more.pop("metrics", None) or metrics_of(rows)
    return code_document(iter(rows), iter(entries), MANIFEST, "data/generated/code", metrics=metrics,
                         meanings=CODE_REASONS, **more)  # fmt: skip


def realistic_draws() -> list[CodeDraw]:
    """Make the draws of two arms for 60 names, of which FIM writes better code, run and held to asserts."""
    random, rows = Random(0), []
    for arm, share in (("FIM", 0.6), ("L2R", 0.35)):
        for number in range(240):
            good = random.random() < share
            reason = () if good else (random.choice(["unparsable", "truncated", "no_return", "failed", "duplicate"]),)
            body = "".join(f"    values[{line}] += {number}\n" for line in range(random.randrange(12)))
            code = f"def task_{number // 4}(values):\n{body}    return values\n"
            ran = "pass" if good else "NameError" if reason == ("failed",) else None
            agreed = _Agreement(chosen=number % 3 > 0, vacuous=number % 8 == 0) if good else None
            rows.append(draw(number, *reason, arm=arm, code=code, status=ran, agreement=agreed))
    return rows


def realistic_code() -> dict[str, Any]:
    """Make the document of those draws, with an audit."""
    rows = realistic_draws()
    metrics = metrics_of(rows, execute=True)
    entries = [entry(number, arm) for arm in ("FIM", "L2R") for number in range(60)]
    return made(rows, entries, metrics=metrics, audit=audit_of(metrics), warnings=["what to read first"])


def hostile_code_run() -> dict[str, Any]:
    """Put harmful text everywhere a text can stand in the document of a code run."""
    script, image, *_ = HOSTILE
    rows = [
        draw(number, *reasons, arm=arm, name=HOSTILE[number % len(HOSTILE)], code=code, status=image, of=script)
        for arm in (script, image)
        for number, code in enumerate(EVIL * 3)
        for reasons in ((), ("failed",), (script,))
    ]
    metrics = metrics_of(rows, execute=True)
    document = made(rows, metrics=metrics, audit=audit_of(metrics) | {"corpus": image}, warnings=HOSTILE)
    document["provenance"] = dict.fromkeys(document["provenance"], script) | {
        "versions": dict.fromkeys(HOSTILE, image), "settings": {key: list(HOSTILE) for key in HOSTILE},
    }  # fmt: skip
    for gate in document["gates"]:
        gate["meaning"] = script
    return document | {"folder": image, "answer": {"word": image, "sentence": script}}


def write_run(folder: Path, rows: Iterable[CodeDraw], entries: Iterable[Entry] = ()) -> Path:
    """Write a run and what a filter would write of it into a folder."""
    rows, folder = list(rows), folder / "code"
    folder.mkdir()
    write_manifest(folder / "manifest.json", MANIFEST)
    journal = Journal(folder)
    for one in entries:
        journal.append(one)
    journal.close(0.0)
    metrics = metrics_of(rows)
    metrics["of"]["files"] = {str(segment.path): [segment.length, 1] for segment in journal_files(folder)}
    write_rows(folder / "raw.jsonl", rows)
    write_document(folder / "metrics.json", metrics)
    return folder


def code_entry(number: int, *texts: str) -> Entry:
    """Make a request for ``pair_up`` that gave these bodies."""
    task = Task(func_name="pair_up", description="Do it.", head="def pair_up(x):\n")
    return msgspec.structs.replace(entry(number), task=task, draws=tuple(Draw(text, text) for text in texts))


def write_pages(folder: Path) -> None:
    """Write both pages, to be looked at."""
    for name, document in (("code", realistic_code()), ("hostile_code", hostile_code_run())):
        (folder / f"{name}.html").write_text(render_code(document), encoding="utf-8")


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
