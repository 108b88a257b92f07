"""The stages before code: descriptions, skeletons, asserts; and the rows that they begin from."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
from code_answers import config, names, rows, run, writing

from evoselfcode.datagen.code.asserts import ASSERTS
from evoselfcode.datagen.code.codegen import CODE
from evoselfcode.datagen.code.describe import DESCRIBE
from evoselfcode.datagen.code.filtering import filter_code
from evoselfcode.datagen.code.skeleton import SKELETON
from evoselfcode.datagen.code.tasks import names_file, read_tasks
from evoselfcode.datagen.filters.asserts import read_asserts, vetted
from evoselfcode.datagen.filters.descriptions import DESCRIPTION_REASONS, judge_description, parse_description
from evoselfcode.datagen.filters.skeletons import SKELETON_REASONS, judge_skeleton, parse_skeleton, signature_of
from evoselfcode.errors import UsageError
from evoselfcode.records import Choice, L2r, Request, Sampling, Task
from evoselfcode.storage import has_rows

SKELETON_TEXT = '''\
text: str, count: int = 1) -> str:
    """Repeat a text.

    Args:
        text: The text.
        count: How often.

    Returns:
        The longer text.
    """
'''


def request(task: Task) -> Request:
    return Request(key="k", prompt=L2r(""), sampling=Sampling(max_new_tokens=1), arm="L2R", task=task)


@pytest.mark.parametrize(
    ("text", "finish", "reason"),
    [
        (" Repeat a text so many times.\n\nFunction:", "stop", None),
        ("\n  \n Repeat a text twice.", "length", "truncated"),
        ("Repeat a text twice.\nFunct", "length", None),
        ("   \n", "stop", "empty"),
        ("<|endoftext|>", "stop", "special_token"),
        ("def repeat(text):", "stop", "code"),
        ("```python", "stop", "code"),
        ("- a list of things", "stop", "code"),
        ("Repeats text.", "stop", "too_short"),
        ("long " * 90, "stop", "too_long"),
        ("Repeat the text.", "stop", "echo"),
    ],
)
def test_descriptions(text: str, finish: str, reason: str | None) -> None:
    """Sabotage: swap two gates, or leave one out."""
    task = Task(func_name="repeat_the_text")
    candidate = parse_description(request(task), 0, Choice(text, finish))
    assert judge_description(task, candidate).reason == reason
    assert reason is None or reason in DESCRIPTION_REASONS


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (SKELETON_TEXT, None),
        (SKELETON_TEXT + "    return text * count\n", None),
        (SKELETON_TEXT.replace("count: int", "times: int"), "undocumented"),
        (SKELETON_TEXT.replace("Returns:", "Gives:"), "undocumented"),
        (SKELETON_TEXT.replace("text: str,", "text,"), "untyped"),
        (SKELETON_TEXT.replace(" -> str", ""), "untyped"),
        (') -> str:\n    """Do.\n\n    Returns:\n        It.\n    """\n', "no_argument"),
        ("text: str) -> str:\n    return text\n", "no_docstring"),
        ("text: str", "unparsable"),
        ("<|fim_pad|>" + SKELETON_TEXT, "special_token"),
        ("x" * 100_000, "unparsable"),
        ("(" * 5_000, "unparsable"),
    ],
)
def test_skeletons(text: str, reason: str | None) -> None:
    """Sabotage: swap two gates, or leave one out."""
    task = Task(func_name="repeat", head="def repeat(")
    candidate = parse_skeleton(request(task), 0, Choice(text, "stop"))
    assert judge_skeleton(task, candidate).reason == reason
    assert reason is None or reason in SKELETON_REASONS
    if reason is None:
        assert candidate.text == "def repeat(" + SKELETON_TEXT
        assert signature_of(candidate.text) == "(text: str, count: int=1) -> str"


def test_asserts_call_the_function_and_do_no_more() -> None:
    """Sabotage: let ``vetted`` take a walrus, a dunder attribute, or an assert that calls something else."""
    task = Task(func_name="clamp")
    text = (
        "5, 0, 3) == 3\n\nassert clamp(1, 0, 3) == 1, 'one'\nassert True\nassert other(1)\nclamp(1, 2, 3)\n"
        "assert (y := clamp(1, 0, 3)) == 1\nassert clamp.__globals__\nassert clamp((1).__class__)\n"
        "assert clamp(5, 0, 3)  ==  3\nassert clamp(" + "(" * 600 + "\nassert clamp(0, 0, 3) == 0"
    )
    assert read_asserts(task, text) == (
        "assert clamp(5, 0, 3) == 3",
        "assert clamp(1, 0, 3) == 1",
        "assert clamp(0, 0, 3) == 0",
    )
    assert len(read_asserts(task, "".join(f"{n}) == {n}\nassert clamp(" for n in range(20)))) == 5
    assert vetted("assert await clamp(1)", "clamp") is None


async def test_the_chain_hands_on_what_it_adds(tmp_path: Path) -> None:
    """Each stage reads what the one before has written. Sabotage: take the description out of a row of skeletons."""
    names(tmp_path, "repeat", "count")
    chained = config(tmp_path, skeleton={"names": None}, asserts={"names": None, "n": 2})
    summary = await run(DESCRIBE, writing(lambda prompt: [" Say it so many times over."]), chained)
    assert summary.files == {"descriptions.jsonl": 2}
    server = writing(lambda prompt: [SKELETON_TEXT if "def repeat(" in prompt else "nothing"])
    await run(SKELETON, server, chained)
    assert [body["prompt"].splitlines()[-2] for body in server.bodies] == ["# Say it so many times over."] * 2
    (row,) = rows(tmp_path / "skeleton" / "skeletons.jsonl")
    assert row == {
        "func_name": "repeat",
        "description": "Say it so many times over.",
        "signature": "(text: str, count: int=1) -> str",
        "skeleton": "def repeat(" + SKELETON_TEXT,
    }
    asked = writing(lambda prompt: ["'a', 2) == 'aa'", "'', 3) == ''\nassert repeat('a', 2) == 'aa'"])
    await run(ASSERTS, asked, chained)
    assert row["skeleton"] in asked.bodies[0]["prompt"]
    assert rows(tmp_path / "asserts" / "asserts.jsonl") == [
        {
            "func_name": "repeat",
            "description": "Say it so many times over.",
            "asserts": ["assert repeat('a', 2) == 'aa'", "assert repeat('', 3) == ''"],
        }
    ]


async def test_names_may_be_added_sorted_and_dropped(tmp_path: Path) -> None:
    """What was asked is not asked again. Sabotage: hash the row's number into its key, or seed by it."""
    names(tmp_path, "first_name", "second_name")
    server = writing(lambda prompt: [" Say what it does here."])
    await run(DESCRIBE, server, config(tmp_path))
    names(tmp_path, "third_name", "second_name", "third_name", "first_name")
    await run(DESCRIBE, server, config(tmp_path))
    assert [body["prompt"].splitlines()[-2] for body in server.bodies] == [
        "Function: first_name",
        "Function: second_name",
        "Function: third_name",
    ]
    assert {row["func_name"] for row in rows(tmp_path / "describe" / "descriptions.jsonl")} == {
        "first_name",
        "second_name",
        "third_name",
    }
    names(tmp_path, "second_name")
    summary = await run(DESCRIBE, server, config(tmp_path))
    assert not summary.sent
    assert summary.files == {"descriptions.jsonl": 3}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{}", "line 2: is no JSON object with a func_name"),
        ("[1]", "line 2: is no JSON object with a func_name"),
        ('{"func_name": 3}', "line 2: is no JSON object with a func_name"),
        ('{"func_name": "a b"}', "line 2: 'a b' is no name that a function can have"),
        ('{"func_name": "class"}', "line 2: 'class' is no name that a function can have"),
        ('{"func_name": "' + "x" * 300 + '"}', "is no name that a function can have"),
        ('{"func_name": "a\\u001b[31m"}', "is no name that a function can have"),
        ('{"func_name": "é"}', "is no name that a function can have"),
    ],
)
def test_a_line_that_is_no_name_is_named(tmp_path: Path, line: str, told: str) -> None:
    """Sabotage: pass over a damage in ``read_tasks``."""
    path = tmp_path / "names.jsonl"
    path.write_text(f'{{"func_name": "good", "other": [1]}}\n{line}\n', encoding="utf-8")
    with pytest.raises(UsageError) as raised:
        list(read_tasks(path))
    assert told in raised.value.message
    assert "\x1b" not in raised.value.message


