"""Runs over several servers: resumed with other addresses, looked at by the doctor, written down in the manifest."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fakes import Fake, fake, serving

from evoselfcode import OpenAICompletionClient, RunConfig
from evoselfcode.cli import main
from evoselfcode.datagen.pipeline.namegen import NAMES
from evoselfcode.datagen.pipeline.resume import one_model
from evoselfcode.datagen.pipeline.run import run_stage
from evoselfcode.datagen.pipeline.summary import Summary
from evoselfcode.datagen.scoring.rating import rater, rater_client
from evoselfcode.storage import read_manifest

MODEL = "Qwen/Qwen2.5-Coder-32B"
AWAY = "http://127.0.0.1:9"


def vllm(model: str = MODEL) -> Fake:
    return fake("vllm-0.33", model=model)


async def run(urls: list[str], folder: Path, num_requests: int = 12, model: str = MODEL) -> Summary:
    config = RunConfig.from_mapping({
        "model": model, "api": {"base_url": urls, "concurrency": 4}, "output": {"dir": str(folder)},
        "namegen": {"num_requests": num_requests, "temperature": 1.0},
    })  # fmt: skip
    return await run_stage(NAMES, OpenAICompletionClient.from_config(config), config)


def asked(server: Fake) -> list[str]:
    return [path.removeprefix("/v1") for _, path, _ in server.calls]


async def test_replicas_come_and_go_between_two_runs_into_one_folder(tmp_path: Path) -> None:
    """Addresses are free, and nothing is found out anew. Sabotage: compare ``base_url`` as a whole in ``_recall``."""
    servers = [vllm(), vllm(), vllm()]
    with ExitStack() as stack:
        urls = [stack.enter_context(serving(server)) for server in servers]
        first = await run(urls[:2], tmp_path)
        assert first.meter.settled == 24
        assert min(asked(server).count("/completions") for server in servers[:2]) > 0
        for server in servers:
            server.calls.clear()
        again = await run(urls[1:], tmp_path, num_requests=24)
        assert again.meter.resumed == 24
        assert again.meter.settled == 48
        assert asked(servers[0]) == []
        sent = [path for server in servers[1:] for path in asked(server)]
        assert (sent.count("/models"), sent.count("/completions")) == (2, 24)
        for server in servers:
            server.calls.clear()
        await run(urls, tmp_path, num_requests=24)
        assert [asked(server) for server in servers] == [[], [], []]  # a finished run asks nobody
    manifest = read_manifest(tmp_path / "names" / "manifest.json")
    assert manifest is not None
    assert manifest.base_url == ",".join(urls)
    assert "api.base_url" not in manifest.fingerprint


async def test_servers_of_another_kind_at_the_same_addresses_are_looked_at_anew(tmp_path: Path) -> None:
    """Else the run could not be resumed at all. Sabotage: in ``takes``, say that all is as it was."""
    then, now = [vllm(), vllm()], [fake("sglang", model=MODEL), fake("sglang", model=MODEL)]
    with serving(then[0]) as one, serving(then[1]) as two:
        await run([one, two], tmp_path)
    path = tmp_path / "names" / "manifest.json"
    with serving(now[0]) as three, serving(now[1]) as four:
        path.write_text(path.read_text().replace(f"{one},{two}", f"{three},{four}"))
        summary = await run([three, four], tmp_path, num_requests=24)
    assert (summary.meter.resumed, summary.meter.settled) == (24, 48)
    assert summary.findings.dialect.server == "sglang"


@pytest.mark.parametrize(
    ("then", "now", "same"),
    [
        ("http://a", "http://a", True),
        ("http://a,http://b", "http://b", True),
        ("http://a", "http://b,http://a", True),
        ("http://a,http://b", "http://c", False),
        ("http://a", "http://ab", False),
    ],
)
def test_an_earlier_preflight_holds_while_one_address_stays(then: str, now: str, same: bool) -> None:
    assert one_model(then, now) is same


async def test_a_run_goes_on_while_one_replica_serves_another_model(tmp_path: Path) -> None:
    """No row is asked there. Sabotage: in ``Roster.members``, return everybody."""
    right, wrong = vllm(), vllm("bigcode/starcoder2-7b")
    with serving(right) as one, serving(wrong) as two:
        summary = await run([two, one], tmp_path)
    assert (summary.meter.dead, summary.meter.settled) == (0, 24)
    assert asked(wrong) == ["/models"]
    assert any("starcoder2" in check.found for check in summary.findings.checks)


def test_the_doctor_says_who_serves_the_model(tmp_path: Path) -> None:
    """Sabotage: leave the replicas out of the findings."""
    with serving(vllm()) as there:
        at = ("--set", f"api.base_url={AWAY},{there}", "--set", f"model={MODEL}", "--set", "prompts.boundary=token")
        path = tmp_path / "run.yaml"
        path.write_text("{}\n")
        done = CliRunner().invoke(main, ["doctor", "--config", str(path), *at], env={"COLUMNS": "300"})
    assert done.exit_code == 0, done.output
    assert f"1 of 2 serve it: {there.removesuffix('/v1')}" in done.stdout
    assert f"{AWAY} does not serve requests now (connect" in done.stdout


def test_the_doctor_follows_a_name_to_its_addresses(tmp_path: Path) -> None:
    """By the system's own resolver. Sabotage: do not hand ``api.headless`` on to the client."""
    with serving(vllm()) as there:
        url = there.replace("127.0.0.1", "localhost")
        at = ("--set", f"api.base_url={url}", "--set", "api.headless=true", "--set", f"model={MODEL}")
        path = tmp_path / "run.yaml"
        path.write_text("{}\n")
        done = CliRunner().invoke(main, ["doctor", "--config", str(path), *at], env={"COLUMNS": "300"})
    assert done.exit_code == 0, done.output
    assert f"1 of 1 serve it: {there.removesuffix('/v1')}" in done.stdout
    assert "hint: the name has one address" in done.stdout


@pytest.mark.parametrize(
    ("there", "key"),
    [
        ({"base_url": ["http://a:1"]}, "secret"),
        ({"base_url": "http://b:1/,http://a:1"}, "secret"),
        ({"base_url": ["http://a:1", "http://c:1"]}, ""),
    ],
)
def test_a_rater_gets_the_key_where_all_its_addresses_are_the_generators(there: dict[str, Any], key: str) -> None:
    """Sabotage: hand it on where one address is shared: the key goes to a stranger."""
    api = {"base_url": ["http://a:1", "http://b:1"], "api_key": "secret"}
    config = RunConfig.from_mapping({"model": "m", "api": api, "rating": {"api": there}})
    assert rater(config).api.api_key == key


def test_a_rater_may_be_a_headless_name_of_its_own() -> None:
    """Sabotage: take ``headless`` of the generator."""
    there = {"base_url": "http://judges:8000", "headless": True}
    config = rater(RunConfig.from_mapping({"model": "m", "api": {"base_url": "http://a"}, "rating": {"api": there}}))
    assert (config.api.base_url, config.api.headless) == ("http://judges:8000", True)
    assert rater_client(config)._resolve is not None
    own = rater(RunConfig.from_mapping({"model": "m", "api": {"base_url": "http://a", "headless": True}}))
    assert own.api.headless
