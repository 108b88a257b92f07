"""Model family → how its fill-in-the-middle prompt is written.

This file decides, byte for byte, what a raw FIM prompt looks like, what ends its middle, and which strings are a
model's special tokens. The rules are the table; the code under it is short. It refuses to know how a prompt travels.

No white space is added anywhere that a family's strings do not show. Spelling and order are not derivable from each
other: Mellum spells its sentinels as StarCoder does and orders them the other way round. Presence of the tokens in a
vocabulary is not a capability: families that were not trained for FIM are not in the table.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import msgspec

from evoselfcode.errors import PromptError
from evoselfcode.records import Fim, Order


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """How one family of models takes FIM.

    Attributes:
        name: The name in ``api.fim.family``.
        prefix: What stands before the prefix text.
        suffix: What stands before the suffix text.
        middle: What stands before the middle, that is at the end of the prompt.
        order: ``PSM`` is prefix, suffix, middle; ``SPM`` is suffix, prefix, middle.
        other: The other order, as what stands before, between and after its two texts: ``exchanged`` puts the two parts
            the other way round, as llama.cpp's ``--spm-infill`` does for any model; ``None`` where there is no other.
        stops: Strings that end a middle, besides the sentinels themselves; the likeliest first.
        stop_ids: Token ids that end a middle, for servers that take them: a stop *string* never matches a token
            that the server hides from the text.
        ids: Token ids of (beginning of text, suffix, prefix), for tokenizers that do not read sentinels in text.
        models: Patterns of model names, lower case.
        source: Where the format is documented.
    """

    name: str
    prefix: str
    suffix: str
    middle: str
    order: Order = "PSM"
    other: tuple[str, str, str] | Literal["exchanged"] | None = "exchanged"
    stops: tuple[str, ...] = ()
    stop_ids: tuple[int, ...] = ()
    ids: tuple[int, int, int] | None = None
    models: tuple[str, ...]
    source: str

    def takes(self, order: Order) -> bool:
        """Say whether a prompt can be written in this order."""
        return order == self.order or self.other is not None

    @property
    def tokens(self) -> tuple[str, ...]:
        """The special tokens among its strings, such as ``<|fim_prefix|>``."""
        return tuple(_TOKEN.findall(self.prefix + self.suffix + self.middle))

    @property
    def reserved(self) -> tuple[str, ...]:
        """Strings that a prompt must not contain: the tokenizer would read them as special tokens, not as text."""
        return tuple(dict.fromkeys((*self.tokens, *self.stops)))

    @property
    def endings(self) -> tuple[str, ...]:
        """Strings that end a middle: the stops, then the sentinels.

        Without those in square brackets: servers hide Mistral's control tokens, so ``[SUFFIX]`` in a text is Python.
        """
        return tuple(token for token in dict.fromkeys((*self.stops, *self.tokens)) if not token.startswith("["))


_TOKEN = re.compile(r"<[^<>\s]+>|\[[A-Z]+\]")

_TABLE = (
    Family(
        name="qwen2.5-coder",
        prefix="<|fim_prefix|>",
        suffix="<|fim_suffix|>",
        middle="<|fim_middle|>",
        stops=("<|endoftext|>", "<|im_end|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>"),
        stop_ids=(151643, 151645, 151659, 151661, 151662, 151663, 151664),
        models=(r"qwen[-_]?2[.p_-]?5[-_. ]?coder", r"qwen[-_]?3[-_. ]?coder"),
        source="Qwen2.5-Coder README; Qwen3-Coder examples/Qwen2.5-Coder-fim.py",
    ),
    Family(
        name="evoselfcode",
        prefix="<|fim_prefix|>",
        suffix="<|fim_suffix|>",
        middle="<|fim_middle|>",
        stops=("<|endoftext|>",),
        models=(r"evoselfcode", r"evo-tiny"),
        source="evoselfcode.local; the tests' evo-tiny model",
    ),
    Family(
        name="codeqwen1.5",
        prefix="<fim_prefix>",
        suffix="<fim_suffix>",
        middle="<fim_middle>",
        stops=("<|endoftext|>", "<|im_end|>", "<fim_pad>", "<file_sep>"),
        models=(r"codeqwen",),
        source="CodeQwen1.5 tokenizer_config; Tabby registry",
    ),
    Family(
        name="santacoder",
        prefix="<fim-prefix>",
        suffix="<fim-suffix>",
        middle="<fim-middle>",
        other=("<fim-prefix><fim-suffix>", "<fim-middle>", ""),
        stops=("<|endoftext|>",),
        models=(r"santacoder",),
        source="bigcode-evaluation-harness santacoder_fim.py",
    ),
    Family(
        name="mellum",
        prefix="<fim_prefix>",
        suffix="<fim_suffix>",
        middle="<fim_middle>",
        order="SPM",
        stops=("<|endoftext|>", "<filename>"),
        models=(r"mellum",),
        source="arXiv 2510.05788",
    ),
    Family(
        name="starcoder",
        prefix="<fim_prefix>",
        suffix="<fim_suffix>",
        middle="<fim_middle>",
        other=("<fim_prefix><fim_suffix>", "<fim_middle>", ""),
        stops=("<|endoftext|>", "<file_sep>", "<repo_name>"),
        models=(r"starcoder", r"stable[-_]?code", r"refact[-_]1[._]6"),
        source="bigcode-evaluation-harness; stable-code-3b and Refact-1.6B-fim model cards",
    ),
    Family(
        name="code-llama",
        prefix="<PRE> ",
        suffix=" <SUF>",
        middle=" <MID>",
        other=("<PRE> <SUF>", " <MID> ", ""),
        stops=("<EOT>",),
        models=(r"code[-_]?llama(?!.*(34b|python|70b.*instruct))",),
        source="codellama llama/generation.py",
    ),
    Family(
        name="deepseek",
        prefix="<｜fim▁begin｜>",
        suffix="<｜fim▁hole｜>",
        middle="<｜fim▁end｜>",
        stops=("<｜end▁of▁sentence｜>", "<|EOT|>"),
        models=(r"deepseek[-_]?coder", r"deepseek[-_]?v[34]"),
        source="DeepSeek-Coder and DeepSeek-Coder-V2 READMEs",
    ),
    Family(
        name="mistral-v3",
        prefix="[PREFIX]",
        suffix="[SUFFIX]",
        middle="",
        order="SPM",
        stops=("</s>",),
        other=None,
        ids=(1, 13, 11),
        models=(r"^(?!.*mamba).*codestral[-_:]22b",),
        source="mistral-common 1.13 instruct.py, tokenizer v3",
    ),
    Family(
        name="mistral-tekken",
        prefix="[PREFIX]",
        suffix="[SUFFIX]",
        middle="",
        order="SPM",
        stops=("</s>",),
        other=None,
        ids=(1, 16, 14),
        models=(r"^(?!.*mamba).*codestral",),
        source="mistral-common 1.13 instruct.py, tekken tokenizer",
    ),
    Family(
        name="codegemma",
        prefix="<|fim_prefix|>",
        suffix="<|fim_suffix|>",
        middle="<|fim_middle|>",
        stops=("<|file_separator|>", "<end_of_turn>", "<eos>"),
        models=(r"codegemma(?!.*([-_]it\b|instruct))",),
        source="CodeGemma prompt structure page (the pretrained models; -it is a chat model)",
    ),
    Family(
        name="granite-4",
        prefix="<|fim_prefix|>",
        suffix="<|fim_suffix|>",
        middle="<|fim_middle|>",
        stops=("<|end_of_text|>", "<|fim_pad|>"),
        models=(r"granite[-_]?4(?![0-9b])",),
        source="Granite 4.0 README and prompt guide; the spelling changed from 3.3",
    ),
    Family(
        name="granite",
        prefix="<fim_prefix>",
        suffix="<fim_suffix>",
        middle="<fim_middle>",
        stops=("<|endoftext|>", "<|end_of_text|>", "<fim_pad>"),
        models=(r"granite[-_]?3[.p]3", r"granite.*[-_]code(?![a-z])"),
        source="Granite code parameters in Ollama; Granite 3.3 README (3.0 to 3.2 have no FIM)",
    ),
    Family(
        name="codegeex4",
        prefix="<|code_prefix|>",
        suffix="<|user|>\n###PATH:main.py\n###LANGUAGE:Python\n###MODE:BLOCK\n<|code_suffix|>",
        middle="<|code_middle|><|assistant|>\n",
        order="SPM",
        other=None,
        stops=("<|endoftext|>", "<|observation|>"),
        models=(r"codegeex[-_]?4",),
        source="CodeGeeX4 guides/Infilling_guideline.md",
    ),
    Family(
        name="seed-coder",
        prefix="<[fim-prefix]>",
        suffix="<[fim-suffix]>",
        middle="<[fim-middle]>",
        order="SPM",
        stops=("<[end▁of▁sentence]>", "<|endoftext|>", "<|file_sep|>"),
        models=(r"seed[-_]?coder(?!.*(instruct|reason))",),
        source="arXiv 2506.03524, section 2.2 (the base model)",
    ),
)

FAMILIES: dict[str, Family] = {family.name: family for family in _TABLE}
"""Every family, by name; the first whose pattern fits a model's name is its family."""

