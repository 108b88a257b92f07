"""The table of servers that one runs oneself: one row each, and one per mode that changes the answer.

Shapes and messages are those of the servers' sources and transcripts.
"""

from __future__ import annotations

from typing import Any

from .hosted import HOSTED
from .row import QWEN, Row

_TRTLLM_FIELDS = (
    "model prompt max_tokens temperature top_p stop seed n logprobs suffix stream user top_k min_p repetition_penalty "
    "stop_token_ids min_tokens"
)
VLLM: dict[str, Any] = {
    "owned_by": "vllm",
    "expected_server": "vllm",
    "suffix": "refused",
    "suffix_error": (400, "suffix is not currently supported"),
    "card_extras": {"parent": None, "max_model_len": 32768, "permission": []},
    "greedy_needs_n1": True,
    "natives": ("/tokenize",),
    "scoring": "vllm",
    "expected_score": "prompt_logprobs",
    "expected_middles": True,
    "choice_extras": {"stop_reason": None, "prompt_logprobs": None},
}
SGLANG: dict[str, Any] = {
    "owned_by": "sglang",
    "expected_server": "sglang",
    "card_extras": {"max_model_len": 32768},
    "logprobs": "sglang",
    "error": "flat",
    "checks_model": False,
    "seeds": False,
    "max_stops": 32,
    "natives": ("/tokenize", "/generate"),
    "scoring": "sglang",
    "expected_score": "generate",
    "expected_middles": True,
    "choice_extras": {"matched_stop": None},
}
LLAMACPP: dict[str, Any] = {
    "owned_by": "llamacpp",
    "expected_server": "llamacpp",
    "expected_fim": "infill",
    "n": 4,
    "n_error": (400, "Field 'n': Value must be between 1 <= value <= 4, but got {n}"),
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
OLLAMA: dict[str, Any] = {
    "model": "qwen2.5-coder:7b",
    "base_url": "http://fake:11434/v1",
    "suffix": "rendered",
    "suffix_error": (400, "registry.ollama.ai/library/{model} does not support insert"),
    "chat_templated": True,
    "not_found": ("text", "404 page not found"),
    "n": 0,
    "logprobs": "absent",
    "string_prompt_only": True,
}

VLLM_ROWS = (
    Row(name="vllm-0.12", note="refuses `suffix`", **VLLM),
    Row(
        name="vllm-0.33",
        note="refuses `suffix`, except with DeepSeek-V4",
        **VLLM
        | {
            "suffix_error": (400, "suffix is only supported for models with FIM completion rendering"),
            "suffix_details": {"param": "suffix"},
        },
    ),
    Row(
        name="vllm-0.8",
        error="flat",
        top_k_above_zero=True,
        note="refuses `suffix`; flat error documents; refuses `top_k` 0",
        **VLLM,
    ),
    Row(
        name="vllm-0.33-deepseek-v4",
        model="deepseek-ai/DeepSeek-V4",
        expected_fim="suffix",
        fim_tokens=("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),
        note="renders `suffix` for this model alone",
        **VLLM | {"suffix": "rendered"},
    ),
    Row(
        name="vllm-codestral",
        model="mistralai/Codestral-22B-v0.1",
        expected_family="mistral-v3",
        fim_tokens=None,
        ids_only=(13, 11),
        note="Mistral's tokenizer reads sentinels as token ids alone: the prompt is sent as ids",
        **VLLM | {"expected_middles": False},
    ),
)
SGLANG_ROWS = (
    Row(name="sglang", note="ignores `suffix` silently; seeds work in deterministic mode only", **SGLANG),
    Row(
        name="sglang-template",
        expected_fim="suffix",
        suffix="rendered-none",
        note='`--completion-template`: L2R is sent with `suffix: ""`, or the word None would be rendered',
        **SGLANG,
    ),
)
LLAMACPP_ROWS = (
    Row(name="llamacpp", note="ignores `suffix` silently; usage counts one choice only", **LLAMACPP),
    Row(
        name="llamacpp-2025",
        suffix="refused-key",
        suffix_error=(500, "Unsupported param: suffix"),
        note="refuses `suffix` and `n` with a 500",
        **LLAMACPP | {"n": 1, "n_error": (500, "Only one completion choice is allowed")},
    ),
    Row(
        name="llamacpp-smollm2",
        fim_tokens=None,
        infill_error=(
            501,
            "Infill is not supported by this model: prefix token is missing. suffix token is missing. middle token is "
            "missing. ",
        ),
        note="a model without FIM tokens: no FIM; L2R works",
        **LLAMACPP | {"model": "smollm2-135m", "expected_fim": "none"},
    ),
    Row(
        name="llama-cpp-python",
        expected_server="llama-cpp-python",
        owned_by="me",
        suffix="garbage",
        n=0,
        checks_model=False,
        card_extras={"permissions": []},
        scoring="python",
        note="`suffix` puts token 0 where sentinels belong: never used; gives each token its neighbour's number, as "
        "this model has no beginning of text: scores are refused",
    ),
)
OTHER_ROWS = (
    Row(
        name="ollama",
        expected_fim="ollama",
        expected_l2r="ollama",
        expected_server="ollama",
        owned_by="library",
        natives=("/api/generate",),
        note="native endpoint, `raw` for L2R: its `/v1/completions` puts prompts into the chat template",
        **OLLAMA,
    ),
    Row(
        name="ollama-v1",
        expected_fim="suffix",
        owned_by="proxy",
        note="Ollama behind a proxy: L2R is put into the chat template, and the preflight warns",
        **OLLAMA,
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
        natives=("/generate",),
        scoring="tgi",
        expected_score="prefill",
        expected_middles=True,
        note="refuses `suffix` (422); `top_p` must be below 1; scores with `--enable-prefill-logprobs`",
    ),
    Row(
        name="lmdeploy",
        owned_by="lmdeploy",
        expected_server="lmdeploy",
        n=0,
        logprobs="null",
        error="flat",
        natives=("/get_ppl",),
        scoring="lmdeploy",
        expected_score="get_ppl",
        note="ignores `suffix` and `n` silently; scores are one mean per text",
    ),
    Row(
        name="trtllm",
        owned_by="tensorrt_llm",
        expected_server="trtllm",
        suffix="refused-text",
        suffix_error=(400, "[{'type': 'value_error', 'msg': 'Value error, suffix is not supported'}]"),
        error="string",
        fields=frozenset(_TRTLLM_FIELDS.split()),
        unknown_field=(400, "[{'type': 'extra_forbidden', 'loc': ('body', '{field}')}]", "string"),
        note="refuses `suffix` and every unknown field",
    ),
    Row(
        name="triton",
        owned_by="Triton Inference Server",
        expected_server="triton",
        suffix="refused",
        suffix_error=(400, "suffix is not currently supported"),
        n=1,
        n_error=(400, "Received n={n}. n currently only supports value of 1"),
        error="detail",
        string_prompt_only=True,
        always_stop=True,
        note="refuses `suffix` and `n`; `finish_reason` is always stop",
    ),
    Row(
        name="tabby",
        owned_by="tabbyAPI",
        expected_server="tabby",
        checks_model=False,
        choice_extras={"eos_reason": "stop_string"},
        note="ignores `suffix` silently",
    ),
    Row(
        name="localai",
        logprobs="absent",
        usage="zero",
        always_stop=True,
        checks_model=False,
        note="ignores `suffix` silently; counts no tokens; `finish_reason` is always stop",
    ),
    Row(
        name="chat-templated",
        model="Qwen2.5-7B-Instruct",
        expected_fim="none",
        chat_templated=True,
        scoring="templated",
        note="any server that puts completions into a chat template: no FIM, and the preflight warns of L2R too",
    ),
)

ROWS: tuple[Row, ...] = (*VLLM_ROWS, *SGLANG_ROWS, *LLAMACPP_ROWS, *OTHER_ROWS, *HOSTED)
"""Every row, those of one kind of server together."""
