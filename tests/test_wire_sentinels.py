"""The sentinel table: every prompt byte for byte, written out here and not built from the table it checks."""

from __future__ import annotations

import re

import pytest

from evoselfcode.errors import PromptError
from evoselfcode.records import Fim
from evoselfcode.wire.sentinels import FAMILIES, SPECIAL_TOKENS, cut_leak, family_of, render, render_ids

PROMPT = Fim("def ", "(a):\n    return a\n")

QWEN = "<|fim_prefix|>def <|fim_suffix|>(a):\n    return a\n<|fim_middle|>"
STARCODER = "<fim_prefix>def <fim_suffix>(a):\n    return a\n<fim_middle>"
RENDERED = {
    "qwen2.5-coder": QWEN,
    "evoselfcode": QWEN,
    "codeqwen1.5": STARCODER,
    "santacoder": "<fim-prefix>def <fim-suffix>(a):\n    return a\n<fim-middle>",
    "mellum": "<fim_suffix>(a):\n    return a\n<fim_prefix>def <fim_middle>",
    "starcoder": STARCODER,
    "code-llama": "<PRE> def  <SUF>(a):\n    return a\n <MID>",
    "deepseek": "<\uff5cfim\u2581begin\uff5c>def <\uff5cfim\u2581hole\uff5c>(a):\n    return a\n"
    "<\uff5cfim\u2581end\uff5c>",
    "mistral-v3": "[SUFFIX](a):\n    return a\n[PREFIX]def ",
    "mistral-tekken": "[SUFFIX](a):\n    return a\n[PREFIX]def ",
    "codegemma": QWEN,
    "granite-4": QWEN,
    "granite": STARCODER,
    "codegeex4": "<|user|>\n###PATH:main.py\n###LANGUAGE:Python\n###MODE:BLOCK\n"
    "<|code_suffix|>(a):\n    return a\n<|code_prefix|>def <|code_middle|><|assistant|>\n",
    "seed-coder": "<[fim-suffix]>(a):\n    return a\n<[fim-prefix]>def <[fim-middle]>",
}
STOPS = {
    "qwen2.5-coder": ("<|endoftext|>", "<|im_end|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>"),
    "evoselfcode": ("<|endoftext|>",),
    "codeqwen1.5": ("<|endoftext|>", "<|im_end|>", "<fim_pad>", "<file_sep>"),
    "santacoder": ("<|endoftext|>",),
    "mellum": ("<|endoftext|>", "<filename>"),
    "starcoder": ("<|endoftext|>", "<file_sep>", "<repo_name>"),
    "code-llama": ("<EOT>",),
    "deepseek": ("<\uff5cend\u2581of\u2581sentence\uff5c>", "<|EOT|>"),
    "mistral-v3": ("</s>",),
    "mistral-tekken": ("</s>",),
    "codegemma": ("<|file_separator|>", "<end_of_turn>", "<eos>"),
    "granite-4": ("<|end_of_text|>", "<|fim_pad|>"),
    "granite": ("<|endoftext|>", "<|end_of_text|>", "<fim_pad>"),
    "codegeex4": ("<|endoftext|>", "<|observation|>"),
    "seed-coder": ("<[end\u2581of\u2581sentence]>", "<|endoftext|>", "<|file_sep|>"),
}


def test_no_family_is_left_out_here() -> None:
    assert set(FAMILIES) == set(RENDERED) == set(STOPS)


@pytest.mark.parametrize("name", RENDERED)
def test_a_prompt_is_written_byte_for_byte(name: str) -> None:
    """Sabotage: swap the halves of ``render``'s conditional; strip the prefix; an ASCII bar in DeepSeek's row."""
    assert render(FAMILIES[name], PROMPT) == RENDERED[name]
    assert FAMILIES[name].stops == STOPS[name]


def test_an_empty_suffix_keeps_its_sentinel() -> None:
    assert render(FAMILIES["qwen2.5-coder"], Fim("x", "")) == "<|fim_prefix|>x<|fim_suffix|><|fim_middle|>"
    assert render(FAMILIES["mistral-v3"], Fim("x", "")) == "[SUFFIX][PREFIX]x"


def test_white_space_at_the_seams_is_the_users() -> None:
    """Sabotage: ``prompt.prefix.rstrip()`` in ``render``."""
    prompt = Fim("  if x:\n    ", "\n\n  else:\n")
    assert render(FAMILIES["starcoder"], prompt) == ("<fim_prefix>  if x:\n    <fim_suffix>\n\n  else:\n<fim_middle>")


