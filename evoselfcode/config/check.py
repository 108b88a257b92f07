"""Finding every problem of a configuration, and telling each in one line.

``msgspec`` checks one value at a time and stops at the first problem, so this file walks the sections itself and
lets msgspec judge each leaf. It refuses to know which keys exist: the structs say so.
"""

from __future__ import annotations

import difflib
import math
import re
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from evoselfcode.config.arms import cells
from evoselfcode.config.plain_yaml import SEE, Document, Path_, dotted, short
from evoselfcode.config.rules import RULES, arm_name
from evoselfcode.errors import ConfigError

T = TypeVar("T", bound=msgspec.Struct)

MOST_ARMS = 64
"""Arms of one run: their pairs alone are two thousand."""

SEEDS = 2**31
"""Seeds that there are, from 0: the narrowest server takes 32 bits, some of them signed."""


def build(kind: type[T], document: Document) -> T:
    """Make a `kind` of the document.

    Raises:
        ConfigError: With every problem found.
    """
    config = _struct(kind, document.data, (), document)
    if not document.problems and config is not None:
        _together(config, document)
    if document.problems or config is None:
        raise ConfigError(document.problems, hint=SEE)
    return config


def _struct(kind: type[T], data: object, path: Path_, document: Document) -> T | None:
    """Check one section; return ``None`` after complaining if it cannot be made."""
    if data is None:
        data = {}
    if not isinstance(data, dict):
        _complain(document, path, data, "a map of settings")
        return None
    hints = get_type_hints(kind, include_extras=True)
    fields = {field.name: hints[field.name] for field in msgspec.structs.fields(kind)}
    values: dict[str, Any] = {}
    for key, value in data.items():
        here = (*path, key if isinstance(key, str) else short(key))
        if key not in fields:
            _complain_unknown(document, here, fields)
        elif isinstance(fields[key], type) and issubclass(fields[key], msgspec.Struct):
            values[key] = _struct(fields[key], value, here, document)
        elif (item := item_of_map(fields[key])) is not None:
            if value is not None:  # as any section with nothing in it: the default stands
                values[key] = _map(item, value, here, document)
        else:
            values[key] = _leaf(fields[key], value, here, document)
    for field in msgspec.structs.fields(kind):
        if field.required and field.name not in values:
            document.complain((*path, field.name), f"is missing; {_meaning(fields[field.name])}")
            return None
    return kind(**values)


def item_of_map(hint: Any) -> type[msgspec.Struct] | None:
    """Return what a map from names to sections holds, or ``None`` if `hint` is no such map."""
    inner = get_args(hint)[0] if hasattr(hint, "__metadata__") else hint
    return get_args(inner)[1] if get_origin(inner) is dict else None


def _map(item: type[msgspec.Struct], data: object, path: Path_, document: Document) -> dict[str, Any]:
    """Check sections under names of the user's; one that is nothing is left out."""
    if not isinstance(data, dict):
        _complain(document, path, data, "a map of names")
        return {}
    made = {}
    for name, value in data.items():
        here = (*path, name if isinstance(name, str) else short(name))
        trouble = arm_name(name) if isinstance(name, str) else f"got {_shown(name)} for a name, expected text"
        if trouble:
            document.complain(here, trouble)
        elif value is not None:
            made[name] = _struct(item, value, here, document)
    return made


def _meaning(hint: Any) -> str:
    allowed = _allowed(hint)
    return f"one of {', '.join(sorted(allowed))}" if allowed else "set it"


def _leaf(hint: Any, value: Any, path: Path_, document: Document) -> Any:
    """Check one setting; return ``None`` after complaining."""
    if any(at[: len(path)] == path for at in document.unset):
        return None
    if not _is_unicode(value):
        document.complain(path, "contains half of a surrogate pair, expected text that UTF-8 can hold")
        return None
    try:
        checked = msgspec.convert(value, hint, strict=True)
    except msgspec.ValidationError as error:
        item = re.search(r" - at `\$\[(\d+)\]", str(error))
        if item and isinstance(value, list | tuple):
            path, value = (*path, f"[{item[1]}]"), value[int(item[1])]
        _complain(document, path, value, _expected(hint, str(error), value))
        return None
    if isinstance(checked, float) and not math.isfinite(checked):
        _complain(document, path, checked, "a finite number")
        return None
    trouble = RULES[path](checked) if path in RULES and checked is not None else None
    if trouble:
        document.complain(path, trouble)
        return None
    return checked


