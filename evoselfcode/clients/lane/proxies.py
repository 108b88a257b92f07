"""Which proxy of the environment stands between us and an address, if any.

This file decides whether one applies, as the variables ``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``
say, in either case. It refuses to know how a proxy is spoken to.
"""

from __future__ import annotations

import os
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

_NAMES = frozenset({"http_proxy", "https_proxy", "all_proxy"})


def proxy_for(url: str) -> str | None:
    """Return the address of the proxy that `url` is to be reached by, or ``None`` if there is none in the way.

    ``NO_PROXY`` lists hosts and domains, with or without a port, networks such as ``10.0.0.0/8``, or ``*``.
    """
    if not any(name.lower() in _NAMES for name in os.environ):
        return None
    from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]  # 14 ms

    proxies = getproxies_environment()
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        place = host if parts.port is None else f"{host}:{parts.port}"
    except ValueError:
        return None  # the address will be refused by whoever uses it
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or not host or proxy_bypass_environment(place, proxies) or _in_network(host, proxies.get("no", "")):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def without_login(proxy: str) -> str:
    """Return the address of a proxy as it may be shown."""
    scheme, _, rest = proxy.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def _in_network(host: str, listed: str) -> bool:
    """Say whether `host` is an address of a network that is listed; Go's and curl's programs read them too."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    for name in listed.split(","):
        try:
            if address in ip_network(name.strip(), strict=False):
                return True
        except ValueError:
            continue
    return False
