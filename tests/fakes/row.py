"""What can differ between two servers: the switches of one row of the table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from evoselfcode.wire.dialect import FimMode, L2rMode, ScoreMode

from .shapes import Text

QWEN = "Qwen2.5-Coder-32B"
QWEN_TOKENS = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")

Suffix = Literal["refused", "refused-key", "refused-text", "ignored", "rendered", "rendered-none", "garbage"]
"""What ``suffix`` on ``/v1/completions`` does.

- ``refused``: any value but null is refused; ``refused-key``: null too; ``refused-text``: all but null and ``""``
- ``ignored``: the answer is the left-to-right text
- ``rendered``: the server writes the model's FIM prompt; ``rendered-none``: as SGLang's completion templates do, which
  write the word None where no suffix is given, and a list of prompts as Python shows it
- ``garbage``: token 0 stands where the sentinels belong (llama-cpp-python)
"""

Scoring = Literal[
    "ignored", "refused", "templated", "vllm", "sglang", "python", "tgi", "tgi-off", "lmdeploy", "fireworks", "together"
]
"""What a server does with ``echo`` and its kin.

- ``ignored``: numbers of what it generates alone; ``refused``: ``echo`` with ``logprobs`` is a 400
- ``templated``: the numbers are those of the chat template around the text
- ``python``: llama-cpp-python, which gives each token its neighbour's number where the model has no beginning of text
- ``tgi-off``: TGI without ``--enable-prefill-logprobs``
"""


@dataclass(frozen=True, kw_only=True)
class Row:
    """How one server behaves.

    Attributes:
        name: Key in ``FAKES``.
        model: The model it serves and lists.
        base_url: Where it is; its path is where it serves the OpenAI-compatible paths.
        expected_fim: The way of FIM that a preflight must find.
        expected_l2r: The way of L2R that it must find.
        expected_server: What it must call the server.
        expected_family: The sentinel family that it must settle on, where FIM is by sentinels.
        expected_score: The way of scoring a given text that it must find, where it is to look for one.
        expected_middles: Whether it must find that middles can be scored.
        note: What is peculiar, for the table of servers in the documentation.
        key: The API key it wants, if any.
        endpoints: Paths it serves below ``base_url``, besides the models.
        natives: Paths it serves at its root.
        suffix: What ``suffix`` on ``/v1/completions`` does.
        suffix_error: Status and message of the refusal.
        fim_tokens: How its model spells (prefix, suffix, middle); ``None`` knows no sentinels: they are plain text.
        order: The order in which its model takes the parts.
        ids_only: Ids of (suffix, prefix) of a tokenizer that reads no sentinels in text.
        insert: Whether Ollama's template of this model mentions ``.Suffix``.
        infill_error: Status and message of ``/infill`` where the model has no FIM tokens.
        n: Most choices; 0 ignores ``n``, 1 refuses more.
        n_error: Status and message where ``n`` is refused.
        greedy_needs_n1: ``n`` > 1 at temperature 0 is refused.
        top_k_above_zero: ``top_k`` 0 is refused; -1 switches it off.
        seeds: Whether a seed is honoured.
        stops: Whether stop strings are honoured.
        leak: A special token that shows at the end of each middle.
        logprobs: ``legacy``, ``sglang`` (offsets −1), ``together``, ``content``, ``null`` or ``absent``.
        usage: ``all``, ``one`` (of one choice only) or ``zero``.
        error: Error envelope (:func:`fakes.shapes.error`).
        not_found: Envelope and message for an unknown path.
        checks_model: Whether another model's name is a 404.
        fields: Body fields it knows; others are refused with ``unknown_field``. ``None`` accepts everything.
        unknown_field: Status, message and envelope of that refusal.
        chat_templated: A prompt without suffix becomes a user message in the model's chat template.
        chat_fields: ``/chat/completions`` honours prefix and suffix as extra fields.
        padding: Bytes before the body: DeepSeek's keep-alive lines.
        scoring: How it answers who asks for a given text's log-probabilities (:mod:`fakes.scoring`).
        bos: The token that it puts before every text, as it shows it; empty if it puts none.
    """

    name: str
    model: str = QWEN
    base_url: str = "http://fake:8000/v1"
    expected_fim: FimMode = "sentinel"
    expected_l2r: L2rMode = "completions"
    expected_server: str = "unknown"
    expected_family: str = "qwen2.5-coder"
    expected_score: ScoreMode = "none"
    expected_middles: bool = False
    note: str = ""
    key: str | None = None
    owned_by: str | None = None
    created: int = 1795350341
    card_extras: dict[str, Any] = field(default_factory=dict)
    list_extras: dict[str, Any] = field(default_factory=dict)
    bare_model_list: bool = False
    endpoints: tuple[str, ...] = ("/completions", "/chat/completions")
    natives: tuple[str, ...] = ()
    suffix: Suffix = "ignored"
    suffix_error: tuple[int, str] = (400, "")
    suffix_details: dict[str, Any] = field(default_factory=dict)
    fim_tokens: tuple[str, str, str] | None = QWEN_TOKENS
    order: Literal["PSM", "SPM"] = "PSM"
    ids_only: tuple[int, int] | None = None
    insert: bool = True
    infill_error: tuple[int, str] | None = None
    n: int = 128
    n_error: tuple[int, str] = (400, "")
    greedy_needs_n1: bool = False
    top_k_above_zero: bool = False
    seeds: bool = True
    stops: bool = True
    leak: str = ""
    logprobs: str = "legacy"
    max_logprobs: int = 20
    usage: str = "all"
    error: str = "nested"
    not_found: tuple[str, str] = ("detail", "Not Found")
    checks_model: bool = True
    fields: frozenset[str] | None = None
    unknown_field: tuple[int, str, str] = (400, "", "nested")
    max_stops: int | None = None
    top_p_below_one: bool = False
    string_prompt_only: bool = False
    chat_templated: bool = False
    chat_fields: bool = False
    eos_reason: str = "stop"
    stop_reason: str = "stop"
    always_stop: bool = False
    object_name: str = "text_completion"
    choice_extras: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    padding: bytes = b""
    scoring: Scoring = "ignored"
    bos: str = ""

    @property
    def gives_n(self) -> bool:
        """Whether a request may ask for four choices."""
        return self.n >= 4 and self.expected_l2r == "completions"

    @property
    def gives_logprobs(self) -> bool:
        """Whether log-probabilities come back where a preflight looks for them."""
        return self.logprobs not in ("null", "absent") or "/api/generate" in self.natives

    def parts(self, text: str) -> tuple[str, str] | None:
        """Read (prefix, suffix) off a prompt with sentinels, or ``None`` where it has none in this model's order."""
        prefix, suffix, middle = self.fim_tokens or ("", "", "")
        first, second = (prefix, suffix) if self.order == "PSM" else (suffix, prefix)
        if not (self.fim_tokens and text.startswith(first) and second in text and text.endswith(middle)):
            return None
        one, _, other = text.removeprefix(first).removesuffix(middle).partition(second)
        return (one, other) if self.order == "PSM" else (other, one)

    def ending(self, drawn: Text) -> str:
        """Say in this server's words why a text ended."""
        if self.always_stop:
            return "stop"
        if drawn.ending == "length":
            return "length"
        return self.stop_reason if drawn.stopped_by else self.eos_reason
