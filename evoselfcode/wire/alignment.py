"""Lay a server's tokens on the text that was sent, to find where one part of it begins among them.

This file decides which tokens begin in a part of a text, or that it cannot be told. It never cuts the text into tokens
itself: a prefix that is cut alone gives other tokens than at the head of a longer text, and a count of them points to
the wrong place. It refuses to know servers and replies.

Every token is tried at every place where the tokens before it may end; what remains are the ways to cover the whole
text from its first byte to its last. If they do not agree on which tokens begin in the part, the answer is ``None``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from evoselfcode.wire.spelling import REPLACEMENT, SPELLINGS, Spelling

MOST_UNKNOWN = 8
"""Tokens whose text the server does not tell, in one reply. One is usual (vLLM's first); of many, any cut fits."""

MOST_SILENT = 16
"""Longest token that is shown as nothing and holds the beginning of a character, in bytes."""

MOST_BYTES = 128
"""Longest token whose text is not told, in bytes: a long run of spaces is one."""

MOST_PLACES = 512
"""Places at which one token may begin: no server leaves it so open, and a hostile reply must not take minutes."""

_LOOKS_SPECIAL = re.compile(r"<[^<>\s]+>|\[[^\[\]\s]+\]")
"""``<s>``, ``<|begin_of_text|>``, ``[BOS]``, ``<｜begin▁of▁sentence｜>``: what a server puts before a text."""


class Said(msgspec.Struct, frozen=True):
    """What a server says of one token; ``None`` where it does not say."""

    text: str | None
    logprob: float | None


Pieces = tuple[tuple[str, ...], tuple[float | None, ...]]
"""A text in pieces, and the log-probability of each; ``None`` for what is no token that begins in it."""


def lay(
    sent: str, begin: int, tokens: Sequence[tuple[Said, ...]], *, special: Sequence[str] = (), spare: int = 0
) -> Pieces | None:
    """Return the pieces of ``sent[begin:]``, or ``None`` if it cannot be told which tokens begin there.

    The first token of all has no log-probability: nothing stands before it, whatever number a server gives.

    Args:
        sent: The whole text that the server was given.
        begin: Where the part begins whose pieces are wanted; it runs to the end.
        tokens: The server's tokens in order, each with everything that it may be.
        special: Special tokens in `sent`, which a server may show as nothing.
        spare: Tokens at the end that may have been generated, behind the text.
    """
    if begin == len(sent):
        return (), ()
    if sum(all(said.text is None for said in token) for token in tokens) > MOST_UNKNOWN:
        return None
    shown = [said.text for token in tokens for said in token if said.text]
    for spelling in SPELLINGS:
        if spelling.fits(shown):
            covered = _Cover(sent, tokens, spelling, special).ways(spare)
            if covered is not None:
                return _cut(sent, begin, len(tokens) - spare, covered)
    return None


class _Ways(msgspec.Struct, frozen=True):
    """Every way to cover a text.

    Attributes:
        starts: For each token, and for the end behind the last, the bytes at which it may begin.
        said: For each token, what it may be.
        silent: For each token, whether nothing is shown of it and it may be a piece of a character.
        absent: For each token, whether it is shown and stands nowhere in the text.
    """

    starts: list[set[int]]
    said: list[set[Said]]
    silent: list[bool]
    absent: list[bool]


class _Cover:
    """The tokens on the text.

    Args:
        sent: The text.
        tokens: The tokens.
        spelling: How they are shown.
        special: What may be shown as nothing.
    """

    def __init__(
        self, sent: str, tokens: Sequence[tuple[Said, ...]], spelling: Spelling, special: Sequence[str]
    ) -> None:
        self._bytes = sent.encode()
        self._tokens = tokens
        self._spelling = spelling
        self._spans = _spans(self._bytes, special)
        self._fresh = {0, *(end for ends in self._spans.values() for end in ends)}

    def ways(self, spare: int) -> _Ways | None:
        """Return every way to cover the text with all tokens, or with all but the last `spare`."""
        size, reached = len(self._bytes), [{0}]
        steps: list[list[tuple[int, int, Said]]] = []
        for token in self._tokens:
            step = [(at, end, said) for at in reached[-1] for said in token for end in set(self._ends(said.text, at))]
            if not step or len(step) > MOST_PLACES:
                break
            steps.append(step)
            reached.append({end for _, end, _ in step})
        fewest = max(0, len(self._tokens) - spare)
        last = next((i for i in range(len(steps), fewest - 1, -1) if size in reached[i]), None)
        if last is None:
            return None
        starts: list[set[int]] = [{size}]
        said: list[set[Said]] = []
        silent, absent = [], []
        for step in reversed(steps[:last]):
            used = [(at, end, one) for at, end, one in step if end in starts[-1]]
            starts.append({at for at, _, _ in used})
            said.append({one for _, _, one in used})
            silent.append(all(not one.text and self._is_silent(at, end) for at, end, one in used))
            absent.append(all(one.text and at == end for at, end, one in used))
        return _Ways(starts[::-1], said[::-1], silent[::-1], absent[::-1])

    def _is_silent(self, at: int, end: int) -> bool:
        return at == end or _within_character(self._bytes, end)

    def _ends(self, text: str | None, at: int) -> Iterator[int]:
        """Yield where a token may end that begins at `at`."""
        whole = self._bytes
        if text is None:
            yield from range(at + (at > 0), min(len(whole), at + MOST_BYTES) + 1)
            return
        if not text or (at == 0 and _LOOKS_SPECIAL.fullmatch(text)):
            yield at
        if not text:
            yield from self._spans.get(at, ())
            nearby = range(at + 1, min(len(whole), at + MOST_SILENT + 1))
            yield from (end for end in nearby if _within_character(whole, end))
        for known in self._spelling.read(text):
            if known and whole.startswith(known, at):
                yield at + len(known)
            if self._spelling.padded and at in self._fresh and known[:1] == b" " and whole.startswith(known[1:], at):
                yield at + len(known) - 1
        if REPLACEMENT in text and len(text) <= MOST_BYTES:
            for end in range(at + 1, min(len(whole), at + len(text.encode("utf-8", "replace"))) + 1):
                if whole[at:end].decode("utf-8", "replace") == text:
                    yield end


def _within_character(whole: bytes, at: int) -> bool:
    return at < len(whole) and whole[at] & 0xC0 == 0x80


def _next_character(whole: bytes, at: int) -> int:
    while _within_character(whole, at):
        at += 1
    return at


def _spans(whole: bytes, special: Sequence[str]) -> dict[int, set[int]]:
    """Return where each special token begins, and where it ends."""
    spans: dict[int, set[int]] = {}
    for token in filter(None, special):
        known = token.encode()
        at = whole.find(known)
        while at >= 0:
            spans.setdefault(at, set()).add(at + len(known))
            at = whole.find(known, at + 1)
    return spans


def _cut(sent: str, begin: int, asked: int, ways: _Ways) -> Pieces | None:
    """Cut the part into pieces, one for each token that begins in it.

    A character is in the piece of the token that it begins in. Where only several tokens together are known to cover a
    stretch, the first has the stretch. Pieces that are left empty keep their tokens' numbers.
    """
    whole, start = sent.encode(), len(sent[:begin].encode())
    bounds = _bounds(whole, ways)
    inside = _inside(whole, start, asked, bounds, ways)
    if inside is None:
        return None
    if not inside:
        return (sent[begin:],), (None,)
    if start != bounds[inside[0]][0] != bounds[inside[0]][1]:
        return None  # what stands in the part before the first token that begins there is not known
    sure = [not number or bounds[i][0] == bounds[i][1] for number, i in enumerate(inside)]
    logprobs = [_logprob(token, ways) for token in inside]
    if any(not known for known, _ in logprobs):
        return None
    cuts = [_next_character(whole, bounds[i][0]) for i, known in zip(inside, sure, strict=True) if known]
    texts = iter([whole[at:end].decode() for at, end in zip(cuts, [*cuts[1:], len(whole)], strict=True)])
    pieces = [next(texts) if known else "" for known in sure]
    first = ([whole[start : cuts[0]].decode()], [None]) if cuts[0] > start else ([], [])
    return (*first[0], *pieces), (*first[1], *(value for _, value in logprobs))


def _logprob(token: int, ways: _Ways) -> tuple[bool, float | None]:
    """Return whether it is known which log-probability a token has, and it; the first of all has none."""
    values = {said.logprob for said in ways.said[token]}
    return (True, None) if token == 0 else (len(values) == 1, next(iter(values)))


def _bounds(whole: bytes, ways: _Ways) -> list[tuple[int, int]]:
    """Return for each token the first and the last byte at which it may begin.

    vLLM shows a token that ends within a character as nothing, and what it held with a later token: where the tokens
    behind a silent one begin is then not shown, up to the end of the first that is not silent.
    """
    bounds = [(min(starts), max(starts)) for starts in ways.starts]
    for number in range(len(ways.silent)):
        if number and ways.silent[number - 1] and _holds_pieces(whole, number - 1, bounds, ways):
            bounds[number] = (bounds[number - 1][0], max(bounds[number][1], _last_shown(number, ways) - 1))
    return bounds


def _last_shown(number: int, ways: _Ways) -> int:
    """Return where the first token that is not silent ends at the latest, counted from `number` on."""
    while number < len(ways.silent) - 1 and ways.silent[number]:
        number += 1
    return max(ways.starts[number + 1])


def _inside(whole: bytes, start: int, asked: int, bounds: list[tuple[int, int]], ways: _Ways) -> list[int] | None:
    """Return the numbers of the tokens that begin at or behind `start`; ``None`` if that is not sure.

    Those from `asked` on may have been generated: shown as nothing at the end, they are no tokens of the text.
    """
    inside: list[int] = []
    for number, (least, most) in enumerate(bounds[:-1]):
        if most < start or (least == len(whole) and number >= asked):
            continue
        if least < start:
            return None
        silent = ways.silent[number]
        if number == 0 and silent:
            continue  # it may be the token before the text; it has no number in any case
        if ways.absent[number] or (silent and not _holds_pieces(whole, number, bounds, ways)):
            if least > 0:
                return None  # what it is, and to which part it belongs, is not known
            continue
        inside.append(number)
    return inside


def _holds_pieces(whole: bytes, number: int, bounds: list[tuple[int, int]], ways: _Ways) -> bool:
    """Say whether a silent token can hold the beginning of a character: whether one follows it."""
    return any(byte >= 0x80 for byte in whole[bounds[number][0] : _last_shown(number, ways)])
