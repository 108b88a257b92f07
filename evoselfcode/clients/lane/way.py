"""Which way calls go: directly, or by httpx where a proxy stands in between.

A proxy of the environment is neither ignored (from many networks nothing else gets out) nor used in silence (it reads
prompts and keys, where the endpoint speaks no TLS). httpx speaks to it; that costs about 1 ms of CPU a request instead
of about 0.04 ms.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from urllib.parse import urlsplit

from evoselfcode.clients.lane.direct import DirectLanes
from evoselfcode.clients.lane.proxies import proxy_for, without_login
from evoselfcode.clients.replies import Transport

_log = logging.getLogger("evoselfcode")
_told: set[tuple[str, str]] = set()


def lanes_to(url: str, headers: Mapping[str, str], at: str = "") -> Transport:
    """Return what carries calls to `url`; say so, once for each host, where they go through a proxy.

    Args:
        url: Where calls will go.
        headers: Sent with each call.
        at: IP address that connections are opened to; ``""`` is wherever the name leads. A proxy finds its own way.
    """
    proxy = proxy_for(url)
    if proxy is None:
        return DirectLanes(headers, at=at)
    from evoselfcode.clients.transport import HttpxLanes  # imports httpx, which takes 60 ms

    host, shown = urlsplit(url).hostname or url, without_login(proxy)
    if (host, shown) not in _told:
        _told.add((host, shown))
        _log.warning(
            "requests to %s go through the proxy %s of the environment; if they need not, set NO_PROXY=%s",
            *(host, shown, host),
        )
    return HttpxLanes(headers, proxy)
