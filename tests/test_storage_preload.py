"""fdatasync that really fails: a library in front of the C library's own, where a compiler can make one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
int until_failure = 0;
int fdatasync(int descriptor) {
    if (until_failure > 0 && --until_failure == 0) { errno = EIO; return -1; }
    return ((int (*)(int)) dlsym(RTLD_NEXT, "fdatasync"))(descriptor);
}
"""

CHILD = """
import ctypes, sys
from pathlib import Path
from journal_lines import entry, keys
from evoselfcode.storage import Journal, journal_files
counter = ctypes.c_int.in_dll(ctypes.CDLL(sys.argv[2]), "until_failure")
for point in range(1, 51):
    folder = Path(sys.argv[1]) / str(point)
    journal = Journal(folder)
    counter.value = point
    acknowledged = []
    for number in range(point + 2):
        journal.append(entry(f"{number:02}"))
        acknowledged += journal.commit(0.0)
    assert counter.value == 0, point
    journal.close(0.0)
    assert acknowledged == [f"{number:02}" for number in range(point + 2)]
    assert set(keys(folder)) == set(acknowledged), point
    assert [segment.name.part for segment in journal_files(folder)] == [1, 2], point
print("done")
"""


def test_a_sync_that_fails_once_costs_no_row_at_50_points(tmp_path: Path) -> None:
    """D6 with a shim (LD_PRELOAD); by the seam it is in test_storage_faults. Sabotage: go on with the same file."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("no compiler")
    (tmp_path / "shim.c").write_text(SHIM)
    shim = tmp_path / "shim.so"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", str(shim), str(tmp_path / "shim.c"), "-ldl"],
        check=True,
        capture_output=True,
    )
    environ = os.environ | {"LD_PRELOAD": str(shim), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", CHILD, str(tmp_path / "runs"), str(shim)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
