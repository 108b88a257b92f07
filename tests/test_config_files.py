"""The configuration files that come with the project, and the remarks on settings that are probably not meant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from evoselfcode.config import Api, Arm, Filters, RunConfig
from evoselfcode.config.changing import FILTERS, FREE, SHAPING, is_free, is_neutral, shapes
from evoselfcode.config.filter_sections import GateKey
from evoselfcode.config.schema import flatten
from evoselfcode.config.sections import FamilyKey, FimModeKey
from evoselfcode.datagen.code.prompts import fill
from evoselfcode.datagen.filters.gates import CODE_REASONS, Limits
from evoselfcode.wire.dialect import FimMode
from evoselfcode.wire.sentinels import FAMILIES

CONFIGS = Path(__file__).parents[1] / "configs"


def keys(kind: type[msgspec.Struct] = RunConfig, before: str = "") -> Iterator[str]:
    """Yield every key path of the schema."""
    for name, hint in get_type_hints(kind).items():
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            yield from keys(hint, f"{before}{name}.")
        elif name in kind.__struct_fields__:
            yield before + name


def lines() -> dict[str, str]:
    """Return (key path → the line above) for every setting of datagen.yaml, those commented out included."""
    found, path = {}, []
    text = (CONFIGS / "datagen.yaml").read_text(encoding="utf-8").splitlines()
    for above, line in zip(["", *text], text, strict=False):
        match = re.match(r"( *)(?:# )?([a-z_0-9]+):(?: |$)", line)
        if match and not line.startswith("          "):
            path = [*path[: len(match[1]) // 2], match[2]]
            found[".".join(path)] = above
    return found


def test_datagen_yaml_has_every_key_and_says_what_it_means() -> None:
    """Sabotage: add a key to the schema, or take a comment out of the file."""
    found = lines()
    assert [key for key in keys() if key not in found] == []
    assert [key for key in keys() if not found[key].lstrip().startswith("# ")] == []


def test_datagen_yaml_has_the_defaults() -> None:
    """Prompts are written out there, with the text that the defaults give. Sabotage: change any value."""
    config, default = RunConfig.from_file(CONFIGS / "datagen.yaml"), RunConfig()
    here, there = flatten(config.to_public()), flatten(default.to_public())
    written = {key for key in here if here[key] != there[key]}
    assert written == {"prompts.funcname.fim.prefix", "prompts.funcname.l2r.prompt", "prompts.codegen.template"}
    prefix, ours, theirs = default.prompts.global_prefix, config.prompts, default.prompts
    assert ours.funcname.fim.prefix_or("") == theirs.funcname.fim.prefix_or(prefix)
    assert ours.funcname.l2r.prompt_or("") == theirs.funcname.l2r.prompt_or(prefix)
    unsigned = {"func_name": "f", "description": "Do it.", "signature": "()", "skeleton": ""}
    assert fill(ours.codegen.template_or(""), unsigned) == fill(theirs.codegen.template_or(prefix), unsigned)


@pytest.mark.parametrize("name", ["model", "vllm"])
def test_the_files_for_an_endpoint_load(name: str) -> None:
    environ = {"EVOSELFCODE_BASE_URL": "http://pod:8000", "EVOSELFCODE_API_KEY": "sk-1"}
    config = RunConfig.from_file(CONFIGS / f"{name}.yaml", environ=environ)
    assert (config.api.base_url, config.api.api_key, config.model) == ("http://pod:8000", "sk-1", "Qwen2.5-Coder-32B")
    del environ["EVOSELFCODE_API_KEY"]
    assert RunConfig.from_file(CONFIGS / f"{name}.yaml", environ=environ).api.api_key == ""


def test_the_vllm_file_is_datagen_yaml_elsewhere() -> None:
    environ = {"EVOSELFCODE_BASE_URL": "http://pod:8000"}
    vllm = flatten(RunConfig.from_file(CONFIGS / "vllm.yaml", environ=environ).to_public())
    datagen = flatten(RunConfig.from_file(CONFIGS / "datagen.yaml").to_public())
    assert {key for key in vllm if vllm[key] != datagen[key]} == {"api.base_url", "model"}


def test_closed_sets_of_the_schema_are_those_of_the_wire() -> None:
    """Sabotage: add a family to the table of sentinels only."""
    assert set(get_args(FamilyKey)) == set(FAMILIES)
    assert set(get_args(FimModeKey)) == {"auto", *get_args(FimMode)}


def test_what_shapes_a_stage_exists_and_makes_its_fingerprint() -> None:
    """Sabotage: misspell a key of ``SHAPING`` or ``FREE``; put ``namegen.temperature`` into ``FREE``."""
    known = set(keys())
    assert known >= FREE
    for stage, parts in SHAPING.items():
        for part in parts:
            assert any(key.startswith(part) if part.endswith(".") else key == part for key in known), (stage, part)
        named = {f"namegen.arms.{arm}.{key}" for arm in ("FIM", "L2R") for key in Arm.__struct_fields__}
        expected = {key for key in known if shapes(stage, key)} - {"namegen.arms"}
        assert set(RunConfig().fingerprint(stage)) == expected | (named if stage == "names" else set())
    assert not is_free("codegen.temperature")
    assert is_free("filters.max_lines")
    changed = RunConfig.from_mapping({"namegen": {"temperature": 0.5}, "api": {"concurrency": 3}})
    here, there = changed.fingerprint("names"), RunConfig().fingerprint("names")
    assert {key for key in here if here[key] != there[key]} == {"namegen.temperature"}
    assert changed.fingerprint("code") == RunConfig().fingerprint("code")


def test_the_defaults_of_filters_are_those_of_the_gates() -> None:
    """Sabotage: change a threshold in the gates, or in the section of the configuration, alone."""
    limits, filters = Limits(), Filters()
    shared = set(Limits.__struct_fields__) & set(Filters.__struct_fields__)
    assert set(Limits.__struct_fields__) - shared == {"off", "parse"}
    assert limits.off == filters.disabled_gates
    for name in shared:
        assert getattr(limits, name) == getattr(filters, name), name
    assert {*get_args(GateKey), "unparsable", "ruff"} == set(CODE_REASONS)


SERVER = {"model": "m", "api": {"base_url": "http://pod:8000"}}


def warned(**sections: Any) -> list[str]:
    return RunConfig.from_mapping(sections).warnings()


def test_the_default_configuration_gives_no_remark() -> None:
    assert RunConfig.from_file(CONFIGS / "datagen.yaml").warnings() == []
    assert RunConfig().warnings() == []


@pytest.mark.parametrize(("timeout", "remarked"), [(60, True), (119.9, True), (120, False), (None, False)])
def test_a_timeout_without_time_in_the_queue_is_remarked_on(timeout: float | None, remarked: bool) -> None:
    """R10. Sabotage: drop ``_timeout``."""
    found = warned(api={"timeout": timeout})
    assert len(found) == remarked
    assert all("waits longer in the server's queue is cut off" in remark for remark in found)


def test_a_prompt_that_ends_in_a_space_is_remarked_on_for_a_server() -> None:
    """Sabotage: drop ``_boundary``."""
    (remark,) = warned(**SERVER)
    assert "the L2R prompt ends in a space" in remark
    assert "\nhint: prompts.boundary: token" in remark
    assert warned(**SERVER, prompts={"boundary": "token"}) == []


def test_a_stop_of_spaces_is_remarked_on_where_names_begin_with_one() -> None:
    """Sabotage: turn ``not prompt[-1:].isspace()`` round."""
    same = {"funcname": {"fim": {"prefix": "def"}, "l2r": {"prompt": "def"}}}
    (remark,) = warned(**SERVER, prompts=same)
    assert remark.startswith("namegen.stop contains a space")
    assert warned(**SERVER, prompts=same, namegen={"stop": ["("]}) == []
    assert warned(**SERVER, prompts=same | {"boundary": "token"}) == []
    ends_in_newline = {"funcname": {"fim": {"prefix": "def\n"}, "l2r": {"prompt": "def\n"}}}
    assert warned(**SERVER, prompts=ends_in_newline) == []


def test_a_global_prefix_without_effect_is_remarked_on() -> None:
    """Sabotage: return ``[]`` from ``_global_prefix``."""
    prompts = {"global_prefix": "# Mine\n", "funcname": {"fim": {"prefix": "def "}, "l2r": {"prompt": "def "}}}
    assert [remark.partition(", which")[0] for remark in warned(prompts=prompts)] == [
        "prompts.global_prefix has no effect on prompts.funcname.fim.prefix",
        "prompts.global_prefix has no effect on prompts.funcname.l2r.prompt",
    ]
    assert warned(prompts={"global_prefix": "# Mine\n"}) == []
    built = {"funcname": {"fim": {"prefix": "# Mine\ndef "}, "l2r": {"prompt": "# Mine\ndef "}}}
    assert warned(prompts={"global_prefix": "# Mine\n"} | built) == []


def test_arms_that_differ_in_more_than_the_mode_are_remarked_on() -> None:
    """Sabotage: return ``[]`` from ``_arms``."""
    (remark,) = warned(prompts={"funcname": {"l2r": {"prompt": "async def "}}})
    assert remark.startswith("the arms FIM and L2R differ in more than one factor: mode, prefix\n")


def test_the_address_of_a_server_may_have_any_path() -> None:
    for url in (
        "http://pod",
        "https://pod:8000/",
        "http://pod/v1",
        "http://[::1]:8000/v1",
        "https://bücher.example/a/b",
    ):
        assert RunConfig.from_mapping({"model": "m", "api": {"base_url": url}}).api.base_url == url


def test_sections_are_values() -> None:
    assert Api(timeout=3) == Api(timeout=3.0)
    assert RunConfig() == RunConfig.from_mapping({})


def changed(value: Any, path: list[str]) -> Any:
    """Return a section with another value at a key path, unchecked."""
    if not path:
        return "another"
    key, *rest = path
    if isinstance(value, dict):
        return value | {key: changed(value[key], rest)}
    return msgspec.structs.replace(value, **{key: changed(getattr(value, key), rest)})


def test_every_setting_changes_the_fingerprint_or_is_declared_neutral() -> None:
    """D15. Sabotages: add a key to a section and to no table; put ``namegen.seed`` into ``NEUTRAL``."""
    config = RunConfig()
    for key in flatten(config.to_public()):
        other = changed(config, key.split("."))
        noticed = [stage for stage in SHAPING if other.fingerprint(stage) != config.fingerprint(stage)]
        assert bool(noticed) != is_neutral(key), key
        assert is_neutral(key) == is_free(key), key
    assert all(shapes(stage, key) for stage, filters in FILTERS.items() for key in filters)
