"""The keys: their types, limits, defaults and meaning, each defined once.

From these definitions come the validation, ``docs/reference/config.schema.json`` and ``docs/reference/config.md``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import msgspec
from msgspec import Meta

from evoselfcode.config import check, load, remarks
from evoselfcode.config.plain_yaml import Document

WEAK_NAMES = (
    "main", "solution", "solve", "test", "foo", "bar", "baz", "qux", "func", "function", "fn", "helper", "run",
    "process", "do_it", "do_something", "algorithm", "my_function", "example", "demo", "temp", "tmp", "name",
    "method", "self", "cls", "args", "kwargs", "init", "setup", "wrapper", "inner", "callback", "decorator",
)  # fmt: skip
"""Names that say nothing about what a function does. TheAlgorithms/Python has 168 ``solution`` among 2,284."""

DEFAULT_TEMPLATE = 'def {func_name}():\n    """\n    {description}\n    """\n'

FimModeKey = Literal["auto", "suffix", "chat", "sentinel", "infill", "vendor", "ollama", "none"]

FamilyKey = Literal[
    "qwen2.5-coder", "evoselfcode", "codeqwen1.5", "santacoder", "mellum", "starcoder", "code-llama", "deepseek",
    "mistral-v3", "mistral-tekken", "codegemma", "granite-4", "granite", "codegeex4", "seed-coder",
]  # fmt: skip
"""The families of :data:`evoselfcode.wire.sentinels.FAMILIES`."""

_Positive = Annotated[float, Meta(gt=0)]


class Fim(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How fill-in-the-middle is asked for."""

    mode: Annotated[
        FimModeKey,
        Meta(description="auto finds out by a preflight what the server honours; any other value pins one way."),
    ] = "auto"
    use_chat_for_fim: Annotated[
        bool,
        Meta(description="With mode auto: try the chat fields first (true) or `suffix` first (false)."),
    ] = False
    prefix_key: Annotated[str, Meta(min_length=1, description="Chat field that carries the prefix.")] = "prefix"
    suffix_key: Annotated[str, Meta(min_length=1, description="Chat field that carries the suffix.")] = "suffix"
    family: Annotated[
        FamilyKey | None,
        Meta(description="Sentinel family, such as qwen2.5-coder; null reads it from the model's name."),
    ] = None


