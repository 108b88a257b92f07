"""What the preflight learns of model, n, log-probabilities, usage, stops and chat templates."""

from __future__ import annotations

import httpx
import pytest
from fakes import client_for, fake
from fakes.script import Answer, by_way, run, text

from evoselfcode.clients import Findings, OpenAICompletionClient
from evoselfcode.clients.findings import Ask, Check
from evoselfcode.errors import EndpointRefused
from evoselfcode.records import Choice, Completion, Failure, Fim, Usage
from evoselfcode.wire.servers import Models

STRONG = by_way({"suffix": ("math.sqrt", '"/"')}, onwards="4")


def check(findings: Findings, name: str) -> Check | None:
    return next((one for one in findings.checks if one.name == name), None)


async def look(http: httpx.AsyncClient, url: str, model: str, n: int = 4) -> Findings:
    async with OpenAICompletionClient(url, model, http_client=http).connect(n=n) as connection:
        return connection.findings


def asking(wanted: int | None, refusal: str, *, logprobs: bool = True) -> list[tuple[int, bool]]:
    """Return what was asked for of a server that gives so many choices at most, and log-probabilities or not."""

    def reply(step: Ask) -> Answer:
        sampling = step.request.sampling
        if isinstance(step.request.prompt, Fim):
            return STRONG(step)
        if (wanted is not None and sampling.n > wanted) or (sampling.logprobs is not None and not logprobs):
            return Failure("bad_request", refusal, 400)
        return text(*["4"] * sampling.n)

    findings, asked = run(reply, n=8)
    assert findings.dialect.max_n == wanted
    assert findings.dialect.fim == "suffix"
    plain = [step.request.sampling for step in asked if not isinstance(step.request.prompt, Fim)]
    return [(sampling.n, sampling.logprobs is not None) for sampling in plain]


def test_the_limit_that_a_refusal_names_is_used() -> None:
    """llama.cpp refuses more choices than it has slots. Sabotage: in ``_most_n``, return 1."""
    told = "Field 'n': Value must be between 1 <= value <= 4, but got 8"
    assert asking(4, told) == [(8, True), (4, True)]


@pytest.mark.parametrize("told", ["n must be 1", "1 <= value <= 9, but got 8", "1 <= value <= 0", "value <= 99999"])
def test_a_refusal_of_n_that_names_no_lower_limit_leaves_one(told: str) -> None:
    assert asking(1, told) == [(8, True), (1, True)]


def test_a_refusal_of_log_probabilities_does_not_cost_n() -> None:
    """Sabotage: in ``_fewer``, leave out n whatever the refusal names."""
    assert asking(None, "logprobs are not supported by this backend", logprobs=False) == [(8, True), (8, False)]


def test_both_may_be_refused() -> None:
    assert asking(1, "no", logprobs=False) == [(8, True), (1, True), (1, False)]


async def test_log_probabilities_refused_to_a_single_choice_do_not_end_the_run() -> None:
    """Sabotage: in ``_fewer``, give up at n = 1."""

    def reply(step: Ask) -> Answer:
        sampling = step.request.sampling
        return Failure("unsupported", "no logprobs here", 400) if sampling.logprobs is not None else STRONG(step)

    findings, _ = run(reply, n=1)
    assert not findings.dialect.logprobs
    found = check(findings, "log-probabilities")
    assert found is not None
    assert "refused (no logprobs here)" in found.found


@pytest.mark.parametrize(("name", "most"), [("tgi", 1), ("vllm-0.12", None)])
async def test_n_is_learnt_also_where_one_choice_is_wished_for(name: str, most: int | None) -> None:
    """The findings may serve later calls. Sabotage: ask for ``wish.n`` choices."""
    server = fake(name)
    findings = await look(client_for(server), server.row.base_url, server.row.model, n=1)
    assert findings.dialect.max_n == most
    assert check(findings, "n") is None


def test_an_empty_text_says_nothing_of_log_probabilities() -> None:
    """Sabotage: in ``_learn_logprobs``, take the absence for an answer."""
    findings, _ = run(by_way({"suffix": ("math.sqrt", '"/"')}, onwards=""))
    assert findings.dialect.logprobs


@pytest.mark.parametrize(
    ("counted", "single"), [(2, True), (3, True), (8, False), (12, False), (0, False), (None, False)]
)
def test_usage_of_one_choice_is_recognised(counted: int | None, single: bool) -> None:
    """Four choices of two tokens; a token that completes a stop string may be counted and not shown.

    Sabotage: in ``_learn_logprobs``, compare with half of all tokens.
    """

    def reply(step: Ask) -> Answer:
        if isinstance(step.request.prompt, Fim):
            return STRONG(step)
        choice = Choice("ab", "stop", ("a", "b"), (-1.0, -1.0))
        return Completion((choice,) * step.request.sampling.n, Usage(3, counted))

    assert run(reply)[0].dialect.usage_of_one_choice == single


