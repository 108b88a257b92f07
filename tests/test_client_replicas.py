"""A client over several servers: its preflight, its calls, and what becomes of those that cannot be used."""

from __future__ import annotations

from contextlib import AsyncExitStack

import anyio
import httpx
import pytest
from fakes import Fake, fake
from scripted_server import Line, Script, Seen, scripted, silence, speaking
from test_transport_tls import CERTIFICATES, Identity

from evoselfcode import OpenAICompletionClient
from evoselfcode.errors import EndpointDown, EndpointRefused, UsageError

MODEL = "Qwen/Qwen2.5-Coder-32B"
AWAY = "http://127.0.0.1:9"
"""Where nothing listens."""


def vllm(model: str = MODEL) -> Fake:
    return fake("vllm-0.33", model=model)


def completions(server: Fake) -> int:
    return sum(path.endswith("/completions") for _, path, _ in server.calls)


async def test_calls_take_turns_among_the_replicas() -> None:
    """Sabotages: ask the first always; run the preflight on each."""
    fakes = [vllm(), vllm()]
    async with scripted(speaking(fakes[0])) as first, scripted(speaking(fakes[1])) as second:
        async with OpenAICompletionClient([first.url, second.url], MODEL) as client:
            before = [completions(server) for server in fakes]
            assert before[1] == 0
            for _ in range(10):
                assert await client.acomplete("def ", n=2)
        assert [completions(server) - many for server, many in zip(fakes, before, strict=True)] == [5, 5]
        assert [path for _, path, _ in fakes[1].calls].count("/v1/models") == 1
        for server in (first, second):
            await server.until(lambda script: script.closed == script.accepted)


async def test_the_less_busy_replica_is_asked() -> None:
    """Sabotage: leave ``in_flight`` out of the key."""
    release = anyio.Event()

    async def held(line: Line, seen: Seen) -> None:
        if seen.path.endswith("/completions") and busy:
            await release.wait()
        await speaking(slow)(line, seen)  # type: ignore[operator]

    slow, quick, busy = vllm(), vllm(), False
    async with (
        scripted(held) as first,
        scripted(speaking(quick)) as second,
        OpenAICompletionClient([first.url, second.url], MODEL) as client,
        anyio.create_task_group() as group,
    ):
        busy, before, seen = True, completions(quick), len(first.seen)
        for _ in range(2):
            group.start_soon(client.acomplete, "def ")
        await first.until(lambda script: len(script.seen) == seen + 1)
        for _ in range(6):
            await client.acomplete("def ")
        assert completions(quick) - before >= 6
        assert len(first.seen) == seen + 1
        release.set()


async def test_a_call_goes_to_another_replica_when_one_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, without a wait and without a failure. Sabotage: return the first ``connect``."""
    monkeypatch.setattr("evoselfcode.clients.openai.CALL_OUTAGE_SECONDS", 0.0)
    fakes = [vllm(), vllm()]
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(scripted(speaking(fakes[0])))
        async with scripted(speaking(fakes[1])) as second:
            client = await stack.enter_async_context(OpenAICompletionClient([first.url, second.url], MODEL))
            await client.acomplete("def ")
            await client.acomplete("def ")
        for number in range(8):
            assert await client.acomplete("def ", seed=number)


async def test_the_preflight_runs_on_the_first_that_answers(caplog: pytest.LogCaptureFixture) -> None:
    """Sabotage: run it on the first of the list alone."""
    server = vllm()
    async with scripted(speaking(server)) as there:
        client = OpenAICompletionClient([AWAY, there.url], MODEL)
        async with client.connect() as connection:
            findings = connection.findings
            assert [one.name for one in await connection.members()] == [there.url]
    assert findings.dialect.server == "vllm"
    told = {check.name: check for check in findings.checks}
    assert (told["replicas"].level, told["replicas"].found) == ("warning", f"1 of 2 serve it: {there.url}")
    assert told["replica"].found.startswith(f"{AWAY} does not serve requests now (connect: ")
    assert findings.requests <= 7
    assert len(caplog.records) == 1


async def test_a_replica_that_refuses_the_preflight_does_not_end_it() -> None:
    """Another key, another model: left out, with both names. Sabotage: raise the first refusal."""
    keyed, other, right = fake("vllm-0.33", model=MODEL, key="secret"), vllm("bigcode/starcoder2-7b"), vllm()
    async with AsyncExitStack() as stack:
        urls = [(await stack.enter_async_context(scripted(speaking(it)))).url for it in (keyed, other, right)]
        async with OpenAICompletionClient(urls, MODEL).connect() as connection:
            assert [one.name for one in await connection.members()] == urls[2:]
            said = [check.found for check in connection.findings.checks if check.name == "replica"]
    assert len(said) == 2
    assert urls[0] in said[0]
    assert "refuses the key" in said[0]
    assert urls[1] in said[1]
    assert "starcoder2" in said[1]
    assert MODEL in said[1]


async def test_one_that_hangs_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It accepts and never answers. Sabotage: wait for it as long as for a generation."""
    monkeypatch.setattr("evoselfcode.clients.connection.CHECK_SECONDS", 0.05)
    async with scripted(silence) as hangs, scripted(speaking(vllm())) as there:
        client = OpenAICompletionClient([hangs.url, there.url], MODEL)
        with anyio.fail_after(5):
            assert await client.acomplete("def ")


