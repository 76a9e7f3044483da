"""Say of every misclassified test spectrum what the class file explains about it.

REASONS lists the reasons; the first that applies is given. The first is asked of test spectra only,
and takes into account that spectra are scaled, as `ideal_observer` does; artefacts of training
spectra do not count. Peaks match within the largest distance at which variation can bring them
together: the shifts, and height changes, of training and test spectra added up.
"""

from collections import Counter
from functools import cache
from typing import NamedTuple

import numpy as np

from benchmark.command_line import InputError
from benchmark.files import open_array
from benchmark.overlap import ROUNDING
from benchmark.peak_matching import match_as_many, match_peaks
from benchmark.run_folder import confidences_name, predictions_name
from benchmark.table_formats import as_markdown, markdown_text, mean_text
from benchmark.variants import change_heights, variant_numbers, variants_of

MOST_LISTED = 10  # classes
SMALL_PEAK = 0.1  # relative to the highest peak

REASONS = {
    "overlapping classes": "training spectra of the predicted class can look like the test one",
    "nearly overlapping": "all peaks of the two classes match",
    "a small peak": f"the classes' peaks match but for peaks below {SMALL_PEAK}",
    "heights only": "all peaks match in position, not all in height",
    "vanished peaks": f"all peaks that lowered heights leave above {SMALL_PEAK} match in position",
    "positions only": "the classes have the same heights at other positions",
    "other": "none of these",
    "unknown": "there is no class file",
}


class Misclassification(NamedTuple):
    """A misclassified spectrum of one run; the fields are the columns of misclassified.csv."""

    network: str
    seed: int
    split: str
    spectrum: int  # row in x_SPLIT.npy
    true_class: int
    predicted_class: int
    variant: int | str  # number in the class's test variants; "" in other splits
    confidence: float  # the probability that the network gave the predicted class
    reason: str


class Reach(NamedTuple):
    """How far variation can bring a spectrum of one class towards another class."""

    shift: int  # datapoints
    height_change: float
    lowered_by: float  # by which the spectrum's heights are lowered, 0 if they are not


def list_misclassifications(runs, labels):
    """List the misclassified spectra of all runs, without variants and reasons.

    runs: list of Run; labels: split -> int64 (spectra,). Returns a list of Misclassification, by
    run, split and spectrum.
    """
    found = []
    for run in runs:
        for split, y in labels.items():
            predictions = open_array(run.folder / predictions_name(split))
            confidences = read_confidences(run.folder, split, y.shape)
            found += [
                Misclassification(
                    network=run.model,
                    seed=run.seed,
                    split=split,
                    spectrum=int(row),
                    true_class=int(y[row]),
                    predicted_class=int(predictions[row]),
                    variant="",
                    confidence=round(float(confidences[row]), 6),
                    reason="",
                )
                for row in np.flatnonzero(predictions != y)
            ]
    return found


def read_confidences(folder, split, shape):
    path = folder / confidences_name(split)
    confidences = open_array(path)
    if confidences.shape != shape or confidences.dtype.kind != "f":
        raise InputError(
            f"{path} has shape {confidences.shape} and type {confidences.dtype}, accepted: {shape},"
            f" one number per spectrum"
        )
    valid = (confidences >= 0) & (confidences <= 1.001)  # a softmax may be rounded up
    if not valid.all():
        row = int(np.argmin(valid))
        raise InputError(f"{path}, row {row}: {confidences[row]}, accepted: 0 to 1")
    return confidences


def explain(found, class_file, variation):
    """Add variants and reasons to a list of Misclassification of a rendered dataset."""
    tests = variants_of(class_file, variation)
    numbers = {split: variant_numbers(variants) for split, variants in tests.items()}
    patterns = list(zip(class_file.positions, class_file.heights, strict=True))

    @cache
    def reason(true_class, predicted_class, split, number):
        true, predicted = patterns[true_class], patterns[predicted_class]
        if split not in tests:
            return reason_of(true, predicted, reach_of(variation, None, lowered_by=0))
        variants = tests[split][true_class]
        if can_look_like(predicted, true, variants[number], variation):
            return "overlapping classes"
        lowered_by = max(0, -variants[number].height_change)
        return reason_of(true, predicted, reach_of(variation, variants, lowered_by))

    explained = []
    for m in found:
        number = int(numbers[m.split][m.spectrum]) if m.split in tests else ""
        why = reason(m.true_class, m.predicted_class, m.split, number)
        explained.append(m._replace(variant=number, reason=why))
    return explained


def can_look_like(pattern, other, variant, variation):
    """Tell whether training spectra of a class can look like a test spectrum of another one.

    pattern, other: positions and heights, arrays (peaks,), of the class and of the other one;
    variant: Variant of the test spectrum. A spectrum shows heights only relative to its highest, so
    every scale is tried from which on two peaks can be partners: peaks that all can at some scale
    can at the largest of theirs, too.
    """
    (x, h), (positions, heights) = pattern, other
    heights = change_heights(heights, variant.height_change)
    visible = heights > 0
    positions, ratios = positions[visible] + int(variant.shift), heights[visible] / heights.max()
    fixed = (h == 1) & (not variation.vary_highest)
    change = np.where(fixed, 0, variation.max_height_change)
    near = np.abs(positions[:, None] - x) <= variation.max_shift
    lowest, highest = (h - change) / ratios[:, None], (h + change) / ratios[:, None]
    alone = np.where((h < change) | (h == 0), 0, np.inf)  # of peaks that may vanish, or must not
    limits = 1 - variation.max_height_change, 1 + variation.max_height_change  # of the highest peak
    for scale in np.unique(np.clip(lowest[near], *limits)):
        fits = near & (lowest <= scale + ROUNDING) & (scale - ROUNDING <= highest)
        if fits.any(axis=1).all():
            partners, _ = match_peaks(np.where(fits, 0, np.inf), alone_b=alone)
            if partners is not None:
                return True
    return False


