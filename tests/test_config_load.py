"""Where settings come from: files that extend others, the environment, the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from evoselfcode.config import RunConfig
from evoselfcode.errors import ConfigError

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write the files given by name and return the path of the first."""

    def write(**files: str) -> Path:
        for name, text in files.items():
            (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
        return tmp_path / f"{next(iter(files))}.yaml"

    return write


def load(path: Path, *overrides: str, environ: Mapping[str, str] | None = None) -> RunConfig:
    return RunConfig.from_file(path, overrides=overrides, environ=environ or {})


def problems(path: Path, *overrides: str, environ: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path, *overrides, environ=environ)
    return [problem.removeprefix(f"{path.parent}/") for problem in caught.value.problems]


def test_a_file_is_laid_over_what_it_extends(write: Write) -> None:
    """Sabotage: in ``_deep`` return ``above`` for maps, too."""
    path = write(
        top="extends: base.yaml\nnamegen:\n  n: 2\n  stop: [x]\n",
        base="model: m\nnamegen:\n  n: 8\n  seed: 3\n  stop: [a, b]\napi: {timeout: 155}\n",
    )
    config = load(path)
    assert (config.model, config.api.timeout) == ("m", 155)
    assert (config.namegen.n, config.namegen.seed, config.namegen.stop) == (2, 3, ("x",))


def test_of_several_files_the_later_one_wins_and_chains_are_followed(write: Write) -> None:
    """Sabotage: reverse ``names`` in ``_read_tree``."""
    path = write(
        top="extends: [a.yaml, b.yaml]\n",
        a="extends: c.yaml\nmodel: a\napi: {timeout: 151}\n",
        b="model: b\n",
        c="model: c\nnamegen: {seed: 9}\n",
    )
    config = load(path)
    assert (config.model, config.api.timeout, config.namegen.seed) == ("b", 151, 9)


def test_a_section_with_nothing_in_it_replaces_nothing(write: Write) -> None:
    """All keys of ``api:`` commented out must not turn a server into the embedded model.

    Sabotage: drop the ``above is None`` line of ``_deep``.
    """
    path = write(top="extends: base.yaml\napi:\n  # timeout: 3\n", base="model: m\napi: {base_url: http://pod}\n")
    assert load(path).api.base_url == "http://pod"


def test_null_replaces_a_value(write: Write) -> None:
    path = write(top="extends: base.yaml\napi: {timeout: null}\n", base="api: {timeout: 153}\n")
    assert load(path).api.timeout is None


def test_extended_files_are_relative_to_the_file_that_names_them(write: Write, tmp_path: Path) -> None:
    """Sabotage: join with the working directory instead of ``path.parent``."""
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "a.yaml").write_text("extends: b.yaml\n")
    (tmp_path / "below" / "b.yaml").write_text("model: b\n")
    assert load(write(top="extends: below/a.yaml\n")).model == "b"


def test_a_problem_is_told_of_the_file_it_stands_in(write: Write) -> None:
    path = write(top="extends: base.yaml\nnamegen:\n  n: 1\n", base="\nnamegen:\n  seed: -1\n  n: -1\n")
    assert problems(path) == ["base.yaml:3: namegen.seed: got -1 (int), expected a whole number >= 0"]


def test_a_cycle_is_told(write: Write) -> None:
    path = write(a="extends: b.yaml\n", b="extends: c.yaml\n", c="extends: a.yaml\n")
    assert problems(path) == ["a.yaml: extends itself: a.yaml -> b.yaml -> c.yaml -> a.yaml"]


def test_a_file_may_be_extended_by_two(write: Write) -> None:
    path = write(top="extends: [a.yaml, b.yaml]\n", a="extends: c.yaml\n", b="extends: c.yaml\n", c="model: c\n")
    assert load(path).model == "c"


