"""From a file to one document: what it extends, overrides of the command line, environment variables.

This file decides which setting wins. How YAML is read is :mod:`evoselfcode.config.plain_yaml`. It refuses to know
which keys exist, but for the one map of names of the user's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evoselfcode.config import plain_yaml
from evoselfcode.config.keys import VISIBLE, on_the_command_line
from evoselfcode.config.plain_yaml import MAX_DEPTH, Document, Path_
from evoselfcode.errors import ConfigError

MAX_FILES = 32
"""Files that one configuration may consist of: twenty that each name the next one twice would make a million."""


def read_file(path: Path | None, overrides: Sequence[str], environ: Mapping[str, str]) -> Document:
    """Read `path`, if there is one, with what it extends, apply `overrides`, fill in the environment.

    Raises:
        ConfigError: The file cannot be read as one YAML map. Problems that do not hinder reading are kept in the
            document, to be reported together with all others.
    """
    document = Document({}, {}, "the settings") if path is None else _read_tree(path, (), [])
    for override in overrides:
        _override(document, override)
    document.data = _expand(document.data, (), document, environ)
    return document


def _read_tree(path: Path, including: tuple[Path, ...], read: list[Path]) -> Document:
    document = plain_yaml.read_map(path)
    here = path.resolve()
    if here in including:
        chain = " -> ".join(one.name for one in (*including, here))
        raise ConfigError([f"{path}: extends itself: {chain}"], hint="take one `extends:` out")
    read.append(here)
    if len(read) > MAX_FILES:
        raise ConfigError([f"{path}: the configuration extends more than {MAX_FILES} files"], hint="extend fewer")
    bases = document.data.pop("extends", [])
    names = [bases] if isinstance(bases, str) else bases
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        place = document.place(("extends",))
        raise ConfigError(
            [f"{place}: extends: expected a file name or a list of them"], hint="for example `extends: model.yaml`"
        )
    merged = Document({}, {}, str(path))
    for name in names:
        _merge(merged, _read_tree(path.parent / name, (*including, here), read))
    _merge(merged, document)
    return merged


def _merge(into: Document, other: Document) -> None:
    into.data = _deep(into.data, other.data, ())
    into.places |= other.places
    into.problems += other.problems


NAMED = ("namegen", "arms")
"""The map whose keys are the user's: one with nothing in it is taken out."""


def _deep(below: Any, above: Any, path: Path_) -> Any:
    """Lay one value over another: maps are merged, everything else is replaced.

    A section with nothing in it (all its keys commented out) replaces nothing.
    """
    if isinstance(below, dict) and above is None and path[:-1] != NAMED:
        return below
    if isinstance(below, dict) and isinstance(above, dict):
        return below | {key: _deep(below.get(key), value, (*path, key)) for key, value in above.items()}
    return above


_VARIABLE = re.compile(r"\$(?:\$|\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>(?:(?!\$\{)[^}])*))?\})?)")
"""``$$``, ``${NAME}``, ``${NAME:-default}``; or ``${`` alone, which begins neither."""


def _expand(value: Any, path: Path_, document: Document, environ: Mapping[str, str]) -> Any:
    """Fill ``${NAME}`` and ``${NAME:-default}`` into the strings; ``$$`` is a dollar sign."""
    if isinstance(value, dict):
        return {key: _expand(child, (*path, key), document, environ) for key, child in value.items()}
    if isinstance(value, list):
        return [_expand(child, (*path, f"[{index}]"), document, environ) for index, child in enumerate(value)]
    if not isinstance(value, str) or "$" not in value:
        return value

    def fill(found: re.Match[str]) -> str:
        name, default = found["name"], found["default"]
        if found[0] == "$$":
            return "$"
        if name is None:
            document.complain(path, "`${` begins no ${NAME} or ${NAME:-default}; write $${ for the text itself")
            return ""
        if name in environ:
            return environ[name]
        if default is None:
            document.unset.add(path)
            document.complain(
                path, f"the environment variable {name} is not set; set it, or write ${{{name}:-default}}"
            )
        return default or ""

    return _VARIABLE.sub(fill, value)


def _override(document: Document, override: str) -> None:
    """Apply one ``a.b=value`` of the command line. Its value may be a secret, so no message shows it."""
    key, separator, text = override.partition("=")
    path = tuple(part.strip() for part in key.split("."))
    where = f"--set: {plain_yaml.dotted(path)}"
    if not separator or not all(path) or len(path) > MAX_DEPTH:
        document.problems.append(f"--set {plain_yaml.short(key)}: expected KEY=VALUE, such as namegen.n=8")
        return
    if path == ("extends",):
        document.problems.append(f"{where}: stands in a file only; write a file that extends both")
        return
    try:
        given = plain_yaml.parse(text, where, lambda line: where, blocks=False)
    except ConfigError as error:
        document.problems += error.problems
        return
    visible = (
        []
        if given is None
        else [f"--set: {plain_yaml.dotted(at)}: {VISIBLE}" for at in on_the_command_line(path, given.data)]
    )
    if visible:
        document.problems += visible
        return
    inner = document.data
    for depth, part in enumerate(path[:-1], 1):
        if not isinstance(inner.get(part), dict):
            inner[part] = {}
            document.places[path[:depth]] = "--set"
        inner = inner[part]
    inner[path[-1]] = None if given is None else given.data
    document.problems += [] if given is None else given.problems
    document.places = {at: place for at, place in document.places.items() if at[: len(path)] != path} | {path: "--set"}
