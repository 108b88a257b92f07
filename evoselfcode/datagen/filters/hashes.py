"""Hashes of code: exact keys under which two functions are the same.

- *raw*: the same text.
- *ast*: the same syntax tree without docstrings: comments, layout and docstrings differ at most.
- *alpha*: the same tree but for annotations and the names it binds itself, which are numbered in the order in which
  they first occur. Names that it does not bind (builtins, imports, other functions), attributes and keywords stay.

Of 8,200 completions of HumanEval by CodeGen-16B, 6,104 are distinct by text and, of the 7,833 that parse, 4,869 by
alpha: see docs/explanation/code-filters.md.

This file decides what is equal. It refuses to know which of two equals is kept.
"""

from __future__ import annotations

from hashlib import sha256

import msgspec

from evoselfcode.datagen.filters.code_walk import TooDeep, Walk


class Hashes(msgspec.Struct, frozen=True):
    """Keys of one function, each the SHA-256 in hexadecimal.

    Attributes:
        raw: Of its text.
        ast: Of its tree without docstrings.
        alpha: Of that without annotations, and with its own names numbered.
    """

    raw: str
    ast: str
    alpha: str


def raw_hash(text: str) -> str:
    """Return the SHA-256 of a text, lone surrogates included, in hexadecimal."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def hashes_of(code: str, walk: Walk) -> Hashes:
    """Return the keys of `code`, whose tree was walked."""
    return Hashes(raw_hash(code), _hash([*walk.shape, "", *walk.notes]), _hash(alpha_shape(walk)))


def nameless_hash(walk: Walk) -> str:
    """Return the alpha key without the function's own name: a solution of a task is one whatever it is called."""
    return _hash(alpha_shape(walk, nameless=True))


def nameless_hash_of(code: str) -> str | None:
    """Return :func:`nameless_hash` of a text, or ``None`` if it has no tree."""
    from evoselfcode.datagen.filters.code_tree import parse

    tree = parse(code)
    if isinstance(tree, str):
        return None
    try:
        return _hash(alpha_shape(Walk(None).over(tree.body)))
    except TooDeep:
        return None


def alpha_shape(walk: Walk, *, nameless: bool = False) -> list[str]:
    """Return the tokens of a tree with the names that it binds numbered in the order of their first occurrence.

    A name that an import binds stays, for it says what is imported.

    Args:
        walk: A walk over the tree.
        nameless: Whether to number the judged function's own name too; else it stays, for others know it by that.
    """
    own = walk.bound - walk.imported
    shape = walk.shape.copy()
    places = walk.renamable
    if nameless and walk.named is not None:
        own = own | {shape[walk.named]}
        places = sorted((*places, walk.named))
    numbers: dict[str, str] = {}
    for place in places:
        name = shape[place]
        if name in own:
            shape[place] = numbers.setdefault(name, f"_{len(numbers)}")
    return shape


def _hash(tokens: list[str]) -> str:
    """Return the hash of tokens; none contains the separator, for literals are escaped."""
    return raw_hash("\0".join(tokens))