class Api(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the model is and how hard it may be asked."""

    base_url: Annotated[
        str,
        Meta(
            description="Server address, with or without /v1 (without any path, /v1 is added; with a path it is used "
            "as written). `local:` is the embedded model."
        ),
    ] = "local:"
    api_key: Annotated[
        str, Meta(description="Bearer token; write ${NAME} to read it from the environment. Never shown.")
    ] = ""
    timeout: Annotated[
        _Positive | None,
        Meta(description="Seconds for one attempt; null allows 120 s and a tenth of a second per new token."),
    ] = None
    max_attempts: Annotated[
        int, Meta(ge=1, le=20, description="Attempts of one request that may fail on their own account.")
    ] = 5
    concurrency: Annotated[int, Meta(ge=1, le=4096, description="Requests in flight at once.")] = 64
    requests_per_second: Annotated[
        _Positive | None, Meta(description="Most requests started in one second; null is no limit.")
    ] = None
    outage_limit: Annotated[
        float, Meta(ge=0, description="Seconds to wait for an endpoint that is away before the run ends.")
    ] = 600.0
    fim: Fim = Fim()

    def __repr__(self) -> str:
        return f"Api({_masked(self)!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return list(_masked(self).items())


def _masked(api: Api) -> dict[str, Any]:
    """Return the section as plain data, the key masked."""
    document: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(api))
    return document | {"api_key": "***" if api.api_key else ""}


class FimPrompt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands around the name in the FIM arm."""

    prefix: Annotated[
        str | None, Meta(description="Text before the name; null is global_prefix followed by `def `.")
    ] = None
    suffix: Annotated[str, Meta(description="Text after the name.")] = "():\n"

    def prefix_or(self, global_prefix: str) -> str:
        """Return the prefix, built from `global_prefix` if it was left out."""
        return f"{global_prefix}def " if self.prefix is None else self.prefix


class L2rPrompt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands before the name in the L2R arm."""

    prompt: Annotated[
        str | None, Meta(description="Text before the name; null is global_prefix followed by `def `.")
    ] = None

    def prompt_or(self, global_prefix: str) -> str:
        """Return the prompt, built from `global_prefix` if it was left out."""
        return f"{global_prefix}def " if self.prompt is None else self.prompt


class Funcname(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The prompts of the two arms."""

    fim: FimPrompt = FimPrompt()
    l2r: L2rPrompt = L2rPrompt()


class Codegen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The prompt that asks for a function's code."""

    template: Annotated[
        str | None,
        Meta(
            description="Prompt with the placeholders {func_name} and {description}; null is global_prefix followed "
            "by a function head with a docstring."
        ),
    ] = None

    def template_or(self, global_prefix: str) -> str:
        """Return the template, built from `global_prefix` if it was left out."""
        return global_prefix + DEFAULT_TEMPLATE if self.template is None else self.template


class Prompts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The text that is sent: a prompt that is given verbatim, one that is left out beginning with global_prefix."""

    global_prefix: Annotated[
        str,
        Meta(description="Beginning of every prompt that is left out below; never added to one that is given."),
    ] = "This is an algorithm function.\n\n"
    boundary: Annotated[
        Literal["literal", "token"],
        Meta(
            description="literal sends prompts as written; token strips their trailing spaces and drops a stop of "
            "spaces, because byte-pair models put the space into a name's first token."
        ),
    ] = "literal"
    funcname: Funcname = Funcname()
    codegen: Codegen = Codegen()


_Stop = Annotated[str, Meta(min_length=1)]


class Namegen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How function names are drawn."""

    num_requests: Annotated[int, Meta(ge=1, description="Requests per arm; each gives n draws.")] = 250
    n: Annotated[int, Meta(ge=1, le=128, description="Draws per request.")] = 4
    seed: Annotated[
        int, Meta(ge=0, le=2**62, description="Seed of the run; each request's own seed is derived from it.")
    ] = 0
    temperature: Annotated[float, Meta(ge=0, le=2, description="Sampling temperature; 0 is greedy.")] = 0.4
    top_p: Annotated[float, Meta(gt=0, le=1, description="Nucleus mass.")] = 0.9
    max_new_tokens: Annotated[int, Meta(ge=1, le=4096, description="Most tokens of one draw.")] = 16
    stop: Annotated[
        tuple[_Stop, ...], Meta(max_length=16, description="Strings that end a draw; not part of its text.")
    ] = ("(", " ", "\n")
    weaklist: Annotated[tuple[str, ...], Meta(description="Names that are dropped, compared exactly.")] = WEAK_NAMES
    logprobs: Annotated[bool, Meta(description="Ask for each name's log-probability, where the server gives it.")] = (
        True
    )


class Filters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept."""

    name_regex: Annotated[str, Meta(description="Regular expression that a name must match.")] = (
        "^[a-z_][a-z0-9_]{2,64}$"
    )
    min_code_len: Annotated[int, Meta(ge=0, description="Fewest characters of a function's code.")] = 16
    enable_ast: Annotated[bool, Meta(description="Drop code that Python cannot parse.")] = True
    enable_ruff: Annotated[bool, Meta(description="Drop code in which ruff finds errors.")] = False


class Output(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where results go."""

    dir: Annotated[str, Meta(min_length=1, description="Folder of all output, relative to the working directory.")] = (
        "data/generated"
    )
    heartbeat_seconds: Annotated[
        float, Meta(gt=0, description="Seconds between progress lines where there is no terminal.")
    ] = 30.0


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
    filters: Filters = Filters()
    output: Output = Output()

    @classmethod
    def from_file(cls, path: Path, *, overrides: Sequence[str] = (), environ: Mapping[str, str] | None = None) -> Self:
        """Read a YAML file, with what it extends.

        Args:
            path: The file.
            overrides: Settings of the command line, ``a.b=value`` each, the value read as YAML.
            environ: Values for ``${NAME}``; the process's environment if left out.

        Raises:
            ConfigError: With every problem, one line each: file, line, key path, what was found, what was expected.
        """
        document = load.read_file(Path(path), overrides, os.environ if environ is None else environ)
        return check.build(cls, document)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Self:
        """Check a mapping of the same shape.

        Raises:
            ConfigError: With every problem, one line each.
        """
        data = dict(mapping) if isinstance(mapping, Mapping) else mapping
        return check.build(cls, Document(data, {}, "the configuration"))

    def fingerprint(self) -> dict[str, Any]:
        """Return every setting that changes results, by key path: a run may only be resumed if none has changed."""
        return {key: value for key, value in flatten(self.to_public()).items() if key not in NEUTRAL}

    def to_public(self) -> dict[str, Any]:
        """Return the whole configuration as plain data, with the key masked."""
        document: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self))
        return document | {"api": _masked(self.api)}

    def __repr__(self) -> str:
        return f"RunConfig({self.to_public()!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return list(self.to_public().items())

    def warnings(self) -> list[str]:
        """Return remarks on settings that are allowed and probably not meant."""
        return remarks.remarks(self)


NEUTRAL = frozenset(
    {
        "api.base_url",
        "api.api_key",
        "api.timeout",
        "api.max_attempts",
        "api.concurrency",
        "api.requests_per_second",
        "api.outage_limit",
        "prompts.codegen.template",
        "namegen.num_requests",
        "filters.min_code_len",
        "filters.enable_ast",
        "filters.enable_ruff",
        "output.dir",
        "output.heartbeat_seconds",
    }
)
"""Settings that do not change what the names stage draws and keeps; everything else is in the fingerprint."""


def flatten(document: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Return nested mappings as one, with dotted keys; other values as they are."""
    flat: dict[str, Any] = {}
    for key, value in document.items():
        flat |= flatten(value, f"{before}{key}.") if isinstance(value, dict) else {before + key: value}
    return flat
