"""The preflight against every fake server: it lands where the table says, within six requests, and what follows works.

The other halves: ``test_probe_fim.py`` (how middles are judged), ``test_probe_findings.py`` (model, n, logprobs,
stops, chat), ``test_probe_faults.py`` (servers that are busy, away or absurd).
"""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes import FAKES, Fake, client_for, fake
from fakes.table import page

from evoselfcode.clients import Findings, OpenAICompletionClient
from evoselfcode.clients.findings import MAX_REQUESTS
from evoselfcode.errors import FimUnavailable

ABLE = [name for name, known in FAKES.items() if known.row.expected_fim != "none"]


def client_of(server: Fake, **options: object) -> OpenAICompletionClient:
    return OpenAICompletionClient(
        server.row.base_url,
        server.row.model,
        http_client=client_for(server),
        **options,  # type: ignore[arg-type]
    )


async def look(server: Fake, n: int = 4, **options: object) -> Findings:
    async with client_of(server, **options).connect(n=n) as connection:
        return connection.findings


@pytest.mark.parametrize("name", FAKES)
async def test_auto_lands_where_the_table_says(name: str) -> None:
    """Sabotage: in ``forced``, return True."""
    server = fake(name)
    row, dialect = server.row, (await look(server)).dialect
    assert (dialect.fim, dialect.l2r, dialect.server) == (row.expected_fim, row.expected_l2r, row.expected_server)
    assert dialect.family == (row.expected_family if row.expected_fim == "sentinel" else None)
    assert dialect.max_n == (None if row.gives_n else 1)
    assert dialect.logprobs == row.gives_logprobs
    assert dialect.usage_of_one_choice == (row.usage == "one" and row.gives_n)


@pytest.mark.parametrize("name", FAKES)
@pytest.mark.parametrize("prefer_chat", [False, True])
async def test_a_preflight_sends_at_most_six_requests(name: str, prefer_chat: bool) -> None:
    """Sabotage: in ``ask``, do not count."""
    server = fake(name)
    findings = await look(server, n=5, use_chat_for_fim=prefer_chat)
    sent = [path for _, path, _ in server.calls if path != "/tokenize"]  # look-ups, which generate nothing
    assert len(sent) == findings.requests <= MAX_REQUESTS
    assert (findings.dialect.fim == "none") == (server.row.expected_fim == "none")


@pytest.mark.parametrize("name", ABLE)
async def test_four_choices_differ_and_depend_on_the_suffix(name: str) -> None:
    """Sabotage: in ``messages.parts``, give each part the whole's seed; or in ``_learn_n``, forget ``max_n``."""
    async with client_of(fake(name)) as client:
        four = await client.acomplete_fim("def ", "(items):\n", n=4, seed=40, stop="(")
        assert len({row["text"] for row in four}) == 4

        async def likeliest(suffix: str) -> str:
            rows = await client.acomplete_fim("def ", suffix, temperature=0.01)
            return rows[0]["text"]

        assert await likeliest("():\n") == await likeliest("():\n") != await likeliest("(text):\n")


@pytest.mark.parametrize("name", FAKES)
async def test_four_left_to_right_choices_differ_also_where_no_fim_works(name: str) -> None:
    async with client_of(fake(name)) as client:
        four = await client.acomplete("def ", n=4, seed=40, stop="(")
    assert len({row["text"] for row in four}) == 4


@pytest.mark.parametrize("suffix", ["rendered", "ignored"])
async def test_chat_fields_are_used_where_they_are_preferred_and_honoured(suffix: str) -> None:
    server = fake("siliconflow", suffix=suffix)
    async with client_of(server, use_chat_for_fim=True) as client:
        rows = await client.acomplete_fim("def ", "():\n", n=4, seed=0, stop="(")
    assert len({row["text"] for row in rows}) == 4
    _, path, body = server.calls[-1]
    assert path == "/v1/chat/completions"
    assert (body["prefix"], body["suffix"]) == ("def ", "():\n")


