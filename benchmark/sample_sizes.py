"""Errors against training spectra per class: points, fitted curves, and how many are enough."""

import math
from statistics import mean, stdev
from typing import NamedTuple

import numpy as np
from scipy.optimize import curve_fit

from benchmark.results_folder import by_network
from benchmark.table_formats import as_csv, as_markdown, markdown_text
from benchmark.variation import constants_text, record_of_variation

# When a curve fits: it passes each mean error this near, whichever is more
TOLERANCE = 0.3  # of the mean
COUNTING = 2  # times the square root of the number of misclassified spectra
DECIMALS = 6  # of the parameters
FEWEST_SIZES = 4  # one more than the curve has parameters


class Point(NamedTuple):
    """A network or method trained on so many spectra per class, judged on one split."""

    class_file: str
    network: str
    learns: str  # "network" or "method"
    per_class: int  # training spectra
    split: str
    spectra: int  # of the split
    misclassified: tuple  # one number per seed
    epochs: float | None  # mean over the seeds; None for methods
    minutes: float  # the same

    @property
    def errors(self):
        return tuple(count / self.spectra for count in self.misclassified)

    @property
    def error(self):
        return mean(self.misclassified) / self.spectra


class Fit(NamedTuple):
    """The curve error = a n^(-b) + c."""

    a: float
    b: float
    c: float


class Curve(NamedTuple):
    """What the points of a network say about one split; n is the training spectra per class."""

    class_file: str
    network: str
    split: str
    sizes: tuple  # ascending n
    fit: Fit | None  # None if it does not fit
    enough: float | None  # the n that reaches the target accuracy; None if none of the sizes does


def points_of(class_file, per_class, runs, baselines):
    """Return a Point for each network or method and split of one training set.

    class_file: its name; runs: list of finished Run; baselines: list of Baseline.
    """
    points = []
    for network, seeds in by_network(runs).items():
        epochs, minutes = mean(r.epochs for r in seeds), mean(r.seconds for r in seeds) / 60
        learner = class_file, network, "network", per_class
        points += points_of_splits(learner, seeds, epochs, minutes)
    for baseline in baselines:
        learner = class_file, baseline.method, "method", per_class
        points += points_of_splits(learner, [baseline], None, baseline.seconds / 60)
    return points


def points_of_splits(learner, judged, epochs, minutes):
    points = []
    for split, count in judged[0].misclassified.items():
        wrong = tuple(one.misclassified[split].misclassified for one in judged)
        points.append(Point(*learner, split, count.spectra, wrong, epochs, minutes))
    return points


def curves_of(points, target):
    """Return a Curve for each class file, network and split; target: an accuracy, 0 to 1."""
    groups = {}
    for point in points:
        groups.setdefault((point.class_file, point.network, point.split), []).append(point)
    curves = []
    for names, group in groups.items():
        ordered = sorted(group, key=lambda point: point.per_class)
        sizes = tuple(point.per_class for point in ordered)
        errors = [point.error for point in ordered]
        fit = fit_power_law(sizes, errors, ordered[0].spectra)
        curves.append(Curve(*names, sizes, fit, size_for(sizes, errors, 1 - target)))
    return curves


def power_law(n, a, b, c):
    return a * np.asarray(n, float) ** -b + c


def fit_power_law(sizes, errors, spectra):
    """Fit error = a n^(-b) + c to mean errors, none of its parameters below 0.

    sizes: ascending n; errors: mean over the seeds; spectra: of the split. Least squares, each
    error weighed by how near the curve has to pass it: within 30 % of it, or within twice the
    square root of the number of misclassified spectra, which chance alone moves it by. Returns the
    Fit, rounded, or None for fewer than four sizes or if the curve misses one of them.
    """
    if len(sizes) < FEWEST_SIZES:
        return None
    n, errors = np.array(sizes, float), np.array(errors)
    near = np.maximum(TOLERANCE * errors, COUNTING * counting_error(errors, spectra))
    start = max(errors[0], near[0]) * n[0], 1, 0
    limits = (0, 0, 0), (np.inf, 10, 1)
    try:
        found, _ = curve_fit(power_law, n, errors, start, near, bounds=limits, max_nfev=10_000)
    except RuntimeError:  # it does not converge
        return None
    fits = np.abs(power_law(n, *found) - errors) <= near
    return Fit(*np.round(found, DECIMALS).tolist()) if fits.all() else None


def counting_error(errors, spectra):
    return np.sqrt(np.maximum(errors * spectra, 1)) / spectra


