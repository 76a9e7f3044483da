"""Tell which differences between networks are real, given that seeds alone move a result.

For each pair of networks and one split:

- the difference of their mean misclassifications over the seeds, with a 95 % interval, by Welch's
  t-test, which does not assume that both spread alike. If neither count spreads over the seeds,
  there is nothing to hold the difference against, and the test is not made;
- the Mann-Whitney test on the same numbers, exact up to seven seeds of each. It assumes no normal
  distribution, but needs many seeds: of five against five its smallest p-value is 0.008, which the
  correction for the 28 pairs of eight networks turns into 0.22;
- the exact McNemar test on the test spectra: of the spectra that one network classifies correctly
  in more seeds than the other does, how many favour either. It asks about these spectra, not about
  further seeds, and takes those of one class for independent, which they are not: small p-values
  are too small. It is not made for networks with different numbers of seeds: the more seeds, the
  more spectra are misclassified in some of them, so that two copies of one network would seem to
  differ.

The p-values of each test are corrected by Holm's method for the number of pairs that it was made
for, the intervals are not. Networks are not shown to differ, and share a letter, if Welch's
corrected p is not below ALPHA; also if Welch's test was not made, for then nothing shows that they
differ. With fewer than three seeds nothing can be said.

All of this is about networks that learn from these training spectra and are judged on these: how
much another draw of the same classes would change is in no interval and no p-value.
"""

import string
import warnings
from collections import Counter
from itertools import combinations, islice
from typing import NamedTuple

import numpy as np
from scipy import optimize, stats

ALPHA = 0.05
POWER = 0.8
SHARES = 200  # that the power is the mean over; with 10000 four digits are the same
FEWEST_SEEDS = 3
FEWEST_NETWORKS = 3  # that have an order worth a number
DECIMALS = 12  # of means that are ranked: equal ones may differ behind them
PERMUTATIONS = 9999
PAIRINGS = 40320  # all those of 8 networks; of more networks as many at random, always the same
LETTERS = string.ascii_letters + "".join(map(chr, range(0x134, 0x250)))  # the rest is Latin, too


class Agreement(NamedTuple):
    """Our runs of a network beside published ones; `difference` is ours minus theirs."""

    network: str
    ours: list  # misclassified spectra per run
    published: list
    difference: float
    low: float | None  # ends of the 95 % interval of the difference, by Welch's test
    high: float | None
    mann_whitney: float  # p-value, not corrected


class Comparison(NamedTuple):
    """Two networks on one split; `difference` is misclassifications of `a` minus those of `b`."""

    a: str
    b: str
    difference: float
    low: float | None  # ends of the 95 % interval of the difference
    high: float | None
    welch: float | None  # p-values, Holm-corrected; None if the test was not made
    mann_whitney: float
    mcnemar: float | None
    favour_a: int | None  # spectra that `a` classifies correctly in more seeds than `b`
    favour_b: int | None


def compare_networks(wrong):
    """Compare all pairs of networks.

    wrong: network -> bool array (seeds, spectra), true where a spectrum is misclassified.
    Returns a list of Comparison; pairs with fewer than three seeds on a side are left out.
    """
    networks = [name for name, seeds in wrong.items() if len(seeds) >= FEWEST_SEEDS]
    counts = {name: wrong[name].sum(axis=1) for name in networks}
    pairs = list(combinations(networks, 2))
    found = [
        Comparison(
            *(a, b),
            *welch(counts[a], counts[b]),
            mann_whitney(counts[a], counts[b]),
            *mcnemar(wrong[a], wrong[b]),
        )
        for a, b in pairs
    ]
    tests = "welch", "mann_whitney", "mcnemar"
    corrected = [holm([getattr(c, test) for c in found]) for test in tests]
    return [
        comparison._replace(**dict(zip(tests, p_values, strict=True)))
        for comparison, *p_values in zip(found, *corrected, strict=True)
    ]


