"""Which programs ``benchmarks/peers.py`` measures, how many requests each can make in about a minute, and the goals.

A peer is a script of ``benchmarks/peers``, an environment below ``.venv-peers`` that is installed from the requirements
of the same name, and the distributions whose versions are told. What is compared is compared at the same number of
requests: a start of two seconds weighs twenty times more on 1,000 requests than on 20,000.
"""

from __future__ import annotations

from statistics import median
from typing import Any, NamedTuple

from card import judge

MANY, SOME, FEW = 20_000, 5_000, 1_000


class Peer(NamedTuple):
    """A program that makes the same requests.

    Attributes:
        name: Its script, without ``.py``.
        title: What a table calls it.
        environment: Where it is installed and what its requirements are called; empty for this project's own.
        packages: Distributions whose versions are told.
        requests: How many requests it makes, each number in a run of its own.
        processes: Whether it starts processes for its work; it then has all cores, and else the first.
        remark: What of the work it does otherwise.
        decides: Whether it has a number in flight of its own, where nobody says one.
    """

    name: str
    title: str
    environment: str
    packages: tuple[str, ...]
    requests: tuple[int, ...]
    processes: bool = False
    remark: str = ""
    decides: bool = True


OURS = Peer("ours", "evoselfcode", "", ("evoselfcode", "httptools"), (MANY, SOME, FEW),
            remark="journal with syncs, filters, duplicates, views")  # fmt: skip

PEERS: tuple[Peer, ...] = (
    OURS,
    Peer("bare_loop", "the bare loop", "", ("httptools", "msgspec", "orjson"), (MANY, SOME),
         remark="no retry, no deadline, no file; the ceiling", decides=False),
    Peer("by_hand", "by hand over aiohttp", "aiohttp", ("aiohttp",), (MANY, SOME), remark="no retry, no resume",
         decides=False),
    Peer("cookbook", "a script like the cookbook's", "aiohttp", ("aiohttp",), (SOME,),
         remark="sleeps a millisecond for each request, so that never 256 are in flight"),
    Peer("httpx2_stock", "httpx2", "httpx2", ("httpx2", "httpcore2"), (SOME,), decides=False),
    Peer("httpx_stock", "httpx", "httpx", ("httpx", "httpcore"), (SOME,), decides=False),
    Peer("openai3_aiohttp", "openai 3 over aiohttp", "openai3_aiohttp", ("openai", "aiohttp"), (SOME,)),
    Peer("openai3", "openai 3", "openai3", ("openai", "httpx2"), (MANY,)),
    Peer("openai2", "openai 2", "openai2", ("openai", "httpx"), (SOME,)),
    Peer("langchain_abatch", "langchain", "langchain", ("langchain-openai", "langchain-core", "openai"), (SOME,),
         remark="chat"),
    Peer("litellm_chat", "litellm, chat", "litellm", ("litellm", "openai"), (SOME,), remark="chat"),
    Peer("litellm_text", "litellm, text", "litellm", ("litellm", "openai"), (SOME,)),
    Peer("data_designer_create", "data-designer", "data_designer", ("data-designer", "httpx"), (SOME,),
         remark="chat; no n, so that a request brings one name; with its profile of the rows"),
    Peer("curator_llm", "curator", "curator", ("bespokelabs-curator", "litellm", "aiohttp"), (SOME,), remark="chat"),
    Peer("distilabel_pipeline", "distilabel", "distilabel", ("distilabel", "openai"), (SOME,), processes=True,
         remark="chat; a process for each step"),
    Peer("inspect_ai_eval", "inspect_ai", "inspect_ai", ("inspect-ai", "openai"), (FEW,),
         remark="chat; with its log"),
    Peer("guidellm_run", "guidellm", "guidellm", ("guidellm", "httpx"), (SOME,), processes=True,
         remark="keeps the first of four names; as many processes as cores"),
)  # fmt: skip

Runs = dict[tuple[str, int], list[dict[str, Any]]]
"""Script and requests; what each round found."""


class Goal(NamedTuple):
    """A limit for what a peer takes, in times what this project takes for as many requests.

    Attributes:
        name: Its number.
        peer: The peer's script.
        key: What is compared: ``cpu_us`` or ``wall_s``.
        limit: At least so many times.
    """

    name: str
    peer: str
    key: str
    limit: float


GOALS: tuple[Goal, ...] = (
    Goal("G3", "openai3", "cpu_us", 25),
    Goal("G3", "openai3", "wall_s", 12),
    Goal("G4", "openai2", "cpu_us", 40),
    Goal("G4", "openai2", "cpu_us", 50),
    Goal("G4", "openai2", "wall_s", 25),
    Goal("G5", "by_hand", "cpu_us", 1.8),
    *(Goal("G6", name, "cpu_us", 30)
      for name in ("langchain_abatch", "litellm_chat", "litellm_text", "data_designer_create", "curator_llm",
                   "distilabel_pipeline", "inspect_ai_eval", "guidellm_run")),
)  # fmt: skip
"""From the facts that the benchmarks were planned by; G4 is planned at 40 and asked for at 50, so both are told."""

WORDS = {"cpu_us": "CPU", "wall_s": "wall time"}


def ratio(runs: Runs, peer: str, requests: int, key: str) -> float | None:
    """Return how many times ours a peer's median is, for as many requests; None where one of them was not measured."""
    theirs, own = runs.get((peer, requests)), runs.get((OURS.name, requests))
    if not theirs or not own:
        return None
    return median(run[key] for run in theirs) / median(run[key] for run in own)


def judged(runs: Runs) -> list[dict[str, Any]]:
    """Judge every goal whose peer was measured, at the most requests that it made."""
    told, by_name = [], {peer.name: peer for peer in PEERS}
    for goal in GOALS:
        peer = by_name[goal.peer]
        figure = ratio(runs, peer.name, max(peer.requests), goal.key)
        if figure is None:
            continue
        sentence = (f"times less {WORDS[goal.key]} than {peer.title}, "
                    f"{max(peer.requests):,} requests from start to exit")  # fmt: skip
        told.append(judge(goal.name, figure, ">=", goal.limit, sentence, peer=peer.name))
    return told


def unjudged(runs: Runs) -> list[str]:
    """Name the goals that stay open because their peer was not measured."""
    done = {(told["goal"], told["peer"]) for told in judged(runs)}
    return sorted({f"{goal.name} ({goal.peer})" for goal in GOALS if (goal.name, goal.peer) not in done})
