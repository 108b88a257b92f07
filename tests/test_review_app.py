"""What the review page asks: windows of names, decisions, undoing; over reloads, restarts and two tabs."""

from __future__ import annotations

import json
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from review_client import reviewing
from review_runs import HOSTILE, decided, write_run

from evoselfcode.storage import write_rows

NAMES = [f"name_{number}" for number in range(30)]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", {"FIM": NAMES[:20], "L2R": NAMES[10:]})


async def test_windows_cover_the_names_forwards_and_backwards(run: Path) -> None:
    """Sabotage: let a window begin at the position asked for instead of behind it."""
    async with reviewing(run) as reviewer:
        seen: list[str] = []
        position = -1
        while names := (await reviewer.window(start="after", position=position, limit=7))["names"]:
            assert names[0]["position"] > position
            seen += [name["func_name"] for name in names]
            position = names[-1]["position"]
        assert seen == NAMES
        assert await reviewer.shown(start="before", position=10, limit=3) == NAMES[7:10]
        assert await reviewer.shown(start="before", position=0) == []


async def test_a_window_does_not_move_when_a_name_before_it_is_decided(run: Path) -> None:
    """Sabotage: count positions among the names that match."""
    async with reviewing(run) as reviewer:
        first = await reviewer.shown(status="undecided", limit=5)
        for name in first[:3]:
            await reviewer.decide(name, "accept")
        assert await reviewer.shown(status="undecided", start="after", position=4, limit=5) == NAMES[5:10]
        assert await reviewer.shown(status="undecided", limit=2) == NAMES[3:5]
        assert await reviewer.shown(status="accepted") == NAMES[:3]


async def test_the_first_window_shows_what_led_up_to_the_first_undecided_name(run: Path) -> None:
    """Sabotage: begin at the first name."""
    async with reviewing(run) as reviewer:
        for name in NAMES[:12]:
            await reviewer.decide(name, "reject")
        assert (await reviewer.shown(start="undecided", limit=10))[:9] == NAMES[4:13]


async def test_filters_are_joined(run: Path) -> None:
    """Sabotage: leave one of the conditions out."""
    async with reviewing(run) as reviewer:
        await reviewer.decide(NAMES[15], "accept", tags=["graph"])
        await reviewer.decide(NAMES[16], "reject", tags=["graph"])
        await reviewer.decide(NAMES[5], tags=["graph"])
        assert await reviewer.shown(tag="graph") == [NAMES[5], NAMES[15], NAMES[16]]
        assert await reviewer.shown(tag="graph", arm="both") == [NAMES[15], NAMES[16]]
        assert await reviewer.shown(tag="graph", arm="both", text="E_16") == [NAMES[16]]
        assert await reviewer.shown(tag="graph", status="undecided") == [NAMES[5]]
        window = await reviewer.window(text="name_2", limit=1)
        assert (window["matching"], window["totals"]["tags"]) == (11, ["graph"])


async def test_a_decision_is_on_the_disk_before_it_is_answered_and_a_restart_shows_it(run: Path) -> None:
    """Sabotage: answer before the file is written."""
    async with reviewing(run) as reviewer:
        answer = await reviewer.decide("name_3", "accept", tags=["graph", "graph"])
        assert decided(run) == [("name_3", "accept", ["graph"])]
        assert (answer["name"]["decision"], answer["name"]["tags"]) == ("accept", ["graph"])
        assert (answer["totals"]["accepted"], answer["totals"]["names"]) == (1, 30)
    async with reviewing(run) as reviewer:
        shown = (await reviewer.window(status="accepted"))["names"]
        assert [(name["func_name"], name["tags"]) for name in shown] == [("name_3", ["graph"])]


async def test_undo_restores_what_was_before_and_says_when_there_is_nothing(run: Path) -> None:
    """Sabotage: let undo forget what was decided before."""
    async with reviewing(run) as reviewer:
        await reviewer.decide("name_3", "accept", tags=["graph"])
        await reviewer.decide("name_3", "reject", tags=[])
        restored = (await reviewer.http.post("api/undo", json={})).json()["name"]
        assert (restored["func_name"], restored["decision"], restored["tags"]) == ("name_3", "accept", ["graph"])
        assert (await reviewer.http.post("api/undo", json={})).json()["name"]["decision"] == "undo"
        nothing = await reviewer.http.post("api/undo", json={})
        assert (nothing.status_code, nothing.json()) == (409, {"error": "there is nothing to undo"})


