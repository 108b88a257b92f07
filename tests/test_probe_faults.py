"""The preflight against servers that are busy, away, or absurd: it ends, within six requests, in words."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest
from fakes import Fake, Reply, client_for, fake, serving
from fakes.script import Answer, run
from fakes.shapes import error
from hypothesis import given, settings
from hypothesis import strategies as st

from evoselfcode.clients import Findings, OpenAICompletionClient
from evoselfcode.clients.findings import MAX_REQUESTS, Ask, Wish
from evoselfcode.clients.looking import PREFLIGHT_PATIENCE
from evoselfcode.clients.looking import look as look_at
from evoselfcode.clients.probe import preflight
from evoselfcode.clients.replica import Replica
from evoselfcode.clients.transport import InjectedClient, Transport
from evoselfcode.errors import EndpointDown, EndpointRefused, EvoselfcodeError
from evoselfcode.records import Choice, Completion, Failure, FailureKind, Usage
from evoselfcode.wire.dialect import Call, FimMode, endpoint
from evoselfcode.wire.servers import Models

LOADING = error("llamacpp", 503, "Loading model")
BUSY = error("nested", 503, "The engine is currently busy, please try again later.")


async def look(server: Fake, naps: list[float]) -> Findings:
    async with client_for(server) as http:
        return await probe(InjectedClient(http, {}), naps, server.row.base_url, server.row.model)


async def probe(transport: Transport, naps: list[float], url: str = "http://fake/v1", model: str = "m") -> Findings:
    """Run a preflight whose waits take no time."""

    async def sleep(seconds: float) -> None:
        naps.append(seconds)

    findings, _ = await look_at(Replica(url, transport, endpoint(url)), Wish(base_url=url, model=model), sleep=sleep)
    return findings


class Away:
    """A transport that reaches nothing."""

    async def send(self, call: Call, timeout: float) -> Failure:
        return Failure("connect", "Connection refused")

    async def aclose(self) -> None:
        pass


@pytest.mark.parametrize("fault", [LOADING, BUSY, error("tgi", 429, "Model is overloaded", type="overloaded")])
@pytest.mark.parametrize("passed", [0, 1, 3])
async def test_a_busy_server_is_asked_again(fault: Reply, passed: int) -> None:
    """Sabotage: in ``probe``, ask once."""
    naps: list[float] = []
    server = fake("vllm-0.12", [*[None] * passed, fault, fault])
    findings = await look(server, naps)
    assert findings.dialect.fim == "sentinel"
    assert findings.requests == 5
    assert len(server.calls) == 7
    assert 1 <= len(naps) <= 2


async def test_a_server_that_stays_busy_ends_the_preflight() -> None:
    """Sabotage: drop ``outage_limit``."""
    naps: list[float] = []
    with pytest.raises(EndpointDown, match="Loading model"):
        await look(fake("vllm-0.12", itertools.repeat(LOADING, 1000)), naps)
    assert sum(naps) <= PREFLIGHT_PATIENCE


@pytest.mark.parametrize(
    "fault", [error("nested", 500, "Internal Server Error"), (200, {}, b"<html>Bad Gateway</html>")]
)
@pytest.mark.parametrize("passed", [1, 2, 3])
async def test_a_passing_fault_does_not_pass_for_the_servers_nature(fault: Reply, passed: int) -> None:
    """Sabotage: set ``PREFLIGHT_ATTEMPTS`` to 1, and a run asks for each choice in a request of its own."""
    naps: list[float] = []
    server = fake("vllm-0.12", [*[None] * passed, fault])
    findings = await look(server, naps)
    assert findings == await look(fake("vllm-0.12"), [])
    assert len(naps) == 1


async def test_a_server_that_always_fails_is_not_said_to_refuse_n() -> None:
    fault = error("nested", 500, "CUDA out of memory")
    with pytest.raises(EndpointDown, match=r"fails at a plain completion .*CUDA out of memory"):
        await look(fake("vllm-0.12", [None, *[fault] * 100]), [])


async def test_a_wait_longer_than_the_patience_is_not_begun() -> None:
    naps: list[float] = []
    status, headers, body = BUSY
    with pytest.raises(EndpointDown):
        await look(fake("vllm-0.12", [(status, {**headers, "retry-after": "120"}, body)]), naps)
    assert naps == []


async def test_an_endpoint_that_is_not_there_is_not_waited_for() -> None:
    """Most often the address is wrong. Sabotage: in ``_patiently``, wait for ``connect`` as for the others."""
    naps: list[float] = []
    with pytest.raises(EndpointDown, match="Connection refused"):
        await probe(Away(), naps)
    assert naps == []


async def test_a_closed_port_is_told_with_what_to_check() -> None:
    with serving(fake("vllm-0.12")) as url:
        pass
    client = OpenAICompletionClient(url, "m")
    with pytest.raises(EndpointDown, match="connect") as raised:
        await client.acomplete("def ")
    assert "api.base_url" in (raised.value.hint or "")


async def test_a_wrong_key_is_told_as_such() -> None:
    with pytest.raises(EndpointRefused, match="refuses the key") as raised:
        await look(fake("vllm-0.12", key="right"), [])
    assert "EVOSELFCODE_API_KEY" in (raised.value.hint or "")


def test_a_reply_that_was_cut_off_has_no_status_to_show() -> None:
    """Sabotage: show the status of every failure, ``HTTP None`` too."""
    steps = preflight(Wish(base_url="http://pod/v1"))
    next(steps)
    steps.send(Models(("m",)))
    with pytest.raises(EndpointDown) as raised:
        steps.send(Failure("too_large", "the reply is larger than 8 bytes"))
    assert (
        raised.value.message == "the endpoint fails at a plain completion (too_large): the reply is larger than 8 bytes"
    )


async def test_a_server_without_completions_is_told_by_its_address() -> None:
    """One question is enough. Sabotage: ask again without n and log-probabilities."""
    server = fake("vllm-0.12", endpoints=("/chat/completions",))
    with pytest.raises(EndpointRefused, match="refuses a plain completion") as raised:
        await look(server, [])
    assert "/v1/completions" in (raised.value.hint or "")
    assert len(server.calls) == 2


@pytest.mark.parametrize("fault", [(404, {}, b"no"), (200, {}, b"{}"), (500, {}, b""), (200, {}, b"\xff<html>")])
async def test_a_server_that_lists_no_models_is_asked_all_the_same(fault: Reply) -> None:
    assert (await look(fake("tgi", [fault]), [])).dialect.fim == "sentinel"


_failures = st.builds(
    Failure,
    st.sampled_from(get_args(FailureKind)),
    st.sampled_from(["", "no", "1 <= value <= 4", "logprobs", "\x00\n" * 200]),
    st.sampled_from([None, 400, 404, 500, 503]),
)
_texts = (
    st.sampled_from(["", "math.sqrt", '"/"', "os.sep", "math.sqrt(16)", "Sure!", "<|endoftext|>", "a\nb"]) | st.text()
)
_choices = st.builds(
    Choice, _texts, st.just("stop"), st.none(), st.none() | st.lists(st.none() | st.floats(), max_size=3).map(tuple)
)
_completions = st.builds(
    Completion,
    st.lists(_choices, min_size=1, max_size=5).map(tuple),
    st.builds(Usage, st.none(), st.none() | st.integers(-1, 99)),
)
_names = st.lists(st.sampled_from(["m", "Qwen2.5-Coder-7B", "m:latest"]), max_size=3).map(tuple)
_servers = st.sampled_from(["unknown", "vllm", "sglang", "llamacpp", "ollama", "mistral", "llama-cpp-python"])


@settings(max_examples=200)
@given(
    answers=st.lists(_failures | _completions | _completions, min_size=1, max_size=6),
    models=_failures | st.builds(Models, _names, _servers, st.none()),
    mode=st.sampled_from(["auto", *get_args(FimMode)]),
    family=st.sampled_from([None, "starcoder", "nonsense"]),
    n=st.integers(1, 9),
    prefer_chat=st.booleans(),
)
def test_whatever_comes_back_it_ends_within_six_requests(
    answers: list[Answer], models: Models | Failure, mode: str, family: str | None, n: int, prefer_chat: bool
) -> None:
    """Sabotage: in ``_fewer``, return the extras unchanged; or in ``fill_in_the_middle``, leave out ``book.left``."""
    sent = itertools.count(2)
    replies = itertools.cycle(answers)

    def reply(step: Ask) -> Answer:
        assert next(sent) <= MAX_REQUESTS
        return next(replies)

    try:
        findings, _ = run(reply, models, model="m", mode=mode, family=family, n=n, prefer_chat=prefer_chat)
    except EvoselfcodeError:
        return
    assert findings.requests <= MAX_REQUESTS
    if findings.dialect.fim == "none":
        with pytest.raises(EvoselfcodeError):
            findings.require_fim()
    if findings.dialect.fim == "sentinel":
        assert findings.dialect.family is not None
    assert all(check.found and "\n" not in check.found for check in findings.checks)


async def test_https_for_http_is_told_as_such() -> None:
    with serving(fake("vllm-0.12")) as url:
        client = OpenAICompletionClient(url.replace("http://", "https://"), "m")
        with pytest.raises(EndpointDown) as raised:
            await client.acomplete("def ")
    assert "try http://" in (raised.value.hint or "")