async def test_a_model_that_is_not_listed_ends_with_did_you_mean() -> None:
    """Sabotage: in ``_choose_model``, send any name."""
    server = fake("vllm-0.12")
    with pytest.raises(EndpointRefused, match="does not list the model") as raised:
        await look(client_for(server), server.row.base_url, "Qwen2.5-Coder-23B")
    assert raised.value.hint == "did you mean Qwen2.5-Coder-32B?"
    assert len(server.calls) == 1


async def test_a_server_that_answers_to_any_name_is_only_warned_of() -> None:
    server = fake("llamacpp")
    findings = await look(client_for(server), server.row.base_url, "qwen")
    model = check(findings, "model")
    assert model is not None
    assert model.level == "warning"


async def test_a_service_may_serve_more_than_it_lists() -> None:
    """It is asked, and the hint is kept for when it refuses. Sabotage: drop ``_PARTIAL_LIST``."""
    server = fake("fireworks")
    with pytest.raises(EndpointRefused, match="does not have this model") as raised:
        await look(client_for(server), server.row.base_url, "accounts/fireworks/models/qwen2p5-coder-23b")
    assert raised.value.hint == "did you mean accounts/fireworks/models/qwen2p5-coder-32b?"
    assert len(server.calls) == 2


def test_ollamas_latest_tag_may_be_left_out() -> None:
    findings, _ = run(by_way({"ollama": ("math.sqrt", '"/"')}), Models(("coder:latest",), "ollama"), model="coder")
    assert check(findings, "model") == Check("model", "ok", "coder")


@pytest.mark.parametrize(("names", "told"), [((), "lists 0: none"), (("a", "b"), "lists 2: a, b")])
def test_a_model_must_be_named_unless_there_is_one(names: tuple[str, ...], told: str) -> None:
    with pytest.raises(EndpointRefused, match=told):
        run(STRONG, Models(names), model="")


def test_the_only_model_is_taken_if_none_is_named() -> None:
    findings, asked = run(STRONG, Models(("only",), "vllm", 4096), model="")
    assert asked[0].dialect.model == findings.dialect.model == "only"
    assert findings.dialect.context_tokens == 4096


async def test_stop_strings_that_are_ignored_are_found_out_and_cost_no_fim() -> None:
    """Sabotage: in ``forced``, do not cut at the line's end; or drop the check."""
    server = fake("vllm-0.12", stops=False, leak="\nprint(value)")
    findings = await look(client_for(server), server.row.base_url, server.row.model)
    stop = check(findings, "stop")
    assert stop is not None
    assert stop.level == "warning"
    assert findings.dialect.fim == "sentinel"


@pytest.mark.parametrize("name", ["vllm-0.12", "llamacpp", "ollama"])
async def test_servers_that_honour_stops_are_not_warned_of(name: str) -> None:
    server = fake(name)
    findings = await look(client_for(server), server.row.base_url, server.row.model)
    assert check(findings, "stop") is None
    assert check(findings, "raw prompt") is None


async def test_a_sentinel_that_leaks_is_told_with_what_to_do() -> None:
    server = fake("lmdeploy", leak="<|file_sep|>", stops=False)
    findings = await look(client_for(server), server.row.base_url, server.row.model)
    leakage = check(findings, "sentinel leakage")
    assert leakage is not None
    assert leakage.level == "warning"
    assert "<|file_sep|>" in leakage.found
    assert leakage.hint


def test_weights_tell_the_family_where_the_served_name_hides_it() -> None:
    """``--served-model-name my-model``. Sabotage: read the family off the name alone, and two families are guessed."""
    way = by_way({"starcoder": ("math.sqrt", '"/"')}, onwards="4")
    models = Models(("my-model",), "vllm", None, ("/models/bigcode/starcoder2-15b",))
    findings, asked = run(way, models, model="my-model")
    assert (findings.dialect.fim, findings.dialect.family) == ("sentinel", "starcoder")
    assert "qwen2.5-coder" not in {step.dialect.family for step in asked}
    named = check(findings, "model")
    assert named is not None
    assert named.found == "my-model (serves /models/bigcode/starcoder2-15b)"


def test_a_family_that_is_configured_beats_the_weights() -> None:
    way = by_way({"granite": ("math.sqrt", '"/"')}, onwards="4")
    models = Models(("my-model",), "vllm", None, ("/models/bigcode/starcoder2-15b",))
    assert run(way, models, model="my-model", family="granite")[0].dialect.family == "granite"