def size_for(sizes, errors, target):
    """Return the n from which on errors are `target` or less, None if the last one is not.

    Between two sizes the error is taken to be linear in log n. If the smallest size reaches the
    target, it is returned: fewer were not tried.
    """
    above = [error > target * (1 + 1e-9) for error in errors]
    if above[-1]:
        return None
    if not any(above):
        return float(sizes[0])
    last = max(number for number, missed in enumerate(above) if missed)
    (low, high), (before, after) = sizes[last : last + 2], errors[last : last + 2]
    share = (before - target) / (before - after)
    return math.exp(math.log(low) + share * (math.log(high) - math.log(low)))


def origin_text(name, sha256, variation):
    """Say in Markdown from which class file spectra were rendered, and how they vary.

    name, sha256: of the class file; variation: Variation, whose `n_train` is left out.
    """
    constants = record_of_variation(variation)
    del constants["n_train"]
    return (
        f"Rendered from {markdown_text(name)} (SHA-256 {sha256[:16]}…) with "
        f"{constants_text(constants)}."
    )


def report(points, curves, split, target, origins):
    """Say in Markdown what a study has found about one split.

    origins: class file -> its `origin_text`.
    """
    sections = []
    for class_file in dict.fromkeys(point.class_file for point in points):
        shown = [p for p in points if (p.class_file, p.split) == (class_file, split)]
        found = [c for c in curves if (c.class_file, c.split) == (class_file, split)]
        title = f"## {markdown_text(class_file)}: misclassified spectra of {markdown_text(split)}"
        tables = as_markdown(*errors_table(shown)), as_markdown(*curves_table(found, target))
        sections.append("\n".join([f"{title}\n", f"{origins[class_file]}\n", *tables]))
    notes = (
        f"\nErrors are means over the seeds, with the range. n: training spectra per class. The "
        f"last column is interpolated between the sizes, linearly in log n. A curve fits if it "
        f"passes every error at most {TOLERANCE:.0%} away from it, or {COUNTING} times the square "
        f"root of the number of misclassified spectra.\n"
    )
    return "\n".join(sections) + notes


def errors_table(points):
    """Return header and lines of text: a line per network, a column per number of spectra."""
    sizes = sorted({point.per_class for point in points})
    header = ["network", *(f"n = {size}" for size in sizes)]
    lines = []
    for network in dict.fromkeys(point.network for point in points):
        own = [p for p in points if p.network == network]
        most = max(len(p.errors) for p in own)
        cells = {p.per_class: error_text(p, most) for p in own}
        lines.append([network, *(cells.get(size, "") for size in sizes)])
    return header, lines


def error_text(point, most):
    """Return the error of a Point, and of how many seeds it is if others have more; most: those."""
    text = f"{100 * point.error:.3g} %"
    if min(point.errors) < max(point.errors):
        text += f" ({100 * min(point.errors):.3g}–{100 * max(point.errors):.3g})"
    return text if len(point.errors) == most else f"{text}, {len(point.errors)} of {most} seeds"


def curves_table(curves, target):
    header = ["network", "error = a n^(-b) + c", f"n for an accuracy of {100 * target:g} %"]
    return header, [[c.network, fit_text(c), enough_text(c)] for c in curves]


def fit_text(curve):
    if curve.fit:
        return f"a = {curve.fit.a:.3g}, b = {curve.fit.b:.2f}, c = {curve.fit.c:.2g}"
    if len(curve.sizes) < FEWEST_SIZES:
        return f"takes {FEWEST_SIZES} sizes"
    return "does not fit"


def enough_text(curve):
    if curve.enough is None:
        return f"not reached (up to {curve.sizes[-1]})"
    if curve.enough <= curve.sizes[0]:
        return f"{curve.sizes[0]} or fewer"
    return f"{math.ceil(round(curve.enough, 6))}"  # fewer would not do


def table_csv(points):
    """Return the points as CSV, numbers of misclassified spectra seed by seed in one cell."""
    rows = []
    for point in points:
        wrong = point.misclassified
        rows.append(
            {
                "class_file": point.class_file,
                "network": point.network,
                "train_per_class": point.per_class,
                "split": point.split,
                "spectra": point.spectra,
                "seeds": len(wrong) if point.learns == "network" else None,
                "misclassified_mean": mean(wrong),
                "misclassified_std": stdev(wrong) if len(wrong) > 1 else None,
                "misclassified_min": min(wrong),
                "misclassified_max": max(wrong),
                "misclassified": " ".join(map(str, wrong)),
                "error": point.error,
                "epochs": point.epochs,
                "minutes": point.minutes,
            }
        )
    return as_csv(rows[0], rows)


def curves_csv(curves):
    """Return the curves as CSV; what does not fit, or is not reached, is empty."""
    rows = [
        {
            "class_file": curve.class_file,
            "network": curve.network,
            "split": curve.split,
            "sizes": " ".join(map(str, curve.sizes)),
            **dict(zip("abc", curve.fit or (None, None, None), strict=True)),
            "enough": curve.enough,
        }
        for curve in curves
    ]
    return as_csv(rows[0], rows)
