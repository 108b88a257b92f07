"""The layers hold: who imports whom is read off the source and compared with docs/explanation/architecture.md."""

from __future__ import annotations

import checkout
import pytest
from checkout import Import, within

ARCHITECTURE = checkout.read("docs/explanation/architecture.md")
LAYERS = {room: checkout.ticked(allowed) for [cell, allowed] in checkout.table(ARCHITECTURE, "layers")
          for room in checkout.ticked(cell)}  # fmt: skip
HOMES = {
    library: checkout.ticked(homes)
    for [_, libraries, homes] in checkout.table(ARCHITECTURE, "impurities")
    for library in checkout.ticked(libraries)
}
FREE = ("evoselfcode", "__main__", "datagen")
"""Modules that hold no code of their own: the lazy front page, the door to the command line, a namespace."""


def room_of(module: str) -> str | None:
    """Return the innermost room of the table that `module` is in."""
    return max((room for room in LAYERS if within(module, room)), key=len, default=None)


def offence(found: Import) -> str | None:
    """Say what is wrong with an import of one of our modules, or ``None``."""
    room = room_of(found.importer)
    if room is None:
        return f"{found.importer} is in no room of the table"
    if within(found.imported, room) or any(within(found.imported, allowed) for allowed in LAYERS[room]):
        return None
    return f"{found.importer} (line {found.line}) imports {found.imported}; {room} may import {LAYERS[room]}"


def test_imports_go_downwards_only() -> None:
    """Sabotage: import evoselfcode.storage in engine/meter.py, at the top, in a function or under TYPE_CHECKING."""
    ours = [found for found in checkout.imports() if found.own and found.importer not in FREE]
    assert len(ours) > 100
    assert [text for text in map(offence, ours) if text] == []


def test_every_module_has_a_room() -> None:
    """Sabotage: take the row of ``local`` out of the table."""
    names = map(checkout.short, checkout.modules())
    assert [name for name in names if name not in FREE and room_of(name) is None] == []


def test_every_permission_is_used() -> None:
    """A table that allows more than is needed says little. Sabotage: let ``storage`` import ``wire``."""
    used = {(room_of(found.importer), found.imported) for found in checkout.imports() if found.own}
    unused = [
        (room, allowed)
        for room, permissions in LAYERS.items()
        for allowed in permissions
        if not any(room == user and within(target, allowed) for user, target in used)
    ]
    assert unused == []


def test_there_is_no_import_cycle() -> None:
    """Sabotage: ``from evoselfcode.wire.chat import body`` at the top of wire/completions.py."""
    below: dict[str, set[str]] = {}
    for found in checkout.imports():
        if found.own and not found.for_types:
            below.setdefault(found.importer, set()).add(found.imported)
    assert find_cycle(below) == []


def find_cycle(below: dict[str, set[str]]) -> list[str]:
    """Return one cycle as a path, or nothing."""
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for target in sorted(below.get(name, ())):
            if found := visit(target, [*path, name]):
                return found
        done.add(name)
        return []

    return next((found for name in sorted(below) if (found := visit(name, []))), [])


@pytest.mark.parametrize(
    ("below", "cycle"),
    [
        ({"a": {"b"}, "b": {"c"}}, []),
        ({"a": {"b"}, "b": {"c"}, "c": {"b"}}, ["b", "c", "b"]),
        ({"a": {"a"}}, ["a", "a"]),
    ],
)
def test_a_cycle_is_found(below: dict[str, set[str]], cycle: list[str]) -> None:
    assert find_cycle(below) == cycle


def test_each_impurity_has_one_home() -> None:
    """Sabotage: import httpx in clients/probe.py, or signal in engine/pool.py."""
    strays = [
        f"{found.importer} (line {found.line}) imports {found.imported}; its home is {HOMES[library] or 'nowhere'}"
        for found in checkout.imports()
        for library in HOMES
        if not found.own and within(found.imported, library)
        if not any(within(found.importer, home) for home in HOMES[library])
    ]
    assert strays == []
