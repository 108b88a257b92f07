"""What models say is read as it was written, by every reader of JSON; damage costs its own line and is told."""

from __future__ import annotations

import json
import shutil
import subprocess
from math import inf, nan
from pathlib import Path
from random import Random

import msgspec
import orjson
import pytest
from journal_lines import entry, lines, segments, settled_keys, write

from evoselfcode.records import Candidate, Choice, Completion, Failure, L2r, Outcome, Request, Sampling, Usage, Verdict
from evoselfcode.spans import Span
from evoselfcode.storage import (
    Damage,
    Entry,
    Journal,
    compact,
    draw_of,
    journal_files,
    make_entry,
    read_entries,
)

ODD = [chr(code) for code in (0, 8, 10, 13, 27, 34, 92, 0x85, 0x2028, 0x2029, 0xD800, 0xDFFF, 0xFFFE, 0x1F600)]
PLAIN = [*map(chr, range(32, 127)), *"äß漢字"]


def texts(count: int) -> list[str]:
    random = Random(10)
    made = ["".join(random.choices(random.choice([ODD, PLAIN, ODD + PLAIN]), k=random.randrange(30)))
            for _ in range(count)]  # fmt: skip
    return [*made, "x" * (1 << 20), "\ud83d" * 1000]


def readable(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def test_every_text_of_a_model_is_read_as_it_was_written(tmp_path: Path) -> None:
    """D10, 50,000 texts. Sabotages: split lines at U+2028 in ``_lines``; leave ``_utf8`` out for ``text``."""
    written = texts(50_000)
    journal = Journal(tmp_path)
    for number, text in enumerate(written):
        journal.append(entry(f"{number:032x}", text=text))
    journal.close(0.0)
    found = [one.draws[0].text for one in read_entries(tmp_path) if isinstance(one, Entry)]
    assert found == list(map(readable, written))
    assert sum(path.read_bytes().count(b"\n") for path in segments(tmp_path)) == len(written) + 1  # and its head


def odd_entry(number: int, value: float) -> Entry:
    """Make an entry in which a server put a number that is none, and half of a pair, wherever it can."""
    request = Request(key=f"{number:032x}", prompt=L2r("p"), sampling=Sampling(max_new_tokens=4), stage="s", arm="L2R")
    candidate = Candidate(
        arm="L2R", number=0, index=0, text="\ud800", raw_text="\udfff", finish_reason="\ud800", logprob=value,
        parts={"body": Span(1, 1, logprob=value, tail=value, least=value, first=value, mean=value)},
    )  # fmt: skip
    if number % 2:
        return make_entry(Outcome(request, Failure("server_error", "\ud800 é", 500, value), 1, 0.5), ())
    outcome = Outcome(request, Completion((Choice("x", "stop"),), Usage(3, 4), "m\ud800"), 1, 0.5)
    return make_entry(outcome, (draw_of(candidate, Verdict()),))


def test_every_line_is_strict_json_whatever_the_numbers(tmp_path: Path) -> None:
    """D11. Sabotages: keep a failure's ``retry_after`` as it came; journal ``model`` without ``_utf8``."""
    values = [nan, inf, -inf, -0.0, 1e308, 5e-324, 0.0, 1.0]
    made = [odd_entry(2 * number + odd, value) for number, value in enumerate(values) for odd in (0, 1)]
    write(tmp_path, *made)
    entries = [one for one in read_entries(tmp_path) if isinstance(one, Entry)]
    assert len(entries) == 16
    assert [one.draws[0].logprob for one in entries[::2]] == [None, None, None, 0.0, 1e308, 5e-324, 0.0, 1.0]
    assert [one.failure.retry_after for one in entries[1::2] if one.failure][:3] == [None, None, None]
    assert [one.failure for one in made] == [one.failure for one in entries]  # in memory as on disk
    assert [one.draws[0].logprob for one in made[::2]] == [one.draws[0].logprob for one in entries[::2]]
    (path,) = segments(tmp_path)

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    for line in path.read_bytes().splitlines():
        assert json.loads(line, parse_constant=refuse) == orjson.loads(line) == msgspec.json.decode(line)
    arrow = pytest.importorskip("pyarrow.json")
    assert arrow.read_json(str(path)).num_rows == 17
    if jq := shutil.which("jq"):
        subprocess.run([jq, ".", str(path)], check=True, capture_output=True)


def test_flipped_bits_and_cuts_cost_their_own_lines_and_are_told(tmp_path: Path) -> None:
    """D12: 1,000 flips, 2,000 cuts, zeros behind. Sabotages: let the decoder raise; tell no offset."""
    write(tmp_path, *(entry(f"{number:032x}", text=f"name_{number}") for number in range(8)))
    (path,) = segments(tmp_path)
    whole, begin, each = path.read_bytes(), journal_files(tmp_path)[0].begin, lines(tmp_path)
    intact = [one for one in read_entries(tmp_path) if isinstance(one, Entry)]
    places, random = [begin + sum(map(len, each[:number])) for number in range(9)], Random(12)
    for path_ in path.parent.glob("*.sealed.json"):
        path_.unlink()
    for _ in range(1000):
        at = random.randrange(begin, len(whole))
        broken = bytearray(whole)
        broken[at] ^= 1 << random.randrange(8)
        path.write_bytes(broken)
        found = list(read_entries(tmp_path))
        line = max(number for number in range(8) if places[number] <= at)
        lost = 2 if at == places[line + 1] - 1 and line < 7 else 1  # a line's end: the next is glued to it
        assert [one for one in found if isinstance(one, Entry)] == intact[:line] + intact[line + lost :]
        assert next(one.offset for one in found if isinstance(one, Damage)) == places[line]
        assert settled_keys(tmp_path) == {compact(one.key) for one in found if isinstance(one, Entry)}
    for _ in range(2000):
        at = random.randrange(begin, len(whole))
        path.write_bytes(whole[:at] + bytes(random.choice([0, 0, 1, 512])))
        found = list(read_entries(tmp_path))
        assert [one for one in found if isinstance(one, Entry)] == intact[: sum(place <= at for place in places[1:])]
        assert len([one for one in found if isinstance(one, Damage)]) <= 1
