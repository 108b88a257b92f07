"""What people see: lines that parse, a card that adds up, and model text that stays text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evoselfcode import terminal
from evoselfcode.clients import Check, Findings
from evoselfcode.datagen.pipeline.summary import Summary
from evoselfcode.engine import EndpointStatistics, FleetStatistics, Meter
from evoselfcode.storage import write_rows
from evoselfcode.wire.dialect import Dialect

FLEET = FleetStatistics((EndpointStatistics("http://a:1", "up", 3, 64, {}),), peak=9)


def summary(folder: Path, **settings: object) -> Summary:
    meter = Meter(planned=10)
    meter.add("FIM", [None, "weak", "duplicate"], prompt_tokens=7, completion_tokens=9)
    meter.add("L2R", [None, None, "regex"], prompt_tokens=5, completion_tokens=6)
    dialect = Dialect(server="vllm", model="Qwen2.5-Coder-32B", fim="sentinel", family="qwen2.5-coder")
    found = Summary("names", folder, Findings(dialect, (), 6), meter, fim=True, sent=True, seconds=2.0)
    for name, value in settings.items():
        setattr(found, name, value)
    return found


def test_a_heartbeat_is_one_line_of_key_value_pairs(tmp_path: Path) -> None:
    """O1. Sabotage: put a space into a value."""
    state = summary(tmp_path)
    state.meter.fail("connect")
    state.meter.fail("connect")
    state.meter.fail("timeout")
    line = terminal.heartbeat(state, FLEET)
    values = dict(part.split("=") for part in line.split(" "))
    assert values["settled"] == "2/10"
    assert values["kept_FIM"] == "1"
    assert values["kept_L2R"] == "2"
    assert values["requests/s"] == "1.0"
    assert values["in_flight"] == "3/64"
    assert values["failures"] == "connect:2,timeout:1"
    assert values["eta"] == "8s"


def test_heartbeats_keep_their_distance(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with terminal.Lines(30.0) as lines:
        for second in range(0, 301, 7):
            lines.update(summary(tmp_path, seconds=float(second)), FLEET)
    heard = capsys.readouterr()
    assert heard.out == ""
    assert 8 <= len(heard.err.splitlines()) <= 10
    assert "\x1b" not in heard.err
    assert "\r" not in heard.err


def test_quiet_is_quiet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with terminal.display(0.001, quiet=True) as shown:
        shown.update(summary(tmp_path), FLEET)
    assert capsys.readouterr().err == ""


def test_an_eta_is_not_flattered_by_a_resume() -> None:
    """O2. Sabotage: divide by all settled requests."""
    meter = Meter(planned=1000)
    for _ in range(900):
        meter.add("FIM", [], resumed=True)
    assert meter.eta(10.0) is None
    for _ in range(10):
        meter.add("FIM", [])
    assert meter.eta(10.0) == pytest.approx(90.0)


def test_the_card_has_the_funnel_the_files_and_the_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_rows(tmp_path / "fim_raw.jsonl", [{"func_name": "merge_sort", "source": "FIM", "raw_text": "merge_sort"}])
    terminal.card(summary(tmp_path, files={"fim_raw.jsonl": 1}))
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
    terminal.card(summary(tmp_path, files={"fim_raw.jsonl": 13}))
    assert capsys.readouterr().out.endswith("name_10, name_11, …\n")


def test_model_text_is_never_markup_and_never_drives_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """S: a hostile name. Sabotage: print a name without ``printable``."""
    hostile = "[red]x[/red]\x1b[2J\x07<script>"
    write_rows(tmp_path / "fim_raw.jsonl", [{"func_name": hostile, "source": "FIM", "raw_text": hostile}])
    terminal.card(summary(tmp_path, files={"fim_raw.jsonl": 1}))
    dialect = Dialect(model=hostile, server=hostile)
    terminal.findings_table(Findings(dialect, (Check("model", "ok", hostile, hostile),), 2), [hostile])
    out = capsys.readouterr().out
    assert "[red]x[/red]" in out
    assert "\x1b" not in out
    assert "\x07" not in out


def test_levels_are_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    checks = tuple(Check("thing", level, "found", "do this") for level in ("ok", "info", "warning", "problem"))
    terminal.findings_table(Findings(Dialect(), checks, 1), ["a remark\nhint: a way"])
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines() if "thing" in line] == ["ok", "info", "warning", "problem"]
    assert out.count("hint: do this") == 4
    assert "hint: a way" in out


@pytest.mark.parametrize("columns", [30, 40, 80, 200])
def test_how_much_is_done_is_readable_on_a_narrow_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    """Sabotage: let all columns give way alike."""
    for name, value in {"COLUMNS": str(columns), "TTY_COMPATIBLE": "1", "NO_COLOR": "1", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    state = summary(tmp_path)
    state.meter.planned = 2000
    for _ in range(1000):
        state.meter.fail("rate_limited")
    with terminal.Bars() as bars:
        bars.update(state, FLEET)
    shown = [line for line in re.split(r"[\r\n]", capsys.readouterr().err) if "names" in line]
    assert "   2/2000" in shown[-1]
    assert all(len(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line)) <= columns for line in shown)
