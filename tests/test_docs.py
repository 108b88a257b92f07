"""The documentation keeps its word: links lead somewhere, commands exist, programs run.

Conventions: every ``bash`` block is parsed and every ``python`` block is run. Of the pages in :data:`RUN`, bash and
python blocks are run in order, in one folder with a copy of configs/ (with fewer requests) and a served embedded model
in place of ``http://127.0.0.1:8000``. ``<!-- not run: why -->`` before a block leaves it at parsing.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import checkout
import click
import pytest
import yaml
from serve_process import serve

from evoselfcode.cli import main
from evoselfcode.config import RunConfig

PAGES = {name: text for name, text in checkout.texts(".md") if "/" not in name or name.startswith("docs/")}
RUN = [
    "README.md",
    "docs/how-to/bench-your-endpoint.md",
    "docs/how-to/choose-code.md",
    "docs/how-to/compare-fim-and-l2r.md",
    "docs/how-to/make-a-dataset.md",
    "docs/how-to/retry-and-refilter.md",
    "docs/how-to/write-code.md",
    "docs/tutorial/first-names.md",
]
KNOWN = {"cat", "cd", "curl", "export", "git", "head", "kill", "kubectl", "ls", "pip", "sbatch", "sed", "tail", "wc"}
"""Commands that are not ours and that a page may show."""

STAND_IN = "http://127.0.0.1:8000"


class Block(NamedTuple):
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    text: str
    run: bool


def blocks(page: str, *languages: str) -> list[Block]:
    """Return the fenced blocks of a page in the given languages."""
    found = re.finditer(r"(<!-- not run:.*?-->\n+)?^```(\w*)\n(.*?)^```$", PAGES[page], re.MULTILINE | re.DOTALL)
    return [
        Block(page, PAGES[page].count("\n", 0, match.start(2)) + 1, match[2], match[3], match[1] is None)
        for match in found
        if match[2] in languages
    ]


def every(*languages: str) -> Iterator[Block]:
    """Yield the blocks of all pages."""
    for page in PAGES:
        yield from blocks(page, *languages)


def anchors(page: str) -> set[str]:
    """Return the anchors that the headings of a page make."""
    text = re.sub(r"^```.*?^```$", "", PAGES[page], flags=re.MULTILINE | re.DOTALL)
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_every_link_leads_somewhere() -> None:
    """Sabotage: rename a page, or a heading that another page points to."""
    dead = []
    for page, text in PAGES.items():
        for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)):
            if "://" in target:
                continue
            path, _, anchor = target.partition("#")
            there = (checkout.ROOT / page).parent / path if path else checkout.ROOT / page
            name = os.path.relpath(there, checkout.ROOT)
            if not there.exists() or (anchor and anchor not in anchors(name)):
                dead.append(f"{page}: {target}")
    assert dead == []


def test_every_page_is_in_the_index() -> None:
    """Sabotage: add a page below docs/ and link to it from nowhere."""
    index = PAGES["docs/README.md"] + PAGES["docs/decisions/README.md"]
    pages = [name for name in PAGES if name.startswith("docs/") and not name.endswith("README.md")]
    assert [name for name in pages if name.rpartition("/")[2] not in index] == []


def commands(block: Block) -> Iterator[list[str]]:
    """Yield the commands of a bash block as words, without variables set before them and what follows a pipe."""
    for line in block.text.replace("\\\n", " ").splitlines():
        for part in re.split(r"\s&&\s|\s\|\s|;\s", line):
            words = shlex.split(part, comments=True)
            words = words[: next((i for i, word in enumerate(words) if word in ("&", ">", "2>")), len(words))]
            while words and re.match(r"[A-Z_]+=", words[0]):
                words.pop(0)
            if words:
                yield words


def complaint(words: list[str]) -> str | None:
    """Say what is wrong with a command, or ``None``."""
    if words[0] == "make":
        return next((f"no target {word}" for word in words[1:] if f"\n{word}:" not in checkout.read("Makefile")), None)
    joined = " ".join(words)
    own = re.match(r"(?:\S*/)?(?:evoselfcode|python -m evoselfcode(?:\.cli)?)(?:\s|$)", joined)
    if own:
        return unparsable(words[len(own[0].split()) :])
    if words[0].startswith(("scripts/", ".venv/bin/")) or words[0] in {".", "python", *KNOWN}:
        return None
    return "an unknown command"


def unparsable(arguments: list[str]) -> str | None:
    """Let click parse the arguments of our program, running nothing."""
    try:
        context = main.make_context("evoselfcode", list(arguments))
        with context:
            name, command, rest = main.resolve_command(context, context._protected_args + context.args)
            command.make_context(name, rest, parent=context)
    except click.exceptions.Exit:
        return None
    except click.ClickException as error:
        return error.format_message()
    return None


def test_every_command_that_is_shown_exists() -> None:
    """Sabotage: rename the option ``--new-run`` in cli.py, or a target of the Makefile."""
    shown = [(block, words) for block in every("bash") for words in commands(block)]
    assert len(shown) > 20
    wrong = [f"{block.page}:{block.line}: {' '.join(words)}: {told}" for block, words in shown
             if (told := complaint(words))]  # fmt: skip
    assert wrong == []


@pytest.mark.parametrize("words", ["make name", "evoselfcode datagen-names --nwe-run", "evoselfcode datagen", "rm x"])
def test_a_wrong_command_is_noticed(words: str) -> None:
    assert complaint(words.split())


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    """Serve the embedded model as vLLM would, and return its address."""
    with serve("--suffix", "refuse") as server:
        yield server.url.removesuffix("/v1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder to run in: a copy of configs/ that asks less."""
    shutil.copytree(checkout.ROOT / "configs", tmp_path / "configs")
    config = tmp_path / "configs" / "datagen.yaml"
    text = config.read_text(encoding="utf-8")
    assert "num_requests: 250" in text
    config.write_text(text.replace("num_requests: 250", "num_requests: 5"), encoding="utf-8")
    return tmp_path


