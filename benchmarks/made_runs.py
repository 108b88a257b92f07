"""Finished runs of any size: the journals and manifests that benchmarks read, as if a model had drawn them.

Functions are completions of HumanEval's tasks that parse, without the docstrings of their prompts, 300 to 500 letters
each, under another name than the benchmark's. Names are those of :mod:`replies`: some often, most seldom.
"""

from __future__ import annotations

import ast
import gzip
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from replies import texts

from evoselfcode.config import RunConfig
from evoselfcode.datagen.code.examiner import Draft
from evoselfcode.datagen.filters import NameJudge
from evoselfcode.datagen.filters.function_text import cut
from evoselfcode.records import Candidate, Choice, Completion, L2r, Outcome, Request, Sampling, Task, Usage
from evoselfcode.storage import MANIFEST, Draw, Entry, Journal, Manifest, draw_of, make_entry, write_manifest

CORPUS = Path(__file__).parents[1] / "tests" / "data" / "codegen16b_humaneval_even.jsonl.gz"
SHORTEST, LONGEST = 300, 500
N = 4
"""Choices of a request, as a run asks for them."""

BEGAN, PER_SECOND = 1_795_000_000.0, 500.0
"""Unix time of the first request, and how many settle in a second."""

OWN_LINES = 8
"""Lines that make a function different from all others, so that it is no near duplicate."""

_DEF = re.compile(r"def (\w+)\([^)]*\)[^:\n]*:\n")


def corpus() -> list[Draft]:
    """Return the functions, each once."""
    found: dict[str, Draft] = {}
    with gzip.open(CORPUS, "rt", encoding="utf-8") as file:
        for row in map(json.loads, file):
            at = row["prompt"].rindex(f"def {row['entry_point']}(")
            head = _DEF.match(row["prompt"], at)
            for text in next(value for value in row.values() if isinstance(value, list)) if head else ():
                code, complete = cut(head[0], text, None)
                if SHORTEST <= len(code) <= LONGEST and complete and parses(row["prompt"][:at] + code):
                    found[code] = draft(row["entry_point"], row["prompt"][:at], head[0], code)
    return list(found.values())


def parses(program: str) -> bool:
    try:
        ast.parse(program)
    except (SyntaxError, ValueError):
        return False
    return True


def draft(name: str, context: str, head: str, code: str) -> Draft:
    """Make a draft of a function, and give it a name that no benchmark has."""
    head, code = (re.sub(rf"\b{name}\b", f"{name}_anew", text) for text in (head, code))
    return Draft(Task(func_name=f"{name}_anew", head=head, context=context), code[len(head) :], "stop")


def distinct(once: Sequence[Draft], count: int) -> list[Draft]:
    """Make as many functions as wanted, none a duplicate of another: each begins with lines of its own."""
    random = Random(count)
    return [Draft(one.task, "".join(_lines(random)) + one.text, "stop")
            for one in (once[number % len(once)] for number in range(count))]  # fmt: skip


def _lines(random: Random) -> Iterator[str]:
    for place in range(OWN_LINES):
        what = random.choice(("{} + {}", "{} * {}", "max({}, {})", "[{}, {}]", "({} - {}) ** 2", "{} if {} else 0"))
        value = what.format(random.randrange(10**6), random.randrange(99))
        yield f"    part_{place}_{random.randrange(100)} = {value}\n"


def code_run(folder: Path, drafts: Sequence[Draft]) -> Path:
    """Write a run of the code stage whose model drew `drafts`, and return its folder."""

    def entries() -> Iterator[Entry]:
        sampling = Sampling(max_new_tokens=256, n=N, seed=0)
        for number, one in enumerate(drafts):  # every row its own task: the functions are of many
            request = Request(key=f"{number:032x}", prompt=L2r(one.task.head), sampling=sampling, stage="code",
                              arm="L2R", number=number, task=one.task)  # fmt: skip
            outcome = Outcome(request, Completion((Choice(one.text, "stop"),), model="codegen-16b"), 1, 1.0)
            draw = Draw(raw_text=one.text, text="", finish_reason="stop")
            yield make_entry(outcome, (draw,), BEGAN + number / PER_SECOND)

    return _written(folder / "code", entries())


def names_run(folder: Path, rows: int) -> Path:
    """Write a run of the names stage with `rows` names in two arms, and return its folder."""
    config = RunConfig()

    def entries() -> Iterator[Entry]:
        judges = {arm: NameJudge(config.filters.name_regex, config.namegen.weaklist) for arm in ("FIM", "L2R")}
        drawn, random = iter(texts(rows)), Random(rows)
        for number, arm in zip(range(-(-rows // N)), ("FIM", "L2R") * rows, strict=False):
            request = Request(key=f"{number:032x}", prompt=L2r("def "), sampling=Sampling(max_new_tokens=16, n=N),
                              stage="names", arm=arm, number=number // 2)  # fmt: skip
            choices = tuple(Choice(next(drawn, ""), "stop", random.uniform(-9, 0)) for _ in range(N))
            outcome = Outcome(request, Completion(choices, Usage(11, 16), "m"), 1, random.uniform(0.2, 2.0))
            candidates = [Candidate.of(request, index, one, one.text) for index, one in enumerate(choices)]
            draws = tuple(draw_of(candidate, judges[arm](candidate)) for candidate in candidates)
            yield make_entry(outcome, draws, BEGAN + number / PER_SECOND)

    return _written(folder / "names", entries())


def _written(run: Path, entries: Iterator[Entry]) -> Path:
    run.mkdir(parents=True)
    whole = Manifest(stage=run.name, versions={}, fingerprint={}, config=RunConfig().to_public(), base_url="",
                     preflight={}, started="", updated="", state="complete", counts={})  # fmt: skip
    write_manifest(run / MANIFEST, whole)
    lines = Journal(run)
    for entry in entries:
        lines.append(entry)
    lines.close(0.0)
    return run
