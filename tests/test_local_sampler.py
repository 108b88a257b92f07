"""Where drawn texts end, and that a middle is drawn from P(middle | prefix, suffix)."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import msgspec
import pytest

from evoselfcode.local.language import Language
from evoselfcode.local.lexer import lex
from evoselfcode.local.model import EmbeddedModel
from evoselfcode.local.store import build_index
from evoselfcode.records import Choice, Fim, L2r, Prompt, Sampling

TINY = EmbeddedModel(
    Language(
        build_index(
            ["def get_a():\n    pass\n"] * 6
            + ["def get_b(x):\n    pass\n"] * 6
            + ["def put_a(x):\n    return x\n"] * 4
            + ["def put_c():\n    pass\n"] * 2
            + ["def main():\n    pass\n", "def get():\n    pass\n"]
        )
    ),
    "tiny",
)
NAME = Sampling(max_new_tokens=8, stop=("(",), seed=0)


def draw(prompt: Prompt, **changes: object) -> Choice:
    return TINY.generate(prompt, msgspec.structs.replace(NAME, **changes)).choices[0]  # type: ignore[arg-type]


def test_a_middle_is_drawn_as_often_as_bayes_says() -> None:
    """P(middle | prefix, suffix) from the charges of whole texts, against 800 draws.

    Sabotage: leave the suffix's price out of the weights, or let a draft end at its last token only.
    """
    exact = {}
    parts = ["get", "put", "main", "_", "a", "b", "c"]
    for length in range(5):
        for middle in map("".join, itertools.product(parts, repeat=length)):
            tokens = TINY.score("def " + middle + "():")
            if "".join(token for token, _ in tokens) and len(lex("def " + middle)) == 2 + length:
                exact[middle] = math.exp(sum(logprob for _, logprob in tokens[2:]))
    total = sum(exact.values())
    drawn = Counter(draw(Fim("def ", "():"), seed=seed, stop=("(",)).text for seed in range(800))
    likely = sorted(exact, key=exact.__getitem__, reverse=True)[:4]
    assert {"get_a", "put_c"} <= set(likely)
    for middle in likely:
        assert drawn[middle] / 800 == pytest.approx(exact[middle] / total, abs=0.06)


def test_the_likeliest_middle_is_taken_at_temperature_zero() -> None:
    assert draw(Fim("def ", "():"), temperature=0.0).text == "get_a"
    assert draw(Fim("def ", "(x):"), temperature=0.0).text == "get_b"
    assert draw(Fim("def put_", "(x):"), temperature=0.0).text == "a"


def test_an_empty_suffix_is_no_suffix() -> None:
    assert draw(Fim("def ", ""), seed=5) == draw(L2r("def "), seed=5)


@pytest.mark.parametrize(
    ("stop", "text"),
    [
        ((":",), "get_a()"),
        (("():",), "get_a"),  # begins in one token and ends in another
        (("a()", "t_"), "ge"),  # the one that comes first in the text
        (("zz", ")"), "get_a("),
        (("et",), "g"),  # inside a token
        (("get",), ""),
        (("pass\n", "ss"), "get_a():\n    pa"),
    ],
)
def test_a_stop_string_ends_the_text_before_it_wherever_tokens_begin(stop: tuple[str, ...], text: str) -> None:
    """Sabotage: look for stop strings in the new token alone."""
    sampling = Sampling(max_new_tokens=20, temperature=0.0, stop=stop, logprobs=0)
    draft = TINY.drafts(L2r("def "), sampling)[0]
    assert (draft.text, draft.finish) == (text, "stop")
    assert draft.stop in stop
    assert "get_a():\n    pass\n".startswith(text + str(draft.stop))
    assert len(draft.tokens) == len(draft.logprobs) == len(draft.contexts) - 1
    assert "".join(draft.tokens).startswith(text)
    assert draft.drawn >= len(draft.tokens)


def test_why_a_text_ended() -> None:
    whole = Sampling(max_new_tokens=30, temperature=0.0)
    ended = TINY.drafts(L2r("def main():\n"), whole)[0]
    assert (ended.text, ended.finish, ended.stop) == ("    pass\n", "stop", None)
    cut = TINY.drafts(L2r("def "), msgspec.structs.replace(whole, max_new_tokens=3))[0]
    assert (cut.text, cut.finish, cut.drawn) == ("get_a", "length", 3)
    none = TINY.drafts(L2r("def "), msgspec.structs.replace(whole, max_new_tokens=0))[0]
    assert (none.text, none.tokens, none.finish, none.drawn) == ("", [], "length", 0)


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_a_middle_is_never_longer_than_asked_for(limit: int) -> None:
    for seed in range(30):
        draft = TINY.drafts(Fim("def ", "():"), msgspec.structs.replace(NAME, max_new_tokens=limit, seed=seed))[0]
        assert len(draft.tokens) <= draft.drawn <= limit
        assert (draft.finish == "length") == (len(draft.tokens) == limit)


def test_a_middle_does_not_hold_part_of_a_token_that_a_stop_string_cut() -> None:
    """Sabotage: count all tokens as whole in ``_whole_tokens``."""
    middles = {draw(Fim("def ", "():"), seed=seed, stop=("ut", "ai")).text for seed in range(100)}
    assert middles
    assert not {middle for middle in middles if middle.startswith(("p", "m"))}
