"""How long a server asks to wait, in all the forms in which servers say it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoselfcode.wire.failures import MAX_WAIT, classify, retry_after

DATE = "Wed, 21 Oct 2015 07:28:00 GMT"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("5", 5.0),
        (" 5 ", 5.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("1e2", 100.0),
        ("1m30s", 90.0),
        ("6m0s", 300.0),
        ("20ms", 0.02),
        ("1s", 1.0),
        ("2s500ms", 2.5),
        ("0.5m", 30.0),
        ("1h", MAX_WAIT),
        ("300", 300.0),
        ("301", MAX_WAIT),
        ("99999999999", MAX_WAIT),
        ("-1", None),
        ("-0.001", None),
        ("nan", None),
        ("inf", None),
        ("-inf", None),
        ("1e999", None),
        ("", None),
        (" ", None),
        ("soon", None),
        ("5, 10", None),
        ("1m-30s", None),
        ("2015-10-21T07:28:00Z", None),
        ("\x00", None),
        ("5 seconds", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    """Sabotage: ``float`` without the test for finite; no upper bound; a negative taken as 0."""
    assert retry_after({"retry-after": value}) == seconds


@pytest.mark.parametrize(
    ("then", "now", "seconds"),
    [
        ("Wed, 21 Oct 2015 07:28:30 GMT", DATE, 30.0),
        ("Wed, 21 Oct 2015 07:28:30", DATE, 30.0),
        ("Wed, 21 Oct 2015 09:28:10 +0200", DATE, 10.0),
        ("Wed, 21 Oct 2015 07:27:00 GMT", DATE, 0.0),
        ("Wed, 21 Oct 2099 07:27:00 GMT", DATE, MAX_WAIT),
        ("Wed, 21 Oct 2015 07:28:30 GMT", None, None),
        ("Wed, 21 Oct 2015 07:28:30 GMT", "yesterday", None),
        ("Wed, 99 Oct 2015 07:28:30 GMT", DATE, None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", DATE, MAX_WAIT),
    ],
)
def test_a_date_is_compared_with_the_replys_own(then: str, now: str | None, seconds: float | None) -> None:
    """A wrong clock here or there does not matter. Sabotage: compare with this machine's clock."""
    assert retry_after({"retry-after": then} | ({"date": now} if now else {})) == seconds


def test_milliseconds_come_first() -> None:
    """Sabotage: read ``retry-after`` first; forget the division."""
    assert retry_after({"retry-after-ms": "1500", "retry-after": "9"}) == 1.5
    assert retry_after({"retry-after-ms": "soon", "retry-after": "9"}) == 9.0
    assert retry_after({"retry-after-ms": "-5"}) is None
    assert retry_after({}) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        # OpenAI: durations; only the limit that is used up counts.
        (
            {
                "x-ratelimit-remaining-requests": "59",
                "x-ratelimit-reset-requests": "1s",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "1m12s",
            },
            72.0,
        ),
        ({"x-ratelimit-remaining-tokens": "7", "x-ratelimit-reset-tokens": "30s"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "2"}, 2.0),  # Together
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1795350342000"}, None),  # a point in time
        ({"ratelimitbysize-reset": "41"}, 41.0),  # Mistral
        ({"ratelimitbysize-reset": "41", "retry-after": "3"}, 3.0),
        ({"ratelimitbysize-reset": "-4"}, None),
        ({"ratelimitbysize-reset": "soon"}, None),
    ],
)
def test_a_429_without_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    """Sabotage: read a reset whose limit is not used up; take a point in time for a duration."""
    assert classify(429, headers, b"").retry_after == seconds
    assert classify(500, headers, b"").retry_after == (3.0 if "retry-after" in headers else None)


@pytest.mark.parametrize(("time", "seconds"), [("20.0", 20.0), ("9999", MAX_WAIT), ('"x"', None), ("1.2.3", None)])
def test_a_cold_model_says_when_it_will_be_warm(time: str, seconds: float | None) -> None:
    """Hugging Face says it in the body."""
    body = b'{"error": "Model m is currently loading", "estimated_time": ' + time.encode() + b"}"
    assert classify(503, {}, body).retry_after == seconds
    assert classify(503, {"retry-after": "2"}, body).retry_after == 2.0


@given(st.text() | st.floats().map(str) | st.integers().map(str), st.text() | st.just(DATE))
def test_no_text_makes_it_raise_or_wait_for_ever(value: str, date: str) -> None:
    for name in ("retry-after", "retry-after-ms"):
        found = retry_after({name: value, "date": date})
        assert found is None or 0 <= found <= MAX_WAIT
