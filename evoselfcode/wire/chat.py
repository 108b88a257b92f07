"""``/v1/chat/completions`` with prefix and suffix as extra fields: option 2 of the usage guide.

SiliconFlow is where it comes from; other servers accept the unknown fields and ignore them, which the preflight
finds out. The reply is read by :func:`evoselfcode.wire.completions.read`.
"""

from __future__ import annotations

from typing import Any

from evoselfcode.records import Fim, Sampling
from evoselfcode.wire import completions
from evoselfcode.wire.dialect import Dialect


def body(prompt: Fim, sampling: Sampling, dialect: Dialect) -> dict[str, Any]:
    """Build the body of one request: an empty user message, prefix and suffix beside it."""
    document = completions.body(sampling, dialect, "")
    del document["prompt"]
    if "logprobs" in document:
        document["logprobs"] = True
        if sampling.logprobs:
            document["top_logprobs"] = sampling.logprobs
    return document | {
        "messages": [{"role": "user", "content": ""}],
        dialect.prefix_key: prompt.prefix,
        dialect.suffix_key: prompt.suffix,
    }
