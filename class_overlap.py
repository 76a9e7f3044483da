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
from dataset_config_generator import read_class_file, replace_file, require, run_script
from spectra_from_config import TEST_VARIANTS, vary_for_test

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
NO_PEAK = -(10**9)  # position that fills up classes with fewer peaks than others
CHUNK = 500  # classes whose candidate pairs are looked for at once, to bound memory


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
        require(getattr(limits, name) >= 0, name.upper(), getattr(limits, name), "0 or more")
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
    Returns a list of Overlap, ordered by class. Almost all pairs are ruled out by looking for
    single peaks without a partner; the few others are matched peak by peak.
    """
    limits = limits or Limits()
    peaks = tabulate(positions, heights)
    pairs = set()
    for first in range(0, len(positions), CHUNK):
        some = peaks[0][first : first + CHUNK], peaks[1][first : first + CHUNK]
        a, b = candidates(*some, *peaks, limits)
        a += first
        pairs |= {(min(pair), max(pair)) for pair in zip(a.tolist(), b.tolist(), strict=True)}
    overlaps = []
    for a, b in sorted(pair for pair in pairs if pair[0] != pair[1]):
        one, other = (positions[a], heights[a]), (positions[b], heights[b])
        variants_a = mistakable_variants(*one, *other, limits)
        variants_b = mistakable_variants(*other, *one, limits)
        if variants_a or variants_b:
            decided_by = deciding_peaks(a, b, variants_a, variants_b, one, other)
            found = tuple(variants_a), tuple(variants_b)
            overlaps.append(Overlap(a, b, *found, decided_by))
    return overlaps


def overlaps_any(positions, heights, others, limits=None):
    """Tell whether a class overlaps any of the classes in `others`, a table of `tabulate`."""
    limits = limits or Limits()
    new = tabulate([positions], [heights])
    close = np.union1d(candidates(*others, *new, limits)[0], candidates(*new, *others, limits)[1])
    for label in close:
        peaks = ~np.isnan(others[1][label])
        other = others[0][label, peaks], others[1][label, peaks]
        if mistakable_variants(positions, heights, *other, limits):
            return True
        if mistakable_variants(*other, positions, heights, limits):
            return True
    return False


def tabulate(positions, heights, width=None):
    """Put the peaks of all classes into two arrays (classes, width), the highest first.

    The width is that of the class with most peaks, unless given.
    """
    shape = len(positions), width or max(map(len, positions))
    table = np.full(shape, NO_PEAK), np.full(shape, np.nan)
    for label, (x, h) in enumerate(zip(positions, heights, strict=True)):
        order = np.argsort(-h, kind="stable")
        table[0][label, : len(x)] = x[order]
        table[1][label, : len(x)] = h[order]
    return table


def candidates(positions_a, heights_a, positions_b, heights_b, limits):
    """Pair each class of table A with the classes of table B that may produce a variant of it.

    No pair that overlaps is left out; most that do not are. Returns two arrays of row numbers.
    """
    window = limits.max_shift + limits.test_shift
    change = limits.max_height_change + ROUNDING
    # The heights that each peak of A takes over the variants, relative to the highest.
    changes = np.array([0, limits.test_height_change, -limits.test_height_change])
    varied = np.maximum(heights_a + changes[:, None, None], 0)
    varied = np.where(heights_a < 1, varied, heights_a)
    varied /= np.nanmax(varied, axis=2, keepdims=True)
    low, high = varied.min(axis=0), varied.max(axis=0)
    # Pairs in which B has a peak, about as high, near the highest of A.
    tall = np.argwhere(heights_b >= low[:, 0].min(initial=1) - change)
    tall_positions = positions_b[tall[:, 0], tall[:, 1]]
    order = np.argsort(tall_positions, kind="stable")
    tall, tall_positions = tall[order], tall_positions[order]
    starts = np.searchsorted(tall_positions, positions_a[:, 0] - window, "left")
    counts = np.searchsorted(tall_positions, positions_a[:, 0] + window, "right") - starts
    a = np.repeat(np.arange(len(positions_a)), counts)
    b = tall[np.arange(len(a)) + np.repeat(starts - np.cumsum(counts) + counts, counts), 0]
    # Of those, pairs in which each peak that A always shows has a partner in B ...
    for peak in range(heights_a.shape[1]):
        near = np.abs(positions_b[b] - positions_a[a, peak, None]) <= window
        near &= heights_b[b] >= low[a, peak, None] - change
        near &= heights_b[b] <= high[a, peak, None] + change
        kept = near.any(axis=1) | ~(low[a, peak] > 0)
        a, b = a[kept], b[kept]
    # ... and each peak of B that cannot vanish has one in A.
    for peak in range(heights_b.shape[1]):
        height = heights_b[b, peak, None]
        near = np.abs(positions_a[a] - positions_b[b, peak, None]) <= window
        near &= (height >= low[a] - change) & (height <= high[a] + change)
        kept = near.any(axis=1) | ~(height[:, 0] > change)
        a, b = a[kept], b[kept]
    return a, b


def mistakable_variants(positions_a, heights_a, positions_b, heights_b, limits):
    """Return the test variants of class A that class B can produce.

    A dict from the variant's index, 0 to 8, to the matched peaks: two arrays with the indices of
    the peaks of A and of B.
    """
    varied_positions, varied_heights, _ = vary_for_test(
        positions_a, heights_a, None, limits.test_shift, limits.test_height_change, 1
    )
    vanishes = heights_b <= limits.max_height_change + ROUNDING
    found = {}
    for variant in range(TEST_VARIANTS):
        height = varied_heights[variant] / varied_heights[variant].max()
        visible = np.flatnonzero(height)
        shift = np.abs(varied_positions[variant, visible, None] - positions_b)
        change = np.abs(height[visible, None] - heights_b)
        fits = (shift <= limits.max_shift) & (change <= limits.max_height_change + ROUNDING)
        if not fits.any(axis=1).all() or not (fits.any(axis=0) | vanishes).all():
            continue
        distance = np.where(fits, 1 + shift / (limits.max_shift + 1) + change, np.inf)
        partners = match(distance, vanishes)
        if partners is not None:
            found[variant] = visible, partners
    return found


def match(distance, vanishes):
    """Give each row a column to itself so that every other column vanishes.

    distance (rows, columns): above 0, infinite where a row must not have a column.
    Returns the column of each row, those with the smallest sum of distances, or None.
    """
    rows, columns = distance.shape
    if rows > columns:
        return None
    nearest = distance.argmin(axis=1)
    others = np.setdiff1d(np.arange(columns), nearest)
    if len(others) == columns - rows and vanishes[others].all():
        return nearest  # nobody competes, as almost always
    # Imported only where peaks compete: it takes longer than all else.
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    # Further rows are places for columns that vanish. A weight of 0 is no edge.
    weights = np.zeros((columns, columns))
    weights[:rows] = np.where(np.isinf(distance), 0, distance)
    weights[rows:] = vanishes
    try:
        return min_weight_full_bipartite_matching(csr_array(weights))[1][:rows]
    except ValueError:  # there is no full matching
        return None


def deciding_peaks(a, b, variants_a, variants_b, one, other):
    """Say on which peaks an overlap hangs: those that vanish, or else the least alike partners."""
    if not variants_a:
        return deciding_peaks(b, a, variants_b, variants_a, other, one)
    (positions_a, heights_a), (positions_b, heights_b) = one, other
    peaks_a, peaks_b = next(iter(variants_a.values()))
    hidden = []
    for label, (positions, heights), matched in (a, one, peaks_a), (b, other, peaks_b):
        for peak in np.setdiff1d(np.arange(len(positions)), matched):
            hidden.append(f"{positions[peak]} (height {heights[peak]:g}) of class {label}")
    if hidden:
        return f"apart from vanishing peaks {', '.join(hidden)} they match"
    differences = np.abs(heights_a[peaks_a] - heights_b[peaks_b])
    least = np.argmax(differences)
    p, q = peaks_a[least], peaks_b[least]
    return (
        f"all peaks match, least alike {positions_a[p]} (height {heights_a[p]:g}) of class {a} "
        f"and {positions_b[q]} (height {heights_b[q]:g}) of class {b}"
    )


if __name__ == "__main__":
    run_script(sys.modules[__name__], main)