def _is_unicode(value: object) -> bool:
    """Say whether a text, or all texts of a list, can be written as UTF-8; other values can."""
    if isinstance(value, list | tuple):
        return all(_is_unicode(item) for item in value if isinstance(item, str))
    try:
        _ = isinstance(value, str) and value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _complain(document: Document, path: Path_, got: object, expected: str) -> None:
    secret = path[-2:] == ("api", "api_key")
    shown = "***" if secret else _shown(got)
    document.complain(path, f"got {shown}, expected {expected}")


def _shown(value: object) -> str:
    kinds = {type(None): "nothing", dict: "a map", list: "a list"}
    return kinds.get(type(value)) or f"{short(value)} ({type(value).__name__})"


def _complain_unknown(document: Document, path: Path_, fields: dict[str, Any]) -> None:
    close = difflib.get_close_matches(path[-1][:60], fields, n=1)
    advice = f"did you mean {dotted((*path[:-1], close[0]))}?" if close else f"known: {', '.join(fields)}"
    document.complain(path, f"unknown key; {advice}")


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
    allowed = sorted(_allowed(hint))
    if allowed:
        close = difflib.get_close_matches(value[:60], allowed, n=1) if isinstance(value, str) else []
        return f"one of {', '.join(allowed)}" + (f"; did you mean {close[0]}?" if close else "")
    found = _CONSTRAINT.search(message)
    if found is None:
        return "a number of ordinary size" if "out of range" in message else message
    kinds = [_NAMES.get(kind.strip(), kind.strip()) for kind in found["what"].split("|")]
    kinds = [kind for kind in kinds if kind != "nothing"] + ["null"] * ("null" in found["what"])
    words = " or ".join(dict.fromkeys(kinds)) + (found["limit"] or "")
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d*\.?\d+[eE][-+]?\d+", value):
        words += "; YAML reads 1e-3 as text, write 1.0e-3"
    return words


def _allowed(hint: Any) -> set[str]:
    described = msgspec.json.schema(hint)
    options = described.get("anyOf", [described])
    options += [option["items"] for option in options if isinstance(option.get("items"), dict)]
    words = {str(choice) for option in options for choice in option.get("enum", [])}
    ranges = [(it["minimum"], it["maximum"]) for it in options if it.get("type") == "integer" and "maximum" in it]
    return words | {f"a whole number from {least} to {most}" for least, most in ranges} if words else words


def _together(config: Any, document: Document) -> None:
    """Find settings that are right alone and wrong together."""
    fim, namegen = config.api.fim, config.namegen
    if config.api.is_server and not config.model:
        document.problems.append(
            f"{document.place(('api', 'base_url'))}: model: is missing; set it to the name that "
            f"{short(config.api.addresses[0])} lists under /v1/models (only `local:` needs none)"
        )
    there = config.rating.api
    if there.is_server and not (config.rating.model or config.model):
        document.complain(("rating", "model"), f"is missing; set it to the name that {short(there.addresses[0])} lists")
    for at, api in ((("api",), config.api), (("rating", "api"), there)):
        if api.headless and not api.is_server:
            document.complain((*at, "headless"), f"needs {'.'.join(at)}.base_url: the name of a headless Service")
    if fim.mode == "suffix" and fim.use_chat_for_fim:
        document.complain(
            ("api", "fim", "mode"), "pins suffix while api.fim.use_chat_for_fim is true; take one of them out"
        )
    for key in ("prefix_key", "suffix_key"):
        if getattr(fim, key) in ("messages", "model"):
            document.complain(("api", "fim", key), f"{getattr(fim, key)} is taken: every chat request carries it")
    if fim.prefix_key == fim.suffix_key:
        document.complain(("api", "fim", "suffix_key"), "is the same as api.fim.prefix_key; one would hide the other")
    _answer_in_time(config, document)
    _arms_together(config, document)
    _stage_b_together(config, document)
    if namegen.num_requests * namegen.n > SEEDS:
        document.complain(
            ("namegen", "num_requests"), f"times namegen.n is more than {SEEDS:,} draws; beyond it seeds repeat"
        )


