"""Who may ask the review server: those who know the token, by this server's own name, from its own page."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest
from review_client import HOST, TOKEN, Reviewer, reviewing
from review_runs import decided, write_run

from evoselfcode.review.app import MAX_BODY

PATHS = ["", "api/names", "api/decisions", "api/undo", "nowhere", "../"]


@pytest.fixture
async def reviewer(tmp_path: Path) -> AsyncIterator[Reviewer]:
    async with reviewing(write_run(tmp_path, {"FIM": ["gcd", "lcm"]})) as made:
        yield made


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "%ED%A0%80", "é", "."])
@pytest.mark.parametrize("path", PATHS)
async def test_nothing_is_answered_without_the_token(reviewer: Reviewer, token: str, path: str) -> None:
    """Sabotage: answer the page, or what is not there, before the token is looked at."""
    for method in ("GET", "POST", "OPTIONS"):
        answer = await reviewer.http.request(method, f"http://{HOST}/{token}/{path}")
        assert answer.status_code == 403
        assert answer.json() == {"error": "this address is not the one that review-names printed"}


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8123", "127.0.0.1", "127.0.0.1:80", "127.0.0.1:8123.", ""]
)
async def test_a_name_that_points_to_this_machine_is_not_enough(reviewer: Reviewer, host: str) -> None:
    """DNS rebinding. Sabotage: do not look at ``Host``, at its end only, or at one of two."""
    assert (await reviewer.http.get("", headers={"host": host})).status_code == 421
    for both in ([HOST, host], [host, HOST]):
        assert (await reviewer.http.get("", headers=[("host", one) for one in both])).status_code == 421
    assert (await reviewer.http.get("", headers={"host": "localhost:8123"})).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:9999", "", f"https://{HOST}"])
async def test_another_page_cannot_decide(reviewer: Reviewer, origin: str) -> None:
    """Sabotage: do not look at ``Origin``."""
    wish = {"func_name": "gcd", "decision": "accept"}
    refused = await reviewer.http.post("api/decisions", json=wish, headers={"origin": origin})
    assert refused.status_code == 403
    assert decided(reviewer.decisions.path.parent) == []
    taken = await reviewer.http.post("api/decisions", json=wish, headers={"origin": f"http://{HOST}"})
    assert taken.status_code == 200
    assert not [name for name in taken.headers if name.startswith("access-control")]


async def test_a_form_of_another_page_cannot_decide(reviewer: Reviewer) -> None:
    """A plain form needs no leave of ours to be sent. Sabotage: take any content type."""
    for kind in ("text/plain", "application/x-www-form-urlencoded", None):
        headers = {"content-type": kind} if kind else {}
        answer = await reviewer.http.post("api/decisions", content=b'{"func_name":"gcd"}', headers=headers)
        assert answer.status_code == 415


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "api/decisions", 405),
        ("GET", "api/decisions", 405),
        ("GET", "api/undo", 405),
        ("POST", "", 405),
        ("POST", "api/names", 405),
        ("DELETE", "", 405),
        ("OPTIONS", "api/decisions", 405),
        ("GET", "page.js", 404),
        ("GET", "%2e%2e/decisions.jsonl", 404),
    ],
)
async def test_what_there_is_not_is_refused(reviewer: Reviewer, method: str, path: str, status: int) -> None:
    answer = await reviewer.http.request(method, path)
    assert (answer.status_code, set(answer.json())) == (status, {"error"})


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=x", "position=-2", "position=1e400", "start=here", "status=", "more=1",
     "text=" + "x" * 256, "&".join(f"a{n}=" for n in range(20))],
)  # fmt: skip
async def test_a_query_that_makes_no_sense_is_refused(reviewer: Reviewer, query: str) -> None:
    answer = await reviewer.http.get(f"api/names?{query}")
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]


async def test_a_body_that_is_too_large_is_refused(reviewer: Reviewer) -> None:
    """Sabotage: read the body to its end."""
    headers = {"content-type": "application/json"}
    answer = await reviewer.http.post("api/decisions", content=b" " * (MAX_BODY + 1), headers=headers)
    assert answer.status_code == 413


async def test_the_policy_lets_only_the_page_s_own_script_and_style_run(reviewer: Reviewer) -> None:
    """Sabotage: change a byte of the script between the hash and the page, or allow 'unsafe-inline'."""
    page = await reviewer.http.get("")
    policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
    [style], [script] = (re.findall(f"<{kind}>(.*?)</{kind}>", page.text, re.DOTALL) for kind in ("style", "script"))
    digests = [f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in (script, style)]
    assert [policy["script-src"], policy["style-src"]] == digests
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert page.headers["referrer-policy"] == "no-referrer"  # the token is part of the address
    assert page.headers["cache-control"] == "no-store"
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)|\bstyle=|\bon\w+=[\"']|innerHTML|\beval\b", page.text) == []


async def test_a_client_that_leaves_in_the_middle_of_a_body_decides_nothing(reviewer: Reviewer) -> None:
    """Sabotage: take the half of a body for all of it."""
    parts = [{"type": "http.request", "body": b'{"func_name":"gcd","decision":"accept"}', "more_body": True},
             {"type": "http.disconnect"}]  # fmt: skip
    headers = [(b"host", HOST.encode()), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": f"/{TOKEN}/api/decisions", "headers": headers}
    sent: list[object] = []

    async def receive() -> dict[str, object]:
        return parts.pop(0)

    async def send(message: object) -> None:
        sent.append(message)

    await reviewer.app(scope, receive, send)
    assert decided(reviewer.decisions.path.parent) == []
    assert len(sent) == 2
