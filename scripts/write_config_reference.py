"""Write docs/reference/config.md and config.schema.json from the definitions in evoselfcode.config.schema.

With ``--check``, write nothing and exit with 1 if they are stale.
"""

from __future__ import annotations

import inspect
import json
import sys
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from evoselfcode.config import RunConfig
from evoselfcode.config.check import item_of_map

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"

INTRODUCTION = """# Configuration

One YAML file, read strictly: an unknown key, a wrong type or an impossible value is reported with its file, line and
key, all problems at once, and nothing runs. `configs/datagen.yaml` has every key with a comment.

- `extends: other.yaml` (or a list) reads other files first, relative to this one; maps are merged, lists replaced. A
  section with nothing in it replaces nothing.
- `${NAME}` in a text is filled from the environment, `${NAME:-default}` where it may be missing; `$$` is a dollar
  sign. Any other `${` is an error.
- `--set namegen.n=8` on the command line overrides one key; its value is read as YAML, lists and maps in brackets.
- Anchors, aliases and tags are refused. What YAML 1.1 takes for a date is text.
- `filters.name_regex` is tried on a few hundred made-up names first; one that takes exponential time is refused.

**How `global_prefix` relates to the other prompts.** A prompt that is given is sent exactly as written;
`global_prefix` is never added to it. A prompt that is left out is built from it: `global_prefix` and `def ` for both
arms, `global_prefix` and a function head with a docstring for the code template. If `global_prefix` was changed while
a given prompt does not begin with it, the run and `evoselfcode doctor` say so.

**Where a key may come from.** From the environment, by `${NAME}` in `api.api_key`, or from a file that
`api.api_key_file` names: an absolute path or one relative to the working directory, `~` is not filled in. The file
holds the key and nothing else, on one line, and only you may read it (mode 0600 or 0400). On a command line, where
everybody on the machine sees it, a key is refused. `rating.api` has both keys for the rater.

**What may change when a run is resumed.** Keys marked *free* change nothing of what was drawn and may change
between two runs into the same folder. A change of any other key is refused with a list of the differences; `--new-run`
sets the old run aside.
"""


def main() -> int:
    written = {"config.schema.json": schema(), "config.md": page()}
    stale = [name for name, text in written.items() if not _same(REFERENCE / name, text)]
    if "--check" in sys.argv[1:]:
        print("\n".join(f"docs/reference/{name} is stale: run make reference" for name in stale), file=sys.stderr)
        return 1 if stale else 0
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name, text in written.items():
        (REFERENCE / name).write_text(text, encoding="utf-8")
    return 0


def _same(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


def schema() -> str:
    document: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "evoselfcode configuration",
    }
    document |= msgspec.json.schema(RunConfig)
    for section in document["$defs"].values():
        section["description"] = inspect.cleandoc(section["description"])  # as Python 3.13 keeps docstrings
    properties = document["$defs"]["RunConfig"]["properties"]
    properties["extends"] = {
        "description": "File or files to read first, relative to this one.",
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
    }
    return json.dumps(document, indent=2) + "\n"


def page() -> str:
    parts = [INTRODUCTION]
    _section(RunConfig, (), parts)
    return "\n".join(parts)


def _section(kind: type[msgspec.Struct], path: tuple[str, ...], parts: list[str]) -> None:
    from evoselfcode.config.changing import is_free

    hints = get_type_hints(kind, include_extras=True)
    rows, inner = [], []
    for field in msgspec.structs.fields(kind):
        hint = hints[field.name]
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            inner.append((hint, (*path, field.name)))
            continue
        if named := item_of_map(hint):
            inner.append((named, (*path, field.name, "NAME")))
        key = ".".join((*path, field.name))
        free = "free" if is_free(key) else ""
        rows.append(f"| `{field.name}` | {_type(hint)} | {_default(field)} | {free} | {_meaning(hint)} |")
    title = ".".join(path) or "Top level"
    parts.append(f"## {title}\n\n{(kind.__doc__ or '').splitlines()[0]}\n")
    if rows:
        parts.append("| key | type | default | | meaning |\n| --- | --- | --- | --- | --- |\n" + "\n".join(rows) + "\n")
    for hint, below in inner:
        _section(hint, below, parts)


def _said(hint: Any, word: str) -> Any:
    """Return what the annotations of a key say of `word`; a kind of value that has a name brings its own."""
    said = [getattr(extra, word) for extra in hint.__metadata__ if isinstance(extra, msgspec.Meta)]
    return next((value for value in reversed(said) if value is not None), None)


def _meaning(hint: Any) -> str:
    return (_said(hint, "description") or "").replace("|", "\\|")


def _type(hint: Any) -> str:
    if not hasattr(hint, "__metadata__"):
        return _name(hint)
    inner = get_args(hint)[0]
    limits = {sign: _said(hint, word) for sign, word in ((">=", "ge"), (">", "gt"), ("<=", "le"), ("<", "lt"))}
    bounds = ", ".join(f"{sign} {value:g}" for sign, value in limits.items() if value is not None and abs(value) < 1e9)
    return _name(inner) + (f" {bounds}" if bounds else "")


def _name(hint: Any) -> str:
    names = {int: "whole number", float: "number", str: "text", bool: "true/false", type(None): "null"}
    if hint in names:
        return names[hint]
    if get_origin(hint) is tuple:
        return (
            "list of whole numbers" if msgspec.json.schema(hint)["items"].get("type") == "integer" else "list of text"
        )
    if get_origin(hint) is dict:
        return "map of names"
    args = get_args(hint)
    if all(isinstance(arg, str) for arg in args):
        return " / ".join(f"`{arg}`" for arg in args)
    return " or ".join(_type(arg) for arg in args)


def _default(field: Any) -> str:
    if field.required:
        return ""
    value = field.default
    if field.default_factory is not msgspec.NODEFAULT:
        value = {name: {"mode": arm.mode} for name, arm in field.default_factory().items()}
    text = json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
    return f"`{text}`".replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
