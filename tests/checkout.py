"""What this checkout consists of: its files, the package's modules and who imports whom.

For the guard tests; it decides nothing.
"""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PACKAGE = "evoselfcode"
FOLDERS = (PACKAGE, ".ci", "benchmarks", "configs", "docs", "requirements", "scripts", "tests")
"""What an sdist holds, besides single files."""


@cache
def files() -> tuple[Path, ...]:
    """List the files under version control, and new ones that are not ignored; without git, what an sdist holds."""
    if (ROOT / ".git").exists():  # not that of a repository around an unpacked sdist
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
        found = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    else:
        found = [*ROOT.iterdir(), *(path for name in FOLDERS for path in (ROOT / name).rglob("*"))]
    return tuple(sorted(path for path in found if path.is_file() and "__pycache__" not in path.parts))


def texts(*suffixes: str) -> Iterator[tuple[str, str]]:
    """Yield (relative path, content) of every file that is text, or of those whose name ends so."""
    for path in files():
        if suffixes and not path.name.endswith(suffixes):
            continue
        data = path.read_bytes()
        if b"\0" not in data:
            yield path.relative_to(ROOT).as_posix(), data.decode()


def read(name: str) -> str:
    """Return the content of one file, by its path in the checkout."""
    return (ROOT / name).read_text(encoding="utf-8")


class Import(NamedTuple):
    """One module of the package imports a module; package modules are named without ``evoselfcode.``."""

    importer: str
    imported: str
    own: bool
    for_types: bool
    line: int


@cache
def modules() -> dict[str, ast.Module]:
    """Parse every module of the package, by its full name."""
    found = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


@cache
def imports() -> tuple[Import, ...]:
    """List every import of the package, those inside functions included."""
    return tuple(found for name, tree in modules().items() for found in _imports(name, tree))


def _imports(importer: str, tree: ast.Module) -> Iterator[Import]:
    guarded = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        for target in _targets(node):
            own = target.partition(".")[0] == PACKAGE
            yield Import(short(importer), short(target) if own else target, own, id(node) in guarded, node.lineno)


def _targets(node: ast.AST) -> list[str]:
    """Return what an import statement imports: the submodule, where ``from package import name`` names one."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    assert node.level == 0, f"relative import in line {node.lineno}"
    source = node.module or ""
    inner = [f"{source}.{alias.name}" for alias in node.names]
    return sorted({name if name in modules() else source for name in inner})


def short(module: str) -> str:
    """Drop the package's name from a module's, except for the package itself."""
    return module.removeprefix(PACKAGE + ".")


def within(module: str, room: str) -> bool:
    """Say whether `module` is `room` or in it."""
    return module == room or module.startswith(room + ".")


def table(document: str, name: str) -> list[list[str]]:
    """Return the body rows of the table that follows ``<!-- table: name -->``, one list of cells each."""
    _, marker, rest = document.partition(f"<!-- table: {name} -->")
    assert marker, f"there is no table {name!r}"
    lines = rest.strip().splitlines()[2:]
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().replace("\\|", "|") for cell in line.replace("\\|", "\0").strip("|").split("|")])
    return [[cell.replace("\0", "|") for cell in row] for row in rows]


def ticked(cell: str) -> list[str]:
    """Return what stands between backticks in a cell."""
    return cell.split("`")[1::2]
