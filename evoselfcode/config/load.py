"""Reading YAML: includes, environment variables, overrides, and where each key stands.

This file decides which YAML is read at all. It refuses what can explode or execute: anchors, tags, duplicate keys,
several documents, large files. It refuses to know which keys exist.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from evoselfcode.errors import ConfigError

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 40

Path_ = tuple[str, ...]


class Document:
    """A configuration as plain data, and where each key stands.

    Args:
        data: The data.
        places: ``file:line`` of each key path.
        name: What to call it where no place is known.
    """

    def __init__(self, data: dict[str, Any], places: dict[Path_, str], name: str) -> None:
        self.data = data
        self.places = places
        self.name = name
        self.problems: list[str] = []

    def place(self, path: Path_) -> str:
        """Return where `path` stands, or where its nearest parent does."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, self.name)


class _NoAliases(yaml.SafeLoader):
    """Refuses anchors and aliases while composing: ten nested ones make a billion nodes."""


def _compose_node(self: yaml.SafeLoader, parent: yaml.Node | None, index: int) -> yaml.Node | None:
    event = self.peek_event()  # type: ignore[no-untyped-call]
    if getattr(event, "anchor", None):
        raise yaml.composer.ComposerError(
            None, None, "anchors and aliases are refused; share settings with `extends:`", event.start_mark
        )
    return yaml.SafeLoader.compose_node(self, parent, index)


_NoAliases.compose_node = _compose_node  # type: ignore[method-assign, assignment]


def read_file(path: Path, overrides: Sequence[str], environ: Mapping[str, str]) -> Document:
    """Read `path` with what it extends, apply `overrides`, fill in the environment.

    Raises:
        ConfigError: The file cannot be read as one YAML map. Problems that do not hinder reading are kept in the
            document, to be reported together with all others.
    """
    document = _read_tree(path, ())
    for override in overrides:
        _override(document, override)
    document.data = _expand(document.data, (), document, environ)
    return document


def _read_tree(path: Path, including: tuple[Path, ...]) -> Document:
    here = path.resolve()
    if here in including:
        chain = " -> ".join(str(one) for one in (*including, here))
        raise ConfigError([f"{path}: extends itself: {chain}"])
    document = _read_one(path)
    bases = document.data.pop("extends", [])
    names = [bases] if isinstance(bases, str) else bases
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigError([f"{document.place(('extends',))}: extends: expected a file name or a list of them"])
    merged = Document({}, {}, str(path))
    for name in names:
        _merge(merged, _read_tree(path.parent / name, (*including, here)))
    _merge(merged, document)
    return merged


def _merge(into: Document, other: Document) -> None:
    into.data = _deep(into.data, other.data)
    into.places |= other.places
    into.problems += other.problems


def _deep(below: Any, above: Any) -> Any:
    if isinstance(below, dict) and isinstance(above, dict):
        return below | {key: _deep(below.get(key), value) for key, value in above.items()}
    return above


def _read_one(path: Path) -> Document:
    text = _text(path)
    loader = _NoAliases(text)
    try:
        node = loader.get_single_node()
        if node is None:
            raise ConfigError([f"{path}: is empty"], hint="start from configs/datagen.yaml")
        places = dict(_walk(node, (), path))
        if not isinstance(node, yaml.MappingNode):
            kind = "a list" if isinstance(node, yaml.SequenceNode) else "a single value"
            raise ConfigError([f"{path}:1: is {kind}, expected a map of sections such as `namegen:`"])
        return Document(loader.construct_document(node), places, str(path))
    except yaml.MarkedYAMLError as error:
        raise _yaml_problem(path, error) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError([f"{path}: is not YAML: {str(error).splitlines()[0]}"]) from None
    finally:
        loader.dispose()


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError([f"{path}: is larger than {MAX_BYTES:,} bytes; that is no configuration"])
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise ConfigError([f"{path}: there is no such file"], hint="start from configs/datagen.yaml") from None
    except IsADirectoryError:
        raise ConfigError([f"{path}: is a folder, expected a YAML file"]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: is not UTF-8 (byte {error.start})"]) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError([f"{path}: cannot be read: {reason}"]) from None


def _yaml_problem(path: Path, error: yaml.MarkedYAMLError) -> ConfigError:
    mark = error.problem_mark or error.context_mark
    line = f":{mark.line + 1}" if mark else ""
    problem = (error.problem or str(error)).strip()
    hint = None
    if "'\\t'" in problem:
        problem, hint = "a tab is used for indentation", "YAML indents by spaces only"
    return ConfigError([f"{path}{line}: {problem}"], hint=hint)


def _walk(node: yaml.Node, path: Path_, file: Path, depth: int = 0) -> Iterator[tuple[Path_, str]]:
    """Yield where each key stands; refuse what a configuration does not need.

    Raises:
        ConfigError: A tag, a key twice, a key that is no string, or nesting too deep.
    """
    place = f"{file}:{node.start_mark.line + 1}"
    if depth > MAX_DEPTH:
        raise ConfigError([f"{place}: is nested more than {MAX_DEPTH} deep"])
    if not node.tag.startswith("tag:yaml.org,2002:") or "python" in node.tag:
        raise ConfigError([f"{place}: the tag {node.tag} is refused: a configuration is plain data"])
    if isinstance(node, yaml.SequenceNode):
        for child in node.value:
            yield from _walk(child, path, file, depth + 1)
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, value in node.value:
        line = f"{file}:{key.start_mark.line + 1}"
        if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
            raise ConfigError([f"{line}: a key must be plain text"])
        if key.value in seen:
            raise ConfigError([f"{line}: {'.'.join((*path, key.value))}: is given twice"])
        seen.add(key.value)
        yield (*path, key.value), line
        yield from _walk(value, (*path, key.value), file, depth + 1)


_VARIABLE = re.compile(r"\$(?:\$|\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})")


def _expand(value: Any, path: Path_, document: Document, environ: Mapping[str, str]) -> Any:
    """Fill ``${NAME}`` and ``${NAME:-default}`` into the strings; ``$$`` is a dollar sign."""
    if isinstance(value, dict):
        return {key: _expand(child, (*path, key), document, environ) for key, child in value.items()}
    if isinstance(value, list):
        return [_expand(child, path, document, environ) for child in value]
    if not isinstance(value, str) or "$" not in value:
        return value

    def fill(found: re.Match[str]) -> str:
        name, default = found.groups()
        if name is None:
            return "$"
        if name in environ:
            return environ[name]
        if default is None:
            document.problems.append(
                f"{document.place(path)}: {'.'.join(path)}: the environment variable {name} is not set; "
                f"set it, or write ${{{name}:-default}}"
            )
        return default or ""

    return _VARIABLE.sub(fill, value)


def _override(document: Document, override: str) -> None:
    """Apply one ``a.b=value`` of the command line."""
    key, separator, text = override.partition("=")
    path = tuple(key.strip().split("."))
    if not separator or not all(path):
        document.problems.append(f"--set {override}: expected KEY=VALUE, such as namegen.n=8")
        return
    try:
        loader = _NoAliases(text)
        node = loader.get_single_node()
        value = None if node is None else loader.construct_document(node)
    except (yaml.YAMLError, ValueError, RecursionError):
        document.problems.append(f"--set {override}: the value is not YAML")
        return
    inner = document.data
    for part in path[:-1]:
        if not isinstance(inner.get(part), dict):
            inner[part] = {}
        inner = inner[part]
    inner[path[-1]] = value
    for end in range(1, len(path)):
        document.places.setdefault(path[:end], f"--set {override}")
    document.places[path] = f"--set {override}"
