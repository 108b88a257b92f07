"""Names: what is read off a choice, and which gate drops what; the gates are blind to the arm."""

from __future__ import annotations

import builtins
import keyword

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoselfcode.datagen.filters import NAME_REASONS, NameJudge, parse_name
from evoselfcode.records import Candidate, Choice, L2r, Request, Sampling
from evoselfcode.wire.sentinels import SPECIAL_TOKENS

REGEX = "^[a-z_][a-z0-9_]{2,64}$"
REQUEST = Request(key="00", prompt=L2r("def "), sampling=Sampling(max_new_tokens=16), arm="L2R")


def candidate(text: str, ending: str = "stop") -> Candidate:
    return parse_name(REQUEST, 0, Choice(text, ending))


def judge(text: str, ending: str = "stop") -> str | None:
    return NameJudge(REGEX, {"foo", "solve"})(candidate(text, ending)).reason


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("quick_sort", "quick_sort"),
        (" quick_sort", "quick_sort"),
        ("quick_sort(items):\n", "quick_sort"),
        ("\n\tquick_sort", "quick_sort"),
        ("", ""),
        ("3_to_bottom", ""),
        ("(x)", ""),
        ("naïve_bayes", "na"),
        ("quick-sort", "quick"),
    ],
)
def test_a_name_is_the_longest_identifier_that_the_text_begins_with(text: str, name: str) -> None:
    found = candidate(text)
    assert found.text == name
    assert found.raw_text == text


@pytest.mark.parametrize(
    ("text", "ending", "reason"),
    [
        ("quick_sort", "stop", None),
        (" quick_sort", "stop", None),
        ("quick_sort(a, b):", "length", None),
        ("quick_sort (a)", "stop", None),
        ("quick_sort<|endoftext|>", "stop", "special_token"),
        ("<|fim_pad|>", "stop", "special_token"),
        ("<｜fim▁hole｜>quick", "stop", "special_token"),
        ("", "stop", "empty"),
        ("\n", "length", "empty"),
        ("3_to_bottom", "stop", "empty"),
        ("# a comment", "stop", "empty"),
        ("quick_sort_by", "length", "truncated"),
        ("quick-sort", "stop", "malformed"),
        ("naïve_bayes", "stop", "malformed"),
        ("quick_sort: int", "stop", "malformed"),
        ("Quick_sort", "stop", "regex"),
        ("ab", "stop", "regex"),
        ("a" * 66, "stop", "regex"),
        ("__init__", "stop", "dunder"),
        ("lambda", "stop", "keyword"),
        ("match", "stop", "keyword"),
        ("sorted", "stop", "builtin"),
        ("test", "stop", "test"),
        ("test_sort", "stop", "test"),
        ("foo", "stop", "weak"),
        ("foobar", "stop", None),
        ("testament", "stop", None),
    ],
)
def test_the_first_gate_that_objects_gives_the_reason(text: str, ending: str, reason: str | None) -> None:
    """Sabotage: swap two gates, or compare the weak list by ``startswith``."""
    assert judge(text, ending) == reason
    assert reason is None or reason in NAME_REASONS


def test_a_name_is_kept_once_and_remembered_across_processes() -> None:
    """Sabotage: do not remember what was kept."""
    first = NameJudge(REGEX, ())
    assert first(candidate("quick_sort")).kept
    assert first(candidate(" quick_sort")).reason == "duplicate"
    resumed = NameJudge(REGEX, ())
    resumed.remember("quick_sort")
    assert resumed(candidate("quick_sort")).reason == "duplicate"


def test_a_dropped_name_is_no_duplicate_of_itself() -> None:
    first = NameJudge(REGEX, {"foo"})
    assert [first(candidate("foo")).reason for _ in range(2)] == ["weak", "weak"]


def test_no_keyword_and_no_builtin_is_ever_kept() -> None:
    for word in {*keyword.kwlist, *keyword.softkwlist, *dir(builtins)}:
        assert judge(word) is not None, word


