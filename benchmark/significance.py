"""Tell which differences between networks are real, given that seeds alone move a result.

For each pair of networks and one split:

- the difference of their mean misclassifications over the seeds, with a 95 % interval, by Welch's
  t-test, which does not assume that both spread alike;
- the exact Mann-Whitney test on the same numbers, which assumes no normal distribution, but needs
  many seeds: of five against five its smallest p-value is 0.008, which the correction for the 28
  pairs of eight networks turns into 0.22;
- the exact McNemar test on the test spectra: of the spectra that one network classifies correctly
  in more seeds than the other does, how many favour either. With one seed this is McNemar's own. It
  asks about these spectra, not about further seeds, and takes those of one class for independent,
  which they are not: small p-values are too small.

The p-values of each test are corrected for the number of pairs by Holm's method, the intervals are
not. Networks cannot be told apart if Welch's corrected p is not below ALPHA. With fewer than three
seeds nothing can be said.
"""

import string
import warnings
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy import stats

ALPHA = 0.05
FEWEST_SEEDS = 3
RESAMPLES = 9999


class Comparison(NamedTuple):
    """Two networks on one split; `difference` is misclassifications of `a` minus those of `b`."""

    a: str
    b: str
    difference: float
    low: float | None  # ends of the 95 % interval of the difference
    high: float | None
    welch: float  # p-values, Holm-corrected over all pairs
    mann_whitney: float
    mcnemar: float
    favour_a: int  # spectra that `a` classifies correctly in more seeds than `b`
    favour_b: int


def compare_networks(wrong):
    """Compare all pairs of networks.

    wrong: network -> bool array (seeds, spectra), true where a spectrum is misclassified.
    Returns a list of Comparison; pairs with fewer than three seeds on a side are left out.
    """
    networks = [name for name, seeds in wrong.items() if len(seeds) >= FEWEST_SEEDS]
    pairs = list(combinations(networks, 2))
    found = [
        Comparison(
            *(a, b),
            *welch(wrong[a], wrong[b]),
            mann_whitney(wrong[a], wrong[b]),
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


def welch(wrong_a, wrong_b):
    """Return difference of means, its 95 % interval, and the p-value of Welch's t-test.

    Without any spread on either side neither interval nor test is defined; then the ends are None
    and p is that of the Mann-Whitney test.
    """
    a, b = wrong_a.sum(axis=1), wrong_b.sum(axis=1)
    difference = a.mean() - b.mean()
    if np.ptp(a) == 0 and np.ptp(b) == 0:
        return difference, None, None, mann_whitney(wrong_a, wrong_b)
    with warnings.catch_warnings():  # one side without spread is no loss of precision
        warnings.simplefilter("ignore", RuntimeWarning)
        test = stats.ttest_ind(a, b, equal_var=False)
    return difference, *test.confidence_interval(0.95), test.pvalue


def mann_whitney(wrong_a, wrong_b):
    """Return the p-value of the Mann-Whitney test, exact also where counts are equal.

    It comes from all ways to deal the counts to the two networks, or, where there are more than
    RESAMPLES, from that many random ones, always the same.
    """
    method = stats.PermutationMethod(RESAMPLES, rng=np.random.default_rng(0))
    a, b = wrong_a.sum(axis=1), wrong_b.sum(axis=1)
    return float(stats.mannwhitneyu(a, b, method=method).pvalue)


def mcnemar(wrong_a, wrong_b):
    """Return the p-value of the exact McNemar test, and the numbers of spectra it compares."""
    shares = wrong_a.mean(axis=0) - wrong_b.mean(axis=0)
    for_a, for_b = int(np.count_nonzero(shares < 0)), int(np.count_nonzero(shares > 0))
    p_value = stats.binomtest(for_a, for_a + for_b).pvalue if for_a + for_b else 1.0
    return float(p_value), for_a, for_b


def holm(p_values):
    """Return Holm's corrected p-values: sorted, multiplied by the tests that remain, monotonic."""
    p_values = np.asarray(p_values, float)
    order = np.argsort(p_values)
    factors = np.arange(len(p_values), 0, -1)
    corrected = np.empty_like(p_values)
    corrected[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1)
    return corrected.tolist()


def groups(wrong, comparisons):
    """Group networks that cannot be told apart, as a compact letter display.

    Networks that share a letter cannot be told apart; "a" is the group with the fewest
    misclassifications. Returns network -> letters, "" for networks that were compared with none.
    """
    together = {frozenset((c.a, c.b)) for c in comparisons if not c.welch < ALPHA}
    compared = {name for c in comparisons for name in (c.a, c.b)}
    networks = [name for name in wrong if name in compared]
    networks.sort(key=lambda name: wrong[name].sum(axis=1).mean())
    alike = {
        name: {other for other in networks if frozenset((name, other)) in together}
        for name in networks
    }
    letters = dict.fromkeys(wrong, "")
    found = sorted(
        largest_groups(alike, networks), key=lambda group: list(map(networks.index, group))
    )
    for i, group in enumerate(found):
        for name in group:
            letters[name] += string.ascii_letters[i] if i < 52 else chr(0x100 + i)
    return letters


def largest_groups(alike, candidates, group=(), excluded=()):
    """Yield all groups of mutually alike networks that no further one fits into.

    Bron and Kerbosch's algorithm (1973), doi 10.1145/362342.362367.
    """
    if not candidates and not excluded:
        yield group
    remaining, excluded = list(candidates), list(excluded)
    for name in candidates:
        yield from largest_groups(
            alike,
            [other for other in remaining if other in alike[name]],
            (*group, name),
            [other for other in excluded if other in alike[name]],
        )
        remaining.remove(name)
        excluded.append(name)
