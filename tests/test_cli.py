"""The command line as a process: exit codes, messages, signals, kills, full disks."""

from __future__ import annotations

import json
import random
import re
import resource
import select
import signal
import subprocess
import sys
from pathlib import Path

import journal_lines
import pytest
from fakes import fake, serving
from serve_process import serve

ROWS = ("fim_raw.jsonl", "l2r_raw.jsonl", "combined_raw.jsonl")
SMALL = ("--set", "namegen.num_requests=5")
LONG = ("--set", "namegen.num_requests=200", "--set", "output.heartbeat_seconds=0.001")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "evoselfcode.cli", *arguments]


def run(folder: Path, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), cwd=folder, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload,no-any-return]


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command("datagen-names", *arguments), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for_heartbeat(process: subprocess.Popen[str], count: int = 1) -> None:
    assert process.stderr is not None
    seen = 0
    while seen < count:
        assert select.select([process.stderr], [], [], 30)[0], "no heartbeat within 30 s"
        line = process.stderr.readline()
        assert line, "the run ended before its heartbeat"
        seen += "settled=" in line


def shown(folder: Path) -> dict[str, bytes]:
    return {name: (folder / "data/generated/names" / name).read_bytes() for name in ROWS}


def test_the_main_job_then_again(folder: Path) -> None:
    first = run(folder, "datagen-names", *SMALL)
    assert first.returncode == 0, first.stderr
    assert "FIM" in first.stdout
    assert all(name in first.stdout for name in ROWS)
    again = run(folder, "datagen-names", *SMALL)
    assert again.returncode == 0
    assert "no request was sent" in again.stdout
    assert "report.html" not in again.stdout


def test_a_report_that_was_not_written_is_made_by_the_same_command(folder: Path) -> None:
    """A full disk, or Ctrl-C, after the last request. Sabotage: report only where requests were sent."""
    assert run(folder, "datagen-names", *SMALL).returncode == 0
    page = folder / "data/generated/names/report.html"
    page.unlink()
    again = run(folder, "datagen-names", *SMALL)
    assert again.returncode == 0, again.stderr
    assert "no request was sent" in again.stdout
    assert page.exists()


def test_data_goes_to_stdout_and_nothing_else(folder: Path) -> None:
    done = run(folder, "datagen-names", *SMALL)
    assert done.stderr == ""
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("datagen-names", "--set", "namegen.n=0"), 2, "namegen.n"),
        (("datagen-names", "--config", "none.yaml"), 2, "none.yaml: there is no such file"),
        (("doctor", "--set", "api.base_url=http://127.0.0.1:9", "--set", "model=m"), 6, "does not serve requests"),
        (("datagen-names", "--set", "model=other"), 2, "hint: it lists: evoselfcode-ngram"),
        (("datagen-names", "--set", "output.dir=configs/datagen.yaml"), 5, "cannot create the folder"),
        (("serve", "--fault", "sometimes"), 2, "--fault: got 'sometimes'"),
    ],
)
def test_a_mistake_is_one_message_a_hint_and_an_exit_code(
    folder: Path, arguments: tuple[str, ...], code: int, told: str
) -> None:
    done = run(folder, *arguments)
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("error: ")
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_doctor_prints_a_table_and_how_many_requests_it_took(folder: Path) -> None:
    done = run(folder, "doctor")
    assert done.returncode == 0
    assert re.search(r"^ok +FIM +asked by suffix", done.stdout, re.MULTILINE)
    sent = re.search(r"^(\d) requests were sent$", done.stdout, re.MULTILINE)
    assert sent is not None
    assert int(sent[1]) <= 6


def test_doctor_looks_at_scores_if_it_is_told_to(folder: Path) -> None:
    """Sabotage: leave ``scores`` out of the call."""
    done = run(folder, "doctor", "--scores")
    assert done.returncode == 0
    assert re.search(r"^ok +scores +asked by prompt_logprobs", done.stdout, re.MULTILINE)
    assert "scores" not in run(folder, "doctor").stdout


def test_the_first_signal_drains_and_says_how_to_go_on(folder: Path) -> None:
    """Exit code 75. Sabotage: let the signal cancel at once, and rows in flight are paid and lost."""
    process = start(folder, *LONG)
    wait_for_heartbeat(process, 3)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 75, errors
    assert "stopping (SIGTERM): attempts in flight may end for 18 s; once more to cancel them" in errors
    assert "stopped: stopped with " in errors
    assert "hint: run the same command again" in errors
    assert "Traceback" not in errors
    assert all((folder / "data/generated/names" / name).exists() for name in ROWS)
    assert run(folder, "datagen-names", *LONG, "--quiet").returncode == 0


def test_the_second_signal_cancels(folder: Path) -> None:
    """A server that never answers: the drain would last for ever."""
    with serve("--fault", "stall@6..10000") as server:
        at = ("--set", f"api.base_url={server.url}", "--set", "model=evoselfcode-ngram")
        process = start(folder, *LONG, *at)
        wait_for_heartbeat(process)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        while "stopping" not in (line := process.stderr.readline()):
            assert line, "the run ended before it was told"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 75
        assert "cancelled with attempts in flight" in errors
        assert "Traceback" not in errors


