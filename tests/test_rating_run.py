"""The stage rating through the runner, with raters of several characters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import journal_lines
import pytest
import raters
from code_answers import config, rows, run

from evoselfcode import RunConfig
from evoselfcode.datagen.scoring.rating import RATINGS, plan, rater, rater_client
from evoselfcode.datagen.scoring.rating_anchors import DIMENSIONS
from evoselfcode.errors import UsageError

FILES = ("ratings.jsonl", "replies.jsonl", "metrics.json")


async def metrics(folder: Path, rate: raters.Rate, *, alternatives: bool = False, **rating: Any) -> dict[str, Any]:
    """Rate what is in the folder and return the dimensions' metrics."""
    settings = config(folder, rating=rating)
    assert len(RATINGS.warnings(settings)) == 1  # it rates what it wrote itself
    await run(RATINGS, raters.rating(rate, alternatives=alternatives), settings)
    return dict(json.loads((folder / "rating" / "metrics.json").read_bytes())["dimensions"])


@pytest.mark.parametrize("alternatives", [False, True])
async def test_an_honest_rater_is_informative(tmp_path: Path, alternatives: bool) -> None:
    """Sabotage: compare a mutant's rating with itself; take the arm ``failed`` for functions that pass."""
    raters.write(tmp_path)
    found = await metrics(tmp_path, raters.honest, alternatives=alternatives)
    assert {name: of["why"] for name, of in found.items()} == {name: [] for name in DIMENSIONS}
    assert all(of["informative"] and not of["not_checked"] for of in found.values())
    correctness = found["correctness"]
    assert correctness["rated"] == correctness["retest"]["pairs"] == correctness["mutants"]["pairs"] == 40
    assert (correctness["execution"]["passed"], correctness["execution"]["failed"]) == (40, 25)
    assert correctness["execution"]["auc"]["low"] > 0.5
    assert correctness["mutants"]["drop"]["low"] >= 1.0 or alternatives
    assert found["problem"]["mutants"]["drop"]["high"] < 0.5
    assert (correctness["outside"] is None) != alternatives


async def test_a_saturated_rater_is_not(tmp_path: Path) -> None:
    """Sabotage: let 95 % of the ratings be 5."""
    raters.write(tmp_path)
    found = await metrics(tmp_path, raters.saturated)
    for of in found.values():
        assert not of["informative"]
        assert of["why"][0] == f"{of['at_best']:.0%} of the ratings are 5".replace("%", " %", 1)


async def test_a_rater_that_guesses_is_not(tmp_path: Path) -> None:
    """Sabotage: leave the retest out, or show it the first order again."""
    raters.write(tmp_path)
    found = await metrics(tmp_path, raters.random)
    assert not any(of["informative"] for of in found.values())
    assert all("a second rating, in another order, is another one" in of["why"][0] for of in found.values())
    assert any("not rated above those that fail" in why for why in found["correctness"]["why"])


async def test_a_rater_that_sees_no_bug_is_not_informative_of_correctness(tmp_path: Path) -> None:
    """And is of the rest. Sabotage: judge every dimension by its mutants, or none."""
    raters.write(tmp_path)
    found = await metrics(tmp_path, raters.blind)
    assert {name for name, of in found.items() if of["informative"]} == {*DIMENSIONS} - {"correctness"}
    assert found["correctness"]["why"][0].startswith("a bug takes ")
    assert found["correctness"]["mutants"]["unmoved"] > 0.8


async def test_what_cannot_be_read_is_said_and_not_made_up(tmp_path: Path) -> None:
    """Sabotage: give 3 where nothing was read."""
    raters.write(tmp_path, kept=25)
    found = await metrics(tmp_path, lambda code, prompt: "I would say it is fine.")
    assert all(of["why"] == ["no reply has a rating that can be read"] for of in found.values())
    assert all(row["rating"] == dict.fromkeys(DIMENSIONS) for row in rows(tmp_path / "rating" / "ratings.jsonl"))
    assert all("needed" in why for of in found.values() for why in of["not_checked"])


