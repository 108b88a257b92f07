"""Soft scores of names, near duplicates among them, and the names of benchmark tasks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import checkout
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz import fuzz

from evoselfcode.datagen.filters import canonical, name_scores, name_words
from evoselfcode.datagen.filters.benchmarks import benchmark_of, benchmarks
from evoselfcode.datagen.filters.name_neighbours import NEAR, Neighbours, compared, similar, starts
from evoselfcode.datagen.filters.name_scores import WEIGHTS, Crowd, words_of
from evoselfcode.datagen.pipeline.nameselect import MIN_SCORE, SELECT_REASONS, english

names = st.from_regex(r"[a-z_][A-Za-z0-9_]{0,20}", fullmatch=True)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("quick_sort", ["quick", "sort"]),
        ("_minSubArraySum", ["min", "sub", "array", "sum"]),
        ("parseHTTPHeader", ["parse", "http", "header"]),
        ("base64_encode", ["base64", "encode"]),
        ("is_power_of_2", ["is", "power", "of", "2"]),
        ("___", []),
    ],
)
def test_words_are_split_at_underscores_and_capitals(name: str, words: list[str]) -> None:
    assert list(words_of(name)) == words


def test_known_good_names_pass_the_dictionary() -> None:
    """At least half of the words of at least 94 % of HumanEval's names are known. Sabotage: KNOWN_ZIPF = 4.5."""
    known = english()
    shares = [name_scores.dictionary(words_of(name), known) for name in benchmarks()["HumanEval"].names]
    assert sum(share >= 0.5 for share in shares) / len(shares) >= 0.94
    assert name_scores.dictionary(words_of("xqzt_vwkp"), known) == 0


@pytest.mark.parametrize("name", ["quick_sort", "dijkstra", "n_queens", "is_prime", "a_star_search"])
def test_known_good_names_are_above_the_least_score_in_any_run(name: str) -> None:
    """However often they are drawn, however the model rates them. Sabotage: make the verb a weight of 6."""
    words = words_of(name)
    worst = {
        "dictionary": name_scores.dictionary(words, english()),
        "words": name_scores.word_count(words),
        "shape": name_scores.shape(words),
        "typicality": 0.0,
        "specificity": 0.0,
        "arguments": name_scores.arguments(words),
        "distance": 1 / len(words),
    }
    assert name_scores.mean(worst) >= MIN_SCORE


EMPTY = (
    "get_config load_settings setup run_server main_loop mainLoop parse_args print_menu hello_world init_app start "
    "get_current_time teardown show_help connect_db get_user_name initialize_logger"
)
FULL = (
    "get_neighbors load_matrix run_length_encoding main_diagonal_sum parse_date print_tree init_matrix dijkstra "
    "start_of_word show_path_in_graph connect_components user_similarity merge_sort update_average"
)


@pytest.mark.parametrize("name", EMPTY.split())
def test_functions_without_arguments_are_below_the_least_score_at_best(name: str) -> None:
    """Sabotage: ``arguments`` weighs 3."""
    assert name_scores.arguments(words_of(name)) == 0
    assert name_scores.mean(dict.fromkeys(WEIGHTS, 1.0) | {"arguments": 0.0}) < MIN_SCORE


@pytest.mark.parametrize("name", FULL.split())
def test_functions_with_arguments_are_not_taken_for_others(name: str) -> None:
    """Sabotage: look at the first word only."""
    assert name_scores.arguments(words_of(name)) == 1


def test_no_name_of_humaneval_is_taken_for_one_without_arguments() -> None:
    assert [name for name in benchmarks()["HumanEval"].names if not name_scores.arguments(words_of(name))] == []


def test_a_missing_score_weighs_nothing() -> None:
    """Sabotage: count a missing score as 0."""
    scores = {"dictionary": 1.0, "words": 0.5, "typicality": None}
    assert name_scores.mean(scores) == name_scores.mean({"dictionary": 1.0, "words": 0.5}) == 0.9


def test_both_tails_are_less_typical() -> None:
    """Sabotage: score the rank itself."""
    scores = name_scores.typicality([float(i) for i in range(100)] + [None])
    assert scores[100] is None
    told = [score for score in scores if score is not None]
    assert told == pytest.approx(told[::-1])
    assert told[0] == pytest.approx(0.05)
    assert told[10:90] == [1.0] * 80
    assert name_scores.typicality([-1.0]) == [1.0]


