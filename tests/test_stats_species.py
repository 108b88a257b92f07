"""How many names there are: against published numbers, and against scikit-bio where it is installed."""

from __future__ import annotations

import itertools
import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoselfcode.stats.forecast import extrapolated, rarefied
from evoselfcode.stats.intervals import upper_point
from evoselfcode.stats.species import (
    Frequencies,
    ace,
    chao1,
    chao1_interval,
    coverage,
    good_turing,
    hill,
    vendi,
)

COUNTS = [0, 1, 1, 4, 2, 5, 2, 4, 1, 2]
GIRDLED = [46, 22, 17, 15, 15, 9, 8, 6, 6, 4, *[2] * 4, *[1] * 12]
LOGGED = [88, 22, 16, 15, 13, 10, 8, 8, 7, 7, 7, 5, 4, 4, 4, 3, 3, 3, 3, *[2] * 4, *[1] * 14]

some_counts = st.lists(st.integers(1, 60), min_size=1, max_size=60)


def test_frequencies_of_counts() -> None:
    freq = Frequencies.of(COUNTS)
    assert (freq.n, freq.distinct, freq.f(1), freq.f(2), freq.f(3), freq.f(5)) == (22, 9, 3, 3, 0, 1)
    assert freq.spectrum == ((1, 3), (2, 3), (4, 2), (5, 1))
    assert freq == Frequencies.of_names("abccddddeeeeeffgggghii")


def test_frequencies_of_nothing() -> None:
    nothing = Frequencies.of([])
    assert nothing == Frequencies.of_names([]) == Frequencies.of([0, 0]) == Frequencies(0, 0, ())
    assert (coverage(nothing), chao1(nothing), ace(nothing), hill(nothing, 1)) == (0, 0, 0, 0)
    unseen = good_turing(nothing)
    assert (unseen.estimate, unseen.low, unseen.high) == (1, 0, 1)
    assert chao1_interval(nothing).high == 0


@pytest.mark.parametrize("pairs", [[(-1, 2)], [(1, -2)], [(1, 2), (1, 3)]])
def test_wrong_spectra(pairs: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="times"):
        Frequencies.of_spectrum(pairs)


def test_rejected_draws_thin_the_unseen_mass_and_nothing_else() -> None:
    """Sabotage: sum ``freq.n`` instead of the spectrum in hill()."""
    freq = Frequencies.of(COUNTS)
    thinned = freq.among(44)
    assert good_turing(thinned).estimate == good_turing(freq).estimate / 2
    assert rarefied(thinned, 44) == rarefied(freq, 22) == 9
    assert hill(thinned, 2) == hill(freq, 2)
    with pytest.raises(ValueError, match="fewer draws"):
        freq.among(21)


def test_chao1_of_the_estimates_manual() -> None:
    """Sabotage: 0.24 for the quarter in the uncorrected variance, which is a known slip of other packages."""
    freq = Frequencies.of(COUNTS)
    assert chao1(freq) == 9.75
    assert chao1(freq, corrected=False) == 10.5
    corrected, plain = chao1_interval(freq), chao1_interval(freq, corrected=False)
    # The manual rounds z to 1.96, which is worth 0.0006 at the far limit.
    assert (corrected.low, corrected.high) == pytest.approx((9.07, 17.45), abs=0.006)
    assert (plain.low, plain.high) == pytest.approx((9.17, 21.89), abs=0.006)
    # The variance that the interval implies: T·(K − 1/K) is monotone in it, and K = √(high − S)/(low − S).
    for found, deviation in ((corrected, 1.42), (plain, 2.29)):
        unseen = found.estimate - 9
        spread = math.sqrt((found.high - 9) / (found.low - 9))
        variance = unseen**2 * math.expm1((math.log(spread) / upper_point(0.95)) ** 2)
        assert variance == pytest.approx(deviation**2, rel=0.01)


def test_chao1_without_names_seen_once_or_twice() -> None:
    assert chao1(Frequencies.of([2, 2, 4, 5])) == chao1(Frequencies.of([2, 2, 4, 5]), corrected=False) == 4
    assert chao1(Frequencies.of([1, 1, 4, 5])) == chao1(Frequencies.of([1, 1, 4, 5]), corrected=False) == 5
    alone = chao1_interval(Frequencies.of([1, 3]))
    assert (alone.estimate, alone.low, alone.high) == (2, 2, 2)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [([12, 3, 2, 1], 4.6), ([12, 3, 6, 1, 10], 5.62749672), ([0, 1, 1, 0, 0, 10, 10, 1, 0, 0], 9.35681818182)],
)
def test_ace(counts: list[int], expected: float) -> None:
    """Sabotage: ``times < rare`` for which names are rare."""
    assert ace(Frequencies.of(counts)) == pytest.approx(expected, abs=1e-8)


