"""Reading YAML as plain data, and where each key stands.

This file decides which YAML is read at all. It refuses what can explode or execute: anchors, tags, deep nesting,
large files; and what is hardly meant: a key twice, several documents. It refuses to know which keys exist.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from evoselfcode.errors import ConfigError

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 40
"""Levels of maps and lists. The schema has four; Python's recursion limit leaves room for about 300."""

Path_ = tuple[str, ...]
"""A key path; an item of a list is ``[3]``."""

SEE = "docs/reference/config.md lists every key"
START = "start from configs/datagen.yaml"
MISSING = (
    "--config names a file relative to the folder you are in, `extends` one relative to its own file; a checkout of "
    "evoselfcode has configs/datagen.yaml to start from"
)
QUOTE = "YAML wants quotes around a text with special characters"


def dotted(path: Path_) -> str:
    """Write a key path on one line, such as ``namegen.stop[3]``.

    A key that would not fit there is shortened and quoted.
    """
    parts = [part if part.isprintable() and len(part) <= 60 else short(part) for part in path]
    return ".".join(parts).replace(".[", "[")


def short(value: object) -> str:
    """Show a value in at most 60 characters, on one line."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # more digits than Python converts; deeper than it walks
        text = "a huge value"
    return text if len(text) <= 60 else text[:57] + "..."


class Document:
    """A configuration as plain data, and where each key stands.

    Args:
        data: The data; a map unless somebody handed in something else.
        places: ``file:line`` of each key path.
        name: What to call it where no place is known.

    Attributes:
        problems: What was found wrong, one line each.
        unset: Keys whose variable is not set: said once, and nothing else is said of their value.
    """

    def __init__(self, data: Any, places: dict[Path_, str], name: str) -> None:
        self.data = data
        self.places = places
        self.name = name
        self.problems: list[str] = []
        self.unset: set[Path_] = set()

    def place(self, path: Path_) -> str:
        """Return where `path` stands, or where its nearest parent does."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, self.name)

    def complain(self, path: Path_, problem: str) -> None:
        """Note one problem of one key, or of the whole document, whose path is empty."""
        self.problems.append(": ".join(filter(None, (self.place(path), dotted(path), problem))))


_YAML = "tag:yaml.org,2002:"

_UNREAD = ("timestamp", "value", "merge")
"""YAML 1.1 types without use in a configuration; what looks like one is text."""