def detectable_differences(wrong, comparisons):
    """Return the differences of mean counts that such a study shows with a probability of POWER.

    wrong: network -> bool array (seeds, spectra); comparisons: of them, a list of Comparison. The
    seeds of all networks compared are taken to spread alike. Returns number of seeds -> difference
    of two networks with so many, the most first; {} if nothing is tested. Numbers that only one
    network has are left out, unless there is no other: then it is the smallest.
    """
    networks = {name for c in comparisons for name in (c.a, c.b)}
    counts = [wrong[name].sum(axis=1) for name in wrong if name in networks]
    tests = sum(c.welch is not None for c in comparisons)
    if not tests:
        return {}
    variance = np.mean([np.var(seeds, ddof=1) for seeds in counts])
    networks_with = Counter(map(len, counts))
    shared = [seeds for seeds, networks in networks_with.items() if networks > 1]
    return {
        seeds: difference_of_power(seeds, variance, ALPHA / tests)
        for seeds in sorted(shared or [min(networks_with)], reverse=True)
    }


def difference_of_power(seeds, variance, alpha):
    """Return the difference of means that Welch's test finds with a probability of POWER.

    seeds: numbers on either side; variance: of these; alpha: the level of the test.

    The t of the test is that of Student's, which follows a noncentral t distribution of
    2 (seeds - 1) degrees of freedom. What it has to exceed depends on the share of either side in
    the sum of both variances, which is independent of it and follows a beta distribution: the power
    is the mean over that.
    """
    freedom = seeds - 1  # of one side
    shares = stats.beta.ppf((np.arange(SHARES) + 0.5) / SHARES, freedom / 2, freedom / 2)
    welch_freedom = freedom / (shares**2 + (1 - shares) ** 2)
    smallest_t = stats.t.isf(alpha / 2, welch_freedom)
    error = np.sqrt(2 * variance / seeds)

    def lack(difference):
        return stats.nct.sf(smallest_t, 2 * freedom, difference / error).mean() - POWER

    return float(optimize.brentq(lack, 0, 3 * smallest_t.max() * error))


def agreement(network, ours, published):
    """Tell whether two sets of counts can come from one distribution; returns an Agreement."""
    difference, low, high, _ = welch(ours, published)
    return Agreement(
        network=network,
        ours=ours,
        published=published,
        difference=difference,
        low=low,
        high=high,
        mann_whitney=mann_whitney(ours, published),
    )


def welch(a, b):
    """Return difference of means, its 95 % interval, and the p-value of Welch's t-test.

    a, b: misclassified spectra, one number per run.

    Without any spread on either side neither interval nor test is defined; then ends and p are
    None.
    """
    difference = float(np.mean(a) - np.mean(b))
    if np.ptp(a) == 0 and np.ptp(b) == 0:
        return difference, None, None, None
    with warnings.catch_warnings():  # one side without spread is no loss of precision
        warnings.simplefilter("ignore", RuntimeWarning)
        test = stats.ttest_ind(a, b, equal_var=False)
    return difference, *test.confidence_interval(0.95), test.pvalue


def mann_whitney(a, b):
    """Return the p-value of the Mann-Whitney test, exact also where counts are equal.

    It comes from all ways to deal the counts to the two networks, or, where there are more than
    PERMUTATIONS, from that many random ones, always the same.
    """
    method = stats.PermutationMethod(PERMUTATIONS, rng=np.random.default_rng(0))
    return float(stats.mannwhitneyu(a, b, method=method).pvalue)