@pytest.mark.parametrize(
    ("model", "tokens", "order", "family"),
    [
        ("bigcode/starcoder2-15b", ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"), "PSM", "starcoder"),
        ("JetBrains/Mellum-4b-base", ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"), "SPM", "mellum"),
        ("deepseek-coder-6.7b-base", ("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"), "PSM", "deepseek"),
        ("codellama/CodeLlama-13b-hf", ("<PRE> ", " <SUF>", " <MID>"), "PSM", "code-llama"),
        ("Seed-Coder-8B-Base", ("<[fim-prefix]>", "<[fim-suffix]>", "<[fim-middle]>"), "SPM", "seed-coder"),
        ("our-fine-tune-7", ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"), "PSM", "starcoder"),
    ],
)
async def test_the_family_is_read_off_the_name_or_guessed(
    model: str, tokens: tuple[str, str, str], order: str, family: str
) -> None:
    """The models of the fakes understand their own spelling in their own order and no other."""
    findings = await look(fake("vllm-0.12", model=model, fim_tokens=tokens, order=order))
    assert (findings.dialect.fim, findings.dialect.family) == ("sentinel", family)
    assert any(check.found.startswith("works") for check in findings.checks)


@pytest.mark.parametrize("name", ["sglang", "llamacpp", "lmdeploy", "localai", "tabby"])
async def test_a_suffix_that_is_silently_ignored_is_found_out(name: str) -> None:
    """A 200 is all that a status code tells there."""
    found = {check.name: check.found for check in (await look(fake(name))).checks}
    assert found["FIM by suffix"].startswith("silently ignored")


@pytest.mark.parametrize("name", ["vllm-0.8", "vllm-0.12", "vllm-0.33", "tgi", "trtllm", "triton", "llamacpp-2025"])
async def test_a_loud_refusal_is_told_in_the_servers_words(name: str) -> None:
    server = fake(name)
    found = {check.name: check.found for check in (await look(server)).checks}
    status, message = server.row.suffix_error
    assert found["FIM by suffix"] == f"refused (HTTP {status}): {message}"


async def test_codestral_on_vllm_is_asked_in_token_ids() -> None:
    server = fake("vllm-codestral")
    await client_of(server).acomplete_fim("def ", "():\n")
    prompt = server.calls[-1][2]["prompt"]
    assert prompt[:2] == [1, 13]
    assert 11 in prompt


async def test_a_templated_sglang_server_is_sent_a_blank_suffix_for_left_to_right() -> None:
    """Without it, the server would render the word None as the suffix. Sabotage: ``blank_suffix=False``."""
    server = fake("sglang-template")
    await client_of(server).acomplete("def ")
    asked = [body for _, path, body in server.calls if path == "/v1/completions"]
    assert asked[0]["suffix"] == asked[-1]["suffix"] == ""


async def test_a_server_without_fim_gives_one_message_with_each_way_tried() -> None:
    """Sabotage: in ``_ask``, do not compare with the left-to-right text."""
    server = fake("llamacpp-smollm2")
    with pytest.raises(FimUnavailable) as raised:
        await client_of(server).acomplete_fim("def ", "():\n")
    lines = raised.value.message.splitlines()
    assert lines[0] == "no way of fill-in-the-middle works on this server with this model"
    assert [line.split(":")[0].strip() for line in lines[1:]] == [
        "FIM by suffix",
        "FIM by infill",
        "FIM by sentinel (qwen2.5-coder)",
        "FIM by sentinel (starcoder)",
    ]
    assert "prefix token is missing" in lines[2]
    assert "--arm L2R" in (raised.value.hint or "")


async def test_a_chat_template_is_warned_of_and_no_chat_answer_passes_for_a_middle() -> None:
    """Its answers depend on the suffix, as everything in a prompt does. Sabotage: ``reads_like_chat`` says False."""
    server = fake("chat-templated", model="Qwen2.5-Coder-7B-Instruct")
    findings = await look(server)
    assert findings.dialect.fim == "none"
    levels = {check.name: check.level for check in findings.checks}
    assert levels["raw prompt"] == "warning"
    assert levels["FIM"] == "problem"


def test_the_table_of_servers_in_the_documentation_is_the_fakes() -> None:
    """Write it anew with ``PYTHONPATH=tests python -m fakes.table > docs/reference/servers.md``."""
    written = Path(__file__).parents[1] / "docs" / "reference" / "servers.md"
    assert written.read_text(encoding="utf-8") == page()
