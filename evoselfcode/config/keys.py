"""API keys: where they may come from, and where not.

A key comes from the environment, by ``${NAME}`` in the file, or from a file of its own. This file decides who else may
be able to read that file (nobody) and that no key stands on a command line, which everybody on the machine can see
(``ps``). No message shows a key.
"""

from __future__ import annotations

import errno
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from evoselfcode.config.plain_yaml import Path_, dotted
from evoselfcode.config.rules import api_key
from evoselfcode.errors import ConfigError

if TYPE_CHECKING:
    from evoselfcode.config.schema import RunConfig

    Config = TypeVar("Config", bound=RunConfig)

LONGEST = 65_536
"""Bytes of a file with a key at most; a longer one is another file."""

_FROM_ENVIRONMENT = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-)?\}")


def with_keys(config: Config) -> Config:
    """Return the configuration with the keys that it says are in files.

    Raises:
        ConfigError: A file cannot be read, others can read it too, or a key is given as well.
    """
    problems: dict[str, str] = {}
    rater = config.rating.api
    key = _read(("api",), config.api.api_key_file, config.api.api_key, problems)
    rater_key = _read(("rating", "api"), rater.api_key_file, rater.api_key, problems)
    if problems:
        raise ConfigError(list(problems), hint="; ".join(dict.fromkeys(filter(None, problems.values()))) or None)
    if key is not None:
        config = msgspec.structs.replace(config, api=msgspec.structs.replace(config.api, api_key=key))
    if rater_key is not None:
        rating = msgspec.structs.replace(config.rating, api=msgspec.structs.replace(rater, api_key=rater_key))
        config = msgspec.structs.replace(config, rating=rating)
    return config


ALONE = "it is to hold the key and nothing else, on one line"
"""What to do about a file with something else in it."""

_TO_READ = {
    errno.ENOENT: f"write the key into that file and chmod 600 it: {ALONE}",
    errno.ENOTDIR: "a part of the path is a file",
    errno.EACCES: "the file is to be this user's own, and so are the folders above it to be open to this user",
}
"""What to do about a file that cannot be read."""


def _read(section: Path_, name: str | None, given: str | None, problems: dict[str, str]) -> str | None:
    """Return the key that is in a file; ``None`` without one, and after noting what is wrong and how to mend it."""
    if name is None:
        return None
    where, path = dotted((*section, "api_key_file")), Path(name)
    if given:
        problems[f"{where}: {dotted((*section, 'api_key'))} is given too; take one of them out"] = ""
        return None
    try:
        kind = path.stat()
        text = path.read_bytes()[: LONGEST + 1] if stat.S_ISREG(kind.st_mode) else b""
        key = text.decode().strip()
    except OSError as error:
        whole = "" if path.is_absolute() else f", in {Path.cwd()}"
        hint = "~ is not filled in; ${HOME} is" if name.startswith("~") else _TO_READ.get(error.errno or 0, "")
        problems[f"{where}: cannot read {path}{whole}: {error.strerror or error}"] = hint
        return None
    except UnicodeDecodeError:
        problems[f"{where}: {path}: it is no text"] = ALONE
        return None
    trouble, hint = "it is no file" if not stat.S_ISREG(kind.st_mode) else None, "name a file that holds the key"
    if trouble is None and kind.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        trouble = f"others than you may read it (mode {stat.S_IMODE(kind.st_mode):04o}): chmod 600 {path}"
        hint = "a secret that Kubernetes mounts needs defaultMode: 0400 and no fsGroup"
    elif trouble is None:
        trouble = "it is empty" if not key else "it is too long" if len(text) > LONGEST else api_key(key)
        hint = ALONE
    if trouble:
        problems[f"{where}: {path}: {trouble}"] = hint
        return None
    return key


def on_the_command_line(path: Path_, value: Any) -> Iterator[Path_]:
    """Yield the key paths at which a setting of the command line has a key itself, not the name of a variable.

    Args:
        path: Where the setting is.
        value: What it is.
    """
    if path[-2:] == ("api", "api_key"):
        named = isinstance(value, str) and (not value or _FROM_ENVIRONMENT.fullmatch(value))
        if value is not None and not named:
            yield path
    elif isinstance(value, dict):
        for key, below in value.items():
            yield from on_the_command_line((*path, str(key)), below)


VISIBLE = (
    "a key on the command line is seen by everybody on this machine (ps); set a variable and write ${NAME} in the "
    "file, or name a file by api_key_file"
)
"""What to say of them."""
