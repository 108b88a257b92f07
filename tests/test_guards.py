"""House rules that no linter knows: sizes, names, exports, what must not be in a file."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator

import checkout

import evoselfcode

MOST_FILE_LINES = 300
MOST_FUNCTION_LINES = 60
FORBIDDEN = re.compile(r"manager|service|utils|helpers?|common", re.IGNORECASE)
"""Words that say nothing about what a module or a class decides."""

WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def sources() -> Iterator[tuple[str, str]]:
    """Yield (path, content) of every Python file of ours; extensionless scripts are short shell."""
    return checkout.texts(".py")


def test_no_file_is_longer_than_300_lines() -> None:
    """Sabotage: append 200 comment lines to evoselfcode/engine/pool.py."""
    long = {name: count for name, text in sources() if (count := len(text.splitlines())) > MOST_FILE_LINES}
    assert long == {}


def test_no_function_is_longer_than_60_lines() -> None:
    """Sabotage: add 60 lines to a function. Decorators count, nested functions count twice."""
    long = [
        f"{name}:{node.lineno} {node.name}: {lines} lines"
        for name, text in sources()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (lines := (node.end_lineno or 0) - min(d.lineno for d in [node, *node.decorator_list]) + 1)
        > MOST_FUNCTION_LINES
    ]
    assert long == []


def test_names_say_what_a_thing_is() -> None:
    """Sabotage: ``class RetryManager`` anywhere, or a file tests/utils.py."""
    named = [(name, name.rpartition("/")[2].removesuffix(".py")) for name, _ in sources()]
    named += [
        (f"{name}:{node.lineno}", node.name)
        for name, text in sources()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ClassDef)
    ]
    assert [found for found in named if any(FORBIDDEN.fullmatch(word) for word in WORDS.findall(found[1]))] == []


def test_prose_keeps_to_the_words_of_the_house() -> None:
    """Sabotage: write of a model's checkpoint in a docstring, or of 100 samples in a page of docs/."""
    field = r"(?<![`\x22.])\bsamples\b(?!:)"  # of other people's files
    unwanted = re.compile(rf"(?<!lowlevel\.)\bcheckpoints?\b|(?<!it )(?<!and )(?<!, ){field}", re.IGNORECASE)
    told = [
        f"{name}:{number}: {line.strip()[:80]}"
        for name, text in checkout.texts(".py", ".md", ".yaml")
        if not name.startswith("tests/") and name != "CONTRIBUTING.md"
        for number, line in enumerate(text.splitlines(), 1)
        if unwanted.search(line)
    ]
    assert told == []


def test_every_text_file_ends_with_one_newline() -> None:
    """Sabotage: delete the last byte of README.md."""
    bad = [
        name
        for name, text in checkout.texts()
        if text and not name.startswith("tests/data/") and (not text.endswith("\n") or text.endswith("\n\n"))
    ]
    assert bad == []


def test_public_names_are_sorted_importable_and_documented() -> None:
    """Sabotage: add a name to ``__all__`` and nowhere else, or take one out of docs/reference/api.md."""
    names = evoselfcode.__all__
    assert names == sorted(names)
    assert len(set(names)) == len(names)
    assert {name: getattr(evoselfcode, name, None) is not None for name in names} == dict.fromkeys(names, True)
    assert dir(evoselfcode) == sorted(names)
    page = checkout.read("docs/reference/api.md")
    assert [name for name in names if f"`{name}`" not in page and f"`{name}(" not in page] == []


def test_the_front_page_knows_no_other_name() -> None:
    """Sabotage: let ``__getattr__`` return ``None`` for a name it does not know."""
    assert not hasattr(evoselfcode, "generate_everything")


def test_importing_the_package_is_light() -> None:
    """Sabotage: ``import httpx`` at the top of evoselfcode/__init__.py."""
    program = "import sys, evoselfcode; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "evoselfcode" in loaded
    heavy = {"httpx", "anyio", "asyncio", "click", "rich", "yaml", "msgspec", "evoselfcode.clients", "evoselfcode.cli"}
    assert heavy & set(loaded) == set()


def test_asking_for_help_opens_no_http_library() -> None:
    """Sabotage: import OpenAICompletionClient and its transport at the top of cli.py."""
    program = "import sys, evoselfcode.cli; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert {"httpx", "rich", "evoselfcode.clients"} & set(loaded) == set()


def test_locked_requirements_are_hashed_and_name_no_address() -> None:
    """Sabotage: take a ``--hash`` line out of requirements/run.txt, or add an address to it."""
    locks = [name for name, _ in checkout.texts(".txt") if name.startswith("requirements/")]
    assert len(locks) >= 3
    for name in locks:
        text = checkout.read(name)
        assert not re.search(r"://|^-(?!-hash)|index|find-links|trusted-host|\s@\s", text, re.MULTILINE), name
        pins = re.sub(r"\\\n\s*", " ", text).splitlines()
        loose = [pin for pin in pins if not re.match(r"[\w.\-]+==\S+.* --hash=sha256:[0-9a-f]{64}", pin)]
        assert pins, name
        assert loose == [], name


def test_every_requirement_of_the_project_is_locked() -> None:
    """Sabotage: add a dependency to pyproject.toml and do not run make lock."""
    wanted = set(re.findall(r'^  "([\w.\-]+)[><=]', checkout.read("pyproject.toml"), re.MULTILINE))
    locked = {
        name.lower() for name in re.findall(r"^([\w.\-]+)==", checkout.read("requirements/test.txt"), re.MULTILINE)
    }
    assert len(wanted) > 10
    assert {name.lower() for name in wanted} - locked == set()


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    """Sabotage: write the absolute path of your home folder, or the address of a package index, into a comment."""
    machine = re.compile(r"(?<![\w.}>])/(?:home/(?!me\b)|root/|Users/|work/)\w|pypi\.org|pythonhosted\.org")
    found = [
        f"{name}:{number}: {line.strip()[:80]}"
        for name, text in checkout.texts()
        for number, line in enumerate(text.splitlines(), 1)
        if machine.search(line)
    ]
    assert found == []


def test_pages_that_the_code_points_to_exist() -> None:
    """Sabotage: rename docs/reference/exit-codes.md, which errors.py promises."""
    missing = [
        f"{name} points to {page}"
        for name, text in checkout.texts(".py", ".yaml", ".toml")
        if not name.startswith("tests/")
        for page in re.findall(r"docs/[\w/.\-]+\.(?:md|json)", text)
        if not (checkout.ROOT / page).exists()
    ]
    assert missing == []
