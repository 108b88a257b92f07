"""A server's tokens on the text that was sent: examples of every way of showing them, and of what cannot be told.

The other half: ``test_wire_alignment_any.py`` (any text, any cut, any damage).
"""

from __future__ import annotations

import pytest

from evoselfcode.wire.alignment import MOST_UNKNOWN, Said, lay
from evoselfcode.wire.spelling import SPELLINGS

Pair = tuple[str, float | None]


def said(*texts: str | None) -> list[tuple[Said, ...]]:
    """Make tokens whose log-probabilities are minus their numbers: a shift by one shows."""
    return [(Said(text, -float(number)),) for number, text in enumerate(texts)]


def pieces(before: str, text: str, *tokens: str | None, special: tuple[str, ...] = (), spare: int = 0) -> list[Pair]:
    laid = lay(before + text, len(before), said(*tokens), special=special, spare=spare)
    assert laid is not None
    assert "".join(laid[0]) == text
    return list(zip(*laid, strict=True))


def refused(before: str, text: str, *tokens: str | None, special: tuple[str, ...] = (), spare: int = 0) -> bool:
    return lay(before + text, len(before), said(*tokens), special=special, spare=spare) is None


HEAD, BODY = "def f(x):\n", "    return x\n"
TAIL: list[Pair] = [("    ", -6.0), ("return", -7.0), (" x", -8.0), ("\n", -9.0)]


@pytest.mark.parametrize(
    "shown",
    [
        ("def", " f", "(", "x", "):", "\n", "    ", "return", " x", "\n"),
        ("▁def", "▁f", "(", "x", "):", "<0x0A>", "▁▁▁▁", "return", "▁x", "<0x0A>"),
        ("def", "Ġf", "(", "x", "):", "Ċ", "ĠĠĠĠ", "return", "Ġx", "Ċ"),
        (None, " f", "(", "x", "):", "\n", "    ", "return", " x", "\n"),
    ],
    ids=["text", "sentencepiece", "byte-level", "first unknown"],
)
def test_every_spelling_gives_the_same_pieces(shown: tuple[str | None, ...]) -> None:
    """Sabotage: take any row out of ``SPELLINGS``."""
    assert pieces(HEAD, BODY, *shown) == TAIL


def test_spaces_that_are_stripped_are_found_again_as_far_as_they_can() -> None:
    """The fourth space of the indent may be either token's, so they share a piece. Sabotage: take ``_stripped`` out."""
    shown = ("def", "f", "(", "x", "):", "\n", "   ", "return", "x", "\n")
    assert pieces(HEAD, BODY, *shown) == [("    return", -6.0), ("", -7.0), (" x", -8.0), ("\n", -9.0)]
    assert pieces("def", " f(x):", *shown[:5])[0] == (" f", -1.0)


@pytest.mark.parametrize("bos", ["<s>", "", "<|begin_of_text|>", "[BOS]", "<｜begin▁of▁sentence｜>", None])
def test_a_beginning_that_was_not_sent_takes_no_room(bos: str | None) -> None:
    """Sabotage: do not let a special token stand for nothing at the start."""
    if bos is not None:
        assert pieces("", "ab c", bos, "ab", " c") == [("ab", -1.0), (" c", -2.0)]
        assert pieces("", "éa", bos, "é", "a")[-2:] == [("é", -1.0), ("a", -2.0)]
    assert pieces("ab", " c", bos, "ab", " c") == [(" c", -2.0)]


def test_several_tokens_may_stand_before_the_text() -> None:
    """GLM: ``[gMASK]<sop>``."""
    assert pieces("", "ab", "[gMASK]", "<sop>", "ab") == [("ab", -2.0)]


def test_the_first_token_of_all_has_no_number() -> None:
    """Whatever the server says. Sabotage: in ``_logprob``, take it."""
    assert pieces("", "ab c", "ab", " c") == [("ab", None), (" c", -1.0)]


def test_a_token_that_straddles_belongs_to_what_stands_before() -> None:
    """The head of the text is a piece without a number. Sabotage: take tokens that *end* in the text."""
    assert pieces("x =", " 1\n", "x", " = ", "1", "\n") == [(" ", None), ("1", -2.0), ("\n", -3.0)]
    assert pieces("ab", "cd", "abcd") == [("cd", None)]
    assert pieces("ab", "", "ab") == []


@pytest.mark.parametrize(
    ("before", "text", "tokens", "found"),
    [
        ("a", "€b", ("a", "\ufffd", "\ufffd", "b"), [("€", -1.0), ("", -2.0), ("b", -3.0)]),
        ("a", "€b", ("a", "", "€", "b"), [("€", -1.0), ("", -2.0), ("b", -3.0)]),  # vLLM
        ("a", " “b", ("a", "", " “", "b"), [(" “", -1.0), ("", -2.0), ("b", -3.0)]),  # a space in the first
        ("a", "éx", ("a", "", "\ufffdx"), [("éx", -1.0), ("", -2.0)]),  # vLLM mends what *ends* in U+FFFD alone
        ("a", "你好", ("a", "", "", "\ufffd好"), [("你好", -1.0), ("", -2.0), ("", -3.0)]),
        ("a", "é", ("a", "Ã", "©"), [("é", -1.0), ("", -2.0)]),  # SGLang
        ("a", "é", ("a", "bytes:\\xc3", "bytes:\\xa9"), [("é", -1.0), ("", -2.0)]),
        ("a", "é", ("▁a", "<0xC3>", "<0xA9>"), [("é", -1.0), ("", -2.0)]),
        ("é", "éa", ("\ufffd", "\ufffd", "\ufffd", "\ufffd", "a"), [("é", -2.0), ("", -3.0), ("a", -4.0)]),
        ("a \ufffd", "\ufffdb", ("a", " \ufffd", "\ufffd", "b"), [("\ufffd", -2.0), ("b", -3.0)]),  # truly in the text
    ],
)
def test_pieces_of_characters_lose_no_number(
    before: str, text: str, tokens: tuple[str, ...], found: list[Pair]
) -> None:
    """The first has the character, the others are empty. Sabotage: drop pieces that are empty."""
    assert pieces(before, text, *tokens) == found


