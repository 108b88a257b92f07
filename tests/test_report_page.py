"""The page of a report: complete, inert whatever a model wrote, self-contained, the same for the same document."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
import unicodedata
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from report_documents import ADDRESSES, HOSTILE, empty, hostile, realistic, several

from evoselfcode.report import page
from evoselfcode.report.page import render

VOID = {"meta", "link", "br", "hr", "img", "input"}
ALLOWED = set(
    re.findall(
        r"\w+",
        """a b bdi body caption code dd desc details div dl dt figcaption figure footer h1 h2 h3 h4 head header html i
        li link main meta nav ol p pre section small span style summary table tbody td th thead title tr ul
        svg defs g path use text clippath rect""",
    )
)


@cache
def real_page() -> str:
    return render(realistic())


@cache
def hostile_page() -> str:
    return render(hostile())


class Reader(HTMLParser):
    """Reads a page: its elements with their attributes, its text, and whether every element is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), tag
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)
            self.texts.setdefault(self.open[-1], []).append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def values(self, attribute: str) -> list[str]:
        return [attributes[attribute] or "" for _, attributes in self.elements if attribute in attributes]


def check_inert(read: Reader) -> None:
    """No element but those of the template, no handler, no address."""
    assert {tag for tag, _ in read.elements} <= ALLOWED
    names = {name for _, attributes in read.elements for name in attributes}
    assert not {name for name in names if name.startswith("on") or name in {"src", "srcset", "action", "srcdoc"}}
    assert all(value == "data:," or re.fullmatch(r"#[\w-]+", value) for value in read.values("href"))


def test_the_verdict_comes_first_and_every_section_is_there() -> None:
    """Sabotage: move the verdict's section below the comparison in page.html."""
    read = Reader(real_page())
    main = read.text.partition("Provenance")[2]  # after the links to the sections
    assert main.lstrip().startswith("Verdict: FIM " + realistic()["answer"]["sentence"])
    titles = read.texts["h2"]
    assert titles[:6] == ["⚠ Read first", "Comparison", "Funnel", "Saturation", "Overlap", "Diversity"]
    assert titles[6:9] == ["Shape of the names", "Top names", "Over time"]
    assert titles[9:] == ["Endpoints", "Cost", "Failures", "Provenance"]
    for shown in (
        "370.9",
        "+38.6",
        "+26.2 to +51",
        "+4.28 pp",
        "< 0.0001",
        "reservoir_sampling",
        "n_queens_39",
        "3_to_bottom",
        "rate_limited",
        "Qwen2.5-Coder-32B",
        "1 h 12 min",
        '"This is an algorithm function.',
    ):
        assert shown in read.text, shown  # fmt: skip


def test_text_of_a_model_makes_no_element() -> None:
    """Sabotage: ``autoescape=False`` in page.py, or ``|safe`` after a name in page.html."""
    written = hostile_page()
    read = Reader(written)
    check_inert(read)
    assert "<script" not in written.lower()
    for name in HOSTILE[:2]:
        assert name in read.text
    assert "{{ 7 * 7 }}" in read.text


def test_what_does_not_print_is_shown_as_an_escape() -> None:
    """Sabotage: take ``finalize`` out of the environment."""
    written = hostile_page()
    assert "\\u202eevil_drowssap\\u202c" in written
    assert "nul\\x00bell\\x07half\\ud800escape\\x1b" in written
    odd = {c for c in written if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}
    assert odd == {"\n"}
    assert written.encode().decode() == written


def test_a_long_text_is_cut_and_says_so() -> None:
    """Sabotage: return the whole text in ``brief``."""
    written = hostile_page()
    assert "… (5,000 characters)" in written
    assert "x" * 700 not in re.sub(r"<details>.*?</details>", "", written, flags=re.DOTALL)


