"""Whatever stands in a file, the answer is a configuration or a ConfigError, soon."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evoselfcode.config import RunConfig, rules
from evoselfcode.errors import ConfigError

KEYS = ["api", "fim", "base_url", "api_key", "timeout", "mode", "model", "namegen", "stop", "weaklist", "n", "seed"]
KEYS += [
    "temperature",
    "filters",
    "name_regex",
    "prompts",
    "codegen",
    "template",
    "output",
    "dir",
    "extends",
    "<<",
    "=",
]

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.binary(max_size=5),
    st.dates(),
    st.datetimes(),
    st.builds(lambda: 10**5000),
    st.sampled_from([float("nan"), 1e400, "${A}", "${", "local:", "\ud800", "1e3", set(), object()]),
)
keys = st.one_of(st.sampled_from(KEYS), st.text(max_size=10), st.integers(), st.none(), st.booleans())
data = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)
sections = st.fixed_dictionaries(
    {},
    optional={
        "model": data,
        "api": data | st.dictionaries(st.sampled_from(["base_url", "api_key", "timeout", "concurrency", "fim"]), data),
        "namegen": data | st.dictionaries(st.sampled_from(["n", "seed", "stop", "weaklist", "top_p"]), data),
        "filters": data | st.dictionaries(st.sampled_from(["name_regex", "enable_ast"]), data),
        "prompts": data | st.fixed_dictionaries({"codegen": st.fixed_dictionaries({"template": data})}),
        "output": data | st.fixed_dictionaries({"dir": data}),
    },
)
fuzz = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


def refused(load: Callable[[], RunConfig]) -> tuple[str, ...]:
    """Load and do what every run does with a configuration; return the problems if it was refused."""
    try:
        config = load()
    except ConfigError as error:
        assert error.problems  # noqa: PT017
        return error.problems
    assert "api" in config.to_public()
    config.fingerprint("names")
    config.warnings()
    repr(config)
    return ()


@fuzz
@given(data | sections)
def test_every_mapping_is_taken_or_refused(mapping: Any) -> None:
    """Sabotage: drop ``_is_unicode``, or ``Mapping`` from ``from_mapping``."""
    assert all(problem.isprintable() for problem in refused(lambda: RunConfig.from_mapping(mapping)))


@fuzz
@given(st.one_of(st.text(), st.text(alphabet="a:-[]{}'\"\n\t #&*!|>%@`?=<,.0123\\\0x_~"), st.binary()))
def test_every_file_is_taken_or_refused(tmp_path: Path, text: str | bytes) -> None:
    """Sabotage: build the loader outside the ``try`` of ``parse``: a NUL is an exception then."""
    path = tmp_path / "c.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    refused(lambda: RunConfig.from_file(path, environ={}))


@fuzz
@given(data | sections)
def test_every_dump_is_taken_or_refused(tmp_path: Path, document: Any) -> None:
    """Sabotage: drop ``construct_object``: ten thousand digits are an exception then."""
    path = tmp_path / "c.yaml"
    try:
        path.write_text(yaml.safe_dump(document), encoding="utf-8", errors="surrogatepass")
    except (yaml.YAMLError, ValueError):
        return
    refused(lambda: RunConfig.from_file(path, environ={}))


@fuzz
@given(st.text(), st.text())
def test_every_override_is_taken_or_refused(tmp_path: Path, key: str, value: str) -> None:
    """Sabotage: let ``_override`` raise what ``parse`` raises."""
    path = tmp_path / "c.yaml"
    path.write_text("model: m\n")
    for override in (f"{key}={value}", f"namegen.n={value}", f"model={value}", key):
        one = [override]
        refused(lambda one=one: RunConfig.from_file(path, overrides=one, environ={}))


def test_a_billion_laughs_are_not_built(tmp_path: Path) -> None:
    """Sabotage: take the anchors' refusal out of ``compose_node`` (the machine suffers)."""
    path = tmp_path / "c.yaml"
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    path.write_text("\n".join(lines))
    with pytest.raises(ConfigError, match="anchors and aliases are refused"):
        RunConfig.from_file(path)


def test_a_tag_runs_nothing(tmp_path: Path) -> None:
    """Sabotage: load with ``yaml.unsafe_load``."""
    path, trace = tmp_path / "c.yaml", tmp_path / "trace"
    path.write_text(f"model: !!python/object/apply:os.mkdir ['{trace}']\n")
    with pytest.raises(ConfigError, match="tags are refused"):
        RunConfig.from_file(path)
    assert not trace.exists()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_line_ends_and_a_byte_order_mark_do_not_matter(end: str, bom: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    lines = [f"{bom}# comment", "api:", "  timeout: 153", "model: größe", "namegen:", "  n: 0"]
    path.write_bytes(end.join(lines[:4]).encode())
    config = RunConfig.from_file(path)
    assert (config.api.timeout, config.model) == (153, "größe")
    path.write_bytes(end.join(lines).encode())
    with pytest.raises(ConfigError, match=r"c\.yaml:6: namegen\.n"):
        RunConfig.from_file(path)


def test_what_older_yaml_takes_for_a_date_is_text(tmp_path: Path) -> None:
    """Sabotage: empty ``_UNREAD``."""
    path = tmp_path / "c.yaml"
    path.write_text("model: 2024-13-45\nnamegen:\n  weaklist: [2024-01-01, =, <<]\n")
    config = RunConfig.from_file(path)
    assert config.model == "2024-13-45"
    assert config.namegen.weaklist == ("2024-01-01", "=", "<<")


def test_a_section_may_be_empty(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("api:\nnamegen: {}\nprompts:\n  funcname:\n  codegen: null\n")
    assert RunConfig.from_file(path) == RunConfig()


def test_a_long_line_is_read(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(f"prompts:\n  global_prefix: '{'x' * 100_000}'\n")
    assert len(RunConfig.from_file(path).prompts.global_prefix) == 100_000


HARMLESS = ["^[a-z_][a-z0-9_]{2,64}$", "^[a-z]+(_[a-z]+)*$", r"^(?!_)\w+$", "(foo|bar)_.*", "[a-z]+[0-9]*[a-z]+$", ""]
SLOW = ["(a+)+$", "^([a-z]+_?)+$", "^(a|a)*b", "((a*)*)*b", r"(\w\w?)+-", r"^(\w+\d*)+!$", "^([A-Z]?[a-z]+)*X$"]


@pytest.mark.parametrize("pattern", HARMLESS)
def test_a_pattern_that_ends_is_taken(pattern: str) -> None:
    assert rules.regex(pattern) is None


@pytest.mark.parametrize("pattern", SLOW)
def test_a_pattern_that_would_hang_a_run_is_refused_soon(pattern: str) -> None:
    """A match cannot be cut short, neither by a timeout nor by Ctrl-C. Sabotage: return ``None`` instead of a text."""
    before = time.thread_time()
    assert "takes exponential time" in (rules.regex(pattern) or "")
    assert time.thread_time() - before < 5
