"""Write the figures of README and docs anew, from the newest records under benchmarks/results/.

Only what stands between ``<!-- figures: TABLE RECORD -->`` and ``<!-- /figures -->`` is written; TABLE is kept, RECORD
becomes the newest one of the same benchmark with the same settings, so that no trial is taken for it. With ``--any``,
and where the old one is gone, it is the newest one whatever its settings. With ``--check`` nothing is written, and the
exit code says whether something would be.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

from card import RESULTS, ROOT
from tables import REGION, filled, newest


def written(page: str, *, whatever: bool) -> str:
    """Return a page with its regions filled from the newest records; `whatever` their settings."""

    def fill(region: re.Match[str]) -> str:
        benchmark = region["table"].partition(".")[0]
        record = newest(RESULTS, benchmark, "" if whatever else region["record"])
        if record is None:
            sys.exit(f"there is no record of {benchmark} in benchmarks/results; run it first")
        return filled(region, RESULTS, record)

    return REGION.sub(fill, page)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the figures of README and docs.")
    parser.add_argument("--check", action="store_true", help="write nothing, and say what would be written")
    parser.add_argument("--any", action="store_true", help="take the newest records, whatever their settings")
    options, stale = parser.parse_args(), False
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        text = page.read_text(encoding="utf-8")
        if (new := written(text, whatever=options.any)) != text:
            stale = True
            print(page.relative_to(ROOT))
            if not options.check:
                page.write_text(new, encoding="utf-8")
    sys.exit(options.check and stale)


if __name__ == "__main__":
    main()
