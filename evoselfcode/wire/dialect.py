"""What one server was found to be: the value that the preflight makes and every request is built with.

A :class:`Dialect` is data. It decides nothing: :mod:`evoselfcode.wire.messages` turns a request and a dialect into
one HTTP message and a reply back into a record; :mod:`evoselfcode.clients.probe` finds the dialect out.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from evoselfcode.records import Order

FimMode = Literal["suffix", "chat", "sentinel", "infill", "vendor", "ollama", "none"]
"""How FIM is asked for.

- ``suffix``: ``/v1/completions`` with ``prompt`` and ``suffix`` (option 1 of the usage guide; DeepSeek's beta URL too)
- ``chat``: ``/v1/chat/completions`` with prefix and suffix as extra body fields (option 2)
- ``sentinel``: ``/v1/completions`` with a raw prompt that carries the model family's sentinels; with the L2R mode
  ``ollama``, ``/api/generate`` with ``raw: true``
- ``infill``: ``/infill`` of the llama.cpp server
- ``vendor``: ``/v1/fim/completions`` (Mistral, Inception)
- ``ollama``: ``/api/generate`` of Ollama, with ``suffix``
- ``none``: this server can do no FIM
"""

L2rMode = Literal["completions", "vendor", "ollama", "chat"]
"""How L2R is asked for: ``/v1/completions``, the vendor's FIM endpoint without suffix, Ollama ``raw: true``; or, where
a chat model is to answer, one message of the user to ``/v1/chat/completions``."""


ScoreMode = Literal["prompt_logprobs", "echo", "echo_one", "generate", "prefill", "together", "get_ppl", "none"]
"""How the log-probabilities of a given text are asked for.

- ``prompt_logprobs``: ``/v1/completions`` of vLLM with ``prompt_logprobs: 0``
- ``echo``: ``/v1/completions`` with ``echo``, ``logprobs`` and ``max_tokens: 0``
- ``echo_one``: the same with ``max_tokens: 1``, where 0 is refused or runs on (SGLang, llama-cpp-python)
- ``generate``: SGLang's ``/generate`` with ``return_logprob``
- ``prefill``: TGI's ``/generate`` with ``decoder_input_details``
- ``together``: ``echo`` whose numbers come in a list ``prompt`` of their own
- ``get_ppl``: LMDeploy's ``/get_ppl``: one mean, no tokens
- ``none``: this server cannot, or it was not asked
"""


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """How to talk to one server.

    Attributes:
        server: ``evoselfcode``, a name of :mod:`evoselfcode.wire.servers`, or ``unknown``.
        model: The model name to send.
        fim: How FIM is asked for.
        l2r: How L2R is asked for.
        family: Sentinel family (a name of :data:`evoselfcode.wire.sentinels.FAMILIES`), for raw prompts.
        orders: Orders of raw sentinel prompts that were tried and work.
        prefix_key: Body field of the prefix in ``chat`` mode.
        suffix_key: Body field of the suffix in ``chat`` mode.
        max_n: Most choices that one HTTP request may ask for; ``None`` if no limit is known.
        logprobs: Whether log-probabilities are asked for where a request wants them.
        blank_suffix: L2R must send ``suffix: ""`` (an SGLang server with a completion template renders the
            word "None" otherwise).
        usage_of_one_choice: ``usage.completion_tokens`` counts one choice only, whatever ``n``.
        context_tokens: Longest prompt plus completion in tokens, where the server says.
        score: How the log-probabilities of a given text are asked for.
        score_family: Sentinel family of the raw prompts whose middles can be scored; ``None`` if none can.
    """

    server: str = "unknown"
    model: str = ""
    fim: FimMode = "suffix"
    l2r: L2rMode = "completions"
    family: str | None = None
    orders: tuple[Order, ...] = ()
    prefix_key: str = "prefix"
    suffix_key: str = "suffix"
    max_n: int | None = None
    logprobs: bool = True
    blank_suffix: bool = False
    usage_of_one_choice: bool = False
    context_tokens: int | None = None
    score: ScoreMode = "none"
    score_family: str | None = None


class Endpoint(msgspec.Struct, frozen=True):
    """Where a server is.

    Attributes:
        api: Base of the OpenAI-compatible paths, without a trailing slash, such as ``http://host/v1``.
        root: Base of the server's native paths (``/infill``, ``/tokenize``, ``/api/generate``, ``/version``).
    """

    api: str
    root: str


class Call(msgspec.Struct, frozen=True):
    """One HTTP message, complete but for the headers that every message carries."""

    method: Literal["GET", "POST"]
    url: str
    body: bytes = b""


def endpoint(base_url: str) -> Endpoint:
    """Read the user's `base_url`.

    Nothing is appended blindly: a URL without a path gets ``/v1``; a URL with any path is used exactly as written
    (``…/v1``, DeepSeek's ``…/beta``, ``…/inference/v1``). The root is the URL without a last ``/v1``.

    Example:
        >>> endpoint("http://pod:8000").api, endpoint("http://pod:8000/v1/").root
        ('http://pod:8000/v1', 'http://pod:8000')
    """
    url = base_url.rstrip("/")
    scheme, separator, rest = url.partition("://")
    if not separator:
        return Endpoint(api=url + "/v1", root=url)
    if "/" not in rest:
        return Endpoint(api=f"{scheme}://{rest}/v1", root=url)
    return Endpoint(api=url, root=url.removesuffix("/v1"))
