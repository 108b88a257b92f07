"""Which walls hold is found out by trying; the filter of system calls answers as its table says."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

import pytest

from evoselfcode.datagen.sandbox import probe, walls
from evoselfcode.datagen.sandbox.inside import folder, kernel, landlock, seccomp
from evoselfcode.datagen.sandbox.walls import LEVELS, probe_level
from evoselfcode.errors import UsageError


def test_the_best_level_that_holds_is_taken() -> None:
    found = probe()
    assert found.level == next(level for level in LEVELS if probe_level(level)[0])
    assert found.user == walls.os.geteuid() or found.user == 65534


def test_landlock_is_there_wherever_the_kernel_has_it() -> None:
    """The one level that takes no privileges and no program must not be lost in silence."""
    if not landlock.abi():
        pytest.skip("the kernel has no Landlock")
    wall, why = probe_level("landlock")
    assert why == ""
    assert wall is not None
    assert wall.landlock == landlock.abi()


def test_what_was_missed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sabotages: return the last reason only; take ``rlimits`` without leave."""
    monkeypatch.setattr(walls, "probe_level", lambda level: (None, f"no {level} here"))
    with pytest.raises(UsageError) as caught:
        probe()
    assert [f"{level}: no {level} here" in str(caught.value) for level in LEVELS] == [True, True, True, False]
    assert "docs/explanation/sandbox.md" in str(caught.value)


def test_less_is_taken_only_when_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    monkeypatch.setattr(walls, "probe_level", lambda level: (None, tried.append(level) or "no"))
    with pytest.raises(UsageError):
        probe(least="namespaces")
    assert tried == ["bubblewrap", "namespaces"]
    monkeypatch.undo()
    only = probe_level("rlimits")[0]
    assert only is not None
    monkeypatch.setattr(walls, "probe_level", lambda level: (only, "") if level == "rlimits" else (None, "no"))
    found = probe(allow_rlimits_only=True)
    assert found.level == "rlimits"
    assert found.missed == (("bubblewrap", "no"), ("namespaces", "no"), ("landlock", "no"))


