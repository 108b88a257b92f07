"""The tables of ``benchmarks/generator.py``: what a request costs, and the goals that the client must keep."""

from __future__ import annotations

from statistics import median

from tables.writing import Document, goal_rows, markdown, method

IN_FLIGHT = (64, 256, 1024)
SPANS = {"safe_us": "until every row is safe", "run_us": "with the check and the views", "all_us": "from start to exit"}
ALONE = {
    "generator logprobs": "the generator with log-probabilities, a reply of 1,800 bytes",
    "generator n=1": "the generator, one name a request",
    "generator n=16": "the generator, 16 names a request",
    "lane": "bare loop over the direct lane",
    "lane uvloop": "the same on uvloop",
    "lean": "the generator, `DirectTransport` handed in",
    "mounted": "the generator, the same in an `httpx.AsyncClient`",
    "stock": "the generator, `httpx.AsyncClient` with its own pool",
    "aiohttp": "a script by hand over aiohttp",
}


class Measured:
    """The medians of a record."""

    def __init__(self, document: Document) -> None:
        self._runs: dict[tuple[str, float, int], list[dict[str, float]]] = {}
        for it in sorted(document["figures"], key=lambda it: -int(it["requests"])):  # a start weighs least in the most
            self._runs.setdefault((it["way"], it["latency_s"], it["in_flight"]), it["runs"])

    def __call__(self, way: str, latency: float, in_flight: int, key: str) -> float | None:
        runs = self._runs.get((way, latency, in_flight))
        return median(run[key] for run in runs) if runs else None

    def cell(self, way: str, latency: float, in_flight: int, key: str) -> str:
        """Write a figure, and in brackets how many times the bare loop's it is."""
        figure = self(way, latency, in_flight, key)
        if figure is None:
            return "not measured"
        name, _, options = way.partition(" ")
        bare = self(f"bare {options}".strip(), latency, in_flight, "all_us" if key == "all_us" else "run_us")
        return f"{figure:,.0f}" + (f" ({figure / bare:.1f})" if bare and name != "bare" else "")


def costs(document: Document) -> str:
    """Microseconds of CPU a request, by latency, way and requests in flight."""
    measured, parts = Measured(document), [method(document, "httptools", "msgspec", "orjson", "anyio", "httpx",
                                                  "uvloop", "aiohttp")]  # fmt: skip
    for latency, title in ((0.0, "the server answers at once"), (0.05, "it takes 50 ms"), (0.5, "it takes 500 ms")):
        rows = []
        for loop in ("", " uvloop"):
            on = " on uvloop" if loop else ""
            ways = [(f"bare loop{on}", f"bare{loop}", "run_us"),
                    *((f"**the generator{on}, {text}**" if key == "safe_us" else text, f"generator{loop}", key)
                      for key, text in SPANS.items())]  # fmt: skip
            for text, way, key in ways:
                cells = [measured.cell(way, latency, flying, key) for flying in IN_FLIGHT]
                if any(cell != "not measured" for cell in cells):
                    rows.append([text, *cells])
        parts.append(markdown([title, *(f"{flying:,} in flight" for flying in IN_FLIGHT)], rows))
    rows = [[text, measured.cell(way, 0.0, 256, "safe_us")] for way, text in ALONE.items()]
    parts.append(markdown(["at once, 256 in flight", "µs"], rows))
    return "\n\n".join(parts)


def goals(document: Document) -> str:
    """Every goal but the many of G1, which are the ratios of the costs."""
    return goal_rows([goal for goal in document["goals"] if goal["goal"] != "G1"])


def against_bare(document: Document) -> str:
    """G1: times the bare loop's CPU, met where it is at most 2.5."""
    measured, rows = Measured(document), []
    for latency in (0.0, 0.05):
        for loop in ("", " uvloop"):
            for key, text in SPANS.items():
                cells = []
                for flying in IN_FLIGHT:
                    ours = measured(f"generator{loop}", latency, flying, key)
                    bare = measured(f"bare{loop}", latency, flying, "all_us" if key == "all_us" else "run_us")
                    ratio = ours / bare if ours and bare else None
                    cells.append("not measured" if ratio is None else
                                 f"{ratio:.2f}" + ("" if ratio <= 2.5 else " **not met**"))  # fmt: skip
                rows.append([f"{1000 * latency:g} ms{', uvloop' if loop else ''}, {text}", *cells])
    return markdown(["G1: at most 2.5 times the bare loop", *(f"{flying:,} in flight" for flying in IN_FLIGHT)], rows)
