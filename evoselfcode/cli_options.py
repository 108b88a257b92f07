"""Options that several commands share."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from evoselfcode.config import RunConfig

with_config = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    default=Path("configs/datagen.yaml"),
    show_default=True,
    help="Configuration file.",
)
with_settings = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override one setting, e.g. namegen.n=8."
)
with_arms = click.option(
    "--arm",
    "arms",
    multiple=True,
    metavar="ARM",
    help="Run this arm of the configuration only; all if left out.",
)
with_new_run = click.option("--new-run", is_flag=True, help="Set the run in the output folder aside and begin anew.")
with_shard = click.option(
    "--shard",
    metavar="[I/]N",
    default=None,
    help="Ask part I, from 0, of N; the environment of a Job or an array says it if left out.",
)
with_retry = click.option(
    "--retry",
    type=click.Choice(["dead"]),
    default=None,
    help="Ask again for the requests that were given up, and for no others.",
)
quietly = click.option("--quiet", is_flag=True, help="Show no progress.")


def with_run_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of every command that asks: they go to ``run_in_shell`` as they are."""
    for option in (quietly, with_retry, with_new_run, with_shard):
        command = option(command)
    return command


def with_path(overrides: tuple[str, ...], key: str, path: Path | None) -> tuple[str, ...]:
    """Add an option that names a file as the setting that it is, quoted as YAML has it; ``None`` adds nothing."""
    if path is None:
        return overrides
    return (*overrides, f"{key}={json.dumps(str(path), ensure_ascii=False).replace('$', '$$')}")


def load(path: Path, overrides: tuple[str, ...]) -> RunConfig:
    """Read the configuration of a command.

    Raises:
        ConfigError: It cannot be used.
    """
    from evoselfcode.config import RunConfig

    return RunConfig.from_file(path, overrides=overrides)


DEFAULT = Path("configs/datagen.yaml")
"""The configuration that is read if none is named, where there is one."""

ADDRESS, KEY = "EVOSELFCODE_BASE_URL", "EVOSELFCODE_API_KEY"
"""The variables that ``configs/model.yaml`` reads."""


def on_its_own(
    path: Path | None, overrides: tuple[str, ...], base_url: str | None, model: str | None, environ: Mapping[str, str]
) -> RunConfig:
    """Read the configuration of a command that needs no file: an address will do.

    Where nothing else names an address, the environment does. To an address of the command line or of the environment
    goes the key of the environment, unless the file has one. Without a model, the one that the server lists is meant:
    the configuration's is then ``None``.

    Raises:
        ConfigError: It cannot be used.
    """
    import msgspec

    from evoselfcode.config import RunConfig
    from evoselfcode.config.load import read_file

    named = any(override.split("=")[0].strip() == "api.base_url" for override in overrides)
    if base_url is None and path is None and not named:
        base_url = environ.get(ADDRESS) or None
    path = path or (DEFAULT if DEFAULT.exists() else None)
    given = [*overrides]
    for key, value in (("api.base_url", base_url), ("model", model)):
        if value is not None:
            given.append(f"{key}={json.dumps(value, ensure_ascii=False).replace('$', '$$')}")
    document = read_file(path, given, environ)
    api = document.data.get("api")
    keyed = isinstance(api, dict) and (api.get("api_key") or api.get("api_key_file"))
    if base_url is not None and not keyed and ("api", "api_key") not in document.unset:
        given.append(f"api.api_key=${{{KEY}:-}}")
    listed = not document.data.get("model")
    config = RunConfig.from_file(path, overrides=[*given, "model=listed"] if listed else given, environ=environ)
    return msgspec.structs.replace(config, model=None) if listed else config
