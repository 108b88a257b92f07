"""The table: one row of switches per server (and for a few servers one per mode that changes the answer).

Shapes and messages are those of the servers' sources and transcripts (``docs/reference/dialects.md``). Where a hosted
service does not document what it does with an unknown field, the row takes the worst case: it ignores it silently.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from evoselfcode.wire.dialect import FimMode, L2rMode

from .shapes import Text

QWEN = "Qwen2.5-Coder-32B"


@dataclass(frozen=True, kw_only=True)
class Row:
    """How one server behaves.

    Attributes:
        name: Key in ``FAKES``.
        expected_fim: The way of FIM that a preflight must find.
        suffix: What ``suffix`` on ``/v1/completions`` does: refused, ignored, rendered, rendered-none (SGLang's
            template writes the word None where no suffix is given), garbage (token 0 for sentinels).
        suffix_error: Status and message of the refusal.
        n: Most choices; 0 ignores ``n``, 1 refuses more.
        n_error: Status and message where ``n`` is refused.
        logprobs: ``legacy``, ``sglang`` (offsets −1), ``together``, ``content``, ``null`` or ``absent``.
        error: Error envelope (:func:`fakes.shapes.error`).
        not_found: Envelope and message for an unknown path.
        fields: Body fields it knows; others are refused with ``unknown_field``. ``None`` accepts everything.
        endpoints: Paths it serves besides the models.
    """

    name: str
    model: str = QWEN
    base_url: str = "http://fake:8000/v1"
    expected_fim: FimMode = "sentinel"
    expected_l2r: L2rMode = "completions"
    expected_server: str = "unknown"
    owned_by: str | None = None
    created: int = 1795350341
    card_extras: dict[str, Any] = field(default_factory=dict)
    list_extras: dict[str, Any] = field(default_factory=dict)
    bare_model_list: bool = False
    endpoints: tuple[str, ...] = ("/completions", "/chat/completions")
    natives: tuple[str, ...] = ()
    suffix: str = "ignored"
    suffix_error: tuple[int, str] = (400, "")
    suffix_details: dict[str, Any] = field(default_factory=dict)
    insert: bool = True
    n: int = 128
    n_error: tuple[int, str] = (400, "")
    greedy_needs_n1: bool = False
    logprobs: str = "legacy"
    max_logprobs: int = 20
    usage: str = "all"
    error: str = "nested"
    not_found: tuple[str, str] = ("detail", "Not Found")
    checks_model: bool = True
    fields: frozenset[str] | None = None
    unknown_field: tuple[int, str] = (400, "")
    max_stops: int | None = None
    top_p_below_one: bool = False
    string_prompt_only: bool = False
    ids_only: tuple[int, int] | None = None
    chat_templated: bool = False
    chat_fields: bool = False
    eos_reason: str = "stop"
    stop_reason: str = "stop"
    always_stop: bool = False
    object_name: str = "text_completion"
    choice_extras: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    padding: bytes = b""

    def ending(self, drawn: Text) -> str:
        """Say in this server's words why a text ended."""
        if self.always_stop:
            return "stop"
        if drawn.ending == "length":
            return "length"
        return self.stop_reason if drawn.stopped_by else self.eos_reason


COMMON = frozenset(
    [
        "model",
        "prompt",
        "max_tokens",
        "temperature",
        "top_p",
        "stop",
        "seed",
        "n",
        "logprobs",
        "suffix",
        "stream",
        "user",
    ]
)
VLLM = {
    "owned_by": "vllm",
    "expected_server": "vllm",
    "suffix": "refused",
    "card_extras": {"root": QWEN, "parent": None, "max_model_len": 32768, "permission": []},
    "greedy_needs_n1": True,
    "natives": ("/tokenize",),
    "choice_extras": {"stop_reason": None, "prompt_logprobs": None},
}
SGLANG = {
    "owned_by": "sglang",
    "expected_server": "sglang",
    "card_extras": {"root": QWEN, "max_model_len": 32768},
    "logprobs": "sglang",
    "error": "flat",
    "checks_model": False,
    "natives": ("/tokenize",),
    "choice_extras": {"matched_stop": None},
}
LLAMACPP = {
    "owned_by": "llamacpp",
    "expected_server": "llamacpp",
    "expected_fim": "infill",
    "card_extras": {"meta": {"vocab_type": 2, "n_vocab": 49152, "n_ctx": 2048, "n_ctx_train": 8192}},
    "list_extras": {"models": [{"name": QWEN, "model": QWEN, "capabilities": ["completion"]}]},
    "natives": ("/infill", "/tokenize"),
    "logprobs": "content",
    "error": "llamacpp",
    "not_found": ("llamacpp", "File Not Found"),
    "checks_model": False,
    "usage": "one",
    "headers": {"server": "llama.cpp", "keep-alive": "timeout=5, max=100"},
}
OLLAMA_ERRORS = {"not_found": ("text", "404 page not found"), "n": 0, "logprobs": "absent", "string_prompt_only": True}

