"""Arms of a simulated A/B test: names drawn from a Zipf law, each draw accepted with a fixed chance."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from evoselfcode.stats import verdict

NAMES = np.array([*(f"name{number}" for number in range(50_000)), None], dtype=object)
"""The last one, index −1, is a draw that was not accepted."""

PER_REQUEST = 4
Law = npt.NDArray[np.float64]


def zipf(names: int, exponent: float) -> Law:
    """Return the probability of each name."""
    weights = np.arange(1, names + 1) ** -exponent
    return np.asarray(weights / weights.sum())


def arm(
    name: str, law: Law, draws: int, accept: float, rng: np.random.Generator, *, alike: float = 0.0
) -> verdict.ArmDraws:
    """Draw an arm by requests of four.

    Args:
        name: Of the arm.
        law: Probability of each name.
        draws: In all.
        accept: Chance that a draw is accepted.
        rng: The source.
        alike: Chance that a draw repeats the one before it in its request.
    """
    found = np.minimum(np.searchsorted(np.cumsum(law), rng.random(draws)), len(law) - 1)
    found = np.where(rng.random(draws) < accept, found, -1).reshape(-1, PER_REQUEST)
    repeats = rng.random(found.shape) < alike
    for place in range(1, PER_REQUEST):
        found[:, place] = np.where(repeats[:, place], found[:, place - 1], found[:, place])
    return verdict.ArmDraws(name, tuple(map(tuple, NAMES[found].tolist())))


def expected(law: Law, draws: int, accept: float) -> float:
    """Return the expected number of distinct accepted names."""
    return float(-np.expm1(draws * np.log1p(-accept * law)).sum())


def deviation(law: Law, draws: int, accept: float) -> float:
    """Return the standard deviation of that number, from the Poisson approximation less what a fixed n takes away."""
    mean = draws * accept * law
    once = float((mean * np.exp(-mean)).sum())
    return float(np.sqrt((np.exp(-mean) * -np.expm1(-mean)).sum() - once**2 / draws))


def planted(law: Law, draws: int, accept: float, gap: float) -> float:
    """Return the chance of acceptance that finds `gap` more names per 1,000 draws than `accept` does."""
    target = expected(law, draws, accept) + gap * draws / 1000
    low, high = accept, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if expected(law, draws, middle) < target else (low, middle)
    assert abs(expected(law, draws, low) - target) < 1.0, "no chance of acceptance gives this gap"
    return low


def decided(law: Law, draws: int, accepts: tuple[float, float], rng: np.random.Generator, alike: float = 0.0) -> str:
    """Run one A/B test of two arms that differ at most in acceptance and return its verdict."""
    a, b = (
        arm(name, law, draws, accept, rng, alike=alike) for name, accept in zip(("FIM", "L2R"), accepts, strict=True)
    )
    return verdict.decide(a, b).verdict
