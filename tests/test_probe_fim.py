"""How the preflight judges middles, and what it does with its last request."""

from __future__ import annotations

import pytest
from fakes.script import REFUSED, Answer, by_way, run

from evoselfcode.clients.findings import MAX_REQUESTS, Ask, Findings
from evoselfcode.clients.probe_fim import forced
from evoselfcode.errors import FimUnavailable, UsageError
from evoselfcode.wire.servers import Models

STRONG = ("math.sqrt", '"/"')
LINES = ("math.sqrt(16)", 'os.path.join("a", "b")')
"""Left-to-right text in which the forced middles occur, and which the suffixes do not continue."""
QWEN, STAR = "Qwen2.5-Coder-7B", "starcoder2-3b"


def found(findings: Findings, name: str) -> tuple[str, str]:
    """Return level and text of the only check of that name."""
    [check] = [check for check in findings.checks if check.name == name]
    return check.level, check.found


@pytest.mark.parametrize("middle", ["math.sqrt", " math.sqrt ", "sqrt", "math.sqrt\nprint()", "int(2) or math.sqrt"])
def test_a_middle_is_forced_if_the_suffix_joins_its_end(middle: str) -> None:
    assert forced(0, middle)
    assert not forced(1, middle)


@pytest.mark.parametrize("middle", ['"/"', "'/'", "os.sep", "os.path.sep", ' "/"'])
def test_a_separator_is_forced_by_the_second_suffix(middle: str) -> None:
    assert forced(1, middle)
    assert not forced(0, middle)


@pytest.mark.parametrize("middle", [*LINES, "", "\nmath.sqrt", "os.path", 'sqrt = "/" + x', "separator"])
def test_text_in_which_the_forced_middle_only_occurs_is_not_forced(middle: str) -> None:
    """Sabotage: in ``forced``, look for the part anywhere in the text."""
    assert not forced(0, middle)
    assert not forced(1, middle)


def test_left_to_right_lines_do_not_pass_for_middles_of_a_guessed_family() -> None:
    """A server that takes sentinels as plain text. Sabotage: treat every way as sure."""
    findings, _ = run(by_way({"qwen2.5-coder": LINES, "starcoder": LINES}), mode="sentinel")
    assert findings.dialect.fim == "none"
    assert found(findings, "FIM by sentinel (starcoder)")[1].startswith("does not work")


def test_a_weak_models_middles_are_enough_where_only_fim_can_be_meant() -> None:
    findings, _ = run(by_way({"qwen2.5-coder": ("value", "name")}), model=QWEN)
    assert (findings.dialect.fim, findings.dialect.family) == ("sentinel", "qwen2.5-coder")
    assert found(findings, "FIM by sentinel (qwen2.5-coder)")[1].startswith("the middle depends on the suffix")


def test_what_was_asked_is_not_asked_again() -> None:
    """The first suffix forced its middle, the second did not: that is known, and said once.

    Sabotage: in ``fill_in_the_middle``, ask every trial again that is not "forced".
    """
    reply = by_way({"suffix": ("math.sqrt", "value"), "chat": ("a", "b")})
    findings, asked = run(reply, Models(("m",), "openai"))  # two ways: a request is left
    assert findings.requests < MAX_REQUESTS
    questions = [(step.dialect.fim, step.dialect.family, step.request.prompt) for step in asked]
    assert len(set(questions)) == len(questions)
    assert findings.dialect.fim == "suffix"
    assert found(findings, "FIM by suffix")[0] == "ok"


def test_a_way_forced_by_half_goes_before_one_that_merely_depends() -> None:
    """Sabotage: settle on the first way that depends."""
    findings, _ = run(by_way({"suffix": ("value", "name"), "qwen2.5-coder": ("math.sqrt", "name")}), model=QWEN)
    assert findings.dialect.fim == "sentinel"


def test_half_a_proof_with_the_last_request_is_used_and_warned_of() -> None:
    """Chat, two guessed families, then ``suffix``: no request is left for its second half."""
    findings, asked = run(by_way({"suffix": STRONG}), prefer_chat=True)
    assert len(asked) == 5
    assert findings.dialect.fim == "suffix"
    level, told = found(findings, "FIM by suffix")
    assert level == "warning"
    assert "no request was left" in told


def test_the_last_request_is_kept_for_the_second_half_of_a_likely_way() -> None:
    """llama.cpp whose ``n`` was refused, with a weak model. Sabotage: leave ``reserved`` out."""
    plain = by_way({"infill": ("value", "name"), "suffix": ("None", "None")})

    def reply(step: Ask) -> Answer:
        return REFUSED if step.request.sampling.n > 1 else plain(step)

    findings, asked = run(reply, Models((QWEN,), "llamacpp"), model=QWEN)
    assert len(asked) == 5
    assert findings.dialect.fim == "infill"
    assert found(findings, "FIM by infill")[0] == "ok"
    assert found(findings, "FIM by sentinel (qwen2.5-coder)")[1].startswith("not tried")


