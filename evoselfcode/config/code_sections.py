"""The sections of Stage B: how descriptions, skeletons, asserts and code are asked for, and with which prompts."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from evoselfcode.config.sections import NUCLEUS

DEFAULT_TEMPLATE = 'def {func_name}{signature}:\n    """\n    {description}\n    """\n'

DESCRIBE_TEMPLATE = """\
Each entry says in one or two sentences what a Python function takes and what it returns.

Function: binary_search
Description: Return the position of a value in a sorted list, or -1 if the list does not hold it.

Function: count_vowels
Description: Count how many letters of a text are vowels; upper and lower case count alike.

Function: merge_intervals
Description: Take a list of intervals, each a pair of numbers, and return the sorted list in which those that overlap are one.

Function: is_leap_year
Description: Say whether a year of the Gregorian calendar has 366 days.

Function: {func_name}
Description:"""  # noqa: E501 - lines of a prompt

SKELETON_TEMPLATE = '''\
def binary_search(values: list[int], wanted: int) -> int:
    """Return the position of a value in a sorted list, or -1 if the list does not hold it.

    Args:
        values: Numbers in ascending order.
        wanted: The number to look for.

    Returns:
        Its position, counted from 0, or -1.
    """
    ...


def count_vowels(text: str) -> int:
    """Count how many letters of a text are vowels; upper and lower case count alike.

    Args:
        text: The text.

    Returns:
        The number of vowels.
    """
    ...


# {description}
def {func_name}('''

ASSERTS_TEMPLATE = '''\
def count_vowels(text: str) -> int:
    """Count how many letters of a text are vowels; upper and lower case count alike."""
    ...


# Check count_vowels.
assert count_vowels("Hello") == 2
assert count_vowels("") == 0
assert count_vowels("AEIOU") == 5
assert count_vowels("rhythm") == 0


{skeleton}    ...


# Check {func_name}.
assert {func_name}('''

FIM_SUFFIX = '\n\n\nif __name__ == "__main__":\n    main()\n'

NEXT_STATEMENT = ("\ndef ", "\nclass ", "\n@", "\n#", "\nif ", "\nprint", "\nimport ", "\nfrom ", "\nassert ", "\n```")
"""How the statement after a function begins."""

CodeArm = Literal["L2R", "FIM"]

_Stop = Annotated[str, Meta(min_length=1)]
_Text = Annotated[str, Meta(min_length=1)]
_FILLED = "{func_name}, {description}, {signature} and {skeleton} are filled in"


class CodePrompt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The prompt that asks for a function's code."""

    template: Annotated[
        str | None,
        Meta(
            description=f"Text before the body: {_FILLED}. Null is global_prefix followed by a function head with a "
            "docstring."
        ),
    ] = None
    suffix: Annotated[str, Meta(description="Text after the body, in the arm FIM.")] = FIM_SUFFIX

    def template_or(self, global_prefix: str) -> str:
        """Return the template, built from `global_prefix` if it was left out."""
        return global_prefix + DEFAULT_TEMPLATE if self.template is None else self.template


class DescribePrompt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The prompt that asks what a function of a name does."""

    template: Annotated[
        str | None,
        Meta(
            description="Text before the description; {func_name} is filled in. Null is four examples of ours and the "
            "name (docs/how-to/write-code.md shows it)."
        ),
    ] = None

    @property
    def text(self) -> str:
        """The template, the built-in one if it was left out."""
        return DESCRIBE_TEMPLATE if self.template is None else self.template


class SkeletonPrompt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The prompt that asks for a function's signature and docstring."""

    template: Annotated[
        str | None,
        Meta(
            description="Text that ends where the parameters begin; {func_name} and {description} are filled in. Null "
            "is two examples of ours and the name."
        ),
    ] = None

    @property
    def text(self) -> str:
        """The template, the built-in one if it was left out."""
        return SKELETON_TEMPLATE if self.template is None else self.template


class AssertsPrompt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The prompt that asks for checks of a function that is not written yet."""

    template: Annotated[
        str | None,
        Meta(
            description=f"Text that ends in the beginning of an assert; {_FILLED}. Null is an example of ours and the "
            "function without its body."
        ),
    ] = None

    @property
    def text(self) -> str:
        """The template, the built-in one if it was left out."""
        return ASSERTS_TEMPLATE if self.template is None else self.template


class Asking(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one stage of Stage B draws."""

    names: Annotated[
        _Text | None,
        Meta(
            description="JSONL file with func_name and, if you have them, description, signature and skeleton; null "
            "takes what the stage before has written."
        ),
    ] = None
    n: Annotated[int, Meta(ge=1, le=128, description="Draws for each name.")] = 1
    seed: Annotated[
        int, Meta(ge=0, le=2**62, description="Seed of the stage; each request's own seed is derived from it.")
    ] = 0
    temperature: Annotated[float, Meta(ge=0, le=2, description="Sampling temperature; 0 is greedy.")] = 0.4
    top_p: Annotated[float, Meta(gt=0, le=1, description=NUCLEUS)] = 0.95
    max_new_tokens: Annotated[int, Meta(ge=1, le=32768, description="Most tokens of one draw.")] = 512
    stop: Annotated[
        tuple[_Stop, ...], Meta(max_length=16, description="Strings that end a draw; not part of its text.")
    ] = NEXT_STATEMENT


class Describe(Asking, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How descriptions are drawn."""

    max_new_tokens: Annotated[int, Meta(ge=1, le=32768, description="Most tokens of one draw.")] = 96
    stop: Annotated[
        tuple[_Stop, ...], Meta(max_length=16, description="Strings that end a draw; not part of its text.")
    ] = ("\n",)


class Skeleton(Asking, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How signatures and docstrings are drawn."""

    max_new_tokens: Annotated[int, Meta(ge=1, le=32768, description="Most tokens of one draw.")] = 320


class Asserts(Asking, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How checks are drawn."""

    n: Annotated[int, Meta(ge=1, le=128, description="Draws for each name.")] = 8
    temperature: Annotated[float, Meta(ge=0, le=2, description="Sampling temperature; 0 is greedy.")] = 0.8
    max_new_tokens: Annotated[int, Meta(ge=1, le=32768, description="Most tokens of one draw.")] = 256
    stop: Annotated[
        tuple[_Stop, ...], Meta(max_length=16, description="Strings that end a draw; not part of its text.")
    ] = ("\ndef ", "\nclass ", "\n@", "\n#", "\nif ", "\nprint", "\nimport ", "\nfrom ", "\n```")


class Codegen(Asking, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How code is drawn."""

    arms: Annotated[
        tuple[CodeArm, ...],
        Meta(
            min_length=1,
            max_length=2,
            description="How the body is asked for: L2R continues the template, FIM fills in between it and "
            "prompts.codegen.suffix; both are an A/B comparison.",
        ),
    ] = ("L2R",)
    n: Annotated[int, Meta(ge=1, le=128, description="Draws for each name.")] = 4
    temperature: Annotated[float, Meta(ge=0, le=2, description="Sampling temperature; 0 is greedy.")] = 0.8
    on_length: Annotated[
        Literal["drop", "trim"],
        Meta(
            description="What becomes of a function that ran out of tokens: drop it as truncated, or trim it to its "
            "last complete statement."
        ),
    ] = "drop"
    logprobs: Annotated[bool, Meta(description="Ask for each draw's log-probability, where the server gives it.")] = (
        True
    )
