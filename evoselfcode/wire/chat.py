"""``/v1/chat/completions``: prefix and suffix as extra fields, option 2 of the usage guide; or one message of the user.

SiliconFlow is where the extra fields come from; other servers accept and ignore them, which the preflight finds out.
A message is answered by a chat model in its own words: nothing of it is a completion of the prompt. The reply is read
by :func:`evoselfcode.wire.completions.read`.
"""

from __future__ import annotations

from typing import Any

from evoselfcode.records import Fim, L2r, Sampling
from evoselfcode.wire import completions
from evoselfcode.wire.dialect import Dialect

_RENAMED: dict[str, dict[str, str]] = {
    "openai": {"max_tokens": "max_completion_tokens"},  # its reasoning models refuse the old name
    "mistral": {"seed": "random_seed"},  # 422 for a field that it does not know
}
"""Fields of a message that a service calls something else."""


def body(prompt: Fim, sampling: Sampling, dialect: Dialect) -> dict[str, Any]:
    """Build the body of one request: an empty user message, prefix and suffix beside it."""
    return _conversation("", sampling, dialect) | {
        dialect.prefix_key: prompt.prefix,
        dialect.suffix_key: prompt.suffix,
    }


def message(prompt: L2r, sampling: Sampling, dialect: Dialect) -> dict[str, Any]:
    """Build the body of a request whose prompt is one message of the user."""
    document = _conversation(prompt.prompt, sampling, dialect)
    names = _RENAMED.get(dialect.server, {})
    return {names.get(key, key): value for key, value in document.items()}


def _conversation(said: str, sampling: Sampling, dialect: Dialect) -> dict[str, Any]:
    document = completions.body(sampling, dialect, "")
    del document["prompt"]
    if "logprobs" in document:
        document["logprobs"] = True
        if sampling.logprobs:
            document["top_logprobs"] = sampling.logprobs
    return document | {"messages": [{"role": "user", "content": said}]}
