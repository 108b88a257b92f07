"""Documents for the tests of the page: a realistic one, and one by a model that means harm."""

from __future__ import annotations

import math
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

from evoselfcode.report.page import render

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; DROP--\n</style></title><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% include '/etc/passwd' %}",
    "\u202eevil_drowssap\u202c",
    "ٱسْم_دالة_שֵׁם",
    "naïve_名前_🧮_$\\frac{1}{0}$",
    "nul\0bell\7half\ud800escape\x1b[31m",
    "javascript:alert(1)",
    "x" * 5_000,
)
"""Names that a page must show and not obey."""

ADDRESSES = ("http://127.0.0.1:8000/v1", "http://pod-0:8000", "http://pod-1:8000")
"""All addresses that the realistic page names."""


def interval(estimate: float, half: float) -> dict[str, float]:
    return {"estimate": estimate, "low": estimate - half, "high": estimate + half}


def texts(*dropped: str) -> dict[str, Any]:
    """Make the texts that a reason dropped, the first most often."""
    counted = [{"text": text, "count": max(1, 90 // (place + 1))} for place, text in enumerate(dropped)]
    return {"distinct": len(dropped), "examples": counted[:200]}


def over_time() -> dict[str, Any]:
    """Make the timeline of two processes with 100 minutes between them, whose limit was halved on the way."""
    wave = [max(0.0, math.sin(number / 9)) for number in range(120)]
    return {
        "began": 1_764_122_591.25, "seconds": 2_276.4, "requests": 4_996, "undated": 4,
        "edges": [18.97 * number for number in range(121)],
        "settled": [30 + round(20 * height) for height in wave], "kept": [70 - number // 2 for number in range(120)],
        "under_way": [40 + 8 * height for height in wave],
        "failures": {"rate_limited": [round(6 * (1 - height)) for height in wave], "disconnect": [0, 8] + [0] * 118,
                     "timeout": [0] * 119 + [3], "server_error": [1] * 120, "overloaded": [2] * 120},
        "limit": [[0.0, 32], [1_138.2, 16]],
        "limits": {"http://pod-0:8000": [[0.0, 16], [400.0, 0], [700.5, 8], [705.5, 16], [1_138.2, 8]],
                   "http://pod-1:8000": [[0.0, 16], [1_138.2, 8]]},
        "episodes": {"count": {"client_bound": 1, "parked": 1}, "first": [
            {"at": 400.0, "kind": "parked", "endpoint": "http://pod-0:8000", "seconds": 300.5,
             "reason": "connect: connection refused; asked again in 1.0 s"},
            {"at": 1_200.0, "kind": "client_bound", "endpoint": "", "seconds": None,
             "reason": "the event loop was late by 0.4 s"}]},
        "pauses": {"count": 1, "seconds": 6_012.0, "first": [[1_138.2, 6_012.0]]},
    }  # fmt: skip


def arm(name: str, vocabulary: float, regex: int, rate: float) -> dict[str, Any]:
    """Make the numbers of one arm that draws from about `vocabulary` names."""
    curve = [[n, round(vocabulary * (1 - math.exp(-((n / 9_000) ** rate))))] for n in range(50, 10_001, 50)]
    kept = curve[-1][1]
    words = ["is_prime", "quick_sort", "binary_search", "merge_sort", "gcd", "dijkstra", "bubble_sort", "n_queens"]
    return {
        "arm": name, "requests": 2_500, "dead": 2, "draws": 10_000, "kept": kept,
        "yield": interval(kept / 10_000, 0.009),
        "reasons": [
            {"reason": "duplicate", "meaning": "the canonical name was accepted before", "count": 9_400 - kept - regex,
             **texts("quick_sort", "is_prime", "quicksort", "gcd")},
            {"reason": "regex", "meaning": "it does not match filters.name_regex", "count": regex,
             **texts("3_to_bottom", "A", "check square", " sort", *(f"{number}_sum" for number in range(240)))},
            {"reason": "weak", "meaning": "it is on the list of names that say nothing", "count": 431,
             **texts("foo", "test", "bar")},
            {"reason": "keyword", "meaning": "Python keeps it for itself", "count": 169, **texts("list", "class")},
        ],
        "new_per_1000": kept / 10,
        "species": {"draws": 9_400 - regex, "distinct": kept, "once": round(kept * 0.62), "twice": round(kept * 0.14),
                    "unseen": interval(0.62 * kept / (9_400 - regex), 0.011), "coverage": 1 - 0.62 * kept / 9_000,
                    "chao1": kept * 2.31, "chao1_range": interval(kept * 2.31, kept * 0.2), "ace": kept * 2.6,
                    "rarefied": {"draws": 8_700, "distinct": kept * 0.97},
                    "hill": [float(kept), kept * 0.41, kept * 0.12]},
        "curve": curve, "heaps": 0.81 * rate, "topics": None, "vendi": {"names": 300, "score": 212.4 * rate},
        "logprob": {"names": kept, "low": -14.2 * rate, "median": -10.9 * rate, "high": -8.1 * rate},
        "forecast": {"draws": 20_000, "distinct": interval(kept * 1.55, kept * 0.04)},
        "top": [{"name": words[i % 8] + ("" if i < 8 else f"_{i}"), "count": 420 // (i + 1)} for i in range(50)],
        "lengths": [[n, round(800 * math.exp(-((n - 30 * rate + 11) ** 2) / (90 * rate - 30)))] for n in range(3, 34)],
        "words": [[n, round(1_900 * math.exp(-((n - 3.2 * rate) ** 2) / (3 - 2 * rate)))] for n in range(1, 8)],
        "tokens": {"prompt": 45_000, "completion": 41_871, "per_kept": 86_871 / kept},
        "seconds": 4_312.7, "attempts": 2_541, "failures": {"rate_limited": 31, "disconnect": 8},
    }  # fmt: skip


SENTENCE = "FIM finds 38.6 more new names per 1,000 draws than L2R (95 % interval 26.2 to 51.0, at 10,000 draws each)."


def realistic() -> dict[str, Any]:
    """Make the document of a run of 10,000 draws an arm."""
    a, b = arm("FIM", 5_600, 212, 0.78), arm("L2R", 5_000, 640, 0.84)
    return {
        "version": 2, "stage": "names", "folder": "data/generated/names",
        "warnings": ["the FIM suffix \"():\\n\" promises a function without arguments; the L2R prompt does not"],
        "provenance": {
            "model": "Qwen2.5-Coder-32B", "server": "vLLM 0.10.1", "fim": "raw sentinels (qwen)",
            "base_url": "http://127.0.0.1:8000/v1", "started": "2025-11-26T02:03:11Z",
            "updated": "2025-11-26T02:41:07Z", "state": "finished",
            "versions": {"evoselfcode": "0.1.0", "python": "3.11.9"},
            "settings": {"namegen.temperature": 0.4, "namegen.stop": ["(", " ", "\n"], "namegen.seed": 0,
                         "prompts.funcname.l2r.prompt": "This is an algorithm function.\n\ndef "},
        },
        "arms": [a, b],
        "answer": {"word": "FIM", "sentence": SENTENCE},
        "ranking": [
            {"arm": told["arm"], "draws": 10_000, "names": told["kept"],
             "new_per_1000": interval(told["new_per_1000"], 9.0)} for told in (a, b)
        ],
        "comparisons": [{
            "arms": ["FIM", "L2R"], "factors": ["mode"], "draws": 10_000, "confidence": 0.95,
            "primary": "accepted new names per 1,000 draws", "verdict": "FIM", "sentence": SENTENCE, "more_draws": None,
            "metrics": [
                {"metric": "accepted new names per 1,000 draws", "unit": "names per 1,000 draws",
                 "a": a["new_per_1000"], "b": b["new_per_1000"], "difference": interval(38.6, 12.4), "p": 0.0000012,
                 "p_holm": None, "verdict": "FIM"},
                {"metric": "accepted by every gate, repetitions counted", "unit": "share of draws", "a": 0.9188,
                 "b": 0.876, "difference": interval(0.0428, 0.008), "p": 1e-9, "p_holm": 3e-9, "verdict": "FIM"},
                {"metric": "dropped as weak", "unit": "share of draws", "a": 0.0431, "b": 0.0431,
                 "difference": interval(0.0, 0.0056), "p": 1.0, "p_holm": 1.0, "verdict": "undecided"},
            ],
            "overlap": {
                "both": 1_604, "only": {"FIM": a["kept"] - 1_604, "L2R": b["kept"] - 1_604}, "jaccard": 0.31,
                "examples": {"both": ["quick_sort", "is_prime"], "FIM": ["reservoir_sampling"], "L2R": ["add"]},
            },
            "more_probable": 0.58,
        }],
        "timeline": over_time(),
    }  # fmt: skip


def several(count: int) -> dict[str, Any]:
    """Make the document of a run of several arms, one of them with topics, each compared with the next."""
    document = realistic()
    first, (one,) = document["arms"][0], document["comparisons"]
    names = [f"cell {number}" for number in range(count)]
    rows = [{"topic": "shortest paths in weighted graphs", "draws": 8, "accepted": 7, "names": 5}]
    document["arms"] = [dict(first, arm=name) for name in names]
    document["arms"][-1] |= {"topics": {"asked": 3, "most": rows, "fewest": rows}}
    document["ranking"] = [dict(document["ranking"][0], arm=name) for name in names]
    document["answer"] = {"word": "", "sentence": f"Of {count} arms cell 0 finds the most."}
    document["comparisons"] = [
        one | {"arms": [a, b], "factors": ["temperature"], "overlap": one["overlap"] | {"only": {a: 3, b: 4}}}
        for a, b in pairwise(names)
    ]
    return document


def hostile() -> dict[str, Any]:
    """Put harmful text everywhere a text can stand, the names of the arms and all keys included."""
    script, image, style, *_ = HOSTILE
    document = realistic()
    renamed = {"FIM": script, "L2R": image}
    for told in document["arms"]:
        told["arm"] = renamed[told["arm"]]
        told["top"] = [{"name": name, "count": 9 - number} for number, name in enumerate(HOSTILE)]
        told["reasons"] = [
            {"reason": name, "meaning": name, "count": 5, **texts(*HOSTILE[i:])} for i, name in enumerate(HOSTILE)
        ]
        told["failures"] = dict.fromkeys(HOSTILE, 3)
    document |= {"stage": style, "folder": image, "warnings": list(HOSTILE)}
    document["provenance"] = dict.fromkeys(document["provenance"], script) | {
        "versions": dict.fromkeys(HOSTILE, image), "settings": {key: list(HOSTILE) for key in HOSTILE},
    }  # fmt: skip
    document["answer"] = {"word": image, "sentence": style}
    for row, name in zip(document["ranking"], (script, image), strict=True):
        row["arm"] = name
    document["arms"][0]["topics"] = {
        "asked": 9, "most": [{"topic": text, "draws": 2, "accepted": 1, "names": 1} for text in HOSTILE], "fewest": [],
    }  # fmt: skip
    document["timeline"]["failures"] = {kind: [9 - number] * 120 for number, kind in enumerate(HOSTILE)}
    document["timeline"]["limits"] = {name: [[0.0, 9 - number]] for number, name in enumerate(HOSTILE)}
    document["timeline"]["episodes"] = {
        "count": dict.fromkeys(HOSTILE, 2),
        "first": [{"at": 9.0, "kind": text, "endpoint": text, "seconds": 1.0, "reason": text} for text in HOSTILE],
    }
    (one,) = document["comparisons"]
    one |= {"arms": [script, image], "verdict": image, "primary": style, "sentence": style, "factors": [image]}
    one["metrics"][0] |= {"metric": style, "unit": script, "verdict": image}
    one["overlap"] |= {"only": {script: 3, image: 4}, "examples": {"both": list(HOSTILE), script: list(HOSTILE)}}
    return document


def empty(name: str) -> dict[str, Any]:
    """Make the numbers of an arm that drew nothing."""
    nothing = interval(0.0, 0.0)
    return {
        "arm": name, "requests": 0, "dead": 0, "draws": 0, "kept": 0, "yield": nothing, "reasons": [],
        "new_per_1000": 0.0, "curve": [], "heaps": None, "topics": None, "vendi": None, "logprob": None,
        "forecast": {"draws": 0, "distinct": nothing}, "top": [], "lengths": [],
        "species": {"draws": 0, "distinct": 0, "once": 0, "twice": 0,
                    "unseen": {"estimate": 1.0, "low": 0.0, "high": 1.0}, "coverage": 0.0, "chao1": 0.0,
                    "chao1_range": nothing, "ace": None, "rarefied": {"draws": 0, "distinct": None},
                    "hill": [0.0, 0.0, 0.0]},
        "words": [], "tokens": {"prompt": 0, "completion": 0, "per_kept": None}, "seconds": 0.0, "attempts": 0,
        "failures": {},
    }  # fmt: skip


def write_pages(folder: Path) -> None:
    """Write both pages, to be looked at."""
    for made in (realistic, hostile):
        (folder / f"{made.__name__}.html").write_text(render(made()), encoding="utf-8")


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
