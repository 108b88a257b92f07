"""The only writer of files: journal, views, manifest."""

from evoselfcode.storage.files import PassingFile, atomic_write, digest_of, storage_errors
from evoselfcode.storage.folder import JOURNAL, MANIFEST, RunFolder, take_lock
from evoselfcode.storage.journal import DUPLICATE, Draw, Entry, Journal, draw_of, make_entry, read_entries, read_once
from evoselfcode.storage.jsonl import Appender, Damage, plain
from evoselfcode.storage.manifest import Manifest, read_manifest, write_manifest
from evoselfcode.storage.views import read_rows, write_document, write_rows

__all__ = [
    "DUPLICATE",
    "JOURNAL",
    "MANIFEST",
    "Appender",
    "Damage",
    "Draw",
    "Entry",
    "Journal",
    "Manifest",
    "PassingFile",
    "RunFolder",
    "atomic_write",
    "digest_of",
    "draw_of",
    "make_entry",
    "plain",
    "read_entries",
    "read_manifest",
    "read_once",
    "read_rows",
    "storage_errors",
    "take_lock",
    "write_document",
    "write_manifest",
    "write_rows",
]
