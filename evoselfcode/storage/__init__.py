"""The only writer of files: journal, views, manifest."""

from evoselfcode.storage.blocks import Block, Group
from evoselfcode.storage.entries import DUPLICATE, Draw, Entry, draw_of, make_entry
from evoselfcode.storage.files import PassingFile, atomic_write, digest_of, storage_errors
from evoselfcode.storage.folder import MANIFEST, RunFolder, take_lock
from evoselfcode.storage.history import read_entries, read_once, recapped
from evoselfcode.storage.journal import Journal
from evoselfcode.storage.jsonl import Appender, Damage, plain
from evoselfcode.storage.keys import DIGEST, Digests, compact, split
from evoselfcode.storage.layout import JOURNAL, generation_of, has_rows, journal_files
from evoselfcode.storage.manifest import Manifest, read_manifest, write_manifest
from evoselfcode.storage.rewriting import replace_journal, rewrite_journal
from evoselfcode.storage.views import read_rows, write_document, write_rows

__all__ = [
    "DIGEST",
    "DUPLICATE",
    "JOURNAL",
    "MANIFEST",
    "Appender",
    "Block",
    "Damage",
    "Digests",
    "Draw",
    "Entry",
    "Group",
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
    "recapped",
    "replace_journal",
    "rewrite_journal",
    "split",
    "storage_errors",
    "take_lock",
    "write_document",
    "write_manifest",
    "write_rows",
]
