"""Walk through the review page in a real browser, and take pictures of it: ``python -m review_walk FOLDER``."""

from __future__ import annotations

import json
import random
import shutil
import signal
import sys
from pathlib import Path

from devtools import Page, chromium
from review_runs import HOSTILE, decided, write_run
from serve_process import review

VERBS = [
    "merge",
    "sort",
    "find",
    "count",
    "reverse",
    "rotate",
    "flatten",
    "parse",
    "is_valid",
    "compute",
    "build",
    "longest",
]
NOUNS = [
    "array",
    "list",
    "tree",
    "graph",
    "string",
    "intervals",
    "matrix",
    "subsequence",
    "palindrome",
    "heap",
    "prefix",
    "path",
    "digits",
]


def make_run(folder: Path) -> Path:
    """Write a run of made-up names, some drawn often; and the hostile ones."""
    dice = random.Random("review")
    names = [f"{verb}_{noun}" for verb in VERBS for noun in NOUNS]
    dice.shuffle(names)
    weights = [1 / rank for rank in range(1, len(names) + 1)]
    drawn = {arm: dice.choices(names, weights, k=400) for arm in ("FIM", "L2R")}
    drawn["FIM"][7:9] = ["quick_sort", "quickSort"]
    return write_run(folder, drawn, also=HOSTILE)


def name(page: Page) -> str:
    return str(page.run("document.querySelector('h2').textContent"))


def press(page: Page, key: str, wanted: str) -> None:
    """Press a key and wait for what it does."""
    page.key(key)
    page.wait(wanted)


def heading(text: str) -> str:
    return f"document.querySelector('h2').textContent === {json.dumps(text)}"


def counts(accepted: int, rejected: int) -> str:
    return (f"document.getElementById('accepted').textContent === '{accepted}' && "
            f"document.getElementById('rejected').textContent === '{rejected}'")  # fmt: skip


def decide_and_undo(page: Page, folder: Path) -> str:
    """Accept, reject, undo with the keyboard; return the name that comes next."""
    first = name(page)
    press(page, "a", counts(1, 0))
    page.wait(f"!({heading(first)})")
    second = name(page)
    press(page, "ArrowLeft", counts(1, 1))
    page.wait(f"!({heading(second)})")
    third = name(page)
    assert decided(folder) == [(first, "accept", []), (second, "reject", [])]
    press(page, "u", f"{counts(1, 0)} && {heading(second)}")
    assert decided(folder)[-1] == (second, "undo", [])
    press(page, "r", f"{counts(1, 1)} && {heading(third)}")
    return third


def tag(page: Page, folder: Path, shown: str) -> None:
    page.key("t")
    page.wait("document.activeElement.id === 'new-tag'")
    for letter in "graph":
        page.key(letter)
    press(page, "Enter", "document.querySelectorAll('#tags li').length === 1")
    assert decided(folder)[-1] == (shown, "undo", ["graph"])


def check_hostile(page: Page, folder: Path) -> None:
    """Look for each hostile name and see it as text, and nothing of it as markup."""
    for number, hostile in enumerate(HOSTILE[:4]):
        page.run(f"document.getElementById('text').value = {json.dumps(hostile)};"
                 "document.getElementById('filter').requestSubmit()")  # fmt: skip
        page.wait(heading(hostile))
        assert page.run("document.querySelectorAll('svg, img, main script, main [onload], main [onerror]').length") == 0
        if number == 0:
            press(page, "a", "document.querySelector('#card.accept') !== null")
    for part, picture in (("aaaaa", "long"), ("gnp", "reversed")):
        page.run(f"document.getElementById('text').value = '{part}'; document.getElementById('filter').requestSubmit()")
        page.wait("document.getElementById('matching').textContent === '1 match'")
        page.look(folder / f"{picture}-400.png", width=400, height=820)
    page.run("document.getElementById('text').value = ''; document.getElementById('filter').requestSubmit()")
    page.wait("document.getElementById('matching').textContent === ''")


def pictures(page: Page, folder: Path) -> None:
    for width, height in ((1280, 800), (400, 820)):
        for dark in (False, True):
            page.look(
                folder / f"review-{width}-{'dark' if dark else 'light'}.png", width=width, height=height, dark=dark
            )
            over = page.run("document.documentElement.scrollWidth - innerWidth")
            assert over <= 0, f"{over} px too wide at {width} px"
        for key, dialog in (("t", "tagging"), ("?", "help")):
            press(page, key, f"document.getElementById('{dialog}').open")
            page.look(folder / f"{dialog}-{width}.png", width=width, height=height)
            page.run(f"document.getElementById('{dialog}').close()")


def walk(folder: Path) -> None:
    """Do what a reviewer does, in two tabs, over a restart."""
    run = make_run(folder / "run")
    with chromium(folder / "profile", tabs=2) as (page, other):
        with review(str(run)) as server:
            page.open(server.url)
            page.wait("document.querySelectorAll('nav li').length > 5")
            third = decide_and_undo(page, run)
            tag(page, run, third)
            page.look(folder / "tagging.png", width=1280, height=800)
            page.run("document.getElementById('tagging').close()")
            other.open(server.url)
            other.wait(f"{heading(third)} && {counts(1, 1)}")
            press(other, "a", counts(2, 1))
            press(page, "ArrowDown", f"!({heading(third)})")
            press(page, "r", counts(2, 2))
            page.open(server.url)
            page.wait(counts(2, 2))
            check_hostile(page, folder)
            server.signal(signal.SIGTERM)
            assert server.ended()[0] == 0
            page.key("a")
            page.wait("document.getElementById('message').textContent.startsWith('The server does not answer')")
            page.events = [event for event in page.events if "ERR_CONNECTION_REFUSED" not in json.dumps(event)]
        with review(str(run)) as server:
            page.open(server.url)
            page.wait(counts(3, 2))
            press(page, "ArrowUp", "document.querySelector('[aria-current]') !== null")
            pictures(page, folder)
        assert page.complaints() + other.complaints() == []
    print(f"{len(decided(run))} decisions in {run}; pictures in {folder}")


if __name__ == "__main__":
    place = Path(sys.argv[1])
    shutil.rmtree(place, ignore_errors=True)
    walk(place)