def test_both_suffixes_with_one_middle_are_an_ignored_suffix() -> None:
    """The left-to-right text differs, as it may on a server whose sums depend on its load."""
    findings, _ = run(by_way({"suffix": ("math.sqrt", "math.sqrt")}, onwards="None"))
    assert findings.dialect.fim == "none"
    assert found(findings, "FIM by suffix")[1].startswith("silently ignored: two suffixes")


def test_empty_middles_are_no_sign_that_the_suffix_is_ignored() -> None:
    """A weak model that ends its line at once, left-to-right and before one suffix."""
    findings, _ = run(by_way({"suffix": ("", '"/"')}, onwards=""))
    assert findings.dialect.fim == "suffix"


@pytest.mark.parametrize("leak", ["<|endoftext|>", "<|file_sep|>def", "<|fim_pad|><|fim_pad|>"])
def test_a_leaked_sentinel_is_cut_before_judging_and_warned_of(leak: str) -> None:
    """Sabotage: judge the text as it came."""
    findings, _ = run(by_way({"suffix": (STRONG[0] + leak, STRONG[1])}))
    assert found(findings, "FIM by suffix")[1].startswith("works")
    level, told = found(findings, "sentinel leakage")
    assert level == "warning"
    assert leak[: leak.index(">") + 1] in told


def test_no_leak_is_said_too() -> None:
    findings, _ = run(by_way({"suffix": STRONG}))
    assert found(findings, "sentinel leakage")[0] == "ok"


@pytest.mark.parametrize("prefer_chat", [False, True])
def test_use_chat_for_fim_decides_which_field_is_tried_first(prefer_chat: bool) -> None:
    """Sabotage: swap the two lists in ``_ways``."""
    findings, asked = run(by_way({"suffix": STRONG, "chat": STRONG}), prefer_chat=prefer_chat)
    assert findings.dialect.fim == ("chat" if prefer_chat else "suffix")
    assert {step.dialect.fim for step in asked[1:]} == {findings.dialect.fim}


def test_the_chat_fields_are_named_as_configured() -> None:
    findings, asked = run(by_way({"chat": STRONG}), prefer_chat=True, prefix_key="before", suffix_key="after")
    assert (findings.dialect.prefix_key, findings.dialect.suffix_key) == ("before", "after")
    assert asked[1].dialect.prefix_key == "before"


@pytest.mark.parametrize("mode", ["suffix", "chat", "infill", "vendor", "ollama"])
def test_a_pinned_mode_is_the_only_one_asked(mode: str) -> None:
    findings, asked = run(by_way({mode: STRONG, "starcoder": STRONG}), mode=mode)
    assert findings.dialect.fim == mode
    assert [step.dialect.fim for step in asked[1:]] == [mode, mode]


def test_a_pinned_mode_that_is_refused_cannot_be_used() -> None:
    """Every request of the run would be refused likewise. Sabotage: leave "refused" out of ``_without_proof``."""
    findings, _ = run(by_way({}), mode="suffix")
    with pytest.raises(FimUnavailable, match="pins suffix") as raised:
        findings.require_fim()
    assert "refused (HTTP 400): no" in raised.value.message
    assert "auto" in (raised.value.hint or "")


def test_a_pinned_mode_that_seems_ignored_is_used_and_warned_of() -> None:
    """The user may know better than two canaries."""
    findings, _ = run(by_way({"suffix": ("x", "x")}), mode="suffix")
    assert findings.dialect.fim == "suffix"
    level, told = found(findings, "FIM")
    assert level == "warning"
    assert "no proof" in told


def test_a_pinned_none_asks_nothing_and_says_so() -> None:
    findings, asked = run(by_way({"suffix": STRONG}), mode="none")
    assert len(asked) == 1
    with pytest.raises(FimUnavailable, match=r"api\.fim\.mode is none"):
        findings.require_fim()


def test_the_configured_family_goes_before_the_models_name() -> None:
    findings, asked = run(by_way({"starcoder": STRONG}), model=QWEN, family="starcoder", mode="sentinel")
    assert findings.dialect.family == "starcoder"
    assert {step.dialect.family for step in asked[1:]} == {"starcoder"}


def test_an_unknown_family_is_an_error_before_anything_is_sent() -> None:
    """Sabotage: leave the check out; the model's name would decide silently."""
    with pytest.raises(UsageError, match="starcodr") as raised:
        run(by_way({}), Models(()), family="starcodr")
    assert raised.value.hint == "did you mean starcoder?"


def test_ollama_without_a_fim_template_is_asked_with_raw_sentinels() -> None:
    findings, _ = run(by_way({"starcoder": STRONG}), Models((STAR,), "ollama"), model=STAR)
    assert (findings.dialect.fim, findings.dialect.l2r) == ("sentinel", "ollama")


def test_llama_cpp_pythons_suffix_is_never_asked() -> None:
    """It gives garbage that depends on the suffix, as a weak model's middles do."""
    server = Models((QWEN,), "llama-cpp-python")
    findings, asked = run(by_way({"suffix": STRONG, "qwen2.5-coder": ("a", "b")}), server, model=QWEN)
    assert findings.dialect.fim == "sentinel"
    assert "suffix" not in {step.dialect.fim for step in asked[1:]}
