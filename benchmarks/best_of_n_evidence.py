"""Make the evidence of ``benchmarks/best_of_n.py`` anew: let models write asserts, and run programs against them.

Four kinds of asserts, none of which knows HumanEval's tests: what a small model writes in the stage of asserts, from
the prompts that the completions were drawn from; what CodeGen-16B wrote of itself behind its functions; what each draw
says of itself, that it returns what it returns; and, of tasks that have them, the examples in the docstring, which
CodeT had taken out of the prompts.
"""

from __future__ import annotations

import ast
import doctest
import gzip
import json
import platform
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any, get_args

import anyio
import msgspec
from choosers import DRAWS, STORED, Pool, Source, Stored, Task, choice, tasks
from code_corpus import lines
from llama_server import LlamaServer

from evoselfcode import OpenAICompletionClient, RunConfig
from evoselfcode.datagen.code.asserts import ASSERTS
from evoselfcode.datagen.code.tasks import NamedRow
from evoselfcode.datagen.filters.asserts import FIRST, vetted
from evoselfcode.datagen.pipeline.run import run_stage
from evoselfcode.datagen.sandbox import Check, Job, Limits, Sandbox, probe
from evoselfcode.datagen.sandbox.checks import assert_checks, doctest_checks, smoke_checks
from evoselfcode.datagen.sandbox.inputs import typed_inputs
from evoselfcode.datagen.sandbox.mutants import mutants, notices, strength
from evoselfcode.stats.agreement import dual_agreement

CORPUS = "codegen16b_humaneval_even.jsonl.gz"
ROWS = "rows.jsonl"
AT_A_TIME = 8
"""Jobs handed to the sandbox at once."""

Asserts = dict[str, tuple[str, ...]]


def rows() -> dict[str, dict[str, str]]:
    """Return what the stage of asserts is asked with, by task: the prompt as a skeleton, its docstring besides."""
    found = {}
    for row in lines(CORPUS):
        said = ast.get_docstring(function(row["prompt"], row["entry_point"])) or ""
        found[row["task_id"]] = {"func_name": row["entry_point"], "description": said, "skeleton": row["prompt"]}
    return found


def function(prompt: str, name: str) -> ast.FunctionDef:
    body = ast.parse(prompt + "    pass\n").body
    return [node for node in body if isinstance(node, ast.FunctionDef) and node.name == name][-1]


async def written(model: Path, folder: Path) -> Asserts:
    """Let a model write asserts, as ``datagen-asserts`` does by default; what the folder has already stays."""
    asked, file = rows(), folder / ROWS
    await anyio.Path(folder).mkdir(parents=True, exist_ok=True)
    await anyio.Path(file).write_text("".join(json.dumps(row) + "\n" for row in asked.values()), encoding="utf-8")
    with LlamaServer(model, slots=8, context=1536) as server:
        config = RunConfig.from_mapping({
            "model": model.stem.lower(),
            "api": {"base_url": server.url, "concurrency": 1, "timeout": 1800},
            "asserts": {"names": str(file)},
            "output": {"dir": str(folder)},
        })  # fmt: skip
        await run_stage(ASSERTS, OpenAICompletionClient.from_config(config), config)
    text = await anyio.Path(folder / "asserts" / "asserts.jsonl").read_text(encoding="utf-8")
    told = {(row["func_name"], row["description"]): tuple(row["asserts"]) for row in map(json.loads, text.splitlines())}
    return {name: told.get((row["func_name"], NamedRow(**row).values()["description"]), ())
            for name, row in asked.items()}  # fmt: skip


def behind() -> Asserts:
    """Return what stands behind the functions in the completions themselves, the first five asserts of each."""
    found: Asserts = {}
    for row in lines(CORPUS):
        every: dict[str, None] = {}
        for text in row["samples"]:
            asserts = dict.fromkeys(filter(None, (vetted(line, row["entry_point"]) for line in text.splitlines())))
            every.update(dict.fromkeys(list(asserts)[:FIRST]))
        found[row["task_id"]] = tuple(every)
    return found


def examples() -> Asserts:
    """Return the examples in the docstrings of HumanEval."""
    wanted, found = rows(), {}
    for row in lines("HumanEval.jsonl.gz"):
        if row["task_id"] in wanted:
            checks = doctest_checks(row["prompt"] + "    pass\n", row["entry_point"])
            found[row["task_id"]] = tuple(f">>> {source}{want}" for check in checks
                                          for source, want, _ in check.examples)  # fmt: skip
    return found


async def returned(sandbox: Sandbox) -> Asserts:
    """Let every draw that is Python say of five inputs of its types that it returns what it returns."""
    wanted, found = rows(), {}
    for task in tasks():
        row = wanted[task.name]
        inputs = typed_inputs(row["skeleton"] + "    pass\n", row["func_name"])
        if inputs.status != "typed":
            continue
        checks = smoke_checks(inputs, row["func_name"])
        results = await run_all(sandbox, task.programs, checks)
        random, said = Random(task.name), dict[str, None]()
        for number in (number for number in task.numbers if number is not None):
            for place in random.sample(range(len(checks)), min(FIRST, len(checks))):
                outcome = results[number][place]
                if outcome.status == "pass" and (value := in_python(outcome.value)):
                    text = f"assert {row['func_name']}{called(inputs.calls[place])} == {value}"
                    said.update({text: None} if vetted(text, row["func_name"]) else {})
        found[task.name] = tuple(said)
    return found


