"""Find classes that the variation of spectra can turn into each other.

    python class_overlap.py
    python class_overlap.py --config dataset_configs/quick.json --max-shift 2 --test-shift 1

Class B can be mistaken for class A in a test variant of A if a training spectrum of B can look like
that variant: every visible peak of the variant has a peak of B to itself, within MAX_SHIFT in
position and MAX_HEIGHT_CHANGE in height, and every other peak of B can vanish because it is not
higher than MAX_HEIGHT_CHANGE. Heights are relative to the highest peak of the variant. Such a test
spectrum is ambiguous: no classifier can be blamed for its answer.

The nine variants are those of the split `test`; `--test-height-change 0.2` asks about `test_wide`.
"""

import json
import sys
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np

import spectra_from_config
from dataset_config_generator import LARGEST, read_class_file, replace_file, require, run_script
from spectra_from_config import TEST_VARIANTS

# Files
CONFIG: Annotated[str, "Class file to examine."] = spectra_from_config.CONFIG
JSON: Annotated[str | None, "File for the result as JSON; none by default."] = None

# Variation limits
MAX_SHIFT: Annotated[int, "Largest shift of a training peak to either side, in datapoints."] = (
    spectra_from_config.MAX_SHIFT
)
MAX_HEIGHT_CHANGE: Annotated[float, "Largest height change of a training peak up or down."] = (
    spectra_from_config.MAX_HEIGHT_CHANGE
)
TEST_SHIFT: Annotated[int, "Shift of all peaks of a test spectrum, in datapoints."] = (
    spectra_from_config.TEST_SHIFT
)
TEST_HEIGHT_CHANGE: Annotated[float, "Height change of all but the highest test peak."] = (
    spectra_from_config.TEST_HEIGHT_CHANGE
)

ROUNDING = 1e-9  # heights have three decimals, which binary fractions meet only nearly
GRID = 50  # most cells over the positions, and over the heights, of the index of peaks
CHUNK = 60  # classes whose candidate pairs are looked for at once, to bound memory


class Limits(NamedTuple):
    """How far training peaks and test spectra deviate from the ideal pattern."""

    max_shift: int = MAX_SHIFT  # datapoints
    max_height_change: float = MAX_HEIGHT_CHANGE  # fraction of the highest peak
    test_shift: int = TEST_SHIFT
    test_height_change: float = TEST_HEIGHT_CHANGE


class Overlap(NamedTuple):
    """Two overlapping classes, `class_a` < `class_b`."""

    class_a: int
    class_b: int
    variants_a: tuple  # indices (0 to 8) of the test variants of class_a that class_b can produce
    variants_b: tuple  # and the other way round
    decided_by: str  # the peaks on which it hangs


def main(settings):
    limits = Limits(*(getattr(settings, name) for name in Limits._fields))
    for name in "max_shift", "test_shift":
        shift = getattr(limits, name)
        require(0 <= shift <= LARGEST, name.upper(), shift, f"0 to {LARGEST}")
    for name in "max_height_change", "test_height_change":
        value = getattr(limits, name)
        require(0 <= value < 1, name.upper(), value, "0 or more and less than 1")
    class_file = read_class_file(settings.config)
    overlaps = find_overlaps(class_file.positions, class_file.heights, limits)
    for overlap in overlaps:
        variants = len(overlap.variants_a) + len(overlap.variants_b)
        print(
            f"classes {overlap.class_a} and {overlap.class_b}: {variants} of {2 * TEST_VARIANTS} "
            f"test variants; {overlap.decided_by}"
        )
    summary = summarise(overlaps)
    classes = len(class_file.positions)
    print(
        f"{settings.config}: {summary['pairs']} overlapping pairs among {classes} classes, "
        f"{summary['ambiguous_test_spectra']} of {TEST_VARIANTS * classes} test spectra ambiguous"
    )
    if settings.json:
        result = {
            "class_file": {"name": Path(settings.config).name, "sha256": class_file.sha256},
            "limits": limits._asdict(),
            "pairs": [
                {
                    "class_a": overlap.class_a,
                    "class_b": overlap.class_b,
                    "variants": len(overlap.variants_a) + len(overlap.variants_b),
                    "decided_by": overlap.decided_by,
                }
                for overlap in overlaps
            ],
            "ambiguous_test_spectra": summary["ambiguous_test_spectra"],
        }
        with replace_file(settings.json) as file:
            file.write(json.dumps(result, indent=2).encode() + b"\n")


def summarise(overlaps):
    """Count the pairs and the distinct test spectra that another class can produce."""
    ambiguous = {(o.class_a, variant) for o in overlaps for variant in o.variants_a}
    ambiguous |= {(o.class_b, variant) for o in overlaps for variant in o.variants_b}
    return {"pairs": len(overlaps), "ambiguous_test_spectra": len(ambiguous)}