class _PlainLoader(yaml.SafeLoader):
    """Refuses anchors, tags and deep nesting while composing: ten nested anchors make a billion nodes."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own shape of a class attribute
        first: [(tag, pattern) for tag, pattern in rules if tag.removeprefix(_YAML) not in _UNREAD]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if getattr(event, "anchor", None):
            raise _refusal("anchors and aliases are refused; share settings with `extends:`", event.start_mark)
        if getattr(event, "tag", None):
            problem = "tags are refused: a configuration is plain data; put a text that begins with ! into quotes"
            raise _refusal(problem, event.start_mark)
        if self._depth == MAX_DEPTH:
            raise _refusal(f"is nested more than {MAX_DEPTH} deep", event.start_mark)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, OverflowError):  # 0x_, or more digits than Python converts
            raise _refusal("looks like a number and is none; put it into quotes", node.start_mark) from None


def _refusal(problem: str, mark: yaml.Mark) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, mark)


def read_map(path: Path, *, of: str = "sections such as `namegen:`", hint: str = START) -> Document:
    """Read a file that is one YAML map.

    Args:
        path: The file.
        of: What it is a map of, for who wrote something else.
        hint: Where such a file can be seen.

    Raises:
        ConfigError: It cannot be read, is not YAML, or is no map. A key that is given twice does not hinder reading
            and is kept among the document's problems.
    """
    document = parse(_text(path, hint), str(path), lambda line: f"{path}:{line}")
    if document is None:
        raise ConfigError([f"{path}: is empty"], hint=hint)
    if not isinstance(document.data, dict):
        kind = "a list" if isinstance(document.data, list) else "a single value"
        raise ConfigError([f"{path}:1: is {kind}, expected a map of {of}"], hint=hint)
    return document


def parse(text: str, name: str, place: Callable[[int], str], *, blocks: bool = True) -> Document | None:
    """Read YAML text; return ``None`` if nothing is in it.

    Args:
        text: The text.
        name: What to call it where no line is known.
        place: Says where a line stands, given its number.
        blocks: Whether maps and lists may be written without brackets; if not, such text is one string as it stands.

    Raises:
        ConfigError: It is not YAML, or more than plain data.
    """
    document = Document(None, {}, name)
    loader = None
    try:
        loader = _PlainLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        if not blocks and isinstance(node, yaml.CollectionNode) and not node.flow_style:
            document.data = text.strip()
            return document
        document.places = dict(_walk(node, (), place, document.problems))
        document.data = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        raise _problem(error, name, place) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        code = ord(text[error.position])
        raise ConfigError([f"{place(line)}: the character U+{code:04X} is not allowed in YAML"], hint=QUOTE) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError([f"{name}: is not YAML: {str(error).splitlines()[0]}"], hint=QUOTE) from None
    finally:
        if loader is not None:
            loader.dispose()
    return document


def _text(path: Path, hint: str) -> str:
    try:
        with path.open("rb") as file:  # may be a pipe or a device, so its size is not asked
            read = file.read(MAX_BYTES + 1)
        if len(read) > MAX_BYTES:
            raise ConfigError([f"{path}: is larger than {MAX_BYTES:,} bytes; no such file is"], hint=hint)
        return read.decode("utf-8")
    except FileNotFoundError:
        raise ConfigError([f"{path}: there is no such file"], hint=MISSING) from None
    except IsADirectoryError:
        raise ConfigError([f"{path}: is a folder, expected a YAML file"], hint=hint) from None
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: is not UTF-8 (byte {error.start})"], hint="save it as UTF-8") from None
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise ConfigError([f"{path}: cannot be read: {reason}"], hint="check its path and permissions") from None
    except ValueError as error:  # a NUL in the path
        raise ConfigError([f"{repr(str(path))[1:-1]}: cannot be read: {error}"], hint="check the path") from None


_PLAINER = {
    "but found another document": ("holds several documents (`---`), expected one", "keep one of them"),
    "found character '\\t' that cannot start any token": (
        "a tab is used for indentation",
        "YAML indents by spaces only",
    ),
}
"""What PyYAML says, and what it means in a configuration."""


def _problem(error: yaml.MarkedYAMLError, name: str, place: Callable[[int], str]) -> ConfigError:
    mark, begin = error.problem_mark or error.context_mark, error.context_mark
    problem = (error.problem or str(error)).strip()
    context = f" {error.context} that begins in line {begin.line + 1}" if begin else ""
    plain, hint = _PLAINER.get(problem, (problem + context, SEE if _is_ours(error) else QUOTE))
    return ConfigError([f"{place(mark.line + 1) if mark else name}: {plain}"], hint=hint)


def _is_ours(error: yaml.MarkedYAMLError) -> bool:
    return isinstance(error, yaml.constructor.ConstructorError)


def _walk(
    node: yaml.Node, path: Path_, place: Callable[[int], str], problems: list[str]
) -> Iterator[tuple[Path_, str]]:
    """Yield where each key and each item stands; note keys that are given twice.

    Raises:
        yaml.MarkedYAMLError: A key is no text.
    """
    if isinstance(node, yaml.SequenceNode):
        for number, child in enumerate(node.value):
            here = (*path, f"[{number}]")
            yield here, place(child.start_mark.line + 1)
            yield from _walk(child, here, place, problems)
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag != _YAML + "str":
            shown = f", got {key.value[:60]!r}" if isinstance(key, yaml.ScalarNode) else ""
            raise _refusal(f"a key must be plain text{shown}", key.start_mark)
        here = (*path, key.value)
        line = place(key.start_mark.line + 1)
        if key.value in seen:
            problems.append(f"{line}: {dotted(here)}: is given twice")
        seen.add(key.value)
        yield here, line
        yield from _walk(value, here, place, problems)
