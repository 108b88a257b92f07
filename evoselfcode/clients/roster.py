"""The replicas that are there, and which of them are known to serve the model that is asked for.

This file decides who is a member, when that is looked at anew, and what is said of those who are none. It refuses to
know which member is asked next: that is the engine's part in a run, and the connection's in a library call.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

import anyio

from evoselfcode.clients.replica import PROBE, Replica, Watch
from evoselfcode.clients.replicas import LOOK_SECONDS, Place, Places, differs
from evoselfcode.finishing import finished
from evoselfcode.records import Failure
from evoselfcode.wire import retry
from evoselfcode.wire.dialect import Dialect
from evoselfcode.wire.servers import Models

CHECK_SECONDS = 10.0
"""Time that a replica has to list its models: of one that comes, nobody waits for the answer but it."""

_log = logging.getLogger("evoselfcode")

Dial = Callable[[Place, Watch], Replica]
"""Makes a replica that opens its first socket when something is sent."""


class Roster:
    """Who is there, as of half a minute ago.

    A server is trusted once it was seen to serve the model; one that serves another is left out, and this is said. One
    that has not answered yet is asked again at the next look.

    Args:
        places: Where replicas are.
        dial: Makes one.
        clock: Returns the time in seconds.

    Attributes:
        known: What one of the trusted lists, or ``None``.
        told: What was said of those that are not trusted, by name.
    """

    def __init__(self, places: Places, dial: Dial, *, clock: Callable[[], float] = anyio.current_time) -> None:
        self._clock = clock
        self._places = places
        self._dial = dial
        self._here: dict[str, Replica] = {}
        self._dialect = Dialect()
        self._refused: set[str] = set()
        self._differ = False  # whether somebody was seen to serve something else
        self._looking = anyio.Lock()
        self._due = 0.0
        self.known: Models | None = None
        self.told: dict[str, str] = {}

    @property
    def several(self) -> bool:
        """Whether there may be more than one replica."""
        return self._places.several

    @property
    def here(self) -> Mapping[str, Replica]:
        """Everybody who is there, trusted or not, by name."""
        return self._here

    def speak(self, dialect: Dialect) -> None:
        """Let everybody be talked to in this dialect, also those who come later."""
        self._dialect = dialect
        for replica in self._here.values():
            replica.dialect = dialect

    async def members(self) -> Sequence[Replica]:
        """Return those to be asked; look who is there if the last look is half a minute old.

        If none is trusted, it is everybody: each is looked at before it is asked anything. Whoever calls while another
        one looks does not wait. Cancelled: the look is made by the next one.
        """
        now = self._clock()
        if now >= self._due and not (self._here and self._looking.locked()):
            async with self._looking:
                if now >= self._due:
                    await self.meet()
                    await self._check_all()
                    self.looked(now)
        everybody = [*self._here.values()]
        trusted = [replica for replica in everybody if replica.trusted]
        return trusted or everybody

    def looked(self, at: float | None = None) -> None:
        """Let half a minute pass between the look that began then, or now, and the next one."""
        self._due = (self._clock() if at is None else at) + LOOK_SECONDS

    async def is_as_said(self) -> bool:
        """Say at the first look whether what an earlier preflight found may still hold.

        So it does if somebody serves it, or nobody answers yet. Cancelled: nothing is known.
        """
        return any(replica.trusted for replica in await self.members()) or not self._differ

    async def meet(self) -> None:
        """Find out who is there. Who has left gets nothing more; what is in flight there ends.

        Cancelled: who came may be there; who left is closed all the same.
        """
        places = {place.name: place for place in await self._places.now()}
        self._say("", self._places.trouble)
        left = [self._here.pop(name) for name in [*self._here] if name not in places]
        for name, place in places.items():
            if name not in self._here:
                replica = self._here[name] = self._dial(place, self)
                replica.dialect = self._dialect
                replica.trusted = not self.several
        for replica in left:
            self.told.pop(replica.name, None)
            self._refused.discard(replica.name)
        await finished(_close(left))

    async def aclose(self) -> None:
        """Close every connection. Cancelled: they are closed all the same."""
        await finished(_close(self._here.values()))

    # How a replica is seen to serve the model.

    async def _check_all(self) -> None:
        async with anyio.create_task_group() as group:
            for replica in self._here.values():
                if not replica.trusted:
                    group.start_soon(self.why_not, replica)

    async def why_not(self, replica: Replica) -> Failure | None:
        """Look whether a replica serves the model; return what is in the way of asking it, or ``None``.

        One that was left out has to serve a token first: it may list what it refuses.
        """
        listed = await replica.list_models(CHECK_SECONDS)
        lists = not isinstance(listed, Failure) and not differs(self._dialect, self.known, listed)
        if lists and replica.name in self._refused:
            found = await replica.ask(PROBE, self._dialect, CHECK_SECONDS)
            if isinstance(found, Failure):
                return self.refused(replica, found) if retry.policy(found.kind) == "stop_run" else found
        return self.judge(replica, listed)

    def judge(self, replica: Replica, listed: Models | Failure) -> Failure | None:
        """Trust a replica, or say what is in the way of it, given what it lists."""
        if isinstance(listed, Failure) and is_away(listed):
            if not replica.trusted:
                self._say(replica.name, f"{replica.name} does not serve requests now{_said(listed)}; it is asked again")
            return listed
        if why := differs(self._dialect, self.known, listed):
            self._differ = True
            kind = listed.kind if isinstance(listed, Failure) else "no_model"
            return self._leave_out(replica, Failure(kind, why), why)
        self.known = self.known or (listed if isinstance(listed, Models) else None)
        self.trust(replica)
        return None

    def trust(self, replica: Replica) -> None:
        """Count a replica among those who are asked."""
        replica.trusted = True
        self._refused.discard(replica.name)
        self.told.pop(replica.name, None)

    def refused(self, replica: Replica, failure: Failure) -> Failure:
        """Leave out a replica that refuses every request; if it is the last, the refusal is the run's."""
        return self._leave_out(replica, failure, f"it refuses the requests{_said(failure)}")

    def leave_out(self, replica: Replica, why: str) -> None:
        """Ask a replica no more, and say so, once."""
        replica.trusted = False
        self._refused.add(replica.name)
        self._say(replica.name, f"{replica.name} is left out: {why}")

    def _leave_out(self, replica: Replica, failure: Failure, why: str) -> Failure:
        """Leave a replica out if there are others; to its rows it is then a server that is not ready."""
        if not any(other.trusted for other in self._here.values() if other is not replica):
            return failure
        self.leave_out(replica, why)
        return Failure("loading", why, failure.status)

    def _say(self, name: str, told: str) -> None:
        """Say something about somebody, once until it is another thing."""
        if self.told.get(name, "") != told:
            self.told[name] = told
            if told:
                _log.warning("%s", told)


async def _close(replicas: Iterable[Replica]) -> None:
    for replica in replicas:
        await replica.aclose()


def is_away(failure: Failure) -> bool:
    """Say whether a server that answered so may answer otherwise in a while."""
    return retry.policy(failure.kind) in ("wait", "retry")


def _said(failure: Failure) -> str:
    return f" ({failure.kind}{failure.http}: {failure.message})"
