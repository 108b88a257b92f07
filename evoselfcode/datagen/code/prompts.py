"""Prompts of Stage B: from a row and a template to the text that asks, and to what of it is already Python.

This file decides how a row fills a template, and which part of a prompt is the beginning of the function that is
asked for. It refuses to know where rows come from and what is asked.
"""

from __future__ import annotations

import re
from functools import lru_cache

from evoselfcode.datagen.filters.code_tree import parse
from evoselfcode.datagen.filters.name_scores import words_of
from evoselfcode.records import Task

_PLACEHOLDER = re.compile(r"\{(func_name|description|signature|skeleton)\}")
_IMPORT = re.compile(r"(?m)^(?:import|from)[ \t].*$")


def sentence_of(func_name: str) -> str:
    """Say a name as a sentence: what stands for a description where there is none."""
    return f"{' '.join(words_of(func_name)).capitalize()}."


def skeleton_of(func_name: str, signature: str, description: str) -> str:
    """Write the head of a function: its ``def`` line and its docstring."""
    return f'def {func_name}{signature or "()"}:\n    """{_within_docstring(description)}"""\n'


def fill(template: str, values: dict[str, str]) -> str:
    """Put the values of a row into a template; lines of a value after its first are indented as the placeholder is.

    Text of a model may hold anything, braces too: what was put in is not filled again.

    Args:
        template: Text with ``{func_name}``, ``{description}``, ``{signature}`` or ``{skeleton}``.
        values: What each of the four stands for.
    """
    filled, end = [], 0
    for place in _PLACEHOLDER.finditer(template):
        before = template[template.rfind("\n", 0, place.start()) + 1 : place.start()]
        margin = re.match(r"[ \t#]*", before)
        value = values[place[1]]
        if template.count('"""', 0, place.start()) % 2 and place[1] == "description":
            value = value.replace("\\", "\\\\")  # within a docstring
        if margin and margin[0]:
            value = value.replace("\n", "\n" + margin[0])
        filled += [template[end : place.start()], value]
        end = place.end()
    return "".join([*filled, template[end:]])


def task_of(prompt: str, func_name: str, description: str, signature: str) -> Task:
    """Find in a prompt what of the function is written already, and what it may use.

    The head begins at the last ``def`` at the left margin that has the function's name. What stands before it is
    Python that the function may use, if it parses; of prose, the import lines are.
    """
    at = max(_last_head(prompt, f"def {func_name}"), _last_head(prompt, f"async def {func_name}"))
    at = len(prompt) if at < 0 else at
    before = prompt[:at]
    return Task(
        func_name=func_name,
        description=description,
        signature=signature,
        head=prompt[at:],
        context=before if _is_python(before) else "".join(f"{line}\n" for line in _IMPORT.findall(before)),
    )


def _last_head(prompt: str, head: str) -> int:
    """Return where `head` stands last at the left margin, not as the beginning of a longer name; -1 if nowhere."""
    end = len(prompt)
    while (at := prompt.rfind(head, 0, end)) >= 0:
        after = prompt[at + len(head) : at + len(head) + 1]
        if (at == 0 or prompt[at - 1] == "\n") and not (after.isalnum() or after == "_"):
            return at
        end = at + len(head) - 1
    return -1


def _within_docstring(text: str) -> str:
    """Keep a text from ending the docstring that it is put into, and its lines in the docstring's margin."""
    return text.replace("\\", "\\\\").replace('"""', "'''").replace("\n", "\n    ")


@lru_cache(maxsize=64)  # the same examples stand before every row's head
def _is_python(text: str) -> bool:
    return not isinstance(parse(text), str)
