"""What the embedded model learns from, and what it says where there is nothing to learn from."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from evoselfcode.errors import UsageError
from evoselfcode.local.corpus import Corpus, read_corpus

MODULE = '''import os

def first(a):
    """Say it."""

    # a comment at the margin of the body
    return a


@decorated
async def second():
    await x
class Third:
    def method(self):
        pass
def fourth(): pass
x = 1
'''


def corpus_of(*sources: str) -> Corpus:
    return Corpus(sources, "digest")


def test_functions_at_the_left_margin_are_cut_out_whole() -> None:
    """Sabotage: let an empty line end a function."""
    filler = "def f(): pass\nx\n" * 200
    first, second, fourth = corpus_of(MODULE, filler).functions()[:3]
    assert first.startswith("def first(a):\n")
    assert first.endswith("return a\n")
    assert second == "async def second():\n    await x\n"
    assert fourth == "def fourth(): pass\n"


def test_nearly_all_of_this_interpreters_functions_parse() -> None:
    functions = read_corpus().functions()
    assert len(functions) > 1_500
    broken = 0
    for function in functions[::10]:
        try:
            ast.parse(function)
        except SyntaxError:
            broken += 1
    assert broken <= 0.03 * len(functions[::10])  # those with a line of a long string at the margin


def test_a_stripped_interpreter_is_told_so_with_a_way_out(tmp_path: Path) -> None:
    """Sabotage: require no number of functions."""
    with pytest.raises(UsageError, match=r"this Python has only 0 functions of it\nhint: use a Python that is"):
        read_corpus(tmp_path).functions()
    with pytest.raises(UsageError, match="only 1 functions"):
        corpus_of("def f(): pass\n").functions()


def test_installed_packages_and_tests_are_not_learnt_from(tmp_path: Path) -> None:
    """Sorting the walk itself would visit ``site-packages`` first; sabotage: do not prune."""
    for folder in ("site-packages", "test", "a/tests", "b/__pycache__", "b", ""):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "m.py").write_text(f"# {folder}\n")
    (tmp_path / "notes.txt").write_text("def no(): pass\n")
    assert read_corpus(tmp_path).sources == ("# \n", "# b\n")


def test_files_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "latin.py").write_bytes(b"# \xe4\n")
    (tmp_path / "dangling.py").symlink_to(tmp_path / "nowhere")
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "windows.py").write_bytes(b"x = 1\r\ny = 2\r\n")
    assert read_corpus(tmp_path).sources == ("x = 1\ny = 2\n",)
    assert read_corpus(tmp_path / "absent").sources == ()


def test_the_digest_is_of_the_texts_alone_and_of_all_of_them(tmp_path: Path) -> None:
    """Sabotage: leave the lengths out: two files would be as one."""
    digests = []
    for number, texts in enumerate((("ab", "c"), ("a", "bc"), ("ab", "c"), ("abc",))):
        folder = tmp_path / str(number)
        folder.mkdir()
        for place, text in enumerate(texts):
            (folder / f"{place}.py").write_text(text)
        digests.append(read_corpus(folder).digest)
    assert digests[0] == digests[2]
    assert len(set(digests)) == 3