async def test_a_check_without_enough_to_go_by_fails_nothing(tmp_path: Path) -> None:
    """Sabotage: let a check with too few functions be a reason. Nothing ran here, and nothing is rated twice."""
    bare = [{"func_name": f"add_{number}", "code": raters.function(number)["code"]} for number in range(60)]
    raters.write_rows(tmp_path, bare, [])
    found = await metrics(tmp_path, raters.honest, retest=0, mutants=5)
    assert all(of["informative"] for of in found.values())
    assert [why.partition(":")[0] for why in found["correctness"]["not_checked"]] == ["retest", "execution", "mutants"]
    assert found["correctness"]["mutants"]["pairs"] == 5
    assert [row["source"] for row in rows(tmp_path / "rating" / "ratings.jsonl")] == [None] * 60


async def test_a_rating_is_the_mean_of_both_orders(tmp_path: Path) -> None:
    """Sabotage: show the first reply; leave the probabilities out; let a mutant's reply count."""
    raters.write(tmp_path, kept=3, dropped=0)
    seen: list[str] = []

    def rate(code: str, prompt: str) -> dict[str, int] | str:
        seen.append(prompt)
        mutant = code not in {raters.function(number)["code"] for number in range(3)}
        if mutant:
            return dict.fromkeys(DIMENSIONS, 1)
        again = sum(code in one for one in seen) == 2
        return "problem: 4\n" if again else {**dict.fromkeys(DIMENSIONS, 4), "problem": 5}

    await metrics(tmp_path, rate, retest=1, alternatives=True)
    replies = rows(tmp_path / "rating" / "replies.jsonl")
    twice = [row["id"] for row in replies if row["arm"] == "retest"]
    assert len(twice) == 1
    ratings = {row["id"]: row for row in rows(tmp_path / "rating" / "ratings.jsonl")}
    first = replies[0]
    assert first["probabilities"]["problem"] == [0, 0, 0, 0.3333, 0.6667]
    assert (first["rating"]["problem"], first["outside"]["problem"]) == (4.6667, 0.1)
    (both,) = twice
    assert ratings[both]["rating"]["problem"] == pytest.approx((4.6667 + 3.6667) / 2, abs=2e-4)
    assert ratings[both]["probabilities"]["problem"] == pytest.approx([0, 0, 1 / 6, 1 / 2, 1 / 3], abs=1e-4)
    assert ratings[both]["rating"]["readability"] == ratings[both]["rating"]["correctness"] == 3.6667


async def test_the_order_of_rows_changes_nothing_and_more_rows_are_asked_about_alone(tmp_path: Path) -> None:
    """Sabotage: choose the first rows for the checks; seed an order by the row's number."""
    written = raters.write(tmp_path / "a", kept=40, dropped=25)
    raters.write_rows(tmp_path / "b", written[::-1], [raters.failed(1000 + number) for number in reversed(range(25))])
    servers = [raters.rating(raters.honest) for _ in "ab"]
    for folder, server in zip("ab", servers, strict=True):
        await run(RATINGS, server, config(tmp_path / folder, rating={"retest": 10, "mutants": 10, "failed": 10}))
    asked = [sorted(body["prompt"] for body in server.bodies) for server in servers]
    assert asked[0] == asked[1]
    assert len(asked[0]) == 40 + 10 + 10 + 10
    assert (tmp_path / "a/rating/metrics.json").read_bytes() == (tmp_path / "b/rating/metrics.json").read_bytes()
    assert sorted(rows(tmp_path / "a/rating/ratings.jsonl"), key=str) == sorted(
        rows(tmp_path / "b/rating/ratings.jsonl"), key=str
    )
    raters.write_rows(tmp_path / "a", [raters.function(100), *written], [])
    again = raters.rating(raters.honest)
    await run(RATINGS, again, config(tmp_path / "a", rating={"retest": 10, "mutants": 10, "failed": 10}))
    assert 1 <= len(again.bodies) <= 3
    assert all("def add_100(" in body["prompt"] or body["prompt"] not in asked[0] for body in again.bodies)


