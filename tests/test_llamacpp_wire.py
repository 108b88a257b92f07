"""A real llama.cpp server: what it is asked, what it answers, what it refuses.

The model is tiny and writes nonsense; nothing here depends on what the names are.
"""

from __future__ import annotations

from typing import Any

import httpx
import msgspec
import pytest
from llama_server import LlamaServer

from evoselfcode.clients import Findings, OpenAICompletionClient
from evoselfcode.errors import EndpointRefused, ScoresUnavailable
from evoselfcode.records import Completion, Failure, Fim, Given, L2r, Prompt, Request, Sampling
from evoselfcode.wire.dialect import Dialect

BEFORE = "This is an algorithm function.\n\ndef "
FIM = Fim(BEFORE, "():\n")
L2R = L2r(BEFORE.rstrip())
DIALECT = Dialect(server="llamacpp", model="evo-tiny", fim="infill")


async def send(
    llama: LlamaServer, prompt: Prompt | Given, dialect: Dialect = DIALECT, **how: Any
) -> Completion | Failure:
    client = OpenAICompletionClient(llama.url, "evo-tiny")
    client.use(Findings(dialect, (), 1))
    sampling = Sampling(**{"max_new_tokens": 8, "temperature": 0.0, **how})
    async with client.connect() as connection:
        return await connection.send(Request(key="k", prompt=prompt, sampling=sampling))


async def ask(llama: LlamaServer, prompt: Prompt, dialect: Dialect = DIALECT, **how: Any) -> list[str]:
    reply = await send(llama, prompt, dialect, **how)
    assert isinstance(reply, Completion), reply
    return [choice.text for choice in reply.choices]


def by(mode: Any) -> Dialect:
    return msgspec.structs.replace(DIALECT, fim=mode, family="evoselfcode")


async def test_infill_reads_the_suffix(llama: LlamaServer) -> None:
    """Sabotage: leave ``input_suffix`` out of the body."""
    suffixes = ["():\n", "(self, path):\n", " = os.path.join(", "]\n"]
    middles = [await ask(llama, Fim(BEFORE, suffix)) for suffix in suffixes]
    assert len({text for (text,) in middles}) > 1


async def test_raw_sentinels_are_the_same_prompt_as_infill(llama: LlamaServer) -> None:
    """The server assembles what the table of families says. Sabotage: any white space in ``render``."""
    for prompt in (FIM, Fim("import os\n\ndef read(path):\n    return ", "\n\ndef main():\n")):
        assert await ask(llama, prompt, by("sentinel")) == await ask(llama, prompt, by("infill"))


async def test_suffix_is_silently_ignored(llama: LlamaServer) -> None:
    """The reason for the preflight: no error, and the text is left-to-right."""
    assert await ask(llama, FIM, by("suffix")) == await ask(llama, L2r(BEFORE))


@pytest.mark.parametrize("prompt", [FIM, L2R], ids=["FIM", "L2R"])
async def test_n_choices_are_drawn_with_consecutive_seeds(llama: LlamaServer, prompt: Prompt) -> None:
    """Which is why the plan spaces seeds by n. Sabotage: send no seed."""
    how = {"temperature": 1.0, "max_new_tokens": 4}
    together = await ask(llama, prompt, n=3, seed=7, **how)
    one_by_one = [(await ask(llama, prompt, seed=seed, **how))[0] for seed in (7, 8, 9)]
    assert together == one_by_one
    assert len(set(together)) > 1


async def test_more_choices_than_slots_are_refused_as_unsupported(llama: LlamaServer) -> None:
    reply = await send(llama, L2R, n=5)
    assert isinstance(reply, Failure)
    assert (reply.kind, reply.status) == ("unsupported", 400)


async def test_a_stop_string_ends_a_choice_and_is_not_part_of_it(llama: LlamaServer) -> None:
    for prompt in (FIM, L2R):
        reply = await send(llama, prompt, stop=("(", " ", "\n"), max_new_tokens=32, n=4, temperature=1.0, seed=1)
        assert isinstance(reply, Completion)
        for choice in reply.choices:
            if choice.finish_reason == "stop":
                assert not set(choice.text) & set("(\n")
        assert "stop" in {choice.finish_reason for choice in reply.choices}


async def test_length_is_reported(llama: LlamaServer) -> None:
    reply = await send(llama, L2R, max_new_tokens=1)
    assert isinstance(reply, Completion)
    assert reply.choices[0].finish_reason == "length"


@pytest.mark.parametrize("prompt", [FIM, L2R], ids=["FIM", "L2R"])
async def test_every_token_comes_with_its_log_probability(llama: LlamaServer, prompt: Prompt) -> None:
    """Both arms: ``logprobs.content[]`` and ``completion_probabilities[]``. Sabotage: read the legacy shape alone."""
    reply = await send(llama, prompt, logprobs=0, n=2, temperature=1.0, seed=3, max_new_tokens=6)
    assert isinstance(reply, Completion)
    for choice in reply.choices:
        assert choice.tokens is not None
        assert "".join(choice.tokens).startswith(choice.text)
        assert choice.logprob is not None
        assert choice.logprob < 0


async def test_a_prompt_that_is_too_long_is_the_rows_failure(llama: LlamaServer) -> None:
    reply = await send(llama, L2r("word " * 2000))
    assert isinstance(reply, Failure)
    assert (reply.kind, reply.status) == ("too_long", 400)


