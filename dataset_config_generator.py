"""Define artificial spectral classes and write them to a class file.

A class is a pattern of peaks: positions in datapoints and heights relative to the highest peak.
The defaults reproduce the class file of Schuetzke, Szymanski and Reischl, "A universal synthetic
dataset for machine learning on spectroscopic data" (2022), byte for byte.

    python dataset_config_generator.py
    python dataset_config_generator.py --classes 100 --seed 1 --output dataset_configs/mine.json
"""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import numpy as np

from benchmark.class_file_writer import write_class_file
from benchmark.command_line import LARGEST, InputError, require, run_script, warn
from benchmark.overlap import Limits, Patterns, overlaps_any, tabulate
from benchmark.published_results import PAPER_VARIATION
from benchmark.variants import nine_variants

# Spectra
DATAPOINTS: Annotated[int, "Datapoints per spectrum."] = 5000
BOUNDARY: Annotated[int, "No peak lies closer than this many datapoints to either end."] = 100

# Classes
CLASSES: Annotated[int, "Number of classes."] = 500
MIN_PEAKS: Annotated[int, "Fewest peaks of a class."] = 2
MAX_PEAKS: Annotated[int, "Most peaks of a class."] = 10
MIN_HEIGHT: Annotated[int, "Smallest height drawn, before division by the highest."] = 0
MAX_HEIGHT: Annotated[int, "Largest height drawn, before division by the highest."] = 100
PEAK_COUNT_DISTRIBUTION: Annotated[
    Literal["uniform", "gamma"],
    "Distribution of the peak count: 'uniform', or 'gamma', which favours few peaks.",
] = "uniform"
GAMMA_SHAPE: Annotated[float, "Shape of the gamma distribution of peaks beyond MIN_PEAKS."] = 1.2
GAMMA_SCALE: Annotated[float, "Scale of the gamma distribution, in peaks."] = 1.2
AVOID_OVERLAP: Annotated[
    bool, "Redraw classes that overlap an earlier one, as far as class_overlap.py can tell."
] = False

# Run
SEED: Annotated[int, "Seed of the random generator."] = 2022
OUTPUT: Annotated[str, "Class file to write."] = "dataset_configs/dataset500.json"

MOST_GAMMA = 1000  # shape and scale; their product is the mean number of peaks
TRIES = 1000  # draws of one class before AVOID_OVERLAP gives up


def main(settings):
    parameters = dict(vars(settings))
    output = Path(parameters.pop("output"))
    config = draw_classes(**parameters)
    changed = (settings.gamma_shape, settings.gamma_scale) != (GAMMA_SHAPE, GAMMA_SCALE)
    if changed and settings.peak_count_distribution != "gamma":
        warn("GAMMA_SHAPE and GAMMA_SCALE have no effect without PEAK_COUNT_DISTRIBUTION gamma")
    digest = write_class_file(output, config)
    peaks = sum(len(spectrum["peak_positions"]) for spectrum in config["spectra"].values())
    print(f"{output}: {settings.classes} classes, {peaks} peaks")
    print(f"sha256 {digest}")


