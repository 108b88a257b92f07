"""The reference pages of the wire are current: generated where they can be, complete where they cannot."""

from __future__ import annotations

import importlib.util
import re
from types import ModuleType

import checkout

from evoselfcode.wire import completions, failures, servers
from evoselfcode.wire.sentinels import FAMILIES

DIALECTS = checkout.read("docs/reference/dialects.md")


def _writer() -> ModuleType:
    path = checkout.ROOT / "scripts" / "write_sentinels_reference.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_sentinels_is_the_table() -> None:
    """Sabotage: change a stop, a pattern or a sentinel and do not write the page anew."""
    page = checkout.read("docs/reference/sentinels.md")
    assert page == _writer().page()
    assert all(page.count(f"\n| {name} |") == 3 for name in FAMILIES)


def _section(title: str) -> str:
    return re.split(r"^## ", DIALECTS.partition(f"## {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def _named(text: str) -> set[str]:
    """Return what stands between backticks in the first cell of each row."""
    return {
        name for line in text.splitlines() if line.startswith("| `") for name in line.split("|")[1].split("`")[1::2]
    }


def test_the_page_of_dialects_has_every_server_that_is_recognised() -> None:
    """Sabotage: recognise one more server and leave the page alone."""
    known = {*servers._OWNERS.values(), *servers._HOSTS.values(), "localai", "tgi"}
    assert _named(DIALECTS.partition("## ")[0]) == known
    assert _named(_section("Fields of a request")) == known - {"evoselfcode"}
    assert _named(_section("Fill-in-the-middle")) == known - {"evoselfcode"}


def test_the_page_of_dialects_has_the_fields_and_limits_that_are_sent() -> None:
    """Sabotage: raise a limit in ``_MOST_STOPS``; add a server to ``_EXPLICIT`` or ``_STOP_IDS``."""
    rows = {
        name: line.split("|")[2:]
        for line in _section("Fields of a request").splitlines()
        for name in _named(line)
        if line.startswith("| `")
    }
    told = {*completions._MOST_STOPS, *completions._EXPLICIT, *completions._STOP_IDS, *completions._SEEDLESS}
    assert told - rows.keys() == {"evoselfcode"}  # ours, which the page leaves out
    for name, (_, seed, stops, ids, besides, *_) in rows.items():
        explicit = completions._EXPLICIT.get(name, {})
        if name != "llama-cpp-python":
            assert set(re.findall(r"`(\w+): -?\d", besides)) == set(explicit), name
        assert ("yes" in ids) == (name in completions._STOP_IDS), name
        assert "any" in stops or re.findall(r"\d+", stops)[0] == str(completions._MOST_STOPS.get(name, 4)), name
        assert ("no such field" in seed) == (name in completions._SEEDLESS), name


def test_the_page_of_dialects_has_every_ending_that_is_translated() -> None:
    text = _section("Replies")
    for ending in {*completions._ENDINGS, *completions._FAILED_ENDINGS}:
        assert f"`{ending}`" in text, ending


def test_the_page_of_dialects_has_every_kind_that_a_reply_can_be() -> None:
    told = {kind for _, kind in failures.CRASHES} | {kind for _, _, kind in failures._OTHERWISE}
    text = _section("Errors")
    assert {kind for kind in told if f"`{kind}`" not in text} - {"no_model"} == set()
