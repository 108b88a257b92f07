"""What varies a prompt from request to request: the same for the same number, each value equally often."""

from __future__ import annotations

import json
import os
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoselfcode import RunConfig
from evoselfcode.config import Cell, cells
from evoselfcode.datagen.pipeline.levers import MOST_TOPICS, Lever, digests, levers, read_names, read_topics
from evoselfcode.datagen.pipeline.namegen import plan
from evoselfcode.errors import ConfigError
from evoselfcode.records import Fim, L2r, Request

HEAD = "This is an algorithm function.\n\n"


def config(arms: dict[str, Any], **namegen: Any) -> RunConfig:
    return RunConfig.from_mapping({"namegen": {"arms": arms, "num_requests": 6, **namegen}})


def cell(**arm: Any) -> Cell:
    return cells(config({"X": {"mode": "L2R", **arm}}))["X"]


def given_to(cell: Cell, count: int, seed: int = 0) -> list[Lever]:
    return list(islice(levers(cell, seed), count))


def tree(folder: Path, text: str) -> str:
    path = folder / "topics.yaml"
    path.write_text(text)
    return str(path)


def names(folder: Path, *rows: str, end: str = "\n") -> str:
    path = folder / "names.jsonl"
    path.write_text("\n".join(rows) + end)
    return str(path)


def row(name: str) -> str:
    return json.dumps({"func_name": name, "source": "FIM"})


def prompts(settings: RunConfig, arm: str = "X") -> list[Request]:
    return list(plan(settings, "m", arm))


@given(count=st.integers(0, 3000), seed=st.integers(0, 2**62))
def test_topics_go_round(count: int, seed: int) -> None:
    """Each topic equally often to within one. Sabotage: ``choices`` for ``sample`` in ``_rounds``."""
    lots = given_to(cell(topics="builtin"), count, seed)
    asked = Counter(lot.topic for lot in lots)
    every = set(read_topics("builtin"))
    assert set(asked) <= every
    often = [asked[topic] for topic in every]
    assert max(often) - min(often) <= 1
    assert lots == given_to(cell(topics="builtin"), count, seed)


def test_two_rounds_are_shuffled_differently_and_so_are_two_seeds() -> None:
    """Sabotage: leave the number of the round, or the seed, out of what seeds it."""
    words = tuple(f"w{number}" for number in range(30))
    asked = [lot.word for lot in given_to(cell(first_words=words), 60)]
    assert sorted(asked[:30], key=str) == sorted(asked[30:], key=str)  # type: ignore[arg-type]
    assert asked[:30] != asked[30:] != list(words)
    assert asked != [lot.word for lot in given_to(cell(first_words=words), 60, seed=1)]


def test_two_arms_with_the_same_topics_ask_about_the_same_at_the_same_number() -> None:
    """Sabotage: seed the rounds with the arm's first words too."""
    arms = {
        "A": {"mode": "FIM", "topics": "builtin"},
        "B": {"mode": "L2R", "topics": "builtin", "temperature": 1.0, "first_words": ["find", "split", "is"]},
    }
    a, b = (prompts(config(arms, num_requests=50), arm) for arm in "AB")
    assert [one.topic for one in a] == [one.topic for one in b]
    assert len({one.topic for one in a}) == 50


def test_a_longer_plan_goes_on_where_the_shorter_ended() -> None:
    arms = {"X": {"mode": "L2R", "topics": "builtin", "first_words": ["find", "split"]}}
    assert prompts(config(arms, num_requests=9))[:6] == prompts(config(arms))


def test_the_keys_of_the_default_arms_are_those_of_before_arms_had_names() -> None:
    """From commit d1fae4e: runs that are there go on. Sabotage: put ``order`` on the wire or drop ``omit_defaults``."""
    keys = {arm: prompts(RunConfig.from_mapping({}), arm)[0].key for arm in ("FIM", "L2R")}
    assert keys == {"FIM": "c1db584ee9d1e898cbbb04a274a3a0f5", "L2R": "a94d3d408fe0b28241d39362048030d6"}
    token = RunConfig.from_mapping({"prompts": {"boundary": "token"}})
    assert prompts(token, "L2R")[0].key == "47190f44b2bc10b6450a56530072786f"


def test_a_prompt_with_every_lever(tmp_path: Path) -> None:
    """Sabotage: show the names before the head; write the word with ``token`` as with ``literal``."""
    arm = {"topics": tree(tmp_path, "a: [sorting]"), "first_words": ["find"], "used_names": names(tmp_path, row("f"))}
    settings = config({
        "F": arm | {"mode": "FIM-SPM", "suffix": "(x):\n"},
        "T": arm | {"mode": "L2R", "boundary": "token"},
    })  # fmt: skip
    shown = "This is an algorithm function about sorting.\n\ndef f(...):\n    ...\n\n\ndef find"
    assert prompts(settings, "F")[0].prompt == Fim(f"{shown}_", "(x):\n", "SPM")
    assert prompts(settings, "T")[0].prompt == L2r(shown)
    assert prompts(settings, "T")[0].topic == "sorting"


