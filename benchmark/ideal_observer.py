"""The ideal observer: the best answer that anybody can give who knows how training spectra vary.

Training spectra of a class with peaks at p_i of heights h_i come about like this: each peak moves
to a whole number in [p_i - S, p_i + S], all equally likely; its height becomes
g_i = max(0, h_i + u_i) with u_i uniform in [-H, H], and a peak of height 0 is invisible; peaks
whose height does not vary (the highest, where VARY_HIGHEST is off) have g_i = h_i. Then the
spectrum is scaled by an unknown factor: it shows r_i = g_i / a with a = max g.

The observer is told the visible peaks, positions x_j and relative heights r_j (j = 1 ... m, max r =
1), and computes for each class how likely they are. That is a sum over all ways to assign the m
visible peaks to different peaks of the class:

- each assigned peak lies within S of its place: 1 / (2 S + 1) each;
- each peak left over has vanished: probability max(0, H - h_i) / 2 H, or 0 if its height does not
  vary and is not 0;
- the heights g_j = a r_j have the density (1 / 2 H)^m where |a r_j - h_i| <= H for all of them. The
  m heights are written as one scale a and m - 1 ratios, da dr taking the factor a^(m - 1), and the
  scale, which is not seen, is integrated out: (1 / 2 H)^m (b^m - c^m) / m, where c and b are the
  ends of the range of a that all peaks allow.
- A peak that does not vary fixes the scale, a = h_i / r_j: with f such peaks the integral becomes
  (1 / 2 H)^(m - f) a^(m - f) / r_j. All of them must agree; a class with more of them that do is
  infinitely more likely than one with fewer, as a coincidence of numbers is none.

There may be too many ways to go through. Between neighbouring ends of all these ranges of a, the
same peaks can be partners, and groups of peaks that share none are independent: so the sum is taken
range by range (or for each a that fixed heights allow), as the product over the groups.

Its answer is the most likely class; of classes equally likely it takes each equally often, so a
count of its errors need not be a whole number. Classes are equally frequent, so no classifier makes
fewer errors on average on spectra that vary like this: training and validation spectra. It is even
told more than a spectrum shows, where peaks hide each other. On other spectra its answer is what
the training spectra teach at best, and it has none where no class can produce them.

With artefacts (`benchmark.artefacts`) training spectra vary in further ways, whose likelihood is
not computed here: the observer does not apply, and refuses.
"""

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from benchmark.command_line import InputError

ROUNDING = 1e-9


class Answer(NamedTuple):
    """The classes that are most likely, and equally so; none if no class can produce the peaks."""

    classes: tuple  # ascending
    probability: float  # of each of them, given the peaks; NaN without classes


