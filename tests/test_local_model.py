"""The embedded model as a language model: seeds, both arms, distributions that sum to one, honest prices."""

from __future__ import annotations

import keyword
import math
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from random import Random

import msgspec
import pytest

from evoselfcode.local.language import END, SPELL
from evoselfcode.local.lexer import lex
from evoselfcode.local.model import EmbeddedModel
from evoselfcode.records import Fim, L2r, Prompt, Sampling

HEAD = "This is an algorithm function.\n\ndef "
ARMS: list[Prompt] = [L2r(HEAD), Fim(HEAD, "():\n")]
GUIDE = Sampling(max_new_tokens=16, temperature=0.4, top_p=0.9, stop=("(", " ", "\n"))
PLAIN = msgspec.structs.replace(GUIDE, temperature=1.0, top_p=1.0)
MODEL = EmbeddedModel.load()


def names(prompt: Prompt, sampling: Sampling, requests: int, *, n: int = 4) -> list[str]:
    return [
        choice.text
        for number in range(requests)
        for choice in MODEL.generate(prompt, msgspec.structs.replace(sampling, n=n, seed=number * n)).choices
    ]


def eight(seed: int | None) -> Sampling:
    return msgspec.structs.replace(PLAIN, n=8, seed=seed)


@pytest.mark.parametrize("prompt", ARMS)
@pytest.mark.parametrize("sampling", [GUIDE, PLAIN])
def test_nine_in_ten_are_identifiers_and_the_same_seeds_give_the_same_names(prompt: Prompt, sampling: Sampling) -> None:
    """Sabotage: seed with ``Random()``."""
    drawn = names(prompt, sampling, 25)
    assert drawn == names(prompt, sampling, 25)
    assert sum(name.isidentifier() and not keyword.iskeyword(name) for name in drawn) >= 0.9 * len(drawn)
    assert len(set(drawn)) > 20


def test_the_middle_depends_on_the_suffix() -> None:
    """With ``():`` behind it, a name is mostly one of a function without arguments.

    Sabotage: weigh all ends alike in ``fill``.
    """
    alone, called, method = (names(prompt, PLAIN, 10) for prompt in (*ARMS, Fim(HEAD, "(self, *args):\n")))
    assert alone != called != method
    without = [math.exp(sum(lp for _, lp in MODEL.score(HEAD + name + "():\n")[-4:])) for name in called]
    before = [math.exp(sum(lp for _, lp in MODEL.score(HEAD + name + "():\n")[-4:])) for name in alone]
    assert sum(without) > 4 * sum(before)


def test_choice_i_has_the_seed_plus_i_so_closer_requests_repeat_each_other() -> None:
    """As vLLM draws them; sabotage: seed choice *i* with ``f"{seed}/{i}"``."""
    for prompt in ARMS:
        four = MODEL.generate(prompt, msgspec.structs.replace(PLAIN, n=4, seed=7)).choices
        ones = [MODEL.generate(prompt, msgspec.structs.replace(PLAIN, seed=7 + i)).choices[0] for i in range(4)]
        assert list(four) == ones
        assert len({choice.text for choice in four}) > 1


def test_negative_seeds_are_seeds_of_their_own_and_no_seed_is_another_each_time() -> None:
    """``Random(-1)`` draws as ``Random(1)`` does; sabotage: seed with the number itself."""
    drawn = {seed: MODEL.generate(ARMS[0], eight(seed)).choices[0].text for seed in range(-8, 9)}
    assert any(drawn[seed] != drawn[-seed] for seed in range(1, 9))
    unseeded = [MODEL.generate(ARMS[0], eight(None)) for _ in range(2)]
    assert unseeded[0] != unseeded[1]


@pytest.mark.parametrize("prompt", ARMS)
def test_temperature_zero_draws_the_same_for_every_seed(prompt: Prompt) -> None:
    greedy = msgspec.structs.replace(PLAIN, temperature=0.0, n=2)
    texts = {
        c.text for seed in range(4) for c in MODEL.generate(prompt, msgspec.structs.replace(greedy, seed=seed)).choices
    }
    assert len(texts) == 1


def test_greedy_takes_the_likeliest_token_each_time() -> None:
    text = MODEL.generate(L2r("import "), Sampling(max_new_tokens=4, temperature=0.0)).choices[0].text
    written = "import "
    for _, token in lex(text):
        likeliest = next(iter(MODEL.next_distribution(written)))
        assert token == likeliest
        written += token
    assert written != "import "


