"""What happens to newcomers: one clear message, the exit code that says whose move it is, and nothing is lost.

More of them, each where it belongs: Ctrl-C twice in test_signals.py and test_cli.py, a disk that is full or has no
room for a file in test_cli.py and test_storage_faults.py, two runs on one folder in test_cli.py, an output that goes
nowhere in test_cli_outlets.py.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from serve_process import serve
from signalled import settled

SMALL = ("--set", "namegen.num_requests=4", "--set", "model=evoselfcode-ngram", "--quiet")
LONGER = ("--set", "namegen.num_requests=60", "--set", "model=evoselfcode-ngram", "--quiet")


def run(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "evoselfcode.cli", "datagen-names", *arguments],
        cwd=folder, capture_output=True, text=True, check=False, timeout=120, env=os.environ | environ,
    )  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run that is complete."""
    made = tmp_path_factory.mktemp("made")
    (made / "configs").mkdir()
    (made / "configs" / "datagen.yaml").write_text("namegen:\n  temperature: 1.0\n")
    with serve() as server:
        assert run(made, *SMALL, "--set", f"api.base_url={server.url}").returncode == 0
    return made


@pytest.fixture
def begun(made: Path, tmp_path: Path) -> Path:
    """A folder of one's own with that run."""
    shutil.copytree(made, tmp_path / "begun")
    return tmp_path / "begun"


@pytest.mark.parametrize(
    ("address", "arguments", "code", "told"),
    [
        ("{url}/v2", (), 2, "HTTP 404"),
        ("http://127.0.0.1:9", (), 6, "check api.base_url"),
        ("http://no-such-host.invalid", (), 6, "check api.base_url"),
        ("127.0.0.1:8000", (), 2, "did you mean http://127.0.0.1:8000?"),
        ("{url}", ("--set", "model=evoselfcode-ngrm"), 2, "'evoselfcode-ngram' then, 'evoselfcode-ngrm' now"),
        ("{url}", ("--set", "model=evoselfcode-ngrm", "--set", "output.dir=new"), 2, "did you mean evoselfcode-ngram?"),
    ],
    ids=["wrong path", "wrong port", "wrong host", "no scheme", "another model", "wrong model"],
)
def test_a_wrong_address_or_model_is_one_message_and_touches_no_row(
    begun: Path, address: str, arguments: tuple[str, ...], code: int, told: str
) -> None:
    """Sabotage: let an error out as a traceback; set the run that is there aside."""
    before = settled(begun)
    with serve() as server:
        at = ("--set", f"api.base_url={address.format(url=server.url.removesuffix('/v1'))}")
        done = run(begun, *LONGER, *at, *arguments)
    one_message(done, code, told)
    assert settled(begun) == before


def one_message(done: subprocess.CompletedProcess[str], code: int, told: str) -> None:
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode == code, done.stderr
    assert len(errors) == 1, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("fault", "told"),
    [("401:1", "hint: set api.api_key"), ("401@20..100000", "the endpoint refuses the requests (HTTP 401)")],
    ids=["wrong key", "key revoked"],
)
def test_a_wrong_key_is_one_message_and_what_was_answered_is_kept(begun: Path, fault: str, told: str) -> None:
    before = settled(begun)
    with serve("--fault", fault) as server:
        done = run(begun, *LONGER, "--set", f"api.base_url={server.url}")
    one_message(done, 2, told)
    assert {entry.key for entry in settled(begun)} >= {entry.key for entry in before}
    if fault == "401:1":
        return
    with serve() as server:
        again = run(begun, *LONGER, "--set", f"api.base_url={server.url}")
    assert again.returncode == 0, again.stderr
    assert len(settled(begun)) == 120


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no file system here that nobody may write to")
def test_an_output_that_nobody_may_write_to_is_one_message(folder: Path) -> None:
    done = run(folder, *SMALL, "--set", "output.dir=/proc/evoselfcode")
    assert done.returncode == 5
    assert done.stderr.startswith("error: cannot create the folder /proc/evoselfcode")
    assert "Traceback" not in done.stderr


def test_a_folder_that_may_be_read_alone_is_one_message_and_keeps_its_rows(begun: Path) -> None:
    """A read-only mount, where one can be made. Sabotage: let OSError out of the lock."""
    before = settled(begun)
    mounted = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'
    command = [sys.executable, "-m", "evoselfcode.cli", "datagen-names", *LONGER]
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", mounted, "sh", str(begun / "data"), *command],
        cwd=begun, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    if done.stderr.startswith(("unshare: ", "mount: ")):
        pytest.skip(f"no mounts here: {done.stderr.strip()}")
    one_message(done, 5, "hint: the file system is read-only; set output.dir to one that is not")
    assert settled(begun) == before