def test_the_first_file_that_is_there_is_read(tmp_path: Path) -> None:
    """Sabotage: swap two of ``SOURCES``."""
    settings = config(tmp_path, codegen={"names": None})
    with pytest.raises(UsageError, match="there are no names to begin from"):
        names_file(settings, "code", settings.codegen)
    for name in ("names/combined_raw", "names/selected", "describe/descriptions", "skeleton/skeletons"):
        path = tmp_path / f"{name}.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"func_name": "f"}) + "\n", encoding="utf-8")
        assert names_file(settings, "code", settings.codegen) == path
    with pytest.raises(UsageError, match="is no file"):
        names_file(config(tmp_path), "code", config(tmp_path).codegen)


@pytest.mark.parametrize(
    ("boundary", "end"), [("literal", ':\n    """Repeat it."""\n'), ("token", ':\n    """Repeat it."""')]
)
async def test_the_end_of_a_prompt_is_as_the_boundary_says(tmp_path: Path, boundary: str, end: str) -> None:
    """Sabotage: strip the head and not the prompt, or the other way round."""
    names(tmp_path, {"func_name": "twice_over", "description": "Repeat it.", "signature": "(text)"})
    settings = config(tmp_path, prompts={"code_boundary": boundary}, codegen={"n": 1})
    server = writing(lambda prompt: ["\n    return text * 2\n"])
    await run(CODE, server, settings)
    assert server.bodies[0]["prompt"].endswith(end)
    await filter_code([tmp_path / "code"], settings)
    (row,) = rows(tmp_path / "code" / "raw.jsonl")
    assert row["verdict"] == "kept"
    assert row["code"].startswith('def twice_over(text):\n    """Repeat it."""\n')


async def test_nothing_is_written_where_there_are_no_names(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        await run(DESCRIBE, writing(lambda prompt: [""]), config(tmp_path))
    assert not has_rows(tmp_path / "describe")


async def test_rows_that_are_moved_inserted_and_taken_out_cost_only_the_new_ones(tmp_path: Path) -> None:
    """D14: 400 rows, 100 of them new, 50 gone, all in another order. Sabotage: let the key hold the row's place."""
    known = [f"count_{first}{second}s" for first in "abcdefghijklmnopqrst" for second in "abcdefghijklmnopqrst"]
    old, new = known[:300], known[300:]
    names(tmp_path, *({"func_name": name} for name in old))
    settings = config(tmp_path, describe={"n": 1})
    first = writing(lambda prompt: [" Count so many of something.\n"])
    await run(DESCRIBE, first, settings)
    assert len(first.bodies) == 300
    changed = [*new, *old[50:]]
    Random(14).shuffle(changed)
    names(tmp_path, *({"func_name": name} for name in changed))
    second = writing(lambda prompt: [" Count so many of something.\n"])
    summary = await run(DESCRIBE, second, settings)
    assert len(second.bodies) == 100
    assert summary.meter.settled == 400
