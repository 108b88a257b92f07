"""The secondary table: shares of draws, their design effects, and one adjustment for all rows."""

from __future__ import annotations

import numpy as np
import pytest
import simulated_arms
from golden import GOLDEN
from hypothesis import given
from hypothesis import strategies as st

from evoselfcode.stats.compare import holm
from evoselfcode.stats.shares import Counts, compare_shares


def accepted(draws: int, accept: float, rng: np.random.Generator, alike: float = 0.0) -> Counts:
    """Count the accepted draws of a simulated arm."""
    found = simulated_arms.arm("", simulated_arms.zipf(1000, 1.0), draws, accept, rng, alike=alike)
    return Counts.of([name is not None for name in request] for request in found.requests)


def test_the_published_funnel_is_one_row() -> None:
    """Sabotage: swap the arms."""
    known = GOLDEN["user_funnel"]
    a, b = (Counts(known[arm][-1], known[arm][0]) for arm in ("fim", "l2r"))
    [row] = compare_shares({"kept": (a, b)})
    assert (row.metric, row.p, row.holm) == ("kept", row.p, row.p)
    assert (row.a.estimate, row.b.estimate) == pytest.approx(tuple(known["end_to_end"]), abs=1e-4)
    assert (row.difference.low, row.difference.high) == pytest.approx(tuple(known["newcombe95"]), abs=1e-4)


def test_rows_are_adjusted_together() -> None:
    """Sabotage: return p for holm."""
    rows = compare_shares({str(x): (Counts(x, 100), Counts(50, 100)) for x in (50, 60, 66, 70)})
    assert [row.holm for row in rows] == pytest.approx(holm([row.p for row in rows]))
    assert rows[2].p < 0.05 < rows[1].p
    assert rows[3].holm == pytest.approx(4 * rows[3].p)
    assert compare_shares({}) == ()


def test_draws_that_repeat_each_other_count_once() -> None:
    """Requests of four equal draws are worth a quarter. Sabotage: keep the design effect at 1."""
    rng = np.random.default_rng(1)
    single = [(bool(kept),) for kept in rng.random(400) < 0.3]
    fourfold, alone = Counts.of(request * 4 for request in single), Counts.of(single)
    assert fourfold.design_effect == pytest.approx(4.0, rel=0.02)
    assert alone.design_effect == pytest.approx(1.0)
    assert fourfold.independent == pytest.approx(alone.independent, rel=0.02)
    assert (fourfold.successes, fourfold.draws) == (4 * alone.successes, 1600)


@given(st.lists(st.lists(st.booleans(), max_size=4), max_size=12))
def test_counts_are_the_draws_and_an_effect_of_1_or_more(requests: list[list[bool]]) -> None:
    """Sabotage: let the effect fall below 1, or skip requests without a success."""
    found = Counts.of(requests)
    assert (found.successes, found.draws) == (sum(map(sum, requests)), sum(map(len, requests)))
    assert found.design_effect >= 1.0


def test_an_arm_without_draws_has_no_share() -> None:
    """Sabotage: answer 0 of 0 with 0."""
    with pytest.raises(ValueError, match="not a share"):
        compare_shares({"kept": (Counts(0, 0), Counts(1, 2))})


@pytest.mark.slow
def test_1000_runs_of_two_points() -> None:
    """80 against 82 % of 10,000 draws is found in 9 of 10 runs, and 80 against 80 % in at most 7 of 100."""
    rng = np.random.default_rng(6)
    for other, alike in ((0.82, 0.0), (0.8, 0.0), (0.8, 0.5)):
        found = 0
        for _ in range(1_000):
            a, b = (accepted(10_000, accept, rng, alike) for accept in (0.8, other))
            found += compare_shares({"kept": (a, b)})[0].p < 0.05
        print(f"80 against {other:.0%}, alike {alike}: {found / 1_000:.1%}")
        assert found >= 900 if other > 0.8 else found <= 70