async def test_a_completion_that_does_not_fit_is_cut_and_says_so(llama: LlamaServer) -> None:
    """vLLM refuses here; llama.cpp fills the context and reports ``length``."""
    reply = await send(llama, L2r("x = [1, 2, 3]\n" * 50 + "x = ["), max_new_tokens=4000)
    assert isinstance(reply, Completion)
    assert reply.choices[0].finish_reason == "length"
    assert (reply.usage.prompt_tokens or 0) + (reply.usage.completion_tokens or 0) == 512


async def test_usage_counts_one_choice_on_completions_and_all_on_infill(llama: LlamaServer) -> None:
    """Sabotage: multiply both alike."""
    how = {"n": 4, "max_new_tokens": 8, "temperature": 1.0, "seed": 5, "logprobs": 0}
    for prompt, one in ((L2R, True), (FIM, False)):
        reply = await send(llama, prompt, **how)
        assert isinstance(reply, Completion)
        counted = reply.usage.completion_tokens
        assert counted is not None
        written = [len(choice.tokens or ()) for choice in reply.choices]
        assert counted <= max(written) + 1 if one else counted >= sum(written)


async def test_auto_lands_on_infill_and_says_that_suffix_is_ignored(llama: LlamaServer) -> None:
    async with OpenAICompletionClient(llama.url, "evo-tiny").connect(n=4) as connection:
        findings = connection.findings
    assert findings.requests <= 6
    dialect = findings.dialect
    assert (dialect.server, dialect.model, dialect.fim, dialect.l2r) == (
        "llamacpp", "evo-tiny", "infill", "completions"
    )  # fmt: skip
    assert dialect.usage_of_one_choice
    assert dialect.context_tokens == 512
    said = {check.name: check for check in findings.checks}
    assert "silently ignored" in said["FIM by suffix"].found
    assert said["n"].level == "ok"


async def test_scores_are_refused_in_words(llama: LlamaServer) -> None:
    """Sabotage: take llama.cpp out of ``_CANNOT``: it is then asked, and found out."""
    async with OpenAICompletionClient(llama.url, "evo-tiny").connect(scores=True) as connection:
        assert connection.findings.requests <= 6
        with pytest.raises(ScoresUnavailable, match="ignores echo and gives the numbers"):
            connection.findings.require_scores()


@pytest.mark.parametrize("mode", ["prompt_logprobs", "echo", "echo_one"])
async def test_what_it_says_of_a_given_text_is_not_believed(llama: LlamaServer, mode: Any) -> None:
    """Nothing is refused: it answers 200 with the numbers of what it generates (llama.cpp#27174).

    Sabotage: in ``scoring.read``, do not lay the tokens on the text.
    """
    reply = await send(llama, Given("x = 1\n", BEFORE), Dialect(server="unknown", model="evo-tiny", score=mode))
    assert isinstance(reply, Failure)
    assert (reply.kind, reply.status) == (("unsupported" if mode == "prompt_logprobs" else "unaligned"), 200)


async def test_behind_another_name_it_is_found_out(llama: LlamaServer) -> None:
    """A proxy hides who it is. Sabotage: in ``_numbers``, believe every number."""
    asked = 0

    async def hidden(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        if request.url.path == "/v1/models":
            return httpx.Response(200, json={"data": [{"id": "evo-tiny", "owned_by": "proxy"}]})
        async with httpx.AsyncClient(trust_env=False) as forward:
            reply = await forward.post(str(request.url), content=request.content, timeout=60)
        return httpx.Response(reply.status_code, content=reply.content)

    async with httpx.AsyncClient(transport=httpx.MockTransport(hidden)) as http:
        client = OpenAICompletionClient(llama.url, "evo-tiny", http_client=http)
        async with client.connect(n=1, scores=True) as connection:
            findings = connection.findings
    assert findings.dialect.server == "unknown"
    assert findings.requests == asked
    with pytest.raises(ScoresUnavailable, match="are not the text that was sent"):
        findings.require_scores()


async def test_more_choices_than_slots_are_asked_for_one_by_one(llama: LlamaServer) -> None:
    """Also by a client whose first preflight asked for fewer. Sabotage: never look again in ``Sharing``."""
    client = OpenAICompletionClient(llama.url, "evo-tiny")
    async with client:
        few = await client.acomplete_fim(FIM.prefix, FIM.suffix, n=2, seed=1)
        many = await client.acomplete_fim(FIM.prefix, FIM.suffix, n=6, seed=1)
    assert len(few) == 2
    assert len(many) == 6


async def test_any_model_name_is_answered_and_a_wrong_one_is_remarked_on(llama: LlamaServer) -> None:
    async with OpenAICompletionClient(llama.url, "evo-tinny").connect() as connection:
        said = {check.name: check for check in connection.findings.checks}
    assert said["model"].level == "warning"
    assert "evo-tiny" in said["model"].hint


async def test_a_wrong_path_is_refused_with_a_hint(llama: LlamaServer) -> None:
    with pytest.raises(EndpointRefused) as raised:
        await OpenAICompletionClient(llama.url + "/api/v3", "evo-tiny").acomplete("def")
    assert raised.value.exit_code == 2
    assert "/v1" in (raised.value.hint or "")


@pytest.mark.parametrize("key", ["", "wrong-key-1234"])
async def test_a_wrong_key_is_refused_and_never_shown(key: str) -> None:
    with LlamaServer(key="right-key") as server:
        with pytest.raises(EndpointRefused) as raised:
            await OpenAICompletionClient(server.url, "evo-tiny", key).acomplete("def")
        assert raised.value.exit_code == 2
        assert "wrong-key" not in str(raised.value)
        assert await OpenAICompletionClient(server.url, "evo-tiny", "right-key").acomplete("def")
