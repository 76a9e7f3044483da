"""The fixed ways in which test spectra vary, and the one order in which they stand everywhere."""

from typing import NamedTuple

import numpy as np


class Variant(NamedTuple):
    """How a test spectrum differs from the ideal pattern of its class."""

    shift: int  # of all peaks, in datapoints
    height_change: float  # of all peaks but the highest, relative to it


def nine_variants(shift, height_change):
    """Return the nine variants of a class, of which the first is the ideal pattern.

    Height changes {0, +, -} are outermost, shifts {0, -, +} innermost. Source: the paper (2022),
    section on the dataset; its text leaves the order open.
    """
    return [
        Variant(by, change)
        for change in (0, height_change, -height_change)
        for by in (0, -shift, shift)
    ]


def change_heights(heights, change):
    """Change all heights but the highest (1), never below 0. `change` broadcasts to `heights`."""
    return np.where(heights < 1, np.maximum(heights + change, 0), heights)


def variants_of(class_file, variation):
    """Return test split -> per class a list of Variant, its test spectra in their order.

    `test` has the classes' own variants where the class file gives some, and otherwise nine that
    change heights as the paper's text says; `test_wide` has nine that change them as the authors'
    scripts of the same month do, ten times as much.
    """
    default = nine_variants(variation.test_shift, variation.test_height_change)
    labels = range(class_file.classes)
    splits = {"test": [class_file.test_variants.get(label, default) for label in labels]}
    if variation.wide_test:
        wide = nine_variants(variation.test_shift, variation.wide_test_height_change)
        splits["test_wide"] = [wide] * class_file.classes
    return splits


def count_copies(variants, heights):
    """Count the test spectra of a split that are copies of others of their class.

    variants: per class a list of Variant; heights: per class an array (peaks,).
    """
    copies = 0
    for own, of_class in zip(variants, heights, strict=True):
        shifts, changes = np.transpose(own)
        changed = change_heights(of_class, changes[:, None])
        different = set(zip(shifts.tolist(), map(tuple, changed.tolist()), strict=True))
        copies += len(own) - len(different)
    return copies


def variant_numbers(variants):
    """Return for each row of a test split its number among the variants of its class.

    variants: per class a list of Variant.
    """
    return np.concatenate([np.arange(len(own)) for own in variants])