@pytest.mark.parametrize(
    ("name", "bos", "suffix", "prefix"), [("mistral-v3", 1, 13, 11), ("mistral-tekken", 1, 16, 14)]
)
def test_mistrals_prompt_as_ids_is_suffix_first(name: str, bos: int, suffix: int, prefix: int) -> None:
    """mistral-common 1.13.1 encodes this so. Sabotage: prefix before suffix in ``render_ids``."""
    assert render_ids(FAMILIES[name], [100, 101], [200]) == [bos, suffix, 200, prefix, 100, 101]
    assert render_ids(FAMILIES[name], [], []) == [bos, suffix, prefix]


def test_other_families_have_no_ids() -> None:
    assert [name for name, family in FAMILIES.items() if family.ids] == ["mistral-v3", "mistral-tekken"]
    with pytest.raises(PromptError, match="written as text"):
        render_ids(FAMILIES["starcoder"], [1], [2])


def test_stop_ids_are_qwens_list_of_seven() -> None:
    assert FAMILIES["qwen2.5-coder"].stop_ids == (151643, 151645, 151659, 151661, 151662, 151663, 151664)
    assert [name for name, family in FAMILIES.items() if family.stop_ids] == ["qwen2.5-coder"]


RESERVED = {
    "qwen2.5-coder": "<|fim_prefix|> <|fim_suffix|> <|fim_middle|> <|endoftext|> <|im_end|> <|fim_pad|> <|file_sep|>",
    "mellum": "<fim_suffix> <fim_prefix> <fim_middle> <|endoftext|> <filename>",
    "code-llama": "<PRE> <SUF> <MID> <EOT>",
    "deepseek": "<\uff5cfim\u2581begin\uff5c> <\uff5cfim\u2581hole\uff5c> <\uff5cfim\u2581end\uff5c> <|EOT|>",
    "mistral-tekken": "[PREFIX] [SUFFIX] </s>",
    "codegeex4": "<|user|> <|code_suffix|> <|code_prefix|> <|code_middle|> <|assistant|>",
    "seed-coder": "<[fim-suffix]> <[fim-prefix]> <[fim-middle]>",
    "granite": "<fim_prefix> <fim_suffix> <fim_middle> <fim_pad>",
}


@pytest.mark.parametrize(("name", "token"), [(name, token) for name, row in RESERVED.items() for token in row.split()])
def test_text_that_holds_a_special_token_of_the_family_is_refused(name: str, token: str) -> None:
    """Sabotage: look at the prefix only; look at ``family.tokens`` and not at its stops."""
    for prompt in (Fim(f"a = '{token}'", ""), Fim("", f"# {token}\n")):
        with pytest.raises(PromptError, match=re.escape(token)):
            render(FAMILIES[name], prompt)


def test_text_that_holds_another_familys_token_is_text() -> None:
    assert render(FAMILIES["code-llama"], Fim("s = '<|fim_prefix|>'", "")).startswith("<PRE> s = '<|fim_prefix|>'")
    # ASCII bars are not DeepSeek's sentinel.
    assert "<|fim_begin|>" in render(FAMILIES["deepseek"], Fim("<|fim_begin|>", ""))


def test_deepseeks_bars_and_blocks_by_code_point() -> None:
    """FULLWIDTH VERTICAL LINE and LOWER ONE EIGHTH BLOCK. Sabotage: type ``|`` or ``_`` in the table."""
    family = FAMILIES["deepseek"]
    for token in (family.prefix, family.suffix, family.middle, family.stops[0]):
        assert (ord(token[1]), ord(token[-2])) == (0xFF5C, 0xFF5C)
        assert "|" not in token
        assert "_" not in token
        assert chr(0x2581) in token


def test_the_table_is_sane() -> None:
    """Sabotage: leave a prefix empty; add a stop twice; add a pattern that matches everything."""
    for name, family in FAMILIES.items():
        assert family.name == name
        assert family.prefix
        assert family.suffix
        assert family.prefix != family.suffix
        assert family.stops
        assert len(set(family.stops)) == len(family.stops)
        assert family.source
        assert not set(family.stops) & set(family.tokens)
        for pattern in family.models:
            assert re.search(pattern, "a-model-of-nobody") is None


def test_families_that_spell_alike_are_known() -> None:
    """The stops tell them apart, and the ids. Sabotage: make Mellum's order PSM: it would join StarCoder."""
    alike: dict[tuple[str, ...], set[str]] = {}
    for name, family in FAMILIES.items():
        alike.setdefault((family.prefix, family.suffix, family.middle, family.order), set()).add(name)
    assert sorted(sorted(names) for names in alike.values() if len(names) > 1) == [
        ["codegemma", "evoselfcode", "granite-4", "qwen2.5-coder"],
        ["codeqwen1.5", "granite", "starcoder"],
        ["mistral-tekken", "mistral-v3"],
    ]


