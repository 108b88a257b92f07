"""An open way to one model, over as many replicas as serve it, in one event loop.

This file decides on which replica the preflight runs, and which one a library call asks; a run's requests are
distributed by the engine, which is told who is there. What one attempt is, is :mod:`evoselfcode.clients.replica`.
"""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import msgspec

from evoselfcode.clients.findings import Check, Findings, Level, Wish
from evoselfcode.clients.looking import Sleep, look
from evoselfcode.clients.replica import Replica
from evoselfcode.clients.replicas import Places, differs
from evoselfcode.clients.roster import CHECK_SECONDS, Dial, Roster, is_away
from evoselfcode.errors import EndpointDown, EndpointError, EndpointRefused
from evoselfcode.records import Completion, Failure, Request
from evoselfcode.wire.dialect import Dialect
from evoselfcode.wire.servers import Models

REST_SECONDS = 5.0
"""How long library calls ask the other replicas first after one did not answer."""

ONE_ADDRESS = "the name has one address; if there are more pods, the Service is not headless (clusterIP: None)"


class Connection:
    """An open way to one model, bound to the event loop it was opened in.

    Args:
        places: Where its replicas are.
        dial: Makes a replica; it opens its first socket when something is sent.
        sleep: Waits some seconds while the preflight waits for a busy server.
    """

    def __init__(self, places: Places, dial: Dial, *, sleep: Sleep = anyio.sleep) -> None:
        self._roster = Roster(places, dial)
        self._sleep = sleep
        self._findings = Findings.unknown()
        self._rests: dict[str, float] = {}
        self._turn = 0

    @property
    def findings(self) -> Findings:
        """What the preflight found; to be set where an earlier one found it."""
        return self._findings

    @findings.setter
    def findings(self, findings: Findings) -> None:
        self._findings = findings
        self._roster.speak(findings.dialect)

    @property
    def dialect(self) -> Dialect:
        """How the model's servers want to be talked to."""
        return self._findings.dialect

    async def members(self) -> Sequence[Replica]:
        """Return the replicas that serve the model; who is there is looked at anew when that is half a minute old.

        Cancelled: the next one looks.
        """
        return await self._roster.members()

    async def send(self, request: Request) -> Completion | Failure:
        """Make one attempt, at the least busy replica; one that no connection can be opened to is passed over.

        Cancelled: the connection is closed, so that the server stops generating.
        """
        members = [*await self.members()]
        while True:
            replica = self._least_busy(members)
            replica.in_flight += 1
            try:
                answer = await replica.send(request)
            finally:
                replica.in_flight -= 1
            if isinstance(answer, Failure) and answer.kind in ("connect", "disconnect", "loading", "timeout"):
                self._rests[replica.name] = anyio.current_time() + REST_SECONDS
            members.remove(replica)
            if not members or not isinstance(answer, Failure) or answer.kind not in ("connect", "loading"):
                return answer

    def _least_busy(self, members: Sequence[Replica]) -> Replica:
        """Pick who has the fewest attempts under way; who are equal take turns, and who rests comes last."""
        self._turn += 1
        now, turn = anyio.current_time(), self._turn % len(members)
        turned = [*members[turn:], *members[:turn]]
        return min(turned, key=lambda it: (self._rests.get(it.name, 0.0) > now, it.in_flight))

    async def takes(self, findings: Findings) -> bool:
        """Go on with what an earlier preflight found; ``False`` if all who answer serve something else now.

        One server alone is not asked. Cancelled: nothing is known.
        """
        self.findings = findings
        return not self._roster.several or await self._roster.is_as_said()

    async def preflight(self, wish: Wish) -> Findings:
        """Run the preflight on the first replica that answers, and look whether the others serve the same model.

        Cancelled: nothing is remembered.

        Raises:
            EndpointDown: Nothing answers.
            EndpointRefused: Whoever answers will refuse every request.
        """
        await self._roster.meet()
        replicas = [*self._roster.here.values()]
        if not self._roster.several:
            self.findings, self._roster.known = await look(replicas[0], wish, sleep=self._sleep)
        else:
            listed = await _list_all(replicas)
            leader, found = await self._lead(replicas, listed, wish)
            self.findings = found
            for replica in replicas:
                if replica is not leader and replica.name not in self._roster.told:
                    self._roster.judge(replica, listed[replica.name])
            self.findings = self._with_replicas(found, len(replicas))
        self._roster.looked()
        return self.findings

    async def _lead(
        self, replicas: Sequence[Replica], listed: dict[str, Models | Failure], wish: Wish
    ) -> tuple[Replica, Findings]:
        """Return the first replica that a preflight can be run on, and what it found."""
        ready = [it for it in replicas if not _is_silent(listed[it.name])]
        ready.sort(key=lambda it: isinstance(said := listed[it.name], Failure) and is_away(said))
        errors: list[tuple[Replica, EndpointError]] = []
        for replica in ready or replicas[:1]:
            said = listed[replica.name]
            known = None if isinstance(said, Failure) and is_away(said) and ready else said
            own = msgspec.structs.replace(wish, base_url=replica.url)
            try:
                found, models = await look(replica, own, sleep=self._sleep, listed=known)
            except (EndpointDown, EndpointRefused) as error:
                errors.append((replica, error))
                continue
            for other, refusal in errors:
                self._roster.leave_out(other, differs(found.dialect, models, listed[other.name]) or refusal.message)
            self._roster.known = models
            self._roster.trust(replica)
            return replica, found
        raise _none_of(len(replicas), errors)

    def _with_replicas(self, found: Findings, many: int) -> Findings:
        """Add to what was found who serves the model, and who does not and why."""
        told = self._roster.told
        names = [name for name, replica in self._roster.here.items() if replica.trusted]
        level: Level = "ok" if len(names) == many else "warning"
        hint = ONE_ADDRESS if many == 1 else ""
        checks = [Check("replicas", level, f"{len(names)} of {many} serve it: {', '.join(names)}", hint)]
        checks += [Check("replica", "warning", text) for name, text in told.items() if text]
        return msgspec.structs.replace(found, checks=(*found.checks, *checks), requests=found.requests + many - 1)

    async def aclose(self) -> None:
        """Close every connection. Cancelled: they are closed all the same."""
        await self._roster.aclose()


async def _list_all(replicas: Sequence[Replica]) -> dict[str, Models | Failure]:
    """Ask all at once what they serve. Cancelled: the connections are closed."""
    listed: dict[str, Models | Failure] = {}

    async def ask(replica: Replica) -> None:
        listed[replica.name] = await replica.list_models(CHECK_SECONDS)

    async with anyio.create_task_group() as group:
        for replica in replicas:
            group.start_soon(ask, replica)
    return listed


def _is_silent(said: Models | Failure) -> bool:
    """Say whether nothing came back: with other replicas at hand, nobody waits for this one."""
    return isinstance(said, Failure) and said.kind in ("connect", "disconnect", "timeout")


def _none_of(many: int, errors: Sequence[tuple[Replica, EndpointError]]) -> EndpointError:
    """Make one error of what all replicas said: that of the first that said anything."""
    replica, error = errors[0]
    if many == 1:
        return error
    told = f"none of {many} replicas can be used; {replica.name}: {error.message}"
    return type(error)(told, hint=error.hint)
