"""The limit on open files: raised where the system lets it, and taken as it is where it does not."""

from __future__ import annotations

import resource

import pytest

from evoselfcode.config import RunConfig
from evoselfcode.errors import UsageError
from evoselfcode.sockets import with_room

SERVER = RunConfig.from_mapping({"model": "m", "api": {"base_url": "http://127.0.0.1:9"}})


@pytest.mark.parametrize("error", [ValueError("current limit exceeds maximum limit"), PermissionError(1, "no")])
def test_a_system_that_refuses_to_raise_the_limit_is_taken_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    """macOS, and sandboxes that filter the call. Sabotages: let the error out: it would be a traceback; believe the
    limit that was asked for."""

    def refused(kind: int, limits: tuple[int, int]) -> None:
        raise error

    monkeypatch.setattr(resource, "getrlimit", lambda kind: (256, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", refused)
    assert with_room(SERVER, None).api.max_concurrency == 256 - 64 - 8
    assert "256 files may be open at once (ulimit -n): room for 184 requests in flight" in capsys.readouterr().err
    with pytest.raises(UsageError, match="too few for 1000 requests in flight, which need 1072"):
        with_room(SERVER, 1000)
