"""The page of a code run: complete, inert whatever a model wrote, and there for runs with nothing to show."""

from __future__ import annotations

import json
import re
import unicodedata
from functools import cache
from typing import Any

import pytest
from code_report_documents import draw, entry, hostile_code_run, made, metrics_of, realistic_code
from report_documents import HOSTILE
from test_report_page import Reader, check_inert

from evoselfcode.report.page import listing, render_code


@cache
def real_page() -> str:
    return render_code(realistic_code())


@cache
def hostile_page() -> str:
    return render_code(hostile_code_run())


def test_the_verdict_comes_first_and_every_section_is_there() -> None:
    """Sabotage: move the section ``verdict`` below the funnel in code.html."""
    read = Reader(real_page())
    main = read.text.partition("Provenance")[2]
    assert main.lstrip().startswith("Verdict: FIM " + realistic_code()["answer"]["sentence"])
    assert read.texts["h2"] == [
        "⚠ Read first", "Comparison", "Funnel", "Gates", "Execution", "Kept functions", "Yield and shape", "Names",
        "Over time", "Cost", "Failures", "Provenance",
    ]  # fmt: skip
    for shown in (
        "143 of 240 draws, 59.6%", "+27.08 pp", "held when they were run 161 67.1%", "bubblewrap", "NameError",
        "4 50.0% if on", "all gates together lose 2 of them and drop 8 of the 12 others", "59 (98.3%)",
        "functions kept", "kept functions per second", "filters.max_lines", "codegen.n",
    ):  # fmt: skip
        assert shown in read.text, shown
    assert "namegen.n" not in read.text


def test_text_of_a_model_makes_no_element() -> None:
    """Sabotage: return ``Markup(code)`` in ``listing``."""
    written = hostile_page()
    read = Reader(written)
    check_inert(read)
    assert not re.search("<script|<img", written, re.IGNORECASE)
    assert "<svg onload" not in written
    for shown in ("</script><img src=x onerror=alert(1)>", "{{ 7 * 7 }}", HOSTILE[1]):
        assert shown in read.text


def test_what_does_not_print_in_code_is_an_escape() -> None:
    """Sabotage: leave ``visible`` out of ``listing``."""
    written = hostile_page()
    assert "\\u202e\\u2066 } if admin\\u2069 \\u200b" in written
    assert "nul\\x00bell\\x07\\x1b[31m" in written
    assert {c for c in written if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}} == {"\n"}
    assert written.encode().decode() == written
    assert listing("a\n\tb\r\n") == "a\n\\tb\\r\n"


def test_a_long_line_is_cut_and_says_so() -> None:
    """Sabotage: show ``found.code`` of all characters: offer no excerpt in ``Chosen``."""
    written = hostile_page()
    assert "characters are left out; all are in raw.jsonl." in written
    assert "y" * 2_400 not in written
    assert len(written) < 300_000


def test_code_keeps_its_lines_and_spaces() -> None:
    """Sabotage: let ``trim_blocks`` or a filter take the line ends out of a ``pre``."""
    code = "def task_0(x):\n\n    if x:\n        return 1\n    return 2\n"
    written = render_code(made([draw(0, code=code), draw(1, "dunder", code=code + "# <b>\n")]))
    blocks = re.findall(r"<pre[^>]*>(.*?)</pre>", written, re.DOTALL)
    assert sorted(blocks) == sorted([code, code + "# &lt;b&gt;\n"])


def test_the_page_needs_nothing_else_and_ids_are_unique() -> None:
    """Sabotage: call two sections by one id in code.html."""
    written = real_page()
    read = Reader(written)
    check_inert(read)
    assert "default-src 'none'" in written
    assert not re.search(r"@import|@font-face|url\((?!#)|<object|<embed|<base", written)
    ids = read.values("id")
    assert len(set(ids)) == len(ids)
    pointed = {word for value in read.values("aria-labelledby") for word in value.split()}
    assert pointed | {value[1:] for value in read.values("href") if value[0] == "#"} <= set(ids)
    for table in re.findall(r"<table.*?</table>", written, re.DOTALL):
        assert re.search(r"^<table[^>]*><caption>[^<]+</caption>", table)


def test_without_an_audit_the_page_says_how_to_make_one() -> None:
    """Sabotage: leave the sentence out of code.html."""
    assert "evoselfcode audit-filters" not in Reader(real_page()).text
    text = Reader(render_code(made([draw(0)]))).text
    assert "evoselfcode audit-filters CORPUS --out data/generated/code/audit.json" in text
    assert "known-good lost" not in text


DROPPED = [draw(number, "dunder") for number in range(9)]


@pytest.mark.parametrize(
    ("document", "shown"),
    [
        (made([]), "No draws yet."),
        (made([], [entry(0)]), "No draws yet."),
        (made(DROPPED), "None of the draws is kept."),
        (made(DROPPED, metrics=metrics_of(DROPPED, execute=True)), "Nothing is kept."),
        (made([draw(0)]), "Nothing was dropped."),
    ],
)
def test_runs_with_nothing_to_show(document: dict[str, Any], shown: str) -> None:
    """Sabotage: divide by ``arm.kept`` unasked in code.html."""
    written = render_code(document)
    assert shown in Reader(written).text
    check_inert(Reader(written))


def test_the_page_is_the_same_from_report_json() -> None:
    """Sabotage: hand a tuple or a number as a key to the document."""
    document = realistic_code()
    assert render_code(json.loads(json.dumps(document))) == real_page()
    assert json.loads(json.dumps(document)) == document