def test_a_cut_among_the_pieces_of_characters_is_refused_unless_it_is_sure() -> None:
    """Which of the two silent ones holds the end of the first character? Sabotage: in ``_bounds``, return at once."""
    assert refused("你", "好", "", "", "\ufffd好")
    assert pieces("你", "好", "\ufffd", "\ufffd\ufffd", "\ufffd", "\ufffd") == [("好", -2.0), ("", -3.0)]


PSM = "<|fim_prefix|>a = <|fim_suffix|>\nb<|fim_middle|>"
SENTINELS = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")


@pytest.mark.parametrize("shown", [SENTINELS, ("", "", "")], ids=["shown", "hidden"])
def test_sentinels_may_be_shown_or_not(shown: tuple[str, str, str]) -> None:
    """Sabotage: let only what is named as text cover a sentinel."""
    prefix, suffix, middle = shown
    tokens = (prefix, "a", " =", " ", suffix, "\n", "b", middle, "c", "+1")
    assert pieces(PSM, "c+1", *tokens, special=SENTINELS) == [("c", -8.0), ("+1", -9.0)]


def test_sentencepiece_puts_a_space_behind_a_sentinel() -> None:
    """Code Llama. Sabotage: allow the space at the start of the text alone."""
    special = ("<PRE> ", " <SUF>", " <MID>", "<PRE>", "<SUF>", "<MID>")
    shown = ("<s>", "▁<PRE>", "▁a", "▁<SUF>", "b", "▁<MID>", "▁return", "▁c")
    assert pieces("<PRE> a <SUF>b <MID>", "return c", *shown, special=special) == [("return", -6.0), (" c", -7.0)]


def test_a_generated_token_is_told_from_the_text_by_the_text() -> None:
    """Sabotage: always drop the last of them."""
    assert pieces("a", " b", "a", " b", " c", spare=1) == [(" b", -1.0)]
    assert pieces("a", " b", "a", " b", spare=1) == [(" b", -1.0)]
    assert pieces("a", " b", "a", " b", "", spare=1) == [(" b", -1.0)]
    assert refused("a", " b", "a", " b", " c")
    assert refused("a", " b", "a", " b", " c", " d", spare=1)


@pytest.mark.parametrize(
    "tokens",
    [
        ("a",),
        ("a", " b", " c", " d"),
        ("a", " c", " b"),
        ("<|user|>", "\n", "a", " b", " c"),
        ("a", " b", "", " c"),  # something that is not there, and has a number
        ("a", " b", "<|pad|>", " c"),
        ("A", " b", " c"),
        (),
    ],
)
def test_what_is_not_the_text_is_refused(tokens: tuple[str, ...]) -> None:
    """Sabotage: in ``ways``, do not ask for the last byte; or in ``_inside``, pass over what stands nowhere."""
    assert refused("a", " b c", *tokens)


def test_of_many_tokens_without_a_text_any_cut_fits() -> None:
    """Sabotage: in ``_inside``, take a token for the text's that may begin before it."""
    assert pieces("a b", " c", None, None, " c") == [(" c", -2.0)]
    assert refused("a", " b", None, None)
    assert refused("a" * 4000, "b", *[None] * (MOST_UNKNOWN + 1))


def test_a_reply_that_leaves_everything_open_is_given_up() -> None:
    """Sabotage: drop ``MOST_PLACES``; it takes minutes."""
    assert refused("", "é" * 4000, *[""] * 4000)
    assert refused("", "é" * 4000, "\ufffd" * 8000)


def test_of_several_possible_tokens_the_text_tells_which_it_is() -> None:
    """Sabotage: take the first, or the likeliest."""
    one, other = Said(" b", -5.0), Said(" c", -0.5)
    assert lay("a b", 1, [(Said("a", None),), (other, one)]) == ((" b",), (-5.0,))
    assert lay("a b", 1, [(Said("a", None),), (Said(" b", -0.5), one)]) is None
    both = [(Said("a", None),), (Said(" ", -1.0), Said(" b", -2.0)), (Said("b", -3.0), Said("", -4.0))]
    assert lay("a b", 1, both) is None


def test_a_list_that_shows_spaces_is_not_one_that_strips_them() -> None:
    """A token is missing. Sabotage: drop ``_strips``: " y" would begin a byte too early."""
    assert [spelling.name for spelling in SPELLINGS if not spelling.fits(["a", " b"])] == [
        "text without its leading space"
    ]
    assert refused("x ", "y z", "x", "y", " z")