async def test_if_nobody_answers_the_first_is_named() -> None:
    with pytest.raises(EndpointDown, match=r"none of 2 replicas can be used; http://127.0.0.1:9: .*connect"):
        await OpenAICompletionClient([AWAY, "http://127.0.0.1:11"], MODEL).acomplete("def ")


async def test_a_refusal_tells_more_than_a_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the user looks at a network that is not to blame. Sabotage: run the preflight on who is silent, too."""
    monkeypatch.setattr("evoselfcode.clients.connection.CHECK_SECONDS", 0.2)
    keyed = fake("vllm-0.33", model=MODEL, key="secret")
    async with scripted(silence) as hangs, scripted(speaking(keyed)) as refuses:
        with anyio.fail_after(10), pytest.raises(EndpointRefused, match=r"none of 3 .*refuses the key"):
            await OpenAICompletionClient([AWAY, hangs.url, refuses.url], MODEL).acomplete("def ")


@pytest.mark.parametrize(
    ("urls", "why"),
    [
        ([], "empty list"),
        (["http://a", "local:"], "lists local: beside others"),
        (["http://a", "https://b"], r"mixes http:// and https://"),
        (["http://a:8000", "http://A:8000/v1/"], "lists 'http://A:8000/v1/' twice"),
        (["http://a", "b"], "is 'b', which is no http address"),
    ],
)
def test_what_cannot_be_replicas_is_refused_at_once(urls: list[str], why: str) -> None:
    """Sabotage: take a check out of ``checked_urls``."""
    with pytest.raises(UsageError, match=why) as raised:
        OpenAICompletionClient(urls, "m")
    assert raised.value.hint


def test_the_address_is_shown_as_a_configuration_takes_it() -> None:
    client = OpenAICompletionClient(["http://a:8000", "http://b:8000"], "m")
    assert client.base_url == "http://a:8000,http://b:8000"
    assert client.base_url in repr(client)
    assert OpenAICompletionClient(("http://a:8000",), "m").base_url == "http://a:8000"


async def headless(stack: AsyncExitStack, identity: Identity | None, *fakes: Fake) -> tuple[str, list[Script]]:
    """Serve each fake at an IP address of its own, all at one port; return their common URL and the servers."""
    tls = identity and identity.context
    servers = [await stack.enter_async_context(scripted(speaking(fakes[0]), host="127.0.0.1", tls=tls))]
    port = int(servers[0].url.rpartition(":")[2])
    for number, server in enumerate(fakes[1:], 2):
        host = f"127.0.0.{number}"
        servers.append(await stack.enter_async_context(scripted(speaking(server), host=host, port=port, tls=tls)))
    return f"{'https' if tls else 'http'}://localhost:{port}/v1", servers


async def two(host: str, port: int) -> list[str]:
    return ["127.0.0.1", "127.0.0.2"]


@pytest.mark.parametrize("tls", [False, True])
async def test_each_address_of_a_name_is_asked_by_its_own_connections_and_told_the_name(
    tls: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sabotages: dial the name; put the address into ``Host``, or check the certificate against it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATES / "authority.pem"))
    identity = Identity() if tls else None
    async with AsyncExitStack() as stack:
        url, servers = await headless(stack, identity, vllm(), vllm())
        client = OpenAICompletionClient(url, MODEL, headless=True)
        client._resolve = two
        async with client:
            for _ in range(4):
                await client.acomplete("def ")
        host = url.removesuffix("/v1").partition("//")[2]
        for server in servers:
            assert {seen.headers["host"] for seen in server.seen} == {host}
            assert sum(b'"max_tokens":16' in seen.body for seen in server.seen) >= 2
        if identity is not None:
            assert set(identity.asked) == {"localhost"}


async def test_a_client_of_the_users_own_carries_a_list() -> None:
    """Sabotage: carry all calls to the first address."""
    fakes = [vllm(), vllm()]
    async with (
        scripted(speaking(fakes[0])) as first,
        scripted(speaking(fakes[1])) as second,
        httpx.AsyncClient() as own,
        OpenAICompletionClient([first.url, second.url], MODEL, http_client=own) as client,
    ):
        for _ in range(4):
            await client.acomplete("def ")
    assert min(map(completions, fakes)) >= 2


async def test_a_name_with_one_address_may_not_be_headless() -> None:
    """Sabotage: say nothing: all goes to whichever pod the Service picks."""

    async def one(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async with scripted(speaking(vllm())) as server:
        client = OpenAICompletionClient(server.url.replace("127.0.0.1", "localhost"), MODEL, headless=True)
        client._resolve = one
        async with client.connect() as connection:
            (told,) = [check for check in connection.findings.checks if check.name == "replicas"]
    assert (told.level, told.found) == ("ok", f"1 of 1 serve it: {server.url}")
    assert "clusterIP: None" in told.hint


async def test_a_name_without_addresses_is_an_endpoint_that_is_down() -> None:
    """Sabotage: let ``getaddrinfo``'s error out of ``Places.now``."""

    async def nobody(host: str, port: int) -> list[str]:
        raise OSError(-2, "Name or service not known")

    client = OpenAICompletionClient("http://no-such-name.invalid:8000", "m", headless=True)
    client._resolve = nobody
    with pytest.raises(EndpointDown, match="connect"):
        await client.acomplete("def ")
