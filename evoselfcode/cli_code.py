"""The commands of Stage B: describe, skeleton, asserts, code, and the filters of code."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from evoselfcode.cli_options import load, quietly, with_arms, with_config, with_path, with_run_options, with_settings
from evoselfcode.shell import audit_in_shell, filter_in_shell, run_in_shell, with_filters

with_names = click.option(
    "--names",
    type=click.Path(path_type=Path),
    default=None,
    help="JSONL file with func_name to begin from; what the stage before has written if left out.",
)


@click.command("datagen-describe")
@with_config
@with_settings
@with_names
@with_run_options
def datagen_describe(config_path: Path, overrides: tuple[str, ...], names: Path | None, **how: Any) -> None:
    """Ask for a description of each name: a name alone makes a poor prompt for code."""
    from evoselfcode.datagen.code.describe import DESCRIBE

    config = load(config_path, with_path(overrides, "describe.names", names))
    run_in_shell(DESCRIBE, config, **how)


@click.command("datagen-skeleton")
@with_config
@with_settings
@with_names
@with_run_options
def datagen_skeleton(config_path: Path, overrides: tuple[str, ...], names: Path | None, **how: Any) -> None:
    """Ask for a typed signature and a docstring for each name and description."""
    from evoselfcode.datagen.code.skeleton import SKELETON

    config = load(config_path, with_path(overrides, "skeleton.names", names))
    run_in_shell(SKELETON, config, **how)


@click.command("datagen-asserts")
@with_config
@with_settings
@with_names
@with_run_options
def datagen_asserts(config_path: Path, overrides: tuple[str, ...], names: Path | None, **how: Any) -> None:
    """Ask for checks of each function, for the code that will be run against them."""
    from evoselfcode.datagen.code.asserts import ASSERTS

    config = load(config_path, with_path(overrides, "asserts.names", names))
    run_in_shell(ASSERTS, config, **how)


@click.command("datagen-code")
@with_config
@with_settings
@with_names
@with_arms
@with_run_options
def datagen_code(
    config_path: Path,
    overrides: tuple[str, ...],
    names: Path | None,
    arms: tuple[str, ...],
    **how: Any,
) -> None:
    """Write a function for each name, and keep the code that passes the filters.

    Run the same command again to resume: what is settled is never asked again. Names may be added meanwhile.
    """
    from evoselfcode.datagen.code.codegen import CODE
    from evoselfcode.datagen.code.filtering import require_libraries

    config = load(config_path, with_path(overrides, "codegen.names", names))
    require_libraries(config)
    then = partial(with_filters, config=config, quiet=how["quiet"])
    run_in_shell(CODE, config, arms, then=then, **how)


@click.command("filter-code")
@click.argument("runs", type=click.Path(path_type=Path), nargs=-1)
@with_config
@with_settings
@click.option(
    "--out", type=click.Path(path_type=Path), default=None, help="Folder to write into; the run's own if left out."
)
@quietly
def filter_code(
    runs: tuple[Path, ...], config_path: Path, overrides: tuple[str, ...], out: Path | None, quiet: bool
) -> None:
    """Filter what a code run drew, with the filters of today's configuration. No request is sent.

    RUNS are folders of code runs (default: the one below output.dir); of several, such as the shards of one run, the
    results are joined and duplicates are found across all of them.
    """
    config = load(config_path, overrides)
    folders = runs or (Path(config.output.dir) / "code",)
    filter_in_shell(folders, config, out=out, again=True, quiet=quiet)


@click.command("audit-filters")
@click.argument("corpus", type=click.Path(path_type=Path))
@with_config
@with_settings
@click.option(
    "--out", type=click.Path(path_type=Path), default=None, help="File to write the audit into, as JSON, besides."
)
def audit_filters(corpus: Path, config_path: Path, overrides: tuple[str, ...], out: Path | None) -> None:
    """Say what each gate drops of a corpus, and how many programs that are known to be good it loses.

    CORPUS is a JSONL file (.gz too): a line has `code`, or `prompt` with `canonical_solution`, `completion` or
    `samples`; `passed` says which are good. An audit.json in the folder of a code run goes into its report.
    """
    audit_in_shell(corpus, load(config_path, overrides), out)


STAGE_B = (datagen_describe, datagen_skeleton, datagen_asserts, datagen_code, filter_code, audit_filters)
"""The commands, in the order of the work."""
