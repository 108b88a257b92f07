"""The table of hosted services, after their documentation and official clients.

Where a service does not say what it does with an unknown field, its row takes the worst case: silence.
"""

from __future__ import annotations

from .row import Row

_MISTRAL_FIELDS = "model prompt suffix temperature top_p max_tokens min_tokens stop random_seed stream metadata"
_OPENAI_FIELDS = (
    "model prompt suffix max_tokens temperature top_p n stream logprobs echo stop presence_penalty frequency_penalty "
    "best_of logit_bias user seed stream_options"
)
_DEEPSEEK_FIELDS = (
    "model prompt suffix max_tokens temperature top_p echo logprobs stop stream stream_options presence_penalty "
    "frequency_penalty"
)

HOSTED: tuple[Row, ...] = (
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
        n=0,
        logprobs="absent",
        error="flat",
        fields=frozenset([*_MISTRAL_FIELDS.split(), "prompt_cache_key"]),
        unknown_field=(422, "Extra inputs are not permitted: {field}", "detail"),
        note="`/v1/fim/completions`, also for L2R; unknown fields are refused",
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
        n=0,
        fields=frozenset(_DEEPSEEK_FIELDS.split()),
        unknown_field=(422, "invalid parameter: {field}", "nested"),
        padding=b"\n\n\n",
        note="`base_url` ends in `/beta`; no `n`, no `seed`",
    ),
    Row(
        name="openai",
        model="gpt-3.5-turbo-instruct",
        base_url="https://api.openai.com/v1",
        expected_fim="suffix",
        expected_server="openai",
        owned_by="system",
        suffix="rendered",
        fim_tokens=None,
        max_logprobs=5,
        max_stops=4,
        fields=frozenset(_OPENAI_FIELDS.split()),
        scoring="refused",
        unknown_field=(400, "Unrecognized request argument supplied: {field}", "nested"),
        headers={"x-ratelimit-remaining-requests": "59", "x-ratelimit-reset-requests": "1s", "x-request-id": "req_0"},
        note="`gpt-3.5-turbo-instruct` only",
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
        scoring="fireworks",
        expected_score="echo",
        expected_middles=True,
        note="has no `suffix`",
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
        scoring="together",
        expected_score="together",
        expected_middles=True,
        headers={"x-ratelimit-limit": "10", "x-ratelimit-remaining": "9", "x-ratelimit-reset": "1"},
        note="has no `suffix`",
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
        note="what reaches the model depends on the provider behind it",
    ),
    Row(
        name="siliconflow",
        model="Qwen/Qwen2.5-Coder-32B-Instruct",
        base_url="https://api.siliconflow.cn/v1",
        expected_fim="suffix",
        expected_server="siliconflow",
        suffix="rendered",
        chat_fields=True,
        note="also by chat fields (`use_chat_for_fim: true`)",
    ),
)