@pytest.mark.parametrize("each", ["[{}, {}]", "{}"])
def test_a_bomb_of_files_is_refused(each: str, write: Write) -> None:
    """Sixty files that each extend the next one twice are 2**60 reads; a thousand in a row, a deep recursion.

    Sabotage: raise ``MAX_FILES`` to 10**9 (the test then runs for ever, or hits the recursion limit).
    """
    count = 60 if "," in each else 1200
    files = {f"f{i}": f"extends: {each.replace('{}', f'f{i + 1}.yaml')}\n" for i in range(count)}
    assert "extends more than 32 files" in problems(write(**files, **{f"f{count}": "model: m\n"}))[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${NAME}", "value"),
        ("a${NAME}b${NAME}", "avaluebvalue"),
        ("${MISSING:-other}", "other"),
        ("${MISSING:-}x", "x"),
        ("${NAME:-other}", "value"),
        ("${EMPTY:-other}", ""),
        ("$$", "$"),
        ("$${NAME}", "${NAME}"),
        ("$NAME $ 5$", "$NAME $ 5$"),
        ("${MISSING:-a$b}", "a$b"),
    ],
)
def test_variables_are_filled_in(text: str, expected: str, write: Write) -> None:
    """Sabotage: drop ``$$`` from ``_VARIABLE``."""
    environ = {"NAME": "value", "EMPTY": ""}
    path = write(top=f'namegen:\n  weaklist: ["{text}"]\nprompts:\n  global_prefix: "{text}"\n')
    config = load(path, environ=environ)
    assert config.namegen.weaklist == (expected,)
    assert config.prompts.global_prefix == expected
    assert load(path, f"output.dir=x{text}", environ=environ).output.dir == "x" + expected


@pytest.mark.parametrize("text", ["${", "${}", "${1}", "${A-b}", "${A:?b}", "${MISSING:-${NAME}}", "${NAME"])
def test_what_looks_like_a_variable_and_is_none_is_told(text: str, write: Write) -> None:
    """Sabotage: make the braces of ``_VARIABLE`` obligatory again."""
    told = problems(write(top=f'model: "{text}"\n'), environ={"NAME": "value", "A": "a"})
    assert told == ["top.yaml:1: model: `${` begins no ${NAME} or ${NAME:-default}; write $${ for the text itself"]


def test_a_variable_is_not_filled_in_twice(write: Write) -> None:
    assert load(write(top="model: ${A}\n"), environ={"A": "${B}", "B": "b"}).model == "${B}"


