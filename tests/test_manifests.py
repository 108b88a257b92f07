"""The files for clusters keep to the contract: one rule for each exit code, the grace that the program knows of."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import checkout
import pytest
import yaml
from test_docs_reference import tree

from evoselfcode import errors
from evoselfcode.config import RunConfig
from evoselfcode.datagen.pipeline.sharding import shard_of
from evoselfcode.signals import drain_seconds

ACTIONS = {75: "Ignore", 2: "FailJob", 4: "FailJob", 3: "FailIndex", 5: "Count", 6: "Count"}
"""What becomes of a pod that ends with each code; 0 needs no rule, and 1 is a bug, which the default counts."""


def job(name: str = "job") -> dict[str, Any]:
    found: dict[str, Any] = next(iter(yaml.safe_load_all(checkout.read(f"configs/kubernetes/{name}.yaml"))))
    return found


def test_every_exit_code_has_exactly_one_rule() -> None:
    """K6. Sabotage: take a code out of job.yaml, or give an exception a code of its own."""
    rules = job()["spec"]["podFailurePolicy"]["rules"]
    assert [set(rule) - {"action"} for rule in rules] == [{"onPodConditions"}] + [{"onExitCodes"}] * 4
    assert [rule["action"] for rule in rules] == ["Ignore", "Ignore", "FailJob", "FailIndex", "Count"]
    told = [(code, rule["action"]) for rule in rules[1:] for code in rule["onExitCodes"]["values"]]
    assert len(told) == len(dict(told))
    assert dict(told) == ACTIONS
    assert set(ACTIONS) | {1} == {kind.exit_code for kind in tree(errors.EvoselfcodeError)}


def test_the_page_of_exit_codes_says_what_the_job_does() -> None:
    """K6. Sabotage: swap two actions in docs/reference/exit-codes.md."""
    shown = {int(row[0]): row[3] for row in checkout.table(checkout.read("docs/reference/exit-codes.md"), "codes")}
    assert {code: action.strip("`") for code, action in shown.items() if action.startswith("`")} == ACTIONS


@pytest.mark.parametrize("name", ["job", "merge"])
def test_a_rule_is_of_the_container_that_there_is(name: str) -> None:
    """A rule of another container fits never. Sabotage: rename the container alone."""
    spec = job(name)["spec"]
    [container] = spec["template"]["spec"]["containers"]
    rules = [rule["onExitCodes"] for rule in spec["podFailurePolicy"]["rules"] if "onExitCodes" in rule]
    assert {rule["containerName"] for rule in rules} == {container["name"]}
    assert all(rule["operator"] == "In" and sorted(rule["values"]) == rule["values"] for rule in rules)
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert spec["podReplacementPolicy"] == "Failed"


def test_the_program_knows_of_the_pods_grace_and_ends_inside_it() -> None:
    """Sabotage: lower terminationGracePeriodSeconds alone."""
    pod = job()["spec"]["template"]["spec"]
    command = pod["containers"][0]["command"]
    grace = pod["terminationGracePeriodSeconds"]
    assert f"--set=output.grace={grace}" in command
    assert drain_seconds(grace) <= grace - 30
    assert RunConfig().output.grace <= 30  # what a pod has that says nothing


def test_the_command_is_one_that_there_is_and_the_probe_reads_its_heartbeat() -> None:
    """Sabotage: rename a setting of ``output``."""
    container = job()["spec"]["template"]["spec"]["containers"][0]
    program, command, *options = container["command"]
    assert (program, command) == ("evoselfcode", "datagen-names")
    settings = [option.removeprefix("--set=") for option in options if option.startswith("--set=")]
    environ = {"EVOSELFCODE_BASE_URL": "http://a:8000"}
    config = RunConfig.from_file(checkout.ROOT / "configs/vllm.yaml", overrides=settings, environ=environ)
    probe = container["livenessProbe"]["exec"]["command"]
    assert probe[:3] == ["evoselfcode", "alive", config.output.heartbeat_file]
    assert int(probe[3].removeprefix("--max-age=")) >= 5 * config.output.heartbeat_seconds
    assert container["ports"][0]["containerPort"] == config.output.metrics_port
    mounts = [mount["mountPath"] for mount in container["volumeMounts"]]
    assert all(any(path.startswith(mount) for mount in mounts) for path in (config.output.dir, probe[2]))


def test_there_are_as_many_pods_as_parts() -> None:
    """Sabotage: raise completions alone."""
    spec = job()["spec"]
    variables = {it["name"]: it.get("value") for it in spec["template"]["spec"]["containers"][0]["env"]}
    count = spec["completions"]
    parts = [shard_of(None, {**variables, "JOB_COMPLETION_INDEX": str(index)} | {}) for index in range(count)]
    assert [part and part.index for part in parts] == list(range(count))


ARRAY = checkout.ROOT / "configs" / "slurm" / "array.sh"


def run_array(folder: Path, program: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the script with programs of ours in the place of evoselfcode and scontrol."""
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    for name, text in (("evoselfcode", program), ("scontrol", 'echo "$@" >> scontrol.log')):
        (tools / name).write_text(f"#!/bin/bash\n{text}\n")
        (tools / name).chmod(0o755)
    variables = {"SLURM_ARRAY_TASK_ID": "1", "SLURM_ARRAY_TASK_COUNT": "3", "SLURM_JOB_ID": "42"} | environ
    path = f"{tools}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", str(ARRAY), "--set", "namegen.n=8"],
        cwd=folder, env=os.environ | variables | {"PATH": path},
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip


