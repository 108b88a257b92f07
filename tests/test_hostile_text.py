"""S6: what a model, a server or a file says is never markup, never drives a terminal and never ends a run."""

from __future__ import annotations

import json
import logging
import random
import re
from pathlib import Path

import pytest
from fleets import fleet
from test_terminal import summary

from evoselfcode.cli import _Remarks
from evoselfcode.clients import Check, Findings
from evoselfcode.heartbeat import written
from evoselfcode.progress import Progress
from evoselfcode.storage import write_rows
from evoselfcode.terminal import printable, say
from evoselfcode.terminal_card import card
from evoselfcode.terminal_findings import findings_table
from evoselfcode.terminal_progress import line, told
from evoselfcode.wire.dialect import Dialect

PIECES = (
    "\x1b[2J", "\x1b]0;owned\x07", "\x1b]8;;http://x\x1b\\", "\x9b31m", "\x90q", "\x1b", "\r", "\x07", "\x08", "\x00",
    "\x7f", "[/x]", "[bold]", "[link=http://x]", "[", "]", "\\[", "[/]", ":smile:", "%s", "%(x)s", "{0}", "{x}",
    "\u202e", "\u2066", "\u200b", "\ufeff", "\u2028", "\u0085", "\ud800", "\U0010ffff", "名前", "é", " ", "\n", "\t",
    "a", "def f", "'", '"',
)  # fmt: skip
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]")
"""What may drive a terminal, or turn a line around."""


def hostile(count: int) -> list[str]:
    chance = random.Random(6)
    return ["".join(chance.choices(PIECES, k=chance.randint(1, 12))) for _ in range(count)]


def test_ten_thousand_strings_go_through_every_log_call(capsys: pytest.CaptureFixture[str]) -> None:
    """Sabotage: print without ``printable``."""
    log, handler = logging.getLogger("evoselfcode.hostile"), _Remarks()
    log.addHandler(handler)
    log.propagate = False
    try:
        for text in hostile(10_000):
            say(text)
            log.warning("said: %s", text)
    finally:
        log.removeHandler(handler)
    heard = capsys.readouterr()
    assert heard.out == ""
    assert len(heard.err) > 100_000
    assert CONTROL.search(heard.err) is None


def test_heartbeats_are_lines_and_json_whatever_things_are_called(tmp_path: Path) -> None:
    """Sabotage: leave ``_word`` or ``printable`` out of ``line``."""
    reading, state = fleet("up", "parked"), summary(tmp_path)
    endpoint = type(reading.endpoints[0])
    for text in hostile(2000):
        state.meter.failures.clear()
        state.meter.fail(text)
        named = tuple(endpoint(text, it.state, it.in_flight, it.limit, {text: 1}) for it in reading.endpoints)
        progress = Progress("names")
        progress.update(state, type(reading)(named))
        beat = progress.beat(at=1.0, pid=1, rss=0, free=None)
        shown = line(beat).replace("\n", "")
        assert CONTROL.search(shown) is None
        assert CONTROL.search(printable(told(beat))) is None
        if "\ud800" not in text:
            assert json.loads(b"".join(written(beat)))["stage"] == "names"


def test_cards_and_tables_of_hostile_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Sabotage: hand a name to rich as markup."""
    for text in hostile(60):
        rows = [{"func_name": text.encode("utf-8", "replace").decode(), "source": "FIM", "raw_text": "x"}]
        write_rows(tmp_path / "fim_raw.jsonl", rows)
        state = summary(tmp_path, files={"fim_raw.jsonl": 1}, saturated={"FIM": "why"}, left_out={"L2R": text})
        card(state, [text])
        findings_table(Findings(Dialect(model=text, server=text), (Check("model", "ok", text, text),), 2), [text])
    assert CONTROL.search(capsys.readouterr().out) is None
