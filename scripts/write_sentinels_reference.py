"""Write docs/reference/sentinels.md from the table in evoselfcode.wire.sentinels.

With ``--check``, write nothing and exit with 1 if it is stale.
"""

from __future__ import annotations

import sys
from pathlib import Path

from evoselfcode.wire.sentinels import FAMILIES, Family

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "sentinels.md"

INTRODUCTION = """# Sentinels

How a raw fill-in-the-middle prompt is written for each family of models: `api.fim.mode: sentinel`, and what
`mode: auto` finds on servers that do not render a `suffix` themselves (vLLM for nearly every model).

This page is generated from the table in `evoselfcode/wire/sentinels.py`. In the prompts, `P` is the text before the
middle and `S` the text after it; every other character, blanks included, is sent as shown. `\\n` is a line feed.

- **Which family is it?** The first row whose pattern is found in the model's name (lower case). `api.fim.family` names
  one yourself, for a fine-tune whose name does not tell. A name that no pattern fits is not proof that a model cannot
  do it: the preflight then tries the two most common spellings, and takes one only if the suffix forces the middle.
- **The name alone does not tell the spelling.** Mellum writes StarCoder's sentinels in another order, Granite changed
  them from 3.3 to 4.0, CodeQwen differs from Qwen2.5-Coder. And tokens in a vocabulary are no capability: Granite 3.0
  to 3.2, Yi-Coder, SmolLM2, OpenCoder, Llama 3, the 34B and Python Code Llamas and Mamba-Codestral are left out.
- **Your text must not contain a special token of the family**, neither sentinel nor stop: nothing can quote it. Such a
  request is not sent; it is counted as `sentinel_in_prompt`.
- **What ends a middle**: the stop strings of your configuration, then the family's, then its sentinels, as many as the
  server takes; and the stop ids, where the server takes ids (vLLM, SGLang, TensorRT-LLM) and the model's own name is of
  the family. A special token that ends up in a text all the same drops the name (`special_token`).
- **Ids in place of text**: Mistral's tokenizers on vLLM do not read sentinels in text. There the prompt is sent as
  ids: beginning of text, suffix sentinel, the suffix's tokens, prefix sentinel, the prefix's tokens.
- **Beginning of text** is the server's, except before ids: the tokenizer's own setting adds it to a text.
"""


def main() -> int:
    text = page()
    if "--check" in sys.argv[1:]:
        current = PAGE.exists() and PAGE.read_text(encoding="utf-8") == text
        if not current:
            print("docs/reference/sentinels.md is stale: run scripts/write_sentinels_reference.py", file=sys.stderr)
        return 0 if current else 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


def page() -> str:
    parts = [INTRODUCTION, "## Prompts\n", "| family | order | prompt |", "| --- | --- | --- |"]
    parts += [f"| {family.name} | {family.order} | {_code(_prompt(family))} |" for family in FAMILIES.values()]
    parts += ["", "## What ends a middle\n", "| family | stop strings | ids |", "| --- | --- | --- |"]
    parts += [f"| {family.name} | {_codes(family.stops)} | {_ids(family)} |" for family in FAMILIES.values()]
    parts += ["", "## Model names and sources\n", "| family | patterns | source |", "| --- | --- | --- |"]
    parts += [f"| {family.name} | {_codes(family.models)} | {family.source} |" for family in FAMILIES.values()]
    return "\n".join(parts) + "\n"


def _prompt(family: Family) -> str:
    before, after = family.prefix + "P", family.suffix + "S"
    return (before + after if family.order == "PSM" else after + before) + family.middle


def _ids(family: Family) -> str:
    if family.ids is not None:
        begin, suffix, prefix = family.ids
        return f"prompt: {begin}, {suffix}, S, {prefix}, P"
    return ("stops: " + ", ".join(map(str, family.stop_ids))) if family.stop_ids else ""


def _codes(texts: tuple[str, ...]) -> str:
    return " ".join(map(_code, texts))


def _code(text: str) -> str:
    """Write a text as code in a table's cell."""
    return "`" + text.replace("\n", "\\n").replace("|", "\\|") + "`"


if __name__ == "__main__":
    sys.exit(main())