@pytest.mark.parametrize("program", ["", "exit 1", 'exec env -i PATH=$PATH "$@"'])
def test_an_installed_bwrap_proves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """A ``bwrap`` that does nothing, that fails, and that runs the program without any walls."""
    script = tmp_path / "bwrap"
    script.write_text(f'#!/bin/sh\nwhile [ $# -gt 0 ] && [ "${{1#*python}}" = "$1" ]; do shift; done\n{program}\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    wall, why = probe_level("bubblewrap")
    assert wall is None
    assert why


def test_a_level_that_lets_something_through_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sabotage: do not look at the outcomes of the attempts."""
    monkeypatch.setattr(walls, "ATTEMPTS", {"add": "succeeds(lambda: True)"})
    assert probe_level("landlock") == (None, "code in it can add")


def answer(program: bytes, machine: str, number: int, *arguments: int) -> int:
    """Run a filter as the kernel does (``linux/filter.h``), on one call; return what it answers."""
    data = struct.pack("<IIQ6Q", number, seccomp.ARCHITECTURES[machine], 0, *arguments, *[0] * (6 - len(arguments)))
    steps = [struct.unpack_from("<HBBI", program, at) for at in range(0, len(program), 8)]
    held = at = 0
    while True:
        code, yes, no, k = steps[at]
        at += 1
        if code == 0x20:
            held = struct.unpack_from("<I", data, k)[0]
        elif code == 0x54:
            held &= k
        elif code == 0x06:
            return int(k)
        else:
            holds = {0x15: held == k, 0x35: held >= k, 0x45: bool(held & k)}[code]
            at += yes if holds else no


ALLOW, REFUSE, UNKNOWN, KILL = 0x7FFF0000, 0x50001, 0x50026, 0x80000000
CALLS = {
    "x86_64": {"read": 0, "socket": 41, "kill": 62, "clone": 56, "socketpair": 53, "fcntl": 72, "ioctl": 16}
    | {"execve": 59, "ptrace": 101, "mount": 165, "prlimit": 302, "tgkill": 234, "prctl": 157, "connect": 42},
    "aarch64": {"read": 63, "socket": 198, "kill": 129, "clone": 220, "socketpair": 199, "fcntl": 25, "ioctl": 29}
    | {"execve": 221, "ptrace": 117, "mount": 40, "prlimit": 261, "tgkill": 131, "prctl": 167, "connect": 203},
}


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize(
    ("call", "arguments", "expected"),
    [
        ("read", (0,), ALLOW),
        ("socket", (1, 1), REFUSE),
        ("connect", (3,), REFUSE),
        ("execve", (), REFUSE),
        ("ptrace", (), REFUSE),
        ("mount", (), REFUSE),
        ("prctl", (38, 0), REFUSE),
        ("kill", (77, 9), ALLOW),
        ("kill", (78, 9), REFUSE),
        ("kill", (2**32 - 1, 9), REFUSE),
        ("kill", (0, 9), REFUSE),
        ("tgkill", (77, 77, 6), ALLOW),
        ("tgkill", (1, 1, 6), REFUSE),
        ("clone", (0x3D0F00,), ALLOW),
        ("clone", (17,), REFUSE),
        ("clone", (0x4000 | 0x100 | 17,), REFUSE),
        ("socketpair", (1, 1 | 0x80000), ALLOW),
        ("socketpair", (1, 2), REFUSE),
        ("socketpair", (2, 1), REFUSE),
        ("fcntl", (3, 1), ALLOW),
        ("fcntl", (3, 8), REFUSE),
        ("ioctl", (1, 0x5401), ALLOW),
        ("ioctl", (1, 0x5412), REFUSE),
        ("prlimit", (0, 9), ALLOW),
        ("prlimit", (1, 9), REFUSE),
    ],
)
def test_the_filter_answers(machine: str, call: str, arguments: tuple[int, ...], expected: int) -> None:
    """Sabotages: allow ``tgkill`` to anybody; jump one step further in ``socketpair``; swap the table's columns."""
    assert answer(seccomp.program(machine, pid=77), machine, CALLS[machine][call], *arguments) == expected


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_what_is_not_in_the_table_is_refused_or_unknown(machine: str) -> None:
    program = seccomp.program(machine, pid=77)
    other = "x86_64" if machine == "aarch64" else "aarch64"
    assert answer(program, machine, 435) == UNKNOWN  # clone3: glibc falls back to clone
    assert answer(program, machine, 462) == UNKNOWN
    assert answer(program, machine, 0x40000000 + 41) == UNKNOWN
    assert {answer(program, machine, number) for number in range(424, 435)} == {REFUSE}
    assert answer(program, other, 0) == KILL
    assert len(program) // 8 <= 4096


def test_a_folder_is_emptied_however_it_was_filled(tmp_path: Path) -> None:
    """Sabotages: follow links; do not move folders to the top."""
    kept = tmp_path / "kept"
    kept.write_text("x")
    filled = tmp_path / "filled"
    filled.mkdir()
    (filled / "link").symlink_to(tmp_path, target_is_directory=True)
    (filled / "closed").mkdir(0)
    here = Path.cwd()
    try:
        os.chdir(filled)
        for _ in range(3000):  # deeper than a path or Python's stack can be
            Path("deep").mkdir()
            os.chdir("deep")
        Path("file").write_text("x")
    finally:
        os.chdir(here)
    try:
        folder.empty(str(filled))
        assert list(filled.iterdir()) == []
        assert kept.read_text() == "x"
    finally:
        subprocess.run(["rm", "-rf", filled], check=True)  # pytest could not: it is too deep


def test_no_call_is_made_on_an_unknown_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "machine", lambda: "riscv64")
    assert landlock.abi() == 0
    with pytest.raises(OSError, match="riscv64"):
        seccomp.install(1)
    with pytest.raises(OSError, match="riscv64"):
        kernel.call("unshare", 0)
