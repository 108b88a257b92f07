"""Which of several servers a preflight runs on, what becomes of the others, and who rests after a failure."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fakes import fake

from evoselfcode.clients.connection import Connection
from evoselfcode.clients.findings import Wish
from evoselfcode.clients.replica import Replica, Watch
from evoselfcode.clients.replicas import Place, Places
from evoselfcode.clients.replies import Reply
from evoselfcode.records import Completion, Failure, L2r, Request, Sampling
from evoselfcode.wire.dialect import Call, endpoint

MODEL = "Qwen/Qwen2.5-Coder-32B"
LOADING = Failure("loading", "Loading model", 503)
WISH = Wish(base_url="http://first:8000", model=MODEL)
ASKED = Request(key="k", prompt=L2r("def "), sampling=Sampling(max_new_tokens=4))

Trouble = Callable[[str], Failure | None]
"""Says what a path gives instead of an answer."""


class Wire:
    """A transport to a fake server in trouble."""

    def __init__(self, trouble: Trouble) -> None:
        self.trouble = trouble
        self.server = fake("vllm-0.33", model=MODEL)
        self.asked: list[str] = []

    async def send(self, call: Call, timeout: float) -> Reply | Failure:
        path = call.url.partition(":8000")[2]
        self.asked.append(path)
        return self.trouble(path) or self.server.answer(call.method, path, {}, call.body)

    async def aclose(self) -> None:
        """Nothing is open."""


class Opened:
    """A connection over some wires, whose waits are noted and take no time."""

    def __init__(self, **troubles: Trouble) -> None:
        self.wires = {name: Wire(trouble) for name, trouble in troubles.items()}
        self.waits: list[float] = []
        places = Places([f"http://{name}:8000" for name in self.wires])
        self.connection = Connection(places, self._dial, sleep=self._sleep)

    def _dial(self, place: Place, watch: Watch) -> Replica:
        name = place.url.removeprefix("http://").removesuffix(":8000")
        return Replica(name, self.wires[name], endpoint(place.url), watch=watch)

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    async def members(self) -> list[str]:
        return [replica.name for replica in await self.connection.members()]


@asynccontextmanager
async def opened(**troubles: Trouble) -> AsyncIterator[Opened]:
    made = Opened(**troubles)
    try:
        yield made
    finally:
        await made.connection.aclose()


def well(path: str) -> None:
    """Be in no trouble."""


def loads_for(requests: int) -> Trouble:
    """Load the model until so many requests have come."""
    left = [LOADING] * requests
    return lambda path: left.pop() if left else None


async def test_one_that_loads_its_model_is_passed_over_while_another_is_ready() -> None:
    """Sabotage: take them in the order of the list: the preflight waits."""
    async with opened(first=loads_for(2), second=well) as there:
        findings = await there.connection.preflight(WISH)
        assert findings.dialect.server == "vllm"
        assert there.wires["first"].asked == ["/v1/models"]
        assert there.waits == []
        assert await there.members() == ["second"]


async def test_if_all_load_the_first_is_waited_for() -> None:
    """Sabotage: take what it said before for its answer: the run would end at once."""
    async with opened(first=loads_for(2), second=loads_for(2)) as there:
        await there.connection.preflight(WISH)
        assert len(there.waits) == 1
        assert await there.members() == ["first"]


async def test_one_that_lists_the_model_and_refused_the_preflight_stays_out() -> None:
    """Sabotage: judge it by its list once more."""

    def refuses(path: str) -> Failure | None:
        return Failure("auth", "Unauthorized", 401) if path.endswith("/completions") else None

    async with opened(first=refuses, second=well) as there:
        findings = await there.connection.preflight(WISH)
        assert await there.members() == ["second"]
        said = [check.found for check in findings.checks if check.name == "replica"]
        assert len(said) == 1
        assert said[0].startswith("first is left out: ")


async def test_one_that_did_not_answer_is_asked_last_for_a_while() -> None:
    """Sabotage: in ``_least_busy``, leave ``_rests`` out: every second call would meet it."""
    broken: list[Failure] = []
    async with opened(first=lambda path: broken[0] if broken else None, second=well) as there:
        await there.connection.preflight(WISH)
        broken.append(Failure("disconnect", "Server disconnected"))
        there.wires["first"].asked.clear()
        answers = [await there.connection.send(ASKED) for _ in range(10)]
        assert sum(isinstance(answer, Completion) for answer in answers) == 9
        assert len(there.wires["first"].asked) == 1
