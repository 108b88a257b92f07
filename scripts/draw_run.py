"""Draw docs/assets/run.svg: a real run of the names stage on the embedded model, and the doctor, in a terminal.

Both commands are run in a folder of their own; nothing is invented and nothing is cut. The times in the picture are
those of the machine that drew it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "assets" / "run.svg"
COLUMNS = 100
COMMANDS = (("datagen-names", "--config", "configs/datagen.yaml"), ("doctor",))


def main() -> None:
    """Run the commands and write the picture."""
    console = Console(record=True, width=COLUMNS, file=Path(os.devnull).open("w"), force_terminal=True)  # noqa: SIM115
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "configs").symlink_to(ROOT / "configs")
        for arguments in COMMANDS:
            console.print(Text("$ python -m evoselfcode.cli " + " ".join(arguments), style="bold green"))
            console.print(Text.from_ansi(_shown(arguments, folder)))
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_text(_offline(console.export_svg(title="evoselfcode", unique_id="run")), encoding="utf-8")


def _shown(arguments: tuple[str, ...], folder: str) -> str:
    """Return what a terminal shows of one command when it has ended."""
    environment = os.environ | {"COLUMNS": str(COLUMNS), "FORCE_COLOR": "1", "TERM": "xterm-256color"}
    command = [sys.executable, "-m", "evoselfcode.cli", *arguments]
    ended = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return ended.stdout.rstrip()


def _offline(svg: str) -> str:
    """Take the fonts out that rich would load from the network, and trailing white space; end with one newline."""
    without = re.sub(r"@font-face\s*\{.*?\}\s*", "", svg, flags=re.DOTALL)
    return "\n".join(line.rstrip() for line in without.strip().splitlines()) + "\n"


if __name__ == "__main__":
    main()
