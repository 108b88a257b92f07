"""The bare loop of ``benchmarks/bare.py``: a body, a keep-alive connection, a typed reply, and nothing else.

It writes no answers; it is what a loop in Python costs at the least.
"""

import asyncio
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from bare import bare
from work import asked, tell

work = asked()
port = int(work.url.rpartition(":")[2].partition("/")[0])
tell(len(asyncio.run(bare(port, work.in_flight or 100, work.requests))))
