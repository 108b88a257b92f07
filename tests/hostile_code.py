"""Hostile code: what a model, or somebody who would hurt the run, may write where a function is asked for.

Everything is drawn from one seed. For the gates, which have to give a verdict for each, and for whoever has to show
that judging them does not hold up an event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count, islice
from random import Random

BIG = 2_000_000
"""Letters of the longest monsters."""

Monster = Callable[[Random, int], str]


def f(body: str) -> str:
    return f"def f(x):\n    {body}\n"


def big_list(random: Random, size: int) -> str:
    return f("return [" + "1, " * size + "]")


def long_sum(random: Random, size: int) -> str:
    return f("return " + "x + " * size + "x")


def attributes(random: Random, size: int) -> str:
    return f("return x" + random.choice([".a", "[0]", "()"]) * size)


def unary(random: Random, size: int) -> str:
    return f("return " + random.choice(["-", "~", "not ", "- -"]) * size + "x")


def nested(random: Random, size: int) -> str:
    opening, closing = random.choice(
        ["()", "[]", "{}", ("(", ""), ("lambda: ", ""), ("[x for x in ", "]"), ("f(", ")")]
    )
    return f("return " + opening * size + "x" + closing * size)


def blocks(random: Random, size: int) -> str:
    head = random.choice(["if x:", "for x in x:", "while x:", "def g(x):", "class A:", "try:", "with x:"])
    return "def f(x):\n" + "".join(" " * depth + head + "\n" for depth in range(1, min(size, 1_000)))


def elifs(random: Random, size: int) -> str:
    branches = "".join(f"    elif x == {number}:\n        return {number}\n" for number in range(min(size, 5_000)))
    return f"def f(x):\n    if x:\n        return 1\n{branches}"


def digits(random: Random, size: int) -> str:
    return f("return " + random.choice(["9", "0x" + "f", "0b1", "1e", "1_0", "1j", "0.", "0o7"]) + "1" * size)


def text(random: Random, size: int) -> str:
    return f("return " + random.choice(['"', "'", '"""', "'''", 'f"', 'rb"', 'f"{', "f'''{{"]) + "a\\" * size)


def quotes(random: Random, size: int) -> str:
    return f(random.choice(["'", '"', "'\"", '"""', "''' \"\"\" ", "\\", "\\\n", '"\\\n']) * size)


def f_strings(random: Random, size: int) -> str:
    depth = min(size, 200)
    return f('return f"' + "{f'" * depth + "x" + "'}" * depth + '"')


def strange(random: Random, size: int) -> str:
    letter = random.choice("\0\ud800\udfff\ufeff\x0c\r\t\x1a\u2028\u202e\u2066\u00a0\ufffdßαｆ𝐱\U0010ffff")
    return f("return x" + letter * random.choice([1, 2, min(size, 5_000)]) + random.choice(["", "\n", " + 1"]))


def scattered(random: Random, size: int) -> str:
    code = list(f("x = [1, 2, 3]\n    return {'a': f\"{x}\"}  # end"))
    for _ in range(random.randint(1, 8)):
        letter = random.choice("\0\ud800\ufeff\x0c\r\t \n\\'\"()[]{}#:;@`$?!\u202e\u0301²ªŉ")
        code.insert(random.randrange(len(code) + 1), letter)
    return "".join(code)


def soup(random: Random, size: int) -> str:
    pieces = [
        "def ",
        "f(",
        "x",
        "):",
        "\n",
        "    ",
        "return ",
        '"',
        "'''",
        "#",
        "\\",
        "class ",
        "async ",
        "lambda ",
        "*",
    ]
    pieces += [
        "@",
        "import ",
        "=",
        ":=",
        "match ",
        "case _:",
        "yield ",
        "await ",
        "```",
        "<|endoftext|>",
        "{",
        "]",
        "0x",
    ]
    return "".join(random.choices(pieces, k=min(size, 5_000)))


def one_line(random: Random, size: int) -> str:
    return f("return " + random.choice(["a" * size, " " * size + "1", "x;" * size, "#" * size, "x," * size]))


def lines(random: Random, size: int) -> str:
    line = random.choice(["\n", "\r", "\r\n", "    \n", "    x = 1\n", "    # no\n", "\f\n", "x\n", "    '''\n"])
    return "def f(x):\n" + line * size + "    return x\n"


def arguments(random: Random, size: int) -> str:
    names = ", ".join(f"x{number}" for number in range(min(size, 3_000)))
    return f"def f({names}):\n    return {names}\n"


def baits(random: Random, size: int) -> str:
    bait = random.choice(
        ["a@", "1.", "sk-", "a." * 9, "key='", "(c) ", "# todo", "1.2.3.", "eyJ", "A@a.", "x.__", "```\n"]
    )
    return f("return x  " + random.choice(["# ", "", '"']) + bait * size)


def declared(random: Random, size: int) -> str:
    names = ", ".join(f"n{number}" for number in range(min(size, 2_000)))
    return f(f"{random.choice(['global', 'nonlocal', 'del', 'import'])} {names}\n    return x")


def matched(random: Random, size: int) -> str:
    return f("match x:\n        case " + "[" * min(size, 150) + "y" + "]" * min(size, 150) + ":\n            return y")


MONSTERS: tuple[Monster, ...] = (
    *(big_list, long_sum, attributes, unary, nested, blocks, elifs, digits, text, quotes, f_strings, strange),
    *(scattered, soup, one_line, lines, arguments, baits, declared, matched),
)
SIZES = (1, 10, 100, 900, 3_000, 10_000, 100_000)
"""Repetitions of what makes the monster one: some pass the gates of length, some run the parser out of its stack."""


def monsters(number: int, seed: int) -> Iterator[str]:
    """Yield `number` monsters, the kinds taking turns; the same for the same seed, none above :data:`BIG` letters."""
    yield from islice((MONSTERS[turn % len(MONSTERS)](*_draw(seed, turn))[:BIG] for turn in count()), number)


def _draw(seed: int, turn: int) -> tuple[Random, int]:
    random = Random(f"{seed}/{turn}")
    if turn % 97 == 0:
        return random, BIG
    return random, random.choice(SIZES)