def find_overlaps(positions, heights, limits=None):
    """Find all pairs of overlapping classes.

    positions, heights: per class an array (peaks,), in datapoints and relative to the highest peak.
    Returns a list of Overlap, ordered by class.
    """
    table = tabulate(positions, heights)
    found = {}
    for a, b, variant, partners in producible(table, table, limits or Limits()):
        if a < b:
            found.setdefault((a, b), ({}, {}))[0][variant] = partners
        else:
            found.setdefault((b, a), ({}, {}))[1][variant] = partners
    return [
        Overlap(
            *(a, b),
            *(tuple(sorted(variants)) for variants in found[a, b]),
            deciding_peaks(table, a, b, *found[a, b]),
        )
        for a, b in sorted(found)
    ]


def overlaps_any(positions, heights, others, limits=None):
    """Tell whether a class overlaps any of the classes in `others`, a table of `tabulate`."""
    new = tabulate([positions], [heights], others[0].shape[1])
    limits = limits or Limits()
    return any(True for _ in producible(new, others, limits)) or any(
        True for _ in producible(others, new, limits)
    )


def tabulate(positions, heights, width=None):
    """Put the peaks of all classes into two arrays (classes, width), the highest first.

    The width is that of the class with most peaks, unless given. Absent peaks have height NaN.
    """
    shape = len(positions), width or max(map(len, positions))
    table = np.zeros(shape, np.int64), np.full(shape, np.nan)
    for label, (x, h) in enumerate(zip(positions, heights, strict=True)):
        order = np.argsort(-h, kind="stable")
        table[0][label, : len(x)] = x[order]
        table[1][label, : len(x)] = h[order]
    return table


