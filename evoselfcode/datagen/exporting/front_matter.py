"""The YAML at the top of a dataset card, of which the Hub and ``datasets`` read what is in the folder.

This file decides how plain data is written as YAML: so plainly that no reader can take a text for something else.
Source: https://huggingface.co/docs/hub/datasets-cards and datasets-manual-configuration.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.+-]*(?: [A-Za-z0-9_.+-]+)*\Z")
_NOT_PLAIN = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
"""Words that YAML 1.1 reads as something else than text."""

LICENSES = frozenset(
    {
        "afl-3.0", "agpl-3.0", "apache-2.0", "artistic-2.0", "bigcode-openrail-m", "bigscience-bloom-rail-1.0",
        "bigscience-openrail-m", "bsd", "bsd-2-clause", "bsd-3-clause", "bsl-1.0", "c-uda", "cc", "cc-by-2.0",
        "cc-by-3.0", "cc-by-4.0", "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-nd-4.0",
        "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cc-by-nd-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc0-1.0",
        "cdla-permissive-1.0", "cdla-permissive-2.0", "cdla-sharing-1.0", "deepfloyd-if-license", "ecl-2.0", "epl-1.0",
        "epl-2.0", "etalab-2.0", "eupl-1.1", "gemma", "gfdl", "gpl", "gpl-2.0", "gpl-3.0", "isc", "lgpl", "lgpl-2.1",
        "lgpl-3.0", "lgpl-lr", "llama2", "llama3", "llama3.1", "llama3.2", "llama3.3", "lppl-1.3c", "mit", "mpl-2.0",
        "ms-pl", "ncsa", "odbl", "odc-by", "ofl-1.1", "openrail", "openrail++", "osl-3.0", "pddl", "postgresql",
        "unknown", "unlicense", "wtfpl", "zlib",
    }
)  # fmt: skip
"""Licences that the Hub knows by a name of its own (https://huggingface.co/docs/hub/repositories-licenses)."""

_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"),
          (10**8, "10M<n<100M"), (10**9, "100M<n<1B"))  # fmt: skip


def license_of(name: str | None) -> dict[str, str]:
    """Return how a card says a licence: one that the Hub does not know is ``other``, with its name."""
    if name is None:
        return {"license": "unknown"}
    if name.lower() in LICENSES:
        return {"license": name.lower()}
    return {"license": "other", "license_name": re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-") or "other"}


def size_category(rows: int) -> str:
    """Return the category of a dataset of so many rows."""
    return next((name for most, name in _SIZES if rows < most), "n>1T" if rows > 10**12 else "1B<n<10B")


def front_matter(document: Mapping[str, Any]) -> str:
    """Write the YAML, between its two lines of dashes."""
    return "".join(f"{line}\n" for line in ("---", *_lines(document), "---"))


def _lines(value: Mapping[str, Any]) -> Iterator[str]:
    for key, inner in value.items():
        yield from _entry(f"{_scalar(key)}:", inner)


def _entry(begin: str, value: Any) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        yield begin
        yield from (f"  {line}" for line in _lines(value))
    elif isinstance(value, list | tuple) and value:
        yield begin
        yield from _items(value)
    else:
        yield f"{begin} {_scalar(value)}"


def _items(values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        inner = _lines(value) if isinstance(value, Mapping) and value else iter((_scalar(value),))
        yield f"- {next(inner)}"
        yield from (f"  {line}" for line in inner)


def _scalar(value: Any) -> str:
    r"""Write a value on one line: JSON is YAML, if all that is not printable ASCII is escaped.

    ``\u2028`` would end a line otherwise, and DEL be refused.
    """
    if isinstance(value, str) and _PLAIN.match(value) and value.lower() not in _NOT_PLAIN:
        return value
    return "".join(one if " " <= one <= "~" else _escaped(one) for one in orjson.dumps(value).decode())


def _escaped(letter: str) -> str:
    return f"\\u{ord(letter):04x}" if ord(letter) <= 0xFFFF else f"\\U{ord(letter):08x}"