def rank_correlation(a, b):
    """Return Spearman's rank correlation of two results of the same networks, and its p-value.

    a, b: a number per network. The p-value is the share of all ways to pair the networks that
    correlate as much, in either direction. Both are None if there is no order: with fewer than
    three networks, or if all of a side are equal.
    """
    a, b = (np.round(side, DECIMALS) for side in (a, b))
    if len(a) < FEWEST_NETWORKS or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None, None
    ranks = stats.zscore([stats.rankdata(a), stats.rankdata(b)], axis=1)

    def correlation(first, axis=-1):
        return (first * ranks[1]).mean(axis=axis)  # of ranks: Spearman's

    def strength(first, axis=-1):
        return abs(correlation(first, axis))

    # Not scipy's two-sided p-value, which is twice that of the nearer end, however long the other.
    # Given both sides, scipy permutes both, and from six networks on tries only some of the ways.
    found = stats.permutation_test(
        ranks[:1],
        strength,
        permutation_type="pairings",
        vectorized=True,
        n_resamples=PAIRINGS,
        alternative="greater",
        rng=np.random.default_rng(0),
    )
    return float(np.clip(correlation(ranks[0]), -1, 1)), float(found.pvalue)


def mcnemar(wrong_a, wrong_b):
    """Return the p-value of the exact McNemar test, and the numbers of spectra it compares.

    All three are None for networks with different numbers of seeds.
    """
    if len(wrong_a) != len(wrong_b):
        return None, None, None
    shares = wrong_a.mean(axis=0) - wrong_b.mean(axis=0)
    for_a, for_b = int(np.count_nonzero(shares < 0)), int(np.count_nonzero(shares > 0))
    p_value = stats.binomtest(for_a, for_a + for_b).pvalue if for_a + for_b else 1.0
    return float(p_value), for_a, for_b


def holm(p_values):
    """Return Holm's corrected p-values: sorted, multiplied by the tests that remain, monotonic.

    None, for a test that was not made, stays None and does not count.
    """
    made = np.array([p for p in p_values if p is not None], float)
    order = np.argsort(made)
    factors = np.arange(len(made), 0, -1)
    corrected = np.empty_like(made)
    corrected[order] = np.minimum(np.maximum.accumulate(made[order] * factors), 1)
    remaining = iter(corrected.tolist())
    return [None if p is None else next(remaining) for p in p_values]


def groups(wrong, comparisons):
    """Group networks that are not shown to differ, as a compact letter display.

    Networks that share a letter are not shown to differ; "a" is the group with the fewest
    misclassifications. Returns network -> letters, "" for networks that were compared with none,
    and for all if there are more groups than LETTERS.
    """
    compared = {name for c in comparisons for name in (c.a, c.b)}
    networks = [name for name in wrong if name in compared]
    networks.sort(key=lambda name: wrong[name].sum(axis=1).mean())
    alike = [set() for _ in networks]
    for c in comparisons:
        if c.welch is None or c.welch >= ALPHA:
            a, b = networks.index(c.a), networks.index(c.b)
            alike[a].add(b)
            alike[b].add(a)
    letters = dict.fromkeys(wrong, "")
    found = list(islice(largest_groups(alike), len(LETTERS) + 1))
    if len(found) <= len(LETTERS):
        for letter, group in zip(LETTERS, sorted(map(sorted, found)), strict=False):
            for network in group:
                letters[networks[network]] += letter
    return letters


def largest_groups(alike):
    """Yield all groups of mutually alike networks that no further one fits into, as sets.

    alike: for each network, counted from 0, the set of the others that it is like. The algorithm of
    Bron and Kerbosch (1973), doi 10.1145/362342.362367, with the pivot of Tomita, Tanaka and
    Takahashi (2006), doi 10.1016/j.tcs.2006.06.015: a largest group without the pivot holds a
    network that is not like it, so only the pivot and such networks need to be tried.
    """

    def extend(group, candidates, excluded):
        if not candidates and not excluded:
            yield group
            return
        pivot = max(candidates | excluded, key=lambda network: len(alike[network] & candidates))
        for network in sorted(candidates - alike[pivot]):
            yield from extend(
                group | {network}, candidates & alike[network], excluded & alike[network]
            )
            candidates = candidates - {network}
            excluded = excluded | {network}

    yield from extend(set(), set(range(len(alike))), set())
