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


def variants_of(variation):
    """Return test split -> list of Variant, the test spectra of each class; variation: Variation.

    `test` changes heights as the paper's text says, `test_wide` as the authors' scripts of the same
    month, ten times as much.
    """
    return {
        "test": nine_variants(variation.test_shift, variation.test_height_change),
        "test_wide": nine_variants(variation.test_shift, variation.wide_test_height_change),
    }