_ENDS = ("</s>", "<EOT>", "<|EOT|>", "<eos>", "<|eot_id|>", "<|end_of_sentence|>", "<|assistant|>", "<|user|>")

_ALSO_TEXT = ("<filename>",)
"""Special to one family (Mellum), and written by every program that explains its arguments."""

SPECIAL_TOKENS: frozenset[str] = (
    frozenset(text for family in _TABLE for text in family.endings) | frozenset(_ENDS)
) - frozenset(_ALSO_TEXT)
"""Strings that never belong into generated text, of any family."""

_LEAK = re.compile("|".join(sorted(map(re.escape, SPECIAL_TOKENS), key=len, reverse=True)))


def family_of(model: str) -> Family | None:
    """Tell the family from a model's name, or ``None`` if it is not known to do FIM."""
    name = model.lower()
    for family in _TABLE:
        if any(re.search(pattern, name) for pattern in family.models):
            return family
    return None


def render(family: Family, prompt: Fim) -> str:
    """Write `prompt` as the raw text that the family was trained on, or in the order that the prompt prescribes.

    Raises:
        PromptError: The user's text contains one of the family's special tokens: the model would read it as such. Or
            the family has no such order.
    """
    for part in (prompt.prefix, prompt.suffix):
        for token in family.reserved:
            if token in part:
                raise PromptError(
                    f"the prompt contains {token!r}, which {family.name} models read as a special token",
                    hint="take it out of the prompt: nothing can quote it",
                )
    order = prompt.order or family.order
    if not family.takes(order):
        raise PromptError(f"{family.name} prompts are written in {family.order} order only")
    first, second = (prompt.prefix, prompt.suffix) if order == "PSM" else (prompt.suffix, prompt.prefix)
    if order != family.order and isinstance(family.other, tuple):
        return family.other[0] + first + family.other[1] + second + family.other[2]
    before, after = family.prefix + prompt.prefix, family.suffix + prompt.suffix
    return (before + after if order == "PSM" else after + before) + family.middle


def render_ids(family: Family, prefix_ids: Sequence[int], suffix_ids: Sequence[int]) -> list[int]:
    """Write a prompt as token ids, for a family that has `ids`.

    Args:
        family: The family.
        prefix_ids: Tokens of the prefix text, without special tokens.
        suffix_ids: Tokens of the suffix text, without special tokens.
    """
    if family.ids is None:
        raise PromptError(f"{family.name} prompts are written as text, not as ids")
    begin, suffix, prefix = family.ids
    return [begin, suffix, *suffix_ids, prefix, *prefix_ids]


def cut_leak(text: str) -> tuple[str, bool]:
    """Cut `text` at the first special token of any family, and say whether there was one."""
    found = _LEAK.search(text) if "<" in text else None
    return (text, False) if found is None else (text[: found.start()], True)
