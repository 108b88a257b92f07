"""Levers: topics, first words and names that are taken, and the same ones at the same number, whatever came back."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoselfcode.config import Cell, RunConfig, cells
from evoselfcode.datagen.filters import canonical
from evoselfcode.datagen.pipeline.levers import Lever, digests, levers, read_names, read_topics
from evoselfcode.datagen.prompts import funcname_prompt
from evoselfcode.errors import ConfigError
from evoselfcode.records import Fim, L2r


def cell(**arm: Any) -> Cell:
    return cells(settings(**arm))["A"]


def settings(**arm: Any) -> RunConfig:
    return RunConfig.from_mapping({"namegen": {"arms": {"A": {"mode": "L2R", **arm}}}})


def first(count: int, of: Cell, seed: int = 0) -> list[Lever]:
    return list(islice(levers(of, seed), count))


def test_the_tree_that_comes_with_the_package_is_read() -> None:
    topics = read_topics("builtin")
    assert len({topic.text for topic in topics}) == len(topics) >= 300
    assert len({topic.domain for topic in topics}) >= 14


@given(words=st.lists(st.from_regex("[a-z]{1,8}", fullmatch=True), min_size=1, max_size=9, unique=True),
       count=st.integers(1, 60), seed=st.integers(0, 99))  # fmt: skip
def test_all_are_asked_equally_often(words: list[str], count: int, seed: int) -> None:
    """Sabotage: draw a word with ``choice`` for each request."""
    given = [lever.word for lever in first(count, cell(first_words=words), seed)]
    times = [given.count(word) for word in words]
    assert sum(times) == count
    assert max(times) - min(times) <= 1


def test_the_same_number_has_the_same_topic_in_every_arm_and_run() -> None:
    """Sabotage: put the arm's temperature into the seed of the rounds."""
    topics = [lever.topic for lever in first(900, cell(topics="builtin"))]
    assert topics == [lever.topic for lever in first(900, cell(topics="builtin", temperature=0.9, mode="FIM"))]
    assert topics != [lever.topic for lever in first(900, cell(topics="builtin"), seed=1)]
    assert topics[:758] != sorted(topics[:758], key=str)


def test_without_levers_nothing_is_given() -> None:
    assert first(3, cell()) == [Lever()] * 3


def test_names_that_are_taken_are_drawn_anew_for_each_request(tmp_path: Path) -> None:
    """Sabotage: seed all requests alike."""
    taken = tmp_path / "names.jsonl"
    taken.write_text("".join(f'{{"func_name": "name_{i}", "source": "L2R"}}\n' for i in range(40)))
    given = [lever.used for lever in first(30, cell(used_names=str(taken), used_names_shown=5))]
    assert all(len(set(names)) == 5 for names in given)
    assert len(set(given)) > 20
    assert first(1, cell(used_names=str(taken), used_names_shown=64))[0].used.__len__() == 40


def test_a_name_is_read_once_however_it_is_spelt(tmp_path: Path) -> None:
    """The last line may lack its end: people write such files. Sabotage: compare names as they are written."""
    taken = tmp_path / "names.jsonl"
    taken.write_text('{"func_name": "quick_sort"}\n{"func_name": "quickSort"}\n{"func_name": "is_prime"}')
    assert read_names(str(taken)) == ("quick_sort", "is_prime")
    taken.write_text('{"func_name": "gcd"}\n')
    assert read_names(str(taken)) == ("gcd",)
    assert canonical("quickSort") == canonical("quick_sort")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("- a\n", "is a list, expected a map"),
        ("a: {b: [1]}\n", "a.b.[0]: expected a topic"),
        ("a: {b: [x y, '']}\n", "a.b.[1]: expected a topic"),
        ("a: [x y, x y]\n", "the topic 'x y' is there twice"),
        ("a: []\n", "has 0 topics, expected 1 to"),
        ("a: {b: [[x y], {c: z}]}\n", None),
    ],
)
def test_a_tree_of_ones_own_is_checked(tmp_path: Path, text: str, told: str | None) -> None:
    tree = tmp_path / "topics.yaml"
    tree.write_text(text)
    if told is None:
        assert [topic.text for topic in read_topics(str(tree))] == ["x y", "z"]
        return
    with pytest.raises(ConfigError) as error:
        read_topics(str(tree))
    assert told in str(error.value)
    assert str(tree) in str(error.value)


@pytest.mark.parametrize("text", ["", "no json\n", '{"name": "x"}\n', '{"func_name": "a.b"}\n', '{"func_name": 3}\n'])
def test_a_file_without_names_is_one_message(tmp_path: Path, text: str) -> None:
    taken = tmp_path / "names.jsonl"
    taken.write_text(text)
    with pytest.raises(ConfigError, match=r"names\.jsonl.*\nhint: used_names wants a JSONL file with func_name"):
        read_names(str(taken))


@pytest.mark.parametrize("path", ["/nowhere/x", "nul\0byte"])
def test_a_file_that_is_not_there_is_one_message(path: str) -> None:
    for read in (read_topics, read_names):
        with pytest.raises(ConfigError, match="cannot be read"):
            read(path)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """Sabotage: let the file be read as it is; a folder is then the disk's fault, and /dev/zero never ends."""
    for path in (str(tmp_path), "/dev/zero"):
        with pytest.raises(ConfigError, match="is a folder or a device"):
            read_names(path)
    with pytest.raises(ConfigError, match="is a folder"):
        read_topics(str(tmp_path))


def test_what_a_file_says_counts_as_a_setting(tmp_path: Path) -> None:
    """Sabotage: hash the path."""
    taken = tmp_path / "names.jsonl"
    taken.write_text('{"func_name": "gcd"}\n')
    arms = {"A": cell(used_names=str(taken), topics="builtin"), "B": cell()}
    before = digests(arms)
    assert set(before) == {"namegen.arms.A.topics.digest", "namegen.arms.A.used_names.digest"}
    taken.write_text('{"func_name": "lcm_of_two"}\n')
    after = digests(arms)
    assert {key for key in after if after[key] != before[key]} == {"namegen.arms.A.used_names.digest"}


def test_a_topic_takes_the_place_of_the_global_prefix_and_taken_names_stand_behind_it() -> None:
    """Sabotage: append the names to the end of the prompt."""
    config = settings(topics="builtin", used_names="x", mode="FIM")
    prompt = funcname_prompt(config, cells(config)["A"], topic="{odd} trees", used=("gcd", "is_prime"))
    assert prompt == Fim(
        "This is an algorithm function about {odd} trees.\n\n"
        "def gcd(...):\n    ...\n\n\ndef is_prime(...):\n    ...\n\n\ndef ",
        "():\n",
    )


@pytest.mark.parametrize(("boundary", "end"), [("literal", "def compute_"), ("token", "def compute")])
def test_a_first_word_ends_the_prompt(boundary: str, end: str) -> None:
    """A vocabulary has ``_sum`` as one token. Sabotage: write the underscore in both."""
    config = settings(boundary=boundary, first_words=["compute"])
    prompt = funcname_prompt(config, cells(config)["A"], word="compute")
    assert prompt == L2r(f"This is an algorithm function.\n\n{end}")


@pytest.mark.parametrize("text", ["", "[x, y]", "a: [", "a: [x, x]"])
def test_what_is_no_tree_of_topics_is_told_with_a_hint_of_topics(tmp_path: Path, text: str) -> None:
    """Sabotage: keep the hint of the configuration's reader."""
    path = tmp_path / "topics.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_topics(str(path))
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("topics wants")
