"""The sections of a configuration: their keys, types, limits, defaults and meaning, each defined once."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from evoselfcode.config.addresses import addresses

WEAK_NAMES = (
    "main", "solution", "solve", "test", "foo", "bar", "baz", "qux", "func", "function", "fn", "helper", "run",
    "process", "do_it", "do_something", "algorithm", "my_function", "example", "demo", "temp", "tmp", "name",
    "method", "self", "cls", "args", "kwargs", "init", "setup", "wrapper", "inner", "callback", "decorator",
)  # fmt: skip
"""Names that say nothing about what a function does. TheAlgorithms/Python has 168 ``solution`` among 2,284."""

FimModeKey = Literal["auto", "suffix", "chat", "sentinel", "infill", "vendor", "ollama", "none"]

FamilyKey = Literal[
    "qwen2.5-coder", "evoselfcode", "codeqwen1.5", "santacoder", "mellum", "starcoder", "code-llama", "deepseek",
    "mistral-v3", "mistral-tekken", "codegemma", "granite-4", "granite", "codegeex4", "seed-coder",
]  # fmt: skip
"""The families of :data:`evoselfcode.wire.sentinels.FAMILIES`."""

NUCLEUS = "Draw only among the most probable tokens that make up this share; 1 is all of them."
"""What top_p means."""

_Positive = Annotated[float, Meta(gt=0)]
_Share = Annotated[float, Meta(gt=0, le=1)]
_Temperature = Annotated[float, Meta(ge=0, le=2)]
_Text = Annotated[str, Meta(min_length=1)]
_Count = Annotated[int, Meta(ge=1)]


class Fim(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How fill-in-the-middle is asked for."""

    mode: Annotated[
        FimModeKey,
        Meta(
            description="auto finds out by a preflight what the server honours; any other value pins one way, "
            "and none does without fill-in-the-middle."
        ),
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
        str | tuple[str, ...],
        Meta(
            description="Server address, with or without /v1 (without any path, /v1 is added; with a path it is used "
            "as written). A list, or one text with commas, is that of replicas: servers of the same model. `local:` is "
            "the embedded model."
        ),
    ] = "local:"
    headless: Annotated[
        bool,
        Meta(
            description="Take every IP address that the host of base_url has for a replica of its own, and look who is "
            "there every 30 s: for a headless Service of Kubernetes."
        ),
    ] = False
    api_key: Annotated[
        str, Meta(description="Bearer token; write ${NAME} to read it from the environment. Never shown.")
    ] = ""
    api_key_file: Annotated[
        _Text | None,
        Meta(description="File that holds the token, in place of api_key; nobody else may read it (mode 0600)."),
    ] = None
    timeout: Annotated[
        _Positive | None,
        Meta(description="Seconds for one attempt; null allows 120 s and a tenth of a second per new token."),
    ] = None
    max_attempts: Annotated[
        int, Meta(ge=1, le=20, description="Failed attempts that give a request up; outages, 429 and 503 do not count.")
    ] = 5
    concurrency: Annotated[
        Annotated[int, Meta(ge=1, le=4096)] | Literal["auto"],
        Meta(
            description="Requests in flight at once, of all replicas together; auto finds out what each of them can "
            "take, and follows it."
        ),
    ] = "auto"
    max_concurrency: Annotated[
        Annotated[int, Meta(ge=1, le=4096)] | None,
        Meta(
            description="Most requests in flight at one replica with concurrency auto; null is 4096 where the server "
            "tells the length of its queue, and 256 elsewhere."
        ),
    ] = None
    requests_per_second: Annotated[
        _Positive | None, Meta(description="Most attempts that start in one second, retries too; null is no limit.")
    ] = None
    tokens_per_minute: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(description="Most tokens asked for in one minute, prompts and completions together; null is no limit."),
    ] = None
    outage_limit: Annotated[
        float,
        Meta(ge=0, description="Seconds without an answer of any endpoint that end the run; until then rows wait."),
    ] = 3600.0
    fim: Fim = Fim()

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses of base_url, one for each replica that is listed."""
        return addresses(self.base_url)

    @property
    def is_server(self) -> bool:
        """Whether requests go to a server, and not to the embedded model."""
        return self.addresses != ("local:",)

    @property
    def fixed_concurrency(self) -> int | None:
        """Requests in flight at once where that is given; ``None`` for auto."""
        return None if self.concurrency == "auto" else self.concurrency

    def __repr__(self) -> str:
        return f"Api({masked(self)!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return list(masked(self).items())


def masked(api: Api) -> dict[str, Any]:
    """Return the section as plain data, the key masked."""
    document: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(api))
    return document | {"api_key": "***" if api.api_key else ""}


_Stop = Annotated[str, Meta(min_length=1)]


ArmMode = Literal["FIM", "FIM-PSM", "FIM-SPM", "L2R"]
"""How an arm asks: by the way of FIM that the server honours, by raw sentinels in one order, or left-to-right."""

_Word = Annotated[str, Meta(pattern="^[a-z][a-z0-9]*$", max_length=30)]


class Arm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One named arm: how it asks, and in what it departs from the settings of the run; null takes those."""

    mode: Annotated[
        ArmMode,
        Meta(
            description="FIM asks in the way that the server honours; FIM-PSM and FIM-SPM by a raw prompt with the "
            "model's sentinels in this order (prefix, suffix, middle, or suffix first); L2R asks for what follows."
        ),
    ]
    prefix: Annotated[
        str | None,
        Meta(description="Text before the name; null is prompts.funcname.fim.prefix, or prompts.funcname.l2r.prompt."),
    ] = None
    suffix: Annotated[
        str | None,
        Meta(description="Text after the name; null is prompts.funcname.fim.suffix. An arm of mode L2R takes none."),
    ] = None
    boundary: Annotated[Literal["literal", "token"] | None, Meta(description="Null is prompts.boundary.")] = None
    temperature: Annotated[_Temperature | None, Meta(description="Null is namegen.temperature.")] = None
    top_p: Annotated[_Share | None, Meta(description="Null is namegen.top_p.")] = None
    topics: Annotated[
        _Text | None,
        Meta(
            description="Ask about the topics of a tree in turn: `builtin`, or a YAML file of your own. "
            "prompts.topic_prefix takes the place of global_prefix.",
        ),
    ] = None
    first_words: Annotated[
        tuple[_Word, ...],
        Meta(max_length=1000, description="Words that the names are to begin with, in turn; none leaves it open."),
    ] = ()
    used_names: Annotated[
        _Text | None,
        Meta(
            description="Show names that are taken: a JSONL file with `func_name`, such as the combined_raw.jsonl or "
            "selected.jsonl of an earlier run.",
        ),
    ] = None
    used_names_shown: Annotated[
        int, Meta(ge=1, le=64, description="How many of used_names a prompt shows, chosen anew for each request.")
    ] = 8


