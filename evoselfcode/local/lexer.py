"""Cut text into tokens and put it together again without loss.

This file decides what one token of the embedded model is. It refuses to know which tokens exist and how likely
they are. Three properties matter to the model:

- *Lossless*: the tokens of a text, joined, are the text; every text can be cut.
- *Linear*: an unclosed string runs to the end of its line (triple quotes: of the text), so no input makes the
  lexer scan anything twice.
- *Closed*: the kind of a token tells what may follow it (no word after a word), so a model that respects kinds
  draws token sequences that would be cut in the same way again.

A newline and the indentation after it are two tokens, and so are a word and the space before it: a prompt that ends
in either one (``"def "``, ``"():\\n"``) then ends on a token boundary. Only the name after ``def`` is cut
into pieces (``_``, ``binary``, ``_``, ``search``), because names that do not exist yet are what the model is for.
"""

from __future__ import annotations

import re


class Kind:
    """What sort of token it is, as plain integers: an enumeration's hash would take half of the lexer's time.

    :attr:`BOUNDARY` is the start and the end of a text.
    """

    BOUNDARY = 0
    WORD = 1
    NUMBER = 2
    STRING = 3
    COMMENT = 4
    SPACE = 5
    NEWLINE = 6
    INDENT = 7
    OPERATOR = 8
    DEF = 9
    DEF_SPACE = 10
    UNDERSCORE = 11
    LOWER = 12
    UPPER = 13
    DIGITS = 14


Token = tuple[int, str]
"""A kind and the token's text."""

NAME_KINDS = frozenset({Kind.DEF_SPACE, Kind.UNDERSCORE, Kind.LOWER, Kind.UPPER, Kind.DIGITS})
"""After a token of these kinds the text stands inside the name of a ``def``, or at its start."""

_PREFIX = r"(?:[rRbBuUfF]{1,2}(?=[\"']))?"
_CODE = re.compile(
    rf"""
    (?P<STRING>{_PREFIX}(?:
        \"\"\"(?:[^"\\]|\\.|"(?!""))*+(?:\"\"\")?
      | '''(?:[^'\\]|\\.|'(?!''))*+(?:''')?
      | "(?:[^"\\\n]|\\.)*+"?
      | '(?:[^'\\\n]|\\.)*+'?
    ))
  | (?P<COMMENT>\#[^\n]*+)
  | (?P<WORD>[^\W\d]\w*+)
  | (?P<NUMBER>\d[\w.]*+)
  | (?P<NEWLINE>\n)
  | (?P<SPACE>[^\S\n]++)
  | (?P<OPERATOR>\*\*=?|//=?|->|:=|[-+*/%@&|^=!<>]=|<<|>>|\.\.\.|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_NAME = re.compile(
    r"(?P<UNDERSCORE>_++)|(?P<DIGITS>\d++)|(?P<UPPER>[A-Z]+(?![a-z]))|(?P<LOWER>[A-Z]?[a-z]++|[^\W\d_a-zA-Z]++)"
)
KINDS: dict[str, int] = {name: value for name, value in vars(Kind).items() if name.isupper()}


def lex(text: str, after: int = Kind.BOUNDARY) -> list[Token]:
    """Cut `text` into tokens.

    Args:
        text: Any text, valid code or not.
        after: Kind of the token before `text`; it tells whether `text` begins inside a name or a line.

    Example:
        >>> [part for _, part in lex("def get_x():")]
        ['def', ' ', 'get', '_', 'x', '(', ')', ':']
    """
    tokens: list[Token] = []
    position, kind = 0, after
    while position < len(text):
        found = _NAME.match(text, position) if kind in NAME_KINDS else None
        found = found or _CODE.match(text, position)
        if found is None or found.lastgroup is None:  # unreachable: OPERATOR takes any character
            raise AssertionError(position)
        part = found.group()
        kind = _refined(KINDS[found.lastgroup], part, kind)
        tokens.append((kind, part))
        position = found.end()
    return tokens


def _refined(kind: int, text: str, before: int) -> int:
    """Tell the kinds apart that depend on what stands before."""
    if kind == Kind.SPACE:
        if before == Kind.DEF:
            return Kind.DEF_SPACE
        return Kind.INDENT if before in (Kind.NEWLINE, Kind.BOUNDARY) else Kind.SPACE
    return Kind.DEF if kind == Kind.WORD and text == "def" else kind
