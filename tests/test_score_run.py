"""Scoring into a folder with the embedded model: the numbers are the model's, and nothing is asked twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest
from embedded import Embedded
from scored_rows import ADD_UP, BARE, BROKEN, FACTORIAL, PLAIN_PROMPT, ROWS, config, entries, of, run, written

from evoselfcode import score_rows
from evoselfcode.datagen.scoring.numbers import SCORES, UNKNOWN
from evoselfcode.datagen.scoring.score import warnings
from evoselfcode.engine import Stop
from evoselfcode.errors import Interrupted, RunMismatch, UsageError
from evoselfcode.local.model import EmbeddedModel
from evoselfcode.stats import likelihood
from evoselfcode.storage import read_manifest


def charged(text: str, behind: int = 0) -> list[float]:
    """Return the model's own numbers of the tokens that begin behind a place; never that of the first of all."""
    found, at = [], 0
    for number, (token, logprob) in enumerate(EmbeddedModel.load().score(text)):
        if number and at >= behind:
            found.append(logprob)
        at += len(token)
    return found


async def test_the_parts_add_up_to_the_whole(tmp_path: Path) -> None:
    """The chain rule, to 1e-6. Sabotage: count the first token of the document; lose a part in ``_all``."""
    await run(Embedded().client(), config(tmp_path))
    rows = written(tmp_path)
    assert [row["func_name"] for row in rows] == [row["func_name"] for row in ROWS]
    code = ADD_UP["code"]
    whole, begin = charged(code), code.index("def add_up")
    first = rows[0]
    around = sum(whole) - sum(charged(code, begin))
    assert sum(first["chain"].values()) + around == pytest.approx(sum(whole), abs=1e-6)
    body = charged(code, code.index("    total = 0"))
    assert first["chain"]["body"] == pytest.approx(sum(body), abs=1e-6)
    scores = first["scores"]
    assert scores["tokens"] == len(whole)
    assert scores["perplexity"] == pytest.approx(likelihood.perplexity(sum(whole) / len(whole)))
    assert scores["body_logprob"] == pytest.approx(sum(body) / len(body), abs=1e-6)
    assert scores["least_logprob"] == pytest.approx(min(body), abs=1e-6)
    assert scores["tail_logprob"] == pytest.approx(likelihood.tail(body), abs=1e-6)
    size = len(code.encode()) - len("import")
    assert scores["bits_per_byte"] == pytest.approx(likelihood.bits_per_byte(sum(whole), size), abs=1e-6)


async def test_a_prefix_and_the_rest_add_up_to_the_whole(tmp_path: Path) -> None:
    """The body after the bare signature is the body of the function without docstring, asked in two ways.

    Sabotage: put the docstring into what stands before ``bare``.
    """
    await run(Embedded().client(), config(tmp_path))
    told, bare = written(tmp_path)[:2]
    tokens = len(charged(ADD_UP["code"], ADD_UP["code"].index("    total = 0")))
    gain = (told["chain"]["body"] - bare["chain"]["body"]) / tokens
    assert told["scores"]["docstring_pmi"] == pytest.approx(gain, abs=1e-6)
    assert bare["unknown"]["docstring_pmi"] == "no_docstring"


async def test_what_a_body_and_a_description_are_scored_after(tmp_path: Path) -> None:
    """Sabotage: keep the body's first token on one side of the IFD; leave the docstring in the reviewer's prompt."""
    await run(Embedded().client(), config(tmp_path))
    scores = written(tmp_path)[0]["scores"]
    code = ADD_UP["code"]
    body = code[code.index("    total = 0") :]
    given, alone = charged(code, len(code) - len(body))[1:], charged(body)
    assert len(given) == len(alone)
    assert scores["ifd"] == pytest.approx(sum(given) / sum(alone), abs=1e-6)
    before = BARE["code"].rstrip() + PLAIN_PROMPT
    reviewer = charged(before + " Return the sum of the values.", len(before))
    assert scores["coder_reviewer"] == pytest.approx(
        sum(charged(code, len(code) - len(body))) + sum(reviewer), abs=1e-6
    )