def test_used_names_stand_behind_the_global_prefix_where_there_is_no_topic(tmp_path: Path) -> None:
    settings = config({"X": {"mode": "L2R", "used_names": names(tmp_path, row("f"))}})
    assert prompts(settings)[0].prompt == L2r(f"{HEAD}def f(...):\n    ...\n\n\ndef ")


def test_used_names_are_drawn_anew_for_each_request_and_none_twice(tmp_path: Path) -> None:
    """Sabotage: seed every draw alike; ``choices`` for ``sample``."""
    path = names(tmp_path, *(row(f"name_{number}") for number in range(40)))
    lots = given_to(cell(used_names=path, used_names_shown=5), 20)
    assert all(len(set(lot.used)) == 5 for lot in lots)
    assert len({lot.used for lot in lots}) == 20
    assert lots == given_to(cell(used_names=path, used_names_shown=5), 20)
    assert {len(lot.used) for lot in given_to(cell(used_names=path, used_names_shown=64), 3)} == {40}


def test_names_are_read_once_each_with_or_without_a_last_newline(tmp_path: Path) -> None:
    """Sabotage: compare names by their letters alone."""
    rows = [row("quick_sort"), row("quickSort"), row("find"), row("quick_sort")]
    for end in ("\n", ""):
        assert read_names(names(tmp_path, *rows, end=end)) == ("quick_sort", "find")


@pytest.mark.parametrize(
    "line", ["hello", row("a.b"), row("na\u00efve"), row(""), row("a" * 256), '{"name": "a"}', "[", "\n" + row("b")]
)
def test_a_line_that_is_no_name_is_told_by_its_number(line: str, tmp_path: Path) -> None:
    """Sabotages: let ``Damage`` pass; ask ``isidentifier`` alone: a name of any length would fill the prompt."""
    path = names(tmp_path, row("fine"), line)
    with pytest.raises(ConfigError, match=r"names\.jsonl line 2: is no row with a func_name\nhint: used_names wants"):
        read_names(path)


def test_an_empty_file_holds_no_names(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no names"):
        read_names(names(tmp_path, end=""))


@pytest.mark.parametrize("read", [read_topics, read_names])
def test_what_is_no_file_is_refused_in_words(read: Any, tmp_path: Path) -> None:
    """Sabotage: leave the question for a regular file out: ``/dev/zero`` would be read until the memory is full."""
    for path, told in (
        (str(tmp_path / "none"), "cannot be read: No such file or directory"),
        ("a\0b", "cannot be read: (stat: )?embedded null"),
        (str(tmp_path), "is a folder, expected a file"),
        (os.devnull, "is a pipe or a device, expected a file"),
    ):
        with pytest.raises(ConfigError, match=told):
            read(path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("[a, b]", "is a list, expected a map of domains"),
        ("a: {}", "has 0 topics"),
        ("a: [x, 1]", r"topics.yaml:1: a\.\[1\]: expected a topic"),
        ("a: [x, null]", "expected a topic"),
        ("a: ['']", "expected a topic"),
        ('a: ["x\\ny"]', "expected a topic: text on one line"),
        (f"a: [{'x' * 201}]", "at most 200 letters"),
        ("a: [x]\nb:\n- c: [x]", r"topics.yaml:3: b.*: the topic 'x' is there twice"),
        ("a: " + "{b: " * 40 + "[x]" + "}" * 40, "nested more than 40 deep"),
        ("a: [&x x, *x]", "anchors and aliases are refused"),
        ("a:\n" + "- x\n" * 300_000, "is larger than 1,048,576 bytes"),
    ],
)
def test_what_is_no_tree_of_topics_is_refused_in_words(text: str, told: str, tmp_path: Path) -> None:
    """Sabotage: take a number for a topic; count a topic that is there twice."""
    with pytest.raises(ConfigError, match=told) as raised:
        read_topics(tree(tmp_path, text))
    assert "configs/datagen.yaml" not in str(raised.value)
    assert MOST_TOPICS > 1


def test_a_tree_may_be_deep_and_its_topics_know_their_domain(tmp_path: Path) -> None:
    found = read_topics(tree(tmp_path, "a:\n  b: {c: [x, y]}\nd: [z, e: [w]]\n"))
    assert found == ("x", "y", "z", "w")


def test_a_digest_is_of_what_is_read_and_not_of_how_it_is_written(tmp_path: Path) -> None:
    """Sabotages: digest the file's bytes; remember a file by its path alone."""
    arm = cell(topics=tree(tmp_path, "a: [x, y]"), used_names=names(tmp_path, row("f")))
    before = digests({"X": arm, "Y": cell()})
    assert set(before) == {"namegen.arms.X.topics.digest", "namegen.arms.X.used_names.digest"}
    tree(tmp_path, "# a remark\nb: {c: [x, y]}")
    names(tmp_path, row("f"), row("F"), end="")
    assert digests({"X": arm}) == before
    tree(tmp_path, "a: [x, z, w]")
    names(tmp_path, row("f"), row("g"))
    after = digests({"X": arm})
    assert [key for key in before if after[key] == before[key]] == []
