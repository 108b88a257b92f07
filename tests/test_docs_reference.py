"""The reference pages are complete and name nothing that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import get_args

import checkout
import click
import msgspec
import orjson
import pytest

import evoselfcode
from evoselfcode import errors
from evoselfcode.bench.levels import Level
from evoselfcode.cli import main
from evoselfcode.clients.openai import SamplingOptions
from evoselfcode.datagen.choosing.deciding import CHOICE_REASONS
from evoselfcode.datagen.choosing.quality import Quality
from evoselfcode.datagen.choosing.ranked import Choice, RankedRow
from evoselfcode.datagen.code.rows import CodeFileRow
from evoselfcode.datagen.filters import NAME_REASONS
from evoselfcode.datagen.filters.asserts import ASSERT_REASONS
from evoselfcode.datagen.filters.descriptions import DESCRIPTION_REASONS
from evoselfcode.datagen.filters.gates import CODE_REASONS
from evoselfcode.datagen.filters.skeletons import SKELETON_REASONS
from evoselfcode.datagen.scoring.numbers import SCORES, UNKNOWN, ScoreRow
from evoselfcode.datagen.scoring.rating import RATING_REASONS
from evoselfcode.datagen.scoring.rating_files import RatingRow, ReplyRow
from evoselfcode.datagen.scoring.score import SCORE_REASONS
from evoselfcode.engine.endpoints import EventKind
from evoselfcode.records import FailureKind, Fim, Request, Sampling
from evoselfcode.spans import Span
from evoselfcode.storage import Draw, Entry, Manifest
from evoselfcode.wire import messages, retry, sentinels
from evoselfcode.wire.dialect import Dialect, endpoint

PIPELINE = "docs/DATAGEN_Qwen2.5_Coder_32B.md"


def rows(page: str, name: str) -> list[list[str]]:
    """Return the rows of a marked table of a reference page."""
    return checkout.table(checkout.read(f"docs/reference/{page}.md"), name)


def section(text: str, title: str) -> str:
    """Return what stands below a heading of the second level."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


def test_cli_page_lists_every_command_and_option() -> None:
    """Sabotage: add an option to any command, or a command, and leave the page alone."""
    page = checkout.read("docs/reference/cli.md")
    for name, command in main.commands.items():
        text = section(page, name)
        options = {option for param in command.params if isinstance(param, click.Option) for option in param.opts}
        assert options == set(re.findall(r"^\| `(--[\w\-]+)", text, re.MULTILINE)), name
        for param in command.params:
            if isinstance(param, click.Option) and param.show_default is True:
                assert f"`{param.default}`" in text, (name, param.name)
    assert set(re.findall(r"^## (.+)$", page, re.MULTILINE)) == set(main.commands)


def tree(kind: type[errors.EvoselfcodeError]) -> Iterator[type[errors.EvoselfcodeError]]:
    """Yield an exception and its subclasses, those of this package."""
    yield kind
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from tree(below)


def test_exit_code_page_is_the_exception_tree() -> None:
    """Sabotage: change an exit code in errors.py, or add an exception."""
    shown = [
        (name.strip("`"), parent.strip("`"), int(code)) for name, parent, code, _ in rows("exit-codes", "exceptions")
    ]
    there = [(kind.__name__, kind.__bases__[0].__name__, kind.exit_code) for kind in tree(errors.EvoselfcodeError)]
    assert sorted(shown) == sorted(there)
    codes = {
        int(code) for code in re.findall(r"^\| (\d+) \|", checkout.read("docs/reference/exit-codes.md"), re.MULTILINE)
    }
    assert codes == {0, *(code for _, _, code in there)}


def test_drawing_in_errors_is_the_exception_tree() -> None:
    """Sabotage: change an exit code in errors.py, but not in its docstring."""
    drawn = re.findall(r"^[│├└─ ]*(\w+) +(\d+) ", errors.__doc__ or "", re.MULTILINE)
    assert drawn == [(kind.__name__, str(kind.exit_code)) for kind in tree(errors.EvoselfcodeError)]


def test_reasons_page_lists_every_reason_in_order() -> None:
    """Sabotage: add a gate to NAME_REASONS, or swap two."""
    assert [checkout.ticked(row[0])[0] for row in rows("reasons", "reasons")] == list(NAME_REASONS)


