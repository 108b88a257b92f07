"""A preflight driven by a function instead of a server: for what no server is known to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from evoselfcode.clients.findings import Ask, AskModels, Findings, Wish
from evoselfcode.clients.probe import preflight
from evoselfcode.clients.probe_fim import SUFFIXES
from evoselfcode.records import Choice, Completion, Failure, Fim, Usage
from evoselfcode.wire.servers import Models

Answer = Completion | Failure
REFUSED = Failure("bad_request", "no", 400)


def text(*texts: str) -> Completion:
    """Make a completion of these texts."""
    return Completion(tuple(Choice(one, "stop") for one in texts), Usage())


def by_way(middles: Mapping[str, tuple[str, str]], onwards: str = "None") -> Callable[[Ask], Answer]:
    """Answer left-to-right requests with `onwards`, FIM with the two middles of its way; refuse other ways.

    Args:
        middles: Mode, or sentinel family, to the middles for the preflight's two suffixes.
        onwards: The left-to-right text.
    """

    def reply(asked: Ask) -> Answer:
        prompt, dialect = asked.request.prompt, asked.dialect
        if not isinstance(prompt, Fim):
            return text(*[onwards] * asked.request.sampling.n)
        way = dialect.family if dialect.fim == "sentinel" else dialect.fim
        return text(middles[way][SUFFIXES.index(prompt.suffix)]) if way in middles else REFUSED

    return reply


def run(
    reply: Callable[[Ask], Answer], models: Models | Failure | None = None, **wish: Any
) -> tuple[Findings, list[Ask]]:
    """Run a preflight; return what it found and what it asked, the list of models left out."""
    asked: list[Ask] = []
    wished = Wish(**{"base_url": "http://fake/v1", "model": "m"} | wish)
    steps = preflight(wished)
    try:
        step = next(steps)
        while True:
            if isinstance(step, AskModels):
                step = steps.send(models or Models((wished.model,)))
            else:
                asked.append(step)
                assert len(asked) < 20, "the preflight does not end"
                step = steps.send(reply(step))
    except StopIteration as ended:
        return ended.value, asked
