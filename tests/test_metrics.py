"""Numbers for Prometheus: frozen names, sums that add up, causes that are told apart, a port that closes."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import threading
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import checkout
import httpx
import prometheus_client
import pytest
from embedded import Embedded
from fleets import fleet
from prometheus_client.parser import text_string_to_metric_families
from test_run import config, run
from test_terminal import summary

from evoselfcode.config import Output
from evoselfcode.errors import UsageError
from evoselfcode.heartbeat import Heart
from evoselfcode.metrics import Numbers, file_of, served
from evoselfcode.progress import Progress

GOLDEN = checkout.ROOT / "tests" / "data" / "metrics.txt"
"""Names, types and labels, sorted; a dashboard that is built on them goes on working. Changed by hand alone."""


def text_of(progress: Progress) -> str:
    registry = prometheus_client.CollectorRegistry()
    registry.register(Numbers(progress))
    return prometheus_client.generate_latest(registry).decode()


def values(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(text)
    return {(it.name, frozenset(it.labels.items())): it.value for family in families for it in family.samples}


def total(found: dict[Any, float], name: str) -> float:
    return sum(value for (known, _), value in found.items() if known == name)


async def after_a_run(folder: Path, server: Embedded, **settings: Any) -> Progress:
    progress = Progress("names")
    await run(server, config(folder, **settings), report=progress.update)
    return progress


async def test_names_are_frozen_and_told_on_the_page(tmp_path: Path) -> None:
    """O3. Sabotage: rename a metric, add one, or add a label."""

    def busy(number: int, body: dict[str, Any]) -> httpx.Response | None:
        return httpx.Response(429, headers={"retry-after-ms": "1"}) if number == 3 else None

    text = text_of(await after_a_run(tmp_path, Embedded(busy)))
    shown = {line.split()[2]: line.split()[3] for line in text.splitlines() if line.startswith("# TYPE")}
    labels: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for it in family.samples:
            base = it.name if it.name in shown else it.name.rpartition("_")[0]
            labels.setdefault(base, set()).update(set(it.labels) - {"le"})
    found = sorted(f"{name} {kind} {' '.join(sorted(labels.get(name, ())))}".rstrip() for name, kind in shown.items())
    assert found == GOLDEN.read_text().splitlines()
    page = checkout.table(checkout.read("docs/reference/metrics.md"), "metrics names")
    told = sorted(
        f"{name.strip('`')} {kind} {' '.join(sorted(checkout.ticked(by)))}".rstrip() for name, kind, by, _ in page
    )
    assert told == found


async def test_outcomes_add_up_to_attempts_and_states_to_rows(tmp_path: Path) -> None:
    """O3. Sabotage: count a row that was given up as filtered too."""

    def flaky(number: int, body: dict[str, Any]) -> httpx.Response | None:
        if number in (3, 5):
            return httpx.Response(429, headers={"retry-after-ms": "1"})
        return httpx.Response(400, json={"error": {"message": "this one"}}) if number == 7 else None

    server = Embedded(flaky)
    found = values(text_of(await after_a_run(tmp_path, server)))
    assert total(found, "evoself_request_attempts_total") == len(server.bodies) == 14
    assert found["evoself_rows_total", frozenset({("state", "dead")})] == 1
    assert total(found, "evoself_rows_total") == 12
    assert found["evoself_request_duration_seconds_count", frozenset()] == 12
    assert found["evoself_queue_rows", frozenset({("stage", "names")})] == 0
    assert found["evoself_uncommitted_rows", frozenset()] == 0
    assert total(found, "evoself_commit_duration_seconds_count") >= 1


async def test_what_an_earlier_process_did_is_no_burst_of_this_one(tmp_path: Path) -> None:
    """Sabotage: count resumed requests."""
    await run(Embedded(), config(tmp_path))
    found = values(text_of(await after_a_run(tmp_path, Embedded(), num_requests=7)))
    assert total(found, "evoself_rows_total") == 2
    assert found["evoself_request_duration_seconds_count", frozenset()] == 2


async def test_five_causes_at_once_are_told_apart(tmp_path: Path) -> None:
    """O4: those of rows that succeeded later, too. Sabotage: count failures when a row settles."""
    causes: dict[int, Any] = {
        2: lambda: httpx.Response(429, headers={"retry-after-ms": "1"}),
        4: lambda: httpx.Response(500, text="oh"),
        6: lambda: httpx.Response(200, text="<html>a proxy</html>", headers={"content-type": "text/html"}),
        8: httpx.ReadTimeout("slow"),
        10: httpx.RemoteProtocolError("Server disconnected without sending a response."),
    }

    def faulty(number: int, body: dict[str, Any]) -> httpx.Response | None:
        cause = causes.get(number)
        if isinstance(cause, Exception):
            raise cause
        return cause() if cause else None  # type: ignore[no-any-return]

    progress = await after_a_run(tmp_path, Embedded(faulty), num_requests=10, api={"max_attempts": 3})
    found = values(text_of(progress))
    seen = {dict(by)["reason"]: value for (name, by), value in found.items() if name == "evoself_retries_total"}
    assert seen == {"http_429": 1, "http_5xx": 1, "bad_body": 1, "timeout": 1, "reset": 1}
    assert total(found, "evoself_rows_total") == 20


def scrape(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as reply:
        return reply.read().decode()  # type: ignore[no-any-return]


def test_a_port_is_open_while_the_run_lasts_and_no_longer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress("names")
    with served(progress, Output(metrics_port=0, metrics_host="127.0.0.1")):
        url = capsys.readouterr().err.split()[1]
        assert "evoself_build_info{" in scrape(url)
        assert "evoself_rows_total" not in scrape(url)
        progress.update(summary(tmp_path), fleet("up", "parked"))
        found = values(scrape(url))
        assert total(found, "evoself_endpoint_up") == 1
        with (
            pytest.raises(UsageError, match=r"output\.metrics_port"),
            served(progress, Output(metrics_port=int(url.split(":")[2].split("/")[0]), metrics_host="127.0.0.1")),
        ):
            pass
    with pytest.raises(OSError, match="refused"):
        scrape(url)
    before = threading.active_count()
    with served(progress, Output()) as lines:
        assert lines is None
        assert threading.active_count() == before


def test_a_file_is_whole_and_is_the_ports(tmp_path: Path) -> None:
    """Sabotage: write it line by line."""
    progress = Progress("names")
    progress.update(summary(tmp_path), fleet())
    path = tmp_path / "evoselfcode.prom"
    output = Output(metrics_file=str(path))
    with served(progress, output) as lines:
        files = file_of(output, lines)
        Heart(progress, tmp_path, 30.0, tell=lambda beat: None, every=30.0, files=files).last()
    assert values(path.read_text()) == values(text_of(progress))
    assert list(tmp_path.iterdir()) == [path]


class Busy(Counter[str]):
    """Counts that grow while somebody goes through them, as those of a run do under a scrape of another thread."""

    def items(self) -> Any:
        for pair in super().items():
            self[f"new_{len(self)}"] = 1
            yield pair


def test_a_scrape_reads_while_the_run_counts(tmp_path: Path) -> None:
    """Sabotage: go through the run's own counters in ``_causes``."""
    progress = Progress("names")
    state = summary(tmp_path)
    state.meter.failures = Busy({"connect": 2, "timeout": 1})
    progress.update(state, fleet())
    found = values(text_of(progress))
    assert found["evoself_retries_total", frozenset({("reason", "connect")})] == 2


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_nothing_to_lint(tmp_path: Path) -> None:
    """O3. Sabotage: call a counter ``evoself_rows``."""
    text = text_of(asyncio.run(after_a_run(tmp_path, Embedded())))
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_the_alarms_of_the_page_go_off(tmp_path: Path) -> None:
    """Sabotage: leave ``on (instance)`` out, so that metrics of other labels never meet."""
    rows = checkout.table(checkout.read("docs/how-to/watch-a-run.md"), "alarms")
    rules = [{"alert": name, "expr": checkout.ticked(expression)[0]} for name, expression in rows]
    series = {
        'evoself_last_commit_timestamp_seconds{instance="a"}': "0+0x30",
        'evoself_queue_rows{instance="a", stage="names"}': "5+0x30",
        'evoself_endpoint_up{instance="a", endpoint="b"}': "0+0x30",
        'evoself_event_loop_lag_seconds{instance="a"}': "0.3+0x30",
    }
    expected = [
        {"eval_time": "20m", "alertname": it["alert"], "exp_alerts": [{"exp_labels": {"instance": "a"}}]}
        for it in rules
    ]
    given = [{"series": name, "values": values} for name, values in series.items()]
    tests = [{"interval": "1m", "input_series": given, "alert_rule_test": expected}]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "page", "rules": rules}]}))
    (tmp_path / "test.yml").write_text(
        json.dumps({"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": tests})
    )
    done = subprocess.run(
        ["promtool", "test", "rules", str(tmp_path / "test.yml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