def test_the_process_environment_is_the_default(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVOSELFCODE_TEST_MODEL", "m")
    assert RunConfig.from_file(write(top="model: ${EVOSELFCODE_TEST_MODEL}\n")).model == "m"


def test_a_mapping_is_taken_as_it_is() -> None:
    assert RunConfig.from_mapping({"model": "${A}"}).model == "${A}"


def test_what_is_no_mapping_is_told_without_a_key() -> None:
    """Sabotage: name the key in every complaint: ``the configuration: : got a list``."""
    with pytest.raises(ConfigError) as raised:
        RunConfig.from_mapping([])  # type: ignore[arg-type]
    assert raised.value.problems == ("the configuration: got a list, expected a map of settings",)


@pytest.mark.parametrize(
    ("override", "key", "expected"),
    [
        ("namegen.n=8", "namegen.n", 8),
        (" namegen . n = 8 ", "namegen.n", 8),
        ("namegen.temperature=0.7", "namegen.temperature", 0.7),
        ("filters.enable_ast=false", "filters.enable_ast", False),
        ("api.timeout=null", "api.timeout", None),
        ("api.timeout=", "api.timeout", None),
        ('namegen.stop=["(", " "]', "namegen.stop", ["(", " "]),
        ("api={concurrency: 3}", "api.concurrency", 3),
        ("model=a=b", "model", "a=b"),
        ("model=org/Qwen2.5-Coder", "model", "org/Qwen2.5-Coder"),
        ("model=2024-01-01", "model", "2024-01-01"),
        ('model="8"', "model", "8"),
        ("model=a: b", "model", "a: b"),
        ("api.base_url=local:", "api.base_url", "local:"),
        ("api.base_url=http://pod:8000", "api.base_url", "http://pod:8000"),
        ("output.dir=- x", "output.dir", "- x"),
        ('prompts.global_prefix="a\\n"', "prompts.global_prefix", "a\n"),
    ],
)
def test_the_command_line_overrides(override: str, key: str, expected: Any, write: Write) -> None:
    """Sabotage: drop ``blocks=False``: YAML reads ``local:`` as a map."""
    value: Any = load(write(top="model: m\napi:\n  timeout: 157\n"), override).to_public()
    for part in key.split("."):
        value = value[part]
    assert value == expected


def test_later_overrides_win_and_the_rest_of_a_section_stays(write: Write) -> None:
    config = load(write(top="namegen: {seed: 4}\n"), "namegen.n=2", "namegen.n=3")
    assert (config.namegen.seed, config.namegen.n) == (4, 3)


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("namegen.n", "--set 'namegen.n': expected KEY=VALUE, such as namegen.n=8"),
        ("=8", "--set '': expected KEY=VALUE"),
        ("namegen..n=8", "--set 'namegen..n': expected KEY=VALUE"),
        (".".join("a" * 99) + "=8", "expected KEY=VALUE"),
        ("namegen.n=eight", "--set: namegen.n: got 'eight' (str), expected a whole number"),
        ("namegen.nn=8", "--set: namegen.nn: unknown key; did you mean namegen.n?"),
        ("nmegen.n=8", "--set: nmegen: unknown key; did you mean namegen?"),
        ("model.name=8", "--set: model: got a map, expected text or null"),
        ("api=8", "--set: api: got 8 (int), expected a map of settings"),
        ("namegen.stop=[a, 1]", "--set: namegen.stop[1]: got 1 (int), expected text"),
        ("namegen.stop=[a", "--set: namegen.stop: expected ',' or ']'"),
        ("model=*", "--set: model: "),
        ("model=!!python/name:os.system", "--set: model: tags are refused"),
        ("api={timeout: 1, timeout: 2}", "--set: api: timeout: is given twice"),
        ("model=\0", "--set: model: the character U+0000 is not allowed"),
        ("model=\udcff", "--set: model: the character U+DCFF is not allowed"),
        ("extends=base.yaml", "--set: extends: stands in a file only"),
        ("model=${MISSING}", "--set: model: the environment variable MISSING is not set"),
    ],
)
def test_a_wrong_override_is_told(override: str, problem: str, write: Write) -> None:
    """Sabotage: do not add ``{path: "--set"}`` to the places."""
    (told,) = problems(write(top="model: m\n"), override)
    assert problem in told


def test_a_wrong_value_that_is_overridden_is_no_problem(write: Write) -> None:
    assert load(write(top="namegen:\n  n: 0\n"), "namegen.n=1").namegen.n == 1


def test_a_problem_beside_an_override_is_told_of_the_file(write: Write) -> None:
    told = problems(write(top="namegen:\n  n: 0\n"), "namegen.seed=1")
    assert told == ["top.yaml:2: namegen.n: got 0 (int), expected a whole number >= 1"]


@pytest.mark.parametrize("value", ["${MISSING}", "http://${MISSING}:${MISSING}/v1"])
def test_a_variable_that_is_not_set_is_the_only_thing_said_of_its_key(write: Write, value: str) -> None:
    """Sabotage: leave ``unset`` out of ``_leaf``: the address would be called none, too."""
    with pytest.raises(ConfigError) as caught:
        load(write(top=f'model: m\napi:\n  base_url: "{value}"\n'))
    assert {problem.partition(":3: ")[2][:62] for problem in caught.value.problems} == {
        "api.base_url: the environment variable MISSING is not set; set"
    }
