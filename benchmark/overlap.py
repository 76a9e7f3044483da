"""When classes can be mistaken for each other: pairs of which one can produce the other's spectra.

Class B can be mistaken for class A in a test variant of A if a training spectrum of B can look like
that variant: every visible peak of the variant has a peak of B to itself, within the largest shift
in position and the largest change in height, and every other peak of B can vanish because it is not
higher than the largest change. Heights are relative to the highest peak of the variant. Such a test
spectrum is ambiguous: training spectra of B look like it, as do those of A, unless A varies more in
the test split than in training.

So the numbers are lower bounds: where the highest peak varies too, all heights relative to it do,
and a training spectrum of B can look like further variants. `benchmark.ideal_observer` takes that
into account: of the paper's dataset it finds two pairs of classes with 16 ambiguous spectra of
`test`, here one pair with 8 is found.

Only positions and heights of peaks count. Peak widths, and artefacts that training spectra may have
(see `benchmark.artefacts`), are not taken into account; with them more classes can be alike.
"""

from typing import NamedTuple

import numpy as np

from benchmark.peak_matching import match_peaks
from benchmark.variants import change_heights, variants_of

ROUNDING = 1e-9  # heights have three decimals, which binary fractions meet only nearly
CHUNK = 64  # classes whose pairs are looked at together, to bound memory
CELL = 10  # datapoints
COMPARED = 2_000_000  # pairs of peaks looked at together


class Limits(NamedTuple):
    """How far training peaks and test spectra deviate from the ideal pattern."""

    max_shift: int  # of a training peak, in datapoints
    max_height_change: float  # of a training peak, relative to the highest
    variants: list  # per class a list of Variant: its test spectra
    vary_highest: bool = True  # whether the highest peak of a training spectrum varies, too


class Overlap(NamedTuple):
    """Two overlapping classes, `class_a` < `class_b`."""

    class_a: int
    class_b: int
    variants_a: tuple  # indices of the test variants of class_a that class_b can produce
    variants_b: tuple  # and the other way round
    decided_by: str  # the peaks on which it hangs


class Patterns(NamedTuple):
    """The ideal patterns of some classes, a row each, their peaks ordered by height."""

    positions: np.ndarray  # int64 (classes, peaks)
    heights: np.ndarray  # float64 (classes, peaks), NaN where a class has fewer peaks than others


def limits_of(class_file, variation):
    """Return test split -> Limits of a dataset."""
    return {
        split: Limits(
            variation.max_shift, variation.max_height_change, variants, variation.vary_highest
        )
        for split, variants in variants_of(class_file, variation).items()
    }


def find_overlaps(class_file, limits):
    """Find all pairs of overlapping classes. Returns a list of Overlap, ordered by class."""
    patterns = tabulate(class_file.positions, class_file.heights)
    found = {}
    for a, b, variant, partners in producible(patterns, patterns, limits):
        if a < b:
            found.setdefault((a, b), ({}, {}))[0][variant] = partners
        else:
            found.setdefault((b, a), ({}, {}))[1][variant] = partners
    return [
        Overlap(
            class_a=a,
            class_b=b,
            variants_a=tuple(sorted(by_a)),
            variants_b=tuple(sorted(by_b)),
            decided_by=deciding_peaks_text(patterns, a, b, by_a, class_file)
            or deciding_peaks_text(patterns, b, a, by_b, class_file),
        )
        for (a, b), (by_a, by_b) in sorted(found.items())
    ]


def overlaps_any(positions, heights, others, limits):
    """Tell whether a class, arrays (peaks,), overlaps any of the classes in `others`, Patterns.

    limits: Limits, whose variants are those of the new class and of each of the others.
    """
    new = tabulate([positions], [heights])
    variants, *variants_of_others = limits.variants
    of_new = limits._replace(variants=[variants])
    of_others = limits._replace(variants=variants_of_others)
    return any(True for _ in producible(new, others, of_new)) or any(
        True for _ in producible(others, new, of_others)
    )


def tabulate(positions, heights, most_peaks=0):
    """Return Patterns of classes given as lists of arrays (peaks,), with room for `most_peaks`."""
    shape = len(positions), max([most_peaks, *map(len, positions)])
    patterns = Patterns(np.zeros(shape, np.int64), np.full(shape, np.nan))
    for label, (x, h) in enumerate(zip(positions, heights, strict=True)):
        order = np.argsort(-h, kind="stable")
        patterns.positions[label, : len(x)] = x[order]
        patterns.heights[label, : len(x)] = h[order]
    return patterns