def draw_classes(
    datapoints=DATAPOINTS,
    boundary=BOUNDARY,
    classes=CLASSES,
    min_peaks=MIN_PEAKS,
    max_peaks=MAX_PEAKS,
    min_height=MIN_HEIGHT,
    max_height=MAX_HEIGHT,
    peak_count_distribution=PEAK_COUNT_DISTRIBUTION,
    avoid_overlap=AVOID_OVERLAP,
    seed=SEED,
    gamma_shape=GAMMA_SHAPE,
    gamma_scale=GAMMA_SCALE,
):
    """Draw the peak positions and heights of all classes.

    Parameters are those of the constants of the same name at the top of this file; lengths are in
    datapoints, `min_height` and `max_height` are whole numbers and both included.

    Returns the content of a class file as a dict: the parameters, and under "spectra" for each
    class ("0", "1", ...) its "peak_positions" (ints, ascending) and "peak_heights" (floats, the
    highest is 1, three decimals).

    Raises InputError if the parameters contradict each other, or if `avoid_overlap` cannot be met.

    Source: the paper's dataset section (2022) for "uniform"; "gamma", with shape and scale 1.2, is
    that of the authors' second paper, npj Computational Materials 9 (2023), doi
    10.1038/s41524-023-01055-y.
    """
    check_whole("CLASSES", classes, 1)
    check_whole("BOUNDARY", boundary, 0)
    check_whole("DATAPOINTS", datapoints, 2 * boundary + 1, "twice BOUNDARY and one more")
    check_whole("MIN_PEAKS", min_peaks, 1)
    check_whole("MAX_PEAKS", max_peaks, min_peaks, "MIN_PEAKS")
    check_whole("MIN_HEIGHT", min_height, 0)
    check_whole("MAX_HEIGHT", max_height, max(1, min_height), "MIN_HEIGHT and 1")
    known = peak_count_distribution in ("uniform", "gamma")
    accepted = "'uniform' or 'gamma'"
    require(known, "PEAK_COUNT_DISTRIBUTION", peak_count_distribution, accepted)
    for name, number in ("GAMMA_SHAPE", gamma_shape), ("GAMMA_SCALE", gamma_scale):
        require(0 < number <= MOST_GAMMA, name, number, f"a number above 0, at most {MOST_GAMMA}")
    require(seed >= 0, "SEED", seed, "0 or more")
    gamma = (gamma_shape, gamma_scale) if peak_count_distribution == "gamma" else None
    draw = partial(
        draw_class,
        np.random.default_rng(seed),
        datapoints=datapoints,
        boundary=boundary,
        peak_counts=(min_peaks, max_peaks),
        heights=(min_height, max_height),
        gamma=gamma,
    )
    if avoid_overlap:
        drawn = distinct_classes(draw, classes, max_peaks)
    else:
        drawn = [draw() for _ in range(classes)]
    spectra = {
        str(label): {"peak_positions": positions.tolist(), "peak_heights": heights.tolist()}
        for label, (positions, heights) in enumerate(drawn)
    }
    return {
        "datapoints": datapoints,
        "boundary": boundary,
        "classes": classes,
        "min_peaks": min_peaks,
        "max_peaks": max_peaks,
        "max_height": max_height,
        "spectra": spectra,
    }


def check_whole(name, value, lowest, what=None):
    """Raise InputError for a number below `lowest`, or too large; what: where `lowest` is from."""
    because = f", {what}" if what else ""
    require(value >= lowest, name, value, f"a whole number from {lowest} on{because}")
    require(value <= LARGEST, name, value, f"at most {LARGEST}")


def draw_class(rng, datapoints, boundary, peak_counts, heights, gamma=None):
    """Draw one class: positions, int64 (peaks,) ascending, and heights, float64 (peaks,).

    rng: numpy Generator; peak_counts, heights: smallest and largest, both included; gamma: shape
    and scale of the distribution of the count, which otherwise is uniform. The order of the draws
    is what gives the published class file: count, positions, heights.
    """
    fewest, most = peak_counts
    if gamma:
        peaks = round(rng.gamma(*gamma) + fewest)
    else:
        peaks = rng.integers(fewest, most, endpoint=True)
    positions = rng.integers(boundary, datapoints - boundary, peaks)[:most]
    drawn = rng.integers(*heights, peaks, endpoint=True)[:most]
    while not drawn.any():  # has no highest peak to be relative to
        drawn = rng.integers(*heights, peaks, endpoint=True)[:most]
    order = np.argsort(positions, kind="stable")
    return positions[order], np.round(drawn / drawn.max(), 3)[order]


def distinct_classes(draw, classes, max_peaks):
    """Draw classes, each again and again until it overlaps no earlier one.

    draw: function that returns positions and heights of a new class. Overlap is meant as in
    class_overlap.py, with the paper's variation limits and both its test splits.
    """
    variation = PAPER_VARIATION
    tests = [
        nine_variants(variation.test_shift, change)
        for change in (variation.test_height_change, variation.wide_test_height_change)
    ]
    drawn, earlier = [], tabulate([], [], most_peaks=max_peaks)
    for label in range(classes):
        for _ in range(TRIES):
            new = draw()
            limits = (
                Limits(variation.max_shift, variation.max_height_change, [variants] * (label + 1))
                for variants in tests
            )
            if not any(overlaps_any(*new, earlier, limit) for limit in limits):
                break
        else:
            raise InputError(
                f"CLASSES is {classes}, but the spectrum is too short for so many: class {label} "
                f"still overlaps an earlier one after {TRIES} tries"
            )
        drawn.append(new)
        row = tabulate([new[0]], [new[1]], most_peaks=max_peaks)
        earlier = Patterns(
            np.concatenate([earlier.positions, row.positions]),
            np.concatenate([earlier.heights, row.heights]),
        )
    return drawn


if __name__ == "__main__":
    run_script(sys.modules[__name__], main)
