"""Find the functions of the installed standard library.

This file decides what the embedded model learns from: the functions that stand at the left margin of the standard
library's modules (about 2,600 of them, 2 MB), whole and in the order of the files' names. It refuses to know what is
learnt. Nothing is shipped and nothing is downloaded: the interpreter's own ``.py`` files are read.
"""

from __future__ import annotations

import hashlib
import os
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import msgspec

from evoselfcode.errors import UsageError

_PRUNED = frozenset({
    "__pycache__",
    "dist-packages",
    "distutils",
    "encodings",
    "ensurepip",
    "idlelib",
    "lib2to3",
    "site-packages",
    "test",
    "tests",
    "tkinter",
    "turtledemo",
})  # fmt: skip
_FUNCTION = re.compile(r"^(?:async[ ])?def[ ](?:.*\n)(?:(?:[ \t].*)?\n)*+", re.MULTILINE)
_FEWEST = 200  # a stripped interpreter has a handful of modules; a model of those would only look like one


class Corpus(msgspec.Struct, frozen=True):
    """The source text of every module the model learns from.

    Attributes:
        sources: Module texts, in the order of their file names.
        digest: Hash of all of them: the model's identity, beside the interpreter's version.
    """

    sources: tuple[str, ...]
    digest: str

    def functions(self) -> list[str]:
        """Cut out every function at the left margin, from ``def`` to its last line.

        Raises:
            UsageError: The interpreter comes without (enough of) the library's source files.
        """
        found = [match.group().rstrip() + "\n" for source in self.sources for match in _FUNCTION.finditer(source)]
        if len(found) < _FEWEST:
            raise UsageError(
                f"the embedded model learns from the standard library's source files, "
                f"and this Python has only {len(found)} functions of it",
                hint="use a Python that is installed with its .py files, or set base_url to a server",
            )
        return found


def read_corpus(root: Path | None = None) -> Corpus:
    """Read every module under `root` (default: the standard library of this interpreter).

    Files that are not UTF-8 or cannot be read are left out.
    """
    digest = hashlib.blake2b(digest_size=16)
    sources = []
    for path in _modules(root or Path(sysconfig.get_path("stdlib"))):
        try:
            data = path.read_bytes()
            sources.append(data.decode().replace("\r\n", "\n"))
        except (OSError, UnicodeDecodeError):
            continue
        digest.update(len(data).to_bytes(8, "big") + data)
    return Corpus(tuple(sources), digest.hexdigest())


def _modules(root: Path) -> Iterator[Path]:
    """List the ``.py`` files in an order that no file system can change.

    The folders are pruned in place while walking: sorting the walk itself would visit ``site-packages`` first.
    """
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _PRUNED)
        yield from (Path(folder, name) for name in sorted(files) if name.endswith(".py"))