def test_ace_where_there_is_none() -> None:
    with pytest.raises(ValueError, match="Chao1"):
        ace(Frequencies.of([1, 1, 1, 30]))
    assert ace(Frequencies.of([20, 30])) == 2


def test_unseen_mass_and_coverage() -> None:
    """Sabotage: ``n**2`` for ``n**3`` under Esty's root; ``twice`` for ``2 * twice`` in coverage()."""
    assert 1 - good_turing(Frequencies.of([1] * 75 + [2] * 6 + [3, 4, 4])).estimate == pytest.approx(0.23469387755)
    freq = Frequencies.of(COUNTS)
    assert 1 - good_turing(freq).estimate == pytest.approx(0.8636363636)
    assert coverage(freq) == pytest.approx(0.875494, abs=1e-6)
    half = 1.959963985 * math.sqrt((3 * 19 + 2 * 22 * 3) / 22**3)
    unseen = good_turing(freq)
    assert (unseen.low, unseen.high) == (0, pytest.approx(3 / 22 + half))
    half = 1.959963985 * math.sqrt((12 * 156 + 2 * 168 * 4) / 168**3)
    assert good_turing(Frequencies.of(GIRDLED)).low == pytest.approx(12 / 168 - half)
    assert coverage(Frequencies.of([1, 1, 3])) == 1 - 2 / 5
    assert coverage(Frequencies.of([3, 3])) == 1


def test_hill_numbers() -> None:
    freq = Frequencies.of([1, 2, 3, 4, 5])
    found = [hill(freq, q) for q in (0, 0.5, 1, 2, 10, math.inf)]
    assert found == pytest.approx([5, 4.68423304, 4.43598780, 4.09090909, 3.34923645, 3], abs=1e-8)
    assert hill(freq, 1 + 1e-7) == pytest.approx(hill(freq, 1), abs=1e-6)
    assert hill(freq, 5_000) == pytest.approx(3, abs=1e-2)
    for q in (-1, math.nan):
        with pytest.raises(ValueError, match="at least 0"):
            hill(freq, q)


@pytest.mark.parametrize(
    ("counts", "n", "distinct", "covered", "richness", "hill1", "hill2"),
    [(GIRDLED, 168, 26, 0.9289, 43.893, 12.060, 7.840), (LOGGED, 252, 37, 0.9446, 61.403, 14.421, 6.761)],
)
def test_the_spiders_of_inext(
    counts: list[int], n: int, distinct: int, covered: float, richness: float, hill1: float, hill2: float
) -> None:
    """The richness of iNEXT is the height that the extrapolated curve comes to."""
    freq = Frequencies.of(counts)
    assert (freq.n, freq.distinct) == (n, distinct)
    assert coverage(freq) == pytest.approx(covered, abs=1e-4)
    assert extrapolated(freq, 10**9) == pytest.approx(richness, abs=1e-3)
    assert hill(freq, 1) == pytest.approx(hill1, abs=1e-3)
    assert hill(freq, 2) == pytest.approx(hill2, abs=1e-3)


def test_vendi() -> None:
    """Sabotage: leave out the division by n."""
    pytest.importorskip("numpy")
    assert vendi([[1, 0.9, 0], [0.9, 1, 0], [0, 0, 1]]) == pytest.approx(2.1573, abs=1e-4)
    assert vendi([[1, 1, 1]] * 3) == pytest.approx(1)
    assert vendi([[float(i == j) for j in range(7)] for i in range(7)]) == pytest.approx(7)
    assert vendi([]) == 0
    for wrong in ([[1, 0]], [[1, 0.5], [0, 1]], [[2, 0], [0, 2]]):
        with pytest.raises(ValueError, match="similarity matrix"):
            vendi(wrong)