def test_kills_lose_nothing_that_was_settled_and_ask_nothing_twice(folder: Path) -> None:
    """D1, D13. Sabotage: do not count what the journal holds as settled."""
    whole = folder / "whole"
    (whole / "configs").mkdir(parents=True)
    (whole / "configs/datagen.yaml").write_text((folder / "configs/datagen.yaml").read_text())
    assert run(whole, "datagen-names", *LONG, "--quiet").returncode == 0
    names = folder / "data/generated/names"
    chance, kept = random.Random(5), b""
    for _ in range(6):
        process = start(folder, *LONG)
        wait_for_heartbeat(process, chance.randrange(1, 6))
        process.kill()
        process.communicate()
        found = b"".join(journal_lines.lines(names))
        assert found.startswith(kept[: kept.rfind(b"\n") + 1])
        kept = found
    assert run(folder, "datagen-names", *LONG, "--quiet").returncode == 0
    keys = [json.loads(line)["entry"]["key"] for line in journal_lines.lines(names)]
    assert len(keys) == len(set(keys)) == 400
    assert shown(folder) == shown(whole)


@pytest.mark.parametrize("limit", [5_000, 60_000])
def test_a_full_disk_is_one_message_and_the_run_goes_on_when_there_is_room(folder: Path, limit: int) -> None:
    """D5, with a limit on file sizes in the disk's place."""

    def small_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    done = run(folder, "datagen-names", "--set", "namegen.num_requests=100", preexec_fn=small_disk)
    assert done.returncode == 5, done.stderr
    assert done.stderr.startswith("error: cannot ")
    assert "hint: " in done.stderr
    assert "Traceback" not in done.stderr
    done = run(folder, "datagen-names", "--set", "namegen.num_requests=100")
    assert done.returncode == 0
    assert "200" in done.stdout


def test_two_runs_in_one_folder_the_second_is_refused_and_names_the_first(folder: Path) -> None:
    process = start(folder, *LONG)
    wait_for_heartbeat(process)
    second = run(folder, "datagen-names", *LONG)
    assert second.returncode == 2
    assert f"another run is writing in data/generated/names (process {process.pid})" in second.stderr
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 75


def test_too_many_requests_given_up_end_in_exit_code_3(folder: Path) -> None:
    with serve("--fault", "400:0.3") as server:
        done = run(
            folder, "datagen-names", *SMALL, "--set", "namegen.num_requests=30", "--arm", "L2R",
            "--set", f"api.base_url={server.url}", "--set", "model=evoselfcode-ngram", "--set", "api.fim.mode=none",
        )  # fmt: skip
        assert done.returncode == 3, done.stderr
        assert re.search(r"error: \d+ of 30 requests were given up\nhint: why is in ", done.stderr)
        assert "l2r_raw.jsonl" in done.stdout


def test_a_server_without_fim_is_told_in_one_message_and_its_l2r_arm_runs_if_asked(folder: Path) -> None:
    with serving(fake("llamacpp-smollm2")) as url:
        at = (*SMALL, "--set", f"api.base_url={url}", "--set", "model=smollm2-135m")
        done = run(folder, "datagen-names", *at)
        assert done.returncode == 2
        assert "error: no way of fill-in-the-middle works on this server with this model" in done.stderr
        assert "FIM by suffix: silently ignored" in done.stderr
        assert "hint: run the L2R arm alone with --arm L2R" in done.stderr
        done = run(folder, "datagen-names", *at, "--arm", "l2r")
        assert done.returncode == 0, done.stderr
        assert (folder / "data/generated/names/l2r_raw.jsonl").stat().st_size > 0
        assert (folder / "data/generated/names/fim_raw.jsonl").stat().st_size == 0


def test_a_prompt_that_ends_in_a_space_is_remarked_on_by_run_and_doctor(folder: Path) -> None:
    with serving(fake("vllm-0.12")) as url:
        at = (*SMALL, "--set", f"api.base_url={url}", "--set", "model=Qwen2.5-Coder-32B")
        told = "the L2R prompt ends in a space"
        done = run(folder, "datagen-names", *at)
        assert done.returncode == 0, done.stderr
        assert f"warning: {told}" in done.stderr
        assert "hint: prompts.boundary: token" in done.stderr
        assert told in " ".join(run(folder, "doctor", *at).stdout.split())
        at = (*at, "--set", "prompts.boundary=token", "--new-run", "--quiet")
        assert run(folder, "datagen-names", *at).stderr == ""


def test_help_names_every_command(folder: Path) -> None:
    done = run(folder, "--help")
    assert done.returncode == 0
    assert all(name in done.stdout for name in ("datagen-names", "doctor", "serve"))
    assert run(folder, "--version").stdout.startswith("evoselfcode, version ")
