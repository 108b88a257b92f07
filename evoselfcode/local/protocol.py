"""Read the bodies of requests: the same fields, limits and refusals as vLLM's OpenAI server.

This file decides what a valid request is. It refuses to know what is answered. Field names, defaults and the error
envelope are those of vLLM 0.12 (``entrypoints/openai/protocol.py``); fields it does not know are ignored, as there.
"""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar

import msgspec

from evoselfcode.local.model import MODEL_ID, EmbeddedModel
from evoselfcode.records import Fim, L2r, Prompt, Sampling

MAX_MODEL_LEN = 8192
"""Longest prompt with its completion, in tokens."""

MAX_BODY = 8 * 1024 * 1024
"""Largest request body, in bytes."""

FIM_PREFIX, FIM_SUFFIX, FIM_MIDDLE = "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"

_MAX_CHARS = 262_144  # longer prompts are refused before they are cut into tokens
_MAX_CHOICES = 1024  # prompts times n
_MAX_LOGPROBS = 20  # vLLM's default

_Body = TypeVar("_Body")


class Refused(Exception):
    """A request that gets an error reply.

    Args:
        message: What is wrong.
        status: HTTP status, repeated in the body.
        type_: vLLM's name for the class of error.
        param: The offending field.
    """

    def __init__(
        self, message: str, *, status: int = 400, type_: str = "BadRequestError", param: str | None = None
    ) -> None:
        super().__init__(message)
        self.message, self.status, self.type, self.param = message, status, type_, param


class _Sampled(msgspec.Struct, kw_only=True):
    """The fields that both endpoints share."""

    model: str | None = None
    max_tokens: int | None = None
    n: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    stream: bool | None = None


class CompletionBody(_Sampled, kw_only=True):
    """The body of ``POST /v1/completions``."""

    prompt: str | list[Any]
    suffix: str | None = None
    logprobs: int | None = None
    prompt_logprobs: int | None = None
    echo: bool | None = None

    def sampling(self) -> Sampling:
        """Check the numbers and return them.

        Raises:
            Refused: One of them is impossible.
        """
        if not 0 <= (self.prompt_logprobs or 0) <= _MAX_LOGPROBS:
            _refuse(f"prompt_logprobs must be in [0, {_MAX_LOGPROBS}].", "prompt_logprobs")
        return _sampling(self, default_tokens=16, logprobs=self.logprobs, may_be_zero=bool(self.echo))

    def prompts(self) -> list[str]:
        """Return the prompts as a list.

        Raises:
            Refused: There is none, one is empty, one is not a text, or there are too many.
        """
        prompts = [self.prompt] if isinstance(self.prompt, str) else self.prompt
        if not all(isinstance(prompt, str) for prompt in prompts):
            # All unknown words of a kind share one id, so ids do not tell what the text was.
            _refuse("prompts must be texts: the embedded model's token ids cannot be turned back into text.", "prompt")
        if not prompts or (not all(prompts) and not self.suffix):
            _refuse("Either prompt or prompt_embeds must be provided and non-empty.", "prompt")
        if len(prompts) * (self.n or 1) > _MAX_CHOICES:
            _refuse(f"at most {_MAX_CHOICES} choices can be asked for at once", "prompt")
        return prompts


class _Part(msgspec.Struct):
    type: str
    text: str = ""


class _Message(msgspec.Struct):
    role: str
    content: str | list[_Part] | None = None

    def text(self) -> str:
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content)
        return self.content or ""


class ChatBody(_Sampled, kw_only=True):
    """The body of ``POST /v1/chat/completions``; there is no FIM in it, whatever fields are added."""

    messages: list[_Message]
    max_completion_tokens: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None

    def sampling(self) -> Sampling:
        """Check the numbers and return them.

        Raises:
            Refused: One of them is impossible.
        """
        if self.max_completion_tokens is not None:
            self.max_tokens = self.max_completion_tokens
        return _sampling(self, default_tokens=64, logprobs=(self.top_logprobs or 0) if self.logprobs else None)

    def prompt(self) -> L2r:
        """Return the last user message (or the last message) as a prompt.

        Raises:
            Refused: There is no message.
        """
        if not self.messages:
            _refuse("messages must not be empty", "messages")
        asked = [message for message in self.messages if message.role == "user"] or self.messages
        return L2r(asked[-1].text())


class TokenizeBody(msgspec.Struct):
    """The body of ``POST /tokenize``."""

    prompt: str
    model: str | None = None


