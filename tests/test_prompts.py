"""Prompts: what is given is sent as written; what is left out is built from ``global_prefix``."""

from __future__ import annotations

from typing import Any

from evoselfcode import RunConfig
from evoselfcode.datagen.prompts import funcname_prompt, funcname_stop
from evoselfcode.records import Fim, L2r


def config(prompts: dict[str, Any], **namegen: Any) -> RunConfig:
    return RunConfig.from_mapping({"prompts": prompts, "namegen": namegen})


def test_a_prompt_that_is_left_out_begins_with_the_global_prefix() -> None:
    settings = config({"global_prefix": "# Graphs.\n"})
    assert funcname_prompt(settings, "FIM") == Fim("# Graphs.\ndef ", "():\n")
    assert funcname_prompt(settings, "L2R") == L2r("# Graphs.\ndef ")


def test_a_prompt_that_is_given_is_sent_as_written() -> None:
    """Sabotage: put global_prefix before a given prompt too."""
    given = {"global_prefix": "no", "funcname": {"fim": {"prefix": "a ", "suffix": "b"}, "l2r": {"prompt": "c "}}}
    assert funcname_prompt(config(given), "FIM") == Fim("a ", "b")
    assert funcname_prompt(config(given), "L2R") == L2r("c ")


def test_the_token_boundary_takes_trailing_spaces_alone() -> None:
    given = {"boundary": "token", "funcname": {"fim": {"prefix": "a\n  "}, "l2r": {"prompt": "c\n"}}}
    assert funcname_prompt(config(given), "FIM") == Fim("a\n", "():\n")
    assert funcname_prompt(config(given), "L2R") == L2r("c\n")


def test_stops() -> None:
    assert funcname_stop(config({})) == ("(", " ", "\n")
    assert funcname_stop(config({"boundary": "token"}, stop=["(", " ", "  ", "\n", " ("])) == ("(", "\n", " (")
