"""What people see of an export: what it came to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from evoselfcode.terminal import output, printable

if TYPE_CHECKING:
    from evoselfcode.datagen.exporting.made import Made


def export_card(made: Made, folder: Path) -> None:
    """Print what was exported and where it is, on the standard output.

    Raises:
        OSError: It cannot be written to.
    """
    from rich.table import Table
    from rich.text import Text

    console = output()
    table = Table(box=None, pad_edge=False)
    for column in ("layout", *made.splits, "left out", "files", "MB"):
        table.add_column(column, justify="left" if column == "layout" else "right")
    for config in made.configs:
        size = sum(file.size for file in config.files)
        table.add_row(
            config.name,
            *(f"{config.rows(split):,}" for split in made.splits),
            f"{sum(config.left_out.values()):,}",
            f"{len(config.files):,}",
            f"{size / 1e6:,.1f}",
        )
    console.print(table)
    for remark in made.remarks:
        console.print(Text(f"warning: {printable(remark)}", style="yellow"), soft_wrap=True)
    console.print(Text(f"{made.rows:,} functions of {printable(made.source[0])}: {folder}"), soft_wrap=True)
