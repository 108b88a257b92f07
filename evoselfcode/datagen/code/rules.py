"""From the configuration to what code is judged by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from evoselfcode.config import RunConfig
from evoselfcode.datagen.code.examiner import Rules
from evoselfcode.datagen.filters.contamination import Index
from evoselfcode.datagen.filters.gates import Limits
from evoselfcode.datagen.filters.hashes import nameless_hash_of
from evoselfcode.errors import ConfigError, StorageError
from evoselfcode.storage import Damage, read_rows


def rules_of(config: RunConfig, *, checks: bool = False) -> Rules:
    """Return how drafts are looked at.

    Args:
        config: The configuration.
        checks: Whether functions will be run.

    Raises:
        ConfigError: A file of ``filters.contamination`` cannot be read, or holds no tasks.
    """
    filters = config.filters
    values = {name: getattr(filters, name) for name in Limits.__struct_fields__ if name not in ("off", "parse")}
    tasks = tuple((name, read_known_tasks(Path(name))) for name in filters.contamination)
    return Rules(
        limits=Limits(**values, off=filters.disabled_gates, parse=filters.enable_ast),
        trim=config.codegen.on_length == "trim",
        tasks=tasks,
        checks=checks,
    )


def read_known_tasks(path: Path) -> tuple[dict[str, str], ...]:
    """Read tasks that must not be in the data; fields of other types than text are passed over.

    Raises:
        ConfigError: The file cannot be read, or a line has no text that is known to be a task's.
    """
    hint = "filters.contamination names JSONL files of tasks, such as a benchmark's own"
    rows = []
    if not path.is_file():
        raise ConfigError([f"{path} is no file"], hint=hint)
    try:
        for number, row in enumerate(read_rows(path, dict[str, Any]), 1):
            if isinstance(row, Damage):
                raise ConfigError([f"{path} line {number}: is no JSON object"], hint=hint)
            rows.append({key: value for key, value in row.items() if isinstance(value, str)})
        Index.of_rows(path.name, rows, nameless_hash_of)
    except StorageError as error:
        raise ConfigError([error.message], hint=hint) from None
    except ValueError as error:
        raise ConfigError([f"{path}: {error}"], hint=hint) from None
    return tuple(rows)


def settings_of(config: RunConfig) -> dict[str, Any]:
    """Return the settings that decide which code is kept, as they are written beside the result."""
    kept: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(config.filters))
    return kept | {"on_length": config.codegen.on_length}
