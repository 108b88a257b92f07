"""Raw prompts in a prescribed order: what the preflight asks, what it concludes, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from fakes import client_for, fake
from fakes.script import REFUSED, Answer, run, text

from evoselfcode import OpenAICompletionClient
from evoselfcode.clients.findings import MAX_REQUESTS, Ask, Findings, canary_sampling, raw_check
from evoselfcode.clients.probe_fim import SUFFIXES
from evoselfcode.errors import FimUnavailable
from evoselfcode.records import Failure, Fim, Order, Request
from evoselfcode.wire.servers import Models

QWEN = "Qwen2.5-Coder-7B"
WORKS = ("math.sqrt", '"/"')


def answering(raw: tuple[str, str] | None, plain: tuple[str, str] | None = WORKS) -> Any:
    """Answer raw prompts of a prescribed order by `raw`, other FIM by `plain`; ``None`` refuses them."""

    def reply(asked: Ask) -> Answer:
        prompt = asked.request.prompt
        if not isinstance(prompt, Fim):
            return text(*["None"] * asked.request.sampling.n)
        middles = plain if prompt.order is None else raw
        return text(middles[SUFFIXES.index(prompt.suffix)]) if middles else REFUSED

    return reply


def found(findings: Findings, order: Order) -> tuple[str, str]:
    (check,) = [check for check in findings.checks if check.name == raw_check(order)]
    return check.level, check.found


@pytest.mark.parametrize(
    ("raw", "level", "told"),
    [
        (WORKS, "ok", "qwen2.5-coder: works: each suffix forces its middle"),
        (("math.sqrt", "name"), "warning", "the middle depends on the suffix, though not as a strong code model's"),
        (("4.0", "4.0"), "problem", "silently ignored: two suffixes that force different middles gave the same text"),
        (("Sure! Here is `x`:\n```python", "Sure! It is:\n```"), "problem", "answered as in a chat"),
        (None, "problem", "refused (HTTP 400): no"),
    ],
)
def test_an_order_is_judged_by_its_middles(raw: tuple[str, str] | None, level: str, told: str) -> None:
    """Sabotages: call an order that is ignored a warning; add a refused order to ``dialect.orders``."""
    findings, _ = run(answering(raw), model=QWEN, orders=("SPM",))
    assert found(findings, "SPM")[0] == level
    assert told in found(findings, "SPM")[1]
    assert findings.dialect.orders == (() if level == "problem" else ("SPM",))
    if level == "problem":
        with pytest.raises(FimUnavailable, match="raw FIM in SPM order: "):
            findings.require_fim("SPM")
    else:
        findings.require_fim("SPM")
    findings.require_fim()
    assert findings.dialect.fim == "suffix"


def test_each_order_costs_two_requests_and_none_is_tried_unasked() -> None:
    """Sabotage: try both orders whatever is wished for."""
    plain, asked = run(answering(WORKS), model=QWEN)
    assert {ask.request.prompt.order for ask in asked if isinstance(ask.request.prompt, Fim)} == {None}
    both, _ = run(answering(WORKS), model=QWEN, orders=("PSM", "SPM"))
    assert both.requests == plain.requests + 4 <= MAX_REQUESTS + 4
    assert both.dialect.orders == ("PSM", "SPM")
    with pytest.raises(FimUnavailable, match="raw prompts in SPM order were not tried on this server"):
        plain.require_fim("SPM")


def test_an_order_may_work_where_no_other_way_does() -> None:
    """Sabotage: let ``require_fim`` ask for a way first."""
    findings, _ = run(answering(WORKS, plain=None), model=QWEN, orders=("PSM",))
    assert findings.dialect.fim == "none"
    findings.require_fim("PSM")
    with pytest.raises(FimUnavailable):
        findings.require_fim()


@pytest.mark.parametrize(
    ("model", "order", "told"),
    [
        ("a-model-of-nobody", "PSM", "the model's sentinels are not known"),
        ("codestral-22b", "PSM", "mistral-v3 prompts are written in SPM order only"),
        ("codegeex4-all-9b", "PSM", "codegeex4 prompts are written in SPM order only"),
    ],
)
def test_what_cannot_be_written_is_not_asked(model: str, order: Order, told: str) -> None:
    """Sabotage: leave ``family.takes`` out of ``raw_orders``."""
    findings, asked = run(answering(WORKS), model=model, orders=(order,))
    assert found(findings, order) == ("problem", told)
    assert not [ask for ask in asked if isinstance(ask.request.prompt, Fim) and ask.request.prompt.order]


def test_a_family_that_is_named_is_known_still_when_suffix_works() -> None:
    """Named by ``api.fim.family``, or by the weights behind a served name. Sabotage: leave ``named`` out."""
    served = Models(("mine",), roots=("/models/starcoder2-7b",))
    for models, family in ((None, "starcoder"), (served, None)):
        findings, _ = run(answering(WORKS), models, model="mine", family=family, orders=("SPM",))
        assert (findings.dialect.fim, findings.dialect.family) == ("suffix", "starcoder")
        assert found(findings, "SPM")[0] == "ok"


async def preflight(name: str, order: Order) -> Findings:
    server = fake(name)
    client = OpenAICompletionClient(
        server.row.base_url,
        server.row.model,
        api_key=server.row.key or "",
        fim_orders=[order],
        http_client=client_for(server),
    )
    async with client.connect(n=2) as connection:
        return connection.findings


@pytest.mark.parametrize(
    ("name", "order", "level", "told"),
    [
        ("vllm-0.33", "PSM", "ok", "qwen2.5-coder: works"),
        ("vllm-0.33", "SPM", "warning", "depends on the suffix"),
        ("vllm-codestral", "SPM", "ok", "mistral-v3: works"),
        ("vllm-codestral", "PSM", "problem", "SPM order only"),
        ("ollama", "PSM", "ok", "qwen2.5-coder: works"),
        ("ollama-v1", "PSM", "problem", "answered as in a chat"),
        ("llamacpp-smollm2", "PSM", "problem", "sentinels are not known"),
        ("mistral", "SPM", "problem", "this service takes no raw prompts"),
    ],
)
async def test_orders_on_servers(name: str, order: Order, level: str, told: str) -> None:
    """Ollama is asked raw, Mistral's model by ids. Sabotages: in ``_shape``, forget Ollama; in ``_prompt_ids``, ask
    for the mode ``sentinel`` whatever the prompt prescribes.
    """
    findings = await preflight(name, order)
    assert found(findings, order)[0] == level
    assert told in found(findings, order)[1]


async def test_ids_are_not_sent_in_an_order_that_they_have_not() -> None:
    """Sabotage: in ``_prompt_ids``, do not ask ``family.takes``: the ids are written in the other order, unseen."""
    server = fake("vllm-codestral")
    client = OpenAICompletionClient(server.row.base_url, server.row.model, http_client=client_for(server))
    async with client.connect(n=2) as connection:
        before = len(server.calls)
        reply = await connection.send(
            Request(key="0", prompt=Fim("a", "b", "PSM"), sampling=canary_sampling(1, logprobs=False))
        )
        assert isinstance(reply, Failure)
        assert reply.message == "mistral-v3 prompts are written in SPM order only"
        assert len(server.calls) == before
