"""Every layout and every kind of file opens in ``datasets``, and holds what was exported."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from export_rows import MODEL, function, row, written

from evoselfcode.config import Export
from evoselfcode.datagen.exporting.exports import export_run

LAYOUTS = ("rows", "prompt-completion", "messages", "fim-psm", "fim-spm", "text")
ROWS = [row(number) for number in range(40)]
for _number in range(20):
    _name = ROWS[_number]["func_name"].replace("_", "", 1)
    ROWS.append(row(_number + 40, func_name=_name, code=function(_number + 40, _name)))
"""Forty names, half of them twice, in two spellings and with another body."""
HOSTILE = {
    "NUL": "def f_nul(x):\n    return '\\0' + x\n",
    "line separators": "def f_lines(x):\n    return 'a\u2028b\u0085c' + x\n",
    "far away": "def f_far(x):\n    return '\U0001f600\uffff' + x\n",
    "long": f"def f_long(x):\n    return '{'ab' * 500_000}' + x\n",
    "fences": "def f_fences(x):\n    return '````' + '```' + x\n",
    "yaml": "def f_yaml(x):\n    return '---\\n- {a: !!b}' + x\n",
}


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in ("HF_DATASETS_OFFLINE", "HF_HUB_OFFLINE", "HF_DATASETS_DISABLE_PROGRESS_BARS"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other libraries, as they are imported
        yield


def loaded(folder: Path, config: str, cache: Path) -> dict[str, list[dict[str, Any]]]:
    from datasets import load_dataset

    return {split: list(rows) for split, rows in load_dataset(str(folder), config, cache_dir=str(cache)).items()}


@pytest.mark.parametrize("files", ["parquet", "jsonl", "jsonl.zst"])
def test_every_layout_opens_with_its_rows_and_splits(tmp_path: Path, files: Any) -> None:
    """Sabotage: name the files ``val-…``, leave features out of the card, or hold every third row out."""
    made = export_run(written(tmp_path, ROWS), tmp_path / "out", Export(files=files, validation=0.3))
    assert [config.name for config in made.configs] == list(LAYOUTS)
    by_id = {f"{one['key']}:{one['index']}": one for one in ROWS}
    sides = set()
    for config in made.configs:
        found = loaded(tmp_path / "out", config.name, tmp_path / "cache")
        assert {split: len(rows) for split, rows in found.items()} == {
            split: config.rows(split) for split in ("train", "validation")
        }
        assert config.rows() == len(ROWS)
        assert config.rows("validation") > 5
        for split, rows in found.items():
            sides |= {(one["id"], split) for one in rows}
            for one in rows:
                of = by_id[one["id"].rpartition(":")[0]]
                assert list(one) == [column.name for column in config.columns]
                assert (one["func_name"], one["model"], one["source"]) == (of["func_name"], MODEL, of["source"])
                assert one["synthetic"] is True
                assert one["license"] == one["model_license"] == "unknown"
                assert one["generator"].startswith("evoselfcode ")
    assert len(sides) == len(ROWS)  # a function is on the same side in every layout
    names = {(by_id[id_.rpartition(":")[0]]["func_name"].replace("_", ""), side) for id_, side in sides}
    assert len(names) == 40


@pytest.mark.parametrize("files", ["parquet", "jsonl", "jsonl.zst"])
def test_the_rows_have_every_field_as_a_column(tmp_path: Path, files: Any) -> None:
    """Sabotage: leave ``logprob`` out of the core columns, or write a nested value as text."""
    config = Export(files=files, validation=0, formats=("rows",))
    export_run(written(tmp_path, [*ROWS[:3], row(3, logprob=None, lint=None, scores=None)]), tmp_path / "out", config)
    found = loaded(tmp_path / "out", "rows", tmp_path / "cache")["train"]
    assert [one["logprob"] for one in found] == [0.0, -1.0, -2.0, None]
    assert [one["lint"] for one in found] == [[], ["F841"], ["F841"], None]
    one = found[2]
    assert one["code"] == function(2)
    assert (one["lines"], one["annotated"], one["execution_asserts_passed"]) == (6, 1.0, 2)
    assert (one["score_perplexity"], one["score_tokens"], one["rating_problem"]) == (2.5, 40, 4.5)
    assert (one["quality_lint"], one["quality_deep_band"], one["choice_rank"]) == (0.5, 2.0, 2.0)
    assert (one["choice_because"], one["hash_alpha"]) == ("first", ROWS[2]["hashes"]["alpha"])
    assert found[3]["score_perplexity"] is None


@pytest.mark.parametrize("files", ["parquet", "jsonl", "jsonl.zst"])
def test_hostile_text_comes_back_as_it_was(tmp_path: Path, files: Any) -> None:
    """Sabotage: cut lines with ``splitlines``; or put a function into a fence of three backticks on the card."""
    rows = [row(number, code=code, func_name=code[4:].partition("(")[0], description="```\n---\n| a |\x1b[2J")
            for number, code in enumerate(HOSTILE.values())]  # fmt: skip
    bad = [b'{"func_name": "half", "code": "def half(x): return \'\\ud800\'"}\n', b"\xff\xfe\n", b"{}\n"]
    made = export_run(written(tmp_path, [*bad, *rows]), tmp_path / "out", Export(files=files, validation=0))
    assert made.left_out == {"unreadable": 3}
    for config in ("rows", "text"):
        found = loaded(tmp_path / "out", config, tmp_path / "cache")["train"]
        assert {one["code" if config == "rows" else "text"] for one in found} == set(HOSTILE.values())
    [fence] = [one for one in loaded(tmp_path / "out", "messages", tmp_path / "cache")["train"]
               if one["func_name"] == "f_fences"]  # fmt: skip
    assert fence["messages"][1]["content"] == "`````python\n" + HOSTILE["fences"] + "`````"
    assert "\x1b" not in (tmp_path / "out" / "README.md").read_text()


def test_a_value_without_a_name_is_in_a_column_that_has_one(tmp_path: Path) -> None:
    """Sabotage: take the key as it is: Croissant refuses a column that is called nothing."""
    made = export_run(written(tmp_path, [row(0, measures={"": 3})]), tmp_path / "out", Export(validation=0))
    assert {column.name: column.kind for column in made.configs[0].columns}["_"] == "float64"
    assert made.configs[0].example is not None
    assert made.configs[0].example["_"] == 3.0


@pytest.mark.parametrize("files", ["parquet", "jsonl", "jsonl.zst"])
def test_files_are_as_large_as_they_may_be(tmp_path: Path, files: Any) -> None:
    """Sabotage: begin a new file when the last one is already too large."""
    noise = [
        row(number, code=function(number) + f"# {number * 12345678901234567890**900:x}\n") for number in range(900)
    ]
    made = export_run(
        written(tmp_path, noise), tmp_path / "out", Export(files=files, validation=0.1, shard_mb=1, formats=("text",))
    )
    [config] = made.configs
    train = [file for file in config.files if file.split == "train"]
    assert len(train) > 1
    assert [file.path for file in train] == [
        f"data/text/train-{number:05}-of-{len(train):05}.{files}" for number in range(len(train))
    ]
    assert max(file.size for file in train) <= 1_000_000
    found = loaded(tmp_path / "out", "text", tmp_path / "cache")
    assert sorted(one["text"] for rows in found.values() for one in rows) == sorted(one["code"] for one in noise)
    for file in made.files:
        assert (tmp_path / "out" / file.path).stat().st_size == file.size
    listed = json.loads((tmp_path / "out" / "export.json").read_text())["files"]
    assert sum(one.get("rows", 0) for one in listed) == 900


def test_what_the_card_says_of_columns_is_what_datasets_says(tmp_path: Path) -> None:
    """Sabotage: write ``sequence`` for a list, or ``float32``."""
    import yaml
    from datasets import load_dataset

    made = export_run(written(tmp_path, ROWS[:5]), tmp_path / "out", Export(validation=0))
    head = (tmp_path / "out" / "README.md").read_text().split("---\n")[1]
    infos = {info["config_name"]: info for info in yaml.safe_load(head)["dataset_info"]}
    for config in made.configs:
        [file] = config.files
        plain = load_dataset("parquet", data_files=str(tmp_path / "out" / file.path), cache_dir=str(tmp_path / "cache"))
        assert plain["train"].features._to_yaml_list() == infos[config.name]["features"]