ROWS: tuple[Row, ...] = (
    Row(name="vllm-0.12", suffix_error=(400, "suffix is not currently supported"), **VLLM),
    Row(
        name="vllm-0.33",
        suffix_error=(400, "suffix is only supported for models with FIM completion rendering"),
        suffix_details={"param": "suffix"},
        **VLLM,
    ),
    Row(name="vllm-0.8", error="flat", suffix_error=(400, "suffix is not currently supported"), **VLLM),
    Row(name="vllm-0.33-deepseek-v4", expected_fim="suffix", **{**VLLM, "suffix": "rendered"}),
    Row(
        name="vllm-codestral",
        **{**VLLM, "card_extras": {"max_model_len": 32768}},
        model="mistralai/Codestral-22B-v0.1",
        ids_only=(13, 11),
        suffix_error=(400, "suffix is not currently supported"),
    ),
    Row(name="sglang", **SGLANG),
    Row(name="sglang-template", expected_fim="suffix", suffix="rendered-none", **SGLANG),
    Row(
        name="llamacpp", n=4, n_error=(400, "Field 'n': Value must be between 1 <= value <= 4, but got {n}"), **LLAMACPP
    ),
    Row(
        name="llamacpp-2025",
        n=1,
        n_error=(500, "Only one completion choice is allowed"),
        suffix="refused",
        suffix_error=(500, "Unsupported param: suffix"),
        **LLAMACPP,
    ),
    Row(
        name="ollama",
        model="qwen2.5-coder:7b",
        base_url="http://fake:11434/v1",
        expected_fim="ollama",
        expected_l2r="ollama",
        expected_server="ollama",
        owned_by="library",
        natives=("/api/generate",),
        suffix="rendered",
        chat_templated=True,
        **OLLAMA_ERRORS,
    ),
    Row(
        name="ollama-v1",
        model="qwen2.5-coder:7b",
        base_url="http://fake:11434/v1",
        expected_fim="suffix",
        owned_by="proxy",
        suffix="rendered",
        chat_templated=True,
        **OLLAMA_ERRORS,
    ),
    Row(
        name="tgi",
        expected_server="tgi",
        owned_by=QWEN,
        created=0,
        suffix="refused",
        suffix_error=(422, "Suffix is not supported and can be achieved by preprocessing the prompt."),
        suffix_details={"type": "suffix not supported"},
        n=0,
        logprobs="null",
        error="tgi",
        not_found=("text", ""),
        checks_model=False,
        max_stops=4,
        top_p_below_one=True,
        stop_reason="stop_sequence",
        headers={"x-compute-type": "1-nvidia-l4", "x-inference-time": "12"},
    ),
    Row(name="lmdeploy", owned_by="lmdeploy", expected_server="lmdeploy", n=0, logprobs="null", error="flat"),
    Row(
        name="trtllm",
        owned_by="tensorrt_llm",
        expected_server="trtllm",
        suffix="refused",
        suffix_error=(400, "[{'type': 'value_error', 'msg': 'Value error, suffix is not supported'}]"),
        error="string",
        fields=COMMON | {"top_k", "min_p", "repetition_penalty", "stop_token_ids", "min_tokens"},
        unknown_field=(400, "[{{'type': 'extra_forbidden', 'loc': ('body', '{field}')}}]"),
    ),
    Row(
        name="triton",
        owned_by="Triton Inference Server",
        expected_server="triton",
        suffix="refused",
        suffix_error=(400, "suffix is not currently supported"),
        n=1,
        n_error=(400, "Received n=4. n currently only supports value of 1"),
        error="detail",
        string_prompt_only=True,
        always_stop=True,
    ),
    Row(
        name="tabby",
        owned_by="tabbyAPI",
        expected_server="tabby",
        checks_model=False,
        choice_extras={"eos_reason": "stop_string"},
    ),
    Row(name="localai", n=128, logprobs="absent", usage="zero", always_stop=True, checks_model=False),
    Row(
        name="llama-cpp-python",
        owned_by="me",
        expected_server="llama-cpp-python",
        suffix="garbage",
        n=0,
        checks_model=False,
        card_extras={"permissions": []},
    ),
    Row(
        name="mistral",
        model="codestral-latest",
        base_url="https://codestral.mistral.ai/v1",
        expected_fim="vendor",
        expected_l2r="vendor",
        expected_server="mistral",
        owned_by="mistralai",
        endpoints=("/fim/completions", "/chat/completions"),
        suffix="rendered",
        error="flat",
        fields=frozenset(
            [
                "model",
                "prompt",
                "suffix",
                "temperature",
                "top_p",
                "max_tokens",
                "min_tokens",
                "stop",
                "random_seed",
                "stream",
                "metadata",
                "prompt_cache_key",
            ]
        ),
        unknown_field=(422, "Extra inputs are not permitted: {field}"),
    ),
    Row(
        name="deepseek",
        model="deepseek-chat",
        base_url="https://api.deepseek.com/beta",
        expected_fim="suffix",
        expected_server="deepseek",
        owned_by="deepseek",
        suffix="rendered",
        string_prompt_only=True,
        max_stops=16,
        fields=(COMMON | {"echo", "frequency_penalty", "presence_penalty", "stream_options"}) - {"n", "seed"},
        unknown_field=(422, "invalid parameter: {field}"),
        padding=b"\n\n\n",
    ),
    Row(
        name="openai",
        model="gpt-3.5-turbo-instruct",
        base_url="https://api.openai.com/v1",
        expected_fim="suffix",
        expected_server="openai",
        owned_by="system",
        suffix="rendered",
        max_logprobs=5,
        max_stops=4,
        fields=COMMON | {"echo", "best_of", "logit_bias", "frequency_penalty", "presence_penalty"},
        unknown_field=(400, "Unrecognized request argument supplied: {field}"),
        headers={"x-ratelimit-remaining-requests": "59", "x-ratelimit-reset-requests": "1s", "x-request-id": "req_0"},
    ),
    Row(
        name="fireworks",
        model="accounts/fireworks/models/qwen2p5-coder-32b",
        base_url="https://api.fireworks.ai/inference/v1",
        expected_server="fireworks",
        owned_by="fireworks",
        max_logprobs=5,
        max_stops=4,
        headers={"x-ratelimit-limit-tokens-prompt": "60000"},
    ),
    Row(
        name="together",
        model="Qwen/Qwen2.5-Coder-32B-Instruct",
        base_url="https://api.together.xyz/v1",
        expected_server="together",
        bare_model_list=True,
        card_extras={"type": "chat", "context_length": 32768},
        logprobs="together",
        string_prompt_only=True,
        eos_reason="eos",
        object_name="text.completion",
        headers={"x-ratelimit-limit": "10", "x-ratelimit-remaining": "9", "x-ratelimit-reset": "1"},
    ),
    Row(
        name="openrouter",
        model="qwen/qwen-2.5-coder-32b-instruct",
        base_url="https://openrouter.ai/api/v1",
        expected_server="openrouter",
        card_extras={"context_length": 32768},
        n=0,
        logprobs="absent",
        string_prompt_only=True,
        choice_extras={"native_finish_reason": "stop"},
    ),
    Row(
        name="siliconflow",
        model="Qwen/Qwen2.5-Coder-32B-Instruct",
        base_url="https://api.siliconflow.cn/v1",
        expected_fim="suffix",
        expected_server="siliconflow",
        suffix="rendered",
        chat_fields=True,
    ),
)
"""In the order of the capability table: 20 rows, and modes of vLLM, SGLang and SiliconFlow that change the answer."""
