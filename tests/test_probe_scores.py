"""How a given text is scored on every fake server, through the real client.

The other half: ``test_probe_scores_judged.py`` (which numbers are not believed, and servers that break).
"""

from __future__ import annotations

from typing import Any

import pytest
from fakes import FAKES, Fake, client_for, fake

from evoselfcode.clients import Findings, OpenAICompletionClient
from evoselfcode.clients.findings import MAX_REQUESTS, Check
from evoselfcode.clients.probe_scores import BEFORE, ORDINARY
from evoselfcode.errors import ScoresUnavailable
from evoselfcode.records import Completion, Failure, Given, Request, Sampling

MORE = 10
"""Most requests besides those of the ordinary preflight."""


def client_of(server: Fake) -> OpenAICompletionClient:
    return OpenAICompletionClient(server.row.base_url, server.row.model, http_client=client_for(server))


async def look(server: Fake) -> Findings:
    async with client_of(server).connect(scores=True) as connection:
        return connection.findings


def found(findings: Findings, name: str) -> Check:
    return next(check for check in findings.checks if check.name == name)


@pytest.mark.parametrize("name", FAKES)
async def test_each_server_is_asked_as_the_table_says(name: str) -> None:
    """Sabotage: in ``_numbers``, believe everything; or in ``_WAYS``, exchange two rows."""
    server = fake(name)
    row, findings = server.row, await look(server)
    dialect = findings.dialect
    assert (dialect.score, dialect.score_family is not None) == (row.expected_score, row.expected_middles)
    assert (dialect.fim, dialect.l2r) == (row.expected_fim, row.expected_l2r)
    sent = [path for _, path, _ in server.calls if path != "/tokenize"]
    assert len(sent) == findings.requests <= MAX_REQUESTS + MORE
    assert found(findings, "scores").level == ("ok" if row.expected_score != "none" else "problem")


@pytest.mark.parametrize("name", [name for name, known in FAKES.items() if known.row.expected_score != "none"])
async def test_what_was_found_scores_a_text(name: str) -> None:
    """Sabotage: in ``Connection._send``, forget what the preflight found."""
    server = fake(name)
    whole = server.row.expected_score == "get_ppl"
    prompt = Given(BEFORE + ORDINARY) if whole else Given(ORDINARY, BEFORE)
    async with client_of(server).connect(scores=True) as connection:
        answer = await connection.send(Request(key="k", prompt=prompt, sampling=Sampling(max_new_tokens=1)))
        connection.findings.require_scores()
    assert isinstance(answer, Completion)
    (choice,) = answer.choices
    assert choice.text == prompt.text
    if whole:
        assert choice.mean_logprob is not None
        assert choice.mean_logprob < 0
    else:
        assert "".join(choice.tokens or ()) == ORDINARY
        # The fakes write a newline and the indent behind it as one token: it begins before the text.
        assert (choice.tokens or ())[0] == "    "
        first, *others = choice.logprobs or ()
        assert first is None
        assert all(value is not None and value < 0 for value in others)


@pytest.mark.parametrize("name", [name for name, known in FAKES.items() if known.row.expected_middles])
async def test_a_middle_is_scored_behind_its_suffix(name: str) -> None:
    """Sabotage: in ``_middles``, take ``tried`` back."""
    async with client_of(fake(name)).connect(scores=True) as connection:
        connection.findings.require_scores(fim=True)
        prompt = Given("quick_sort", "def ", "():\n")
        answer = await connection.send(Request(key="k", prompt=prompt, sampling=Sampling(max_new_tokens=1)))
    assert isinstance(answer, Completion)
    assert (answer.choices[0].tokens, len(answer.choices[0].logprobs or ())) == (("quick_sort",), 1)


async def test_nothing_of_it_is_asked_unless_it_is_wished_for() -> None:
    """Six requests are promised. Sabotage: in ``preflight``, do not look at the wish."""
    server = fake("vllm-0.12")
    client = client_of(server)
    async with client.connect() as connection:
        assert connection.findings.requests <= MAX_REQUESTS
        with pytest.raises(ScoresUnavailable, match="was not asked") as raised:
            connection.findings.require_scores()
        assert raised.value.exit_code == 2
        answer = await connection.send(Request(key="k", prompt=Given("x"), sampling=Sampling(max_new_tokens=1)))
        assert isinstance(answer, Failure)
        assert answer.kind == "unsupported"
        before = len(server.calls)
    async with client.connect(scores=True) as connection:
        connection.findings.require_scores()
        assert len(server.calls) > before
    asked = len(server.calls)
    async with client.connect(n=2) as connection, client.connect(scores=True):
        connection.findings.require_scores()
    assert len(server.calls) == asked  # once found, it is known


async def test_what_an_earlier_run_found_is_used() -> None:
    """Also that nothing works. Sabotage: in ``serves``, ask again whenever scores are wished for."""
    for name in ("vllm-0.12", "llamacpp"):
        findings = await look(fake(name))
        server = fake(name)
        client = client_of(server)
        client.use(findings)
        async with client.connect(scores=True) as connection:
            assert connection.findings == findings
        assert server.calls == []


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("llamacpp", "llama.cpp#27174"),
        ("ollama", "of what it generates alone"),
        ("openai", "OpenAI refuses echo"),
        ("llama-cpp-python", "neighbouring tokens"),
        ("chat-templated", "are not the text that was sent"),
        ("deepseek", "are not the text that was sent"),
        ("localai", "no log-probabilities"),
    ],
)
async def test_a_refusal_says_what_was_tried_and_what_to_do(name: str, told: str) -> None:
    """Sabotage: in ``require_scores``, leave the ways out."""
    findings = await look(fake(name))
    for fim in (False, True):
        with pytest.raises(ScoresUnavailable) as raised:
            findings.require_scores(fim=fim)
        assert told in raised.value.message
        assert "vLLM or SGLang" in (raised.value.hint or "")


@pytest.mark.parametrize(
    ("name", "told"),
    [("vllm-codestral", "mistral-v3 prompts are token ids"), ("lmdeploy", "one mean for a whole text")],
)
async def test_middles_may_be_out_of_reach_where_texts_are_not(name: str, told: str) -> None:
    findings = await look(fake(name))
    findings.require_scores()
    with pytest.raises(ScoresUnavailable, match=told):
        findings.require_scores(fim=True)


@pytest.mark.parametrize(
    ("name", "changes", "mode"),
    [
        ("vllm-0.12", {"scoring": "fireworks"}, "echo"),
        ("sglang", {"natives": ("/tokenize",)}, "echo_one"),
        ("llama-cpp-python", {"bos": "<s>"}, "echo_one"),
        ("localai", {"scoring": "vllm", "logprobs": "legacy"}, "prompt_logprobs"),
        ("localai", {"scoring": "sglang", "logprobs": "legacy"}, "echo_one"),
        ("openai", {"model": "davinci-002", "scoring": "fireworks"}, "echo"),
        ("tgi", {"scoring": "tgi-off"}, "none"),
        ("vllm-0.12", {"bos": "<s>"}, "prompt_logprobs"),
    ],
)
async def test_the_name_of_a_server_only_says_what_to_try(name: str, changes: dict[str, Any], mode: str) -> None:
    """Sabotage: take the first way of a server's row unseen."""
    server = fake(name, **changes)
    findings = await look(server)
    assert findings.dialect.score == mode
    if name == "tgi":
        assert "--enable-prefill-logprobs" in found(findings, "scores by prefill").found