def producible(table_a, table_b, limits):
    """Yield (a, b, variant, partners) for each test variant of class a that class b can produce.

    `variant` is 0 to 8, in the order of `vary_for_test`; `partners` holds for each peak of a the
    peak of b it is matched to, -1 if it is not visible. Rows of equal tables are not paired with
    themselves. Almost all pairs are ruled out by a peak of a that has no peak of b near it.
    """
    positions_a, heights_a = table_a
    positions_b, heights_b = table_b
    longest = max(positions_a.max(initial=0), positions_b.max(initial=0))
    size = (
        max(limits.max_shift + limits.test_shift + 1, longest // GRID + 1),
        max(1.01 * limits.max_height_change, 1 / GRID),
    )
    grid = occupancy(*table_b, size, longest)
    for i, change in enumerate((0, limits.test_height_change, -limits.test_height_change)):
        varied = np.where(heights_a < 1, np.maximum(heights_a + change, 0), heights_a)
        varied /= np.nanmax(varied, axis=1, keepdims=True)
        for first in range(0, len(positions_a), CHUNK):
            rows = slice(first, first + CHUNK)
            a, b = candidates(positions_a[rows], varied[rows], *table_b, grid, size, limits)
            a += first
            if table_a is table_b:
                a, b = a[a != b], b[a != b]
            for j, shift in enumerate((0, -limits.test_shift, limits.test_shift)):
                shifted = positions_a[a] + shift
                matched = match(shifted, varied[a], positions_b[b], heights_b[b], limits)
                for pair, partners in matched:
                    yield int(a[pair]), int(b[pair]), 3 * i + j, partners


def cells(positions, heights, size):
    """Return column and row of each peak in the grid of `occupancy`."""
    columns = positions // size[0] + 1
    rows = np.nan_to_num(heights // size[1]).astype(np.int64) + 1
    return columns, rows


def occupancy(positions, heights, size, longest):
    """Mark for each class the cells of a grid, over positions and heights, with a peak nearby.

    Cells are larger than what peaks may differ by, so partners are in neighbouring cells.
    """
    columns, rows = cells(positions, heights, size)
    shape = len(positions), int(longest // size[0]) + 3, int(1 / size[1]) + 3
    grid = np.zeros(shape, bool)
    labels, peaks = np.nonzero(~np.isnan(heights))
    for column in -1, 0, 1:
        for row in -1, 0, 1:
            grid[labels, columns[labels, peaks] + column, rows[labels, peaks] + row] = True
    return grid


def candidates(positions_a, heights_a, positions_b, heights_b, grid, size, limits):
    """Pair classes of table A with classes of table B that may produce them.

    heights_a are those of one test variant. No pair that matches is left out; nearly all that do
    not are. Returns two arrays of row numbers.
    """
    window = limits.max_shift + limits.test_shift
    # Pairs in which B has a peak as high as the highest of A near it ...
    labels, peaks = np.nonzero(heights_b >= 1 - limits.max_height_change - ROUNDING)
    order = np.argsort(positions_b[labels, peaks], kind="stable")
    labels, tall = labels[order], positions_b[labels, peaks][order]
    highest = np.take_along_axis(positions_a, np.nanargmax(heights_a, axis=1)[:, None], axis=1)[
        :, 0
    ]
    starts = np.searchsorted(tall, highest - window, "left")
    counts = np.searchsorted(tall, highest + window, "right") - starts
    a = np.repeat(np.arange(len(positions_a)), counts)
    b = labels[np.arange(len(a)) + np.repeat(starts - np.cumsum(counts) + counts, counts)]
    # ... and every other visible peak of A has one near it, too; the second highest sifts most.
    columns, rows = cells(positions_a, heights_a, size)
    cell = np.where(heights_a > 0, columns * grid.shape[2] + rows, -1)
    marked = grid.ravel()
    per_class = grid.shape[1] * grid.shape[2]
    for peak in np.roll(np.arange(heights_a.shape[1]), -1):
        wanted = cell[:, peak][a]
        near = marked[b * per_class + wanted] | (wanted < 0)
        a, b = a[near], b[near]
    pairs = np.unique(np.stack([a, b]), axis=1)
    return pairs[0], pairs[1]


def match(positions_a, heights_a, positions_b, heights_b, limits):
    """Match the peaks of a variant to peaks of another class, row by row.

    All arrays are (pairs, peaks). Every visible peak of the variant needs a peak of the other class
    to itself; peaks of that class that are left over must vanish. Yields (row, partners).
    """
    shift = np.abs(positions_a[:, :, None] - positions_b[:, None, :])
    change = np.abs(heights_a[:, :, None] - heights_b[:, None, :])
    visible = heights_a > 0
    vanishes = ~(heights_b > limits.max_height_change + ROUNDING)
    fits = (shift <= limits.max_shift) & (change <= limits.max_height_change + ROUNDING)
    fits &= visible[:, :, None]
    possible = np.flatnonzero(
        (fits.any(axis=2) | ~visible).all(axis=1) & (fits.any(axis=1) | vanishes).all(axis=1)
    )
    visible, vanishes, fits = visible[possible], vanishes[possible], fits[possible]
    distance = 1 + shift[possible] / (limits.max_shift + 1) + change[possible]
    distance[~fits] = np.inf
    nearest = np.where(visible, distance.argmin(axis=2), -1)
    taken = (nearest[:, :, None] == np.arange(heights_b.shape[1])).sum(axis=1)
    unrivalled = (taken <= 1).all(axis=1) & ((taken == 1) | vanishes).all(axis=1)
    for i, row in enumerate(possible):
        partners = nearest[i]
        if not unrivalled[i]:
            present = ~np.isnan(heights_b[row])
            shown = distance[i][np.ix_(visible[i], present)]
            chosen = assign(shown, vanishes[i, present])
            if chosen is None:
                continue
            partners[visible[i]] = chosen
        yield row, partners


def assign(distance, vanishes):
    """Give each row a column to itself so that every other column vanishes.

    distance (rows, columns): above 0, infinite where a row must not have a column.
    Returns the column of each row, those with the smallest sum of distances, or None.
    """
    # Imported only where peaks compete for a partner: it takes longer than all else.
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    rows, columns = distance.shape
    if rows > columns:
        return None
    # Further rows are places for columns that vanish. A weight of 0 is no edge.
    weights = np.zeros((columns, columns))
    weights[:rows] = np.where(np.isinf(distance), 0, distance)
    weights[rows:] = vanishes
    try:
        return min_weight_full_bipartite_matching(csr_array(weights))[1][:rows]
    except ValueError:  # there is no full matching
        return None


def deciding_peaks(table, a, b, variants_a, variants_b):
    """Say on which peaks an overlap hangs: those that vanish, or else the least alike partners."""
    if not variants_a:
        return deciding_peaks(table, b, a, variants_b, variants_a)
    partners = variants_a[min(variants_a)]
    (positions_a, positions_b), (heights_a, heights_b) = table[0][[a, b]], table[1][[a, b]]
    hidden = [
        f"{positions[peak]} (height {heights[peak]:g}) of class {label}"
        for label, positions, heights, matched in (
            (a, positions_a, heights_a, np.flatnonzero(partners >= 0)),
            (b, positions_b, heights_b, partners),
        )
        for peak in np.flatnonzero(~np.isnan(heights))
        if peak not in matched
    ]
    if hidden:
        return f"they match but for vanishing peaks: {', '.join(hidden)}"
    peaks = np.flatnonzero(partners >= 0)
    p = peaks[np.argmax(np.abs(heights_a[peaks] - heights_b[partners[peaks]]))]
    q = partners[p]
    return (
        f"all peaks match, least alike {positions_a[p]} (height {heights_a[p]:g}) of class {a} "
        f"and {positions_b[q]} (height {heights_b[q]:g}) of class {b}"
    )


if __name__ == "__main__":
    run_script(sys.modules[__name__], main)
