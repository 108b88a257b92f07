"""The tree of topics that comes with the package: its shape, and that each leaf can stand in a prompt.

Read as YAML, not by the package's loader: what is held here is the data.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

import evoselfcode.datagen
from evoselfcode.config.plain_yaml import read_map

FILE = Path(evoselfcode.datagen.__file__).parent / "topics.yaml"
TREE = yaml.safe_load(FILE.read_text(encoding="ascii"))
LEAVES = [leaf for branches in TREE.values() for leaves in branches.values() for leaf in leaves or ()]

ALSO_COMMON = {"A", "Gram"}
"""Parts of a proper name in one leaf, common words in another: A-star, Gram-Schmidt."""

BENCHMARKS = ("humaneval", "human eval", "mbpp", "leetcode", "codeforces", "rosetta", "bigcodebench", "apps")
HUMANEVAL = """
add elements, all prefixes, anti shuffle, any int, below threshold, below zero, by length, can arrange,
car race collision, change base, check dict case, check if last char is a letter, choose num, circular shift,
closest integer, compare one, correct bracketing, count distinct characters, count nums, count up to,
count upper, cycpattern check, decimal to binary, digit sum, do algebra, double the difference, encode cyclic,
encode shift, even odd count, even odd palindrome, file name check, filter by prefix, filter by substring,
filter integers, find closest elements, find max, find zero, fix spaces, fizz buzz, flip case,
fruit distribution, generate integers, get closest vowel, get max triples, get odd collatz, get positive,
get row, greatest common divisor, has close elements, hex key, how many times, incr list, int to mini roman,
is bored, is cube, is equal to sum even, is happy, is multiply prime, is nested, is palindrome, is prime,
is simple power, is sorted, largest divisor, largest prime factor, largest smallest integers, make a pile,
make palindrome, match parens, max element, max fill, mean absolute deviation, min path, min sub array sum,
move one ball, next smallest, numerical letter grade, odd count, order by points, pairs sum to zero,
parse music, parse nested parens, prime fib, prime length, prod signs, remove duplicates, remove vowels,
rescale to unit, reverse delete, right angle triangle, rolling max, rounded avg, same chars, select words,
separate paren groups, smallest change, sort array, sort even, sort numbers, sort third, sorted list sum,
special factorial, special filter, split words, starts one ends, strange sort list, string sequence,
string to md5, string xor, strongest extension, sum product, sum squares, sum to n, total match, triangle area,
triples sum to zero, truncate number, unique digits, valid date, vowels count, will it fly, words in sentence,
words string, x or y
"""
"""Names of its functions, of two words or more, as words. Written from memory: it catches a slip, not every task."""


def plain(text: str) -> str:
    """Lower case, one space between words, no final s, so that a plural is no other topic."""
    return " ".join(word.removesuffix("s") for word in text.lower().split())


def words_of(text: str) -> str:
    """The words in `plain` form between spaces, so that one phrase can be looked for in another."""
    return f" {plain(' '.join(re.findall('[a-z0-9]+', text.lower())))} "


def test_the_tree_is_domains_of_subdomains_of_leaves_and_nothing_else() -> None:
    """Sabotage: put a leaf straight under a domain, or leave a subdomain empty."""
    assert 14 <= len(TREE) <= 20
    for domain, branches in TREE.items():
        assert type(domain) is str
        assert type(branches) is dict, domain
        assert 3 <= len(branches) <= 6, domain
        for branch, leaves in branches.items():
            assert type(branch) is str
            assert type(leaves) is list, branch
            assert 4 <= len(leaves) <= 8, branch
            assert {type(leaf) for leaf in leaves} == {str}, branch


def test_there_are_enough_leaves_and_no_domain_has_most_of_them() -> None:
    assert len(LEAVES) >= 300
    sizes = [sum(map(len, branches.values())) for branches in TREE.values()]
    assert max(sizes) <= 3 * min(sizes)


def test_no_topic_stands_twice() -> None:
    """Sabotage: add ``Strongly connected component`` to another subdomain."""
    assert [leaf for leaf, times in Counter(map(plain, LEAVES)).items() if times > 1] == []
    branches = [branch for branches in TREE.values() for branch in branches]
    assert [name for name, times in Counter(map(plain, [*TREE, *branches])).items() if times > 1] == []


@pytest.mark.parametrize("text", ["Two  Sorted list", "two sorted lists", " two sorteds list"])
def test_case_spaces_and_plurals_make_no_other_topic(text: str) -> None:
    assert plain(text) == "two sorted list"


def test_each_leaf_reads_well_after_about() -> None:
    """Sabotage: begin a leaf with ``the``, end one with a full stop, or write one in one word."""
    for leaf in LEAVES:
        words = leaf.split(" ")
        assert leaf.isascii(), leaf
        assert leaf.isprintable(), leaf
        assert 2 <= len(words) <= 6, leaf
        assert all(words), leaf
        assert words[0].lower() not in {"a", "an", "the", "about", "how"}, leaf
        assert leaf[-1].isalnum(), leaf
        assert re.fullmatch(r"[A-Za-z0-9' -]+", leaf), leaf


def test_capitals_are_those_of_proper_names_and_abbreviations() -> None:
    """Sabotage: write ``Topological Ordering`` in two capitals, or ``eXact``."""
    parts = [part for leaf in LEAVES for part in re.split("[ -]", leaf) if part != part.lower()]
    assert [part for part in parts if not re.fullmatch(r"([A-Z][a-z]+)+('s)?|[A-Z]+", part)] == []
    common = {part for leaf in LEAVES for part in re.split("[ -]", leaf) if part == part.lower()}
    assert {part for part in parts if part.lower() in common} <= ALSO_COMMON


def test_no_leaf_names_a_benchmark_or_a_task_of_one() -> None:
    """Data that is measured on a benchmark must not be asked for it. Sabotage: add ``mean absolute deviation``."""
    names = [*BENCHMARKS, *(" ".join(name.split()) for name in HUMANEVAL.split(","))]
    assert len(names) > 100
    for leaf in LEAVES:
        assert [name for name in names if words_of(name) in words_of(leaf)] == [], leaf


def test_the_reader_of_configurations_reads_the_same() -> None:
    """It refuses more than PyYAML does. Sabotage: write a subdomain twice, of which PyYAML keeps the last."""
    document = read_map(FILE)
    assert document.problems == []
    assert document.data == TREE


def test_the_file_is_written_in_blocks_of_short_lines() -> None:
    for line in FILE.read_text(encoding="ascii").splitlines():
        assert len(line) < 120, line
        assert re.fullmatch(r"|#.*|[a-z][a-z ]*:|  [a-z][a-z ]*:|    - [^\s\"].*\S", line), line
