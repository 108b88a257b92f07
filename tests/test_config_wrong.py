"""Wrong configurations: each gets one line that says where, what was found, what was expected, and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from evoselfcode.cli import main
from evoselfcode.config import RunConfig
from evoselfcode.errors import ConfigError


class Wrong(NamedTuple):
    """A wrong file, and what its one problem must say."""

    name: str
    text: str | bytes
    parts: tuple[str, ...]


URL = "expected http://host:port, https://host/v1 or local:"

STRUCTURE = (
    Wrong("empty", "", ("is empty",)),
    Wrong("only a comment", "# api:\n", ("is empty",)),
    Wrong("list", "- api\n- model\n", (":1: is a list, expected a map of sections",)),
    Wrong("single value", "datagen\n", (":1: is a single value, expected a map",)),
    Wrong("tab", "api:\n\tbase_url: x\n", (":2: a tab is used for indentation",)),
    Wrong("unclosed quote", "model: 'Qwen\n", (":2: ", "quoted scalar that begins in line 1")),
    Wrong("unclosed list", "namegen:\n  stop: [a\n", (":3: expected ',' or ']'", "begins in line 2")),
    Wrong("two documents", "model: a\n---\nmodel: b\n", (":2: holds several documents",)),
    Wrong("key twice", "api:\n  timeout: 1\n  timeout: 2\n", (":3: api.timeout: is given twice",)),
    Wrong("key is a number", "1: a\n", (":1: a key must be plain text, got '1'",)),
    Wrong("key is a list", "[a]: a\n", (":1: a key must be plain text",)),
    Wrong("anchor", "api: &a\n  timeout: 1\n", (":1: anchors and aliases are refused", "extends:")),
    Wrong("alias", "model: *a\n", (":1: anchors and aliases are refused",)),
    Wrong("merge key", "api:\n  <<: {timeout: 1}\n", (":2: api.<<: unknown key",)),
    Wrong("python tag", "model: !!python/object/apply:os.system [ls]\n", (":1: tags are refused",)),
    Wrong("tag", "namegen:\n  n: !!int foo\n", (":2: tags are refused", "quotes")),
    Wrong("own tag", "model: !env KEY\n", (":1: tags are refused",)),
    Wrong("not UTF-8", b"model: \xff\n", ("is not UTF-8 (byte 7)",)),
    Wrong("UTF-16", "model: x\n".encode("utf-16"), ("is not UTF-8 (byte 0)",)),
    Wrong("NUL", "api:\n  timeout: \0\n", (":2: the character U+0000 is not allowed",)),
    Wrong("deep", "model: " + "[" * 200 + "]" * 200 + "\n", (":1: is nested more than 40 deep",)),
    Wrong("deeper", "[" * 20_000, (":1: is nested more than 40 deep",)),
    Wrong("large", "#" * 2**20 + "\n", ("is larger than 1,048,576 bytes",)),
    Wrong("no number", "namegen:\n  n: 0x_\n", (":2: looks like a number and is none",)),
    Wrong("endless number", "namegen:\n  n: " + "9" * 5000 + "\n", (":2: looks like a number and is none",)),
)
"""Files that are no YAML map of plain data."""

VALUES = (
    Wrong("typo", "namegen:\n  temprature: 1\n", (":2: namegen.temprature: unknown key", "mean namegen.temperature?")),
    Wrong("typo in a section", "\nnamgen: {}\n", (":2: namgen: unknown key", "did you mean namegen?")),
    Wrong("unlike any key", "api:\n  zzz: 1\n", (":2: api.zzz: unknown key; known: base_url, headless",)),
    Wrong("key with a newline", '"a\\nb": 1\n', (":1: 'a\\nb': unknown key",)),
    Wrong("long key", "k" * 500 + ": 1\n", (":1: 'kkk", "...: unknown key")),
    Wrong("section is a list", "api: []\n", (":1: api: got a list, expected a map of settings",)),
    Wrong("section is text", "prompts:\n  funcname: x\n", (":2: prompts.funcname: got 'x' (str), expected a map",)),
    Wrong("zero", "namegen:\n  n: 0\n", (":2: namegen.n: got 0 (int), expected a whole number >= 1",)),
    Wrong("text for a number", "namegen:\n  n: four\n", (":2: namegen.n: got 'four' (str), expected a whole number",)),
    Wrong("number as text", 'namegen:\n  n: "4"\n', (":2: namegen.n: got '4' (str), expected a whole number",)),
    Wrong("fraction", "namegen:\n  n: 1.5\n", (":2: namegen.n: got 1.5 (float), expected a whole number",)),
    Wrong("bool for a number", "namegen:\n  n: yes\n", (":2: namegen.n: got True (bool), expected a whole number",)),
    Wrong("YAML 1.2 octal", "namegen:\n  n: 0o17\n", (":2: namegen.n: got '0o17' (str), expected a whole number",)),
    Wrong("huge", f"namegen:\n  n: {10**30}\n", (":2: namegen.n: got 1000", "expected a whole number <= 128")),
    Wrong("out of range", "namegen:\n  temperature: 2.5\n", ("got 2.5 (float), expected a number <= 2",)),
    Wrong("huge float", f"namegen:\n  top_p: {10**400}\n", (":2: namegen.top_p: got 1000", "of ordinary size")),
    Wrong("NaN", "namegen:\n  top_p: .nan\n", (":2: namegen.top_p: got nan (float), expected a number",)),
    Wrong("infinity", "api:\n  timeout: .inf\n", (":2: api.timeout: got inf (float), expected a finite number",)),
    Wrong("exponent", "namegen:\n  top_p: 1.5e1\n", ("got '1.5e1' (str)", "YAML reads 1e-3 as text, write 1.0e-3")),
    Wrong(
        "no number and no word",
        "api:\n  concurrency: 0\n",
        ("got 0 (int), expected one of a whole number from 1 to 4096, auto",),
    ),
    Wrong(
        "neither",
        "api:\n  concurrency: atuo\n",
        ("expected one of a whole number from 1 to 4096, auto; did you mean auto?",),
    ),
    Wrong("null number", "namegen:\n  n:\n", (":2: namegen.n: got nothing, expected a whole number",)),
    Wrong("text for a list", "namegen:\n  stop: x\n", (":2: namegen.stop: got 'x' (str), expected a list",)),
    Wrong("item", "namegen:\n  stop:\n  - a\n  - 1\n", (":4: namegen.stop[1]: got 1 (int), expected text",)),
    Wrong("empty item", 'namegen:\n  stop: [""]\n', ("namegen.stop[0]: got '' (str), expected text of length",)),
    Wrong("bool as a weak name", "namegen:\n  weaklist: [no]\n", (":2: namegen.weaklist[0]: got False (bool)",)),
    Wrong("no bool", "api:\n  fim:\n    use_chat_for_fim: maybe\n", ("got 'maybe' (str), expected true or false",)),
    Wrong("mode", "api:\n  fim:\n    mode: sufix\n", (":3: api.fim.mode: got 'sufix'", "did you mean suffix?")),
    Wrong("family", "api:\n  fim:\n    family: qwen-coder\n", (":3: api.fim.family", "did you mean qwen2.5-coder?")),
    Wrong("half a pair", 'model: "\\ud800"\n', (":1: model: contains half of a surrogate pair",)),
    Wrong("missing model", "api:\n  base_url: http://h:1\n", (":2: model: is missing", "/v1/models")),
    Wrong("empty model", "model: ''\napi:\n  base_url: http://h:1\n", (":3: model: is missing",)),
    Wrong("missing variable", "model: ${NO_SUCH_NAME}\n", (":1: model: the environment variable NO_SUCH_NAME is not",)),
    Wrong("half a variable", "model: ${NO_SUCH\n", (":1: model: `${` begins no ${NAME}",)),
    Wrong(
        "greedy and several",
        "namegen:\n  temperature: 0\n",
        ("namegen.n: is 4 while namegen.temperature is 0", "set n: 1, or a temperature above 0"),
    ),
    Wrong(
        "no time for an answer",
        "api:\n  timeout: 60\ncodegen:\n  max_new_tokens: 2048\n",
        (":2: api.timeout: 60 s is too short for codegen.max_new_tokens, 2048", "204.8 s"),
    ),
    Wrong("too many draws", "namegen:\n  num_requests: 999999999\n", (":2: namegen.num_requests:", "2,147,483,648")),
    Wrong("pinned both ways", "api:\n  fim: {mode: suffix, use_chat_for_fim: true}\n", ("api.fim.mode: pins suffix",)),
    Wrong("same chat fields", "api:\n  fim: {prefix_key: a, suffix_key: a}\n", ("api.fim.suffix_key: is the same",)),
    Wrong("taken chat field", "api:\n  fim: {prefix_key: messages}\n", ("api.fim.prefix_key: messages is taken",)),
    Wrong("home folder", "output:\n  dir: ~/names\n", (":2: output.dir: '~/names' would be a folder named ~",)),
    Wrong("NUL in a folder", 'output:\n  dir: "a\\0b"\n', (":2: output.dir: 'a\\x00b' contains a NUL",)),
    Wrong("template", "prompts:\n  codegen:\n    template: def f\n", ("prompts.codegen.template: has no",)),
    Wrong("regex", 'filters:\n  name_regex: "[a-z"\n', (":2: filters.name_regex: '[a-z' is not a regular expression",)),
    Wrong("ambiguous regex", 'filters:\n  name_regex: "[[a]"\n', (":2: ", "Possible nested set")),
    Wrong("slow regex", 'filters:\n  name_regex: "^([a-z]+_?)+$"\n', (":2: ", "takes exponential time", "aaA")),
    Wrong("extends a number", "extends: 5\n", (":1: extends: expected a file name or a list of them",)),
    Wrong("extends nothing", "model: x\nextends:\n", (":2: extends: expected a file name",)),
    Wrong("extends itself", "extends: wrong.yaml\n", ("extends itself: wrong.yaml -> wrong.yaml",)),
    Wrong("extends a missing file", "extends: no.yaml\n", ("no.yaml: there is no such file",)),
    Wrong("extends a NUL", 'extends: "a\\0b"\n', ("cannot be read",)),
    Wrong("extends in a section", "api: {extends: a}\n", (":1: api.extends: unknown key",)),
)
"""Maps that are no configuration."""

URLS = (
    ("", URL),
    ("local", "did you mean local:?"),
    ("localhost:8000", "did you mean http://localhost:8000?"),
    ("pod/v1", "did you mean http://pod/v1?"),
    ("ftp://pod", URL),
    ("http://", URL),
    ("http:/pod", URL),
    ("http://po d", "contains white space"),
    ("http://pod\u00a0", "contains white space"),
    ("http://pod:port", URL),
    ("http://pod:99999", URL),
    ("http://[::1", URL),
    ("http://<your-pod>", "names no host"),
    ("http://pod/v1?a=b", "has a query or fragment"),
    ("http://pod/v1#x", "has a query or fragment"),
    ("http://u:p@pod", "user name or password; put the key into api.api_key"),
    ("http://169.254.169.254", "link-local address (cloud metadata)"),
    ("http://pod/v1/completions", "did you mean http://pod/v1?"),
    ("http://pod/v1/chat/completions/", "did you mean http://pod/v1?"),
    ("http://pod/v1/fim/completions", "did you mean http://pod/v1?"),
    ("http://a,http://b,", "has an empty address"),
    ("http://a, b:80", "did you mean http://b:80?"),
)

REPLICAS = (
    ("[]", "is an empty list; expected the addresses of the replicas"),
    ("[http://a, http://b/v1, http://A:80/]", "lists 'http://A:80/' twice"),
    ("[http://a, 'http://b,http://a']", "lists 'http://a' twice"),
    ('[http://a, "local:"]', "lists local: beside others"),
    ("[http://a, https://b]", "mixes http:// and https://"),
    ("[http://a, '']", "has an empty address"),
    ("[http://a, 8000]", "base_url[1]: got 8000 (int), expected text"),
    ("[http://a, http://u:p@b]", "user name or password"),
    ("[http://a, '${NO_SUCH_NAME}']", "the environment variable NO_SUCH_NAME is not set"),
    ("{a: http://a}", "got a map, expected text or a list"),
    ('"local:", headless: yes', "headless: needs api.base_url: the name of a headless Service"),
)
"""Lists that are none of replicas, told at their line too."""

WRONG = (*STRUCTURE, *VALUES)
ADDRESSES = tuple(
    Wrong(url, f'model: m\napi:\n  base_url: "{url}"\n', (":3: api.base_url: ", part)) for url, part in URLS
) + tuple(Wrong(text, f"model: m\napi:\n  {{base_url: {text}}}\n", (":3: api.", part)) for text, part in REPLICAS)


def write(folder: Path, wrong: Wrong) -> Path:
    path = folder / "wrong.yaml"
    path.write_bytes(wrong.text if isinstance(wrong.text, bytes) else wrong.text.encode())
    return path


@pytest.mark.parametrize("wrong", [*WRONG, *ADDRESSES], ids=lambda wrong: wrong.name)
def test_a_wrong_file_is_told_in_one_line_with_a_hint(wrong: Wrong, tmp_path: Path) -> None:
    """Sabotage: take any one check out, such as ``ge=1`` of ``namegen.n`` or the line of ``RULES`` for the key."""
    path = write(tmp_path, wrong)
    with pytest.raises(ConfigError) as caught:
        RunConfig.from_file(path, environ={})
    (problem,) = caught.value.problems
    assert problem.startswith(str(tmp_path))
    assert all(part in problem for part in wrong.parts), problem
    assert problem.isprintable()
    assert len(problem.removeprefix(str(path))) < 400
    assert caught.value.hint
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.name)
def test_the_command_line_says_so_and_exits_with_2(wrong: Wrong, tmp_path: Path) -> None:
    """Sabotage: set ``ConfigError.exit_code`` to 1, or print no hint."""
    result = CliRunner(env={"NO_SUCH_NAME": None}).invoke(main, ["doctor", "--config", str(write(tmp_path, wrong))])
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    error, hint = result.stderr.splitlines()
    assert error.startswith("error: ")
    assert all(part in error for part in wrong.parts), error
    assert hint.startswith("hint: ")


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    """Sabotage: return from ``_struct`` at the first problem."""
    path = tmp_path / "wrong.yaml"
    path.write_text(
        "modle: x\napi:\n  timeout: 0\n  timeout: -1\n  fim: 3\nnamegen:\n  n: ${NO_SUCH_NAME}\n  stop: [1]\n"
        "filters:\n  name_regex: (\n  enable_ast: 1\n"
    )
    with pytest.raises(ConfigError) as caught:
        RunConfig.from_file(path, overrides=["namegen.seed=-1", "nonsense"], environ={})
    places = [problem.removeprefix(f"{path}:").split(": ")[:2] for problem in caught.value.problems]
    assert sorted(places) == [
        ["--set", "namegen.seed"],
        ["--set 'nonsense'", "expected KEY=VALUE, such as namegen.n=8"],
        ["1", "modle"],
        ["10", "filters.name_regex"],
        ["11", "filters.enable_ast"],
        ["4", "api.timeout"],
        ["4", "api.timeout"],
        ["5", "api.fim"],
        ["7", "namegen.n"],
        ["8", "namegen.stop[0]"],
    ]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("missing.yaml", "there is no such file"),
        ("", "is a folder, expected a YAML file"),
        ("file/below.yaml", "cannot be read: Not a directory"),
        ("x" * 300, "cannot be read: File name too long"),
        ("a\0b", "cannot be read: embedded null byte"),
        ("/proc/self/mem", "cannot be read: Input/output error"),
        ("/dev/zero", "is larger than"),
    ],
)
def test_a_path_that_is_no_file_is_told(path: str, reason: str, tmp_path: Path) -> None:
    """Sabotage: read with ``path.read_text()``; ``/dev/zero`` never ends then, so expect the machine to suffer."""
    (tmp_path / "file").touch()
    if path.startswith("/") and not Path(path).exists():
        pytest.skip(f"there is no {path} here")
    with pytest.raises(ConfigError, match=reason) as caught:
        RunConfig.from_file(tmp_path / path)
    assert caught.value.hint
