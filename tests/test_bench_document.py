"""What a bench writes: the document, and settings that the package's own loader takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bench_climbs import level

from evoselfcode.bench.asking import Asked, endless
from evoselfcode.bench.document import digest, document, fragment
from evoselfcode.bench.ladder import Ladder
from evoselfcode.bench.measuring import Wish
from evoselfcode.bench.verdict import remarks, verdict
from evoselfcode.clients import Findings
from evoselfcode.config import RunConfig
from evoselfcode.wire.dialect import Dialect

KEY = "sk-do-not-show-this"


def config(**api: Any) -> RunConfig:
    return RunConfig.from_mapping({"model": "m", "api": {"base_url": "http://a:8000"} | api})


def asked(knee: int = 16, replicas: int = 1, **dialect: Any) -> Asked:
    found = Asked()
    found.findings = Findings(Dialect(**({"model": "org/m", "fim": "suffix"} | dialect)), (), 3)
    found.ladder = Ladder(knee, 4096)
    for limit in (knee, 2 * knee, 4 * knee):
        found.ladder.add(level(limit, 10.0 * knee))
    found.replicas = tuple(f"http://{letter}:8000" for letter in "abcdef"[:replicas])
    found.arms = ("FIM", "L2R")
    return found


def loaded(text: str | None, folder: Path) -> RunConfig:
    """Read the settings as the file that they are."""
    assert text is not None
    path = folder / "endpoint.yaml"
    path.write_text(text, encoding="utf-8")
    return RunConfig.from_file(path, environ={})


@pytest.mark.parametrize(
    "dialect",
    [
        {"fim": "suffix"}, {"fim": "none"}, {"fim": "infill"}, {"fim": "sentinel", "family": "qwen2.5-coder"},
        {"fim": "chat", "prefix_key": "before", "suffix_key": "after"},
    ],
)  # fmt: skip
def test_the_settings_to_paste_are_a_configuration_file(dialect: dict[str, Any], tmp_path: Path) -> None:
    """Sabotage: write ``fim_mode`` in the place of ``fim: mode``."""
    read = loaded(fragment(config(), asked(**dialect)), tmp_path)
    assert (read.model, read.api.base_url) == ("org/m", "http://a:8000")
    assert (read.api.concurrency, read.api.max_concurrency) == (16, 20)
    wanted = {"mode": "auto"} if dialect["fim"] == "none" else {"mode": dialect["fim"]}
    wanted |= {key: value for key, value in dialect.items() if key != "fim"}
    assert {key: getattr(read.api.fim, key) for key in wanted} == wanted


def test_replicas_are_listed_and_the_bound_is_that_of_each(tmp_path: Path) -> None:
    """Sabotage: give each replica the bound of all together."""
    urls = ["http://a:8000", "http://b:8000", "http://c:8000"]
    read = loaded(fragment(config(base_url=urls), asked(48, replicas=3)), tmp_path)
    assert read.api.addresses == tuple(urls)
    assert (read.api.concurrency, read.api.max_concurrency) == (48, 20)


def test_a_name_with_a_dollar_sign_is_no_variable(tmp_path: Path) -> None:
    """Sabotage: leave the dollar sign as it is."""
    assert loaded(fragment(config(), asked(model="m-${HOME}: x")), tmp_path).model == "m-${HOME}: x"


def test_no_key_is_written_and_where_it_comes_from_is(tmp_path: Path) -> None:
    """Sabotage: write ``api.api_key`` into the settings or the document."""
    keyed, wish, found = config(api_key=KEY), Wish(), asked()
    made = document(keyed, wish, found, verdict(found.ladder, None, fast_loop=True, rated=False), fast_loop=True)
    assert KEY not in json.dumps(made)
    assert "${EVOSELFCODE_API_KEY:-}" in made["config"]
    assert loaded(made["config"], tmp_path).api.api_key == ""
    place = tmp_path / "key"
    place.write_text(KEY, encoding="utf-8")
    place.chmod(0o600)
    text = fragment(config(api_key_file=str(place)), found)
    assert KEY not in (text or "")
    assert loaded(text, tmp_path).api.api_key == KEY


def test_the_document_is_json_and_tells_runs_apart_that_asked_for_something_else() -> None:
    """Sabotage: leave the seconds, or the temperature, out of the settings."""
    found = asked()
    other = RunConfig.from_mapping(
        {"model": "m", "api": {"base_url": "http://a:8000"}, "namegen": {"temperature": 0.9}}
    )
    hashes = set()
    for settings, wish in ((config(), Wish()), (config(), Wish(seconds=2.0)), (other, Wish())):
        made = document(settings, wish, found, verdict(found.ladder, None, fast_loop=True, rated=False), fast_loop=True)
        again = json.loads(json.dumps(made))
        assert again["settings_hash"] == digest(again["settings"])
        assert (again["benchmark"], again["knee"], again["verdict"]["limit"]) == ("endpoint", 16, "server")
        assert [one["limit"] for one in again["levels"]] == [16, 32, 64]
        assert again["versions"]["evoselfcode"]
        assert again["machine"]["cores"] >= 1
        hashes.add(again["settings_hash"])
    assert len(hashes) == 3


def test_without_a_knee_there_is_nothing_to_paste() -> None:
    """On the way up the highest level is no knee. Sabotage: take ``knee`` for ``found``."""
    found = asked()
    found.ladder = Ladder(1, 8)
    assert fragment(config(), found) is None
    found.ladder.add(level(1, 10.0))
    made = document(
        config(), Wish(), found, verdict(found.ladder, "stopped", fast_loop=True, rated=False), fast_loop=True
    )
    assert (made["knee"], made["config"], made["verdict"]["limit"]) == (None, None, "unknown")


def test_answers_that_take_longer_than_a_level_are_remarked_on() -> None:
    """At 16 in flight an answer takes 0.1 s. Sabotage: never."""
    ladder = asked().ladder
    assert remarks(ladder, None, 0.4) == []
    assert "give --seconds" in remarks(ladder, None, 0.2)[0]
    assert "--max-time" in remarks(ladder, "time", 0.4)[0]


def test_a_bench_asks_for_as_much_as_there_are_seeds_and_for_each_once() -> None:
    """Sabotage: keep namegen.num_requests: a fast server is through with 250 in no time."""
    made = endless(config(outage_limit=3600.0))
    assert made.namegen.num_requests * made.namegen.n <= 2**31 < (made.namegen.num_requests + 1) * made.namegen.n
    assert (made.api.max_attempts, made.api.outage_limit) == (1, 30.0)
