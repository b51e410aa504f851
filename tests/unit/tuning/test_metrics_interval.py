"""Intervals keep what they promise: 95 of 100 hold the true difference."""

import numpy as np
import pytest

from tuning import entities, interval


@pytest.mark.parametrize(
    ("cells", "low", "high"),
    [((36, 12, 2, 0), 0.0569, 0.3404), ((1, 1, 7, 12), -0.5069, -0.0256), ((14, 5, 0, 22), 0.0115, 0.2265)],
)
def test_newcombes_interval_step_by_step(cells: tuple[int, int, int, int], low: float, high: float) -> None:
    both, gained, lost, neither = cells
    rows = sum(cells)

    def wilson(right: int) -> tuple[float, float]:
        """The shares that are 1.96 of their own standard errors away: (right / rows - p)² = z² p (1 - p) / rows."""
        share, z2 = right / rows, 1.959964**2
        return tuple(sorted(np.roots([1 + z2 / rows, -2 * share - z2 / rows, share**2])))

    (new_low, new_high), (old_low, old_high) = wilson(both + gained), wilson(both + lost)
    new, old = (both + gained) / rows, (both + lost) / rows
    product = both * neither - gained * lost
    product = max(product - rows / 2, 0) if product > 0 else product
    phi = product / np.sqrt((both + gained) * (lost + neither) * (both + lost) * (gained + neither))
    a, b, c, d = new - new_low, old_high - old, old - old_low, new_high - new
    found = interval.paired_proportions(*cells)
    assert (
        found.low == pytest.approx(new - old - np.sqrt(a * a - 2 * phi * a * b + b * b)) == pytest.approx(low, abs=1e-4)
    )
    assert (
        found.high
        == pytest.approx(new - old + np.sqrt(c * c - 2 * phi * c * d + d * d))
        == pytest.approx(high, abs=1e-4)
    )
    turned = interval.paired_proportions(both, lost, gained, neither)
    assert (turned.low, turned.high) == (pytest.approx(-found.high), pytest.approx(-found.low))


@pytest.mark.parametrize("cells", [(0, 0, 0, 5), (5, 0, 0, 0), (0, 5, 0, 0), (0, 0, 5, 0), (3, 1, 1, 0), (1, 0, 0, 0)])
def test_extreme_tables_have_an_interval(cells: tuple[int, int, int, int]) -> None:
    found = interval.paired_proportions(*cells)
    assert -1 <= found.low <= found.difference <= found.high <= 1


@pytest.mark.parametrize("shares", [(0.7, 0.1, 0.05, 0.15), (0.2, 0.3, 0.1, 0.4), (0.9, 0.04, 0.04, 0.02)])
@pytest.mark.parametrize("rows", [30, 200])
def test_newcombes_interval_covers(shares: tuple[float, ...], rows: int) -> None:
    tables = np.random.default_rng(1).multinomial(rows, shares, size=1_000)
    true = shares[1] - shares[2]
    held = [(one := interval.paired_proportions(*map(int, table))).low <= true <= one.high for table in tables]
    assert np.mean(held) >= 0.93


def test_the_bootstrap_covers_and_repeats_itself() -> None:
    generator = np.random.default_rng(2)

    def found(values: np.ndarray, seed: int = 5) -> interval.Interval:
        return interval.resampled(
            np.ones(len(values), dtype=np.int64), lambda drawn: drawn @ values / len(values), seed
        )

    held = [found(generator.exponential(1.0, 60)) for _ in range(60)]
    assert np.mean([one.low <= 1.0 <= one.high for one in held]) >= 0.85
    values = generator.normal(size=50)
    assert found(values) == found(values) != found(values, seed=6)
    assert found(values).difference == pytest.approx(values.mean())


def test_cases_with_weights_are_the_same_rows() -> None:
    values, weights = np.array([0.0, 1.0]), np.array([40, 60])
    alike = interval.resampled(weights, lambda drawn: drawn @ values / 100, seed=1)
    single = interval.resampled(np.ones(100, dtype=np.int64), lambda drawn: drawn[:, :60].sum(axis=1) / 100, seed=1)
    assert (alike.difference, single.difference) == (0.6, 0.6)
    assert (alike.low, alike.high) == (pytest.approx(single.low, abs=0.02), pytest.approx(single.high, abs=0.02))


def test_mcnemars_exact_test() -> None:
    assert interval.sign_test(0, 0) == interval.sign_test(3, 3) == 1.0
    assert interval.sign_test(5, 0) == interval.sign_test(0, 5) == pytest.approx(2 / 32)
    assert interval.sign_test(8, 1) == pytest.approx(2 * (1 + 9) / 512)
    assert 0 < interval.sign_test(5_500, 5_000) < 1e-5


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ("", set()),
        ("O O", set()),
        ("B-PER I-PER O", {("PER", 0, 1)}),
        ("B-PER B-PER", {("PER", 0, 0), ("PER", 1, 1)}),
        ("O I-PER I-LOC", {("PER", 1, 1), ("LOC", 2, 2)}),
        ("B-PER I-LOC", {("PER", 0, 0), ("LOC", 1, 1)}),
        ("S-PER B-LOC E-LOC I-LOC", {("PER", 0, 0), ("LOC", 1, 2), ("LOC", 3, 3)}),
        ("U-PER B-LOC L-LOC", {("PER", 0, 0), ("LOC", 1, 2)}),
        ("PER PER LOC O PER", {("PER", 0, 1), ("LOC", 2, 2), ("PER", 4, 4)}),
        ("B-a-b I-a-b", {("a-b", 0, 1)}),
    ],
)
def test_where_entities_are(tags: str, found: set[entities.Entity]) -> None:
    assert entities.entities(tags.split()) == found


def test_an_entity_ends_where_its_row_ends() -> None:
    names, labels = ("O", "I-PER"), np.array([1, 1])
    assert entities.measure(labels, labels, names, [2])["entities"] == 1
    assert entities.measure(labels, labels, names, [1, 1])["entities"] == 2
    nothing = entities.measure(np.array([0]), np.array([0]), names, [1])
    assert (nothing["f1"], nothing["f1_macro"], nothing["per_class"]) == (0.0, 0.0, {})
