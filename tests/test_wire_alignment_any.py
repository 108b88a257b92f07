"""Any text, cut into any tokens, shown in any way: the boundary is right, or the reply is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from evoselfcode.wire.alignment import MOST_SILENT, Said, lay
from evoselfcode.wire.spelling import _letters_of_bytes

LETTERS = {byte: letter for letter, byte in _letters_of_bytes().items()}
TEXTS = st.text(alphabet="ab \n_<>é€😀\ufffd", min_size=1, max_size=24)
CUTS = st.lists(st.integers(1, 200), max_size=12)

Shown = Callable[[list[bytes]], list[str]]


def cut(text: str, at: list[int], *, characters: bool) -> list[bytes]:
    """Cut the text's bytes at some places, or at those of them that are between characters.

    No token is longer than one that holds a piece of a character may be.
    """
    whole = text.encode()
    places = {place % len(whole) for place in at} | set(range(0, len(whole), MOST_SILENT))
    if characters:
        places = {place for place in places if whole[place] & 0xC0 != 0x80}
    ends = sorted(places - {0})
    return [whole[a:b] for a, b in zip([0, *ends], [*ends, len(whole)], strict=True)]


def decoded(tokens: list[bytes]) -> list[str]:
    return [token.decode("utf-8", "replace") for token in tokens]


def vllm(tokens: list[bytes]) -> list[str]:
    """Show a token that ends within a character as nothing, unless those before it complete it."""
    shown = []
    for number, token in enumerate(tokens):
        text = token.decode("utf-8", "replace")
        if text.endswith("\ufffd"):
            text = _mended(tokens[max(0, number - 4) : number], token)
        shown.append(text)
    return shown


def _mended(before: list[bytes], token: bytes) -> str:
    for count in range(1, len(before) + 1):
        context = before[-count:]
        whole = b"".join([*context, token]).decode("utf-8", "replace")
        if whole.endswith("\ufffd"):
            continue
        clean = len(context)
        while clean and context[clean - 1].decode("utf-8", "replace").endswith("\ufffd"):
            clean -= 1
        prefix = b"".join(context[:clean]).decode("utf-8", "replace")
        return whole.removeprefix(prefix)
    return ""


def byte_level(tokens: list[bytes]) -> list[str]:
    return ["".join(LETTERS[byte] for byte in token) for token in tokens]


def sentencepiece(tokens: list[bytes]) -> list[str]:
    shown = [_piece(token) for token in tokens]
    return ["▁" + shown[0], *shown[1:]]


def _piece(token: bytes) -> str:
    try:
        return token.decode().replace(" ", "▁")
    except UnicodeDecodeError:
        return f"<0x{token[0]:02X}>"  # of one byte: see whole_or_single


def whole_or_single(tokens: list[bytes]) -> list[bytes]:
    """Cut what is no whole text into single bytes, as SentencePiece does where its vocabulary has no piece."""
    found = []
    for token in tokens:
        whole = token.decode("utf-8", "replace").encode() == token
        found += [token] if whole else [token[i : i + 1] for i in range(len(token))]
    return found


def stripped(tokens: list[bytes]) -> list[str]:
    return [token.decode("utf-8", "replace").removeprefix(" ") for token in tokens]


def check(text: str, begin: int, tokens: list[bytes], shown: list[str | None], bos: int = 0) -> bool:
    """Compare with the truth, if it is not refused; say whether it was not."""
    said = [(Said(one, -float(number)),) for number, one in enumerate(shown)]
    laid = lay(text, begin, said)
    if laid is None:
        return False
    start, at, expected = len(text[:begin].encode()), 0, []
    for number, token in enumerate(tokens, bos):
        if at >= start and number > 0:
            expected.append((at, -float(number)))
        at += len(token)
    pieces, logprobs = laid
    assert "".join(pieces) == text[begin:]
    assert [number for number in logprobs if number is not None] == [number for _, number in expected]
    without = list(logprobs).index(expected[0][1]) if expected else len(logprobs)
    assert set(logprobs[:without]) <= {None}
    return True


@given(TEXTS, CUTS, st.integers(0, 24), st.sampled_from([[], ["<s>"], [""], [None]]))
@example("é€", [1, 2, 3, 4], 1, [])
def test_tokens_of_whole_characters_are_always_laid(
    text: str, at: list[int], begin: int, bos: list[str | None]
) -> None:
    """Sabotage: in ``_bounds``, take ``max`` of a token's places for both."""
    begin = min(begin, len(text))
    tokens = cut(text, at, characters=True)
    assume(not (bos == ["<s>"] and text.startswith("<s>")))
    laid = check(text, begin, tokens, [*bos, *decoded(tokens)], len(bos))
    if bos in ([], ["<s>"]) and "\ufffd" not in text:
        expected = [token.decode() for token in tokens]
        found = lay(text, 0, [(Said(one, -1.0),) for one in [*bos, *decoded(tokens)]])
        assert found is not None
        assert list(found[0]) == expected
    # U+FFFD in a text can be any piece of a character, and what is shown as nothing the first of one.
    assert laid or "\ufffd" in text or (bos and not bos[0])


