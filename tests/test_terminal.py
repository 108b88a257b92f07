"""What people see at the end: a card that adds up, a table, and model text that stays text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evoselfcode.clients import Check, Findings
from evoselfcode.datagen.pipeline.summary import Summary
from evoselfcode.engine import Meter
from evoselfcode.storage import write_rows
from evoselfcode.terminal_card import card
from evoselfcode.terminal_findings import findings_table
from evoselfcode.wire.dialect import Dialect


def summary(folder: Path, **settings: object) -> Summary:
    meter = Meter(planned=10)
    meter.add("FIM", [None, "weak", "duplicate"], prompt_tokens=7, completion_tokens=9)
    meter.add("L2R", [None, None, "regex"], prompt_tokens=5, completion_tokens=6)
    dialect = Dialect(server="vllm", model="Qwen2.5-Coder-32B", fim="sentinel", family="qwen2.5-coder")
    found = Summary("names", folder, Findings(dialect, (), 6), meter, fim=True, sent=True, seconds=2.0)
    for name, value in settings.items():
        setattr(found, name, value)
    return found


def test_the_card_has_the_funnel_the_files_and_the_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_rows(tmp_path / "fim_raw.jsonl", [{"func_name": "merge_sort", "source": "FIM", "raw_text": "merge_sort"}])
    card(summary(tmp_path, files={"fim_raw.jsonl": 1}))
    out = capsys.readouterr().out
    assert "names: Qwen2.5-Coder-32B on vllm; FIM by sentinel (qwen2.5-coder)" in out
    assert re.search(r"FIM +1 +3 +1 +33\.3% +(weak 1, duplicate 1|duplicate 1, weak 1)", out)
    assert re.search(r"L2R +1 +3 +2 +66\.7% +regex 1", out)
    assert "tokens: 12 prompt, 15 completion. 2 requests in 2.0 s (1/s)" in out
    assert out.endswith("  merge_sort\n")


def test_the_card_shows_the_first_names_and_that_there_are_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_rows(tmp_path / "fim_raw.jsonl", [{"func_name": f"name_{number}"} for number in range(13)])
    card(summary(tmp_path, files={"fim_raw.jsonl": 13}))
    assert capsys.readouterr().out.endswith("name_10, name_11, …\n")


def test_model_text_is_never_markup_and_never_drives_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """S: a hostile name. Sabotage: print a name without ``printable``."""
    hostile = "[red]x[/red]\x1b[2J\x07<script>"
    write_rows(tmp_path / "fim_raw.jsonl", [{"func_name": hostile, "source": "FIM", "raw_text": hostile}])
    card(summary(tmp_path, files={"fim_raw.jsonl": 1}))
    dialect = Dialect(model=hostile, server=hostile)
    findings_table(Findings(dialect, (Check("model", "ok", hostile, hostile),), 2), [hostile])
    out = capsys.readouterr().out
    assert "[red]x[/red]" in out
    assert "\x1b" not in out
    assert "\x07" not in out


def test_levels_are_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    checks = tuple(Check("thing", level, "found", "do this") for level in ("ok", "info", "warning", "problem"))
    findings_table(Findings(Dialect(), checks, 1), ["a remark\nhint: a way"])
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines() if "thing" in line] == ["ok", "info", "warning", "problem"]
    assert out.count("hint: do this") == 4
    assert "hint: a way" in out
