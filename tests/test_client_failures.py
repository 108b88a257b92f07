"""What a library call does when things go wrong: try again, or say in one exception what happened and what to do."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from fakes import Fake, fake
from llama_server import free_port
from scripted_server import Answer, Line, Seen, reply, scripted, speaking, then_close

from evoselfcode import OpenAICompletionClient
from evoselfcode.errors import CompletionFailed, EndpointDown, EndpointRefused
from evoselfcode.records import Failure

MODEL = "Qwen/Qwen2.5-Coder-32B"
SOON = "retry-after-ms: 100"


def error(status: str, message: str = "boom") -> bytes:
    return reply(b'{"error": {"message": "%s"}}' % message.encode(), status, SOON)


class After:
    """Answers as a fake does until the preflight is over, then by its script; the last step is the fake again."""

    def __init__(self, *script: Answer) -> None:
        self.fake: Fake = fake("vllm-0.33", model=MODEL)
        self.script = list(script)
        self.asked = 0

    async def __call__(self, line: Line, seen: Seen) -> None:
        step: Answer = speaking(self.fake)
        if seen.method == "POST" and seen.json["max_tokens"] == 7:
            self.asked += 1
            step = self.script.pop(0) if self.script else step
        await (line.send(step) if isinstance(step, bytes) else step(line, seen))


async def ask(after: After, **options: Any) -> list[Any]:
    async with scripted(after) as server, OpenAICompletionClient(server.url, MODEL, **options) as client:
        return list(await client.acomplete("def ", max_new_tokens=7))


@pytest.mark.parametrize(
    "answer",
    [error("500 Internal Server Error"), error("429 Too Many Requests"), then_close(b"HTTP/1.1 200 OK\r\nconte")],
    ids=["server_error", "rate_limited", "disconnect"],
)
async def test_a_passing_failure_is_tried_again(answer: Answer) -> None:
    after = After(answer)
    assert len(await ask(after)) == 1
    assert after.asked == 2


async def test_a_connection_closed_under_the_request_is_sent_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The keep-alive race costs no wait. Sabotage: wait before each retry, also after a first ``disconnect``."""

    async def refuse(seconds: float) -> None:
        raise AssertionError(f"waits {seconds} s")

    monkeypatch.setattr(anyio, "sleep", refuse)
    after = After(then_close(b""))
    assert len(await ask(after, max_attempts=2)) == 1
    assert after.asked == 2


async def test_all_attempts_used_up_carries_the_last_failure() -> None:
    """Sabotage: count one attempt too many."""
    after = After(*[error("500 Internal Server Error")] * 9)
    with pytest.raises(CompletionFailed) as raised:
        await ask(after, max_attempts=2)
    assert raised.value.exit_code == 6
    assert isinstance(raised.value.failure, Failure)
    assert (raised.value.failure.kind, raised.value.failure.status) == ("server_error", 500)
    assert "server_error (HTTP 500): boom" in raised.value.message
    assert after.asked == 2


async def test_a_refusal_of_this_request_is_not_repeated() -> None:
    after = After(error("400 Bad Request", "This model's maximum context length is 8 tokens"))
    with pytest.raises(CompletionFailed) as raised:
        await ask(after)
    assert isinstance(raised.value.failure, Failure)
    assert raised.value.failure.kind == "too_long"
    assert after.asked == 1


@pytest.mark.parametrize(
    ("status", "hint"),
    [("401 Unauthorized", "api.api_key"), ("402 Payment Required", "credit"), ("404 Not Found", "api.base_url")],
)
async def test_a_key_or_an_address_that_fails_in_the_middle_of_use_is_named_as_such(status: str, hint: str) -> None:
    """Sabotage: raise ``CompletionFailed`` for what every request would meet; give the key's hint for a 402 too."""
    after = After(error(status))
    with pytest.raises(EndpointRefused) as raised:
        await ask(after)
    assert hint in (raised.value.hint or "")
    assert raised.value.exit_code == 2
    assert after.asked == 1


async def test_a_dead_port_is_reported_with_a_hint() -> None:
    """At once, which is the preflight's part: test_probe_faults.py. Sabotage: give ``EndpointDown`` no hint."""
    with pytest.raises(EndpointDown) as raised:
        await OpenAICompletionClient(f"http://127.0.0.1:{free_port()}", MODEL).acomplete("def ")
    assert raised.value.exit_code == 6
    assert "api.base_url" in (raised.value.hint or "")


async def test_a_name_that_does_not_resolve_is_reported() -> None:
    with pytest.raises(EndpointDown, match="connect"):
        await OpenAICompletionClient("http://no-such-host.invalid/v1", MODEL).acomplete("def ")


async def test_a_server_that_never_answers_is_given_the_configured_time() -> None:
    async def silent(line: Line, seen: Seen) -> None:
        await (line.eof() if seen.method == "POST" else speaking(fake("vllm-0.33", model=MODEL))(line, seen))  # type: ignore[operator]

    async with scripted(silent) as server:
        with pytest.raises(EndpointDown, match="timeout"):
            await OpenAICompletionClient(server.url, MODEL, timeout=0.05).acomplete("def ")


async def test_a_wrong_model_is_refused_with_a_suggestion() -> None:
    async with scripted(speaking(fake("vllm-0.33", model=MODEL))) as server:
        with pytest.raises(EndpointRefused) as raised:
            await OpenAICompletionClient(server.url, "Qwen2.5-Coder-32B").acomplete("def ")
    assert MODEL in (raised.value.hint or "")


@pytest.mark.parametrize("status", ["503 Service Unavailable", "429 Too Many Requests", "500 Internal Server Error"])
async def test_a_tokenizer_that_is_busy_is_asked_again(status: str) -> None:
    """Codestral on vLLM is asked by token ids. Sabotage: call a tokenizer that does not answer unsupported."""
    model, script = fake("vllm-codestral"), [error(status)]

    async def answer(line: Line, seen: Seen) -> None:
        asks = seen.path == "/tokenize" and seen.json["prompt"] == "def "  # not the preflight
        step: Answer = script.pop() if asks and script else speaking(model)
        await (line.send(step) if isinstance(step, bytes) else step(line, seen))

    async with scripted(answer) as server, OpenAICompletionClient(server.url, model.row.model) as client:
        assert len(await client.acomplete_fim("def ", "():\n")) == 1
    assert not script
