"""The key is shown nowhere: not printed, not in an error, not in what is saved."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.pretty import Pretty

from evoselfcode.config import RunConfig
from evoselfcode.config.changing import SHAPING
from evoselfcode.errors import ConfigError

SECRET = "sk-zebra"


def config(tmp_path: Path, text: str = "model: m\napi:\n  api_key: ${KEY}\n") -> RunConfig:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    return RunConfig.from_file(path, environ={"KEY": SECRET})


def test_the_key_arrives_and_is_shown_nowhere(tmp_path: Path) -> None:
    """Sabotage: remove ``Api.__repr__`` or ``Api.__rich_repr__``."""
    loaded = config(tmp_path)
    assert loaded.api.api_key == SECRET
    screen = io.StringIO()
    console = Console(file=screen, width=200)
    console.print(Pretty(loaded), Pretty(loaded.api), Pretty([loaded]))
    shown = [repr(loaded), str(loaded), repr(loaded.api), str(loaded.api), f"{loaded.api!s}", screen.getvalue()]
    shown += [repr(loaded.to_public()), repr(loaded.fingerprint("names"))]
    assert not any(SECRET in text for text in shown)
    assert all("***" in text for text in shown[:7])


def test_without_a_key_nothing_is_masked() -> None:
    assert RunConfig().to_public()["api"]["api_key"] == ""


def test_the_fingerprint_does_not_depend_on_the_key(tmp_path: Path) -> None:
    """Sabotage: put ``api.`` into what shapes a stage."""
    for stage in SHAPING:
        assert config(tmp_path).fingerprint(stage) == config(tmp_path, "model: m\n").fingerprint(stage)


@pytest.mark.parametrize(
    "value",
    [
        "[sk-zebra]",
        "{sk-zebra: 1}",
        "{a: sk-zebra}",
        "!sk-zebra",
        "&sk-zebra x",
        "*sk-zebra",
        '"sk-zebra\\n"',
        '"sk-zebra ü"',
        '"sk-zebra',
        "[sk-zebra",
        "sk: zebra",
        '"${KEY}\\n"',
        '"${KEY} ${OTHER}"',
        "[${KEY}]",
        '"\\ud800sk-zebra"',
        "0x_",
        "3.5",
    ],
)
def test_no_error_shows_the_key(value: str, tmp_path: Path) -> None:
    """Sabotage: drop the ``secret`` of ``_complain``, or name ``--set`` with its value in ``_override``."""
    path = tmp_path / "c.yaml"
    path.write_text(f"model: m\napi:\n  api_key: {value}\n")
    for text, overrides in ((path.read_text(), []), ("model: m\n", [f"api.api_key={value}"])):
        path.write_text(text)
        with pytest.raises(ConfigError) as caught:
            RunConfig.from_file(path, overrides=overrides, environ={"KEY": SECRET})
        assert "zebra" not in str(caught.value)
        assert value not in str(caught.value)


def test_no_error_of_a_neighbour_shows_a_key_of_the_command_line(tmp_path: Path) -> None:
    """Sabotage: as above; the place of ``api.base_url`` was the text of the override."""
    path = tmp_path / "c.yaml"
    path.write_text("namegen:\n  n: 0\n")
    with pytest.raises(ConfigError) as caught:
        RunConfig.from_file(path, overrides=[f"api.api_key={SECRET}", "api.timeout=x"])
    assert len(caught.value.problems) == 3
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://u:sk-zebra@h",
        "http://u:sk-zebra@h:port",
        "http://u:sk-zeb ra@h",
        "ftp://sk-zebra@h",
        "http://h?key=sk-zebra",
        "http://h#sk-zebra",
        "http://h/\\n?key=sk-zebra",
        "http://h/\\n?key=\\nsk-zebra",
        "h?key=sk-zebra",
        "http://sk-zebra@",
    ],
)
def test_no_error_shows_a_secret_of_an_address(url: str, tmp_path: Path) -> None:
    """Sabotage: in ``rules.base_url`` let ``shown`` be ``short(url)``."""
    with pytest.raises(ConfigError) as caught:
        config(tmp_path, f'model: m\napi:\n  base_url: "{url}"\n')
    assert "zeb" not in str(caught.value)
    assert "\n" not in caught.value.problems[0]


@pytest.mark.parametrize("key", ["", "sk-1234", "a" * 5000, "a.b_c~/+="])
def test_a_key_that_a_header_can_carry_is_taken(key: str) -> None:
    assert RunConfig.from_mapping({"api": {"api_key": key}}).api.api_key == key


@pytest.mark.parametrize("key", ["sk-1\n", "sk 1", "sk-\x00", "schlüssel", "\ufeffsk-1"])
def test_a_key_that_no_header_can_carry_is_refused(key: str) -> None:
    """Read from a file, a key often ends in a newline. Sabotage: take the key out of ``RULES``."""
    with pytest.raises(ConfigError, match=r"api\.api_key: contains white space"):
        RunConfig.from_mapping({"api": {"api_key": key}})


@pytest.mark.parametrize(
    "setting",
    [
        "api.api_key=sk-zebra",
        "rating.api.api_key=sk-zebra",
        "api={api_key: sk-zebra}",
        "rating={api: {api_key: sk-zebra}}",
        "api.api_key=[sk-zebra]",
        "api.api_key=${KEY:-sk-zebra}",
        "api.api_key=x${KEY}",
    ],
)
def test_a_key_on_the_command_line_is_refused_with_the_reason(setting: str, tmp_path: Path) -> None:
    """S1: ``ps`` shows it to everybody. Sabotage: look at settings that are one value alone."""
    path = tmp_path / "c.yaml"
    path.write_text("model: m\n")
    with pytest.raises(ConfigError, match="a key on the command line is seen by everybody") as caught:
        RunConfig.from_file(path, overrides=[setting], environ={"KEY": SECRET})
    assert "zebra" not in str(caught.value)
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    ("setting", "key"), [("api.api_key=${KEY}", SECRET), ("api.api_key=", ""), ('api.api_key=""', "")]
)
def test_the_name_of_a_variable_may_stand_there(setting: str, key: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("model: m\napi: {api_key: '${OTHER}'}\n")
    environ = {"KEY": SECRET, "OTHER": "other"}
    if setting == "api.api_key=":
        with pytest.raises(ConfigError, match=r"api\.api_key"):
            RunConfig.from_file(path, overrides=[setting], environ=environ)
    else:
        assert RunConfig.from_file(path, overrides=[setting], environ=environ).api.api_key == key


def key_file(tmp_path: Path, content: bytes = b"sk-zebra\n", mode: int = 0o600) -> Path:
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_key_is_read_from_a_file_that_is_ones_own(tmp_path: Path, mode: int) -> None:
    """Sabotage: keep the newline that editors put at the end."""
    path = key_file(tmp_path, mode=mode)
    loaded = RunConfig.from_mapping({
        "api": {"api_key_file": str(path)}, "rating": {"api": {"api_key_file": str(path)}}
    })  # fmt: skip
    assert (loaded.api.api_key, loaded.rating.api.api_key) == (SECRET, SECRET)
    assert SECRET not in repr(loaded)
    assert loaded.to_public()["api"]["api_key_file"] == str(path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601, 0o777])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    """S15. Sabotage: look at the bits of the group alone."""
    path = key_file(tmp_path, mode=mode)
    with pytest.raises(ConfigError, match=rf"others than you may read it \(mode {mode:04o}\): chmod 600") as caught:
        RunConfig.from_mapping({"api": {"api_key_file": str(path)}})
    assert "zebra" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"sk zebra", "contains white space"),
        (b"sk-zebra\nsk-other", "contains white space"),
        (b"\xff\xfe", "it is no text"),
        (b"a" * 100_000, "it is too long"),
    ],
)
def test_a_file_that_holds_no_key_is_refused_and_not_shown(tmp_path: Path, content: bytes, told: str) -> None:
    path = key_file(tmp_path, content)
    with pytest.raises(ConfigError, match=told) as caught:
        RunConfig.from_mapping({"api": {"api_key_file": str(path)}})
    assert "zebra" not in str(caught.value)
    assert caught.value.hint == "it is to hold the key and nothing else, on one line"


@pytest.mark.parametrize(
    ("name", "told", "hint"),
    [
        ("none", r"cannot read none, in /\S+: No such file", "write the key into that file and chmod 600 it"),
        ("~/.key", "cannot read ~/.key", "~ is not filled in; ${HOME} is"),
        ("key/below", "Not a directory", "a part of the path is a file"),
        ("folder", "it is no file", "name a file that holds the key"),
        ("open", "others than you may read it", "defaultMode: 0400"),
    ],
)
def test_whoever_names_a_file_of_no_use_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, told: str, hint: str
) -> None:
    """Sabotages: one hint for all; leave out which folder a relative path begins at."""
    monkeypatch.chdir(tmp_path)
    key_file(tmp_path)
    (tmp_path / "folder").mkdir(mode=0o700)
    (tmp_path / "open").write_text("sk-zebra")
    (tmp_path / "open").chmod(0o644)
    with pytest.raises(ConfigError, match=told) as caught:
        RunConfig.from_mapping({"api": {"api_key_file": name}})
    assert hint in (caught.value.hint or "")
    assert "zebra" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="nobody here may not read a file")
def test_a_file_of_another_user_is_named_with_what_to_do(tmp_path: Path) -> None:
    """Sabotage: take EACCES out of ``_TO_READ``."""
    path = key_file(tmp_path, mode=0o000)
    program = (
        "import sys\nfrom evoselfcode.config import RunConfig\n"
        "try:\n    RunConfig.from_mapping({'api': {'api_key_file': sys.argv[1]}})\n"
        "except Exception as error:\n    print(error)"
    )
    drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    command = [*drop, sys.executable, "-c", program, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (
        f"api.api_key_file: cannot read {path}: Permission denied\nhint: the file is to be this user's own"
        in done.stdout
    )


def test_a_file_that_is_not_there_and_a_key_given_twice_are_refused(tmp_path: Path) -> None:
    for name, told in ((tmp_path / "none", "No such file"), (tmp_path, "it is no file")):
        with pytest.raises(ConfigError, match=told):
            RunConfig.from_mapping({"api": {"api_key_file": str(name)}})
    with pytest.raises(ConfigError, match=r"api\.api_key is given too"):
        RunConfig.from_mapping({"api": {"api_key": "k", "api_key_file": str(key_file(tmp_path))}})
