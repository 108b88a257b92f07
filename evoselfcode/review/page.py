"""The page as one document: markup, style and script in one reply, and a policy that lets nothing else run.

The page holds no text of a model. Its script asks for the names and shows them as text, never as markup; the policy
makes browsers enforce it (no markup from strings, no script and no style but these two, no network but this server).
"""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

_FOLDER = Path(__file__).parent


class Page(NamedTuple):
    """The document and the value of its ``Content-Security-Policy``."""

    body: bytes
    policy: str


@cache
def load() -> Page:
    """Put the page together."""
    markup, style, script = ((_FOLDER / f"page.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js"))
    body = markup.replace("{{ style }}", style).replace("{{ script }}", script)
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash(script)}",
            f"style-src {_hash(style)}",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        )
    )
    return Page(body.encode(), policy)


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
