"""The embedded model scores a text that is given: in vLLM's shape, and through the real client."""

from __future__ import annotations

import math
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evoselfcode.clients import OpenAICompletionClient
from evoselfcode.errors import ScoresUnavailable
from evoselfcode.local.answer import answer
from evoselfcode.local.lexer import lex
from evoselfcode.local.model import EmbeddedModel
from evoselfcode.records import Choice, Completion, Given, Request, Sampling
from evoselfcode.wire.dialect import Dialect
from evoselfcode.wire.scoring import read

TEXT = "def merge_sorted(left, right):\n    return zzqx(left) + 'é€' + right\n"


def complete(**body: Any) -> dict[str, Any]:
    status, _, content = answer("POST", "/v1/completions", orjson.dumps({"prompt": TEXT, "max_tokens": 1} | body))
    reply: dict[str, Any] = orjson.loads(content)
    assert status == 200, reply
    return reply


def test_prompt_logprobs_have_vllms_shape() -> None:
    """A hole, then one object per token. Sabotage: give the first token its number, or the object a list's place."""
    model = EmbeddedModel.load()
    listed = complete(prompt_logprobs=0)["choices"][0]["prompt_logprobs"]
    scored = model.score(TEXT)
    assert listed[0] is None
    for position, number, (token, logprob) in zip(listed[1:], model.tokenize(TEXT)[1:], scored[1:], strict=True):
        assert position == {str(number): {"logprob": pytest.approx(logprob), "rank": None, "decoded_token": token}}
    assert "prompt_logprobs" not in complete()["choices"][0]


def test_the_likeliest_stand_beside_the_token_itself() -> None:
    """Sabotage: leave the token out where it is none of them."""
    model = EmbeddedModel.load()
    listed = complete(prompt_logprobs=3, n=2)["choices"][1]["prompt_logprobs"]
    for position, number, (token, logprob) in zip(
        listed[1:], model.tokenize(TEXT)[1:], model.score(TEXT)[1:], strict=True
    ):
        assert 1 <= len(position) <= 4
        own = position[str(number)]
        assert (own["decoded_token"], own["logprob"]) == (token, pytest.approx(logprob))
        others = [entry for key, entry in position.items() if key != str(number)]
        assert all(entry["rank"] in (1, 2, 3) for entry in others)
        assert sum(math.exp(entry["logprob"]) for entry in position.values()) <= 1 + 1e-9
    assert max(map(len, listed[1:])) == 4


async def scores(*prompts: Given) -> list[Choice]:
    """Score texts through the client, each by a request of its own."""
    found = []
    async with OpenAICompletionClient("local:").connect(scores=True) as connection:
        connection.findings.require_scores()
        for prompt in prompts:
            reply = await connection.send(Request(key="k", prompt=prompt, sampling=Sampling(max_new_tokens=1)))
            assert isinstance(reply, Completion), reply
            found += reply.choices
    return found


def total(choice: Choice) -> float:
    return -sum(value for value in choice.logprobs or () if value is not None)


async def test_a_text_costs_what_its_parts_cost() -> None:
    """ΣNLL(prefix) + ΣNLL(rest | prefix) = ΣNLL(whole), at every place between two tokens.

    Sabotage: in ``scoring.body``, send the text without what stands before it.
    """
    ends = [0]
    for _, token in lex(TEXT):
        ends.append(ends[-1] + len(token))
    cuts = [end for end in ends[1:-1] if [*lex(TEXT[:end]), *lex(TEXT)[ends.index(end) :]] == lex(TEXT)]
    assert len(cuts) > 15
    (whole,) = await scores(Given(TEXT))
    assert (whole.tokens, whole.logprobs) == (
        tuple(token for _, token in lex(TEXT)),
        (None, *(pytest.approx(logprob) for _, logprob in EmbeddedModel.load().score(TEXT)[1:])),
    )
    heads = await scores(*(Given(TEXT[:cut]) for cut in cuts))
    tails = await scores(*(Given(TEXT[cut:], TEXT[:cut]) for cut in cuts))
    for head, tail in zip(heads, tails, strict=True):
        assert total(head) + total(tail) == pytest.approx(total(whole), abs=1e-6)
        assert None not in (tail.logprobs or ())


async def test_a_cut_within_a_token_leaves_its_end_without_a_number() -> None:
    """Sabotage: take the straddling token for the text's."""
    cut = TEXT.index("merge") + 2
    (choice,) = await scores(Given(TEXT[cut:], TEXT[:cut]))
    assert (choice.tokens or ())[:2] == ("rge", "_")
    assert (choice.logprobs or ())[0] is None
    assert "".join(choice.tokens or ()) == TEXT[cut:]


async def test_middles_are_refused_in_words() -> None:
    """What a suffix adds is no number per token. Sabotage: score the middle as the raw prompt's text."""
    async with OpenAICompletionClient("local:").connect(scores=True) as connection:
        with pytest.raises(ScoresUnavailable, match="no number for one token of a middle"):
            connection.findings.require_scores(fim=True)


PARTS = st.text(alphabet="abxdef _()=:\n'#é€\t1", min_size=1, max_size=30)


@settings(max_examples=60)
@given(PARTS, PARTS)
def test_any_text_is_laid_through_the_wire(before: str, text: str) -> None:
    """Whatever the model cuts it into. Sabotage: in ``_prompt_logprobs``, drop a token."""

    body = answer("POST", "/v1/completions", orjson.dumps({"prompt": before + text, "prompt_logprobs": 0}))[2]
    reply = read(Given(text, before), Dialect(score="prompt_logprobs"), body)
    assert isinstance(reply, Completion), reply
    expected, at = [], 0
    for number, (token, logprob) in enumerate(EmbeddedModel.load().score(before + text)):
        if at >= len(before) and number:
            expected.append(logprob)
        at += len(token)
    assert [value for value in reply.choices[0].logprobs or () if value is not None] == pytest.approx(expected)
