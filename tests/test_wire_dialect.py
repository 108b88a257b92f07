"""Reading the user's ``base_url``: nothing is appended blindly."""

from __future__ import annotations

import pytest

from evoselfcode.wire.dialect import endpoint


@pytest.mark.parametrize(
    ("base_url", "api", "root"),
    [
        ("http://pod:8000", "http://pod:8000/v1", "http://pod:8000"),
        ("http://pod:8000/", "http://pod:8000/v1", "http://pod:8000"),
        ("http://pod:8000/v1", "http://pod:8000/v1", "http://pod:8000"),
        ("http://pod:8000/v1/", "http://pod:8000/v1", "http://pod:8000"),
        ("http://pod:8000/v1//", "http://pod:8000/v1", "http://pod:8000"),
        ("https://api.deepseek.com/beta", "https://api.deepseek.com/beta", "https://api.deepseek.com/beta"),
        ("https://api.deepseek.com/beta/", "https://api.deepseek.com/beta", "https://api.deepseek.com/beta"),
        (
            "https://api.fireworks.ai/inference/v1",
            "https://api.fireworks.ai/inference/v1",
            "https://api.fireworks.ai/inference",
        ),
        ("https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1", "https://openrouter.ai/api"),
        ("http://gateway/team/qwen", "http://gateway/team/qwen", "http://gateway/team/qwen"),
        ("http://gateway/v1beta", "http://gateway/v1beta", "http://gateway/v1beta"),
        ("http://[::1]:8080", "http://[::1]:8080/v1", "http://[::1]:8080"),
        ("http://[2001:db8::1]/v1", "http://[2001:db8::1]/v1", "http://[2001:db8::1]"),
        ("http://127.0.0.1", "http://127.0.0.1/v1", "http://127.0.0.1"),
        ("local:", "local:/v1", "local:"),
    ],
)
def test_an_address_is_read_as_documented(base_url: str, api: str, root: str) -> None:
    """Sabotage: append ``/v1`` wherever it is not the end (DeepSeek's beta breaks); keep the trailing slash."""
    where = endpoint(base_url)
    assert (where.api, where.root) == (api, root)