async def test_a_run_resumes(tmp_path: Path) -> None:
    """Nothing is asked twice, and the files are those of one run. Sabotage: hash a row's number into its key."""
    raters.write(tmp_path / "whole", kept=20, dropped=5)
    raters.write(tmp_path / "parts", kept=20, dropped=5)
    await run(RATINGS, raters.rating(raters.honest), config(tmp_path / "whole"))
    settings = config(tmp_path / "parts")
    await run(RATINGS, raters.rating(raters.honest), settings, arms=["rating"])
    parts = tmp_path / "parts" / "rating"
    journal_lines.rewrite(parts, [*journal_lines.lines(parts)[:-3], b'{"torn'])
    rest = raters.rating(raters.honest)
    await run(RATINGS, rest, settings)
    assert len(rest.bodies) == 3 + 20 + 20 + 5
    for name in FILES:
        assert (tmp_path / "parts/rating" / name).read_bytes() == (tmp_path / "whole/rating" / name).read_bytes()


async def test_a_function_that_keeps_its_id_and_is_written_anew_is_rated_anew(tmp_path: Path) -> None:
    """And has the rating of what it says now. Sabotage: journal it by its id alone."""
    for code, wanted in ((1, 1.0), (2, 2.0), (3, 3.0), (2, 2.0), (1, 1.0)):
        row = {"id": "mine", "func_name": "f", "code": f"def f(x):\n    return x + {code}\n"}
        raters.write_rows(tmp_path, [row], [])
        server = raters.rating(lambda code, prompt: dict.fromkeys(DIMENSIONS, int(code.split()[-1])))
        await run(RATINGS, server, config(tmp_path, rating={"retest": 0, "mutants": 0}))
        (written,) = rows(tmp_path / "rating/ratings.jsonl")
        assert (written["id"], written["rating"]["correctness"]) == ("mine", wanted)


async def test_a_raw_file_beside_ones_own_may_be_something_else(tmp_path: Path) -> None:
    """Sabotage: read it as the file that was named: nobody named it, and the run would end for it."""
    (tmp_path / "mine.jsonl").write_text(json.dumps(raters.function(1)))
    (tmp_path / "raw.jsonl").write_text('{"text": "hello"}\nhello\n' + json.dumps(raters.failed(1000)))
    settings = config(tmp_path, rating={"rows": str(tmp_path / "mine.jsonl")})
    await run(RATINGS, raters.rating(raters.honest), settings)
    arms = [row["arm"] for row in rows(tmp_path / "rating/replies.jsonl")]
    assert arms == ["rating", "retest", "mutant", "failed"]


async def test_a_second_reply_is_taken_where_the_first_cannot_be_read(tmp_path: Path) -> None:
    """Sabotage: take the first reply."""
    raters.write(tmp_path, kept=2, dropped=0)
    server = raters.rating(lambda code, prompt: "nothing")
    first = server._instead

    def instead(number: int, body: dict[str, Any]) -> Any:
        reply = first(number, body) if first else None
        if reply is None or body["n"] != 2:
            return reply
        document = reply.json()
        document["choices"].append(document["choices"][0] | {"index": 1, "text": "correctness: 2\n"})
        reply.read()
        return type(reply)(200, json=document)

    server._instead = instead
    await run(RATINGS, server, config(tmp_path, rating={"n": 2, "temperature": 0.7, "retest": 0, "mutants": 0}))
    assert [row["rating"]["correctness"] for row in rows(tmp_path / "rating/ratings.jsonl")] == [2.0, 2.0]


