"""What the fake servers say of a text that they are given: its tokens and their log-probabilities, in each shape.

The brain behind them knows the preflight's program, whose tokens are probable in their order alone, and the middles
that its suffixes force.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from evoselfcode.clients.probe_scores import BEFORE, ORDINARY

from . import brain
from .row import Row

Scored = list[tuple[str, float | None]]


def _known() -> set[tuple[str, str]]:
    tokens = brain.tokens(BEFORE + ORDINARY)
    return set(pairwise(tokens))


_KNOWN = _known()


def scored(row: Row, text: str) -> Scored:
    """Return the tokens of `text`, which has the model's beginning of text before it, if it has one."""
    special = row.fim_tokens or ()
    cut = re.split("(" + "|".join(map(re.escape, special)) + ")", text) if special else [text]
    tokens = [token for part in cut for token in ([part] if part in special else brain.tokens(part))]
    expected = _expected(row, text)
    pairs: Scored = [(row.bos, None)] if row.bos else []
    begun = 0
    for number, token in enumerate(tokens):
        begun += len(token)
        likely = (tokens[number - 1], token) in _KNOWN if number else False
        likely = likely or len(text) - begun < len(text) - expected
        pairs.append((token, (-0.25 if likely else -6.0) + 0.5 * brain.logprob(token) if pairs else None))
    return pairs


def _expected(row: Row, text: str) -> int:
    """Return where a middle begins that its suffix forces; behind the text if there is none."""
    head, middle, begun = text.rpartition(row.fim_tokens[2]) if row.fim_tokens else ("", "", "")
    asked = row.parts(head + middle) if middle else None
    if asked is None or not brain.middle(*asked, brain.Draw(0, 0.0)).startswith(begun):
        return len(text)
    return len(head + middle)


def shifted(pairs: Scored) -> Scored:
    """Give each token a number of the place behind it, as llama-cpp-python does for models that begin with nothing."""
    return [(token, None if number == 0 else -14.0 + brain.logprob(token)) for number, (token, _) in enumerate(pairs)]


def refusal(row: Row, body: dict[str, Any]) -> str:
    """Say why a server refuses to echo, or nothing."""
    echo, most = body.get("echo"), body.get("max_tokens", 16)
    if row.scoring == "refused" and echo and body.get("logprobs") is not None:
        return "Setting 'echo' and 'logprobs' at the same time is not supported for this model."
    if row.scoring == "vllm" and most == 0 and not echo:
        return "max_tokens must be at least 1, got 0."
    if row.scoring == "sglang" and most == 0:
        return "max_tokens must be positive"
    return ""


def with_prompt(row: Row, body: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """Add to a reply what the server tells of the prompt."""
    choice, top, text = document["choices"][0], body.get("logprobs"), body.get("prompt")
    if not isinstance(text, str):
        return document
    if row.scoring == "vllm" and body.get("prompt_logprobs") is not None:
        choice["prompt_logprobs"] = prompt_logprobs(scored(row, text), body["prompt_logprobs"])
    if not body.get("echo") or top is None or (row.scoring == "sglang" and not top):
        return document
    match row.scoring:
        case "vllm" | "sglang" | "fireworks":
            pairs = scored(row, text)
        case "python":
            pairs = scored(row, text) if row.bos else shifted(scored(row, text))
        case "templated":
            pairs = scored(row, f"<|user|>\n{text}<|assistant|>\n")
        case "together":
            return document | {"prompt": [{"text": text, "logprobs": arrays(scored(row, text))}]}
        case _:
            return document
    drawn = choice["logprobs"]
    together = [*pairs, *zip(drawn["tokens"], drawn["token_logprobs"], strict=True)]
    choice |= {"text": text + choice["text"], "logprobs": arrays(together)}
    return document


def arrays(pairs: Scored) -> dict[str, Any]:
    """Write parallel arrays, with the offsets of SGLang."""
    return {
        "tokens": [token for token, _ in pairs],
        "token_logprobs": [value for _, value in pairs],
        "top_logprobs": [None if value is None else {token: value} for token, value in pairs],
        "text_offset": [-1] * len(pairs),
    }


def prompt_logprobs(pairs: Scored, count: int) -> list[Any]:
    """Write vLLM's list: a hole, then for each token an object with it and the likeliest ones."""
    listed: list[Any] = []
    for number, (token, value) in enumerate(pairs):
        entries = {
            str(1000 + i): {"logprob": -0.1 - i, "rank": i + 1, "decoded_token": f"alt{i}"} for i in range(count)
        }
        own = {"logprob": value, "rank": 7, "decoded_token": token}
        listed.append({**entries, str(number): own} if number else None)
    return listed


def native(row: Row, body: dict[str, Any]) -> dict[str, Any]:
    """Answer ``/generate`` of SGLang or TGI, or ``/get_ppl`` of LMDeploy."""
    if row.scoring == "sglang":
        listed = [[value, number, token] for number, (token, value) in enumerate(scored(row, body["text"]))]
        meta = {"finish_reason": {"type": "length", "length": 0}, "prompt_tokens": len(listed), "completion_tokens": 0}
        return {"text": "", "output_ids": [], "meta_info": {**meta, "input_token_logprobs": listed}}
    if row.scoring == "lmdeploy":
        values = [value for _, value in scored(row, body["input"]) if value is not None]
        return {"ppl": -sum(values) / len(values)}
    pairs = scored(row, body["inputs"]) if row.scoring == "tgi" else []
    prefill = [{"id": number, "text": token, "logprob": value} for number, (token, value) in enumerate(pairs)]
    details = {"finish_reason": "length", "generated_tokens": 1, "seed": None, "prefill": prefill, "tokens": []}
    return {"generated_text": "x", "details": details}
