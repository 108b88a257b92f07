"""The tables of what the client costs besides a whole run: its pieces, its lane, a million rows."""

from __future__ import annotations

from tables.writing import Document, markdown, method, number

LANES = {
    "bare": "bare loop: asyncio reads and writes, and nothing else",
    "direct": "**direct lane**",
    "mounted": "direct lane mounted in `httpx.AsyncClient`, as an injected client",
    "mounted_post": "the same by `client.post`",
    "lanes": "an httpx transport for each connection: before, and through a proxy",
    "httpx": "`httpx.AsyncClient` with its own pool",
    "aiohttp": "aiohttp",
    "pyreqwest": "pyreqwest (Rust), its own interface",
    "bare_uvloop": "bare loop on uvloop",
    "direct_uvloop": "**direct lane on uvloop**",
}


def pieces(document: Document) -> str:
    """Microseconds of each piece of a request, alone."""
    plain, scored = (document["figures"][key] for key in ("plain", "logprobs"))
    rows = [[name, f"{value:.1f}", f"{scored[name]:.1f}"] for name, value in plain.items()]
    rows.append(["sum", f"{sum(plain.values()):.1f}", f"{sum(scored.values()):.1f}"])
    return f"{method(document, 'msgspec', 'orjson')}\n\n{markdown(['piece', 'µs', 'with log-probabilities'], rows)}"


def lanes(document: Document) -> str:
    """Microseconds of a request by what carries it, with the ratio to the bare loop."""
    ways = document["figures"]["ways"]
    flights = [*ways["bare"]]
    rows = []
    for way, found in ways.items():
        cells = [f"{found[c]['us'][0]:,.0f} [{found[c]['us'][1]:,.0f}–{found[c]['us'][2]:,.0f}]" for c in flights]
        ratios = [found[c]["us"][0] / ways["bare"][c]["us"][0] for c in flights]
        low, high = (number(pick(ratios)) for pick in (min, max))
        rows.append([LANES.get(way, way), *cells, "1" if way == "bare" else low if low == high else f"{low} to {high}"])
    head = ["way", *(f"{int(c):,} in flight" for c in flights), "times the bare loop"]
    told = method(document, "httptools", "httpx", "aiohttp", "pyreqwest", "uvloop")
    return f"{told}\n\n{markdown(head, rows)}"


def soak(document: Document) -> str:
    """What grows over a million rows, and what does not."""
    found = document["figures"]
    rows = [
        ["rows", f"{found['rows']:,}"],
        ["kept names", f"{found['kept']:,}"],
        ["µs of CPU a row", f"{found['cpu_us_per_row']:.0f}"],
        ["MiB at the last row", f"{found['mib_at_the_last_row']:.0f}"],
        ["MiB at most, with the views", f"{found['mib_peak_with_views']:.0f}"],
        ["MiB more for every 100,000 rows", f"{found['mib_per_100000_rows']:.2f}"],
        *([f"{name}, from the first fifth to the end", " to ".join(f"{it:,}" for it in (min(few), max(few)))]
          for name, few in found["steady"].items()),
    ]  # fmt: skip
    return f"{method(document)}\n\n{markdown(['a run', 'figure'], rows)}"


def target(document: Document) -> str:
    """How fast the load target is."""
    rows = [[row["answers"], f"{row['connections']:,}", f"{row['per_s']:,.0f}", f"{row['cpu_us']:.1f}"]
            for row in document["figures"]]  # fmt: skip
    head = ["the load target answers", "connections", "requests/s", "µs of its CPU"]
    return f"wrk {document['settings']['wrk']}. {method(document)}\n\n{markdown(head, rows)}"
