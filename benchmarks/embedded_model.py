"""Measure the embedded model: build, load, names per second in both arms, and whether its numbers are probabilities.

Run it with ``python benchmarks/embedded_model.py``: about a minute, with ``--requests 100000`` two. It prints a card
for people and, last, one line of JSON for machines.

The ceiling: one name of the L2R arm is three or four tokens and the stop; a token costs one look at the tables of
its context, 5 to 10 µs in Python once they are there, so 20,000 names per second is all there is. A FIM name is
24 such texts and the choice among them: a twentieth of that. While the tables are new, each context is looked up in
the suffix array first (30 µs); *cold* is the first 100 names of a process, *warm* is after 2,000.

Every figure is of a process of its own on one core. Names per second are given per second of wall time and of CPU time:
they differ where the machine does something else as well.
"""

from __future__ import annotations

import argparse
import itertools
import json
import keyword
import math
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from card import Record

from evoselfcode.local.corpus import read_corpus
from evoselfcode.local.language import Language
from evoselfcode.local.lexer import lex
from evoselfcode.local.model import EmbeddedModel
from evoselfcode.local.store import build_index, cache_folder
from evoselfcode.records import Fim, L2r, Prompt, Sampling

HEAD = "This is an algorithm function.\n\ndef "
ARMS: dict[str, Prompt] = {"L2R": L2r(HEAD), "FIM": Fim(HEAD, "():\n")}
SAMPLING = {"0.4/0.9": (0.4, 0.9), "1.0/1.0": (1.0, 1.0)}
"""Temperature and top_p: the defaults of the names stage, and the model as it is."""

STOP = ("(", " ", "\n")
N = 4
COLD = 100
WARM = 2_000
TARGETS = {"L2R": 500, "FIM": 200}
"""Names per second on one core that the dry runs ask for."""


def ask(model: EmbeddedModel, arm: str, setting: str, number: int) -> list[str]:
    temperature, top_p = SAMPLING[setting]
    sampling = Sampling(
        max_new_tokens=16, n=N, temperature=temperature, top_p=top_p, stop=STOP, seed=number * N, logprobs=0
    )
    return [choice.text for choice in model.generate(ARMS[arm], sampling).choices]


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Return the result, the wall seconds and the CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def load() -> dict[str, float]:
    """Load the model, from the cache or not, as the environment has it."""
    _, wall, cpu = timed(EmbeddedModel.load)
    return {"seconds": wall, "cpu_seconds": cpu, "rss_mb": rss()}


