"""Finding every problem of a configuration, and telling each in one line.

``msgspec`` checks one value at a time and stops at the first problem, so this file walks the sections itself and
lets msgspec judge each leaf. It refuses to know which keys exist: the structs say so.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Callable
from typing import Any, TypeVar, get_type_hints
from urllib.parse import urlsplit

import msgspec

from evoselfcode.config.load import Document, Path_
from evoselfcode.errors import ConfigError

T = TypeVar("T", bound=msgspec.Struct)


def build(kind: type[T], document: Document) -> T:
    """Make a `kind` of the document.

    Raises:
        ConfigError: With every problem found.
    """
    problems = list(document.problems)
    config = _struct(kind, document.data, (), document, problems)
    if not problems and config is not None:
        problems += _together(config, document)
    if problems or config is None:
        raise ConfigError(problems, hint="docs/reference/config.md lists every key")
    return config


def _struct(kind: type[T], data: object, path: Path_, document: Document, problems: list[str]) -> T | None:
    """Check one section; its problems are added to `problems`."""
    if data is None:
        data = {}
    if not isinstance(data, dict):
        problems.append(_line(document, path, data, "a map of settings"))
        return None
    hints = get_type_hints(kind, include_extras=True)
    fields = {field.name: hints[field.name] for field in msgspec.structs.fields(kind)}
    values: dict[str, Any] = {}
    for key, value in data.items():
        here = (*path, str(key))
        if key not in fields:
            problems.append(_unknown(document, here, fields))
        elif isinstance(fields[key], type) and issubclass(fields[key], msgspec.Struct):
            values[key] = _struct(fields[key], value, here, document, problems)
        else:
            values[key] = _leaf(fields[key], value, here, document, problems)
    return kind(**values) if all(value is not _BAD for value in values.values()) else kind()


_BAD: Any = object()


def _leaf(hint: Any, value: Any, path: Path_, document: Document, problems: list[str]) -> Any:
    try:
        checked = msgspec.convert(value, hint, strict=True)
    except msgspec.ValidationError as error:
        problems.append(_line(document, path, value, _expected(hint, str(error), value)))
        return _BAD
    special = _SPECIAL.get(path)
    trouble = special(checked) if special and checked is not None else None
    if trouble:
        problems.append(f"{document.place(path)}: {'.'.join(path)}: {trouble}")
        return _BAD
    return checked


def _line(document: Document, path: Path_, got: object, expected: str) -> str:
    name = ".".join(path) or "the configuration"
    shown = "***" if path[-1:] == ("api_key",) else _short(got)
    return f"{document.place(path)}: {name}: got {shown}, expected {expected}"


def _short(value: object) -> str:
    kinds = {type(None): "nothing", dict: "a map", list: "a list"}
    if type(value) in kinds:
        return kinds[type(value)]
    text = repr(value)
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({type(value).__name__})"


def _unknown(document: Document, path: Path_, fields: dict[str, Any]) -> str:
    close = difflib.get_close_matches(path[-1], fields, n=1)
    advice = f"did you mean {'.'.join((*path[:-1], close[0]))}?" if close else f"known: {', '.join(fields)}"
    return f"{document.place(path)}: {'.'.join(path)}: unknown key; {advice}"


_CONSTRAINT = re.compile(r"Expected `(?P<what>[^`]+)`(?P<limit> (?:>=|<=|>|<|of length|matching).*?)?(?: - at|, got|$)")
_NAMES = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "null": "nothing",
    "object": "a map",
}


def _expected(hint: Any, message: str, value: object) -> str:
    """Say in words what msgspec expected."""
    if message.startswith("Invalid enum value"):
        allowed = sorted(_allowed(hint))
        close = difflib.get_close_matches(str(value), allowed, n=1)
        return f"one of {', '.join(allowed)}" + (f"; did you mean {close[0]}?" if close else "")
    found = _CONSTRAINT.search(message)
    if found is None:
        return message
    kinds = [_NAMES.get(kind.strip(), kind.strip()) for kind in found["what"].split("|")]
    kinds = [kind for kind in kinds if kind != "nothing"] + ["null"] * ("null" in found["what"])
    words = " or ".join(dict.fromkeys(kinds)) + (found["limit"] or "")
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d+[eE][-+]?\d+", value):
        words += "; YAML reads 1e-3 as text, write 1.0e-3"
    return words


def _allowed(hint: Any) -> set[str]:
    described = msgspec.json.schema(hint)
    return {str(choice) for choice in described.get("enum", [])}


def _regex(pattern: str) -> str | None:
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        return f"{pattern!r} is not a regular expression: {error}"
    return None


def _url(url: str) -> str | None:
    if url == "local:":
        return None
    wanted = "expected http://host:port, https://host/v1 or local:"
    if any(c.isspace() or not c.isprintable() for c in url):
        return f"{url!r} contains white space; {wanted}"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return f"{url!r} is not an address ({error}); {wanted}"
    if parts.scheme not in ("http", "https") or not parts.netloc:
        advice = f"did you mean http://{url}?" if "://" not in url and url else wanted
        return f"{url!r} is not an http address; {advice}"
    if not host:
        return f"{url!r} names no host; {wanted}"
    if parts.username or parts.password:
        return "the address contains a user name or password; put the key into api.api_key"
    if parts.query or parts.fragment:
        return f"{url!r} has a query or fragment; {wanted}"
    try:
        link_local = ipaddress.ip_address(host).is_link_local
    except ValueError:
        link_local = False
    return f"{host} is a link-local address (cloud metadata); {wanted}" if link_local else None


def _template(template: str) -> str | None:
    if "{func_name}" not in template:
        return "has no {func_name}"
    return None


_SPECIAL: dict[Path_, Callable[[Any], str | None]] = {
    ("api", "base_url"): _url,
    ("filters", "name_regex"): _regex,
    ("prompts", "codegen", "template"): _template,
}
"""What a type cannot say."""


def _together(config: Any, document: Document) -> list[str]:
    """Find settings that are right alone and wrong together."""
    problems = []
    if config.api.base_url != "local:" and not config.model:
        problems.append(
            f"{document.place(('api', 'base_url'))}: model: is missing; set it to the name that "
            f"{config.api.base_url} lists under /v1/models (only `local:` needs none)"
        )
    if config.api.fim.mode == "suffix" and config.api.fim.use_chat_for_fim:
        problems.append(
            f"{document.place(('api', 'fim', 'mode'))}: api.fim.mode: pins suffix while api.fim.use_chat_for_fim "
            "is true; take one of them out"
        )
    return problems