def test_vendi_of_six_points() -> None:
    """The example of its authors: three pairs on a line, alike within e^−10."""
    pytest.importorskip("numpy")
    points = [0, 0, 10, 10, 20, 20]
    assert vendi([[math.exp(-abs(a - b)) for b in points] for a in points]) == pytest.approx(2.9999, abs=1e-4)


def test_unseen_mass_of_equally_likely_names() -> None:
    """1,000 draws of 1,000 equally likely names: the mean of 200 runs lies within 3 standard errors of the law."""
    runs = [Frequencies.of_names(Random(f"uniform/{seed}").choices(range(1000), k=1000)) for seed in range(200)]
    for expected, values in (
        (632.3046, [run.distinct for run in runs]),
        (368.0635, [run.f(1) for run in runs]),
        (0.36770, [good_turing(run).estimate for run in runs]),
    ):
        mean = sum(values) / len(values)
        error = math.sqrt(sum((value - mean) ** 2 for value in values)) / len(values)
        assert abs(mean - expected) < 3 * error


def test_esty_interval_holds_the_unseen_mass() -> None:
    """In 95 of 100 runs, within chance (3 standard errors of 200). Sabotage: leave out ``2 * n * twice``."""
    weights = [1 / rank for rank in range(1, 2001)]
    held = 0
    for seed in range(200):
        names = Random(f"esty/{seed}").choices(range(2000), weights, k=1000)
        seen = set(names)
        unseen = 1 - sum(weights[name] for name in seen) / sum(weights)
        found = good_turing(Frequencies.of_names(names))
        held += found.low <= unseen <= found.high
    assert 181 <= held <= 199


@given(some_counts)
def test_what_holds_for_any_counts(counts: list[int]) -> None:
    freq = Frequencies.of(counts)
    unseen = good_turing(freq)
    assert 0 <= unseen.low <= unseen.estimate <= unseen.high <= 1
    assert 1 - unseen.estimate <= coverage(freq) + 1e-12
    assert coverage(freq) <= 1
    for corrected in (True, False):
        found = chao1_interval(freq, corrected=corrected)
        assert freq.distinct <= found.low <= found.high
        assert found.estimate >= freq.distinct
    numbers = [hill(freq, q) for q in (0, 0.5, 0.999, 1, 1.001, 2, 3, 20, math.inf)]
    assert all(higher >= lower - 1e-6 for higher, lower in itertools.pairwise(numbers))
    assert 1 - 1e-9 <= numbers[-1] <= numbers[0] == freq.distinct


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1), st.randoms(use_true_random=False))
def test_the_order_of_the_draws_does_not_matter(names: list[str], random: Random) -> None:
    shuffled = random.sample(names, len(names))
    assert Frequencies.of_names(names) == Frequencies.of_names(shuffled)
    counts = [names.count(name) for name in set(names)]
    assert Frequencies.of(counts) == Frequencies.of_names(shuffled)


@pytest.mark.parametrize("confidence", [0, 1, 95, math.nan])
def test_wrong_confidences(confidence: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        upper_point(confidence)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("seed", range(200))
def test_scikit_bio_says_the_same(seed: int) -> None:
    alpha = pytest.importorskip("skbio.diversity.alpha")
    random = Random(f"scikit-bio/{seed}")
    counts = [min(int(random.paretovariate(0.7)), 500) for _ in range(random.randint(3, 200))]
    freq = Frequencies.of(counts)
    for corrected in (True, False):
        assert chao1(freq, corrected=corrected) == pytest.approx(alpha.chao1(counts, bias_corrected=corrected))
    found = chao1_interval(freq)
    z = upper_point(0.95)
    assert (found.low, found.high) == pytest.approx(alpha.chao1_ci(counts, zscore=z), rel=1e-6)
    assert 1 - good_turing(freq).estimate == pytest.approx(alpha.goods_coverage(counts))
    low, high = alpha.esty_ci(counts)
    unseen = good_turing(freq)
    if low < high:  # where Esty's interval has no width, ours is Wilson's
        assert (unseen.low, unseen.high) == pytest.approx((max(0, low), min(1, high)))
    for q in (0, 0.5, 1, 2, 3.5):
        assert hill(freq, q) == pytest.approx(alpha.hill(counts, order=q))
    try:
        expected = alpha.ace(counts)
    except ValueError:
        with pytest.raises(ValueError, match="Chao1"):
            ace(freq)
    else:
        assert ace(freq) == pytest.approx(expected)
