"""What a change of a setting means for a run that is there: other rows, other verdicts, or nothing.

This file decides for every setting which of the three. A run may not go on under a setting that shapes its rows; a
filter of names is changed by ``evoselfcode refilter``; the others are free.
"""

from __future__ import annotations

from evoselfcode.config.sections import SaturationRules

SHAPING: dict[str, tuple[str, ...]] = {
    "names": (
        "model", "api.fim.", "prompts.global_prefix", "prompts.boundary", "prompts.topic_prefix", "prompts.used_name",
        "prompts.funcname.", "namegen.", "filters.name_regex",
    ),
    "describe": ("model", "prompts.code_boundary", "prompts.describe.", "describe."),
    "skeleton": ("model", "prompts.code_boundary", "prompts.skeleton.", "skeleton."),
    "asserts": ("model", "prompts.code_boundary", "prompts.asserts.", "asserts."),
    "code": ("model", "api.fim.", "prompts.code_boundary", "prompts.codegen.", "codegen."),
    "score": ("model", "api.fim.family", "score.description_prompt"),
    "rating": (
        "model", "rating.model", "rating.chat", "rating.seed", "rating.n", "rating.temperature",
        "rating.max_new_tokens", "rating.logprobs",
    ),
}  # fmt: skip
"""For each stage the settings that shape what it draws, whole sections by a dot at the end. What its draws are filtered
by is none of them, but for names: filters of code are applied to what is drawn as often as you like."""

FILTERS: dict[str, tuple[str, ...]] = {"names": ("filters.name_regex", "namegen.weaklist")}
"""Of those settings the ones that only judge what was drawn: ``evoselfcode refilter`` changes them in a run that is
there, without asking the model."""

FREE = frozenset(
    {
        "namegen.num_requests",
        *(f"namegen.saturation.{key}" for key in SaturationRules.__struct_fields__),
        *(f"{section}.names" for section in ("describe", "skeleton", "asserts", "codegen")),
        "codegen.on_length",
    }
)
"""Settings of those sections that change nothing of what is drawn."""


NEUTRAL: dict[str, str] = {
    **dict.fromkeys(
        (
            "api.base_url", "api.api_key", "api.timeout", "api.max_attempts", "api.concurrency", "api.max_concurrency",
            "api.requests_per_second", "api.tokens_per_minute", "api.outage_limit", "api.headless", "score.concurrency",
            "rating.api.base_url", "rating.api.headless", "rating.api.api_key", "rating.api.concurrency",
            "api.api_key_file", "rating.api.api_key_file",
        ),
        "where the model is, and how hard it is asked: the same question has the same answer",
    ),
    **dict.fromkeys(
        (
            "output.dir", "output.heartbeat_seconds", "output.heartbeat_file", "output.disk_wait",
            "output.metrics_port", "output.metrics_host", "output.metrics_file", "output.grace",
        ),
        "where results and progress go",
    ),
    **dict.fromkeys(
        (
            "namegen.num_requests", "namegen.saturation.", "describe.names", "skeleton.names", "asserts.names",
            "codegen.names", "score.rows", "score.texts", "rating.rows", "rating.retest", "rating.mutants",
        ),
        "how much is asked: each request is one by itself",
    ),
    **dict.fromkeys(
        (
            "codegen.on_length", "filters.min_code_len", "filters.enable_ast", "filters.enable_ruff",
            "filters.disabled_gates", "filters.max_code_len", "filters.max_lines", "filters.max_line_length",
            "filters.min_body_nodes", "filters.max_comment_share", "filters.max_repeated_lines",
            "filters.max_repeated_text", "filters.require_docstring", "filters.allowed_imports", "filters.banned_calls",
            "filters.near_duplicates", "filters.contamination", "filters.execute", "filters.execution.",
        ),
        "filters of code, which are applied to the journal as often as you like",
    ),
    **dict.fromkeys(("rating.failed", "choose.", "export."), "what is made of rows that are there"),
}  # fmt: skip
"""The settings that may change between two runs into one folder, whole sections by a dot at the end, and why. One that
is in none of these tables is a mistake: whoever adds a setting decides what a change of it means."""


def is_neutral(key: str) -> bool:
    """Say whether the setting at a key path is declared to change no row."""
    return key in NEUTRAL or any(part.endswith(".") and key.startswith(part) for part in NEUTRAL)


def shapes(stage: str, key: str) -> bool:
    """Say whether the setting at a key path changes what a stage draws."""
    return key not in FREE and any(
        key.startswith(part) if part.endswith(".") else key == part for part in SHAPING[stage]
    )


def is_free(key: str) -> bool:
    """Say whether a setting may change between two runs into the same folder, whatever the stage."""
    return not any(shapes(stage, key) for stage in SHAPING)
