"""The usage guide, word for word: its YAML, its command, its program, its request formats."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from fakes import Fake, fake, serving

from evoselfcode.clients import OpenAICompletionClient
from evoselfcode.config import RunConfig
from evoselfcode.config.schema import flatten
from evoselfcode.datagen.pipeline.namegen import generate_funcnames_fim

GUIDE = (Path(__file__).parent / "data" / "guide.md").read_text(encoding="utf-8")
BASE_URL = "http://qwen2code32-0.t-skyinfer-wzhang.svc.cluster.local"
MODEL = "Qwen2.5-Coder-32B"
PROMPT = "This is an algorithm function.\n\ndef "
SUFFIX = "():\n"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)


SERVER, PROMPTS, NAMEGEN, FILTERS, OPTION_1, OPTION_2 = blocks("yaml")
(COMMAND,) = blocks("bash")
(ROW,) = blocks("json")
SUFFIX_FORMAT, CHAT_FORMAT, PROGRAM = blocks("python")

MEANING: dict[str, dict[str, Any]] = {
    SERVER: {
        "api.base_url": BASE_URL,
        "api.api_key": "",
        "api.fim.use_chat_for_fim": False,
        "model": MODEL,
    },
    PROMPTS: {
        "prompts.global_prefix": "This is an algorithm function.\n\n",
        "prompts.funcname.fim.prefix": PROMPT,
        "prompts.funcname.fim.suffix": SUFFIX,
        "prompts.funcname.l2r.prompt": PROMPT,
        "prompts.codegen.template": PROMPT + '{func_name}():\n    """\n    {description}\n    """\n',
    },
    NAMEGEN: {
        "namegen.temperature": 0.4,
        "namegen.top_p": 0.9,
        "namegen.max_new_tokens": 16,
        "namegen.n": 4,
        "namegen.stop": ["(", " ", "\n"],
        "namegen.weaklist": ["foo", "bar", "test"],
    },
    FILTERS: {
        "filters.name_regex": "^[a-z_][a-z0-9_]{2,64}$",
        "filters.min_code_len": 16,
        "filters.enable_ast": True,
        "filters.enable_ruff": False,
    },
    OPTION_1: {"api.fim.use_chat_for_fim": False},
    OPTION_2: {"api.fim.use_chat_for_fim": True, "api.fim.prefix_key": "prefix", "api.fim.suffix_key": "suffix"},
}
"""What each block says, key by key."""


def load(folder: Path, text: str, *overrides: str) -> RunConfig:
    path = folder / "datagen.yaml"
    path.write_text(text, encoding="utf-8")
    return RunConfig.from_file(path, overrides=overrides)


@pytest.mark.parametrize("block", MEANING, ids=["server", "prompts", "namegen", "filters", "option 1", "option 2"])
def test_each_block_loads_and_every_key_arrives(block: str, tmp_path: Path) -> None:
    """Sabotage: give ``prompts.codegen.template`` a strip, or let ``weaklist`` add to the default one."""
    given = flatten(load(tmp_path, block).to_public())
    meant = MEANING[block]
    assert set(flatten(yaml.safe_load(block))) == set(meant)
    assert {key: given[key] for key in meant} == meant
    default = flatten(RunConfig().to_public())
    assert {key: given[key] for key in given if key not in meant} == {
        key: default[key] for key in default if key not in meant
    }


def test_the_blocks_are_one_configuration(tmp_path: Path) -> None:
    """As one text while no section comes twice, and laid over one another. Sabotage: ``return above`` in ``_deep``."""
    meant = {key: value for block in MEANING for key, value in MEANING[block].items()}
    for number, block in enumerate(MEANING):
        (tmp_path / f"{number}.yaml").write_text(block, encoding="utf-8")
    merged = load(tmp_path, "extends: [0.yaml, 1.yaml, 2.yaml, 3.yaml, 4.yaml, 5.yaml]\n")
    assert flatten(merged.to_public()) == flatten(RunConfig().to_public()) | meant
    once = load(tmp_path, "\n".join([SERVER, PROMPTS, NAMEGEN, FILTERS]))
    assert flatten(once.to_public()) == flatten(merged.to_public()) | MEANING[OPTION_1]


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[tuple[Path, Fake, str]]:
    """A reader's folder with the guide's first block in ``configs/datagen.yaml``, and the endpoint it names."""
    pod = fake("vllm-0.12")
    with serving(pod, base="") as url:
        (tmp_path / "configs").mkdir()
        (tmp_path / "configs" / "datagen.yaml").write_text(SERVER.replace(BASE_URL, url), encoding="utf-8")
        yield tmp_path, pod, url


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def asked(pod: Fake) -> list[dict[str, Any]]:
    """Return the bodies that asked for names, those of the preflight left out."""
    return [body for _, _, body in pod.calls if body is not None and body.get("n") == 4 and "def " in str(body)]


def test_the_command_writes_the_three_files(reader: tuple[Path, Fake, str]) -> None:
    """Sabotage: rename a file in ``namegen.views``, or swap two fields of ``NameRow``."""
    folder, pod, _ = reader
    first, *rest = shlex.split(COMMAND)
    assert first == "python"
    run(folder, sys.executable, *rest)
    rows = {}
    for name, source in (("fim_raw", {"FIM"}), ("l2r_raw", {"L2R"}), ("combined_raw", {"FIM", "L2R"})):
        lines = (folder / "data" / "generated" / "names" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        rows[name] = [json.loads(line) for line in lines]
        assert len(lines) > 20
        assert {row["source"] for row in rows[name]} == source
        assert all(list(row) == list(json.loads(ROW)) for row in rows[name])
        assert all(row["raw_text"].startswith(row["func_name"]) for row in rows[name])
    pairs = [{(row["source"], row["func_name"]) for row in rows[name]} for name in rows]
    assert pairs[0] | pairs[1] == pairs[2]
    assert len(pairs[2]) == len(rows["combined_raw"])
    assert_vllm_was_asked_as_configured(pod)


def assert_vllm_was_asked_as_configured(pod: Fake) -> None:
    """vLLM refuses ``suffix``, so FIM must have become raw sentinels, by itself."""
    sentinels = f"<|fim_prefix|>{PROMPT}<|fim_suffix|>{SUFFIX}<|fim_middle|>"
    bodies = [body for body in asked(pod) if PROMPT in body["prompt"]]
    prompts = [body["prompt"] for body in bodies]
    assert set(prompts) == {sentinels, PROMPT}
    assert prompts.count(sentinels) == prompts.count(PROMPT) == RunConfig().namegen.num_requests
    for body in bodies:
        assert "suffix" not in body
        assert (body["model"], body["temperature"], body["top_p"], body["max_tokens"]) == (MODEL, 0.4, 0.9, 16)
        assert {"(", " ", "\n"} <= set(body["stop"])
    seeds = [body["seed"] for body in bodies if body["prompt"] == PROMPT]
    assert len({seed + i for seed in seeds for i in range(4)}) == 4 * len(seeds)


def test_the_program_prints_how_many_names_it_got(reader: tuple[Path, Fake, str]) -> None:
    """Sabotage: rename the parameter ``mode`` of ``generate_funcnames_fim``."""
    folder, _, url = reader
    assert PROGRAM.count(BASE_URL) == 1
    printed = run(folder, sys.executable, "-c", PROGRAM.replace(BASE_URL, url))
    counts = re.fullmatch(r"FIM: (\d+) valid names\nL2R: (\d+) valid names\n", printed)
    assert counts is not None, printed
    assert all(int(count) > 20 for count in counts.groups())


def arguments(call: str) -> dict[str, Any]:
    """Return the keyword arguments of a call as the guide prints it; its last line is ``...``."""
    tree = ast.parse(call.replace("    ...\n", "")).body[0]
    assert isinstance(tree, ast.Expr)
    assert isinstance(tree.value, ast.Call)
    return {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in tree.value.keywords}


def names_by(server: Fake, folder: Path, *texts: str) -> list[str]:
    """Ask `server` for names by FIM, as configured by the guide's blocks; return them."""
    for number, text in enumerate(texts):
        (folder / f"{number}.yaml").write_text(text, encoding="utf-8")
    with serving(server) as url:
        config = load(
            folder,
            f"extends: [{', '.join(f'{number}.yaml' for number in range(len(texts)))}]\n",
            *(f"api.base_url={url}", f"model={server.row.model}", "namegen.num_requests=3"),
        )
        rows = generate_funcnames_fim(OpenAICompletionClient.from_config(config), config, mode="FIM")
    return [row["func_name"] for row in rows]