def parse(body: bytes, type_: type[_Body]) -> _Body:
    """Decode a body.

    Raises:
        Refused: It is not JSON, not of this shape, too large or too deep, or it names another model.
    """
    if len(body) > MAX_BODY:
        raise Refused(f"the body is larger than {MAX_BODY} bytes", status=413, type_="PayloadTooLargeError")
    try:
        parsed = msgspec.json.decode(body, type=type_)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Refused(str(error) or "the body is nested too deeply", type_="Bad Request") from None
    model = getattr(parsed, "model", None)
    if model and model != MODEL_ID:
        raise Refused(f"The model `{model}` does not exist.", status=404, type_="NotFoundError", param="model")
    return parsed


def as_prompt(text: str, suffix: str | None) -> Prompt:
    """Read a prompt as a FIM model does: from `suffix`, or from raw sentinels in either order."""
    if suffix:
        return Fim(text, suffix)
    if text.startswith(FIM_PREFIX):
        prefix, has_suffix, rest = text.removeprefix(FIM_PREFIX).partition(FIM_SUFFIX)
        after, has_middle, begun = rest.partition(FIM_MIDDLE)
        if has_suffix and has_middle:
            return Fim(prefix + begun, after)
    if text.startswith(FIM_SUFFIX):
        after, has_prefix, rest = text.removeprefix(FIM_SUFFIX).partition(FIM_PREFIX)
        prefix, has_middle, begun = rest.partition(FIM_MIDDLE)
        if has_prefix and has_middle:
            return Fim(prefix + begun, after)
    return L2r(text)


def check_length(model: EmbeddedModel, prompt: Prompt, max_tokens: int) -> None:
    """Refuse what does not fit the context.

    Raises:
        Refused: Prompt and completion together are longer than :data:`MAX_MODEL_LEN`.
    """
    texts = (prompt.prefix, prompt.suffix) if isinstance(prompt, Fim) else (prompt.prompt,)
    chars = sum(map(len, texts))
    used = model.count_prompt(prompt) if chars <= _MAX_CHARS else chars
    if used + max_tokens > MAX_MODEL_LEN or chars > _MAX_CHARS:
        _refuse(
            f"This model's maximum context length is {MAX_MODEL_LEN} tokens. However, you requested "
            f"{used + max_tokens} tokens ({used} in the prompt, {max_tokens} in the completion). "
            "Please reduce the length of the prompt or the completion.",
            "prompt",
        )


def _sampling(body: _Sampled, *, default_tokens: int, logprobs: int | None, may_be_zero: bool = False) -> Sampling:
    """Fill in the defaults and refuse impossible numbers, in vLLM's words."""
    fewest = 0 if may_be_zero else 1
    tokens = default_tokens if body.max_tokens is None else body.max_tokens
    n = 1 if body.n is None else body.n
    temperature = 1.0 if body.temperature is None else body.temperature
    top_p = 1.0 if body.top_p is None else body.top_p
    stop = (body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ())
    for wrong, message, param in (
        (tokens < fewest, f"max_tokens must be at least {fewest}, got {tokens}.", "max_tokens"),
        (n < 1, f"n must be at least 1, got {n}.", "n"),
        (n > _MAX_CHOICES, f"n must be at most {_MAX_CHOICES}, got {n}.", "n"),
        (not 0 <= temperature <= 2, f"temperature must be in [0, 2], got {temperature}.", "temperature"),
        (not 0 < top_p <= 1, f"top_p must be in (0, 1], got {top_p}.", "top_p"),
        (not all(stop), "stop cannot contain an empty string.", "stop"),
        (len(stop) > 64, "stop cannot contain more than 64 strings.", "stop"),
        (abs(body.seed or 0) >= 2**63, "seed must be a 64-bit integer.", "seed"),
        (not 0 <= (logprobs or 0) <= _MAX_LOGPROBS, f"logprobs must be in [0, {_MAX_LOGPROBS}].", "logprobs"),
        (body.stream, "streaming is not supported by the embedded model", "stream"),
    ):
        if wrong:
            _refuse(message, param)
    return Sampling(
        max_new_tokens=tokens,
        n=n,
        temperature=temperature,
        top_p=top_p,
        stop=stop,
        seed=body.seed,
        logprobs=logprobs,
    )


def _refuse(message: str, param: str) -> NoReturn:
    raise Refused(message, param=param)