def producible(patterns, others, limits):
    """Yield (a, b, variant, partners) for each test variant of class a that class b can produce.

    patterns and others: Patterns, of which a and b are rows; if they are the same, no class is
    paired with itself. limits: Limits, whose variants are those of `patterns`, row by row.
    `partners` holds for each peak of a the peak of b it is matched to, -1 if it is not visible.
    """
    variants = limits.variants
    near = nearness(others, limits.max_shift)
    high = high_peaks(others, limits.max_height_change)
    for number in range(max(map(len, variants), default=0)):
        rows_with = np.array([row for row, own in enumerate(variants) if number < len(own)])
        shifts, changes = np.array([variants[row][number] for row in rows_with]).T[:, :, None]
        positions = patterns.positions[rows_with] + shifts.astype(np.int64)
        heights = change_heights(patterns.heights[rows_with], changes)
        heights = heights / np.nanmax(heights, axis=1, keepdims=True, initial=0)
        for first in range(0, len(positions), CHUNK):
            rows = np.arange(first, min(first + CHUNK, len(positions)))
            pairs = near_pairs(rows, positions, heights, near, high, limits.max_shift)
            if patterns is others:
                pairs = pairs[rows_with[pairs[:, 0]] != pairs[:, 1]]
            # Nearly all pairs are gone; what is left is looked at with heights, and matched.
            for row_a, row_b in partnered_pairs(pairs, positions, heights, others, limits):
                partners = match_variant(
                    positions[row_a],
                    heights[row_a],
                    others.positions[row_b],
                    others.heights[row_b],
                    limits,
                )
                if partners is not None:
                    yield int(rows_with[row_a]), row_b, number, partners


def high_peaks(patterns, max_height_change):
    """Return row and position of all peaks that can be the highest of a spectrum, by position."""
    labels, peaks = np.nonzero(patterns.heights >= 1 - max_height_change - ROUNDING)
    positions = patterns.positions[labels, peaks]
    order = np.argsort(positions, kind="stable")
    return labels[order], positions[order]