def default_arms() -> dict[str, Arm]:
    """Return the two arms that are run if none are named."""
    return {"FIM": Arm(mode="FIM"), "L2R": Arm(mode="L2R")}


class SaturationRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When an arm ends before its requests are spent: the first rule that holds at two looks in a row."""

    new_per_1000: Annotated[
        _Positive | None, Meta(description="End when the upper 95 % limit of new names per 1,000 draws is below this.")
    ] = None
    coverage: Annotated[
        _Share | None, Meta(description="End when the names seen make up this share of the accepted draws.")
    ] = None
    gain: Annotated[
        _Positive | None,
        Meta(description="End when the forecast of twice the draws adds less than this share of the names seen."),
    ] = None
    tokens: Annotated[
        _Count | None, Meta(description="End as soon as the arm has cost so many tokens of prompts and completions.")
    ] = None
    look: Annotated[int, Meta(ge=1, description="Draws from one look at the rules to the next.")] = 2000


class Namegen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How function names are drawn."""

    num_requests: Annotated[int, Meta(ge=1, description="Requests per arm; each gives n draws.")] = 250
    n: Annotated[int, Meta(ge=1, le=128, description="Draws per request.")] = 4
    seed: Annotated[
        int, Meta(ge=0, le=2**62, description="Seed of the run; each request's own seed is derived from it.")
    ] = 0
    temperature: Annotated[float, Meta(ge=0, le=2, description="Sampling temperature; 0 is greedy.")] = 0.4
    top_p: Annotated[float, Meta(gt=0, le=1, description=NUCLEUS)] = 0.9
    max_new_tokens: Annotated[int, Meta(ge=1, le=4096, description="Most tokens of one draw.")] = 16
    stop: Annotated[
        tuple[_Stop, ...], Meta(max_length=16, description="Strings that end a draw; not part of its text.")
    ] = ("(", " ", "\n")
    saturation: SaturationRules = SaturationRules()
    arms: Annotated[
        dict[str, Arm],
        Meta(
            description="The arms of the comparison, each a name and what is its own; they take turns and ask equally "
            "often. An arm that is null is left out."
        ),
    ] = msgspec.field(default_factory=default_arms)
    weaklist: Annotated[
        tuple[str, ...],
        Meta(description="Names that are dropped, compared exactly. A list of yours replaces this one."),
    ] = WEAK_NAMES
    logprobs: Annotated[bool, Meta(description="Ask for each name's log-probability, where the server gives it.")] = (
        True
    )


class Output(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where results go."""

    dir: Annotated[str, Meta(min_length=1, description="Folder of all output, relative to the working directory.")] = (
        "data/generated"
    )
    heartbeat_seconds: Annotated[
        float,
        Meta(
            gt=0,
            description="Seconds from one heartbeat to the next: its file, and where there is no terminal its line.",
        ),
    ] = 30.0
    heartbeat_file: Annotated[
        _Text | None,
        Meta(description="File that each heartbeat replaces, as `alive` reads it; null is heartbeat.json of the run."),
    ] = None
    metrics_port: Annotated[
        Annotated[int, Meta(ge=0, le=65535)] | None,
        Meta(description="Port that Prometheus scrapes while a run lasts; 0 takes a free one, null opens none."),
    ] = None
    metrics_host: Annotated[
        _Text, Meta(description="Address that metrics_port is opened on; 0.0.0.0 is every one of this machine.")
    ] = "0.0.0.0"  # noqa: S104
    metrics_file: Annotated[
        _Text | None,
        Meta(description="File that each heartbeat replaces with the metrics, for node_exporter's textfile collector."),
    ] = None
    grace: Annotated[
        float,
        Meta(
            gt=0,
            description="Seconds from SIGTERM to the kill: what is in flight may take 60 % of them, 60 s at most, and "
            "is cancelled then. 30 is a pod's default; 120 loses less.",
        ),
    ] = 30.0
    disk_wait: Annotated[
        float,
        Meta(ge=0, description="Seconds that a run waits for space on a full disk, asking nothing, before it ends."),
    ] = 600.0
