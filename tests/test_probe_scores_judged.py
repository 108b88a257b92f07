"""Which numbers of a given text the preflight does not believe, and what a server that breaks is spared."""

from __future__ import annotations

from typing import Any

import pytest
from fakes import Fake, client_for, fake
from fakes.script import REFUSED, Answer, run
from fakes.shapes import error, reply

from evoselfcode.clients import Findings
from evoselfcode.clients.findings import Ask, Check, Wish
from evoselfcode.clients.looking import look
from evoselfcode.clients.probe_scores import ORDINARY, SCRAMBLED
from evoselfcode.clients.replica import Replica
from evoselfcode.clients.transport import InjectedClient
from evoselfcode.errors import EndpointDown
from evoselfcode.records import Choice, Completion, Fim, Given
from evoselfcode.wire.dialect import endpoint
from evoselfcode.wire.servers import Models


def found(findings: Findings, name: str) -> Check:
    return next(check for check in findings.checks if check.name == name)


def scored(numbers: dict[str, list[float | None]] | None, middles: list[float] | None = None) -> Any:
    """Answer what is given with these numbers (by text; the middles' by suffix), everything else as a code model."""
    drawn = iter(middles or [])

    def answer(step: Ask) -> Answer:
        prompt = step.request.prompt
        if not isinstance(prompt, Given):
            texts = ["None"] * step.request.sampling.n
            return REFUSED if isinstance(prompt, Fim) else Completion(tuple(Choice(one, "stop") for one in texts))
        if prompt.suffix is not None:
            return Completion((Choice(prompt.text, "stop", (prompt.text,), (next(drawn),)),))
        if numbers is None:
            return REFUSED
        values = numbers[prompt.text]
        return Completion((Choice(prompt.text, "stop", ("x",) * len(values), tuple(values)),))

    return answer


def judged(ordinary: list[float | None], scrambled: list[float | None], middles: list[float] | None = None) -> Findings:
    answer = scored({ORDINARY: ordinary, SCRAMBLED: scrambled}, middles)
    return run(answer, Models(("m",), "vllm"), scores=True, family="starcoder" if middles else None)[0]


@pytest.mark.parametrize(
    ("ordinary", "scrambled", "told"),
    [
        ([0.0, 0.0], [0.0, 0.0], "every token has the same number (0): nothing was computed"),
        ([-2.5, -2.5], [-2.5, -2.5], "every token has the same number (-2.5)"),
        ([None, None], [None], "no number for any token"),
        ([], [], "no number for any token"),
        ([-2.0, -3.0], [-2.0, -3.1], "no language model's numbers"),
        ([-6.0, -5.0], [-1.0, -2.0], "no language model's numbers"),
        ([-14.0, -15.0], [-25.0, -26.0], "so improbable is no program"),
    ],
)
def test_numbers_that_no_language_model_gives_are_not_believed(ordinary: Any, scrambled: Any, told: str) -> None:
    """Sabotage: leave out the comparison that the case is about."""
    findings = judged(ordinary, scrambled)
    assert findings.dialect.score == "none"
    assert told in found(findings, "scores by prompt_logprobs").found
    assert told in found(findings, "scores by echo").found


def test_a_weak_models_numbers_are_believed() -> None:
    """The embedded model's: 3.8 and 7.2 nats. A hole in them is none of the others' fault."""
    assert judged([-3.0, None, -4.5], [-7.0, -7.5]).dialect.score == "prompt_logprobs"


@pytest.mark.parametrize(
    ("middles", "family"), [([-1.0, -3.0, -3.0, -1.0], "starcoder"), ([-1.0, -1.0, -3.0, -3.0], None)]
)
def test_a_suffix_must_make_its_own_middle_more_probable(middles: list[float], family: str | None) -> None:
    """Sabotage: add the numbers up without their signs."""
    findings = judged([-1.0, -2.0], [-6.0, -7.0], middles)
    assert findings.dialect.score == "prompt_logprobs"
    assert findings.dialect.score_family == family


def test_a_family_that_nobody_names_is_not_guessed() -> None:
    findings = judged([-1.0, -2.0], [-6.0, -7.0])
    assert "name them by api.fim.family" in found(findings, "scores of middles").found


class Breaking(Fake):
    """Answers this to the first requests about a given text, and counts them."""

    def __init__(self, *faults: Any) -> None:
        super().__init__(fake("vllm-0.12").row)
        self.about_given, self._left = 0, list(faults)

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> Any:
        if b"prompt_logprobs" not in body and b"echo" not in body:
            return super().answer(method, path, headers, body)
        self.about_given += 1
        return self._left.pop(0) if self._left else super().answer(method, path, headers, body)

    async def look(self) -> Findings:
        """Run a preflight whose waits take no time."""

        async def sleep(seconds: float) -> None:
            del seconds

        row = self.row
        async with client_for(self) as http:
            replica = Replica(row.base_url, InjectedClient(http, {}), endpoint(row.base_url))
            wish = Wish(base_url=row.base_url, model=row.model, scores=True)
            findings, _ = await look(replica, wish, sleep=sleep)
            return findings


DEAD = error("nested", 500, "EngineCore encountered an issue. See stack trace (above) for the root cause.")
STUMBLE = reply(500, {"error": {"message": "x", "code": 500}})


async def test_a_server_that_breaks_is_not_broken_again() -> None:
    """vLLM, out of memory. Sabotage: in ``_score``, go on with the next way."""
    server = Breaking(DEAD)
    with pytest.raises(
        EndpointDown, match="asked for the log-probabilities of a short text by prompt_logprobs"
    ) as told:
        await server.look()
    assert "memory" in (told.value.hint or "")
    assert server.about_given == 1


async def test_a_passing_fault_costs_one_attempt_more() -> None:
    """Sabotage: let ``SCORING_ATTEMPTS`` be 1, or 3."""
    assert (await Breaking(STUMBLE).look()).dialect.score == "prompt_logprobs"
    assert (await Breaking(STUMBLE, STUMBLE).look()).dialect.score == "echo"