def run(command: list[str], folder: Path) -> None:
    """Run a command in a folder, with our program first on the PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        command, cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("page", RUN)
def test_pages_run_from_top_to_bottom(page: str, folder: Path, served: str) -> None:
    """Sabotage: let ``datagen-names`` write its files elsewhere, or ``doctor`` exit with 2."""
    script = "".join(
        block.text if block.language == "bash" else f"python -W error - <<'END'\n{block.text}END\n"
        for block in blocks(page, "bash", "python")
        if block.run
    )
    assert script
    script = re.sub(r"num_requests=\d+", "num_requests=6", script.replace(STAND_IN, served))
    run(["bash", "-euo", "pipefail", "-c", script], folder)


PROGRAMS = [block for block in every("python") if block.page not in RUN]


@pytest.mark.parametrize("block", PROGRAMS, ids=lambda block: f"{block.page}:{block.line}")
def test_programs_run(block: Block, folder: Path) -> None:
    """Sabotage: rename ``stream_funcnames``, or the key ``func_name`` of its rows."""
    compile(block.text, block.page, "exec")
    if block.run:
        run([sys.executable, "-W", "error", "-c", block.text], folder)


def test_yaml_that_is_shown_is_a_configuration() -> None:
    """Sabotage: rename a key of the schema that a page shows."""
    shown = [yaml.safe_load(block.text) for block in every("yaml")]
    ours = [document for document in shown if "apiVersion" not in document]
    assert len(ours) > 1
    for document in ours:
        RunConfig.from_mapping({"model": "any"} | document)


def test_picture_loads_nothing_from_the_network() -> None:
    """Sabotage: let scripts/draw_run.py keep the fonts that rich links to."""
    picture = checkout.read("docs/assets/run.svg")
    assert "datagen-names" in picture
    assert re.findall(r"(?:url\(|href=|src=)[\"']?https?:", picture) == []
    assert "@import" not in picture