@given(st.lists(st.none() | st.floats(-100, 0), max_size=30), st.randoms())
def test_typicality_does_not_know_the_order(values: list[float | None], random: object) -> None:
    order = list(range(len(values)))
    random.shuffle(order)  # type: ignore[attr-defined]
    scores = name_scores.typicality(values)
    assert name_scores.typicality([values[i] for i in order]) == [scores[i] for i in order]


@given(st.integers(1, 10**6), st.integers(0, 10**6))
def test_specificity_falls_with_the_draws_of_a_name(count: int, others: int) -> None:
    total = count + others
    score = name_scores.specificity(count, total)
    assert 0 <= score <= 1
    assert name_scores.specificity(1, total) == 1
    assert score >= name_scores.specificity(count + 1, max(total, count + 1))


@given(names, st.integers(1, 50))
def test_every_score_is_between_0_and_1(name: str, others: int) -> None:
    words, crowd = words_of(name), Crowd()
    for _ in range(others):
        crowd.add(words)
    scores = [
        name_scores.dictionary(words, lambda word: len(word) > 3),
        name_scores.word_count(words),
        name_scores.shape(words),
        name_scores.arguments(words),
        crowd.distance(words),
    ]
    assert all(0 <= score <= 1 for score in scores)


def test_the_distance_falls_with_names_that_differ_in_one_word() -> None:
    """Sabotage: count a name's own words only."""
    crowd = Crowd()
    told = [crowd.distance(("merge", "sort"))]
    for first in ("quick", "bubble", "heap"):
        crowd.add((first, "sort"))
        told.append(crowd.distance(("merge", "sort")))
    assert told == pytest.approx([1, 1 - 1 / 4, 1 - 2 / 6, 1 - 3 / 8])
    assert crowd.distance(("merge", "lists")) == 1
    assert crowd.distance(("dijkstra",)) == 1


def near(*given: str) -> list[str | None]:
    """Return, for each name from the best on, the better one it is a near duplicate of."""
    neighbours = Neighbours(similar())
    found: list[str | None] = []
    for name in given:
        found.append(neighbours.near(name))
        if found[-1] is None:
            neighbours.keep(name)
    return found


@pytest.mark.parametrize(
    ("better", "other"),
    [
        ("sort_list", "list_sort"),
        ("find_longest_path", "find_longest_paths"),
        ("dijkstra", "dijkstra_algorithm"),
        ("count_words", "count_words_2"),
    ],
)
def test_names_that_say_nearly_the_same_are_near_duplicates(better: str, other: str) -> None:
    """Sabotage: compare the names without sorting their words."""
    assert near(better, other) == [None, better]


@pytest.mark.parametrize(
    ("better", "other"),
    [
        ("binary_search", "binary_search_tree"),  # one name within another: fuzz.token_set_ratio gives 100
        ("roman_to_int", "int_to_roman"),
        ("longest_increasing_subsequence", "longest_decreasing_subsequence"),
        ("calculate_minimum_path_length_in_grid", "calculate_maximum_path_length_in_grid"),
        ("signature_from_algorithm", "signature_from_implementation"),
        ("base64_encode", "base32_encode"),
    ],
)
def test_names_that_say_another_thing_are_none(better: str, other: str) -> None:
    """Sabotage: take fuzz.token_set_ratio; let ``starts`` return nothing."""
    assert near(better, other) == [None, None]


def test_only_names_that_were_kept_drop_others() -> None:
    """Sabotage: let ``Neighbours.near`` keep the name that it is asked for."""
    chain = ["count_path_walk", "count_paths_walks", "counts_paths_walks"]
    assert fuzz.ratio(*map(compared, chain[:2])) >= NEAR <= fuzz.ratio(*map(compared, chain[1:]))
    assert near(*chain) == [None, chain[0], None]


SIMILAR = ["averaging", "averages", "average", "distances", "distance", "distant", "of", "to", "paths", "path", "2"]


