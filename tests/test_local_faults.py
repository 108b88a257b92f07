"""The words of ``--fault`` and ``--latency``, and that what is drawn depends on the seed and the number alone."""

from __future__ import annotations

import math
from random import Random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoselfcode.errors import ConfigError
from evoselfcode.local.faults import Fault, Latency, draw_fault, parse_fault, parse_latency, reason

words = st.text("0123456789.@:,=msdroplognrmaetyi- \u0663", max_size=24)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("429:0.05", Fault(kind="status", status=429, share=0.05)),
        ("429:0.05,retry-after=1.5", Fault(kind="status", status=429, share=0.05, retry_after=1.5)),
        ("503@10..20", Fault(kind="status", status=503, first=10, last=20)),
        ("drop:.01", Fault(kind="drop", share=0.01)),
        ("stall@3", Fault(kind="stall", first=3, last=3)),
        ("drip:1", Fault(kind="drip", share=1.0)),
        ("html:0", Fault(kind="html")),
        ("truncate@1..1", Fault(kind="truncate", first=1, last=1)),
    ],
)
def test_a_fault_as_it_is_meant(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize(
    "text",
    [
        "", "429", "429:1.5", "429:-1", "200:0.1", "600:0.1", "oops:0.1", "503@0", "503@5..2", "503@..5",
        "drop:0.1,retry-after=1", "429:0.1,retry-after=", "429:0.1,retry-after=x", "429:0.1,wait=3", "429:0.1 ",
        "429:٣", "drop@1..9999999999",
    ],
)  # fmt: skip
def test_a_wrong_fault_is_told_with_what_was_expected(text: str) -> None:
    """Sabotage: search the rule where the whole of it should match."""
    with pytest.raises(ConfigError, match=r"^--fault: got .*, expected ") as caught:
        parse_fault(text)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "latency"),
    [
        ("0ms", Latency()),
        ("50ms", Latency(0.05, 0.05)),
        ("0.2s", Latency(0.2, 0.2)),
        ("50ms..0.2s", Latency(0.05, 0.2)),
        ("lognormal:80ms,0.5", Latency(0.08, 0.08, 0.5)),
    ],
)
def test_a_latency_as_it_is_meant(text: str, latency: Latency) -> None:
    assert parse_latency(text) == latency


@pytest.mark.parametrize(
    "text",
    [
        "", "50", "ms", "-1ms", "50 ms", "1m", "200ms..50ms", "..50ms", "50ms..", "lognormal:", "lognormal:80ms",
        "lognormal:0ms,1", "lognormal:80ms,0", "lognormal:80ms,11", "lognormal:80ms,x", "normal:80ms,1",
        "9999999999s", "1e9s",
    ],
)  # fmt: skip
def test_a_wrong_latency_is_told_with_what_was_expected(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^--latency: got .*, expected "):
        parse_latency(text)


@given(words)
def test_any_words_are_a_rule_or_a_message(text: str) -> None:
    """And every time that is drawn can be waited for; sabotage: allow any number of digits, or any sigma."""
    try:
        latency = parse_latency(text)
    except ConfigError:
        pass
    else:
        assert all(0 <= latency.draw(Random(seed)) < math.inf for seed in range(20))
    try:
        fault = parse_fault(text)
    except ConfigError:
        return
    assert 0 <= fault.share <= 1
    assert fault.retry_after is None or fault.retry_after < 1e10


def test_times_are_drawn_as_described() -> None:
    fixed, uniform = parse_latency("50ms"), parse_latency("50ms..200ms")
    skewed = parse_latency("lognormal:80ms,0.5")
    assert {fixed.draw(Random(seed)) for seed in range(9)} == {0.05}
    drawn = [uniform.draw(Random(seed)) for seed in range(2_000)]
    assert 0.05 <= min(drawn) < 0.055
    assert 0.195 < max(drawn) <= 0.2
    logs = [math.log(skewed.draw(Random(seed))) for seed in range(2_000)]
    assert median(logs) == pytest.approx(math.log(0.08), abs=0.06)
    assert math.sqrt(sum((x - math.log(0.08)) ** 2 for x in logs) / 2_000) == pytest.approx(0.5, abs=0.04)


def test_shares_and_ranges_strike_as_often_as_they_say_and_the_first_that_strikes_counts() -> None:
    """Sabotage: draw from ``Random(number)``, the seed left out."""
    faults = (parse_fault("429:0.1"), parse_fault("drop:0.05"), parse_fault("503@10..20"))
    struck = [draw_fault(faults, number, 0) for number in range(1, 4_001)]
    assert sum(fault == faults[0] for fault in struck) == pytest.approx(400, abs=80)
    assert sum(fault == faults[1] for fault in struck) == pytest.approx(0.9 * 200, abs=60)
    assert all(fault is not None for fault in struck[9:20])
    assert {n for n, fault in enumerate(struck, 1) if fault == faults[2]} <= set(range(10, 21))
    assert struck == [draw_fault(faults, number, 0) for number in range(1, 4_001)]
    assert struck != [draw_fault(faults, number, 1) for number in range(1, 4_001)]
    assert draw_fault((), 1, 0) is None


def test_every_error_status_has_a_phrase() -> None:
    assert (reason(429), reason(503), reason(599)) == ("Too Many Requests", "Service Unavailable", "Error")
