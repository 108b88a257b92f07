"""A page in headless Chromium, driven over the DevTools protocol with the standard library alone.

For checks by hand; no test starts a browser.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

PATIENCE = 20
"""Seconds to wait for an answer of the browser."""


class Page:
    """One tab.

    Args:
        address: Of the tab's websocket (RFC 6455).
    """

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE)
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        self._socket.sendall(
            f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self._stream = self._socket.makefile("rb")
        while self._stream.readline().strip():
            pass
        self._number = 0
        self.events: list[dict[str, Any]] = []
        for domain in ("Page", "Runtime", "Log", "Accessibility"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask the browser for something and return its answer; events that come before it are kept."""
        self._number += 1
        self._send(json.dumps({"id": self._number, "method": method, "params": params}).encode())
        while (message := self._receive()).get("id") != self._number:
            self.events.append(message)
        assert "error" not in message, (method, message["error"])
        return message["result"]

    def run(self, script: str) -> Any:
        """Run JavaScript in the page and return what it comes to; a promise is awaited."""
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait(self, condition: str) -> None:
        """Wait until a condition holds, looking every 10 ms, for 5 s at most."""
        looking = f"const look = () => ({condition}) ? done(true) : setTimeout(look, 10); look();"
        ended = "setTimeout(() => done(false), 5000);"
        assert self.run(f"new Promise((done) => {{ {ended} {looking} }})"), condition

    def key(self, key: str) -> None:
        """Bring the tab to the front, press and release a key, as a keyboard does."""
        self.call("Page.bringToFront")
        text = {"text": "\r"} if key == "Enter" else {"text": key} if len(key) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=_code(key), **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=_code(key))

    def open(self, url: str) -> None:
        """Go to an address, or load it again."""
        self.call("Page.navigate", url=url)
        self.wait(f"location.href === {json.dumps(url)} && document.readyState === 'complete'")

    def look(self, path: Path, *, width: int, height: int, dark: bool = False) -> None:
        """Write a picture of the page as a window of this size shows it."""
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[theme])
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        self.run("new Promise((done) => setTimeout(done, 400))")
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def complaints(self) -> list[str]:
        """Return what the browser had to say: console messages, errors, things that its policies blocked."""
        self.call("Runtime.evaluate", expression="0")
        kinds = (
            "Runtime.consoleAPICalled",
            "Runtime.exceptionThrown",
            "Log.entryAdded",
            "Page.javascriptDialogOpening",
        )
        return [json.dumps(event["params"]) for event in self.events if event.get("method") in kinds]

    def close(self) -> None:
        """Let go of the tab."""
        self._stream.close()
        self._socket.close()

    def _send(self, payload: bytes) -> None:
        size = len(payload)
        head = bytes([0x81, 0x80 | size]) if size < 126 else bytes([0x81, 0xFE]) + size.to_bytes(2, "big")
        assert size < 65_536
        self._socket.sendall(head + bytes(4) + payload)  # a mask of zeros changes nothing

    def _receive(self) -> dict[str, Any]:
        payload, last = b"", False
        while not last:
            first, size = self._stream.read(2)
            last = bool(first & 0x80)
            if size >= 126:
                size = int.from_bytes(self._stream.read(2 if size == 126 else 8), "big")
            payload += self._stream.read(size)
        return dict(json.loads(payload))


@contextmanager
def chromium(profile: Path, tabs: int = 1) -> Iterator[list[Page]]:
    """Run Chromium (``CHROMIUM``, or what is on the path) and hand out tabs."""
    command = [
        os.environ.get("CHROMIUM", "chromium"),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--remote-debugging-port=0",
        f"--user-data-dir={profile}",
    ]
    browser = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    pages: list[Page] = []
    try:
        assert browser.stderr
        said = next(line for line in browser.stderr if "DevTools listening on" in line)
        port = urlsplit(said.split()[-1]).port
        for _ in range(tabs):
            with urlopen(Request(f"http://127.0.0.1:{port}/json/new", method="PUT"), timeout=PATIENCE) as made:
                pages.append(Page(json.load(made)["webSocketDebuggerUrl"]))
        yield pages
    finally:
        for page in pages:
            page.close()
        browser.terminate()
        browser.communicate(timeout=PATIENCE)


def _code(key: str) -> int:
    named = {"Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "/": 191}
    return named.get(key) or ord(key.upper())
