"""The whole configuration: how it is read, what of it shapes results, and how it is shown without its key.

From the definitions here and in :mod:`evoselfcode.config.sections` come the validation,
``docs/reference/config.schema.json`` and ``docs/reference/config.md``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

import msgspec
from msgspec import Meta

from evoselfcode.config import check, keys, load, remarks
from evoselfcode.config.changing import shapes
from evoselfcode.config.choose_section import Choose
from evoselfcode.config.code_sections import Asserts, Codegen, Describe, Skeleton
from evoselfcode.config.export_section import Export
from evoselfcode.config.filter_sections import Filters
from evoselfcode.config.plain_yaml import Document
from evoselfcode.config.prompt_sections import Prompts
from evoselfcode.config.rating_section import Rating, masked_rater
from evoselfcode.config.score_section import Score
from evoselfcode.config.sections import Api, Namegen, Output, masked


class RunConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole configuration of a run.

    Build one with :meth:`from_file` or :meth:`from_mapping`, which check it; the constructor does not.
    """

    model: Annotated[
        str | None, Meta(description="Model name as the server lists it; may be left out for the embedded model.")
    ] = None
    api: Api = Api()
    prompts: Prompts = Prompts()
    namegen: Namegen = Namegen()
    describe: Describe = Describe()
    skeleton: Skeleton = Skeleton()
    asserts: Asserts = Asserts()
    codegen: Codegen = Codegen()
    filters: Filters = Filters()
    score: Score = Score()
    rating: Rating = Rating()
    choose: Choose = Choose()
    export: Export = Export()
    output: Output = Output()

    @classmethod
    def from_file(
        cls, path: Path | None, *, overrides: Sequence[str] = (), environ: Mapping[str, str] | None = None
    ) -> Self:
        """Read a YAML file, with what it extends.

        Args:
            path: The file; ``None`` begins with the defaults.
            overrides: Settings of the command line, ``a.b=value`` each, the value read as YAML.
            environ: Values for ``${NAME}``; the process's environment if left out.

        Raises:
            ConfigError: With every problem, one line each: file, line, key path, what was found, what was expected.
        """
        document = load.read_file(
            None if path is None else Path(path), overrides, os.environ if environ is None else environ
        )
        return keys.with_keys(check.build(cls, document))

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Self:
        """Check a mapping of the same shape.

        Raises:
            ConfigError: With every problem, one line each.
        """
        data = dict(mapping) if isinstance(mapping, Mapping) else mapping
        return keys.with_keys(check.build(cls, Document(data, {}, "the configuration")))

    def fingerprint(self, stage: str) -> dict[str, Any]:
        """Return every setting that changes results of `stage`, by key path.

        A run may only be resumed if none has changed.
        """
        document = self.to_public()
        shown, prompts = document["prompts"], self.prompts  # a built-in text may be another in another version
        shown["codegen"]["template"] = prompts.codegen.template_or(prompts.global_prefix)
        shown["describe"]["template"] = prompts.describe.text
        shown["skeleton"]["template"] = prompts.skeleton.text
        shown["asserts"]["template"] = prompts.asserts.text
        return {key: value for key, value in flatten(document).items() if shapes(stage, key)}

    def to_public(self) -> dict[str, Any]:
        """Return the whole configuration as plain data, with the key masked."""
        document: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self))
        document["rating"]["api"] = masked_rater(self.rating.api)
        return document | {"api": masked(self.api)}

    def __repr__(self) -> str:
        return f"RunConfig({self.to_public()!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return list(self.to_public().items())

    def warnings(self) -> list[str]:
        """Return remarks on settings that are allowed and probably not meant."""
        return remarks.remarks(self)


def arm_of(key: str) -> str | None:
    """Return the arm that a key path is a setting of, or ``None``."""
    found = re.match(r"namegen\.arms\.([^.]+)\.", key)
    return found[1] if found else None


def flatten(document: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Return nested mappings as one, with dotted keys; other values as they are."""
    flat: dict[str, Any] = {}
    for key, value in document.items():
        flat |= flatten(value, f"{before}{key}.") if isinstance(value, dict) else {before + key: value}
    return flat
