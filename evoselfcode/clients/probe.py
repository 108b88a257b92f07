"""The preflight: find out, in at most six requests, how this server wants to be asked, and say why.

This file decides what is asked, in which order, and what follows from the replies. It is a generator that yields
questions and is sent answers: it opens nothing, waits for nothing, and is tested without a server.
"""

from __future__ import annotations

import difflib
import re

import msgspec

from evoselfcode.clients.findings import (
    PREFIX,
    AskModels,
    Book,
    Findings,
    Steps,
    Wish,
    ask,
    canary_sampling,
    end_if_hopeless,
    reads_like_chat,
)
from evoselfcode.clients.probe_fim import fill_in_the_middle
from evoselfcode.clients.probe_orders import raw_orders
from evoselfcode.clients.probe_scores import given_texts
from evoselfcode.errors import EndpointDown, EndpointRefused, UsageError
from evoselfcode.records import Completion, Failure, L2r
from evoselfcode.wire import sentinels, servers
from evoselfcode.wire.dialect import Dialect, L2rMode


def preflight(wish: Wish) -> Steps[Findings]:
    """Find out how to talk to the server that `wish` names.

    Raises (into the caller that drives it):
        EndpointDown: Nothing answers at the address.
        EndpointRefused: It answers and will refuse every request: key, model or URL.
        UsageError: No sentinel family is called what `wish` says.
    """
    if wish.family is not None and wish.family not in sentinels.FAMILIES:
        close = difflib.get_close_matches(wish.family, sentinels.FAMILIES, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(sentinels.FAMILIES)}"
        raise UsageError(f"no sentinel family is called {wish.family!r}", hint=hint)
    book = Book()
    listed = yield AskModels()
    book.requests += 1
    dialect = _first_guess(wish, listed, book)
    baseline, dialect = yield from _left_to_right(wish, dialect, book)
    named = dialect.family  # a way without sentinels forgets it
    dialect = yield from fill_in_the_middle(wish, dialect, baseline, book)
    dialect = yield from raw_orders(wish, dialect, named, book)
    if wish.scores:
        dialect = yield from given_texts(dialect, named, book)
    return Findings(dialect, tuple(book.checks), book.requests)


_PLAIN: dict[str, L2rMode] = {"ollama": "ollama", "mistral": "vendor"}
"""How servers without ``/v1/completions``, or whose puts prompts into a chat template, are asked left-to-right."""


def _first_guess(wish: Wish, listed: servers.Models | Completion | Failure, book: Book) -> Dialect:
    """Name the server and the model from the model list and the URL."""
    hosted = servers.server_of_url(wish.base_url)
    family = wish.family
    if isinstance(listed, servers.Models):
        server = hosted or listed.server
        book.add("server", "ok", f"{server}: it lists {len(listed.names)} model(s)")
        model = _choose_model(wish, server, listed, book)
        context = listed.context_tokens
        family = family or _family_of_root(model, listed.root(model))
    else:
        if isinstance(listed, Failure):
            end_if_hopeless(listed)
            book.add("server", "info", f"{hosted or 'unknown'}: it does not list its models{listed.http}")
        server, model, context = hosted or "unknown", wish.model, None
    return Dialect(
        server=server,
        model=model,
        context_tokens=context,
        prefix_key=wish.prefix_key,
        suffix_key=wish.suffix_key,
        l2r="chat" if wish.chat else _PLAIN.get(server, "completions"),
        blank_suffix=server == "sglang",
        fim="none",
        family=family,
    )


def _family_of_root(model: str, root: str) -> str | None:
    """Tell the sentinel family from the weights where the served name does not tell it."""
    family = None if sentinels.family_of(model) else sentinels.family_of(root)
    return family.name if family else None


ANY_NAME = ("llamacpp", "sglang", "tgi", "llama-cpp-python", "tabby")
"""Servers that answer to any name, or load what it names; a name they do not list is a remark, not an end."""

_PARTIAL_LIST = ("fireworks", "together", "openrouter", "siliconflow", "openai", "mistral", "deepseek")
"""Hosted services: they may serve more than they list, and refuse an unknown name with the first completion."""


def _choose_model(wish: Wish, server: str, listed: servers.Models, book: Book) -> str:
    names = listed.names
    if not wish.model:
        if len(names) != 1:
            raise EndpointRefused(
                f"model is not set and the server lists {len(names)}: {', '.join(names[:8]) or 'none'}",
                hint="set model to one of them",
            )
        book.add("model", "info", f"model is not set; the server's only one is used: {_named(names[0], listed)}")
        return names[0]
    if not {wish.model, f"{wish.model}:latest"}.isdisjoint(names) or not names:
        shown = _named(wish.model, listed) if names else f"{wish.model} (the server lists no names to compare with)"
        book.add("model", "ok", shown)
        return wish.model
    close = difflib.get_close_matches(wish.model, names, n=1, cutoff=0.3)
    hint = f"did you mean {close[0]}?" if close else f"it lists: {', '.join(names[:8])}"
    if server in ANY_NAME:
        book.add("model", "warning", f"the server does not list {wish.model!r} but answers to any name", hint)
        return wish.model
    if server in _PARTIAL_LIST:
        book.add("model", "warning", f"the service does not list {wish.model!r}", hint)
        book.model_hint = hint
        return wish.model
    raise EndpointRefused(f"the server does not list the model {wish.model!r}", hint=hint)


def _named(model: str, listed: servers.Models) -> str:
    """Show a name with what it stands for: a served name can hide that the weights are an instruct model's."""
    root = listed.root(model)
    return f"{model} (serves {root})" if root else model


