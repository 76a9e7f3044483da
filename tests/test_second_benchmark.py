"""The datasets of the authors' second paper (2023, doi 10.1038/s41524-023-01055-y) as rendered,
held against a calculation with scipy that knows only what the paper and its scripts say."""

import json
from itertools import product

import numpy as np
from conftest import PROJECT, variation
from test_spectra import smoothed_sticks

from spectra_from_config import render_dataset

FEW = {"n_train": 3, "n_val": 2, "wide_test": False}


def rendered(name, folder, **settings):
    """Render a class file; returns its patterns, (positions, heights) per class, and x_test."""
    path = PROJECT / "dataset_configs" / f"{name}.json"
    render_dataset(path, folder, variation(**FEW, **settings))
    spectra = json.loads(path.read_text())["spectra"]
    patterns = [
        (np.array(spectra[str(label)]["peak_positions"]), spectra[str(label)]["peak_heights"])
        for label in range(len(spectra))
    ]
    return patterns, np.load(folder / "x_test.npy")


def varied(pattern, shift, change):
    """All peaks move together; heights change but those of height 1, and stop at 0."""
    positions, heights = pattern
    heights = [1 if height == 1 else max(height + change, 0) for height in heights]
    return smoothed_sticks(positions + shift, heights, 2, 5000)


def test_the_general_set_has_nine_test_spectra_and_six_exceptions(tmp_path):
    patterns, x_test = rendered("followup500", tmp_path, test_shift=30, test_height_change=0.04)
    shift_of, change_of = {8: 17, 318: 17}, dict.fromkeys((164, 219, 281, 347), 0.025)
    assert x_test.shape == (4500, 5000)
    labels = [*shift_of, *change_of, *range(0, 500, 25)]
    for label in labels:
        shift, change = shift_of.get(label, 30), change_of.get(label, 0.04)
        variants = product((0, change, -change), (0, -shift, shift))
        for i, (height_change, by) in enumerate(variants):
            expected = varied(patterns[label], by, height_change)
            np.testing.assert_allclose(x_test[9 * label + i], expected, rtol=0, atol=1e-6)


def challenge_variants(label):
    """Return (height change, shift) of the six test spectra of a class of the challenge set."""
    kind, place = label // 9, label % 3
    if kind == 0:  # a minor peak more or less
        return list(product((0, -0.03), (0, -30, 30)))
    if kind == 1:  # the positions of three neighbours
        shifts = (0, 30), (-30, 30), (0, -30)
        return list(product((0, 0.03, -0.03), shifts[place]))
    changes = (0, 0.03), (-0.03, 0.03), (0, -0.03)  # the heights of three neighbours
    return list(product(changes[place], (0, -30, 30)))


def test_the_challenge_set_has_six_test_spectra_per_class(tmp_path):
    patterns, x_test = rendered("challenge27", tmp_path, vary_highest=False)
    assert x_test.shape == (162, 5000)
    for label, pattern in enumerate(patterns):
        for i, (change, shift) in enumerate(challenge_variants(label)):
            expected = varied(pattern, shift, change)
            np.testing.assert_allclose(x_test[6 * label + i], expected, rtol=0, atol=1e-6)
