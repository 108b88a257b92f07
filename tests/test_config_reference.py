"""The reference of the configuration: never stale, and a schema that agrees with what the program takes."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
import yaml

from evoselfcode.config import Arm, RunConfig, arm_of
from evoselfcode.config.changing import is_free
from evoselfcode.config.schema import flatten

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "scripts" / "write_config_reference.py"
SCHEMA = json.loads((ROOT / "docs" / "reference" / "config.schema.json").read_text(encoding="utf-8"))
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
NO_RULES = ("$defs", "$ref", "$schema", "title", "description", "default", "properties", "items")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_config_reference", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("name", "writer"), [("config.schema.json", "schema"), ("config.md", "page")])
def test_the_reference_is_not_stale(script: ModuleType, name: str, writer: str) -> None:
    """Sabotage: change the description of a key. Mend with ``make reference``."""
    assert (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8") == getattr(script, writer)()


def test_check_says_what_is_stale_and_changes_nothing(tmp_path: Path) -> None:
    """Sabotage: write before ``--check`` is looked at."""
    (tmp_path / "scripts").mkdir()
    copy = tmp_path / "scripts" / SCRIPT.name
    copy.write_text(SCRIPT.read_text(encoding="utf-8"), encoding="utf-8")
    command = [sys.executable, str(copy)]
    stale = subprocess.run([*command, "--check"], capture_output=True, text=True, check=False)
    assert stale.returncode == 1
    assert "docs/reference/config.md is stale: run make reference" in stale.stderr
    assert not (tmp_path / "docs").exists()
    subprocess.run(command, check=True)
    assert subprocess.run([*command, "--check"], check=False).returncode == 0


def test_the_page_tells_every_key_with_its_default_its_meaning_and_whether_it_is_free(script: ModuleType) -> None:
    """Sabotages: skip a section in ``_section``; look only at the first annotation of a key in ``_said``."""
    section, seen, meanings = "", {}, {}
    for line in script.page().splitlines():
        if line.startswith("## "):
            section = "" if line == "## Top level" else line.removeprefix("## ") + "."
        elif row := re.match(r"\| `(\w+)` \| [^|]+ \| `(.*?)` \| (free)? \|", line.replace("\\|", "")):
            seen[section + row[1]] = (json.loads(row[2]), bool(row[3]))
            meanings[section + row[1]] = line[row.end() :].strip("| ")
    defaults = {key: value for key, value in flatten(RunConfig().to_public()).items() if not arm_of(key)}
    defaults["namegen.arms"] = {"FIM": {"mode": "FIM"}, "L2R": {"mode": "L2R"}}
    own = json.loads(msgspec.json.encode(Arm(mode="L2R")))
    defaults |= {f"namegen.arms.NAME.{key}": value for key, value in own.items() if key != "mode"}
    assert {key: default for key, (default, _) in seen.items()} == defaults
    assert {key for key, (_, free) in seen.items() if free} == set(filter(is_free, seen))
    assert [key for key, meaning in meanings.items() if not meaning] == []


def errors(value: Any, rule: dict[str, Any], path: str = "") -> list[str]:
    """Validate by JSON Schema, as much of it as the schema uses; a keyword that is not known here is an error."""
    if "$ref" in rule:
        rule = rule | SCHEMA["$defs"][rule["$ref"].rpartition("/")[2]]
    found = []
    for keyword, limit in rule.items():
        if keyword not in NO_RULES:
            applies, holds = CHECKS[keyword]
            found += [] if not applies(value) or holds(value, limit, rule) else [f"{path}: {keyword}"]
    if isinstance(value, dict):
        for key, child in value.items():
            found += errors(child, rule.get("properties", {}).get(key, {}), f"{path}.{key}")
    if isinstance(value, list):
        for index, child in enumerate(value):
            found += errors(child, rule.get("items", {}), f"{path}[{index}]")
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is(value: object, kind: str) -> bool:
    if kind in NUMBERS:
        return _is_number(value) and (kind == "number" or isinstance(value, int))
    return isinstance(value, TYPES[kind])


NUMBERS = ("number", "integer")
CHECKS: dict[str, tuple[Callable[[Any], bool], Callable[[Any, Any, dict[str, Any]], bool]]] = {
    "type": (lambda value: True, lambda value, kind, rule: _is(value, kind)),
    "anyOf": (lambda value: True, lambda value, options, rule: any(not errors(value, option) for option in options)),
    "enum": (lambda value: True, lambda value, allowed, rule: value in allowed),
    "minimum": (_is_number, lambda value, limit, rule: value >= limit),
    "exclusiveMinimum": (_is_number, lambda value, limit, rule: value > limit),
    "maximum": (_is_number, lambda value, limit, rule: value <= limit),
    "minLength": (lambda value: isinstance(value, str), lambda value, limit, rule: len(value) >= limit),
    "minItems": (lambda value: isinstance(value, list), lambda value, limit, rule: len(value) >= limit),
    "maxItems": (lambda value: isinstance(value, list), lambda value, limit, rule: len(value) <= limit),
    "required": (lambda value: isinstance(value, dict), lambda value, names, rule: set(names) <= set(value)),
    "additionalProperties": (
        lambda value: isinstance(value, dict),
        lambda value, more, rule: more or set(value) <= set(rule["properties"]),
    ),
}
"""What each keyword applies to, and whether a value holds to it."""


def guide_blocks() -> list[str]:
    text = (ROOT / "tests" / "data" / "guide.md").read_text(encoding="utf-8")
    return re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.name)
def test_the_schema_accepts_the_files_that_come_with_the_project(path: Path) -> None:
    assert errors(yaml.safe_load(path.read_text(encoding="utf-8")), SCHEMA) == []


@pytest.mark.parametrize("block", guide_blocks())
def test_the_schema_accepts_the_guide(block: str) -> None:
    assert errors(yaml.safe_load(block), SCHEMA) == []


def test_the_schema_accepts_the_defaults_and_extends() -> None:
    assert errors(RunConfig().to_public(), SCHEMA) == []
    assert errors({"extends": ["a.yaml"]}, SCHEMA) == errors({"extends": "a.yaml"}, SCHEMA) == []


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({"modle": "m"}, ": additionalProperties"),
        ({"namegen": {"temprature": 1}}, ".namegen: additionalProperties"),
        ({"namegen": {"n": 0}}, ".namegen.n: minimum"),
        ({"namegen": {"n": "4"}}, ".namegen.n: type"),
        ({"namegen": {"top_p": 0}}, ".namegen.top_p: exclusiveMinimum"),
        ({"namegen": {"stop": [""]}}, ".namegen.stop[0]: minLength"),
        ({"namegen": {"stop": ["x"] * 17}}, ".namegen.stop: maxItems"),
        ({"api": {"fim": {"mode": "sufix"}}}, ".api.fim.mode: enum"),
        ({"api": {"timeout": -1}}, ".api.timeout: anyOf"),
        ({"extends": 5}, ".extends: anyOf"),
    ],
)
def test_the_schema_refuses_what_the_program_refuses(document: dict[str, Any], problem: str) -> None:
    """Sabotage: drop ``forbid_unknown_fields`` from a section (and write the reference anew)."""
    assert errors(document, SCHEMA) == [problem]
