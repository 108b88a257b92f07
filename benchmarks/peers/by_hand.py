"""What somebody writes by hand over aiohttp: ``benchmarks/by_hand.py``, which keeps a set of names and syncs a file.

A session without a limit of connections, as many tasks as requests in flight; 100 where it is left to itself, which is
aiohttp's default number of connections.
"""

import asyncio
import runpy
from pathlib import Path

from work import asked, tell

work = asked()
port = int(work.url.rpartition(":")[2].partition("/")[0])
by_hand = runpy.run_path(str(Path(__file__).parents[1] / "by_hand.py"))["by_hand"]
tell(len(asyncio.run(by_hand(port, work.in_flight or 100, work.requests, work.out))))
