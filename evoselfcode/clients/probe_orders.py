"""The part of the preflight that tries raw fill-in-the-middle prompts in an order that an arm prescribes.

A family is trained on one order, and on the other too or not: few say. So each order is judged by what comes back, by
the same two suffixes that force different middles (:mod:`evoselfcode.clients.probe_fim`).
"""

from __future__ import annotations

import msgspec

from evoselfcode.clients.findings import (
    PREFIX,
    Book,
    Level,
    Steps,
    Wish,
    ask,
    canary_sampling,
    raw_check,
    reads_like_chat,
)
from evoselfcode.clients.probe_fim import SUFFIXES, forced
from evoselfcode.records import Failure, Fim, Order
from evoselfcode.wire import sentinels
from evoselfcode.wire.dialect import Dialect
from evoselfcode.wire.failures import shorten


def raw_orders(wish: Wish, dialect: Dialect, named: str | None, book: Book) -> Steps[Dialect]:
    """Try each order that is wished for, with two requests, and write down which work.

    Args:
        wish: What the user configured.
        dialect: What is known of the server by now.
        named: The sentinel family that the configuration or the server's weights tell, or ``None``.
        book: What the preflight has found.
    """
    for order in wish.orders:
        family = sentinels.FAMILIES.get(dialect.family or named or "") or sentinels.family_of(dialect.model)
        if family is None:
            book.add(raw_check(order), "problem", "the model's sentinels are not known", "name them by api.fim.family")
        elif dialect.l2r == "vendor":
            book.add(raw_check(order), "problem", "this service takes no raw prompts", "use mode: FIM in the arm")
        elif not family.takes(order):
            told = f"{family.name} prompts are written in {family.order} order only"
            book.add(raw_check(order), "problem", told, f"use mode: FIM-{family.order} in the arm")
        else:
            tried = msgspec.structs.replace(dialect, family=family.name)
            if (yield from _works(order, tried, book)):
                dialect = msgspec.structs.replace(tried, orders=(*tried.orders, order))
    return dialect


def _works(order: Order, dialect: Dialect, book: Book) -> Steps[bool]:
    middles = []
    for suffix in SUFFIXES:
        sampling = canary_sampling(1, logprobs=False)
        reply = yield from ask(book, dialect, Fim(PREFIX, suffix, order), sampling)
        if isinstance(reply, Failure):
            book.add(raw_check(order), "problem", f"refused{reply.http}: {reply.message}", "use mode: FIM in the arm")
            return False
        middles.append(sentinels.cut_leak(reply.choices[0].text)[0])
    level, told = _judged(middles)
    hint = {
        "problem": "take the arm out, or use mode: FIM in it",
        "warning": "compare the arm's yield with that of the other order before you believe in it",
    }
    book.add(raw_check(order), level, f"{dialect.family}: {told}", hint.get(level, ""))
    return level != "problem"


def _judged(middles: list[str]) -> tuple[Level, str]:
    first, second = middles
    shown = f"({', '.join(repr(shorten(middle.strip())) for middle in middles)})"
    if any(map(reads_like_chat, middles)):
        return "problem", f"answered as in a chat {shown}"
    if first == second:
        return "problem", f"silently ignored: two suffixes that force different middles gave the same text {shown}"
    if forced(0, first) and forced(1, second):
        return "ok", f"works: each suffix forces its middle {shown}"
    return "warning", f"the middle depends on the suffix, though not as a strong code model's would {shown}"
