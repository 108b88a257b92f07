"""Gates that look at the text of a function, whether it parses or not.

Every pattern takes time in proportion to the text. This file decides what is wrong with a text, one short predicate a
reason; it refuses to know what the code means.
"""

from __future__ import annotations

import re
from collections import Counter

_QUOTED = re.compile(r'"""[\s\S]*?"""|' + r"'''[\s\S]*?'''")
_INVISIBLE = re.compile("[\ufffd\u202a-\u202e\u2066-\u2069]")
"""Bytes that were no UTF-8, and marks that show code in another order than it runs (CVE-2021-42574)."""

_UNDONE = re.compile(
    r"#[^\n]*\b(?:todo|fixme)\b|\b(?:write|add|insert|put)\s(?:your|the)\s(?:code|implementation|logic)\b"
    r"|\byour\scode\s(?:here|goes)\b|\b(?:implementation|code)\sgoes\shere\b|\bnot\s(?:yet\s)?implemented\b",
    re.IGNORECASE,
)

_KEY = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\b(?:A[KS]IA[0-9A-Z]{16}|gh[pousr]_[0-9A-Za-z]{36}|github_pat_\w{22,}|xox[abprs]-[0-9A-Za-z-]{10,}"
    r"|AIza[0-9A-Za-z_-]{35}|hf_[0-9A-Za-z]{30,}|sk-[0-9A-Za-z_-]{20,}|eyJ[0-9A-Za-z_-]{16,}\.eyJ[0-9A-Za-z_-]{16,})"
)
_ASSIGNED_KEY = re.compile(
    r"(?:api_?key|secret|passw(?:or)?d|token)[\"']?\s?[:=]\s?[\"'](?=[^\"'\n]{0,64}[0-9])([0-9A-Za-z+/_=.-]{20,})[\"']",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@((?:[A-Za-z0-9-]{1,63}\.){1,4}[A-Za-z]{2,12})\b")
_ANY_DOMAIN = re.compile(
    r"(?:^|\.)(?:example|test|domain|email|mail|company|website|site|foo|bar|abc|xyz)\.", re.IGNORECASE
)
_ADDRESS = re.compile(r"(?<![\w.])(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?![\w.])")

_LICENCE = re.compile(
    r"\bcopyright\b|\(c\)\s?(?:19|20)\d\d|\ball rights reserved\b|SPDX-License-Identifier"
    r"|\blicen[sc]ed under\b|\b(?:MIT|Apache|BSD|GNU)\s(?:general\spublic\s)?licen[sc]e\b"
    r"|\b(?:github\.com|gitlab\.com|bitbucket\.org|gist\.github\.com|sourceforge\.net|stackoverflow\.com)/\w",
    re.IGNORECASE,
)

_MAYBE_UNDONE = ("todo", "fixme", "your", "implement", "goes here", "logic", "code")
_MAYBE_KEY = ("AKIA", "ASIA", "gh", "github_pat", "xox", "AIza", "hf_", "sk-", "eyJ", "PRIVATE KEY")
_MAYBE_ASSIGNED_KEY = ("key", "secret", "passw", "token")
_MAYBE_LICENCE = ("copyright", "(c)", "reserved", "spdx", "licen", ".com/", ".org/", ".net/")
"""One of these is in every text that the pattern finds: asking for them first takes a tenth of the time."""

FEWEST_REPEATS = 6
"""Occurrences from which on 4 words in a row count as repeated: a chain of ``elif`` says ``return False`` often.

With 4, 3 of 1,924 correct functions are lost; with 2, 52, and 7 of HumanEval's 164 own solutions.
"""


def undone(written: str) -> bool:
    """Say whether the model wrote that the work is still to be done; the word ``todo`` in code says nothing."""
    return _has(written.lower(), _MAYBE_UNDONE) and _UNDONE.search(written) is not None


def layout(code: str, max_lines: int, max_line_length: int, max_comment_share: float) -> bool:
    """Say whether there are too many lines, too long ones or too many comments, or letters that hide something.

    Args:
        code: The function; what stands in triple quotes may have long lines.
        max_lines: Most lines.
        max_line_length: Most characters of a line.
        max_comment_share: Largest share of comments among the lines that are not blank, in [0, 1].
    """
    if code.count("\n") > max_lines or _INVISIBLE.search(code):
        return True
    lines = [line.strip() for line in _QUOTED.sub('""', code).split("\n")]
    filled = [line for line in lines if line]
    comments = sum(line[0] == "#" for line in filled)
    return comments > max_comment_share * len(filled) or max(map(len, lines)) > max_line_length


def repetition(written: str, max_repeated_lines: float, max_repeated_text: float) -> bool:
    """Say whether the model wrote the same again and again, as a small model does at a low temperature.

    Two measures of OpenCoder (arXiv 2411.04905) after Gopher (arXiv 2112.11446), both of what the model wrote.

    Args:
        written: What the model wrote of the function.
        max_repeated_lines: Largest share of lines that repeat an earlier one, in [0, 1].
        max_repeated_text: Largest share of the text that the most frequent 4 words in a row fill, in [0, 1].
    """
    lines = [line for line in map(str.strip, written.split("\n")) if len(line) > 3]
    if len(lines) - len(set(lines)) > max_repeated_lines * len(lines):
        return True
    words = written.split()
    return most_repeated(words) > max_repeated_text * sum(map(len, words))


def most_repeated(words: list[str]) -> int:
    """Return how many letters the most frequent 4 words in a row fill; 0 below :data:`FEWEST_REPEATS`."""
    if len(words) < FEWEST_REPEATS + 3:
        return 0
    counts = Counter(zip(words, words[1:], words[2:], words[3:], strict=False))
    gram = max(counts, key=counts.__getitem__)
    return sum(map(len, gram)) * counts[gram] if counts[gram] >= FEWEST_REPEATS else 0


def secret(code: str) -> bool:
    """Say whether there is a key, an email address or a public IPv4 address, after BigCode (arXiv 2301.03988).

    Addresses that stand for any address do not count: ``user@example.com``, private and special networks.
    """
    if _has(code, _MAYBE_KEY) and _KEY.search(code):
        return True
    if _has(code.lower(), _MAYBE_ASSIGNED_KEY) and _ASSIGNED_KEY.search(code):
        return True
    if "@" in code and any(not _ANY_DOMAIN.search(found[1]) for found in _EMAIL.finditer(code)):
        return True
    return any(_is_public(*map(int, found.groups())) for found in _ADDRESS.finditer(code))


def licence(code: str) -> bool:
    """Say whether there is a copyright notice, a licence or the address of a repository: a sign of memorised text."""
    return _has(code.lower(), _MAYBE_LICENCE) and _LICENCE.search(code) is not None


def _has(text: str, words: tuple[str, ...]) -> bool:
    return any(word in text for word in words)


def _is_public(first: int, second: int, third: int, fourth: int) -> bool:
    """Say whether an IPv4 address can be somebody's (RFC 6890); addresses such as ``1.2.3.4`` are made up."""
    parts = (first, second, third, fourth)
    if max(parts) > 255 or max(parts) < 20 or first in {0, 10, 127, 255} or first >= 224:
        return False
    private = parts[:2] in {(192, 168), (169, 254), (198, 18), (198, 51), (203, 0), (192, 0), (100, 64)}
    return not private and not (first == 172 and 16 <= second < 32)
