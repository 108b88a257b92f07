"""The card and the metadata say what is in the folder, and no text of a model escapes into them."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any, get_args

import checkout
import pytest
import yaml
from export_rows import row, written
from hypothesis import given
from hypothesis import strategies as st

from evoselfcode.config import Export
from evoselfcode.config.export_section import FormatKey
from evoselfcode.datagen.exporting.card import code, plain
from evoselfcode.datagen.exporting.croissant import license_url
from evoselfcode.datagen.exporting.exports import export_run
from evoselfcode.datagen.exporting.front_matter import front_matter, license_of, size_category
from evoselfcode.datagen.exporting.layouts import WHY
from evoselfcode.datagen.exporting.source import LEFT_OUT
from evoselfcode.storage import MANIFEST, Manifest, write_manifest

METRICS = {
    "version": 1, "stage": "code", "draws": 120, "kept": 30, "quarantined": 3, "dropped": 87,
    "arms": {"L2R": {"reasons": {"near_duplicate": 40, "contaminated": 7, "no_return": 40}}},
    "of": {"filters": {"near_duplicates": 0.7, "contamination": ["/secret/place/tasks.jsonl"], "disabled_gates": []}},
}  # fmt: skip
CHOICE = {
    "rows": 50, "names": 40, "chosen": 30,
    "metrics": {"lint": {"weight": 1.5}, "size": {"weight": 0}, "ifd": {"weight": 2}},
    "files": {"code": "/secret/place/filtered.jsonl"}, "settings": {"scores": "/secret/place"},
}  # fmt: skip


def run_with_history(tmp_path: Path) -> Path:
    """Write a code run with what its stages leave beside it."""
    run = written(tmp_path, [row(number) for number in range(30)])
    (run / "metrics.json").write_text(json.dumps(METRICS))
    (run / "choice.json").write_text(json.dumps(CHOICE))
    for stage, section in (("names", "namegen"), ("code", "codegen")):
        folder = tmp_path / stage
        folder.mkdir(exist_ok=True)
        manifest = Manifest(
            stage=stage, versions={"evoselfcode": "0.1.0"}, base_url="http://10.1.2.3:8000/v1",
            fingerprint={"model": "starcoder2-3b", f"{section}.temperature": 0.8, "prompts.codegen.template": "SECRET"},
            config={"api": {"api_key": "***"}}, preflight={"dialect": {"server": "vllm", "model": "starcoder2-3b"}},
            started="2026-11-20T10:00:00+00:00", updated="2026-11-21T11:00:00+00:00", state="complete", counts={},
        )  # fmt: skip
        write_manifest(folder / MANIFEST, manifest)
    return run


def test_the_card_tells_how_the_rows_were_made(tmp_path: Path) -> None:
    """Sabotage: write the whole manifest into the card: an address of a server is in it."""
    config = Export(validation=0.2, license="Apache-2.0", model_license="bigcode-openrail-m", title="My *functions*")
    export_run(run_with_history(tmp_path), tmp_path / "out", config)
    text = (tmp_path / "out" / "README.md").read_text()
    head = yaml.safe_load(text.split("---\n")[1])
    assert head["license"] == "apache-2.0"
    assert head["size_categories"] == ["n<1K"]
    assert head["task_categories"] == ["text-generation"]
    assert {"synthetic", "code", "python"} <= set(head["tags"])
    assert head["annotations_creators"] == ["machine-generated"]
    assert head["configs"][0]["config_name"] == "rows"
    for told in (
        "30 Python functions", "`starcoder2-3b` (30)", "**names**", "temperature `0.8`", "2026-11-20 to 2026-11-21",
        "| draws | 120 |", "(`no_return`) | −40 |", "| kept by the filter | 30 |", "7 were dropped for it",
        "tasks.jsonl",
        "from a Jaccard index of 0.7 on", "`bigcode-openrail-m`", "HumanEval", "`Apache-2.0`",
        "Of 50 functions for 40 names, 30 were chosen", "by `ifd` 2, `lint` 1.5.",
        "\n# My \\*functions\\*\n",
    ):  # fmt: skip
        assert told in text, told
    for secret in ("10.1.2.3", "SECRET", "/secret/", "api_key"):
        assert secret not in text
    assert not re.search(r"unknown", text)


def test_what_nobody_knows_is_said(tmp_path: Path) -> None:
    """Sabotage: leave the licence out of the card where it is not configured."""
    made = export_run(written(tmp_path, [row(0)], "rows.jsonl") / "rows.jsonl", tmp_path / "out", Export())
    text = (tmp_path / "out" / "README.md").read_text()
    assert yaml.safe_load(text.split("---\n")[1])["license"] == "unknown"
    assert "The dataset: **unknown**. The model that wrote it: **unknown**." in text
    assert "Nobody knows: no manifest" in text
    assert sum("unknown" in remark for remark in made.remarks) == 2
    assert all(plain(remark) in text for remark in made.remarks)


@pytest.mark.filterwarnings("ignore:ConjunctiveGraph:DeprecationWarning", "ignore:The inplace keyword")
def test_croissant_is_valid_and_has_every_file_and_field(tmp_path: Path) -> None:
    """Sabotage: leave ``arrayShape`` out of the context, give lines of JSON a ``jsonPath``, or write another digest."""
    import mlcroissant

    for files in ("parquet", "jsonl", "jsonl.zst"):
        config = Export(files=files, validation=0.3, license="apache-2.0", creator="Somebody", shard_mb=1)
        made = export_run(run_with_history(tmp_path), tmp_path / files, config)
        path = tmp_path / files / "croissant.json"
        dataset = mlcroissant.Dataset(str(path))
        issues = dataset.metadata.ctx.issues
        assert (list(issues.errors), [one for one in issues.warnings if "citeAs" not in one]) == ([], [])
        document = json.loads(path.read_text())
        listed = {one["@id"]: one for one in document["distribution"] if one["@type"] == "cr:FileObject"}
        assert {path: one["sha256"] for path, one in listed.items()} == {one.path: one.sha256 for one in made.files}
        assert document["conformsTo"][0] == "http://mlcommons.org/croissant/1.1"
        assert document["license"] == "https://spdx.org/licenses/Apache-2.0.html"
        assert document["datePublished"] == "2026-11-21"
        for config_, records in zip(made.configs, document["recordSet"], strict=True):
            assert [field["name"] for field in records["field"]] == [column.name for column in config_.columns]
    for files in ("parquet", "jsonl"):
        dataset = mlcroissant.Dataset(str(tmp_path / files / "croissant.json"))
        for name, column in (("text", "text"), ("rows", "lint"), ("messages", "messages")):
            found = list(dataset.records(record_set=name))
            assert len(found) == 30
            assert f"{name}/{column}" in found[0]


def test_all_functions_are_not_said_to_be_chosen(tmp_path: Path) -> None:
    """Sabotage: tell of the choice whatever file was exported."""
    run = run_with_history(tmp_path)
    export_run(run, tmp_path / "chosen", Export())
    assert "30 were chosen" in (tmp_path / "chosen" / "README.md").read_text()
    written(tmp_path, [row(0), row(1)], "ranked.jsonl")
    export_run(run / "ranked.jsonl", tmp_path / "all", Export())
    assert "were chosen" not in (tmp_path / "all" / "README.md").read_text()


def test_the_digests_are_those_of_the_files(tmp_path: Path) -> None:
    """Sabotage: take the digests before the files are closed."""
    made = export_run(run_with_history(tmp_path), tmp_path / "out", Export(validation=0.3))
    done = subprocess.run(
        ["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=tmp_path / "out", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    there = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert set(re.findall(r"^(\S+): OK$", done.stdout, re.MULTILINE)) == there - {"SHA256SUMS"}
    document = json.loads((tmp_path / "out" / "export.json").read_text())
    assert {one["path"] for one in document["files"]} == there - {"SHA256SUMS", "export.json"}
    assert document["configs"]["rows"]["splits"]["train"] == made.configs[0].rows("train")


texts = st.text(max_size=30) | st.sampled_from(
    ["no", "1e3", "- a", "a: b", "#", "null", "''", "\u2028", "~", "Yes", "\x7f"]
)
plain_data: st.SearchStrategy[Any] = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | texts
for _ in range(3):  # as deep as a card is
    plain_data |= st.lists(plain_data, max_size=3) | st.dictionaries(texts, plain_data, max_size=3)


@given(st.dictionaries(texts, plain_data, max_size=4))
def test_the_yaml_says_what_it_was_told(document: dict[str, Any]) -> None:
    """Sabotage: write every text without quotes that has no colon."""
    written_ = front_matter(document)
    assert written_.count("\n---\n") == 1
    inner = written_.removeprefix("---\n").removesuffix("---\n")
    assert (yaml.safe_load(inner) or {}) == document


@given(st.text(max_size=40))
def test_given_texts_are_shown_as_they_are_and_do_nothing(text: str) -> None:
    """Sabotage: let a backtick or a line end through."""
    assert "\n" not in plain(text)
    assert not re.search(r"(?<!\\)[`*_\[\]<>|#]", plain(text).replace("\\\\", ""))
    shown = code(text)
    assert shown.count("`") in (0, 2)
    assert "\n" not in shown
    assert "|" not in shown


@pytest.mark.parametrize(
    ("name", "told", "url"),
    [
        (None, {"license": "unknown"}, "unknown"),
        ("MIT", {"license": "mit"}, "https://spdx.org/licenses/MIT.html"),
        ("cc-by-nc-4.0", {"license": "cc-by-nc-4.0"}, "https://spdx.org/licenses/CC-BY-NC-4.0.html"),
        ("My Licence 2", {"license": "other", "license_name": "my-licence-2"}, "My Licence 2"),
    ],
)
def test_licences_are_named_as_the_hub_names_them(name: str | None, told: dict[str, str], url: str) -> None:
    """Sabotage: hand any text on as ``license``: the Hub refuses the card then."""
    assert license_of(name) == told
    assert license_url(name) == url


def test_sizes_have_categories() -> None:
    """Sabotage: let 1,000 rows be fewer than 1,000."""
    assert [size_category(rows) for rows in (0, 999, 1000, 10**6, 10**9)] == [
        "n<1K", "n<1K", "1K<n<10K", "1M<n<10M", "1B<n<10B",
    ]  # fmt: skip


def test_the_reference_lists_every_field_and_reason(tmp_path: Path) -> None:
    """Sabotage: add a field to ``export.json``, or a reason to leave a row out."""
    page = checkout.read("docs/reference/files.md")
    export_run(written(tmp_path, [row(0)]), tmp_path / "out", Export(validation=0))
    document = json.loads((tmp_path / "out" / "export.json").read_text())
    assert [checkout.ticked(cells[0])[0] for cells in checkout.table(page, "export")] == list(document)
    assert [checkout.ticked(cells[0])[0] for cells in checkout.table(page, "export reasons")] == [*LEFT_OUT, *WHY]
    layouts = [name for cells in checkout.table(checkout.read("docs/how-to/export.md"), "layouts")
               for name in checkout.ticked(cells[0])]  # fmt: skip
    assert sorted(layouts) == sorted(get_args(FormatKey))