async def test_why_a_score_is_unknown(tmp_path: Path) -> None:
    """Sabotage: return 0 for a number that is not known; count no reasons."""
    summary = await run(Embedded().client(), config(tmp_path))
    rows = written(tmp_path)
    for row in rows:
        assert list(row["scores"]) == list(SCORES)
        assert {name for name, value in row["scores"].items() if value is None} == set(row["unknown"])
        assert set(row["unknown"].values()) <= set(UNKNOWN)
    assert of(rows, "factorial")["unknown"] == {"name_recoverability": "tells_its_name"}
    assert set(of(rows, "broken")["unknown"].values()) == {"no_function"}
    assert of(rows, "broken")["scores"]["tokens"] == len(charged(BROKEN["code"]))
    assert rows[0]["unknown"] == {"name_recoverability": "not_asked"}
    assert set(summary.left_out) == {"name", "plain_name"}
    metrics = json.loads((tmp_path / "score" / "metrics.json").read_bytes())
    assert metrics["rows"] == 4
    assert metrics["scores"]["docstring_pmi"]["known"] == 2
    assert metrics["scores"]["docstring_pmi"]["unknown"] == {"no_docstring": 1, "no_function": 1}
    assert metrics["scores"]["perplexity"]["unknown"] == {}
    values = sorted(row["scores"]["tokens"] for row in rows)
    assert metrics["scores"]["tokens"]["median"] == (values[1] + values[2]) / 2


async def test_a_finished_run_sends_nothing_and_the_order_of_the_rows_changes_no_score(tmp_path: Path) -> None:
    """Sabotage: hash the row's number into its key."""
    await run(Embedded().client(), config(tmp_path))
    before = written(tmp_path)
    again = Embedded()
    summary = await run(again.client(), config(tmp_path, *reversed(ROWS)))
    assert again.messages == 0
    assert not summary.sent
    assert summary.damaged == 0
    assert written(tmp_path) == before[::-1]


async def test_rows_and_texts_may_be_added(tmp_path: Path) -> None:
    """Sabotage: make the stage's arms those of ``score.texts``: the others' entries would be damage."""
    server = Embedded()
    await run(server.client(), config(tmp_path, ADD_UP, texts=["code"]))
    assert written(tmp_path)[0]["unknown"]["ifd"] == "not_asked"
    asked = len(entries(tmp_path))
    assert asked == 1
    await run(server.client(), config(tmp_path, BROKEN, ADD_UP, texts=["body", "code"]))
    assert [(entry.arm, entry.task.func_name) for entry in entries(tmp_path)[1:] if entry.task] == [
        ("code", "broken"),
        ("body", "add_up"),
    ]
    summary = await run(Embedded().client(), config(tmp_path, ADD_UP, texts=["code"]))
    assert (summary.sent, summary.damaged) == (False, 0)
    assert written(tmp_path)[0]["scores"]["ifd"] is not None
    with pytest.raises(RunMismatch, match="description_prompt"):
        await run(Embedded().client(), config(tmp_path, description_prompt="\n\nIt"))


async def test_a_row_that_keeps_its_id_and_is_written_anew_is_another_one(tmp_path: Path) -> None:
    """Nothing of it is made of answers about what it said before. Sabotage: journal it by its id alone."""
    for folder, versions in (("often", (ADD_UP, BARE, ADD_UP, BARE)), ("once", (BARE,))):
        (tmp_path / folder).mkdir()
        for version in versions:
            await run(Embedded().client(), config(tmp_path / folder, {**version, "id": "mine"}))
    assert written(tmp_path / "often") == written(tmp_path / "once")
    assert written(tmp_path / "once")[0]["id"] == "mine"
    assert len(entries(tmp_path / "often")) == 4 + 2  # each version is asked about once


