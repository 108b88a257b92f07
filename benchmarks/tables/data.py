"""The tables of the data path: filtering, duplicates, exporting."""

from __future__ import annotations

from tables.writing import Document, goal_rows, markdown, method, number

FILTERS = {
    "parse": "`ast.parse`, one core: the ceiling of every gate that needs a tree",
    "examine": "the gates that look at one text, one core, in one process",
    "judge": "the same as a run asks it: processes",
    "filter": "`filter-code`: from the journal to the files, duplicates told apart",
    "filter_ruff": "`filter-code` with ruff",
    "execute": "`filter-code` with execution (256 functions)",
    "ruff_each": "ruff alone, a process for each function",
    "ruff_many": "ruff alone, a process for 256 functions",
    "duplicates": "duplicates alone, one core",
    "datasketch": "datasketch's own `MinHashLSH` for the same, one core",
}
EXPORTS = {
    "pyarrow": "pyarrow's own writer, the same columns: the ceiling of Parquet",
    "orjson": "`orjson` lines, the same columns: the ceiling of lines",
}
STREAMS = {"distinct": "distinct functions", "alike": "all alike", "boilerplate": "half the same, none alike"}

GROWTH = {
    "adding grows like size to the power of": "add_s", "the verdicts like size to the power of": "verdicts_s"
}  # fmt: skip


def filters(document: Document) -> str:
    """Functions per second of each way."""
    rates = document["figures"]["rows_per_s"]
    rows = [[FILTERS.get(way, way), *(f"{found[key]:,.0f}" for key in ("median", "least", "most", "per_cpu_s"))]
            for way, found in rates.items()]  # fmt: skip
    about = f"{document['figures']['functions']:,} functions of {document['figures']['mean_bytes']} bytes on average, "
    about += f"{document['figures']['draws']:,} draws, the ways by turns, {document['settings']['rounds']} rounds. "
    table = markdown(["functions per second", "median", "least", "most", "per CPU second"], rows)
    return f"{about}{method(document, 'ruff', 'datasketch', 'numpy')}\n\n{table}"


def duplicates(document: Document) -> str:
    """What a search for duplicates costs, and how it grows."""
    found, sizes = document["figures"], document["settings"]["sizes"]
    last = {kind: found[kind][str(sizes[-1])] for kind in STREAMS}
    rows = [
        ["microseconds to cut one into shingles", *(f"{1e6 / it['shingles_rows_per_s']:.0f}" for it in last.values())],
        ["added per second", *(f"{it['add_rows_per_s']:,.0f}" for it in last.values())],
        [f"seconds of the verdicts on {sizes[-1]:,}", *(number(it["verdicts_s"]) for it in last.values())],
        *([what, *(f"{found[f'{kind}_{key}_exponent']:.2f}" for kind in STREAMS)]
          for what, key in GROWTH.items() if len(sizes) > 1),
        ["bytes of memory a function", *(f"{it['bytes_per_row']:,.0f}" for it in last.values())],
        ["besides, during the verdicts", *(f"{it['peak_bytes_per_row']:,.0f}" for it in last.values())],
    ]  # fmt: skip
    table = markdown(["CPU of one core", *STREAMS.values()], rows)
    return f"{sizes[0]:,} to {sizes[-1]:,} functions. {method(document, 'datasketch', 'numpy')}\n\n{table}"


def exports(document: Document) -> str:
    """Rows per second of each layout and form, with the ceilings."""
    found = document["figures"]
    rows = [[EXPORTS.get(way, way), f"{it['per_cpu_s']['median']:,.0f}", f"{it['peak_mib']['most']:,.0f}",
             f"{it['mb']['median']:,.0f}"] for way, it in found["ways"].items()]  # fmt: skip
    about = f"{found['rows']:,} rows of {found['mean_bytes']:,} bytes. {method(document, 'pyarrow', 'zstandard')}"
    return f"{about}\n\n{markdown(['way', 'rows per CPU second', 'peak MiB', 'MB written'], rows)}"


SERIES = {
    "filter": ("`filter-code`, from the journal to the files", "`ast.parse`"),
    "duplicates": ("duplicates, all distinct", "datasketch's `MinHashLSH`"),
    "report-names": ("`report` of names", "reading the journal"),
    "report-code": ("`report` of code", "reading the rows"),
}


def sizes(document: Document) -> str:
    """Cost against size, with the exponent of each."""
    rows = []
    for name, found in document["figures"].items():
        what, ceiling = SERIES[name]
        rows.append([what, f"{found['sizes'][0]:,} to {found['sizes'][-1]:,}", f"{found['rows_per_cpu_s']:,.0f}",
                     f"{found['exponent']:.2f}, {found['last_exponent']:.2f}" if "exponent" in found else "",
                     f"{found['peak_mib'][-1]:,.0f}",
                     f"{number(found['times_the_ceiling'])} × {ceiling}"])  # fmt: skip
    head = [
        "what",
        "rows",
        "rows per CPU second",
        "exponent, at last",
        "peak MiB of the main process",
        "CPU at the most rows",
    ]
    return f"{method(document, 'datasketch', 'numpy', 'matplotlib', 'scipy')}\n\n{markdown(head, rows)}"


def filter_goals(document: Document) -> str:
    """G14 and G15."""
    return goal_rows(document["goals"])