@pytest.mark.parametrize("code", [0, 2, 3, 4, 5, 6, 75])
def test_a_task_of_an_array_is_requeued_if_rows_remain_and_only_then(tmp_path: Path, code: int) -> None:
    """K10. Sabotage: requeue whatever the code is."""
    done = run_array(tmp_path, f'echo "$@" > asked.log; exit {code}', SLURM_RESTART_COUNT="2")
    assert done.returncode == code, done.stderr
    assert done.stdout.startswith("task 1 of 3, start 2 on ")
    log = tmp_path / "scontrol.log"
    assert (log.read_text() if log.exists() else "") == ("requeue 42\n" if code == 75 else "")
    asked = (tmp_path / "asked.log").read_text()
    assert asked.startswith("datagen-names --config configs/vllm.yaml --set output.grace=")
    assert asked.endswith("--set namegen.n=8\n")


@pytest.mark.parametrize(("sent", "heard"), [("USR1", "USR1"), ("TERM", "TERM")])
def test_the_warning_is_handed_on_and_its_end_awaited(tmp_path: Path, sent: str, heard: str) -> None:
    """K10. Sabotage: leave out the second wait: the script ends while the program still drains."""
    program = (
        f"trap 'echo {heard} >> heard.log; sleep 0.3; echo drained >> heard.log; exit 75' {heard}\n"
        f"kill -{sent} $PPID\nfor i in 1 2 3 4 5 6 7 8 9; do sleep 0.2; done; exit 1"
    )
    done = run_array(tmp_path, program)
    assert done.returncode == 75, done.stderr
    assert (tmp_path / "heard.log").read_text() == f"{heard}\ndrained\n"
    assert (tmp_path / "scontrol.log").read_text() == "requeue 42\n"


def test_the_array_asks_slurm_for_what_the_program_needs() -> None:
    """Sabotage: drop ``B:``, and the signal never reaches the shell."""
    text = ARRAY.read_text()
    wanted = dict(re.findall(r"^#SBATCH --([\w-]+)=?(.*)$", text, re.MULTILINE))
    kind, number, seconds = re.fullmatch(r"(B):(\w+)@(\d+)", wanted["signal"]).groups()  # type: ignore[union-attr]
    assert (kind, number) == ("B", "USR1")
    grace = int(re.search(r"output\.grace=(\d+)", text)[1])  # type: ignore[index]
    assert grace < int(seconds)
    assert {"requeue", "open-mode"} <= set(wanted)
    assert ARRAY.stat().st_mode & stat.S_IRUSR


def test_the_array_has_the_code_of_a_program_that_ends_at_once(tmp_path: Path) -> None:
    """K10. Sabotage: after a signal wait again only if the program is still there, by ``kill -0``."""
    program = "sleep 5 & trap 'kill %1; exit 75' USR1; sleep 0.05; kill -USR1 $PPID; wait"
    for number in range(8):
        (tmp_path / str(number)).mkdir()
        assert run_array(tmp_path / str(number), program).returncode == 75