def names(arm: str, setting: str) -> dict[str, Any]:
    """Draw cold, then warm, then look at what was drawn."""
    model = EmbeddedModel.load()

    def draw(first: int, count: int) -> list[str]:
        return [name for number in range(first, first + count // N) for name in ask(model, arm, setting, number)]

    _, cold_wall, cold_cpu = timed(lambda: draw(0, COLD))
    drawn = draw(0, WARM)
    _, wall, cpu = timed(lambda: draw(WARM, WARM))
    known = {text.split("(")[0].removeprefix("async ").removeprefix("def ") for text in read_corpus().functions()}
    return {
        "cold_per_s": COLD / cold_wall,
        "cold_per_cpu_s": COLD / cold_cpu,
        "warm_per_s": WARM / wall,
        "warm_per_cpu_s": WARM / cpu,
        "identifiers": share(drawn, lambda name: name.isidentifier() and not keyword.iskeyword(name)),
        "unique": len(set(drawn)) / len(drawn),
        "new": share(drawn, lambda name: name not in known),
    }


def share(drawn: list[str], holds: Callable[[str], bool]) -> float:
    return sum(map(holds, drawn)) / len(drawn)


def quality() -> dict[str, float]:
    """Ask how far the sums are from 1, and how often a suffix of no arguments gets a function of no arguments."""
    model, random = EmbeddedModel.load(), Random(0)
    functions = read_corpus().functions()
    worst = 0.0
    for text in random.sample(functions, 60):
        tokens = [token for _, token in lex(text)]
        context = "".join(tokens[: random.randrange(len(tokens))])
        worst = max(worst, abs(math.fsum(model.next_distribution(context).values()) - 1))
    heads = [text.removeprefix("async ").removeprefix("def ") for text in functions]
    known = {head.split("(")[0] for head in heads}
    without = {head.split("(")[0] for head in heads if head.partition("(")[2].startswith(")")}
    found = {"worst_sum_error": worst}
    for arm in ARMS:
        drawn = [name for number in range(250) for name in ask(model, arm, "1.0/1.0", number) if name in known]
        found[f"no_arguments_{arm}"] = share(drawn, without.__contains__)
    return found


def held_out() -> dict[str, float]:
    """Learn nine tenths of the functions and price the rest, every letter of every unseen word included."""
    functions = read_corpus().functions()
    rest = functions[5::10]
    learnt = [text for place, text in enumerate(functions) if place % 10 != 5]
    model = EmbeddedModel(Language(build_index(learnt)), "nine tenths")
    nats = chars = 0.0
    for text in rest:
        nats -= math.fsum(logprob for _, logprob in model.score(text))
        chars += len(text)
    return {"functions": len(rest), "bits_per_char": nats / math.log(2) / chars}


def memory(requests: int) -> dict[str, float]:
    """Ask the same two prompts and as many others, all different."""
    model = EmbeddedModel.load()
    before, random = rss(), Random(1)
    steps = []
    for number in range(requests):
        ask(model, "L2R", "1.0/1.0", number)
        if number % 20 == 0:
            ask(model, "FIM", "0.4/0.9", number)
            word = "".join(random.choices("abcdefghij", k=8))
            model.generate(L2r(f"def {word}({word[:3]}):\n    "), Sampling(max_new_tokens=16, seed=number))
        if number in (requests // 4, requests // 2, requests * 3 // 4):
            steps.append(rss())
    return {"requests": requests, "rss_before_mb": before, "rss_half_mb": steps[1], "rss_after_mb": rss()}


def rss() -> float:
    """Return the resident memory in MB: now on Linux, at its highest elsewhere."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def forget_pages(folder: Path) -> None:
    """Drop a folder's files from the page cache, as after a reboot; needs no rights, and works on Linux alone."""
    if hasattr(os, "posix_fadvise"):
        for path in folder.rglob("*"):
            if path.suffix in (".py", ".bin") and path.is_file():
                descriptor = os.open(path, os.O_RDONLY)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(descriptor)


def child(*words: str, cache: Path | None = None) -> dict[str, Any]:
    """Run one measurement in a process of its own, on one core."""
    environment = os.environ | ({"EVOSELFCODE_CACHE": str(cache)} if cache else {})
    command = [sys.executable, __file__, "--measure", *words]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return dict(json.loads(ran.stdout))


def measure_all(requests: int) -> dict[str, Any]:
    library = Path(os.__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        found: dict[str, Any] = {"build": child("load", cache=cache), "load": child("load", cache=cache)}
        forget_pages(library)
        found["build_cold_pages"] = child("load", cache=cache / "none")
        forget_pages(library)
        forget_pages(cache)
        found["load_cold_pages"] = child("load", cache=cache)
        found["cache_mb"] = sum(path.stat().st_size for path in cache.glob("*.bin")) / 1e6
    for arm, setting in itertools.product(ARMS, SAMPLING):
        found[f"{arm} {setting}"] = child("names", arm, setting)
    return found | {
        "quality": child("quality"),
        "held_out": child("held_out"),
        "memory": child("memory", str(requests)),
    }


def card(found: dict[str, Any]) -> str:
    lines = [f"embedded model, Python {platform.python_version()}, {os.cpu_count()} cores of {platform.machine()}", ""]
    for key, label in (
        ("build", "build, no cache"),
        ("load", "load from the cache"),
        ("build_cold_pages", "build, files not in memory"),
        ("load_cold_pages", "load, files not in memory"),
    ):
        lines.append(f"{label:28}{found[key]['seconds']:6.2f} s   {found[key]['rss_mb']:4.0f} MB")
    lines += ["", "names per second on one core (per CPU second), shares of 2,000 names"]
    lines.append(f"{'arm  T/top_p':14}{'cold':>16}{'warm':>18}{'identifiers':>14}{'unique':>8}{'new':>7}   target")
    for arm, setting in itertools.product(ARMS, SAMPLING):
        row = found[f"{arm} {setting}"]
        cold = f"{row['cold_per_s']:,.0f} ({row['cold_per_cpu_s']:,.0f})"
        warm = f"{row['warm_per_s']:,.0f} ({row['warm_per_cpu_s']:,.0f})"
        ok = min(row["cold_per_cpu_s"], row["warm_per_cpu_s"]) >= TARGETS[arm] and row["identifiers"] >= 0.9
        lines.append(
            f"{arm:5}{setting:9}{cold:>16}{warm:>18}{row['identifiers']:>14.1%}{row['unique']:>8.0%}{row['new']:>7.0%}"
            f"   {'met' if ok else 'MISSED'} ({TARGETS[arm]})"
        )
    quality, held, memory = found["quality"], found["held_out"], found["memory"]
    return "\n".join([
        *lines,
        "",
        f"sum over the vocabulary: off by {quality['worst_sum_error']:.1e} at worst of 60 contexts",
        f"names of functions without arguments, of known names: {quality['no_arguments_L2R']:.0%} L2R, "
        f"{quality['no_arguments_FIM']:.0%} FIM with the suffix '():'",
        f"held-out functions: {held['bits_per_char']:.2f} bits per character ({held['functions']:.0f} functions)",
        f"memory: {memory['rss_before_mb']:.0f} MB loaded, {memory['rss_half_mb']:.0f} MB at half and "
        f"{memory['rss_after_mb']:.0f} MB after {memory['requests']:,} requests",
        f"cache: {found['cache_mb']:.1f} MB in {cache_folder()}",
    ])  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the embedded model.")
    parser.add_argument("--requests", type=int, default=20_000, help="requests of the memory measurement")
    parser.add_argument("--measure", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure is None:
        record = Record("embedded_model", {"requests": options.requests})
        found = measure_all(options.requests)
        print(card(found))
        record.keep(found)
        return
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    measurements: dict[str, Callable[..., Any]] = {
        "load": load, "names": names, "quality": quality, "held_out": held_out, "memory": lambda n: memory(int(n))
    }  # fmt: skip
    name, *arguments = options.measure
    print(json.dumps(measurements[name](*arguments)))


if __name__ == "__main__":
    main()