@pytest.mark.parametrize("killed", [False, True])
async def test_a_run_that_is_stopped_or_cancelled_loses_nothing(tmp_path: Path, killed: bool) -> None:
    """Sabotage: journal the texts of a row together."""
    rows = [{**ADD_UP, "code": ADD_UP["code"].replace("total", f"total_{number}")} for number in range(12)]
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    await run(Embedded().client(), config(tmp_path / "whole", *rows))
    stop, scope = Stop(), anyio.CancelScope()

    def after_some(number: int, body: dict[str, Any]) -> None:
        if number == 30:
            scope.cancel() if killed else stop.set()

    settings = config(tmp_path / "parts", *rows)
    with scope:
        with pytest.raises((Interrupted, anyio.get_cancelled_exc_class())) as raised:
            await run(Embedded(after_some).client(), settings, stop=stop)
        if killed:
            raise raised.value
    settled = len(entries(tmp_path / "parts"))
    assert 0 < settled < 48
    manifest = read_manifest(tmp_path / "parts" / "score" / "manifest.json")
    assert manifest is not None
    assert manifest.state == "stopped"
    unknown = [row["unknown"].get("coder_reviewer") for row in written(tmp_path / "parts")]
    assert unknown[0] is None
    assert unknown[-1] == "not_asked"
    summary = await run(Embedded().client(), settings)
    assert summary.meter.resumed == settled
    assert len(entries(tmp_path / "parts")) == 48
    assert written(tmp_path / "parts") == written(tmp_path / "whole")


async def test_what_a_row_was_drawn_with_is_kept(tmp_path: Path) -> None:
    """Sabotage: divide by the characters."""
    drawn = {**FACTORIAL, "key": "a" * 32, "index": 2, "source": "FIM", "logprob": -43.5}
    named = {**ADD_UP, "id": "mine"}
    await run(Embedded().client(), config(tmp_path, drawn, named, named))
    first, second = written(tmp_path)
    assert first["id"].startswith("a" * 32 + ":2:")
    assert first["source"] == "FIM"
    assert first["drawn_logprob"] == -43.5 / len(FACTORIAL["code"].encode())
    assert (second["id"], second["drawn_logprob"]) == ("mine", None)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{}", "line 2: is no JSON object with func_name and code"),
        ('{"func_name": "f"}', "line 2: is no JSON object with func_name and code"),
        ('{"func_name": "f", "code": " "}', "line 2: its func_name or its code is empty"),
        ('{"func_name": "add_up", "code": "x", "id": "1"}', "two functions have the id '1'"),
    ],
)
async def test_a_line_that_is_no_function_is_named(tmp_path: Path, line: str, told: str) -> None:
    """Before anything is asked. Sabotage: pass over a damage."""
    settings = config(tmp_path, {**ADD_UP, "id": "1"})
    with (tmp_path / "rows.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(UsageError) as raised:
        warnings(settings)
    assert told in str(raised.value)
    (tmp_path / "rows.jsonl").write_text("\n")
    with pytest.raises(UsageError, match="holds no functions"):
        warnings(settings)
    (tmp_path / "rows.jsonl").unlink()
    with pytest.raises(UsageError, match="is no file"):
        warnings(settings)


def test_rows_in_memory_have_the_scores_of_a_run(tmp_path: Path) -> None:
    """Sabotage: leave out rows that are there twice; do not look for half of a surrogate pair."""
    settings = config(tmp_path)
    found = score_rows(Embedded().client(), [*ROWS, ADD_UP], settings)
    anyio.run(lambda: run(Embedded().client(), settings))
    assert [row.scores for row in found[:-1]] == [row["scores"] for row in written(tmp_path)]
    assert found[-1] == found[0]
    with pytest.raises(UsageError, match="row 1 is no function"):
        score_rows(Embedded().client(), [ADD_UP, {"func_name": 1}], settings)
    with pytest.raises(UsageError, match="row 0 is no function"):  # no server can be sent it
        score_rows(Embedded().client(), [ADD_UP | {"code": "def f():\n    return '\ud800'\n"}], settings)
