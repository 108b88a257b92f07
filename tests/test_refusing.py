"""A run of which nothing comes ends; one that breaks its server ends before it does so again and again."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import anyio
import httpx
import msgspec
import pytest
from embedded import Embedded
from scored_rows import ADD_UP, config, entries, run, written

from evoselfcode.datagen.pipeline.refusing import FIRST_REFUSALS, FIRST_ROWS, MOST_BROKEN, Refusals
from evoselfcode.engine import Stop
from evoselfcode.errors import EndpointRefused
from evoselfcode.records import Failure, FailureKind
from evoselfcode.storage import Entry


def entry(kind: FailureKind | None) -> Entry:
    failure = None if kind is None else Failure(kind, "boom")
    return Entry(key="k", stage="score", arm="code", number=0, attempts=1, seconds=0.0, failure=failure)


BROKE, ANSWERED, REFUSED = entry("server_error"), entry(None), entry("too_long")


@pytest.mark.parametrize("between", [ANSWERED, REFUSED])
def test_what_broke_the_server_is_settled_when_it_answers_again(between: Entry) -> None:
    """Sabotage: count what broke it in all, not in a row; or settle it at once."""
    refusals = Refusals(fragile=True)
    for _ in range(3):
        assert refusals.settle(BROKE) == []
        assert refusals.settle(entry("disconnect")) == []
        assert refusals.settle(between) == [BROKE, entry("disconnect"), between]
    assert refusals.settle(BROKE) == []
    assert refusals.rest() == [BROKE]
    assert refusals.rest() == []


def test_three_in_a_row_end_the_run() -> None:
    """Sabotage: leave out the hint."""
    refusals = Refusals(fragile=True)
    refusals.settle(ANSWERED)
    for _ in range(MOST_BROKEN - 1):
        refusals.settle(BROKE)
    with pytest.raises(EndpointRefused, match=r"3 requests in a row broke the server.*server_error: boom") as raised:
        refusals.settle(BROKE)
    assert "lower score.concurrency" in str(raised.value.hint)


def test_other_stages_are_not_fragile() -> None:
    """Sabotage: pass over ``fragile``."""
    refusals = Refusals(fragile=False)
    refusals.settle(ANSWERED)
    assert [refusals.settle(BROKE) for _ in range(20)] == [[BROKE]] * 20


def test_the_first_requests_are_all_given_up() -> None:
    """Sabotage: forget that one was answered."""
    refusals = Refusals(fragile=False)
    for _ in range(FIRST_REFUSALS - 1):
        refusals.settle(REFUSED)
    with pytest.raises(EndpointRefused, match="the first 100 requests were all given up"):
        refusals.settle(REFUSED)
    refusals = Refusals(fragile=False)
    refusals.settle(ANSWERED)
    assert [refusals.settle(REFUSED) for _ in range(200)] == [[REFUSED]] * 200


def test_a_file_may_begin_with_rows_that_are_too_long() -> None:
    """Or be sorted by length. Sabotage: count them with what the server refuses; or never."""
    refusals, long = Refusals(fragile=True), msgspec.structs.replace(REFUSED, row="r")
    for _ in range(FIRST_ROWS - 1):
        assert refusals.settle(long) == [long]
    with pytest.raises(EndpointRefused, match="the first 2000 requests were all given up"):
        refusals.settle(long)
    refusals, other = Refusals(fragile=True), msgspec.structs.replace(entry("bad_request"), row="r")
    for one in [long] * 500 + [other] * (FIRST_REFUSALS - 1):
        refusals.settle(one)
    with pytest.raises(EndpointRefused, match="the first 600 requests"):
        refusals.settle(other)


@pytest.mark.parametrize(
    ("bad", "ends"),
    [
        (entry("bad_request"), True),
        (msgspec.structs.replace(ANSWERED, failures=("bad_reply",)), True),
        (msgspec.structs.replace(ANSWERED, failures=("server_error", "connect")), False),
        (msgspec.structs.replace(REFUSED, row="r"), False),
    ],
)
def test_a_fifth_of_the_last_thousand_ends_the_run(bad: Entry, ends: bool) -> None:
    """Not for what was long ago. Sabotage: forget none; count all failures; count those of the row."""
    refusals = Refusals(fragile=False)
    for number in range(3000):
        refusals.settle(bad if 1 <= number <= 100 or number % 10 == 9 else ANSWERED)
    others = 0
    with pytest.raises(EndpointRefused, match="201 of the last 1,000 requests") if ends else nullcontext():
        for _ in range(500):
            refusals.settle(bad)
            others += 1
    assert others == (111 if ends else 500)


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits for a retry take no time."""

    async def wait(self: Stop, seconds: float) -> bool:
        await anyio.lowlevel.checkpoint()
        return self.is_set()

    monkeypatch.setattr(Stop, "wait", wait)


ROWS = [{**ADD_UP, "code": ADD_UP["code"].replace("total", f"total_{number}")} for number in range(20)]


class Dying(Embedded):
    """A server that breaks of some functions' texts.

    Args:
        how: What becomes of such a request.
        of: Their numbers.
    """

    def __init__(self, how: httpx.Response | Exception, of: range) -> None:
        super().__init__(self._instead_of_an_answer)
        self._how, self._of = how, of
        self.deaths: Counter[str] = Counter()

    def _instead_of_an_answer(self, number: int, body: dict[str, Any]) -> httpx.Response | None:
        if not any(f"total_{number} =" in body.get("prompt", "") for number in self._of):
            return None
        self.deaths[body["prompt"]] += 1
        if isinstance(self._how, Exception):
            raise self._how
        return self._how


OUT_OF_MEMORY = httpx.Response(500, json={"error": {"message": "CUDA out of memory", "code": 500}})
DEAD = httpx.Response(500, json={"error": {"message": "EngineCore encountered an issue. See stack trace", "code": 500}})


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize("how", [OUT_OF_MEMORY, DEAD, httpx.RemoteProtocolError("Server disconnected")])
async def test_a_server_that_dies_of_scoring_is_not_killed_again_and_again(
    tmp_path: Path, how: httpx.Response | Exception
) -> None:
    """Sabotage: give the stage five attempts, go on after three broken requests, journal what broke it, or
    wait for an engine that died as for a server that is away.
    """
    settings = config(tmp_path, *ROWS, texts=["code"], concurrency=1)
    server = Dying(how, range(10, 20))
    with pytest.raises(EndpointRefused, match="3 requests in a row broke the server"):
        await run(server.client(settings), settings)
    assert max(server.deaths.values()) == 2
    assert len(server.deaths) <= MOST_BROKEN + 4  # two workers, two outcomes that wait to be taken
    assert len(entries(tmp_path)) == 10
    assert all(entry.failure is None for entry in entries(tmp_path))
    await run(Embedded().client(settings), settings)
    assert len(entries(tmp_path)) == 20
    assert all(row["scores"]["perplexity"] for row in written(tmp_path))


@pytest.mark.usefixtures("no_waiting")
async def test_one_text_that_breaks_the_server_loses_only_itself(tmp_path: Path) -> None:
    """Sabotage: hold it back for ever."""
    settings = config(tmp_path, *ROWS, texts=["code"], concurrency=1)
    summary = await run(Dying(OUT_OF_MEMORY, range(19, 20)).client(settings), settings)
    assert summary.meter.dead == 1
    rows = written(tmp_path)
    assert rows[-1]["unknown"]["perplexity"] == "server_error"
    assert all(row["scores"]["perplexity"] for row in rows[:-1])
