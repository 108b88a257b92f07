"""Files of a dataset: rows become Parquet, lines of JSON, or compressed lines, in files of bounded size.

This file decides when a file is full and how a kind of file is written. It refuses to know what a row says. The same
rows give the same bytes: nothing of the time or of the machine is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol

import orjson

from evoselfcode.config.export_section import FilesKey
from evoselfcode.datagen.exporting.columns import Column
from evoselfcode.errors import UsageError
from evoselfcode.storage import storage_errors
from evoselfcode.storage.zst import Framer

ROWS_OF_A_GROUP = 4_096
BYTES_OF_A_GROUP = 16 * 1024 * 1024
"""Rows, and bytes of text, after which a row group of a Parquet file is written: what a layout keeps in memory."""

MEGABYTE = 1_000_000
NO_LIMIT = 1 << 62

Row = dict[str, Any]


class Written(NamedTuple):
    """One file: where it is, how many rows it holds, and how large they are before any compression."""

    path: Path
    rows: int
    raw_bytes: int


class _File(Protocol):
    """A file that is written."""

    def add(self, row: Row, most: int) -> int:
        """Take a row and return how many bytes it fills; take nothing if the file might grow beyond `most`, and
        return 0."""

    def close(self) -> None:
        """Write what is left, and end the file."""


class Shards:
    """Writes the rows of one layout and split, each file up to a size.

    Args:
        folder: The folder; it is there.
        split: How the files' names begin.
        kind: What is written.
        columns: What each row has.
        most: Most bytes of a file; a row that is larger makes a file of its own.
    """

    def __init__(self, folder: Path, split: str, kind: FilesKey, columns: Sequence[Column], most: int) -> None:
        self._folder, self._split, self._kind, self._most = folder, split, kind, most
        self._open = _opener(kind, columns)
        self._columns = columns
        self._file: _File | None = None
        self._handle: IO[bytes] | None = None
        self._written: list[Written] = []
        self._rows = self._raw = 0

    def add(self, row: Row) -> None:
        """Take a row.

        Raises:
            StorageError: It cannot be written.
        """
        with storage_errors(self._folder, "write into"):
            file = self._file or self._begin()
            size = file.add(row, self._most)
            if not size:
                self._end()
                size = self._begin().add(row, NO_LIMIT)
        self._rows += 1
        self._raw += size

    def close(self) -> list[Written]:
        """End the last file, and give all files their names: each says how many there are.

        Raises:
            StorageError: They cannot be written.
        """
        with storage_errors(self._folder, "write into"):
            self._end()
            named = []
            for number, (path, rows, raw) in enumerate(self._written):
                name = f"{self._split}-{number:05}-of-{len(self._written):05}.{self._kind}"
                named.append(Written(path.rename(self._folder / name), rows, raw))
            return named

    def abandon(self) -> None:
        """Close the file that is open, whatever becomes of it."""
        if self._handle is not None:
            self._handle.close()

    def _begin(self) -> _File:
        path = self._folder / f".{self._split}-{len(self._written):05}"
        self._handle = path.open("wb")
        self._file = self._open(self._handle)
        self._rows = self._raw = 0
        return self._file

    def _end(self) -> None:
        if self._file is None or self._handle is None:
            return
        self._file.close()
        self._handle.close()
        self._written.append(Written(Path(self._handle.name), self._rows, self._raw))
        self._file = self._handle = None


def require_libraries(kind: FilesKey) -> None:
    """Say what this kind of file needs and is not installed: before anything is written.

    Raises:
        UsageError: A library is not installed.
    """
    _opener(kind, ())


def _opener(kind: FilesKey, columns: Sequence[Column]) -> Callable[[IO[bytes]], _File]:
    match kind:
        case "jsonl":
            return _Lines
        case "jsonl.zst":
            Framer()
            return _CompressedLines
        case "parquet":
            schema = arrow_schema(columns)
            return lambda handle: _Parquet(handle, schema)


def line_of(row: Row) -> bytes:
    """Write a row as one line of JSON."""
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


class _Lines:
    def __init__(self, handle: IO[bytes]) -> None:
        self._handle, self._size = handle, 0

    def add(self, row: Row, most: int) -> int:
        line = line_of(row)
        if self._size and self._size + len(line) > most:
            return 0
        self._handle.write(line)
        self._size += len(line)
        return len(line)

    def close(self) -> None:
        self._handle.flush()


class _CompressedLines:
    def __init__(self, handle: IO[bytes]) -> None:
        self._handle, self._size = handle, 0
        self._framer = Framer()

    def add(self, row: Row, most: int) -> int:
        line = line_of(row)
        if self._size + self._framer.pending and self._size + self._framer.pending + len(line) > most:
            return 0
        self._size += self._handle.write(self._framer.add(line))
        return len(line)

    def close(self) -> None:
        self._handle.write(self._framer.end())
        self._handle.flush()


def arrow_schema(columns: Sequence[Column]) -> Any:
    """Return the Arrow schema of some columns.

    Raises:
        UsageError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet
    except ImportError as error:
        raise UsageError("Parquet files need pyarrow", hint='pip install "evoselfcode[export]"') from error
    message = pa.struct([("role", pa.string()), ("content", pa.string())])
    kinds = {"string": pa.string(), "bool": pa.bool_(), "int64": pa.int64(), "float64": pa.float64(),
             "strings": pa.list_(pa.string()), "messages": pa.list_(message)}  # fmt: skip
    return pa.schema([(column.name, kinds[column.kind]) for column in columns])


class _Parquet:
    """A Parquet file; rows wait for their row group."""

    def __init__(self, handle: IO[bytes], schema: Any) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._pa, self._schema, self._handle = pa, schema, handle
        self._writer = pq.ParquetWriter(handle, schema, compression="zstd", write_page_checksum=True)
        self._waiting: list[Row] = []
        self._size = 0

    def add(self, row: Row, most: int) -> int:
        size = len(orjson.dumps(list(row.values())))
        grown = self._handle.tell() + self._size + size
        if grown > most and (self._waiting or self._handle.tell() > 4):
            return 0
        self._waiting.append(row)
        self._size += size
        if len(self._waiting) >= ROWS_OF_A_GROUP or self._size >= BYTES_OF_A_GROUP:
            self._group()
        return size

    def close(self) -> None:
        self._group()
        self._writer.close()
        self._handle.flush()

    def _group(self) -> None:
        if not self._waiting:
            return
        arrays = [self._pa.array([row[field.name] for row in self._waiting], type=field.type) for field in self._schema]
        self._writer.write_table(self._pa.Table.from_arrays(arrays, schema=self._schema))
        self._waiting, self._size = [], 0
