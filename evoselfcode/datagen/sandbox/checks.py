"""What is run of a function that comes without tests, and what its outcomes mean.

Calls by the types in its head, the examples in its docstring, and assertions that a model wrote. All of it is read as
text here and run in the sandbox only.
"""

from __future__ import annotations

import ast
import doctest
from collections.abc import Iterable, Sequence

from evoselfcode.datagen.sandbox.inputs import Inputs, find
from evoselfcode.datagen.sandbox.jobs import NOT_RUN, Check, Outcome

MOST_EXAMPLES = 20
"""Examples taken from one docstring."""

FAULTS = frozenset({"TypeError", "NameError", "UnboundLocalError", "AttributeError", "RecursionError"})
"""Exceptions that arguments of the right types must not raise; any other may be the function's answer."""

MEANT_FOR_TYPES = frozenset({"TypeError", "AttributeError"})
"""Faults that say little where a type stands for anything."""

BOUNDLESS = frozenset({"timeout", "memory", "exception:RecursionError"})
"""What a function does that is meant for fewer values than its types say, ``n >= 0`` for one."""

IN_PLACE = ("inplace", "in_place")
"""In its name, a function says that it changes its argument."""

_VERBS = {"add", "append", "clear", "delete", "extend", "insert", "pop", "push", "remove", "reverse", "rotate", "set"}
_VERBS |= {"shuffle", "sort", "swap", "update", "fill", "replace", "heapify", "heapsort", "partition", "quicksort"}


def smoke_checks(inputs: Inputs, func_name: str) -> tuple[Check, ...]:
    """Call a function with each of its arguments, twice; see :func:`smoke_fault` for what is made of it."""
    changes = changes_in_place(func_name)
    return tuple(Check(kind="call", name=func_name, text=text, in_place=changes) for text in inputs.calls)


def changes_in_place(func_name: str) -> bool:
    """Say whether a name lets one expect that an argument is changed: ``sort_inplace``, ``swap_items``."""
    words = set(func_name.lower().split("_"))
    return any(mark in func_name.lower() for mark in IN_PLACE) or bool(words & _VERBS)


def smoke_fault(inputs: Inputs, outcomes: Sequence[Outcome]) -> str | None:
    """Say what is wrong with a function by the outcomes of :func:`smoke_checks`, or ``None``.

    One fault is enough, except for those of :data:`BOUNDLESS`, which have to be at least half of the outcomes. A
    failing sandbox is no fault, and neither is a call that there was no time for.

    Returns:
        The name of an exception, ``timeout``, ``memory``, ``crash``, ``import``, ``not deterministic`` or ``changes
        its input``.
    """
    ran = [outcome for outcome in outcomes if outcome.status != "sandbox_error" and outcome.detail != NOT_RUN]
    forgiven = MEANT_FOR_TYPES if inputs.loose else frozenset()
    for outcome in ran:
        kind = outcome.status.removeprefix("exception:")
        if outcome.status == "assert":
            return outcome.detail
        if outcome.status in BOUNDLESS:
            if 2 * sum(other.status == outcome.status for other in ran) >= len(ran):
                return kind
        elif kind in FAULTS - forgiven or kind in {"crash", "import"}:
            return kind
    return None


def doctest_checks(code: str, func_name: str) -> tuple[Check, ...]:
    """Return one check of all examples in a function's docstring, or none."""
    function = find(code, func_name)
    try:
        parsed = doctest.DocTestParser().get_examples((function and ast.get_docstring(function)) or "")
    except ValueError:  # white space that doctest cannot make sense of
        return ()
    examples = tuple(
        (example.source, example.want, example.exc_msg)
        for example in parsed[:MOST_EXAMPLES]
        if not example.options.get(doctest.SKIP)
    )
    return (Check(kind="doctest", examples=examples),) if examples else ()


def assert_checks(texts: Iterable[str]) -> tuple[Check, ...]:
    """Return a check per assertion; what one may say is decided where it is read."""
    return tuple(Check(kind="assert", text=text) for text in texts)
