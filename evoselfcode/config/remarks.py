"""Remarks on settings that are allowed and probably not meant. Each is one sentence and a hint."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evoselfcode.config.schema import RunConfig


def remarks(config: RunConfig) -> list[str]:
    """Return the remarks on a configuration."""
    return [*_boundary(config), *_global_prefix(config), *_arms(config)]


def _arm_prompts(config: RunConfig) -> dict[str, str]:
    prompts = config.prompts
    return {
        "prompts.funcname.fim.prefix": prompts.funcname.fim.prefix_or(prompts.global_prefix),
        "prompts.funcname.l2r.prompt": prompts.funcname.l2r.prompt_or(prompts.global_prefix),
    }


def _boundary(config: RunConfig) -> list[str]:
    if config.prompts.boundary == "token":
        return []
    found = []
    prompt = _arm_prompts(config)["prompts.funcname.l2r.prompt"]
    if prompt.endswith(" ") and config.api.base_url != "local:":
        found.append(
            "the L2R prompt ends in a space: byte-pair models put the space into a name's first token, so the L2R "
            "arm is handicapped by the prompt, not by the mode\nhint: prompts.boundary: token strips it in both arms"
        )
    if not prompt[-1:].isspace() and any(not stop.strip(" ") for stop in config.namegen.stop):
        found.append(
            "namegen.stop contains a space and the L2R prompt does not end in white space: a name whose first token "
            "begins with a space ends before it begins\nhint: take the space out of namegen.stop, or set "
            "prompts.boundary: token"
        )
    return found


def _global_prefix(config: RunConfig) -> list[str]:
    if config.prompts.global_prefix == type(config.prompts)().global_prefix:
        return []
    given = {
        "prompts.funcname.fim.prefix": config.prompts.funcname.fim.prefix,
        "prompts.funcname.l2r.prompt": config.prompts.funcname.l2r.prompt,
        "prompts.codegen.template": config.prompts.codegen.template,
    }
    return [
        f"prompts.global_prefix has no effect on {key}, which is given and used as written\nhint: leave {key} out to "
        "build it from global_prefix"
        for key, text in given.items()
        if text is not None and not text.startswith(config.prompts.global_prefix)
    ]


def _arms(config: RunConfig) -> list[str]:
    prefix, prompt = _arm_prompts(config).values()
    if prefix == prompt:
        return []
    return [
        "the two arms differ in more than the mode: the FIM prefix and the L2R prompt are not the same text\nhint: "
        "make them equal, or read the comparison as one of prompts"
    ]
