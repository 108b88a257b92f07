"""Fingerprints: which fields of a row are read, what is its solution, and which rows are refused."""

from __future__ import annotations

import re
from typing import Any

import pytest
from benchmark_tasks import humaneval

from evoselfcode.datagen.filters.contamination import Hit, Index
from evoselfcode.datagen.filters.hashes import nameless_hash_of

CODE = "def total_of(first, second):\n    return first + second\n"


@pytest.mark.parametrize(
    ("row", "of", "name"),
    [
        ({"task_id": "HumanEval/7", "prompt": CODE[:29], "canonical_solution": CODE[29:]}, "HumanEval/7", ""),
        ({"task_id": 7, "text": "Add.", "code": CODE.replace("\n", "\r\n"), "test_list": []}, "mine/7", ""),
        ({"task_id": "7", "prompt": "Add.", "completion": CODE}, "mine/7", ""),
        ({"prompt": "Add.", "solution": CODE, "entry_point": "total_of"}, "mine:1", "totalof"),
        ({"content": f"import os\n\n\n@cache\n{CODE}", "prompt": None}, "mine:1", ""),
        ({"text": f'{CODE}\n\nif __name__ == "__main__":\n    print(total_of(1, 2))\n'}, "mine:1", ""),
        ({"code": f"def other(a):\n    return [a]\n{CODE}", "entry_point": "total_of"}, "mine:1", "totalof"),
    ],
)
def test_rows_of_all_shapes_give_the_reference_solution(row: dict[str, Any], of: str, name: str) -> None:
    """Sabotage: leave a field out of the tables, or take programs only as wholes."""
    index = Index.of_rows("mine", [row], nameless_hash_of)
    assert index.find("", nameless_hash_of(CODE.replace("first", "a"))) == Hit("alpha", of)
    assert index.find("", nameless_hash_of("def other(a):\n    return [a]\n")) is None
    assert index.tasks[0].name == name


def test_a_prompt_without_its_solution_is_no_solution() -> None:
    """Sabotage: yield the prompt as a program as well, or programs without a function."""
    assert humaneval().find("", nameless_hash_of('def f(a, b):\n    """Whatever."""\n')) is None
    for row in ({"prompt": CODE}, {"prompt": "Add.", "code": "total = 1"}, {"text": "total"}, {"text": ""}):
        assert Index.of_rows("mine", [row], nameless_hash_of).tasks[0].alphas == ()


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"question": "?", "answer": "!"}, "wanted at least one of prompt, text, canonical_solution, completion, "),
        ({"question": "?", "answer": "!"}, "got question, answer"),
        ({"entry_point": "f"}, "got entry_point"),
        ({"prompt": None}, "got prompt"),
        ({}, "got nothing"),
        ({"prompt": [{"role": "user"}]}, "wanted text in prompt, got list"),
        ({"code": "x", "entry_point": 3}, "wanted text in entry_point, got int"),
        (["prompt"], "wanted an object with fields, got list"),
    ],
)
def test_a_row_that_cannot_be_compared_is_told_by_its_number(row: object, complaint: str) -> None:
    """Sabotage: skip a row without text: what was meant to be held out is trained on."""
    with pytest.raises(ValueError, match=rf"^mine\.jsonl, row 2: .*{re.escape(complaint)}"):
        Index.of_rows("mine.jsonl", [{"text": "fine"}, row], nameless_hash_of)
