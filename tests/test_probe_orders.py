"""Raw prompts in an order that an arm prescribes: tried by two requests, and what comes of each answer."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from fakes.script import REFUSED, SUFFIXES, Answer, run, text
from llama_server import LlamaServer

from evoselfcode import OpenAICompletionClient, RunConfig
from evoselfcode.clients.findings import Ask, Findings, raw_check
from evoselfcode.errors import FimUnavailable, PromptError
from evoselfcode.records import Failure, Fim
from evoselfcode.wire.sentinels import FAMILIES, render

QWEN = "Qwen2.5-Coder-7B"
STRONG = ("math.sqrt", '"/"')


def tried(middles: tuple[str, str] | Failure, **wish: Any) -> tuple[Findings, list[Ask]]:
    """Run a preflight of a server that honours ``suffix`` and answers raw prompts in an order with these middles."""

    def reply(asked: Ask) -> Answer:
        prompt = asked.request.prompt
        if not isinstance(prompt, Fim):
            return text(*["None"] * asked.request.sampling.n)
        if prompt.order is None:
            return text(STRONG[SUFFIXES.index(prompt.suffix)]) if asked.dialect.fim == "suffix" else REFUSED
        return middles if isinstance(middles, Failure) else text(middles[SUFFIXES.index(prompt.suffix)])

    return run(reply, **{"model": QWEN, "orders": ("SPM",)} | wish)


async def look(client: OpenAICompletionClient) -> Findings:
    async with client.connect() as connection:
        return connection.findings


def check(findings: Findings) -> tuple[str, str]:
    [one] = [one for one in findings.checks if one.name == raw_check("SPM")]
    return one.level, one.found


def test_an_order_whose_middles_are_forced_works_beside_another_way() -> None:
    """Sabotage: ask with the dialect's own way, whatever the order."""
    findings, asked = tried(STRONG)
    assert check(findings)[0] == "ok"
    assert (findings.dialect.fim, findings.dialect.family) == ("suffix", "qwen2.5-coder")
    assert findings.dialect.orders == ("SPM",)
    findings.require_fim("SPM")
    assert [one.request.prompt.order for one in asked[-2:] if isinstance(one.request.prompt, Fim)] == ["SPM", "SPM"]


def test_without_a_prescribed_order_nothing_more_is_asked() -> None:
    """Sabotage: try SPM always."""
    with_order, more = tried(STRONG)
    without, fewer = tried(STRONG, orders=())
    assert len(more) == len(fewer) + 2
    assert without.dialect.orders == ()
    assert with_order.requests == without.requests + 2
    with pytest.raises(FimUnavailable, match=r'not tried on this server\nhint: .*fim_orders=\("SPM",\)'):
        without.require_fim("SPM")


@pytest.mark.parametrize(
    ("middles", "told"),
    [
        (("x = 1", "x = 1"), "silently ignored"),
        (("```python", "x"), "answered as in a chat"),
        (REFUSED, "refused (HTTP 400): no"),
    ],
)
def test_an_order_that_does_not_work_ends_the_run_before_it_begins(middles: Any, told: str) -> None:
    """Sabotage: add the order to the dialect whatever its level."""
    findings, _ = tried(middles)
    assert check(findings)[0] == "problem"
    assert told in check(findings)[1]
    with pytest.raises(FimUnavailable, match="raw FIM in SPM order"):
        findings.require_fim("SPM")
    findings.require_fim()


def test_middles_that_only_depend_on_the_suffix_are_a_warning_and_the_arm_runs() -> None:
    findings, _ = tried(("value", "name"))
    assert check(findings)[0] == "warning"
    findings.require_fim("SPM")


@pytest.mark.parametrize(
    ("model", "told"),
    [("some-model", "sentinels are not known"), ("codestral-22b", "written in SPM order only")],
)
def test_an_order_that_cannot_be_written_is_told_without_a_request(model: str, told: str) -> None:
    findings, asked = tried(STRONG, model=model, orders=("PSM",))
    assert not any(isinstance(one.request.prompt, Fim) and one.request.prompt.order for one in asked)
    [one] = [one for one in findings.checks if one.name == raw_check("PSM")]
    assert one.level == "problem"
    assert told in one.found


@pytest.mark.parametrize(
    ("family", "order", "written"),
    [
        ("qwen2.5-coder", "PSM", "<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>"),
        ("qwen2.5-coder", "SPM", "<|fim_suffix|>S<|fim_prefix|>P<|fim_middle|>"),
        ("starcoder", "SPM", "<fim_prefix><fim_suffix>S<fim_middle>P"),
        ("santacoder", "SPM", "<fim-prefix><fim-suffix>S<fim-middle>P"),
        ("code-llama", "SPM", "<PRE> <SUF>S <MID> P"),
        ("mellum", "PSM", "<fim_prefix>P<fim_suffix>S<fim_middle>"),
        ("seed-coder", "SPM", "<[fim-suffix]>S<[fim-prefix]>P<[fim-middle]>"),
    ],
)
def test_both_orders_are_written_byte_for_byte(family: str, order: Any, written: str) -> None:
    """Sources: StarCoder's paper and Code Llama's generation.py; for the rest llama.cpp's ``--spm-infill``."""
    assert render(FAMILIES[family], Fim("P", "S", order)) == written


@pytest.mark.parametrize("family", ["mistral-v3", "mistral-tekken", "codegeex4"])
def test_a_family_with_one_order_refuses_the_other(family: str) -> None:
    with pytest.raises(PromptError, match="written in SPM order only"):
        render(FAMILIES[family], Fim("P", "S", "PSM"))


def test_a_configuration_tells_the_client_which_orders_its_arms_prescribe() -> None:
    """The embedded model reads both. Sabotage: leave ``fim_orders`` out of ``from_config``."""
    arms = {"psm": {"mode": "FIM-PSM"}, "spm": {"mode": "FIM-SPM"}, "l2r": {"mode": "L2R"}}
    client = OpenAICompletionClient.from_config(RunConfig.from_mapping({"namegen": {"arms": arms}}))
    findings = anyio.run(look, client)
    assert findings.dialect.orders == ("PSM", "SPM")
    assert findings.dialect.family == "evoselfcode"


def test_a_real_server_shows_that_its_model_was_trained_on_one_order(llama: LlamaServer) -> None:
    """The model of the tests knows prefix, suffix, middle. Sabotage: take any answer to a raw prompt for a middle."""
    client = OpenAICompletionClient(llama.url, "evo-tiny", fim_orders=("PSM", "SPM"))
    findings = anyio.run(look, client)
    assert findings.dialect.orders == ("PSM",)
    level, found = check(findings)
    assert level == "problem"
    assert "silently ignored" in found