def test_option_1_sends_prompt_and_suffix(tmp_path: Path) -> None:
    """Sabotage: leave ``suffix`` out in ``messages._message``."""
    server = fake("siliconflow")
    assert names_by(server, tmp_path, PROMPTS, OPTION_1)
    printed = arguments(SUFFIX_FORMAT)
    assert printed == {"prompt": PROMPT, "suffix": SUFFIX}
    sent = [(path, body) for _, path, body in server.calls if body is not None and body.get("prompt") == PROMPT]
    assert len(sent) == 3
    for path, body in sent:
        assert path == "/v1/completions"
        assert {key: body[key] for key in printed} == printed


def test_option_2_sends_prefix_and_suffix_as_chat_fields(tmp_path: Path) -> None:
    """Sabotage: ignore ``prefer_chat`` in ``probe_fim._ways``."""
    server = fake("siliconflow")
    assert names_by(server, tmp_path, PROMPTS, OPTION_2)
    printed = arguments(CHAT_FORMAT)
    fields = {"messages": printed["messages"]} | printed["extra_body"]
    assert fields == {"messages": [{"role": "user", "content": ""}], "prefix": PROMPT, "suffix": SUFFIX}
    sent = [(path, body) for _, path, body in server.calls if body is not None and body.get("prefix") == PROMPT]
    assert len(sent) == 3
    for path, body in sent:
        assert path == "/v1/chat/completions"
        assert {key: body[key] for key in fields} == fields


class Renamed(Fake):
    """Knows the chat fields by other names."""

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Any:
        status_headers_body = super().answer(
            method, path, headers, body.replace(b'"before":', b'"prefix":').replace(b'"after":', b'"suffix":')
        )
        if body:
            self.calls[-1] = (method, path, json.loads(body))
        return status_headers_body


def test_the_chat_fields_may_have_other_names(tmp_path: Path) -> None:
    """Sabotage: write ``"prefix"`` for ``dialect.prefix_key`` in ``wire.chat``."""
    server = Renamed(fake("siliconflow", suffix="ignored", fim_tokens=None).row)
    renamed = OPTION_2.replace('"prefix"', '"before"').replace('"suffix"', '"after"')
    assert names_by(server, tmp_path, PROMPTS, renamed)
    sent = [body for _, _, body in server.calls if body is not None and body.get("before") == PROMPT]
    assert len(sent) == 3
    for body in sent:
        assert body["after"] == SUFFIX
        assert body["messages"] == [{"role": "user", "content": ""}]
        assert not {"prefix", "suffix", "prompt"} & set(body)
