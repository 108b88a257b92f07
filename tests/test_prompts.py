"""Prompts: what is given is sent as written; what is left out is built from ``global_prefix``."""

from __future__ import annotations

from typing import Any

from evoselfcode import RunConfig
from evoselfcode.config import cells
from evoselfcode.datagen.prompts import funcname_prompt, funcname_stop
from evoselfcode.records import Fim, L2r, Prompt


def config(prompts: dict[str, Any], **namegen: Any) -> RunConfig:
    return RunConfig.from_mapping({"prompts": prompts, "namegen": namegen})


def asked(settings: RunConfig, arm: str) -> Prompt:
    return funcname_prompt(settings, cells(settings)[arm])


def test_a_prompt_that_is_left_out_begins_with_the_global_prefix() -> None:
    settings = config({"global_prefix": "# Graphs.\n"})
    assert asked(settings, "FIM") == Fim("# Graphs.\ndef ", "():\n")
    assert asked(settings, "L2R") == L2r("# Graphs.\ndef ")


def test_a_prompt_that_is_given_is_sent_as_written() -> None:
    """Sabotage: put global_prefix before a given prompt too."""
    given = {"global_prefix": "no", "funcname": {"fim": {"prefix": "a ", "suffix": "b"}, "l2r": {"prompt": "c "}}}
    assert asked(config(given), "FIM") == Fim("a ", "b")
    assert asked(config(given), "L2R") == L2r("c ")


def test_the_token_boundary_takes_trailing_spaces_alone() -> None:
    given = {"boundary": "token", "funcname": {"fim": {"prefix": "a\n  "}, "l2r": {"prompt": "c\n"}}}
    assert asked(config(given), "FIM") == Fim("a\n", "():\n")
    assert asked(config(given), "L2R") == L2r("c\n")


def stops(prompts: dict[str, Any], **namegen: Any) -> tuple[str, ...]:
    settings = config(prompts, **namegen)
    return funcname_stop(settings, cells(settings)["L2R"])


def test_stops() -> None:
    assert stops({}) == ("(", " ", "\n")
    assert stops({"boundary": "token"}, stop=["(", " ", "  ", "\n", " ("]) == ("(", "\n", " (")
