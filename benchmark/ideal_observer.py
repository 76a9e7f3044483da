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

Its answer is the most likely class; of classes equally likely it takes each equally often, so a
count of its errors need not be a whole number. Classes are equally frequent, so no classifier makes
fewer errors on average on spectra that vary like this: training and validation spectra. It is even
told more than a spectrum shows, where peaks hide each other. On other spectra its answer is what
the training spectra teach at best, and it has none where no class can produce them.

With artefacts (`benchmark.artefacts`) training spectra vary in further ways, whose likelihood is
not computed here: the observer does not apply, and refuses.
"""

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
        """Return how many fixed heights agree in the best assignments, and their summed density.

        positions, ratios (peaks,): the visible peaks.
        """
        x, h, varies = self.patterns[label]
        possible = np.abs(positions[:, None] - x) <= self.max_shift
        vanishing = np.where(
            varies, np.maximum(self.max_change - h, 0) / (2 * self.max_change or 1), 0
        )
        vanishing[~varies & (h == 0)] = 1
        sums = {}
        for assigned in assignments(possible, vanishing > 0):
            fixed, density = self.density(ratios, h[assigned], varies[assigned])
            left_over = np.delete(vanishing, assigned)
            sums[fixed] = sums.get(fixed, 0) + density * left_over.prod()
        sums = {fixed: density for fixed, density in sums.items() if density > 0}
        most_fixed = max(sums, default=0)
        # Classes are compared at the same number of visible peaks, so 1 / (2 S + 1) is left out.
        return most_fixed, sums.get(most_fixed, 0)

    def density(self, ratios, heights, varies):
        """Return how many fixed heights agree, and the density of the ratios at an unknown scale.

        heights, varies (peaks,): of the class's peaks that the ratios are assigned to.
        """
        peaks = len(ratios)
        uniform = 1 / (2 * self.max_change) if self.max_change else 1
        fixed = ~varies
        if fixed.any():
            scales = heights[fixed] / ratios[fixed]
            scale = scales[0]
            if np.ptp(scales) > ROUNDING * scale:
                return 0, 0
            changes = np.abs(scale * ratios[varies] - heights[varies])
            if (changes > self.max_change + ROUNDING).any():
                return 0, 0
            free = np.count_nonzero(varies)
            return peaks - free, uniform**free * scale**free / ratios[fixed][0]
        lowest = np.max((heights - self.max_change) / ratios, initial=0)
        highest = np.min((heights + self.max_change) / ratios)
        if highest <= lowest:
            return 0, 0
        return 0, uniform**peaks * (highest**peaks - lowest**peaks) / peaks


def assignments(possible, may_vanish):
    """Yield all ways to give each visible peak a peak of the class, as arrays of peak numbers.

    possible: bool (visible peaks, class peaks); may_vanish: bool (class peaks,): whether the peak
    can be left over.
    """
    order = np.argsort(possible.sum(axis=1), kind="stable")  # the least choice first
    chosen = np.zeros(len(possible), int)

    def choose(depth, free):
        if depth == len(order):
            if may_vanish[free].all():
                yield chosen.copy()
            return
        for peak in np.flatnonzero(possible[order[depth]] & free):
            chosen[order[depth]] = peak
            left = free.copy()
            left[peak] = False
            yield from choose(depth + 1, left)

    yield from choose(0, np.ones(possible.shape[1], bool))