@given(st.lists(st.lists(st.sampled_from(SIMILAR), min_size=1, max_size=4).map("_".join), max_size=16, unique=True))
def test_names_are_kept_unless_they_repeat_one_that_was(given: list[str]) -> None:
    """As if each were compared with each. Sabotage: let ``extractOne`` see the last of the kept names only."""
    kept: list[str] = []
    for name, found in zip(given, near(*given), strict=True):
        text = compared(name)
        twins = [k for k in kept if fuzz.ratio(text, compared(k)) >= NEAR and starts(compared(k)) == starts(text)]
        assert (found in twins) if twins else (found is None)
        if not twins:
            kept.append(name)


def test_lists_of_words_are_lower_case_words() -> None:
    lists = [value for name, value in vars(name_words).items() if name.isupper()]
    assert len(lists) >= 7
    assert {word for words in lists for word in words if not (word.islower() and word.isalnum())} == set()


def test_benchmark_names_have_a_source_and_a_licence() -> None:
    """Sabotage: take is_prime out of benchmark_names.json."""
    humaneval = benchmarks()["HumanEval"]
    assert (humaneval.tasks, len(humaneval.names), humaneval.licence) == (164, 158, "MIT")
    assert "openai/human-eval" in humaneval.source
    assert benchmark_of("isprime") == benchmark_of(canonical("minSubArraySum")) == "HumanEval"
    assert benchmark_of("quicksort") is None


def test_the_names_of_mbpp_are_there_under_their_licence() -> None:
    """The names alone: identifiers, sorted, each once. Sabotage: leave MBPP out, or let it take HumanEval's names."""
    mbpp = benchmarks()["MBPP"]
    assert (mbpp.tasks, len(mbpp.names), mbpp.licence) == (974, 906, "CC-BY-4.0")
    assert "google-research" in mbpp.source
    assert "Austin et al. 2021" in mbpp.source
    assert list(mbpp.names) == sorted({name for name in mbpp.names if name.isidentifier()})
    named = ("min_cost", "remove_Occ", "heap_queue_largest", "sum", "lobb_num", "min_sum_path")  # first to last task
    assert [benchmark_of(canonical(name)) for name in named] == ["MBPP"] * len(named)
    both = {canonical(name) for name in mbpp.names} & {canonical(name) for name in benchmarks()["HumanEval"].names}
    assert "trianglearea" in both
    assert {benchmark_of(name) for name in both} == {"HumanEval"}


def test_the_list_is_written_from_a_benchmarks_file(tmp_path: Path) -> None:
    """Sabotage: let the script forget the benchmarks that are in the list already, or take ``int`` for a task's."""
    into = tmp_path / "names.json"
    into.write_text('{"Old": {"source": "s", "licence": "l", "tasks": 1, "names": ["x"]}}')
    tasks = tmp_path / "tasks.jsonl"
    called = ("set(similar_elements((3, 4), (5, 4))) == {4}", "int(lobb_num(5, 3)) == 35", "sum(10, 15) == 6")
    tests = [*({"test_list": [f"assert {call}"]} for call in called), {"entry_point": "add"}, {}]
    tasks.write_text("".join(json.dumps(task) + "\n" for task in tests))
    script = [sys.executable, str(checkout.ROOT / "scripts" / "write_benchmark_names.py"), "New", str(tasks)]
    options = ["--source", "here", "--licence", "ours", "--into", str(into)]
    done = subprocess.run([*script, *options], capture_output=True, text=True, check=True)
    assert done.stderr == "1 of 5 tasks name no function\n"
    written = json.loads(into.read_text())
    assert written["Old"]["names"] == ["x"]
    names = ["add", "lobb_num", "similar_elements", "sum"]
    assert written["New"] == {"source": "here", "licence": "ours", "tasks": 5, "names": names}


def test_the_pages_tell_weights_and_reasons_as_they_are() -> None:
    """Sabotage: change a weight, or the least score, and leave docs/explanation/name-scores.md alone."""
    scores, select = (checkout.read(f"docs/{page}.md") for page in ("explanation/name-scores", "how-to/select-names"))
    shown = {checkout.ticked(part)[0]: float(weight) for part, weight, _ in checkout.table(scores, "weights")}
    assert list(shown.items()) == list(WEIGHTS.items())
    assert f"the least score\nis {MIN_SCORE} where" in scores
    assert f"(0 to 1, {MIN_SCORE} if left out)" in select
    assert [checkout.ticked(row[0])[0] for row in checkout.table(select, "select-reasons")] == list(SELECT_REASONS)
