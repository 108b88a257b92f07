"""What a recap says of some entries of the journal: plain records, as they stand in its file."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

_texts = msgspec.msgpack.Decoder(list[str])


class Group(msgspec.Struct, array_like=True):
    """What the entries of one arm, and of one part of its requests, come to.

    Attributes:
        stage: Their stage.
        arm: Their arm.
        part: What stands behind the dot in their keys; empty where the requests were asked whole.
        answered: The digests of the keys that were answered, sorted, one after the other.
        failed: Those of the keys that were given up.
        draws: How many choices were judged.
        reasons: How many of them were dropped, by reason.
        prompt_tokens: Tokens of the prompts.
        completion_tokens: Tokens of the choices.
        texts: The texts that were kept, in the order of writing: some of them as MessagePack, then the next. ``None``
            where one is too long to be noted.
    """

    stage: str
    arm: str
    part: str
    answered: bytes
    failed: bytes
    draws: int
    reasons: dict[str, int]
    prompt_tokens: int
    completion_tokens: int
    texts: list[msgspec.Raw] | None

    def kept(self) -> Iterator[str]:
        """Yield the texts."""
        for some in self.texts or ():
            yield from _texts.decode(some)


class Block(msgspec.Struct, array_like=True):
    """What the entries between two places of a segment come to.

    Attributes:
        begin: Where the first line begins, in bytes.
        end: Where the last one ends.
        rows: How many there are.
        crc32: The checksum of all bytes between.
        groups: What they come to; ``None`` where that cannot be said in sums: a key is there twice, or is none.
    """

    begin: int
    end: int
    rows: int
    crc32: int
    groups: list[Group] | None