def near_pairs(rows, positions, heights, near, high, max_shift):
    """Pair test variants with the classes that have a peak near each of their visible peaks.

    rows: of the variants to pair, int64; positions, heights (variants, peaks): of all; near, high:
    what `nearness` and `high_peaks` return of the other classes. One of the other class's peaks
    near the highest of the variant is one that can be the highest of a spectrum.

    Returns int64 (pairs, 2): rows of variants and of other classes, in order and each pair once.
    """
    highest = positions[rows, np.nanargmax(heights[rows], axis=1)]
    a, b = pairs_with_high_peak_near(rows, highest, *high, max_shift)
    cells = np.clip(positions // CELL, 0, near.shape[1] - 1)
    for peak in range(positions.shape[1]):
        possible = near[b, cells[a, peak]] | ~(heights[a, peak] > 0)
        a, b = a[possible], b[possible]
    return np.unique(np.stack([a, b], axis=1), axis=0)


def pairs_with_high_peak_near(rows, highest, labels, high, max_shift):
    """Pair classes, of which `highest` are the highest peaks, with those that have one near it.

    labels, high: what `high_peaks` returns. Returns two arrays (pairs,): rows of A and of the
    others; pairs may come twice.
    """
    starts = np.searchsorted(high, highest - max_shift, "left")
    ends = np.searchsorted(high, highest + max_shift, "right")
    b = np.concatenate([labels[start:end] for start, end in zip(starts, ends, strict=True)])
    return np.repeat(rows, ends - starts), b


def nearness(patterns, max_shift):
    """Tell for each class and cell of CELL datapoints whether a peak of the class is near the cell.

    Returns bool (classes, cells). Near is at most `max_shift` from some datapoint of the cell.
    """
    near = np.zeros((len(patterns.positions), patterns.positions.max(initial=0) // CELL + 2), bool)
    labels, peaks = np.nonzero(~np.isnan(patterns.heights))
    positions = patterns.positions[labels, peaks]
    reach = min(max_shift // CELL + 1, near.shape[1])
    for cell in range(-reach, reach + 1):
        near[labels, np.clip(positions // CELL + cell, 0, near.shape[1] - 1)] = True
    return near


def partnered_pairs(pairs, positions, heights, others, limits):
    """Yield the pairs in which all peaks that need a partner have a possible one.

    pairs (pairs, 2): rows of the test variants and of `others`; positions, heights (classes,
    peaks): of the test variants.
    """
    step = max(1, COMPARED // (positions.shape[1] * others.positions.shape[1]))
    for first in range(0, len(pairs), step):
        some = pairs[first : first + step]
        a, b = some.T
        fits = may_be_partners(
            positions[a][:, :, None],
            heights[a][:, :, None],
            others.positions[b][:, None, :],
            others.heights[b][:, None, :],
            limits,
        )
        visible = heights[a] > 0
        fits &= visible[:, :, None]
        fixed = others.heights[b] > limits.max_height_change + ROUNDING
        partnered = (fits.any(axis=2) | ~visible).all(axis=1)
        partnered &= (fits.any(axis=1) | ~fixed).all(axis=1)
        yield from some[partnered].tolist()


def may_be_partners(positions_a, heights_a, positions_b, heights_b, limits):
    near = np.abs(positions_a - positions_b) <= limits.max_shift
    fixed = (heights_b == 1) & (not limits.vary_highest)
    change = np.where(fixed, 0, limits.max_height_change)
    return near & (np.abs(heights_a - heights_b) <= change + ROUNDING)


def match_variant(positions_a, heights_a, positions_b, heights_b, limits):
    """Match the peaks of a variant, arrays (peaks,), to the peaks of another class.

    Every visible peak of the variant needs a peak of the other class to itself; peaks of that
    class that are left over must vanish. Returns for each peak of the variant its partner, -1 if it
    is not visible; None if it cannot be done.
    """
    visible, present = heights_a > 0, ~np.isnan(heights_b)
    a = positions_a[visible, None], heights_a[visible, None]
    b = positions_b[present], heights_b[present]
    distances = np.abs(a[0] - b[0]) / (limits.max_shift + 1) + np.abs(a[1] - b[1])
    costs = np.where(may_be_partners(*a, *b, limits), distances, np.inf)
    vanishes = heights_b[present] <= limits.max_height_change + ROUNDING
    chosen = costs.argmin(axis=1)
    left_over = np.delete(vanishes, chosen)
    # If the nearest partners are all different, there is nothing to choose, and no need of scipy.
    if len(set(chosen.tolist())) < len(chosen) or not left_over.all():
        chosen, _ = match_peaks(costs, alone_b=np.where(vanishes, 0, np.inf))
    if chosen is None:
        return None
    partners = np.full(len(heights_a), -1)
    partners[visible] = chosen
    return partners


def deciding_peaks_text(patterns, a, b, variants, class_file):
    """Say on which peaks an overlap hangs: those that vanish, or else the least alike partners.

    variants: test variant of class a -> partners in class b. Returns "" without a variant.
    """
    if not variants:
        return ""
    partners = variants[min(variants)]
    (positions_a, positions_b), (heights_a, heights_b) = (table[[a, b]] for table in patterns)
    peaks = np.flatnonzero(partners >= 0)
    vanishing = [
        f"{class_file.place(positions[peak])} (height {heights[peak]:g}) of class "
        f"{class_file.name_of(label)}"
        for label, positions, heights, matched in (
            (a, positions_a, heights_a, peaks),
            (b, positions_b, heights_b, partners[peaks]),
        )
        for peak in np.flatnonzero(~np.isnan(heights))
        if peak not in matched
    ]
    if vanishing:
        return f"they match but for vanishing peaks: {', '.join(vanishing)}"
    p = peaks[np.argmax(np.abs(heights_a[peaks] - heights_b[partners[peaks]]))]
    q = partners[p]
    places = class_file.place(positions_a[p]), class_file.place(positions_b[q])
    return (
        f"all peaks match, least alike {places[0]} (height {heights_a[p]:g}) of class "
        f"{class_file.name_of(a)} and {places[1]} (height {heights_b[q]:g}) of class "
        f"{class_file.name_of(b)}"
    )


def summarise(overlaps):
    """Count the pairs and the distinct test spectra that another class can produce."""
    ambiguous = {(o.class_a, variant) for o in overlaps for variant in o.variants_a}
    ambiguous |= {(o.class_b, variant) for o in overlaps for variant in o.variants_b}
    return {"pairs": len(overlaps), "ambiguous_test_spectra": len(ambiguous)}


def summarise_splits(class_file, variation):
    """Return test split -> what `summarise` counts in it, as dataset.json records it."""
    return {
        split: summarise(find_overlaps(class_file, limits))
        for split, limits in limits_of(class_file, variation).items()
    }
