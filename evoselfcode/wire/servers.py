"""Which server is it: read off its list of models and its address.

This file decides how a server is named. It refuses to conclude anything from the name; what a server can do is
found out by asking (:mod:`evoselfcode.clients.probe`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from evoselfcode.records import Failure
from evoselfcode.wire.failures import UNREADABLE, classify, shorten

_OWNERS = {
    "vllm": "vllm",
    "sglang": "sglang",
    "llamacpp": "llamacpp",
    "library": "ollama",
    "lmdeploy": "lmdeploy",
    "tensorrt_llm": "trtllm",
    "triton inference server": "triton",
    "tabbyapi": "tabby",
    "me": "llama-cpp-python",
    "evoselfcode": "evoselfcode",
}
"""``owned_by`` of a model → server."""

_HOSTS = {
    "mistral.ai": "mistral",
    "inceptionlabs.ai": "mistral",  # the same /v1/fim/completions
    "deepseek.com": "deepseek",
    "openai.com": "openai",
    "fireworks.ai": "fireworks",
    "together.xyz": "together",
    "together.ai": "together",
    "openrouter.ai": "openrouter",
    "siliconflow.cn": "siliconflow",
    "siliconflow.com": "siliconflow",
}
"""Host, or its parent domain → hosted service."""


class Models(msgspec.Struct, frozen=True):
    """What a server says of its models.

    Attributes:
        names: Their names, in the server's order.
        server: The server as read off the reply, or ``unknown``.
        context_tokens: Longest prompt plus completion of the first model, or ``None``.
        roots: What each name stands for, in the order of `names`: the folder or repository of the weights, as vLLM and
            SGLang tell it; ``""`` where the server does not say, or says the name again; empty where none is said.
    """

    names: tuple[str, ...]
    server: str = "unknown"
    context_tokens: int | None = None
    roots: tuple[str, ...] = ()

    def root(self, name: str) -> str:
        """Return what `name` stands for, or ``""``."""
        return dict(zip(self.names, self.roots, strict=False)).get(name, "")


def server_of_url(base_url: str) -> str | None:
    """Name the hosted service behind an address, or ``None``."""
    host = (urlsplit(base_url).hostname or "").lower()
    return next((name for end, name in _HOSTS.items() if host == end or host.endswith("." + end)), None)


def read_models(status: int, headers: Mapping[str, str], body: bytes) -> Models | Failure:
    """Read the reply to ``GET /v1/models``; never raises."""
    if status != 200:
        return classify(status, headers, body)
    try:
        document = msgspec.json.decode(body)
    except UNREADABLE:
        return Failure("bad_reply", "the list of models is not JSON", status)
    listed = document.get("data") if isinstance(document, dict) else document
    if not isinstance(listed, list):
        return Failure("bad_reply", "the list of models has no data", status)
    cards = [card for card in listed if isinstance(card, dict) and isinstance(card.get("id"), str)]
    names = tuple(card["id"] for card in cards)
    if not cards:
        return Models(names, _server_of_header(headers))
    server = _server_of_owner(cards) or _server_of_header(headers)
    roots = tuple(_root(card) for card in cards)
    return Models(names, server, _context(cards[0]), roots if any(roots) else ())


def _server_of_owner(cards: list[dict[str, Any]]) -> str | None:
    """Read the first owner that is known; TGI lists one model, made at the epoch and owned by itself."""
    owners = [str(card.get("owned_by", "")).lower() for card in cards]
    known = next((_OWNERS[owner] for owner in owners if owner in _OWNERS), None)
    if known is None and cards[0].get("created") == 0 and cards[0].get("owned_by") == cards[0]["id"]:
        return "tgi"
    return known


def _server_of_header(headers: Mapping[str, str]) -> str:
    return "llamacpp" if headers.get("server", "").lower().startswith("llama.cpp") else "unknown"


def _root(card: dict[str, Any]) -> str:
    root = card.get("root")
    return shorten(root) if isinstance(root, str) and root != card["id"] else ""


def _context(card: dict[str, Any]) -> int | None:
    meta = card.get("meta")
    n_ctx = meta.get("n_ctx") if isinstance(meta, dict) else None
    for value in (card.get("max_model_len"), n_ctx, card.get("context_length")):
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None