async def test_two_tabs_lose_no_decision(run: Path) -> None:
    """Each tab sends what it changes and no more. Sabotage: take tags that are not sent for no tags."""
    async with reviewing(run) as reviewer, anyio.create_task_group() as tabs:
        for name in NAMES:
            tabs.start_soon(reviewer.decide, name, "accept")
            tabs.start_soon(lambda name: reviewer.decide(name, tags=["seen"]), name)
    async with reviewing(run) as reviewer:
        names = (await reviewer.window())["names"]
        assert [(name["decision"], name["tags"]) for name in names] == [("accept", ["seen"])] * 30
        assert (await reviewer.decide(NAMES[0], "reject"))["name"]["tags"] == ["seen"]
    assert len(decided(run)) == 61


async def test_a_disk_that_fails_is_told_and_nothing_counts_as_decided(run: Path) -> None:
    """Sabotage: take the decision before the file is opened."""
    async with reviewing(run) as reviewer:
        reviewer.decisions.path.unlink()
        reviewer.decisions.path = run / "combined_raw.jsonl" / "nowhere"  # a file where a folder should be
        file, reviewer.decisions._file = reviewer.decisions._file, None
        refused = await reviewer.http.post("api/decisions", json={"func_name": "name_1", "decision": "accept"})
        assert refused.status_code == 507
        assert "a part of the path is a file" in refused.json()["error"]
        assert await reviewer.shown(status="accepted") == []
        assert file
        file.close()


async def test_names_of_a_hostile_model_are_data(tmp_path: Path) -> None:
    """Sabotage: put the names into the page."""
    run = write_run(tmp_path, {"FIM": ["gcd"]}, also=HOSTILE)
    async with reviewing(run) as reviewer:
        page = await reviewer.http.get("")
        assert not [name for name in ["gcd", *HOSTILE] if name.encode() in page.content and name != "{{ style }}"]
        assert await reviewer.shown() == ["gcd", *HOSTILE]
        for name in HOSTILE:
            await reviewer.decide(name, "reject", tags=[name[:40].strip()] if name.isprintable() else None)
        answer = await reviewer.http.get("api/names", params={"status": "rejected"})
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert [row[0] for row in decided(run)] == HOSTILE


@pytest.mark.parametrize(
    "tags", [[""], [" x"], ["x "], ["x\n"], ["a\nb"], ["\x00"], ["x" * 41], [f"{n}" for n in range(21)], "x", [1], {}]
)
async def test_a_tag_that_is_none_is_refused(run: Path, tags: object) -> None:
    """Sabotage: take any text for a tag."""
    async with reviewing(run) as reviewer:
        answer = await reviewer.http.post("api/decisions", json={"func_name": "name_1", "tags": tags})
        assert answer.status_code == 400
        half = {
            "content": b'{"func_name":"name_1","tags":["\\ud800"]}',
            "headers": {"content-type": "application/json"},
        }
        assert (await reviewer.http.post("api/decisions", **half)).status_code == 400
        assert await reviewer.shown(tag="x") == []


def as_json(document: object) -> bytes:
    """Write any document, halves of surrogate pairs and large numbers too."""
    return json.dumps(document).encode()


BODIES = st.one_of(
    st.binary(max_size=40),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    ).map(as_json),
    st.fixed_dictionaries(
        {"func_name": st.sampled_from(["name_1", "NAME1", "no_such", "", 7])},
        optional={
            "decision": st.sampled_from(["accept", "undo", "maybe", None, 1]),
            "tags": st.lists(st.text(max_size=45), max_size=22),
            "time": st.just("x"),
        },
    ).map(as_json),
)


@given(BODIES)
async def test_any_body_is_taken_or_refused_in_words_and_the_file_stays_readable(
    tmp_path_factory: pytest.TempPathFactory, body: bytes
) -> None:
    """Sabotage: let an error of the decoder through."""
    run = write_run(tmp_path_factory.mktemp("run"), {"FIM": NAMES[:2]})
    async with reviewing(run) as reviewer:
        answer = await reviewer.http.post("api/decisions", content=body, headers={"content-type": "application/json"})
        assert answer.status_code in (200, 400, 404), answer.text
        assert answer.status_code == 200 or answer.json()["error"]
    for name, decision, tags in decided(run):
        assert (name, decision in ("accept", "undo")) == ("name_1", True)
        assert len(tags) <= 20
        assert all(0 < len(tag) <= 40 and tag == tag.strip() for tag in tags)


async def test_a_hundred_thousand_names_are_sent_in_windows(tmp_path: Path) -> None:
    """Sabotage: send all that match."""
    rows = ({"func_name": f"name_{number}", "source": "FIM"} for number in range(100_000))
    write_rows(tmp_path / "combined_raw.jsonl", rows)
    async with reviewing(tmp_path) as reviewer:
        window = await reviewer.window(start="undecided")
        assert (len(window["names"]), window["totals"]["names"]) == (60, 100_000)
        window = await reviewer.window(text="99", status="undecided", start="after", position=50_000, limit=200)
        assert (len(window["names"]), window["matching"]) == (
            200,
            sum("99" in str(number) for number in range(100_000)),
        )