class IdealObserver:
    """Answers for the classes of a class file under a Variation."""

    def __init__(self, class_file, variation):
        if variation.artefacts:
            raise InputError("the ideal observer does not apply to spectra with artefacts")
        self.max_shift = variation.max_shift
        self.max_change = variation.max_height_change
        self.patterns = []  # per class: positions, heights, whether the height varies
        for positions, heights in zip(class_file.positions, class_file.heights, strict=True):
            varies = np.full(len(heights), self.max_change > 0)
            if not variation.vary_highest:
                varies &= heights < 1
            self.patterns.append((positions, heights, varies))
        self.near = self.nearness(class_file.datapoints)

    def nearness(self, datapoints):
        """Tell for each class and datapoint whether a peak of the class can move there.

        Returns bool (classes, datapoints).
        """
        near = np.zeros((len(self.patterns), datapoints), bool)
        for label, (positions, _, _) in enumerate(self.patterns):
            for position in positions:
                first = max(position - self.max_shift, 0)
                near[label, first : position + self.max_shift + 1] = True
        return near

    def answer(self, positions, heights):
        """Return the Answer for a spectrum with peaks at positions (peaks,) of heights (peaks,)."""
        visible = heights > 0
        positions, ratios = positions[visible], heights[visible] / heights.max()
        inside = (positions >= 0) & (positions < self.near.shape[1])
        if not inside.all():
            return Answer((), np.nan)
        candidates = np.flatnonzero(self.near[:, positions].all(axis=1))
        likelihoods = {
            int(label): self.likelihood(label, positions, ratios) for label in candidates
        }
        # Classes with more fixed heights that agree come first, whatever their density.
        most_fixed = max(
            (fixed for fixed, density in likelihoods.values() if density), default=None
        )
        densities = {
            label: density
            for label, (fixed, density) in likelihoods.items()
            if fixed == most_fixed and density
        }
        if not densities:
            return Answer((), np.nan)
        best = max(densities.values())
        classes = tuple(c for c, d in densities.items() if d >= best * (1 - ROUNDING))
        return Answer(classes, best / sum(densities.values()))

    def likelihood(self, label, positions, ratios):
        """Return how many heights are fixed, and the summed density, 0 if the class cannot be it.

        positions, ratios (peaks,): the visible peaks. Classes are compared at the same numbers of
        visible peaks and of fixed heights, so 1 / (2 S + 1) and 1 / 2 H are left out.
        """
        x, h, varies = self.patterns[label]
        near = np.abs(positions[:, None] - x) <= self.max_shift
        vanishing = np.where(
            varies, np.maximum(self.max_change - h, 0) / (2 * self.max_change or 1), 0
        )
        vanishing[~varies & (h == 0)] = 1
        # At one scale, groups of peaks that cannot be partners of each other are independent.
        groups, known = list(groups_of(near)), {}
        density = 0
        for of_scale, partners in self.scales(ratios, h, varies, near):
            for number, (rows, columns) in enumerate(groups):
                possible = partners[np.ix_(rows, columns)]
                key = number, possible.tobytes()
                if key not in known:
                    known[key] = ways(possible, vanishing[columns])
                of_scale *= known[key]
                if not of_scale:
                    break
            density += of_scale
        return np.count_nonzero(~varies & (h > 0)), density

    def scales(self, ratios, heights, varies, near):
        """Yield the density of the ratios at the scales where the same peaks can be partners.

        heights, varies (class peaks,); near: bool (visible peaks, class peaks). Yields it with
        which peaks can be partners there, an array like `near`.
        """
        peaks, change = len(ratios), np.where(varies, self.max_change, 0)
        if not varies[heights == 1].all():  # the highest peak fixes the scale
            free = peaks - np.count_nonzero(~varies & (heights > 0))
            scales = np.unique(1 / ratios[near[:, np.argmax(heights)]])
            for scale in scales[np.diff(scales, prepend=0) > ROUNDING * scales]:
                fits = np.abs(scale * ratios[:, None] - heights) <= change + ROUNDING
                yield scale ** (free + 1), near & fits
            return
        lowest = np.where(near, np.maximum(heights - change, 0) / ratios[:, None], np.inf)
        highest = np.where(near, (heights + change) / ratios[:, None], -np.inf)
        first, last = lowest.min(axis=1).max(), highest.max(axis=1).min()
        ends = np.unique(np.concatenate([lowest[near], highest[near], [first, last]]))
        ends = ends[(first <= ends) & (ends <= last)]
        for low, high in pairwise(ends.tolist()):
            middle = (low + high) / 2
            yield (high**peaks - low**peaks) / peaks, (lowest <= middle) & (middle <= highest)


def groups_of(near):
    """Yield groups of peaks that have no partner outside, as numbers of visible and class peaks.

    near: bool (visible peaks, class peaks).
    """
    left = np.ones(near.shape[1], bool)
    while left.any():
        group = np.arange(len(left)) == left.argmax()
        grown = False
        while not grown:
            rows = near[:, group].any(axis=1)
            wider = group | near[rows].any(axis=0)
            grown, group = (wider == group).all(), wider
        left &= ~group
        yield np.flatnonzero(rows), np.flatnonzero(group)


def ways(possible, vanishing):
    """Sum over all ways to give each visible peak a peak of the class.

    possible: bool (visible peaks, class peaks); vanishing (class peaks,): the probability that it
    does not show. What is summed is the probability that all peaks left over do not.
    """
    sums = {0: 1}  # peaks that are given, as bits -> number of ways
    for row in possible:
        further = {}
        for peak in np.flatnonzero(row).tolist():
            for given, number in sums.items():
                if not given >> peak & 1:
                    now = given | 1 << peak
                    further[now] = further.get(now, 0) + number
        sums = further
    total = 0
    for given, number in sums.items():
        alone = (p for peak, p in enumerate(vanishing.tolist()) if not given >> peak & 1)
        total += number * math.prod(alone)
    return total
