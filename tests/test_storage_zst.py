"""Compressed files of lines: every reader can read them, and damage is noticed and costs one frame."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from evoselfcode.errors import StorageError
from evoselfcode.storage import Damage, atomic_write, read_rows
from evoselfcode.storage.zst import MAGIC, Framer, compressed, read_lines

LINES = [b'{"number":%d,"text":"%s"}\n' % (number, b"ab" * (number % 7)) for number in range(24)]
SMALL = 128
"""Bytes of a frame, so that a small file has several."""


def written(path: Path, lines: list[bytes], frame_bytes: int = SMALL) -> bytes:
    atomic_write(path, compressed(lines, frame_bytes=frame_bytes))
    return path.read_bytes()


def split(path: Path) -> tuple[list[bytes], list[Damage]]:
    found = list(read_lines(path))
    return [one for one in found if isinstance(one, bytes)], [one for one in found if isinstance(one, Damage)]


def starts(data: bytes) -> list[int]:
    """Return where the frames of a file begin, and its end."""
    found = [place for place in range(len(data)) if data.startswith((MAGIC, b"\x5e\x2a\x4d\x18"), place)]
    return [*found, len(data)]


def test_every_line_comes_back_and_other_readers_see_the_same(tmp_path: Path) -> None:
    """Sabotage: leave the newline between two frames out, or write the mark in front of the first frame."""
    path = tmp_path / "rows.jsonl.zst"
    data = written(path, LINES)
    assert len(starts(data)) > 6
    assert split(path) == (LINES, [])
    whole = b"".join(LINES)
    with zstandard.open(path, "rb") as file:
        assert file.read() == whole
    assert zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read() == whole


@pytest.mark.skipif(shutil.which("zstd") is None, reason="no zstd here")
def test_the_zstd_program_reads_and_tests_it(tmp_path: Path) -> None:
    """Sabotage: write the size in the header as one more than it is."""
    path = tmp_path / "rows.jsonl.zst"
    long = [b'{"text":"' + os.urandom(1_500_000).hex().encode() + b'"}\n']  # larger than a window
    written(path, [*LINES, *long, *LINES])
    done = subprocess.run(["zstd", "-dc", str(path)], capture_output=True, check=True)
    assert done.stdout == b"".join([*LINES, *long, *LINES])
    assert split(path) == ([*LINES, *long, *LINES], [])


@pytest.mark.parametrize("bit", [0, 3, 7])
def test_a_flipped_bit_is_noticed_wherever_it_is_and_costs_its_frame(tmp_path: Path, bit: int) -> None:
    """Sabotage: ``write_checksum=False``; or go on behind a bad frame by the sizes that it claims."""
    path = tmp_path / "rows.jsonl.zst"
    data = written(path, LINES)
    begins = starts(data)
    frames = [b for b in begins if data.startswith(MAGIC, b)]
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :])
        lines, damages = split(path)
        assert set(lines) <= set(LINES), place
        most = len(zstandard.ZstdDecompressor().decompressobj().decompress(data[frames[0] :]).splitlines())
        assert damages, place
        assert len(LINES) - len(lines) <= most + 2, place
        assert [line for line in LINES if line in lines] == lines
        with pytest.raises(StorageError, match=r"damaged|cut off"):
            list(read_lines(path, strict=True))


def test_a_cut_is_noticed_wherever_it_is_and_what_is_before_it_is_read(tmp_path: Path) -> None:
    """Sabotage: ask for no mark: a cut between two frames then looks like a shorter file."""
    path = tmp_path / "rows.jsonl.zst"
    data = written(path, LINES)
    begins = starts(data)
    for size in range(len(data)):
        path.write_bytes(data[:size])
        lines, damages = split(path)
        whole = sum(end <= size for end in begins[1:])
        assert lines == LINES[: len(lines)]
        assert (len(lines) > 0) == (whole > 0)
        [damage] = damages
        assert damage.offset == max([begin for begin in begins if begin <= size])
        assert damage.offset + damage.size == size
        with pytest.raises(StorageError):
            list(read_lines(path, strict=True))


@settings(max_examples=60, deadline=None)
@given(
    lines=st.lists(st.binary(max_size=40).map(lambda text: text.replace(b"\n", b"\r") + b"\n"), max_size=30),
    frame_bytes=st.integers(1, 300),
    hurt=st.data(),
)
def test_any_lines_survive_and_any_hurt_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], frame_bytes: int, hurt: st.DataObject
) -> None:
    """Sabotage: cut lines with ``splitlines``, which takes ``\\r`` for an end."""
    path = tmp_path_factory.mktemp("zst") / "rows.jsonl.zst"
    data = written(path, lines, frame_bytes)
    assert split(path) == (lines, [])
    begin = hurt.draw(st.integers(0, len(data) - 1))
    end = hurt.draw(st.integers(begin + 1, min(len(data), begin + 40)))
    put = hurt.draw(st.binary(max_size=40).filter(lambda put: put != data[begin:end]))
    path.write_bytes(data[:begin] + put + data[end:])
    found, damages = split(path)
    assert damages or found == lines
    assert set(found) <= set(lines)


def test_files_that_are_joined_are_one(tmp_path: Path) -> None:
    """Sabotage: count lines from the beginning of the file and not from the last mark."""
    path = tmp_path / "rows.jsonl.zst"
    once, twice = written(path, LINES), written(path, LINES[:3])
    path.write_bytes(once + twice + once)
    assert split(path) == ([*LINES, *LINES[:3], *LINES], [])


def test_files_of_other_writers_need_no_mark(tmp_path: Path) -> None:
    """Sabotage: report a missing end whoever wrote the file."""
    path, text = tmp_path / "rows.jsonl.zst", b"".join(LINES)
    for sized in (True, False):
        writer = zstandard.ZstdCompressor(write_checksum=True, write_content_size=sized)
        path.write_bytes(writer.compress(text) + writer.compress(text.rstrip(b"\n")))
        assert split(path) == ([*LINES, *LINES[:-1], LINES[-1].rstrip()], [])
    path.write_bytes(writer.compress(text[:-5]) + writer.compress(text[-5:]))  # a line over two frames
    lines, damages = split(path)
    assert damages
    assert set(lines) <= {*LINES, text[-5:]}


def test_no_file_is_read_as_lines_that_is_none(tmp_path: Path) -> None:
    """Sabotage: return nothing for a file that holds no frame."""
    path = tmp_path / "rows.jsonl.zst"
    for data in (b"", b"{}\n", b"\x28", os.urandom(5_000).replace(MAGIC, b"")):
        path.write_bytes(data)
        assert split(path) == ([], [Damage(0, len(data))])
    with pytest.raises(StorageError, match="cannot read"):
        list(read_lines(tmp_path / "none.jsonl.zst"))


def test_a_header_that_asks_for_a_terabyte_gets_nothing(tmp_path: Path) -> None:
    """Sabotage: hand the size that a header claims to the decoder as it is."""
    path = tmp_path / "rows.jsonl.zst"
    data = bytearray(written(path, LINES[:2]))
    data[5:13] = (1 << 40).to_bytes(8, "little")
    path.write_bytes(data)
    assert split(path)[0] == []
    path.write_bytes(MAGIC + b"\x04\xf8" + (b"\x02\x00\x10" + b"a") * 20_000)  # 20,000 times 128 KiB, and no end
    assert split(path)[0] == []


def test_rows_are_read_from_it_as_from_any_file_of_lines(tmp_path: Path) -> None:
    """Sabotage: open every file as text in ``read_rows``."""
    path = tmp_path / "rows.jsonl.zst"
    written(path, [*LINES[:2], b"no row\n", *LINES[2:4]])
    rows = list(read_rows(path, dict[str, object]))
    assert [row["number"] if isinstance(row, dict) else (row.offset, row.size) for row in rows] == [
        0, 1, (len(LINES[0] + LINES[1]), 7), 2, 3,
    ]  # fmt: skip
    plain = tmp_path / "rows.jsonl"
    plain.write_bytes(b"".join([*LINES[:2], b"no row\n", *LINES[2:4]]))
    assert list(read_rows(plain, dict[str, object])) == rows


def test_a_line_is_a_line() -> None:
    """Sabotage: take what has two newlines, or none."""
    framer = Framer()
    for text in (b"", b"a", b"a\nb\n", b"a\nb"):
        with pytest.raises(ValueError, match="newline"):
            framer.add(text)
