"""Landlock: which files a process may still open, from here on and for all it starts.

The bits and the structures are those of ``linux/landlock.h``; which ABI brought which, ``Documentation/userspace-api/
landlock.rst``. What a kernel does not know is not asked of it: the filter of :mod:`.seccomp` stands behind.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable

from evoselfcode.datagen.sandbox.inside import kernel

WRITE_FILE, READ_FILE, READ_DIR = 1 << 1, 1 << 2, 1 << 3
REMOVE_DIR, REMOVE_FILE, MAKE_DIR, MAKE_REG = 1 << 4, 1 << 5, 1 << 7, 1 << 8
TRUNCATE = 1 << 14

RIGHTS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many rights on files an ABI handles: 13 at first, then REFER (2), TRUNCATE (3) and IOCTL_DEV (5)."""

TCP_SINCE, SCOPES_SINCE = 4, 6
"""ABIs that brought binding and connecting of TCP, and the scopes: abstract sockets, signals."""

_READS = READ_FILE | READ_DIR
_WRITES = _READS | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG
_OF_FILES = WRITE_FILE | READ_FILE | TRUNCATE
_PATH = os.O_PATH | os.O_CLOEXEC if hasattr(os, "O_PATH") else 0


def abi() -> int:
    """Return the kernel's Landlock ABI, 0 if it has none or it is switched off."""
    try:
        return kernel.call("landlock_create_ruleset", None, 0, 1)
    except (OSError, AttributeError):
        return 0


def rules(version: int, reads: Iterable[str], writes: Iterable[str]) -> int:
    """Make a set of rules: everything that the ABI handles is denied but for these paths.

    Args:
        version: What :func:`abi` gave, 1 or more.
        reads: Files and folders, to be read with all that is in them; a path that does not exist is left out.
        writes: Folders in which files and folders may be made, changed and removed.

    Returns:
        A file descriptor, for :func:`restrict`.

    Raises:
        OSError: The kernel refused.
    """
    handled = (1 << RIGHTS_BY_ABI[min(version, 5)]) - 1
    attributes = struct.pack("<QQQ", handled, 3, 3)
    size = 24 if version >= SCOPES_SINCE else 16 if version >= TCP_SINCE else 8
    ruleset = kernel.call("landlock_create_ruleset", attributes[:size], size, 0)
    for path in reads:
        _allow(ruleset, path, _READS & handled)
    for path in writes:
        _allow(ruleset, path, (_WRITES | TRUNCATE) & handled)
    return ruleset


def restrict(ruleset: int) -> None:
    """Hold the calling thread, and what it starts, to a set of rules; for good.

    Raises:
        OSError: The kernel refused, as it does without ``kernel.take_no_new_privileges``.
    """
    kernel.call("landlock_restrict_self", ruleset, 0)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        opened = os.open(path, _PATH)
    except OSError:
        return
    try:
        if not os.path.isdir(path):  # noqa: PTH112 - pathlib is not loaded here
            rights &= _OF_FILES
        kernel.call("landlock_add_rule", ruleset, 1, struct.pack("<Qi", rights, opened), 0)
    finally:
        os.close(opened)