@given(st.text(max_size=80), st.sampled_from(["stop", "length", None]))
def test_a_kept_name_is_an_identifier_without_special_tokens(text: str, ending: str | None) -> None:
    for raw in (text, f"quick_sort{text}"):
        found = candidate(raw, ending)  # type: ignore[arg-type]
        if NameJudge(REGEX, ())(found).kept:
            assert found.text.isidentifier()
            assert raw.lstrip().startswith(found.text)


@pytest.mark.parametrize("token", sorted(SPECIAL_TOKENS))
def test_a_special_token_of_any_family_anywhere_drops_the_name(token: str) -> None:
    assert judge(f"quick_sort{token}") == "special_token"
    assert judge(f"{token}quick_sort") == "special_token"


def test_the_verdict_does_not_depend_on_the_arm() -> None:
    texts = ["quick_sort", "foo", "", "__init__", "Quick", "a<|endoftext|>", "quick_sort"]
    fim = Request(key="00", prompt=L2r("p"), sampling=Sampling(max_new_tokens=1), arm="FIM")
    verdicts = []
    for request in (REQUEST, fim):
        decide = NameJudge(REGEX, {"foo"})
        verdicts.append([decide(parse_name(request, 0, Choice(text, "stop"))).reason for text in texts])
    assert verdicts[0] == verdicts[1]


def test_a_slow_pattern_never_meets_a_long_text() -> None:
    decide = NameJudge("^([a-z]+_?)+$", ())
    assert decide(candidate("a" * 300 + "9")).reason == "regex"


def begun(before: str, text: str, ending: str = "stop") -> tuple[str, str | None]:
    request = Request(key="00", prompt=L2r(before), sampling=Sampling(max_new_tokens=16), arm="L2R")
    found = parse_name(request, 0, Choice(text, ending))
    return found.text, NameJudge(REGEX, ())(found).reason


@pytest.mark.parametrize(
    ("before", "text", "ending", "name", "reason"),
    [
        ("def compute_", "sum", "stop", "compute_sum", None),
        ("def compute_", "sum(items):\n", "length", "compute_sum", None),
        ("def compute", "_sum", "stop", "compute_sum", None),
        ("def compute", "d_sum(x)", "stop", "computed_sum", None),
        ("def compute_", "2d_sum", "stop", "compute_2d_sum", None),
        ("def compute_", "Sum", "stop", "compute_Sum", "regex"),
        ("def compute_", "", "stop", "", "empty"),
        ("def compute", "(items)", "stop", "", "empty"),
        ("def compute_", " sum", "stop", "", "empty"),
        ("def compute_", "\nsum", "stop", "", "empty"),
        ("def compute_", "sum", "length", "compute_sum", "truncated"),
        ("def compute_", "sum-x", "stop", "compute_sum", "malformed"),
        ("def compute_", "sum<|endoftext|>", "stop", "compute_sum", "special_token"),
        ("undef compute_", "sum_up", "stop", "sum_up", None),
        ("def compute_ ", "sum_up", "stop", "sum_up", None),
        ("def compute_sum(x):\n    ...\n\ndef ", "sort_it", "stop", "sort_it", None),
        ("x = 1\ndef\tcompute_", "sum", "stop", "compute_sum", None),
    ],
)
def test_a_name_that_the_prompt_begins_goes_on_in_the_text(
    before: str, text: str, ending: str, name: str, reason: str | None
) -> None:
    """Sabotages: strip the text's leading space; take the rest from behind the whole name; ignore what was begun."""
    assert begun(before, text, ending) == (name, reason)


@given(st.from_regex(r"[a-z_][a-z0-9_]{0,30}", fullmatch=True), st.text(max_size=40))
def test_a_begun_name_is_what_was_begun_and_more_or_nothing(word: str, text: str) -> None:
    name, _ = begun(f"{'x' * 500}\ndef {word}", text)
    assert not name or (name.startswith(word) and text.startswith(name[len(word) :]) and len(name) > len(word))