_NO_API = "check api.base_url: what answers there is no completions API (a web page, a proxy?); nothing was written"


_COMPLETIONS_API = "check api.base_url; it should usually end in /v1, and the server must offer /v1/completions"
_CHAT_API = "check the address; it should usually end in /v1, and the server must offer /v1/chat/completions"


class _Extras(msgspec.Struct, frozen=True):
    """What the left-to-right canary asks for besides a text.

    Attributes:
        n: Choices.
        logprobs: Whether log-probabilities are asked for.
        refused: What the server said of what was left out since: ``n``, ``log-probabilities``.
    """

    n: int
    logprobs: bool
    refused: dict[str, str] = {}


def _left_to_right(wish: Wish, dialect: Dialect, book: Book) -> Steps[tuple[str, Dialect]]:
    """Complete the prefix left-to-right; learn n, log-probabilities, stops, usage and chat templating from it."""
    # At least two choices: what is found may be used for other requests than the ones wished for now.
    extras = _Extras(max(wish.n, 2) if dialect.l2r == "completions" else 1, logprobs=True)
    while True:
        sampling = canary_sampling(extras.n, logprobs=extras.logprobs)
        reply = yield from ask(book, dialect, L2r(PREFIX), sampling)
        if not isinstance(reply, Failure):
            break
        if reply.kind in ("server_error", "bad_reply", "too_large"):
            raise EndpointDown(
                f"the endpoint fails at a plain completion ({reply.kind}){reply.http}: {reply.message}",
                hint=_NO_API if reply.kind == "bad_reply" else "look at the server's log; nothing was written",
            )
        fewer = None if reply.kind == "no_route" else _fewer(extras, reply.message)
        if fewer is None:
            raise EndpointRefused(
                f"the server refuses a plain completion{reply.http}: {reply.message}",
                hint=_CHAT_API if wish.chat else _COMPLETIONS_API,
            )
        extras = fewer
    first = reply.choices[0]
    book.add("left-to-right", "ok", f"{dialect.l2r} endpoint answers")
    dialect = _learn_n(wish, extras, reply, dialect, book)
    dialect = _learn_logprobs(extras, reply, dialect, book)
    if any("\n" in choice.text for choice in reply.choices):
        book.add("stop", "warning", "stop strings are not honoured; texts are cut by the parser")
    if reads_like_chat(first.text) and not wish.chat:
        book.add(
            "raw prompt",
            "warning",
            "the completion reads like a chat answer: the server may put prompts into a chat template",
            "use a base model, or serve it without a completion template",
        )
    return first.text, dialect


def _fewer(extras: _Extras, message: str) -> _Extras | None:
    """Leave out what a refusal is about: n first, unless it names log-probabilities; ``None`` if nothing is left."""
    if extras.logprobs and (extras.n == 1 or "logprob" in message.lower()):
        return _Extras(extras.n, logprobs=False, refused=extras.refused | {"log-probabilities": message})
    if extras.n > 1:
        return _Extras(_most_n(message, extras.n), extras.logprobs, extras.refused | {"n": message})
    return None


_LIMIT = re.compile(r"<= *value *<= *([0-9]{1,4})")
"""llama.cpp: ``Field 'n': Value must be between 1 <= value <= 4, but got 5``: its slots."""


def _most_n(message: str, asked: int) -> int:
    found = _LIMIT.search(message)
    most = int(found[1]) if found else 1
    return most if 1 <= most < asked else 1


def _learn_n(wish: Wish, extras: _Extras, reply: Completion, dialect: Dialect, book: Book) -> Dialect:
    got = len(reply.choices)
    if got >= extras.n and got >= wish.n and "n" not in extras.refused:
        if wish.n > 1:
            book.add("n", "ok", f"n = {wish.n} gives {got} choices in one request")
        return dialect if got > 1 else msgspec.structs.replace(dialect, max_n=1)
    if "n" in extras.refused:
        why = f"is refused ({extras.refused['n']})"
    else:
        why = "is ignored" if extras.n > 1 else "is not offered by this endpoint"
    each = "each choice is asked for in a request of its own" if got == 1 else f"a request asks for {got} at most"
    if wish.n > 1:
        book.add("n", "info", f"n = {wish.n} {why}: {each}")
    return msgspec.structs.replace(dialect, max_n=got)


def _learn_logprobs(extras: _Extras, reply: Completion, dialect: Dialect, book: Book) -> Dialect:
    name, given = "log-probabilities", [choice for choice in reply.choices if choice.logprobs]
    if name in extras.refused:
        book.add(name, "info", f"refused ({extras.refused[name]}); rows carry no log-probability")
        return msgspec.structs.replace(dialect, logprobs=False)
    if not given and any(choice.text for choice in reply.choices):
        book.add(name, "info", "not given; rows carry no log-probability")
        return msgspec.structs.replace(dialect, logprobs=False)
    if not given:
        book.add(name, "info", "not seen: the text was empty; they are asked for all the same")
        return dialect
    book.add(name, "ok", "given with each token")
    one, all_ = len(given[0].logprobs or ()), sum(len(choice.logprobs or ()) for choice in given)
    counted = reply.usage.completion_tokens
    # The token that completed a stop string is counted by some servers and not shown: which count is nearer?
    single = len(given) > 1 and bool(counted) and abs((counted or 0) - one) < abs((counted or 0) - all_)
    if single:
        book.add("usage", "info", "usage counts the tokens of one choice only; it is taken for all of them")
    return msgspec.structs.replace(dialect, usage_of_one_choice=single)