def test_the_page_needs_nothing_else() -> None:
    """Sabotage: link a font, or take the policy out."""
    written = real_page()
    [policy] = [a["content"] for tag, a in Reader(written).elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert not re.search(r"@import|@font-face|url\((?!#)|<object|<embed|<base", written)
    assert {*re.findall(r"https?://[^\s<\"]+", written)} == {*ADDRESSES}
    check_inert(Reader(written))


def test_ids_are_unique_and_what_is_pointed_to_exists() -> None:
    """Sabotage: leave the chart's key out of the ids in ``_fit_for_a_page``."""
    written = real_page()
    read = Reader(written)
    ids = read.values("id")
    assert len(set(ids)) == len(ids)
    pointed = {word for value in read.values("aria-labelledby") for word in value.split()}
    pointed |= {value[1:] for value in read.values("href") if value[0] == "#"}
    pointed |= set(re.findall(r"url\(#([^)]+)\)", written))
    assert pointed - set(ids) == set()
    assert len(pointed) > 40


def test_tables_have_captions_and_charts_a_name_and_a_table() -> None:
    """Sabotage: take the caption out of the macro ``figure``, or do not insert the title in ``_fit_for_a_page``."""
    written = real_page()
    for table in re.findall(r"<table.*?</table>", written, re.DOTALL):
        assert re.search(r"^<table[^>]*><caption>[^<]+</caption>", table)
    figures = re.findall(r"<figure.*?</figure>", written, re.DOTALL)
    assert len(figures) == 11
    for figure in figures:
        assert re.search(r'<svg [^>]*role="img"[^>]*><title id="[\w-]+">[^<]+</title><desc id="[\w-]+">[^<]+', figure)
        assert "<details><summary>" in figure
        assert "<td>" in figure


def test_charts_follow_the_theme_and_style_nothing_else() -> None:
    """Sabotage: take MUTED out of VARIABLES, or keep matplotlib's own ``<style>``."""
    charts = "".join(re.findall(r"<svg.*?</svg>", real_page(), re.DOTALL))
    assert not re.search(r"#[0-9a-f]{6}\b|rgb\(|black|white", charts)
    assert not re.search(r"<style|<metadata|font-family|font:", charts)
    assert set(re.findall(r"var\(--([\w-]+)\)", charts)) == {
        "ink", "muted", "grid", "arm-0", "arm-1", "arm-4", "arm-5", "arm-6", "arm-7"
    }  # fmt: skip


def test_the_same_document_gives_the_same_bytes(tmp_path: Path) -> None:
    """In another process too, and whatever the order of its keys. Sabotage: take ``svg.hashsalt`` out of SETTINGS."""
    document = realistic()
    program = (
        "import json, sys; from evoselfcode.report.page import render; print(render(json.load(sys.stdin)), end='')"
    )
    (tmp_path / "matplotlibrc").write_text("lines.linewidth: 9\nsvg.fonttype: path\nfont.size: 30\n")
    environment = os.environ | {"PYTHONHASHSEED": "7", "MATPLOTLIBRC": str(tmp_path), "PYTHONIOENCODING": "utf-8"}
    there = subprocess.run([sys.executable, "-c", program], input=json.dumps(document, sort_keys=True).encode(),
                           env=environment, capture_output=True, check=True).stdout.decode()  # fmt: skip
    (one,) = document["comparisons"]
    one["overlap"] = json.loads(json.dumps(one["overlap"], sort_keys=True))
    assert there == render(document) == render(copy.deepcopy(document))


def test_a_user_of_matplotlib_keeps_their_settings() -> None:
    """Sabotage: set the settings without ``rc_context``."""
    with mpl.rc_context({"lines.linewidth": 9, "svg.fonttype": "path"}):
        before = dict(mpl.rcParams)
        assert render(realistic()) == real_page()
        assert dict(mpl.rcParams) == before


def one_arm(document: dict[str, Any]) -> None:
    document.update(arms=document["arms"][:1], comparisons=[], ranking=document["ranking"][:1])


def no_arms(document: dict[str, Any]) -> None:
    document.update(arms=[], comparisons=[], ranking=[], warnings=[])


def nothing_drawn(document: dict[str, Any]) -> None:
    document.update(arms=[empty("FIM"), empty("L2R")], comparisons=[], ranking=[])
    document["arms"][0]["reasons"] = [{"reason": "regex", "meaning": "", "count": 0, "distinct": 0, "examples": []}]


@pytest.mark.parametrize("change", [one_arm, no_arms, nothing_drawn])
def test_less_than_two_arms_with_draws(change: Any) -> None:
    """Sabotage: divide by ``arm.draws`` unasked in page.html."""
    document = realistic()
    change(document)
    document["answer"] = {"word": "", "sentence": "What there is to say."}
    read = Reader(render(document))
    assert "What there is to say." in read.text
    assert "Comparison" not in read.texts["h2"]


def test_nine_arms_are_ranked_compared_and_charted() -> None:
    """Sabotage: index the colours without ``%``; show the first comparison alone."""
    read = Reader(render(several(9)))
    titles = read.texts["h3"]
    assert titles.count("cell 8") == 2
    assert "cell 7 against cell 8: temperature" in titles
    assert "cell 8: 3 topics" in titles
    assert {"Ranking", "Comparisons", "Topics"} <= set(read.texts["h2"])


def test_the_page_stays_small() -> None:
    """Sabotage: show every point of a curve, or every name of `top`."""
    document = realistic()
    for arm in document["arms"]:
        arm["top"] = [{"name": f"{'long_name_' * 9}{number}", "count": 1} for number in range(50_000)]
        arm["curve"] = [[n, n // 2] for n in range(1, 201)]
        arm["lengths"] = [[n, 3] for n in range(1, 5_000)]
    written = render(document)
    assert len(written.encode()) < 300_000
    assert written.count("<td>counted</td>") == 2 * 20


@pytest.mark.parametrize(
    ("made", "written"),
    [
        (page.number(0), "0"),
        (page.number(12_345), "12,345"),
        (page.number(370.94), "370.9"),
        (page.number(8_567.84), "8,567.8"),
        (page.number(0.000123456), "0.0001235"),
        (page.number(float("nan")), "–"),
        (page.number(None), "–"),
        (page.percent(0.3709), "37.1%"),
        (page.percent(0.0431), "4.31%"),
        (page.percent(0), "0.0%"),
        (page.gap(0.0428, "share of draws"), "+4.28 pp"),
        (page.gap(-0.0428, "share of draws"), "−4.28 pp"),
        (page.gap(-38.6, "names"), "−38.6"),
        (page.gap(0.0, "names"), "0"),
        (page.probability(0.0499), "0.0499"),
        (page.probability(0.12345), "0.123"),
        (page.probability(1e-9), "< 0.0001"),
        (page.probability(None), "–"),
        (page.duration(4.26), "4.3 s"),
        (page.duration(59.99), "60 s"),
        (page.duration(3_599), "1 h 0 min"),
        (page.duration(4_312.7), "1 h 12 min"),
        (page.whisker({"low": -1, "estimate": 0, "high": 1}), {"left": "4.00%", "width": "92.00%", "dot": "50.00%"}),
        (page.whisker({"low": 0, "estimate": 0, "high": 0}), {"left": "50%", "width": "0%", "dot": "50%"}),
    ],
)
def test_numbers_are_written_for_people(made: object, written: object) -> None:
    assert made == written


def test_arms_beyond_the_last_colour_are_told_apart_by_their_lines() -> None:
    """Sabotage: choose an arm's line by its colour."""
    document = realistic()
    document["arms"] = [document["arms"][0] | {"arm": f"arm{number}"} for number in range(20)]
    legend = re.search(r'<ul class="legend" aria-label="Arms">(.*?)</ul>', render(document), re.DOTALL)
    assert legend is not None
    looks = re.findall(r'<li class="([^"]*)">', legend[1])
    assert len(set(looks)) == len(looks) == 20
