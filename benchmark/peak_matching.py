"""Matching peaks: which peak of one pattern belongs to which of another.

Everywhere in the benchmark, matching means the same: every peak has at most one partner; two
partners cost something, a peak without partner costs something; of all ways to choose partners, the
cheapest counts. What it costs is the rule of the one who asks:

    overlapping classes   every visible peak needs a partner, faint ones may go without
    why misclassified     as many partners as possible
    deciding peaks        as many as possible, and of these choices the nearest
    scatter of peaks      the same, for peaks of a measured spectrum and of its class
    search_match          costs are differences of height, and heights of peaks left over
"""

import numpy as np


def match_peaks(costs, alone_a=np.inf, alone_b=np.inf):
    """Match the peaks of two patterns at the least sum of costs.

    costs (peaks of A, peaks of B): of two partners, infinite where they must not be partners;
    alone_a (peaks of A,), alone_b (peaks of B,) or numbers: of a peak without partner, infinite
    where it must have one.

    Returns the partner of each peak of A, int64 (peaks of A,) with -1 for none, and the sum of
    costs; None and infinity if it cannot be done.
    """
    from scipy.optimize import linear_sum_assignment  # takes longer to import than to use

    peaks_a, peaks_b = costs.shape
    # Every peak has a column or row of its own that stands for "without partner".
    square = np.full((peaks_a + peaks_b, peaks_a + peaks_b), np.inf)
    square[:peaks_a, :peaks_b] = costs
    square[np.arange(peaks_a), peaks_b + np.arange(peaks_a)] = alone_a
    square[peaks_a + np.arange(peaks_b), np.arange(peaks_b)] = alone_b
    square[peaks_a:, peaks_b:] = 0
    try:
        rows, columns = linear_sum_assignment(square)
    except ValueError:  # every way has an infinite cost
        return None, np.inf
    partners = columns[:peaks_a]
    return np.where(partners < peaks_b, partners, -1), square[rows, columns].sum()


def match_as_many(possible):
    """Match as many peaks as possible; possible: bool (peaks of A, peaks of B).

    Returns the partner of each peak of A, int64 (peaks of A,) with -1 for none.
    """
    partners, _ = match_peaks(np.where(possible, 0, np.inf), alone_a=1, alone_b=1)
    return partners


def match_nearest(costs, possible):
    """Match as many peaks as possible, and of these choices the cheapest; costs: 0 to 2 each.

    Returns the partner of each peak of A, int64 (peaks of A,) with -1 for none.
    """
    alone = 1 + 2 * min(costs.shape)  # more than all partners together
    partners, _ = match_peaks(np.where(possible, costs, np.inf), alone_a=alone, alone_b=alone)
    return partners