SLOWEST = 10
"""Tokens a second of the slowest honest generation: see ``wire/retry.py``."""


def _answer_in_time(config: Any, document: Document) -> None:
    """Find a timeout in which the longest answer cannot be generated, so that it would be asked for again and again."""
    sections = ("namegen", "describe", "skeleton", "asserts", "codegen", "rating")
    tokens, longest = max((getattr(config, name).max_new_tokens, name) for name in sections)
    if config.api.timeout is not None and config.api.timeout < tokens / SLOWEST:
        document.complain(
            ("api", "timeout"),
            f"{config.api.timeout:g} s is too short for {longest}.max_new_tokens, {tokens}, at {SLOWEST} tokens a "
            f"second: {tokens / SLOWEST:g} s; null allows two minutes in the queue, too",
        )


GREEDY = "greedy draws are all the same, and vLLM refuses to make several; set n: 1, or a temperature above 0"


def _stage_b_together(config: Any, document: Document) -> None:
    """Find sections of Stage B that ask for what cannot be."""
    for name in ("describe", "skeleton", "asserts", "codegen"):
        section = getattr(config, name)
        if section.temperature == 0 and section.n > 1:
            document.complain((name, "n"), f"is {section.n} while {name}.temperature is 0: {GREEDY}")
    if config.rating.temperature == 0 and config.rating.n > 1:
        document.complain(("rating", "n"), f"is {config.rating.n} while rating.temperature is 0: {GREEDY}")
    middles = config.export.fim
    if not middles.body + middles.lines + middles.name:
        document.complain(("export", "fim"), "gives body, lines and name no weight; one of them is the middle")
    if len(set(config.codegen.arms)) < len(config.codegen.arms):
        document.complain(("codegen", "arms"), "names an arm twice")


def _arms_together(config: Any, document: Document) -> None:
    """Find arms that cannot be run as they are."""
    arms, namegen, here = config.namegen.arms, config.namegen, ("namegen", "arms")
    if not arms:
        document.complain(here, "has no arm; leave it out to run FIM and L2R, which any arm of your own replaces")
    if len(arms) > MOST_ARMS:
        document.complain(here, f"has {len(arms)} arms, expected 1 to {MOST_ARMS}")
    folded = [name.lower() for name in arms]
    for name in arms:
        if folded.count(name.lower()) > 1:
            document.complain((*here, name), "differs from another arm by case only")
    for name, cell in cells(config).items():
        if cell.temperature == 0 and namegen.n > 1:
            section = "namegen" if arms[name].temperature is None else f"namegen.arms.{name}"
            document.complain(
                ("namegen", "n"),
                f"is {namegen.n} while {section}.temperature is 0: {GREEDY}",
            )
            break
        if cell.mode == "L2R" and arms[name].suffix is not None:
            document.complain((*here, name, "suffix"), "has no place in an L2R arm; take it out, or set mode: FIM")
        _prompt_of(config, name, cell, document)


def _prompt_of(config: Any, name: str, cell: Any, document: Document) -> None:
    """Find a lever that its arm's prompt has no place for."""
    at = ("namegen", "arms", name)
    begins = cell.prefix.startswith(config.prompts.global_prefix)
    for lever in ("topics", "used_names"):
        if lever in cell.levers and not begins:
            document.complain(
                (*at, lever),
                "needs a prompt that begins with prompts.global_prefix, which it goes into or behind; leave the prompt "
                "of the arm out to have it built so",
            )
    if cell.first_words and not re.search(r"(?<![A-Za-z0-9_])def *\Z", cell.prefix):
        document.complain((*at, "first_words"), "needs a prompt that ends in `def`, which the word goes behind")