@settings(max_examples=300)
@given(TEXTS, CUTS, st.integers(0, 24), st.sampled_from([decoded, byte_level]))
def test_tokens_of_any_bytes_are_always_laid(text: str, at: list[int], begin: int, show: Shown) -> None:
    """A replacement tells how many bytes it can stand for. Sabotage: let U+FFFD stand for a whole character."""
    assume("\ufffd" not in text)
    tokens = cut(text, at, characters=False)
    assert check(text, min(begin, len(text)), tokens, list(show(tokens)))


@settings(max_examples=400)
@given(TEXTS, CUTS, st.integers(0, 24), st.sampled_from([decoded, vllm, byte_level, sentencepiece, stripped]))
@example("你好", [2, 4], 1, vllm)
@example("你好", [4, 5], 1, vllm)
@example("a é", [2], 2, vllm)
@example("\ufffd", [1], 0, vllm)
@example("< ", [1], 0, stripped)
@example("<é", [2], 1, vllm)
def test_the_boundary_is_right_or_refused(text: str, at: list[int], begin: int, show: Shown) -> None:
    """Sabotage: in ``_bounds``, return before the silent ones are looked at."""
    tokens = cut(text, at, characters=False)
    tokens = whole_or_single(tokens) if show is sentencepiece else tokens
    shown: list[str | None] = list(show(tokens))
    check(text, min(begin, len(text)), tokens, shown)
    check(text, min(begin, len(text)), tokens, [None, *shown[1:]])


@pytest.mark.parametrize("show", [vllm, sentencepiece, stripped])
def test_what_is_usual_is_not_refused(show: Shown) -> None:
    """The test above would be green if everything were refused."""
    text = "def f(x):\n    return x #né\n"
    tokens = cut(text, [3, 5, 6, 7, 9, 10, 14, 20, 22, 24, 25, 26, 27], characters=False)
    tokens = whole_or_single(tokens) if show is sentencepiece else tokens
    for begin in (0, 3, 4, 5, 6, 7, 9, 10, 20, 21, 22, 23, 24, 25, 26):
        assert check(text, begin, tokens, list(show(tokens)))


DAMAGE = st.sampled_from(["drop", "double", "swap", "change", "append", "prepend", "join"])


@settings(max_examples=400)
@given(st.text(alphabet="abc \n", max_size=20), CUTS, st.integers(0, 24), DAMAGE, st.integers(0, 30))
def test_a_damaged_list_is_refused_unless_the_boundary_is_still_right(
    text: str, at: list[int], begin: int, damage: str, where: int
) -> None:
    """Sabotage: in ``ways``, accept any byte for the last."""
    rest = [token.decode() for token in cut(text + ".", at, characters=True)]
    whole = [(token, -float(number)) for number, token in enumerate(["x", " yz", *rest])]
    where = 2 + where % len(rest)  # " yz" stays: so it is no list whose spaces are stripped
    text = "x yz" + text + "."
    begin = min(begin, len(text) - 1)
    damaged = _damaged(list(whole), damage, where)
    assume(damaged != whole)
    laid = lay(text, begin, [(Said(token, number),) for token, number in damaged])
    if laid is not None:
        assert damage in ("swap", "join", "double", "change", "drop")
        assert "".join(token for token, _ in damaged) == text  # it is a cut of the same text: the boundary is there
        assert "".join(laid[0]) == text[begin:]


def _damaged(tokens: list[tuple[str, float]], damage: str, where: int) -> list[tuple[str, float]]:
    token, number = tokens[where]
    match damage:
        case "drop":
            del tokens[where]
        case "double":
            tokens.insert(where, tokens[where])
        case "swap":
            tokens[where], tokens[where - 1] = tokens[where - 1], tokens[where]
        case "change":
            tokens[where] = (token[:-1] + "z", number)
        case "append":
            tokens.append(("a", -1.0))
        case "prepend":
            tokens.insert(0, ("a", -1.0))
        case "join":
            tokens[where : where + 2] = [("".join(one for one, _ in tokens[where : where + 2]), number)]
    return tokens