@pytest.mark.parametrize(
    ("table", "reasons"),
    [
        ("description reasons", DESCRIPTION_REASONS),
        ("skeleton reasons", SKELETON_REASONS),
        ("assert reasons", ASSERT_REASONS),
        ("code reasons", CODE_REASONS),
        ("score reasons", SCORE_REASONS),
        ("unknown scores", UNKNOWN),
        ("rating reasons", RATING_REASONS),
        ("choice reasons", CHOICE_REASONS),
    ],
)
def test_reasons_page_lists_the_reasons_of_stage_b_in_order(table: str, reasons: dict[str, str]) -> None:
    """Sabotage: add a gate to a table of reasons, or swap two."""
    assert [checkout.ticked(row[0])[0] for row in rows("reasons", table)] == list(reasons)


def test_reasons_page_says_what_each_failure_leads_to() -> None:
    """Sabotage: let ``timeout`` lead to ``give_up`` in wire/retry.py."""
    words = {"stop_run": "end the run", "give_up": "give up", "wait": "wait", "retry": "retry"}
    shown = {checkout.ticked(row[0])[0]: row[2] for row in rows("reasons", "failures")}
    assert shown == {kind: words[retry.policy(kind)] for kind in get_args(FailureKind)}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("entry", Entry),
        ("draw", Draw),
        ("span", Span),
        ("manifest", Manifest),
        ("code row", CodeFileRow),
        ("score row", ScoreRow),
        ("rating row", RatingRow),
        ("reply row", ReplyRow),
        ("quality", Quality),
        ("choice", Choice),
        ("bench level", Level),
    ],
)
def test_files_page_lists_every_field(name: str, kind: type[msgspec.Struct]) -> None:
    """Sabotage: add a field to the journal's entries or to the manifest."""
    shown = [checkout.ticked(row[0])[0] for row in rows("files", name)]
    assert shown == [field.name for field in msgspec.structs.fields(kind)]


def test_scores_page_tells_of_every_score_in_order() -> None:
    """Sabotage: add a score to SCORES, or swap two."""
    told = checkout.table(checkout.read("docs/explanation/scores.md"), "scores")
    assert [checkout.ticked(row[0])[0] for row in told] == list(SCORES)
    fields = next(row[1] for row in rows("files", "score row") if row[0] == "`scores`")
    assert [word for word in checkout.ticked(fields) if word != "null"] == list(SCORES)


def test_files_page_lists_what_a_ranked_row_has_besides() -> None:
    """Sabotage: add a field to ``RankedRow``."""
    own = [name for name in RankedRow.__struct_fields__ if name not in CodeFileRow.__struct_fields__]
    assert [checkout.ticked(row[0])[0] for row in rows("files", "ranked row")] == own


def test_api_page_lists_the_client_and_its_options() -> None:
    """Sabotage: add a public method to the client, or a sampling option."""
    page = checkout.read("docs/reference/api.md")
    client = evoselfcode.OpenAICompletionClient
    methods = {name for name in vars(client) if not name.startswith("_")}
    missing = [name for name in methods if not re.search(rf"[`.]{name}[`(]", page)]
    assert missing == []
    arguments = client.__init__.__annotations__.keys() - {"return"}
    assert [name for name in arguments if f"`{name}`" not in page] == []
    assert [name for name in SamplingOptions.__annotations__ if f"\n| `{name}` |" not in page] == []


def test_contributing_lists_every_make_target() -> None:
    """Sabotage: add a target to the Makefile."""
    targets = set(re.findall(r"^([a-z\-]+):.*##", checkout.read("Makefile"), re.MULTILINE))
    shown = set(re.findall(r"^\| `make ([a-z\-]+)` \|", checkout.read("CONTRIBUTING.md"), re.MULTILINE))
    assert targets - {"help"} == shown


def test_pipeline_page_shows_the_body_that_is_sent() -> None:
    """Sabotage: change a stop id of qwen2.5-coder, or a sampling field that vLLM is sent."""
    shown = re.search(r"```json\n(\{\n.*?)```", checkout.read(PIPELINE), re.DOTALL)
    assert shown
    sampling = Sampling(
        max_new_tokens=16, n=4, temperature=0.4, top_p=0.9, stop=("(", " ", "\n"), seed=1508729919, logprobs=0
    )
    prompt = Fim("This is an algorithm function.\n\ndef ", "():\n")
    family = sentinels.family_of("Qwen2.5-Coder-32B")
    assert family is not None
    dialect = Dialect(server="vllm", model="Qwen2.5-Coder-32B", fim="sentinel", family=family.name)
    call = messages.call(Request(key="", prompt=prompt, sampling=sampling), dialect, endpoint("http://pod:8000"))
    assert orjson.loads(shown[1]) == orjson.loads(call.body)


def test_every_kind_of_event_is_told() -> None:
    """Sabotage: take ``paused`` out of docs/reference/files.md."""
    assert sorted(row[0].strip("`") for row in rows("files", "events")) == sorted(get_args(EventKind))