def test_endings_are_stops_first_then_sentinels() -> None:
    """A server that takes few stop strings gets the likeliest. Sabotage: sentinels first."""
    assert FAMILIES["starcoder"].endings == (
        "<|endoftext|>", "<file_sep>", "<repo_name>", "<fim_prefix>", "<fim_suffix>", "<fim_middle>",
    )  # fmt: skip
    assert FAMILIES["codegeex4"].endings[:3] == ("<|endoftext|>", "<|observation|>", "<|code_prefix|>")
    assert "<|user|>" in FAMILIES["codegeex4"].endings
    # Hidden by servers, and Python otherwise: names[PREFIX].
    assert FAMILIES["mistral-v3"].endings == ("</s>",)


@pytest.mark.parametrize(
    ("text", "kept", "leaked"),
    [
        ("merge_sort", "merge_sort", False),
        ("", "", False),
        ("merge<|fim_middle|>_sort<|endoftext|>", "merge", True),
        ("<fim_pad>", "", True),
        ("a\uff5cb <\uff5cend\u2581of\u2581sentence\uff5c> c", "a\uff5cb ", True),
        ("if a <b and c> d: <|not_special|>", "if a <b and c> d: <|not_special|>", False),
        ("names[PREFIX] + [SUFFIX]", "names[PREFIX] + [SUFFIX]", False),
        ("print('usage: tool <filename>')", "print('usage: tool <filename>')", False),
        ("x <[fim-suffix]> y", "x ", True),
        ("f() <PRE> g", "f() ", True),
    ],
)
def test_a_leaked_special_token_is_cut_off(text: str, kept: str, leaked: bool) -> None:
    """Sabotage: cut at the last token; leave a family out of ``SPECIAL_TOKENS``."""
    assert cut_leak(text) == (kept, leaked)


def test_every_familys_tokens_are_special_but_those_that_are_also_text() -> None:
    also_text = {"<filename>"}
    for family in FAMILIES.values():
        assert set(family.endings) - also_text <= SPECIAL_TOKENS
    assert not also_text & SPECIAL_TOKENS


def test_the_family_of_no_model_is_none() -> None:
    assert family_of("") is None


BOTH = {
    "qwen2.5-coder": (QWEN, "<|fim_suffix|>(a):\n    return a\n<|fim_prefix|>def <|fim_middle|>"),
    "starcoder": (STARCODER, "<fim_prefix><fim_suffix>(a):\n    return a\n<fim_middle>def "),
    "santacoder": (RENDERED["santacoder"], "<fim-prefix><fim-suffix>(a):\n    return a\n<fim-middle>def "),
    "code-llama": (RENDERED["code-llama"], "<PRE> <SUF>(a):\n    return a\n <MID> def "),
    "mellum": ("<fim_prefix>def <fim_suffix>(a):\n    return a\n<fim_middle>", RENDERED["mellum"]),
}


@pytest.mark.parametrize("name", BOTH)
def test_both_orders_are_written_byte_for_byte(name: str) -> None:
    """Sabotages: exchange the parts for every family; write the texts in PSM order between the other order's tokens."""
    family, (psm, spm) = FAMILIES[name], BOTH[name]
    assert render(family, Fim(PROMPT.prefix, PROMPT.suffix, "PSM")) == psm
    assert render(family, Fim(PROMPT.prefix, PROMPT.suffix, "SPM")) == spm


@pytest.mark.parametrize("name", ["mistral-v3", "mistral-tekken", "codegeex4"])
def test_an_order_that_a_family_has_not_is_refused(name: str) -> None:
    """Sabotage: leave ``takes`` out of ``render``."""
    family = FAMILIES[name]
    assert (family.takes("SPM"), family.takes("PSM")) == (True, False)
    assert render(family, Fim(PROMPT.prefix, PROMPT.suffix, "SPM")) == RENDERED[name]
    with pytest.raises(PromptError, match=f"{name} prompts are written in SPM order only"):
        render(family, Fim(PROMPT.prefix, PROMPT.suffix, "PSM"))


def test_a_special_token_is_refused_in_either_order() -> None:
    for order in ("PSM", "SPM"):
        with pytest.raises(PromptError, match="special token"):
            render(FAMILIES["starcoder"], Fim("<fim_middle>", "", order))
