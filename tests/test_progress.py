"""How a run is going: states, paces that are honest, lines that parse, bars that fit."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fleets import fleet
from test_terminal import summary

from evoselfcode.engine import Meter
from evoselfcode.progress import Beat, Progress
from evoselfcode.terminal_progress import Bars, Lines, display, line, told


def beat(progress: Progress) -> Beat:
    return progress.beat(at=1.0, pid=7, rss=120 * 2**20, free=12 * 2**30)


def after(folder: Path, *states: str, seconds: float = 2.0, **settings: object) -> Beat:
    progress = Progress("names")
    progress.update(summary(folder, seconds=seconds), fleet(*states, **settings))  # type: ignore[arg-type]
    return beat(progress)


def pairs(shown: Beat) -> dict[str, str]:
    return dict(part.split("=") for part in line(shown).split(" "))


def test_a_line_is_pairs_of_key_and_value(tmp_path: Path) -> None:
    """O1. Sabotage: put a space into a value, or leave ``_word`` out."""
    progress = Progress("names", "1/4")
    state = summary(tmp_path)
    for kind in ("connect", "connect", "timeout"):
        state.meter.fail(kind)
    progress.update(state, fleet("up", "parked", lag=0.25, client_bound=True))
    values = pairs(beat(progress))
    assert values["shard"] == "1/4"
    assert values["state"] == "running"
    assert values["settled"] == "2/10"
    assert (values["kept_FIM"], values["kept_L2R"]) == ("1", "2")
    assert values["requests/s"] == "2.0"
    assert values["in_flight"] == "6/128"
    assert values["endpoints"] == "http://a:8000:up:3/64,http://b:8000:parked:3/64"
    assert values["failures"] == "connect:2,timeout:1"
    assert (values["lag"], values["client_bound"]) == ("0.25s", "yes")
    assert (values["rss"], values["free"], values["eta"]) == ("120MiB", "12.0GiB", "4s")


def test_a_run_says_that_it_starts_before_it_asks() -> None:
    assert pairs(beat(Progress("names"))) == {
        "stage": "names",
        "state": "starting",
        "rss": "120MiB",
        "free": "12.0GiB",
    }


@pytest.mark.parametrize(
    ("states", "state"),
    [
        (("up",), "running"),
        (("parked", "returning"), "running"),
        (("paused", "parked"), "paused"),
        (("parked", "parked"), "parked"),
    ],
)
def test_one_endpoint_that_serves_is_enough_to_run(tmp_path: Path, states: tuple[str, ...], state: str) -> None:
    """Sabotage: call a run parked when any endpoint is."""
    assert after(tmp_path, *states).state == state


def test_a_parked_run_says_since_when_and_goes_on_saying_it(tmp_path: Path) -> None:
    """Sabotage: begin to count anew at each update."""
    progress = Progress("names")
    for seconds, state in ((2.0, "up"), (10.0, "parked"), (70.0, "parked")):
        progress.update(summary(tmp_path, seconds=seconds), fleet(state))
    assert (pairs(beat(progress))["state"], pairs(beat(progress))["for"]) == ("parked", "60s")
    assert told(beat(progress)).startswith("parked for 60 s: no endpoint answers, rows wait")
    progress.update(summary(tmp_path, seconds=71.0), fleet("up"))
    assert "for" not in pairs(beat(progress))


def feed(progress: Progress, meter: Meter, folder: Path, until: float, per_second: float, since: float = 0.0) -> None:
    """Settle requests at a steady pace, with a report each second."""
    state = summary(folder, meter=meter)
    done = 0
    for second in range(int(since) + 1, int(until) + 1):
        while done < (second - since) * per_second:
            meter.add("FIM", [None])
            done += 1
        state.seconds = float(second)
        progress.update(state, fleet())


def test_an_eta_is_right_under_steady_load(tmp_path: Path) -> None:
    """O2: within 20 % when a tenth is done. Sabotage: divide by all settled requests."""
    progress, meter = Progress("names"), Meter(planned=6000)
    feed(progress, meter, tmp_path, 100, 6.0)
    assert beat(progress).eta == pytest.approx(900.0, rel=0.05)


def test_an_eta_is_not_flattered_by_a_resume(tmp_path: Path) -> None:
    """O2. Sabotage: count resumed requests as pace."""
    progress, meter = Progress("names"), Meter(planned=6000)
    for _ in range(5400):
        meter.add("FIM", [None], resumed=True)
    assert beat(progress).eta is None
    feed(progress, meter, tmp_path, 30, 2.0)
    assert beat(progress).eta == pytest.approx(270.0, rel=0.1)


def test_an_eta_is_of_the_last_quarter_of_an_hour(tmp_path: Path) -> None:
    """Sabotage: keep all points, so that an hour at another pace counts."""
    progress, meter = Progress("names"), Meter(planned=100_000)
    feed(progress, meter, tmp_path, 3600, 10.0)
    feed(progress, meter, tmp_path, 3600 + 1000, 1.0, since=3600.0)
    assert beat(progress).requests_per_second == pytest.approx(1.0, rel=0.02)


def test_the_pace_of_a_parked_run_falls_and_its_eta_grows(tmp_path: Path) -> None:
    progress, meter = Progress("names"), Meter(planned=2000)
    feed(progress, meter, tmp_path, 100, 10.0)
    before = beat(progress).eta
    for second in range(101, 1101):
        progress.update(summary(tmp_path, meter=meter, seconds=float(second)), fleet("parked"))
    after = beat(progress)
    assert before is not None
    assert before < 120
    assert after.eta is None
    assert "eta=unknown" in line(after)


def test_an_ended_run_says_so_and_has_nothing_to_come(tmp_path: Path) -> None:
    progress = Progress("names")
    meter = Meter(planned=1)
    meter.add("FIM", [None])
    progress.update(summary(tmp_path, meter=meter), fleet())
    progress.end()
    shown = beat(progress)
    assert (shown.state, shown.eta) == ("ended", 0.0)


def test_lines_have_no_control_bytes_and_quiet_is_quiet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Lines(30.0) as lines:
        lines.show(after(tmp_path))
    heard = capsys.readouterr()
    assert heard.out == ""
    assert len(heard.err.splitlines()) == 1
    assert not re.search(r"[\x1b\r]", heard.err)
    with display(0.001, quiet=True) as shown:
        shown.show(after(tmp_path))
    assert capsys.readouterr().err == ""


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
    progress = Progress("names")
    progress.update(state, fleet("parked", client_bound=True))
    with Bars() as bars:
        bars.show(beat(progress))
    shown = [text for text in re.split(r"[\r\n]", capsys.readouterr().err) if "names" in text]
    assert "   2/2000" in shown[-1]
    assert all(len(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)) <= columns for text in shown)
