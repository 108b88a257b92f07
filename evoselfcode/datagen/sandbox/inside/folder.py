"""Emptying a folder that hostile code has filled: deep, wide, closed to its owner."""

from __future__ import annotations

import os


def empty(folder: str) -> None:
    """Remove everything in a folder. Depth is no matter: folders are moved to the top before they are entered.

    Args:
        folder: It stays. Links in it are removed, not followed.
    """
    number = 0
    while entries := _entries(folder):
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)  # noqa: PTH108 - pathlib is not loaded here
                continue
            os.chmod(entry.path, 0o700)  # noqa: PTH101
            for inner in _entries(entry.path):
                if inner.is_dir(follow_symlinks=False):
                    os.chmod(inner.path, 0o700)  # noqa: PTH101
                    number += 1
                    os.rename(inner.path, f"{folder}/.moved-{os.getpid()}-{number}")  # noqa: PTH104
                else:
                    os.unlink(inner.path)  # noqa: PTH108
            os.rmdir(entry.path)  # noqa: PTH106


def _entries(folder: str) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as found:
        return list(found)
