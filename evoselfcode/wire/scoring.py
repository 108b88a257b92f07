"""Ask for the log-probabilities of a text that is given, and read them off every server's reply.

This file decides the body of each :data:`~evoselfcode.wire.dialect.ScoreMode` and what a reply must hold. Where the
text begins among the server's tokens is decided by :mod:`evoselfcode.wire.alignment`, on the text that was sent: a
reply whose tokens are not that text is refused. Whether the numbers mean anything is found out by the preflight.
Sources: section "Scoring a given text" of ``docs/reference/dialects.md``.
"""

from __future__ import annotations

from typing import Any

from evoselfcode.errors import PromptError
from evoselfcode.records import Choice, Completion, Failure, Fim, Given
from evoselfcode.wire import alignment, score_replies, sentinels
from evoselfcode.wire.dialect import Dialect
from evoselfcode.wire.sentinels import Family

TOLERANCE = 0.01
"""Largest number above 0 that still passes for the rounding of a log-probability, in nats."""

NATIVE = ("generate", "prefill", "get_ppl")
"""Ways that live at the server's root, not below ``/v1``."""


def why_not(prompt: Given, dialect: Dialect) -> str:
    """Say why this prompt cannot be scored on this server, or nothing."""
    if dialect.score == "none":
        return "this server gives no log-probabilities of a given text, or was not asked for them"
    if dialect.score == "get_ppl" and (prompt.before or prompt.suffix is not None):
        return "this server tells one mean for a whole text: no part of it can be scored"
    if prompt.suffix is not None and dialect.score_family is None:
        return "the middle of a fill-in-the-middle prompt cannot be scored on this server with this model"
    return ""


def body(prompt: Given, dialect: Dialect) -> tuple[str, dict[str, Any]]:
    """Return the path and the body of one request.

    Raises:
        PromptError: The prompt cannot be scored here, or its text contains one of the family's sentinels.
    """
    if why := why_not(prompt, dialect):
        raise PromptError(why)
    text = sent(prompt, dialect)[0]
    named = {"model": dialect.model} if dialect.model else {}
    openai = named | {"prompt": text, "temperature": 0.0} | ({"suffix": ""} if dialect.blank_suffix else {})
    match dialect.score:
        case "prompt_logprobs":  # a later vLLM than 0.10.1 tells the ids; earlier ones ignore the field
            more = {"max_tokens": 1, "prompt_logprobs": 0, "return_token_ids": True}
            return "/completions", openai | more
        case "generate":
            return "/generate", {
                "text": text,
                "sampling_params": {"max_new_tokens": 0, "temperature": 0.0},
                "return_logprob": True,
                "logprob_start_len": 0,
                "return_text_in_logprobs": True,
            }
        case "prefill":
            parameters = {"max_new_tokens": 1, "details": True, "decoder_input_details": True}
            return "/generate", {"inputs": text, "parameters": parameters}
        case "get_ppl":
            return "/get_ppl", named | {"input": text}
    # 1, not 0: SGLang gives nothing for 0.
    return "/completions", openai | {"max_tokens": 0 if dialect.score == "echo" else 1, "echo": True, "logprobs": 1}


def sent(prompt: Given, dialect: Dialect) -> tuple[str, int]:
    """Return the text that the server is given, and where in it the scored text begins.

    Raises:
        PromptError: The text contains one of the family's sentinels, or the family's prompts are token ids.
    """
    if prompt.suffix is None:
        return prompt.before + prompt.text, len(prompt.before)
    family = _family(dialect)
    if family is None or family.ids is not None:
        raise PromptError("this model's fill-in-the-middle prompts cannot be written as text")
    for token in family.reserved:
        if token in prompt.text:
            raise PromptError(f"the text contains {token!r}, which {family.name} models read as a special token")
    raw = sentinels.render(family, Fim(prompt.before, prompt.suffix))
    return raw + prompt.text, len(raw)


def _family(dialect: Dialect) -> Family | None:
    return sentinels.FAMILIES.get(dialect.score_family or "")


def read(prompt: Given, dialect: Dialect, body: bytes) -> Completion | Failure:
    """Read the body of a 200; never raises.

    A reply that is no reply is ``bad_reply``; one that lacks what was asked for is ``unsupported``; one whose tokens
    cannot be laid on the text is ``unaligned``: asking again would give the same.
    """
    reply = score_replies.read(dialect.score, body)
    if isinstance(reply, Failure):
        return reply
    numbers = [said.logprob for token in reply.tokens for said in token if said.logprob is not None]
    numbers += [] if reply.mean is None else [reply.mean]
    if max(numbers, default=0.0) > TOLERANCE:
        return Failure("unsupported", f"the numbers are no log-probabilities: one is {max(numbers):g}", 200)
    if reply.mean is not None:
        return _completion(Choice(prompt.text, "stop", mean_logprob=min(reply.mean, 0.0)), reply)
    family = _family(dialect) if prompt.suffix is not None else None
    special = (*family.tokens, family.prefix, family.suffix, family.middle) if family else ()
    whole, begin = sent(prompt, dialect)
    laid = alignment.lay(whole, begin, reply.tokens, special=special, spare=1 if dialect.score == "echo_one" else 0)
    if laid is None:
        return Failure("unaligned", f"the reply's {len(reply.tokens)} tokens are not the text that was sent", 200)
    pieces, logprobs = laid
    bounded = tuple(None if value is None else min(value, 0.0) for value in logprobs)
    return _completion(Choice(prompt.text, "stop", pieces, bounded), reply)


def _completion(choice: Choice, reply: score_replies.Scored) -> Completion:
    return Completion((choice,), reply.usage, reply.model)
