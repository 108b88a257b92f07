"""Write evoselfcode/datagen/code/known_audit.json: what the gates, as they are by default, do to a public corpus.

The corpus is in the checkout (tests/data/README.md says where it is from). The report of a code run shows these figures
where the run has no audit of its own and its filters are the default ones.
"""

from __future__ import annotations

from pathlib import Path

import anyio
import orjson

from evoselfcode.config import RunConfig
from evoselfcode.datagen.code.auditing import KNOWN_AUDIT, audit

CORPUS = Path(__file__).parents[1] / "tests" / "data" / "codegen16b_humaneval_even.jsonl.gz"
TITLE = "CodeGen-16B's completions for 82 tasks of HumanEval"


def main() -> None:
    made = anyio.run(audit, CORPUS, RunConfig.from_mapping({}))
    KNOWN_AUDIT.write_bytes(orjson.dumps(made | {"corpus": TITLE}, option=orjson.OPT_INDENT_2) + b"\n")


if __name__ == "__main__":
    main()