def test_the_distribution_of_the_next_token_sums_to_one_in_every_sort_of_place() -> None:
    """Sabotage: add the novel symbol's count after the total was taken (``_by_kind``)."""
    text = HEAD + "binary_search(a, x):\n    '''Find it.'''\n    lo = 0x1 + self.y  # no\n    return ünknown_wörd_9 (\n"
    tokens = [token for _, token in lex(text)]
    for place in range(len(tokens) + 1):
        distribution = MODEL.next_distribution("".join(tokens[:place]))
        assert math.fsum(distribution.values()) == pytest.approx(1.0, abs=1e-9)
        assert SPELL in distribution
        assert all(p > 0 for p in distribution.values())
    assert END in MODEL.next_distribution("def f():\n    return 1\n")


def test_a_texts_price_is_the_sum_of_prices_and_falls_into_two_at_any_token() -> None:
    """ln P(head) + ln P(rest | head) = ln P(whole), where the rest is asked for with the context that head leaves.

    Sabotage: cut the context to ``DEPTH - 1`` symbols in ``charged``.
    """
    text = HEAD + "merge_zzqyx(a, b):\n    return sorted(a + b, key=len)  # so\n"
    tokens = lex(text)
    whole = math.fsum(logprob for _, logprob in MODEL.score(text))
    language = MODEL._language
    for place in range(1, len(tokens)):
        head = "".join(token for _, token in tokens[:place])
        context, rest = MODEL._read(head)[0], 0.0
        for token in tokens[place:]:
            rest += language.charge(context, token)
            context = (context + language.encode([token]))[-8:]
        assert math.fsum(lp for _, lp in MODEL.score(head)) + rest == pytest.approx(whole, abs=1e-6)


@pytest.mark.parametrize("frame", ["def {}(", "x = {}\n", "    # {}\n", 'print("{}")\n'])
def test_an_unseen_word_pays_for_every_letter(frame: str) -> None:
    """No two unseen words share a flat price, so a perplexity means something.

    Sabotage: return ``escape`` alone from ``Language.charge``.
    """
    prices = []
    for word in ("qzxv", "qzxvqj", "qzxvqjwk", "qzxvqjwkqqzz"):
        assert all(text != word for _, text in MODEL._language._symbols)
        prices.append(sum(logprob for _, logprob in MODEL.score(frame.format(word))))
    assert prices == sorted(prices, reverse=True)
    assert all(a - b > 2 for a, b in pairwise(prices))  # two letters, more than a nat each


def test_code_is_likelier_than_the_same_tokens_in_disorder() -> None:
    code = "def add(a, b):\n    return a + b\n"
    tokens = [token for _, token in lex(code)]
    Random(1).shuffle(tokens)
    assert sum(lp for _, lp in MODEL.score(code)) > 20 + sum(lp for _, lp in MODEL.score("".join(tokens)))


def test_a_drawn_tokens_logprob_is_what_the_same_text_is_charged_whatever_the_temperature() -> None:
    """Sabotage: report the sharpened probability."""
    checked = 0
    for sampling in (GUIDE, PLAIN):
        for seed in range(10):
            choice = MODEL.generate(ARMS[0], msgspec.structs.replace(sampling, seed=seed, logprobs=0)).choices[0]
            charged = MODEL.score(HEAD + choice.text)[len(lex(HEAD)) :]
            if [token for token, _ in charged] == list(choice.tokens or ()):
                assert list(choice.logprobs or ()) == pytest.approx([lp for _, lp in charged], abs=1e-9)
                checked += 1
    assert checked >= 15  # a word that is spelled letter by letter may be cut into other tokens


def test_threads_that_ask_at_once_get_what_they_would_get_alone() -> None:
    """Sabotage: none in one line; the lock of the n-gram tables is what this test is for."""
    asked = [(ARMS[number % 2], msgspec.structs.replace(PLAIN, seed=number)) for number in range(40)]
    alone = [MODEL.generate(*item) for item in asked]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda item: MODEL.generate(*item), asked)) == alone


def test_one_process_loads_one_model() -> None:
    with ThreadPoolExecutor(4) as pool:
        assert {id(model) for model in pool.map(lambda _: EmbeddedModel.load(), range(4))} == {id(MODEL)}
