"""Ranked functions of made-up code runs, what lies beside them, and the documents of their reports."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from code_report_documents import EVIL, hostile_code_run, realistic_code
from report_documents import HOSTILE

from evoselfcode.report.page import render_code
from evoselfcode.report.score_choice import ChoiceMade, MetricMade
from evoselfcode.report.score_document import score_document
from evoselfcode.report.score_health import Health, health_in
from evoselfcode.report.score_metrics import METRICS
from evoselfcode.report.score_rows import Ran, RankedRow, RowChoice, ScoredRow
from evoselfcode.storage import Damage

TOLD = {"rated": 518, "unparsed": 3, "at_best": 0.21, "retest": {"pairs": 200, "kappa": 0.71, "alpha": 0.7},
        "mutants": {"pairs": 200, "drop": {"value": 1.31, "low": 1.1, "high": 1.5}, "unmoved": 0.18}}  # fmt: skip
CHECKS = {
    name: {"informative": True, "why": [], "not_checked": ["execution: too few"] * (name == "problem")} | TOLD
    for name in METRICS["rating"]
} | {"readability": {"informative": False, "why": ["93 % of the ratings are 5"]} | TOLD}
HEALTH = health_in(msgspec.json.encode({"version": 1, "dimensions": CHECKS}))


def ranked(
    number: int,
    arm: str = "FIM",
    name: str = "",
    *,
    code: str = "",
    choice: RowChoice | None = None,
    **families: dict[str, Any] | None,
) -> RankedRow:
    """Make a ranked function; those of four numbers in a row are for one name."""
    name = name or f"task_{number // 4}"
    code = code or f"def {name}(values):\n    return values[{number}]\n"
    return RankedRow(
        func_name=name, source=arm, id=f"{arm}{number}", code=code,
        choice=choice, **families,
    )  # fmt: skip


def scores_made(
    rows: Iterable[RankedRow | Damage],
    ran: Iterable[Ran | Damage] = (),
    scored: Iterable[ScoredRow | Damage] = (),
    **more: Any,
) -> dict[str, Any]:
    """Make what a report says of these rows."""
    more = {"choice": ChoiceMade(), "health": {}} | more
    return score_document(iter(rows), ran=iter(ran), scored=iter(scored), **more)


def _measured(random: Random, arm: str, *, good: bool) -> dict[str, dict[str, Any]]:
    """Make numbers such as a model and the tools give: FIM writes a little better, and readability is always 5."""
    shift = 0.25 if arm == "FIM" else 0.0
    skill = random.gauss(0.3 if good else -0.6, 1) + shift
    rating = {
        "problem": random.gauss(3.4 + 0.3 * skill, 0.7), "definition": random.gauss(3.9, 0.5),
        "correctness": random.gauss(3.0 + 0.9 * skill, 0.6), "efficiency": random.gauss(3.2, 0.8),
        "readability": random.gauss(4.95, 0.15),
    }  # fmt: skip
    body = min(-0.02, random.gauss(-0.45 + 0.05 * skill, 0.16))
    return {
        "rating": {name: min(5.0, max(1.0, value)) for name, value in rating.items()},
        "scores": {
            "perplexity": 2.718 ** -body, "bits_per_byte": -0.4 * body, "body_logprob": body,
            "docstring_pmi": random.gauss(0.12, 0.08), "ifd": random.gauss(0.8, 0.1),
            "coder_reviewer": random.gauss(-60, 22), "tail_logprob": random.gauss(-3.1, 0.8) + 2 * shift,
            "least_logprob": -random.expovariate(0.2) - 1.0, "name_recoverability": random.gauss(4, 2),
            "tokens": random.randrange(20, 260),
        },
        "quality": {
            "lint": random.choice([1.0, 1.0, 1.0, 0.9, 0.8, 0.5]), "complexity": 1 + int(random.expovariate(0.35)),
            "cognitive": int(random.expovariate(0.25)), "docstring": random.choice([0.0, 0.5, 0.75, 1.0]),
            "typing": random.choice([0.0, 0.5, 1.0, 1.0]),
            "band": random.choice([0.5, 1.0, 1.0]),
            "statements": random.randrange(2, 25), "size": random.random() if random.random() < 0.9 else None,
        },
    }  # fmt: skip


@cache
def realistic_scores() -> dict[str, Any]:
    """Make the ranked functions of two arms, a third of them chosen, and what a model says of those that failed."""
    random, rows, ran, scored = Random(5), [], [], []
    for arm in ("FIM", "L2R"):
        for number in range(360):
            good = random.random() < 0.7
            found = _measured(random, arm, good=good)
            row = ranked(number, arm, choice=_choice(random, number), **found)
            ran.append(Ran(row.id, row.func_name, good))
            scored.append(ScoredRow(row.id, scores=found["scores"], rating=found["rating"]))
            if good:
                rows.append(row)
    weights = {"rating_correctness": 1.0, "docstring_pmi": 1.0, "body_logprob": 1.0, "lint": 1.0, "evidence": 3.0}
    choice = ChoiceMade(
        {name: MetricMade(weight, 0.5 + weight / 9) for name, weight in weights.items()},
        {"rating_readability": "it is not informative: 93 % of the ratings are 5"}, names=90, pareto=17,
    )  # fmt: skip
    read_elsewhere = frozenset({"scores", "rating"})
    return scores_made(rows, ran, scored, choice=choice, health=HEALTH, read_elsewhere=read_elsewhere)


def _choice(random: Random, number: int) -> RowChoice:
    """Choose what stands above seven tenths of its stratum."""
    standing, first = round(random.betavariate(3, 2), 4), number % 4 == 0
    chosen = standing > 0.7 and first
    why = "agreement" if chosen else "beyond_top" if first else random.choice(["outvoted", "outranked", "copy"])
    topic, band = random.choice(["text", "numbers", "any"]), random.choice(["1", "2-4", "5-7"])
    return RowChoice(chosen, why, int(1e4 * (1 - standing)) if chosen else None, standing, topic, band)


def realistic_scored_code() -> dict[str, Any]:
    """Make the document of a code run with ranked functions."""
    return realistic_code() | {"scores": realistic_scores()}


def _hostile_choice(number: int, *, chosen: bool) -> RowChoice:
    text = HOSTILE[number % len(HOSTILE)]
    why = ("beyond_top", text)[number % 2]
    return RowChoice(chosen, why, number + 1 if chosen else None, number / 99, text, text)


def hostile_scores() -> dict[str, Any]:
    """Put harmful text everywhere a text can stand in the part about scores."""
    script, image, *_ = HOSTILE
    rows = [
        ranked(number, arm, name=HOSTILE[number % len(HOSTILE)], code=code,
               choice=_hostile_choice(number, chosen=chosen),
               quality=dict.fromkeys(HOSTILE, float(number)) | {"lint": image},
               rating={script: 1e300, image: number % 5 + 1.0}, scores={image: [script], "perplexity": 1e11 * number})
        for arm in (script, image) for number, code in enumerate(EVIL * 8) for chosen in (True, False)
    ]  # fmt: skip
    ran = [Ran(row.id, row.func_name, number % 3 > 0) for number, row in enumerate(rows)]
    choice = ChoiceMade(dict.fromkeys(HOSTILE, MetricMade(1.0, 0.5)), dict.fromkeys(HOSTILE, script))
    health = {name: Health(informative=False, why=script, not_checked=HOSTILE) for name in (*HOSTILE, image)}
    document = scores_made(rows, ran, choice=choice, health=health)
    return document | {"sentence": script, "warnings": list(HOSTILE)}


def write_pages(folder: Path) -> None:
    """Write both pages, to be looked at."""
    hostile = hostile_code_run() | {"scores": hostile_scores()}
    for name, document in (("scored_code", realistic_scored_code()), ("hostile_scored_code", hostile)):
        (folder / f"{name}.html").write_text(render_code(document), encoding="utf-8")


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