def test_the_rater_may_be_elsewhere_and_gets_no_key_but_its_own() -> None:
    """Sabotage: hand ``api.api_key`` on to another address."""
    written = {"model": "writer", "api": {"base_url": "http://a:1/v1", "api_key": "secret-a", "concurrency": 9}}
    same = rater(RunConfig.from_mapping(written))
    assert (same.model, same.api.base_url, same.api.api_key) == ("writer", "http://a:1/v1", "secret-a")
    slashed = rater(RunConfig.from_mapping(written | {"rating": {"api": {"base_url": "http://a:1/v1/"}}}))
    assert slashed.api.api_key == "secret-a"
    there = {"model": "judge", "api": {"base_url": "http://b:2/v1", "concurrency": 3}}
    other = rater(RunConfig.from_mapping(written | {"rating": there}))
    assert (other.model, other.api.base_url, other.api.api_key, other.api.concurrency) == (
        "judge",
        "http://b:2/v1",
        "",
        3,
    )
    keyed = RunConfig.from_mapping(written | {"rating": {**there, "api": there["api"] | {"api_key": "secret-b"}}})
    assert rater(keyed).api.api_key == "secret-b"
    assert "secret" not in repr(keyed) + json.dumps(keyed.to_public())
    assert rater_client(rater(keyed)).base_url == "http://b:2/v1"
    assert RATINGS.fingerprint(other)["model"] == "judge"


@pytest.mark.parametrize(
    ("rating", "own"),
    [
        ({}, True),
        ({"model": "writer"}, True),
        ({"api": {"base_url": "http://a:1/v1/"}}, True),
        ({"model": "judge"}, False),
        ({"api": {"base_url": "http://b:2/v1"}}, False),
        ({"model": "judge", "api": {"base_url": "http://b:2/v1"}}, False),
    ],
)
def test_a_model_that_rates_its_own_functions_is_said_to(tmp_path: Path, rating: dict[str, Any], own: bool) -> None:
    """As the command asks: of the rater's configuration. Sabotage: compare the rater with itself."""
    raters.write(tmp_path, kept=1)
    settings = RunConfig.from_mapping(
        {"model": "writer", "api": {"base_url": "http://a:1/v1"}, "output": {"dir": str(tmp_path)}, "rating": rating}
    )
    assert [told[:34] for told in RATINGS.warnings(rater(settings))] == ["the model rates its own functions "] * own


def test_rows_that_are_not_there_or_none_are_said_so(tmp_path: Path) -> None:
    """Sabotage: leave out which field is wrong: of a row with a number for its id, nothing else is."""
    with pytest.raises(UsageError, match="there is no code to rate"):
        RATINGS.warnings(config(tmp_path))
    with pytest.raises(UsageError, match="is no file"):
        RATINGS.warnings(config(tmp_path, rating={"rows": str(tmp_path / "x.jsonl")}))
    (tmp_path / "x.jsonl").write_text('{"func_name": "f"}\n')
    with pytest.raises(UsageError, match="line 1: is no JSON object"):
        RATINGS.warnings(config(tmp_path, rating={"rows": str(tmp_path / "x.jsonl")}))
    for wrong, told in (({"id": 17}, r"`\$\.id`"), ({"execution": "pass"}, r"`\$\.execution`")):
        (tmp_path / "x.jsonl").write_text(json.dumps({"func_name": "f", "code": "x", **wrong}))
        with pytest.raises(UsageError, match=told):
            RATINGS.warnings(config(tmp_path, rating={"rows": str(tmp_path / "x.jsonl")}))
    (tmp_path / "x.jsonl").write_text("")
    with pytest.raises(UsageError, match="holds no functions"):
        RATINGS.warnings(config(tmp_path, rating={"rows": str(tmp_path / "x.jsonl")}))


def test_a_mutant_is_shown_as_its_original_is(tmp_path: Path) -> None:
    """Nothing differs but the bug. Sabotage: seed a mutant's order by its arm; write it with ``ast.unparse``."""
    raters.write(tmp_path, kept=4, dropped=0)
    settings = config(tmp_path)
    shown = [[request.prompt for request in plan(settings, "m", arm)] for arm in ("rating", "mutant", "retest")]
    for original, mutant, again in zip(*shown, strict=True):
        a, b, c = (str(getattr(prompt, "prompt", "")).splitlines() for prompt in (original, mutant, again))
        (changed,) = [(one, other) for one, other in zip(a, b, strict=True) if one != other]
        assert changed[0].startswith("    return x * ")
        assert sorted(a) != a
        assert a != c
        assert sum(line.startswith("###") for line in a) == 14
