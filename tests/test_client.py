"""The client: a recipe that opens nothing, library calls that return plain rows, and connections that end."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import httpx
import pytest
from fakes import Fake, fake
from scripted_server import reply, scripted, scripted_in_thread, speaking

from evoselfcode import OpenAICompletionClient
from evoselfcode.errors import CompletionFailed, EndpointRefused, EvoselfcodeError, FimUnavailable, UsageError

MODEL = "Qwen/Qwen2.5-Coder-32B"
KEY = "sk-never-to-be-shown"


def vllm(**changes: Any) -> Fake:
    return fake("vllm-0.33", model=MODEL, **changes)


def test_building_one_opens_nothing_and_imports_no_http_library() -> None:
    """Sabotage: import the transport at the top of ``clients/openai.py``."""
    program = (
        "import sys\n"
        "from evoselfcode.clients import OpenAICompletionClient\n"
        "client = OpenAICompletionClient('http://127.0.0.1:1/v1', 'm', 'key', use_chat_for_fim=True)\n"
        "repr(client)\n"
        "found = {'httpx', 'httpcore', 'h11', 'yaml', 'rich'} & set(sys.modules)\n"
        "sys.exit(f'imported {found}' if found else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_it_can_be_printed_and_the_key_cannot() -> None:
    """Sabotage: put the key into ``__repr__``."""
    client = OpenAICompletionClient("http://pod:8000/v1", "m", KEY)
    shown = repr(client)
    assert "http://pod:8000/v1" in shown
    assert "'m'" in shown
    assert "***" in shown
    assert KEY not in shown
    assert "***" not in repr(OpenAICompletionClient("http://pod:8000/v1", "m"))


@pytest.mark.parametrize(
    "url",
    ["", "pod:8000/v1", "ftp://pod/v1", "http://", "http://pod:99999/v1", "http://[::1/v1", "http://pod/v 1", "local"],
)
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    """Sabotage: take ``checked_url`` out: a port of 99999 is an ``ExceptionGroup`` in the middle of a call."""
    with pytest.raises(UsageError) as raised:
        OpenAICompletionClient(url, "m")
    assert raised.value.exit_code == 2
    assert "local:" in (raised.value.hint or "")


@pytest.mark.parametrize("url", [f"http://user:{KEY}@pod/v1", f"http://pod/v1?key={KEY}", f"http://pod/v1#{KEY}"])
def test_a_secret_in_the_address_is_refused_and_not_shown(url: str) -> None:
    """Sabotage: let a query pass: the path would be a part of it."""
    with pytest.raises(UsageError) as raised:
        OpenAICompletionClient(url, "m")
    assert KEY not in str(raised.value)


def test_a_key_that_no_header_can_carry_is_refused_and_not_shown() -> None:
    """The HTTP library would show it: "Illegal header value b'Bearer sk-…'". Sabotage: take ``checked_key`` out."""
    with pytest.raises(UsageError) as raised:
        OpenAICompletionClient("http://pod/v1", "m", f"{KEY}\nX-Evil: 1")
    assert KEY not in str(raised.value)


async def test_the_key_is_sent_with_every_request_without_the_line_end_of_its_file() -> None:
    server_model = vllm(key=KEY)
    async with scripted(speaking(server_model)) as server:
        await OpenAICompletionClient(server.url, MODEL, KEY + "\n").acomplete("def ")
        assert {seen.headers["authorization"] for seen in server.seen} == {f"Bearer {KEY}"}
        assert {seen.headers["user-agent"] for seen in server.seen} == {"evoselfcode"}


async def test_the_key_is_in_no_error_and_no_message() -> None:
    async with scripted(speaking(vllm(key="another"))) as server:
        with pytest.raises(EndpointRefused) as refused:
            await OpenAICompletionClient(server.url, MODEL, KEY).acomplete("def ")
        assert KEY not in f"{refused.value!r} {refused.value} {refused.value.hint}"


def test_sync_calls_return_plain_rows() -> None:
    with scripted_in_thread(speaking(vllm())) as server:
        client = OpenAICompletionClient(server.url + "/v1", MODEL)
        rows = client.complete("This is an algorithm function.\n\ndef ", n=3, seed=1, stop="(", logprobs=True)
        middles = client.complete_fim("def ", "():\n", n=2, seed=5)
    assert [set(row) for row in rows] == [{"text", "finish_reason", "logprob"}] * 3
    assert all(row["text"].isidentifier() for row in rows)
    assert all(row["logprob"] < 0 for row in rows)
    assert [set(row) for row in middles] == [{"text", "finish_reason"}] * 2
    assert all(row["text"].isidentifier() for row in middles)


async def test_async_calls_return_the_same() -> None:
    async with scripted(speaking(vllm())) as server:
        client = OpenAICompletionClient(server.url, MODEL)
        assert len(await client.acomplete("def ", n=2, seed=1)) == 2
        first = await client.acomplete_fim("def ", "():\n", n=2, seed=5)
        again = await client.acomplete_fim("def ", "():\n", n=2, seed=5)
    assert first == again
    assert first[0]["text"] != first[1]["text"]


async def test_the_preflight_is_run_once() -> None:
    """Sabotage: do not remember the findings."""
    model = vllm()
    async with scripted(speaking(model)) as server:
        client = OpenAICompletionClient(server.url, MODEL)
        await client.acomplete("def ", n=4)
        preflight = len(model.calls) - 1
        await client.acomplete("def ", n=4)
        await client.acomplete("def ")
    assert preflight <= 6
    assert len(model.calls) == preflight + 3


async def test_entered_it_keeps_one_connection_and_else_closes_it() -> None:
    """Sabotage: open a transport per call."""
    async with scripted(speaking(vllm())) as server:
        async with OpenAICompletionClient(server.url, MODEL) as client:
            for _ in range(5):
                await client.acomplete("def ")
            assert server.accepted == 1
        await server.until(lambda script: script.closed == 1)
        for _ in range(2):
            await client.acomplete("def ")
        await server.until(lambda script: script.closed == script.accepted == 3)


async def test_a_client_of_yours_is_used_and_left_open() -> None:
    """Sabotage: close it in ``InjectedClient.aclose``."""
    seen: list[httpx.Request] = []
    model = vllm(key=KEY)

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        headers = {name.lower(): value for name, value in request.headers.items()}
        status, more, body = model.answer(request.method, request.url.path, headers, request.content)
        return httpx.Response(status, headers=more, content=body)

    async with httpx.AsyncClient(transport=httpx.MockTransport(handle), headers={"x-mine": "1"}) as mine:
        client = OpenAICompletionClient("http://nowhere.invalid/v1", MODEL, KEY, http_client=mine)
        assert await client.acomplete_fim("def ", "():\n")
        async with client:
            assert await client.acomplete("def ")
        assert not mine.is_closed
    assert {request.headers["x-mine"] for request in seen} == {"1"}


@pytest.mark.parametrize("first", [1, 4])
async def test_more_choices_than_the_server_gives_are_asked_for_in_parts(first: int) -> None:
    """Choice i has seed + i throughout. Sabotage: trust a preflight that asked for one choice alone."""
    model = fake("llamacpp", n=2)
    async with scripted(speaking(model)) as server:
        client = OpenAICompletionClient(server.url, model.row.model)
        await client.acomplete("def ", n=first)
        rows = await client.acomplete("def ", n=5, seed=100)
    assert len(rows) == 5
    assert len({row["text"] for row in rows}) == 5
    seeds = [body["seed"] for _, _, body in model.calls[-5:]]
    assert seeds == [100, 101, 102, 103, 104]


async def test_no_way_of_fim_is_said_with_what_was_tried_and_l2r_still_works() -> None:
    model = fake("openai")
    async with scripted(speaking(model)) as server:
        client = OpenAICompletionClient(server.url, model.row.model, fim_mode="none")
        with pytest.raises(FimUnavailable) as raised:
            await client.acomplete_fim("def ", "():\n")
        assert raised.value.exit_code == 2
        assert await client.acomplete("def ")


@pytest.mark.parametrize(
    ("options", "error"),
    [({"max_tokens": 5}, TypeError), ({"n": 0}, UsageError), ({"max_new_tokens": 0}, UsageError)],
)
def test_options_that_do_not_exist_or_cannot_be_are_refused(options: dict[str, int], error: type[Exception]) -> None:
    """A typed dictionary checks nothing at run time. Sabotage: read the options with ``get`` alone."""
    with pytest.raises(error, match=next(iter(options))):
        OpenAICompletionClient("http://127.0.0.1:1", "m").complete("def ", **options)  # type: ignore[arg-type]


async def test_every_error_is_the_packages_own() -> None:
    async with scripted(reply(b"<html>", "418 Teapot")) as server:
        with pytest.raises(EvoselfcodeError):
            await OpenAICompletionClient(server.url, "m").acomplete("def ")
    assert issubclass(CompletionFailed, EvoselfcodeError)


def test_the_embedded_model_needs_no_address() -> None:
    rows = OpenAICompletionClient().complete_fim("def ", "():\n", n=3, seed=1, max_new_tokens=8, stop=["("])
    assert len(rows) == 3
    assert rows == OpenAICompletionClient().complete_fim("def ", "():\n", n=3, seed=1, max_new_tokens=8, stop=["("])
