"""The preflight: find out, in at most six requests, how this server wants to be asked, and say why.

This file decides what is asked, in which order, and what follows from the replies. It is a generator that yields
questions and is sent answers: it opens nothing, waits for nothing, and is tested without a server.
"""

from __future__ import annotations

import difflib

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
)
from evoselfcode.clients.probe_fim import fill_in_the_middle
from evoselfcode.errors import EndpointRefused
from evoselfcode.records import Choice, Completion, Failure, L2r
from evoselfcode.wire import servers
from evoselfcode.wire.dialect import Dialect

CHATTY = ("```", "Sure", "Here", "I ", "The ", "It ", "To ", "This ")
"""How a chat model begins when a completion was asked for and the server put the prompt into a chat template."""


def preflight(wish: Wish) -> Steps[Findings]:
    """Find out how to talk to the server that `wish` names.

    Raises (into the caller that drives it):
        EndpointDown: Nothing answers at the address.
        EndpointRefused: It answers and will refuse every request: key, model or URL.
    """
    book = Book()
    listed = yield AskModels()
    book.requests += 1
    dialect = _first_guess(wish, listed, book)
    baseline, dialect = yield from _left_to_right(wish, dialect, book)
    dialect = yield from fill_in_the_middle(wish, dialect, baseline, book)
    return Findings(dialect, tuple(book.checks), book.requests)


def _first_guess(wish: Wish, listed: servers.Models | Completion | Failure, book: Book) -> Dialect:
    """Name the server and the model from the model list and the URL."""
    hosted = servers.server_of_url(wish.base_url)
    if isinstance(listed, servers.Models):
        server = hosted or listed.server
        book.add("server", "ok", f"{server}: it lists {len(listed.names)} model(s)")
        model = _choose_model(wish, server, listed, book)
        context = listed.context_tokens
    else:
        if isinstance(listed, Failure):
            end_if_hopeless(listed)
            status = f" (HTTP {listed.status})" if listed.status else ""
            book.add("server", "info", f"{hosted or 'unknown'}: it does not list its models{status}")
        server, model, context = hosted or "unknown", wish.model, None
    return Dialect(
        server=server,
        model=model,
        context_tokens=context,
        prefix_key=wish.prefix_key,
        suffix_key=wish.suffix_key,
        l2r="ollama" if server == "ollama" else "vendor" if server == "mistral" else "completions",
        blank_suffix=server == "sglang",
        fim="none",
        family=wish.family,
    )


_UNCHECKED_MODEL = ("llamacpp", "sglang", "tgi", "llama-cpp-python")
"""Servers that answer whatever model name is sent; a wrong name there is a remark, not an end."""


def _choose_model(wish: Wish, server: str, listed: servers.Models, book: Book) -> str:
    names = listed.names
    if not wish.model:
        if len(names) != 1:
            raise EndpointRefused(
                f"model is not set and the server lists {len(names)}: {', '.join(names[:8]) or 'none'}",
                hint="set model to one of them",
            )
        book.add("model", "info", f"model is not set; the server's only one is used: {names[0]}")
        return names[0]
    if wish.model in names or not names:
        book.add("model", "ok", f"{wish.model}" + ("" if names else " (the server lists no names to compare with)"))
        return wish.model
    close = difflib.get_close_matches(wish.model, names, n=1, cutoff=0.3)
    hint = f"did you mean {close[0]}?" if close else f"it lists: {', '.join(names[:8])}"
    if server in _UNCHECKED_MODEL:
        book.add("model", "warning", f"the server does not list {wish.model!r} but answers to any name", hint)
        return wish.model
    if f"{wish.model}:latest" in names:
        return wish.model
    raise EndpointRefused(f"the server does not list the model {wish.model!r}", hint=hint)


def _left_to_right(wish: Wish, dialect: Dialect, book: Book) -> Steps[tuple[str, Dialect]]:
    """Complete the prefix left-to-right; learn n, log-probabilities, stops, usage and chat templating from it."""
    several = wish.n if dialect.l2r == "completions" else 1
    reply = yield from ask(book, dialect, L2r(PREFIX), canary_sampling(several, logprobs=True))
    refused = ""
    if isinstance(reply, Failure) and several > 1:
        refused = reply.message
        several = 1
        reply = yield from ask(book, dialect, L2r(PREFIX), canary_sampling(1, logprobs=False))
    if isinstance(reply, Failure):
        raise EndpointRefused(
            f"the server refuses a plain completion (HTTP {reply.status}): {reply.message}",
            hint="check api.base_url; it should usually end in /v1, and the server must offer /v1/completions",
        )
    first = reply.choices[0]
    book.add("left-to-right", "ok", f"{dialect.l2r} endpoint answers")
    dialect = _learn_n(wish, several, refused, reply, dialect, book)
    dialect = _learn_logprobs(first, reply, dialect, book)
    if "\n" in first.text:
        book.add("stop", "warning", "stop strings are not honoured; texts are cut by the parser")
    if first.text.lstrip().startswith(CHATTY):
        book.add(
            "raw prompt",
            "warning",
            "the completion reads like a chat answer: the server may put prompts into a chat template",
            "use a base model, or serve it without a completion template",
        )
    return first.text, dialect


def _learn_n(wish: Wish, asked: int, refused: str, reply: Completion, dialect: Dialect, book: Book) -> Dialect:
    got = len(reply.choices)
    if wish.n == 1:
        return dialect
    if asked > 1 and got >= asked:
        book.add("n", "ok", f"n = {asked} gives {got} choices in one request")
        return dialect
    why = f"refused ({refused})" if refused else "ignored" if asked > 1 else "not offered by this endpoint"
    book.add("n", "info", f"n = {wish.n} is {why}: each choice is asked for in a request of its own")
    return msgspec.structs.replace(dialect, max_n=1)


def _learn_logprobs(first: Choice, reply: Completion, dialect: Dialect, book: Book) -> Dialect:
    if first.logprobs is None:
        book.add("log-probabilities", "info", "not given; rows carry no log-probability")
        return msgspec.structs.replace(dialect, logprobs=False)
    book.add("log-probabilities", "ok", "given with each token")
    tokens = sum(len(choice.logprobs or ()) for choice in reply.choices)
    counted = reply.usage.completion_tokens
    one = counted is not None and len(reply.choices) > 1 and counted <= tokens // 2
    if one:
        book.add("usage", "info", "usage counts the tokens of one choice only; totals are multiplied by n")
    return msgspec.structs.replace(dialect, usage_of_one_choice=one)