def reach_of(variation, variants, lowered_by):
    """Return the Reach of spectra that vary at random, or of test variants (list of Variant).

    lowered_by: how much the heights of the spectrum are lowered, 0 or more.
    """
    shift, change = variation.max_shift, variation.max_height_change
    if not variants:
        return Reach(2 * shift, 2 * change, lowered_by=0)
    test_shift = max(abs(variant.shift) for variant in variants)
    test_change = max(abs(variant.height_change) for variant in variants)
    return Reach(shift + test_shift, change + test_change, lowered_by)


def reason_of(true, predicted, reach):
    """Return how the ideal patterns of two classes differ, one of REASONS.

    true, predicted: positions and heights, arrays (peaks,); reach: Reach.
    """
    (positions_a, heights_a), (positions_b, heights_b) = true, predicted
    near = np.abs(positions_a[:, None] - positions_b) <= reach.shift
    alike = np.abs(heights_a[:, None] - heights_b) <= reach.height_change + ROUNDING
    costs = np.where(near & alike, 0, np.inf)
    alone = [np.where(heights < SMALL_PEAK, 1, np.inf) for heights in (heights_a, heights_b)]
    _, small_peaks = match_peaks(costs, *alone)
    if small_peaks < np.inf:
        return "a small peak" if small_peaks else "nearly overlapping"
    same_count = len(heights_a) == len(heights_b)
    if same_count and (match_as_many(near) >= 0).all():
        return "heights only"
    if reach.lowered_by:
        visible = (heights_a == 1) | (heights_a - reach.lowered_by > SMALL_PEAK + ROUNDING)
        if (match_as_many(near[visible]) >= 0).all():
            return "vanished peaks"
    if same_count and (match_as_many(alike) >= 0).all():
        return "positions only"
    return "other"


def summarise(found, runs, class_names=None):
    """Say in Markdown why networks misclassify spectra, and which classes most runs get wrong.

    found: list of Misclassification; runs: list of Run; class_names: list, None without names.
    """
    lines = ["## Why spectra are misclassified", ""]
    if not found:
        return "\n".join([*lines, "None is."]) + "\n"
    counts = Counter((m.network, m.reason or "unknown") for m in found)
    given = {reason for _, reason in counts}
    reasons = [reason for reason in REASONS if reason in given]
    lines += [f"- {reason}: {REASONS[reason]}" for reason in reasons]
    lines += [
        "",
        "Misclassified spectra of all splits together, the mean over the seeds:",
        "",
    ]
    rows = [
        [network, *(mean_text(counts[network, reason] / seeds) for reason in reasons)]
        for network, seeds in Counter(run.model for run in runs).items()
    ]
    parts = ["\n".join(lines) + "\n", as_markdown(["network", *reasons], rows)]
    by_split = {}
    for m in found:
        by_split.setdefault(m.split, []).append(m)
    parts += [different_text(by_split)]
    parts += [
        most_missed_classes(split, of_split, len(runs), class_names)
        for split, of_split in by_split.items()
        if split != "val"
    ]
    return "".join(parts)


def different_text(by_split):
    """Say in Markdown how many different spectra and classes are behind the counts.

    by_split: split -> list of Misclassification.
    """
    lines = [
        f"- {markdown_text(split)}: {len({m.spectrum for m in of_split})} different spectra of "
        f"{len({m.true_class for m in of_split})} classes"
        for split, of_split in by_split.items()
    ]
    head = (
        "\nWhat any of the runs misclassifies (spectra of one class are alike, so where there are "
        "few\nclasses, counts rest on these):\n\n"
    )
    return head + "\n".join(lines) + "\n"


def most_missed_classes(split, found, runs, class_names=None):
    """List the classes that most runs get wrong, with the class they are taken for most often.

    found: list of Misclassification of the split; runs: how many runs there are.
    """
    wrong_runs, taken_for = {}, {}
    for m in found:
        wrong_runs.setdefault(m.true_class, set()).add((m.network, m.seed))
        taken_for.setdefault(m.true_class, Counter())[m.predicted_class] += 1

    def rank(label):
        return -len(wrong_runs[label]), -taken_for[label].total(), label

    order = sorted(wrong_runs, key=rank)[:MOST_LISTED]
    lines = [
        "",
        f"Classes that most runs get wrong in {markdown_text(split)}:",
        "",
        f"| class | runs of {runs} | spectra per run | mostly taken for |",
        "| ---: | ---: | ---: | ---: |",
    ]
    for label in order:
        (other, _), *_ = taken_for[label].most_common(1)
        spectra = taken_for[label].total() / runs
        true, taken = label, other
        if class_names:
            true, taken = (markdown_text(class_names[which]) for which in (label, other))
        lines.append(
            f"| {true} | {len(wrong_runs[label])} | {mean_text(spectra, digits=3)} | {taken} |"
        )
    return "\n".join(lines) + "\n"