class Literals(ast.NodeTransformer):
    """Writes ``list(1, 2)``, as the sandbox shows a list, as ``[1, 2]``, and tuples likewise."""

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        match node:
            case ast.Call(func=ast.Name(id="list")):
                return ast.List(node.args, ast.Load())
            case ast.Call(func=ast.Name(id="tuple")):
                return ast.Tuple(node.args, ast.Load())
        return node


def in_python(value: str) -> str | None:
    """Return what the sandbox shows of a value as Python has it; ``None`` if that cannot be, as of a shortened text."""
    try:
        return ast.unparse(Literals().visit(ast.parse(value, mode="eval")))
    except SyntaxError:
        return None


def called(arguments: str) -> str:
    """Write a tuple of arguments as those of a call."""
    return f"({', '.join(map(ast.unparse, ast.parse(arguments, mode='eval').body.elts))})"  # type: ignore[attr-defined]


async def run_all(sandbox: Sandbox, programs: Iterable[str], checks: tuple[Check, ...]) -> list[Any]:
    """Run programs against the same checks; return the outcomes of each."""
    every = list(programs)
    found: list[Any] = [None] * len(every)
    limit = anyio.CapacityLimiter(AT_A_TIME)

    async def one(number: int) -> None:
        async with limit:
            found[number] = (await sandbox.run(Job(program=every[number], checks=checks))).checks

    async with anyio.create_task_group() as group:
        for number in range(len(every)):
            group.start_soon(one, number)
    return found


def checks_of(asserts: Iterable[str]) -> tuple[Check, ...]:
    made: list[Check] = []
    for text in asserts:
        if text.startswith(">>> "):
            (example,) = doctest.DocTestParser().get_examples(text)
            made.append(Check(kind="doctest", examples=((example.source, example.want, example.exc_msg),)))
        else:
            made += assert_checks([text])
    return tuple(made)


async def outcomes(sandbox: Sandbox, about: str, asserts: Asserts) -> Source:
    """Run every distinct program against the asserts of its task, and the winners' mutants against theirs."""
    asserts = {name: of for name, of in asserts.items() if of}
    passed: dict[str, tuple[str, ...]] = {}
    for task in (task for task in tasks() if task.name in asserts):
        results = await run_all(sandbox, task.programs, checks_of(asserts[task.name]))
        broken = [outcome for result in results for outcome in result if outcome.status == "sandbox_error"]
        if broken:
            raise RuntimeError(f"{task.name}: {broken[0].detail}")
        passed[task.name] = tuple(
            f"{sum((outcome.status == 'pass') << place for place, outcome in enumerate(result)):x}"
            for result in results
        )
    source = Source(about, asserts, passed)
    noticed: dict[Pool, dict[str, float | None]] = {
        pool: {task.name: await share_noticed(sandbox, task, source, pool) for task in tasks() if task.name in asserts}
        for pool in get_args(Pool)
    }
    return msgspec.structs.replace(source, noticed=noticed)


async def share_noticed(sandbox: Sandbox, task: Task, source: Source, pool: Pool) -> float | None:
    """Return the share of small bugs in the program that agreement chooses which its asserts notice."""
    given = choice(task, source, pool)
    agreement = dual_agreement(given.vectors)
    if not agreement.chosen:
        return None
    number = task.numbers[given.draws[agreement.chosen[0]]]
    assert number is not None
    name = names()[task.name]
    texts = [source.asserts[task.name][test] for test in agreement.clusters[0].tests]
    checks = checks_of(texts)
    results = await run_all(sandbox, (mutant.program for mutant in mutants(task.programs[number], name)), checks)
    share = strength([notices((True,) * len(checks), result) for result in results])
    return None if share is None else round(share, 4)


@cache
def names() -> Mapping[str, str]:
    return {row["task_id"]: row["entry_point"] for row in lines(CORPUS)}


async def make(folder: Path, models: list[Path]) -> None:
    """Write the file of the evidence.

    Args:
        folder: Where what the models wrote is kept; a folder for each.
        models: GGUF files.
    """
    limits = Limits(seconds=4.0, check_seconds=0.5)
    sources: dict[str, tuple[str, Asserts]] = {}
    for model in models:
        name = model.stem.partition("-Instruct")[0]
        sources[name] = (f"{model.stem}, stage of asserts, 8 draws", await written(model, folder / model.stem))
    sources["behind"] = ("CodeGen-Mono-16B, behind its functions", behind())
    wall = probe()
    async with Sandbox(wall, workers=2, limits=limits) as sandbox:
        sources["returned"] = ("what the draws themselves return", await returned(sandbox))
        sources["examples"] = ("examples in the docstrings of HumanEval", examples())
        found = {name: await outcomes(sandbox, *of) for name, of in sources.items()}
    about = {"python": platform.python_version(), "wall": wall.level, "seconds": limits.seconds, "draws": DRAWS,
             "check_seconds": limits.check_seconds, "evoselfcode": version("evoselfcode")}  # fmt: skip
    file = Stored(about, {task.name: task.digest for task in tasks()}, found)
    STORED.write_bytes(gzip.compress(msgspec.json.encode(file), mtime=0))
