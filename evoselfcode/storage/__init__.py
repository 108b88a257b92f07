"""The only writer of files: journal, views, manifest."""

from evoselfcode.storage.entries import DUPLICATE, Draw, Entry, draw_of, make_entry
from evoselfcode.storage.files import PassingFile, atomic_write, digest_of, storage_errors
from evoselfcode.storage.folder import MANIFEST, RunFolder, take_lock
from evoselfcode.storage.history import compact, read_entries, read_once, settled_keys
from evoselfcode.storage.journal import Journal
from evoselfcode.storage.jsonl import Appender, Damage, plain
from evoselfcode.storage.layout import JOURNAL, generation_of, has_rows, journal_files
from evoselfcode.storage.manifest import Manifest, read_manifest, write_manifest
from evoselfcode.storage.rewriting import replace_journal, rewrite_journal
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
    "compact",
    "digest_of",
    "draw_of",
    "generation_of",
    "has_rows",
    "journal_files",
    "make_entry",
    "plain",
    "read_entries",
    "read_manifest",
    "read_once",
    "read_rows",
    "replace_journal",
    "rewrite_journal",
    "settled_keys",
    "storage_errors",
    "take_lock",
    "write_document",
    "write_manifest",
    "write_rows",
]
