"""The sections of the prompts of Stage A: what stands around a name, in each arm."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from evoselfcode.config.code_sections import AssertsPrompt, CodePrompt, DescribePrompt, SkeletonPrompt


class FimPrompt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands around the name in the FIM arm."""

    prefix: Annotated[
        str | None, Meta(description="Text before the name; null is global_prefix followed by `def `.")
    ] = None
    suffix: Annotated[str, Meta(description="Text after the name.")] = "():\n"

    def prefix_or(self, global_prefix: str) -> str:
        """Return the prefix, built from `global_prefix` if it was left out."""
        return f"{global_prefix}def " if self.prefix is None else self.prefix


class L2rPrompt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands before the name in the L2R arm."""

    prompt: Annotated[
        str | None, Meta(description="Text before the name; null is global_prefix followed by `def `.")
    ] = None

    def prompt_or(self, global_prefix: str) -> str:
        """Return the prompt, built from `global_prefix` if it was left out."""
        return f"{global_prefix}def " if self.prompt is None else self.prompt


class Funcname(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The prompts of the two arms."""

    fim: FimPrompt = FimPrompt()
    l2r: L2rPrompt = L2rPrompt()


class Prompts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The text that is sent: a prompt that is given verbatim, one that is left out beginning with global_prefix."""

    global_prefix: Annotated[
        str,
        Meta(description="Beginning of every prompt that is left out below; never added to one that is given."),
    ] = "This is an algorithm function.\n\n"
    boundary: Annotated[
        Literal["literal", "token"],
        Meta(
            description="literal sends prompts for names as written; token strips their trailing spaces and drops a "
            "stop of spaces, because byte-pair models put the space into a name's first token."
        ),
    ] = "literal"
    code_boundary: Annotated[
        Literal["literal", "token"],
        Meta(
            description="literal sends the prompts of Stage B as written; token strips the white space at their end, "
            "for vocabularies with a token of a line end and the indentation behind it (GPT-2's kind). Qwen2.5's has "
            "one of three quotes and the line end behind them, and wants literal."
        ),
    ] = "literal"
    topic_prefix: Annotated[
        str,
        Meta(description="What global_prefix becomes in an arm with topics; {topic} is filled in."),
    ] = "This is an algorithm function about {topic}.\n\n"
    used_name: Annotated[
        str,
        Meta(description="How a name that is taken is shown, in an arm with used_names; {func_name} is filled in."),
    ] = "def {func_name}(...):\n    ...\n\n\n"
    funcname: Funcname = Funcname()
    describe: DescribePrompt = DescribePrompt()
    skeleton: SkeletonPrompt = SkeletonPrompt()
    asserts: AssertsPrompt = AssertsPrompt()
    codegen: CodePrompt = CodePrompt()
