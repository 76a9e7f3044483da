"""The variation that is advised for classes of real peaks, by how measured peaks scatter."""

import math
import shlex
from typing import NamedTuple

import numpy as np

from benchmark.published_results import PAPER_VARIATION

COVERED = 90  # percent of the measured peaks that the advised variation covers
PAPER_DATAPOINTS = 5000  # per spectrum, to which its shifts belong
TRAINING_SPECTRA = 25_000  # of the paper, 50 of each of 500 classes
MOST_PER_CLASS = 500  # training spectra
VALIDATION_SHARE = 5  # training spectra for one validation spectrum, as in the paper
# Median tails: midway between a Gaussian's, 1.41, and a half Lorentzian profile's, 1.52.
PSEUDO_VOIGT_TAILS = 1.47


class Advice(NamedTuple):
    """Constants of spectra_from_config.py that suit the classes."""

    n_train: int
    n_val: int
    max_shift: int
    max_height_change: float
    kernel_range: tuple[float, float]
    test_shift: int
    test_kernel: float
    peak_shape: str | None = None  # None for the default


def advice_for(classes, datapoints, scatter=None):
    """Return the Advice that the peaks of measurements give, or else the paper's variation.

    classes: their number; datapoints: per spectrum; scatter: Scatter of the measured peaks, None
    without measurements.
    """
    paper = PAPER_VARIATION
    per_class = math.ceil(TRAINING_SPECTRA / classes)
    n_train = min(MOST_PER_CLASS, max(paper.n_train, per_class))
    scale = datapoints / PAPER_DATAPOINTS
    max_shift = round(paper.max_shift * scale)
    advice = Advice(
        n_train=n_train,
        n_val=math.ceil(n_train / VALIDATION_SHARE),
        max_shift=max_shift,
        max_height_change=paper.max_height_change,
        kernel_range=paper.kernel_range,
        test_shift=min(max_shift, max(1, round(paper.test_shift * scale))),
        test_kernel=paper.test_kernel,
    )
    if scatter is None:
        return advice
    # Rendered spectra have one width for all their peaks.
    levels = 100 - COVERED, 50, COVERED
    narrow, median, wide = np.percentile(scatter.spectrum_widths, levels).round(1)
    advice = advice._replace(
        kernel_range=(max(0.1, float(narrow)), max(0.1, float(wide))),
        test_kernel=max(0.1, float(median)),
        peak_shape="pseudo_voigt" if has_lorentzian_tails(scatter) else None,
    )
    if not len(scatter.shifts):
        return advice
    shift = math.ceil(np.percentile(scatter.shifts, COVERED))
    change = np.percentile(scatter.height_changes, COVERED).round(2)
    return advice._replace(
        max_shift=shift,
        max_height_change=min(0.99, float(change)),
        test_shift=max(min(1, shift), shift // 2),  # at 0 a third of the test spectra would be left
    )


def has_lorentzian_tails(scatter):
    return len(scatter.tails) > 0 and np.median(scatter.tails) > PSEUDO_VOIGT_TAILS


def command_for(output, advice):
    """Return the command line that renders spectra of the class file as the Advice says."""
    flags = []
    for name, value in advice._asdict().items():
        if value is None:
            continue
        values = value if isinstance(value, tuple) else (value,)
        flags += ["--" + name.replace("_", "-"), *map(str, values)]
    return shlex.join(["python", "spectra_from_config.py", "--config", str(output), *flags])
