"""Say of every misclassified test spectrum what the class file explains about it.

REASONS lists the reasons; the first that applies is given. Peaks match within the largest distance
at which variation can bring them together: the shifts, and height changes, of training and test
spectra added up.
"""

from collections import Counter
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from class_overlap import Limits, find_overlaps
from dataset_config_generator import InputError
from spectra_from_config import TEST_VARIANTS, open_array

SMALL_PEAK = 0.1  # relative to the highest peak

REASONS = {
    "overlapping classes": "the predicted class can produce the spectrum, heights as they stand",
    "nearly overlapping": "all peaks of the two classes match",
    "a small peak": f"the classes' peaks match but for peaks below {SMALL_PEAK}",
    "heights only": "all peaks match in position, not all in height",
    "vanished peaks": f"all peaks that lowered heights leave above {SMALL_PEAK} match in position",
    "positions only": "the classes have the same heights at other positions",
    "other": "none of these",
    "unknown": "there is no class file",
}

HEIGHT_CHANGES = {"test": "test_height_change", "test_wide": "wide_test_height_change"}


class Misclassification(NamedTuple):
    """A misclassified spectrum of one run; the fields are the columns of misclassified.csv."""

    network: str
    seed: int
    split: str
    spectrum: int  # row in x_SPLIT.npy
    true_class: int
    predicted_class: int
    variant: int | str  # 0 to 8 in the test splits, see the README; "" elsewhere
    confidence: float  # the probability that the network gave the predicted class
    reason: str


def explain(runs, labels, class_file=None, parameters=None):
    """List the misclassified spectra of all runs.

    runs: contents of run.json with "folder"; labels: split -> int64 (spectra,); class_file and
    parameters: ClassFile and Parameters of the dataset, None for arrays of one's own, whose reason
    is "".

    Returns a list of Misclassification, by run, split and spectrum.
    """
    found, reasons = [], {}
    overlaps = {}
    if class_file:
        for split, change in HEIGHT_CHANGES.items():
            limits = Limits(
                parameters.max_shift,
                parameters.max_height_change,
                parameters.test_shift,
                getattr(parameters, change),
            )
            overlaps[split] = ambiguous_spectra(class_file, limits)
    for run in runs:
        for split, y in labels.items():
            predictions, confidences = (
                open_array(run["folder"] / f"{split}_{what}.npy")
                for what in ("predictions", "confidences")
            )
            if confidences.shape != y.shape or confidences.dtype.kind != "f":
                raise InputError(
                    f"{run['folder']}/{split}_confidences.npy has shape {confidences.shape} and "
                    f"type {confidences.dtype}, accepted: {y.shape}, one number per spectrum"
                )
            for row in np.flatnonzero(predictions != y):
                true, predicted = int(y[row]), int(predictions[row])
                variant = int(row % TEST_VARIANTS) if class_file and split in HEIGHT_CHANGES else ""
                reason = ""
                if (true, predicted, variant) in overlaps.get(split, ()):
                    reason = "overlapping classes"
                elif class_file:
                    lowered = variant != "" and variant >= TEST_VARIANTS - 3
                    key = true, predicted, split, lowered
                    if key not in reasons:
                        reasons[key] = reason_of(class_file, parameters, *key)
                    reason = reasons[key]
                found.append(
                    Misclassification(
                        *(run["model"], run["seed"], split, int(row), true, predicted, variant),
                        round(float(confidences[row]), 6),
                        reason,
                    )
                )
    return found


def ambiguous_spectra(class_file, limits):
    """Return (true class, other class, variant) of all test spectra the other class can produce."""
    found = set()
    for overlap in find_overlaps(class_file.positions, class_file.heights, limits):
        a, b = overlap.class_a, overlap.class_b
        found |= {(a, b, variant) for variant in overlap.variants_a}
        found |= {(b, a, variant) for variant in overlap.variants_b}
    return found


def reason_of(class_file, parameters, true, predicted, split, lowered=False):
    """Return how the ideal patterns of two classes differ, one of REASONS.

    lowered: whether the spectrum is a variant with lowered heights.
    """
    test_change = getattr(parameters, HEIGHT_CHANGES.get(split, "max_height_change"))
    test_shift = parameters.test_shift if split in HEIGHT_CHANGES else parameters.max_shift
    shift = parameters.max_shift + test_shift
    change = parameters.max_height_change + test_change
    a, b = ((class_file.positions[label], class_file.heights[label]) for label in (true, predicted))
    near = np.abs(a[0][:, None] - b[0]) <= shift
    alike = np.abs(a[1][:, None] - b[1]) <= change + 1e-9  # binary fractions meet only nearly
    pairs = largest_matching(near & alike)
    left_over = [
        np.delete(heights, taken) for (_, heights), taken in zip((a, b), pairs, strict=True)
    ]
    if all((heights < SMALL_PEAK).all() for heights in left_over):
        return "a small peak" if any(map(len, left_over)) else "nearly overlapping"
    same_count = len(a[0]) == len(b[0])
    if same_count and len(largest_matching(near)[0]) == len(a[0]):
        return "heights only"
    if lowered:
        left = (a[1] == 1) | (a[1] - test_change >= SMALL_PEAK)
        if len(largest_matching(near[left])[0]) == np.count_nonzero(left):
            return "vanished peaks"
    if same_count and len(largest_matching(alike)[0]) == len(a[0]):
        return "positions only"
    return "other"


def largest_matching(possible):
    """Return row and column numbers of the most pairs, each row and column used once at most."""
    rows, columns = linear_sum_assignment(~possible)
    matched = possible[rows, columns]
    return rows[matched], columns[matched]


def summarise(found, runs):
    """Count reasons per network and run, and misclassifications per class; as Markdown."""
    lines = ["## Why spectra are misclassified", ""]
    if not found:
        return "\n".join([*lines, "None is."]) + "\n"
    counts = Counter((m.network, m.reason or "unknown") for m in found)
    reasons = [reason for reason in REASONS if any(reason == known for _, known in counts)]
    lines += [f"- {reason}: {REASONS[reason]}" for reason in reasons]
    lines += [
        "",
        "Misclassified spectra of all splits together, the mean over the seeds:",
        "",
        f"| network | {' | '.join(reasons)} |",
        "| --- |" + " ---: |" * len(reasons),
    ]
    for network, seeds in Counter(run["model"] for run in runs).items():
        cells = (f"{counts[network, reason] / seeds:.4g}" for reason in reasons)
        lines.append(f"| {network} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n" + most_missed_classes(found, len(runs))


def most_missed_classes(found, runs, most=10):
    """List the classes that most runs get wrong, with the class they are taken for most often."""
    wrong_runs, taken_for = {}, {}
    for m in found:
        if m.split != "val":
            wrong_runs.setdefault(m.true_class, set()).add((m.network, m.seed))
            taken_for.setdefault(m.true_class, Counter())[m.predicted_class] += 1

    def rank(label):
        return -len(wrong_runs[label]), -taken_for[label].total(), label

    order = sorted(wrong_runs, key=rank)[:most]
    if not order:
        return ""
    lines = [
        "",
        "Classes that most runs get wrong in a test split:",
        "",
        f"| class | runs of {runs} | spectra per run | mostly taken for |",
        "| ---: | ---: | ---: | ---: |",
    ]
    for label in order:
        (other, _), *_ = taken_for[label].most_common(1)
        spectra = taken_for[label].total() / runs
        lines.append(f"| {label} | {len(wrong_runs[label])} | {spectra:.3g} | {other} |")
    return "\n".join(lines) + "\n"
