"""The exceptions: one message, a hint, a distinct exit code; the tree in the docstring is the tree."""

from __future__ import annotations

import re

import pytest

from evoselfcode import errors
from evoselfcode.errors import ConfigError, EvoselfcodeError


def classes() -> dict[str, type[EvoselfcodeError]]:
    return {
        name: value
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, EvoselfcodeError)
    }


def test_the_tree_in_the_docstring_has_every_class_its_place_and_its_code() -> None:
    lines = re.findall(r"^([│├└─ ]*)(\w+) +(\d+) ", errors.__doc__ or "", re.MULTILINE)
    parents: list[str] = []
    drawn = {}
    for indent, name, code in lines:
        depth = len(indent) // 4
        drawn[name] = (parents[depth - 1] if depth else "Exception", int(code))
        parents[depth:] = [name]
    assert drawn == {name: (cls.__mro__[1].__name__, cls.exit_code) for name, cls in classes().items()}


def test_a_message_carries_its_hint_on_a_line_of_its_own() -> None:
    assert str(EvoselfcodeError("what", hint="try")) == "what\nhint: try"
    assert str(EvoselfcodeError("what")) == "what"
    error = ConfigError(["a: b", "c: d"], hint="try")
    assert error.problems == ("a: b", "c: d")
    assert str(error) == "a: b\nc: d\nhint: try"


@pytest.mark.parametrize("name", sorted(classes()))
def test_every_exception_ends_the_process_with_its_own_code(name: str) -> None:
    assert classes()[name].exit_code in (1, 2, 3, 4, 5, 6, 75)
