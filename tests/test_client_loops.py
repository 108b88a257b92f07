"""One client, many places to call it from: scripts, running loops, loops in turn, threads, tasks side by side."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack

import anyio
import pytest
from fakes import Fake, fake
from scripted_server import Answer, Line, Seen, reply, scripted, scripted_in_thread, silence, speaking

from evoselfcode import OpenAICompletionClient
from evoselfcode.clients.sync import run_sync
from evoselfcode.errors import EndpointRefused

MODEL = "Qwen/Qwen2.5-Coder-32B"


@pytest.fixture
def vllm() -> Fake:
    return fake("vllm-0.33", model=MODEL)


def client_of(url: str) -> OpenAICompletionClient:
    return OpenAICompletionClient(url, MODEL)


def test_a_plain_script(vllm: Fake) -> None:
    program = (
        "import sys, evoselfcode\n"
        "client = evoselfcode.OpenAICompletionClient(sys.argv[1], sys.argv[2])\n"
        "print(len(client.complete_fim('def ', '():\\n', n=3)), len(client.complete('def ')))\n"
    )
    with scripted_in_thread(speaking(vllm)) as server:
        command = [sys.executable, "-W", "error", "-c", program, server.url, MODEL]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "3 1\n", "")


def test_a_running_loop_as_in_a_notebook(vllm: Fake) -> None:
    """Sabotage: ``asyncio.run`` in ``run_sync``."""

    async def cell() -> None:
        assert len(client.complete("def ", n=2)) == 2
        assert len(await client.acomplete("def ", n=2)) == 2
        async with client:
            assert len(client.complete_fim("def ", "():\n", n=2)) == 2

    with scripted_in_thread(speaking(vllm)) as server:
        client = client_of(server.url)
        asyncio.run(cell())


def test_two_loops_in_turn(vllm: Fake) -> None:
    """Connections belong to a loop, findings do not. Sabotage: keep the transport in the client."""

    async def use() -> int:
        async with client:
            return len(await client.acomplete("def ", n=2)) + len(await client.acomplete_fim("def ", "():\n"))

    with scripted_in_thread(speaking(vllm)) as server:
        client = client_of(server.url)
        assert [asyncio.run(use()), anyio.run(use)] == [3, 3]
        assert client.complete("def ")
        assert server.accepted == 3
        assert sum(path.endswith("/models") for _, path, _ in vllm.calls) == 1


def test_eight_threads_at_once(vllm: Fake) -> None:
    with scripted_in_thread(speaking(vllm)) as server, ThreadPoolExecutor(8) as pool:
        client = client_of(server.url)
        counts = list(pool.map(lambda seed: len(client.complete("def ", n=3, seed=seed)), range(40)))
    assert counts == [3] * 40
    assert client._sharing._open == {}


async def test_calls_side_by_side_share_one_preflight(vllm: Fake) -> None:
    """Sabotage: probe without the lock: 20 calls send 20 preflights."""
    async with scripted(speaking(vllm)) as server:
        client = client_of(server.url)
        rows = await asyncio.gather(*(client.acomplete("def ", n=4, seed=4 * seed) for seed in range(20)))
        assert [len(found) for found in rows] == [4] * 20
        assert len(vllm.calls) <= 6 + 20
        await server.until(lambda script: script.closed == script.accepted)


async def test_calls_side_by_side_share_one_refusal() -> None:
    """Twenty calls with a wrong key ask once, not twenty times in turn. Sabotage: forget ``failure``."""
    async with scripted(reply(b'{"error": "no"}', "401 Unauthorized")) as server:
        client = client_of(server.url)
        found = await asyncio.gather(*(client.acomplete("def ") for _ in range(20)), return_exceptions=True)
        assert {type(error) for error in found} == {EndpointRefused}
        assert len(server.seen) == 1
        with pytest.raises(EndpointRefused):  # a later call looks again
            await client.acomplete("def ")
        assert len(server.seen) == 2


async def test_a_cancelled_preflight_is_run_by_the_next_in_the_queue(vllm: Fake) -> None:
    """Sabotage: remember findings before the preflight has ended."""
    async with scripted(silence, speaking(vllm)) as server:
        client = client_of(server.url)
        first = asyncio.create_task(client.acomplete("def "))
        await server.until(lambda script: len(script.seen) == 1)
        second = asyncio.create_task(client.acomplete("def "))
        await asyncio.sleep(0)
        first.cancel()
        assert await second
        with pytest.raises(asyncio.CancelledError):
            await first
        await server.until(lambda script: script.closed == script.accepted)


async def test_entering_twice_in_one_loop_keeps_the_connection_until_the_last_leaves(vllm: Fake) -> None:
    """Sabotage: close on the first leave, whoever else is inside."""
    async with scripted(speaking(vllm)) as server:
        client = client_of(server.url)
        async with client:
            async with client:
                await client.acomplete("def ")
            await client.acomplete("def ")
            assert (server.accepted, server.closed) == (1, 0)
        await server.until(lambda script: script.closed == 1)
    assert client._sharing._open == {}


async def test_two_tasks_may_enter_and_leave_in_any_order(vllm: Fake) -> None:
    async with scripted(speaking(vllm)) as server:
        client = client_of(server.url)
        first, second = AsyncExitStack(), AsyncExitStack()
        await asyncio.gather(first.enter_async_context(client), second.enter_async_context(client))
        await first.aclose()
        assert await client.acomplete("def ")
        assert server.accepted == 1
        await second.aclose()
        await server.until(lambda script: script.closed == 1)


async def test_entering_fails_cleanly_and_can_be_tried_again(vllm: Fake) -> None:
    """Sabotage: do not leave when the preflight fails."""
    locked = reply(b'{"error": "no"}', "401 Unauthorized")
    async with scripted(locked, speaking(vllm)) as server:
        client = client_of(server.url)
        with pytest.raises(EndpointRefused):
            await client.__aenter__()
        assert client._sharing._open == {}
        async with client:
            assert await client.acomplete("def ")


async def test_cancelling_a_call_closes_its_connection(vllm: Fake) -> None:
    async def hang_after_preflight(line: Line, seen: Seen) -> None:
        hangs = seen.method == "POST" and seen.json.get("max_tokens") == 7
        await (silence if hangs else answer)(line, seen)

    answer: Callable[[Line, Seen], Awaitable[None]] = speaking(vllm)  # type: ignore[assignment]
    async with scripted(hang_after_preflight) as server:
        task = asyncio.create_task(client_of(server.url).acomplete("def ", max_new_tokens=7))
        await server.until(lambda script: any(b'"max_tokens":7' in seen.body for seen in script.seen))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.until(lambda script: script.closed == script.accepted)


PROGRAMS = {
    "script": "client.complete('def ')",
    "notebook": (
        "import asyncio\n"
        "async def cell():\n"
        "    client.complete('def ')\n"
        "asyncio.new_event_loop().run_until_complete(cell())"
    ),
}


@pytest.mark.parametrize("place", PROGRAMS)
def test_ctrl_c_in_the_waiting_thread_cancels_the_work(place: str) -> None:
    """The server sees the connection close, the program ends by KeyboardInterrupt, no thread keeps it alive."""
    hang: Answer = silence
    with scripted_in_thread(hang) as server:
        program = (
            "import signal, sys, evoselfcode\n"
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background jobs ignore it
            "client = evoselfcode.OpenAICompletionClient(sys.argv[1], 'm')\n"
            f"{PROGRAMS[place]}\n"
        )
        process = subprocess.Popen([sys.executable, "-c", program, server.url], stderr=subprocess.PIPE, text=True)
        with process:
            server.wait(lambda script: len(script.seen) == 1)
            os.kill(process.pid, signal.SIGINT)
            _, stderr = process.communicate(timeout=10)
        server.wait(lambda script: script.closed == 1)
    assert process.returncode in (-signal.SIGINT, 130)
    assert stderr.rstrip().endswith("KeyboardInterrupt")


def test_run_sync_hands_results_and_exceptions_through() -> None:
    async def seven() -> int:
        await asyncio.sleep(0)
        return 7

    async def fails() -> int:
        raise ZeroDivisionError

    async def inside() -> int:
        with pytest.raises(ZeroDivisionError):
            run_sync(fails)
        return run_sync(seven)

    assert run_sync(seven) == run_sync(inside) == 7
    with pytest.raises(ZeroDivisionError):
        run_sync(fails)


def test_an_exception_of_a_sync_call_is_chained_to_no_other() -> None:
    """Sabotage: in ``run_sync``, call ``anyio.run`` where "no running event loop" is caught."""

    async def fail() -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine") as raised:
        run_sync(fail)
    assert raised.value.__context__ is None
