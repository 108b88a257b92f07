"""The audit of the filters: what each gate drops of a corpus, and how many good programs it loses."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from code_answers import config

from evoselfcode import RunConfig
from evoselfcode.datagen.code.auditing import KNOWN_AUDIT, audit, read_corpus
from evoselfcode.errors import UsageError

DATA = Path(__file__).parent / "data"


async def test_humanevals_own_solutions_are_lost_by_one_gate_alone(tmp_path: Path) -> None:
    """Sabotage: count what a gate that is off objects to as dropped; leave ruff out."""
    made = await audit(DATA / "HumanEval.jsonl.gz", config(tmp_path, filters={"enable_ruff": True}))
    assert (made["programs"], made["good"], made["kept"], made["kept_good"]) == (164, 164, 163, 163)
    gates = {gate["gate"]: gate for gate in made["gates"]}
    assert {name for name, gate in gates.items() if gate["loses"]} == {"banned_call"}
    assert not gates["no_argument"]["on"]
    assert gates["ruff"] == {"gate": "ruff", "on": True, "drops": 0, "loses": 0, "alone": {"drops": 0, "loses": 0}}
    assert "contaminated" not in gates
    strict = await audit(DATA / "HumanEval.jsonl.gz", config(tmp_path, filters={"max_lines": 12}))
    (layout,) = [gate for gate in strict["gates"] if gate["gate"] == "layout"]
    assert layout["loses"] > 50
    assert strict["filters"]["max_lines"] == 12


async def test_the_audit_that_comes_along_is_what_the_gates_do_today(tmp_path: Path) -> None:
    """Mend with ``make reference``. Sabotage: change a default threshold, or a gate."""
    made = await audit(DATA / "codegen16b_humaneval_even.jsonl.gz", RunConfig.from_mapping({}))
    known = json.loads(KNOWN_AUDIT.read_bytes())
    assert made | {"corpus": known["corpus"]} == known
    assert (made["programs"], made["good"], made["kept_good"]) == (8200, 1924, 1919)


async def test_programs_by_themselves_and_completions_count_too(tmp_path: Path) -> None:
    """Sabotage: take a row without ``passed`` for a bad one."""
    corpus = tmp_path / "corpus.jsonl"
    lines = [
        {"code": "def keep(x):\n    return x + 1\n"},
        {"code": "def keep(x):\n    return None\n", "passed": False},
        {"code": "value = 1 + 2 + 3", "passed": False},
        {"func_name": "lose", "code": "def lose(x):\n    return eval(x)\n"},
        {
            "prompt": "def twice(x):\n",
            "samples": ["    return x * 2\n\nprint(1)", "    pass\n"],
            "passed": [True, False],
        },
        {"prompt": "import math\n\n\ndef root(x):\n", "entry_point": "root", "completion": "    return math.sqrt(x)\n"},
    ]
    corpus.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    made = await audit(corpus, config(tmp_path))
    assert (made["programs"], made["good"], made["kept"], made["kept_good"]) == (7, 4, 3, 3)
    gates = {gate["gate"]: (gate["drops"], gate["loses"]) for gate in made["gates"] if gate["drops"]}
    assert gates == {
        "not_one_function": (1, 0),
        "placeholder": (1, 0),
        "unused_argument": (1, 0),
        "banned_call": (1, 1),
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"[1]\n", "line 1"),
        (b'{"prompt": "def f(x):\\n"}\n', "line 1: has neither code nor a solution"),
        (
            b'{"prompt": "def f(x):\\n", "samples": ["a"], "passed": [true, false]}\n',
            "line 1: has 1 texts and 2 values",
        ),
        (b'{"code": 1}\n', "line 1"),
        (b"\xff\n", "line 1"),
    ],
)
def test_a_corpus_that_is_none_is_one_message(tmp_path: Path, text: bytes, told: str) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_bytes(text)
    with pytest.raises(UsageError, match=told):
        list(read_corpus(path))


@pytest.mark.parametrize("damaged", [b"no gzip", gzip.compress(b'{"code": "def f(x): return x"}\n' * 99)[:-20]])
def test_a_damaged_archive_is_one_message(tmp_path: Path, damaged: bytes) -> None:
    path = tmp_path / "corpus.jsonl.gz"
    path.write_bytes(damaged)
    with pytest.raises(UsageError, match="is damaged"):
        list(read_corpus(path))
