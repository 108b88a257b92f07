"""More than two arms in a report: who is compared with whom, how sure that is, the ranking, the topics."""

from __future__ import annotations

from random import Random

import msgspec

from evoselfcode.config import Cell, RunConfig, cells, contrasts
from evoselfcode.datagen.filters import canonical
from evoselfcode.report.comparison import compared
from evoselfcode.report.document import _remarks
from evoselfcode.report.draws import Draws, gather
from evoselfcode.report.ranking import answer, ranking
from evoselfcode.report.topics import topics_of
from evoselfcode.stats.compare import paired
from evoselfcode.storage import Draw, Entry


def drawn(arm: str, share: float, *, requests: int = 100, names: int = 400, topics: int = 0) -> list[Entry]:
    """Draw 4 names a request, a share of them accepted; with topics, half of these give no name at all."""
    random = Random(arm)
    entries = []
    for number in range(requests):
        hard = topics and number % topics < topics // 2
        texts = [f"name_{chr(97 + random.randrange(26))}{random.randrange(names)}" for _ in range(4)]
        draws = tuple(
            Draw(raw_text=text, text=text, reason="regex" if hard or random.random() > share else None)
            for text in texts
        )
        topic = f"topic {number % topics}" if topics else None
        entries.append(
            Entry(key=f"{arm}{number}", stage="names", arm=arm, number=number, seed=4 * number, attempts=1,
                  seconds=0.1, draws=draws, topic=topic)
        )  # fmt: skip
    return entries


def arms(**shares: float) -> dict[str, Draws]:
    return gather([entry for arm, share in shares.items() for entry in drawn(arm, share)], canonical)


THREE = {("A", "B"): ("temperature",), ("A", "C"): ("boundary",), ("A", "D"): ("topics",)}


def test_of_more_than_two_arms_those_that_differ_in_one_factor_are_compared() -> None:
    """Sabotage: return all pairs from ``contrasts``."""
    config = RunConfig.from_mapping(
        {"namegen": {"arms": {
            "plain": {"mode": "L2R"}, "hot": {"mode": "L2R", "temperature": 0.9}, "fim": {"mode": "FIM"},
            "gone": None, "far": {"mode": "FIM", "temperature": 0.9, "boundary": "token"},
        }}}
    )  # fmt: skip
    known = cells(config)
    assert contrasts(known) == {("plain", "hot"): ("temperature",), ("plain", "fim"): ("mode",)}
    two: dict[str, Cell] = {name: known[name] for name in ("plain", "far")}
    assert contrasts(two) == {("plain", "far"): ("mode", "boundary", "temperature")}
    assert any(remark.startswith("the arm far differs from every other") for remark in config.warnings())


def test_intervals_are_widened_for_being_several() -> None:
    """Sabotage: hand ``confidence`` to ``decide`` no more."""
    told = arms(A=0.9, B=0.6, C=0.9, D=0.85)
    (alone,) = compared(told, {("A", "B"): ("temperature",)})
    several = compared(told, THREE)
    assert (alone["confidence"], several[0]["confidence"]) == (0.95, 1 - 0.05 / 3)
    widths = [one["metrics"][0]["difference"]["high"] - one["metrics"][0]["difference"]["low"]
              for one in (alone, several[0])]  # fmt: skip
    assert widths[0] < widths[1]
    assert "98.33 % interval" in several[0]["sentence"]
    assert alone["metrics"][0]["p_holm"] is None
    assert several[0]["metrics"][0]["p_holm"] >= several[0]["metrics"][0]["p"]


def test_an_arm_without_draws_is_compared_with_none() -> None:
    assert compared(arms(A=0.9), {("A", "B"): ("mode",)}) == []


def test_arms_are_ranked_at_the_draws_of_the_shortest() -> None:
    """Sabotage: count the distinct names of all draws of an arm."""
    told = gather([*drawn("long", 0.5, requests=300), *drawn("short", 0.9)], canonical)
    rows = ranking(told)
    assert [row["arm"] for row in rows] == ["short", "long"]
    assert {row["draws"] for row in rows} == {400}
    assert len(told["long"].names) > rows[0]["names"] > rows[1]["names"]
    for row in rows:
        assert row["new_per_1000"]["low"] < row["names"] / 0.4 < row["new_per_1000"]["high"]


def test_the_answer_names_the_first_arm_and_how_many_comparisons_are_settled() -> None:
    told = arms(A=0.9, B=0.3, C=0.88, D=0.9)
    made = answer(told, ranking(told), compared(told, THREE))
    assert made["word"] == ""
    assert made["sentence"].startswith("Of 4 arms ")
    assert made["sentence"].endswith(" Of 3 comparisons of one factor, 1 is settled.")


def test_one_arm_and_none_are_told_as_such() -> None:
    told = arms(A=0.9)
    assert answer(told, ranking(told), [])["sentence"].startswith("One arm, A: ")
    assert answer({}, [], []) == {"word": "", "sentence": "No draws yet."}


def test_arms_with_the_same_topics_are_compared_topic_by_topic() -> None:
    """How hard a topic is cancels out. Sabotage: take the differences of all pairs of numbers but the equal ones."""
    entries = [*drawn("A", 0.9, topics=20), *drawn("B", 0.7, topics=20)]
    told = gather(entries, canonical)
    pair = {("A", "B"): ("temperature",)}
    (without,) = compared(told, pair)
    (made,) = compared(told, pair, {"A": "builtin", "B": "builtin"})
    assert made["metrics"][: len(without["metrics"])] == without["metrics"]
    (row,) = made["metrics"][len(without["metrics"]) :]
    assert row["metric"] == "accepted by every gate, topic by topic"
    assert row["verdict"] == "A"
    share = next(one for one in made["metrics"] if one["metric"].startswith("accepted by every gate, rep"))
    assert abs(share["difference"]["estimate"] - row["difference"]["estimate"]) < 1e-9
    shares = [told[arm].accepted_by_number() for arm in ("A", "B")]
    differences = [shares[0][number] - shares[1][number] for number in range(100)]
    assert row["difference"] == msgspec.to_builtins(paired(differences, Random(0)).interval)


def test_arms_with_topics_of_two_trees_are_not_compared_topic_by_topic() -> None:
    """At the same number they ask about different topics. Sabotage: pair all arms that have topics."""
    told = gather([*drawn("A", 0.9, topics=20), *drawn("B", 0.7, topics=20)], canonical)
    pair = {("A", "B"): ("topics",)}
    assert compared(told, pair, {"A": "builtin", "B": "my.yaml"}) == compared(told, pair)


def test_topics_are_shown_from_those_with_most_names_and_from_those_with_fewest() -> None:
    """Sabotage: sort by draws."""
    told = gather(drawn("A", 0.9, topics=40), canonical)
    shown = topics_of(told["A"])
    assert shown is not None
    assert shown["asked"] == 40
    assert [row["names"] for row in shown["fewest"]] == [0] * 12
    assert min(row["names"] for row in shown["most"]) > 0
    assert topics_of(arms(A=0.9)["A"]) is None


def test_an_arm_whose_requests_were_all_given_up_is_not_said_to_be_compared() -> None:
    """Sabotage: count the draws of every arm."""
    told = gather([*drawn("A", 0.9), *drawn("B", 0.9)], canonical)
    told["dead"] = Draws(canonical)
    assert _remarks(told) == []
