"""What there is to train on: the parts of a text are the function, and its tokens are those of the model's family."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from export_rows import MODEL, function, row, written
from hypothesis import given
from hypothesis import strategies as st

from evoselfcode.config import Export, ExportFim, RunConfig
from evoselfcode.datagen.exporting.exports import export_run
from evoselfcode.datagen.exporting.fim import middle_of, orders_of, text_of
from evoselfcode.datagen.exporting.layouts import Layout, Shown, layouts_of
from evoselfcode.datagen.exporting.source import SourceRow
from evoselfcode.datagen.filters.function_parts import split
from evoselfcode.errors import ConfigError, UsageError
from evoselfcode.wire.sentinels import FAMILIES

CODE = function(7)
PARTS = split(CODE, "hazel_apple_7")

TEXTS = {
    ("qwen2.5-coder", "PSM"): "<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>M",
    ("starcoder", "PSM"): "<fim_prefix>P<fim_suffix>S<fim_middle>M",
    ("starcoder", "SPM"): "<fim_prefix><fim_suffix>S<fim_middle>PM",
    ("code-llama", "PSM"): "<PRE> P <SUF>S <MID>M",
    ("code-llama", "SPM"): "<PRE> <SUF>S <MID> PM",
    ("deepseek", "PSM"): "<｜fim▁begin｜>P<｜fim▁hole｜>S<｜fim▁end｜>M",
    ("seed-coder", "SPM"): "<[fim-suffix]>S<[fim-prefix]>P<[fim-middle]>M",
    ("mellum", "SPM"): "<fim_suffix>S<fim_prefix>P<fim_middle>M",
    ("mistral-v3", "SPM"): "[SUFFIX]S[PREFIX]PM",
}


@pytest.mark.parametrize(("family", "order"), TEXTS)
def test_texts_are_written_as_the_family_was_trained(family: str, order: str) -> None:
    """Sabotage: put the middle in front of the suffix, or add a space of your own."""
    from evoselfcode.datagen.exporting.fim import Middle

    cut = Middle("body", "P", "M", "S")
    text = text_of(cut, FAMILIES[family], "PSM" if order == "PSM" else "SPM", end_token=False)
    assert text == TEXTS[family, order]
    ended = text_of(cut, FAMILIES[family], "PSM" if order == "PSM" else "SPM", end_token=True)
    assert ended.removeprefix(text).strip() == FAMILIES[family].stops[0]


def test_only_orders_that_the_makers_tell_of_are_made() -> None:
    """Sabotage: take :meth:`Family.takes`, which is true of what llama.cpp can write."""
    orders = {name: orders_of(family) for name, family in FAMILIES.items()}
    assert orders["qwen2.5-coder"] == orders["deepseek"] == ("PSM",)
    assert orders["starcoder"] == orders["code-llama"] == ("PSM", "SPM")
    assert orders["mellum"] == orders["seed-coder"] == orders["mistral-v3"] == ("SPM",)


@given(st.text(max_size=20), st.sampled_from(["body", "lines", "name"]))
def test_the_three_parts_are_the_function(identity: str, only: str) -> None:
    """Sabotage: strip the middle, or cut lines without the indentation of the first."""
    assert PARTS is not None
    weights = {kind: float(kind == only) for kind in ("body", "lines", "name")}
    cut = middle_of(CODE, PARTS, identity, ExportFim(**weights))
    assert cut.prefix + cut.middle + cut.suffix == CODE
    assert cut.kind == only
    match only:
        case "name":
            assert (cut.prefix, cut.middle) == ("def ", CODE[4 : CODE.index("(")])
        case "body":
            assert cut.middle == CODE[PARTS.body : PARTS.body_end]
            assert cut.suffix == "\n"
        case "lines":
            body = CODE[PARTS.body : PARTS.body_end].split("\n")
            assert 0 < len(cut.middle.split("\n")) < len(body)
            assert "\n".join(body).find(cut.middle) >= 0
            assert cut.middle.startswith("    ")


def test_every_run_of_lines_has_the_same_chance_and_shares_are_as_configured() -> None:
    """Sabotage: draw the first line and then the last one: long runs are then rare."""
    assert PARTS is not None
    cuts = [middle_of(CODE, PARTS, str(number), ExportFim(body=1, lines=2, name=1)) for number in range(4_000)]
    kinds = Counter(cut.kind for cut in cuts)
    assert abs(kinds["lines"] - 2000) < 150
    assert abs(kinds["body"] - 1000) < 130
    runs = Counter(cut.middle for cut in cuts if cut.kind == "lines")
    assert len(runs) == 4 * 5 // 2 - 1
    assert max(runs.values()) < 1.5 * min(runs.values())


def test_a_body_of_one_line_has_no_lines_to_choose_from() -> None:
    """Sabotage: index the second of one line."""
    code = "def f(a): return a\n"
    parts = split(code, "f")
    assert parts is not None
    cut = middle_of(code, parts, "x", ExportFim(body=0, lines=1, name=0))
    assert (cut.kind, cut.middle) == ("body", " return a")


def layouts(*names: str, config: Export | None = None, models: tuple[str, ...] = (MODEL,)) -> dict[str, Layout]:
    made, _ = layouts_of(config or Export(), list(models), ())
    return {layout.config: layout for layout in made if not names or layout.config in names}


def shown(code: str, **fields: str) -> Shown:
    name = code.partition("def ")[2].partition("(")[0]
    return Shown(SourceRow(func_name=name, code=code, id="x", **fields), None, {})


def test_a_function_with_a_special_token_is_left_out_and_counted(tmp_path: Path) -> None:
    """Sabotage: look for special tokens in the prefix and the suffix alone, as a prompt does."""
    token = "def f_token(a):\n    return a + '<fim_middle>'\n"
    stop = "def f_stop(a):\n    return a + '<file_sep>'\n"
    rows = [row(0), row(1, code=token), row(2, code=stop), row(3, code="def f_broken(:\n")]
    made = export_run(written(tmp_path, rows), tmp_path / "out", Export(files="jsonl", validation=0))
    counts = {config.name: (config.rows(), config.left_out) for config in made.configs}
    assert counts["fim-psm"] == counts["fim-spm"] == (1, {"special_token": 2, "no_function": 1})
    assert counts["messages"] == counts["prompt-completion"] == (3, {"no_function": 1})
    assert counts["text"] == counts["rows"] == (4, {})


def test_prompts_and_completions_are_the_function() -> None:
    """Sabotage: strip the prompt, or leave its docstring to the completion."""
    made = layouts()["prompt-completion"].make(shown(CODE))
    assert isinstance(made, dict)
    assert made["prompt"] + made["completion"] == CODE
    assert made["prompt"].endswith('"""Add up 7."""\n')


def test_messages_ask_in_one_of_the_phrases() -> None:
    """Sabotage: fill a phrase twice, so that a description can name a placeholder."""
    config = Export(phrases=("A {func_name} {description}", "B {signature}|{skeleton}"), fence=False)
    layout = layouts(config=config)["messages"]
    said = set()
    for number in range(40):
        one = Shown(SourceRow(func_name="f", code="def f(a: int) -> int:\n    return a\n", id=str(number),
                              description="Do {signature}."), None, {})  # fmt: skip
        made = layout.make(one)
        assert isinstance(made, dict)
        user, assistant = made["messages"]
        assert (user["role"], assistant) == ("user", {"role": "assistant", "content": one.row.code})
        said.add(user["content"])
    assert said == {"A f Do {signature}.", "B (a: int) -> int|def f(a: int) -> int:"}


def test_a_name_stands_for_a_description_that_is_missing() -> None:
    """Sabotage: write ``None`` into the phrase."""
    made = layouts(config=Export(phrases=("{description}",)))["messages"].make(
        shown("def merge_lists(a):\n  return a\n")
    )
    assert isinstance(made, dict)
    assert made["messages"][0]["content"] == "Merge lists."


def test_layouts_that_cannot_be_made_are_left_out_or_refused() -> None:
    """Sabotage: make texts with another family's tokens where the model is unknown."""
    assert "fim-psm" not in layouts(models=("gpt-unknown",))
    assert "fim-psm" not in layouts(models=())
    assert "fim-psm" not in layouts(models=(MODEL, "qwen2.5-coder-7b"))
    assert "fim-spm" not in layouts(models=("qwen2.5-coder-7b",))
    assert "fim-spm" in layouts(config=Export(fim=ExportFim(family="mellum")), models=())
    with pytest.raises(UsageError, match="cannot be made"):
        layouts_of(Export(formats=("fim-psm",)), ["gpt-unknown"], ())
    made, remarks = layouts_of(Export(formats=("text", "text")), [MODEL], ())
    assert [layout.config for layout in made] == ["text"]
    assert remarks == []


def test_a_family_that_is_misspelt_is_refused_at_once() -> None:
    """Sabotage: take any text for ``export.fim.family``: its layouts were left out with a remark among others."""
    with pytest.raises(ConfigError, match=r"qwen2\.5-coder"):
        RunConfig.from_mapping({"export": {"fim": {"family": "qwen"}}})


def test_functions_are_formatted_and_both_texts_kept(tmp_path: Path) -> None:
    """Sabotage: put the formatted text into ``code``."""
    ugly = "def f_ugly( a,b ):\n  return [ a,b ]\n"
    config = Export(files="jsonl", validation=0, format_code=True, formats=("rows", "text"))
    made = export_run(written(tmp_path, [row(0, code=ugly), row(1, code="def f_no(:\n")]), tmp_path / "out", config)
    rows, texts = (config.example for config in made.configs)
    assert rows is not None
    assert texts is not None
    assert rows["code"] == ugly
    assert rows["code_formatted"] == texts["text"] == "def f_ugly(a, b):\n    return [a, b]\n"
    assert "ruff" in made.versions
    lines = (tmp_path / "out" / made.configs[1].files[0].path).read_text()
    assert "def f_no(:" in lines
