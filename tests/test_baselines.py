"""Baselines: each method does what its name says, learns nothing and takes no label."""

import hashlib
import itertools
import json
import re

import numpy as np
import pytest
from conftest import assert_one_sentence, variation
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

import baselines
from baselines import cross_correlation, most_similar
from benchmark.class_file import read_class_file
from benchmark.dataset_folder import read_dataset
from benchmark.peak_matching import match_peaks
from benchmark.rendering import render
from dataset_config_generator import draw_classes
from spectra_from_config import splits_of, vary_rows

KERNEL = 2
LIMITS = variation(max_shift=10, test_shift=5)


def search_match(spectra, class_file):
    return baselines.search_match(spectra, class_file, LIMITS.max_shift, 0.01)


def validation_spectra(class_file, per_class):
    split = splits_of(LIMITS._replace(n_val=per_class))["val"]
    rows = range(per_class * class_file.classes)
    return render(*vary_rows(class_file, split, rows), class_file.datapoints)


@pytest.fixture
def classes(tmp_path):
    """A class file of 30 classes with crowded peaks, and varied spectra of it with their labels."""
    path = tmp_path / "crowded.json"
    config = draw_classes(datapoints=400, boundary=40, classes=30, max_peaks=6, min_height=10)
    path.write_text(json.dumps(config))
    class_file = read_class_file(path)
    return class_file, validation_spectra(class_file, 4), np.repeat(np.arange(30), 4)


def test_smoothed_cosine_compares_smoothed_spectra_with_smoothed_patterns(classes):
    class_file, spectra, _ = classes
    ideal = baselines.ideal_patterns(class_file, KERNEL)

    def smooth(x):
        return gaussian_filter1d(x.astype(np.float64), 20, axis=1, mode="constant")

    similarity = baselines.normalise(smooth(spectra)) @ baselines.normalise(smooth(ideal)).T
    templates = baselines.smoothed_templates(ideal, 20)
    np.testing.assert_array_equal(most_similar(spectra, templates), similarity.argmax(axis=1))
    np.testing.assert_array_equal(most_similar(ideal, templates), np.arange(30))


def test_cross_correlation_is_the_largest_cosine_over_all_shifts(classes):
    class_file, spectra, _ = classes
    ideal = baselines.normalise(baselines.ideal_patterns(class_file, KERNEL))
    shifted = np.stack([np.roll(ideal, lag, axis=1) for lag in range(-8, 9)])
    similarity = np.einsum("nd,lcd->nlc", spectra, shifted).max(axis=1)
    sticks = baselines.stick_patterns(class_file, KERNEL)
    found = cross_correlation(spectra, sticks, KERNEL, 8)
    chosen = similarity[np.arange(len(spectra)), found]
    np.testing.assert_allclose(chosen, similarity.max(axis=1), rtol=1e-5)
    moved = np.roll(ideal, 8, axis=1)
    np.testing.assert_array_equal(cross_correlation(moved, sticks, KERNEL, 8), np.arange(30))


def test_search_match_tells_crowded_classes_apart(classes):
    class_file, spectra, labels = classes
    found = search_match(spectra, class_file)
    wrong = np.count_nonzero(found != labels)
    templates = baselines.normalise(baselines.ideal_patterns(class_file, KERNEL))
    similar = np.count_nonzero(most_similar(spectra, templates) != labels)
    assert wrong <= 6 < similar


def test_two_peaks_that_shifts_bring_together_are_still_found(tmp_path):
    config = {"datapoints": 300, "classes": 2, "spectra": {}}
    patterns = ([50, 200, 210], [0.5, 0.8, 1]), ([90, 205], [0.28, 1])
    for label, (positions, heights) in enumerate(patterns):
        config["spectra"][str(label)] = {"peak_positions": positions, "peak_heights": heights}
    (tmp_path / "c.json").write_text(json.dumps(config))
    class_file = read_class_file(tmp_path / "c.json")
    merged = np.array([[52, 205, 205]]), np.array([[0.5, 0.8, 1]]), np.array([3.0])
    spectrum = render(*merged, 300)  # both peaks as one of height 1.8, the first as 0.28
    assert search_match(spectrum, class_file).tolist() == [0]


def test_search_match_does_not_depend_on_where_the_spectrum_begins(tmp_path):
    patterns = ([20, 200], [0.6, 1]), ([11, 20, 200], [0.5, 0.6, 1])

    def class_file_moved_by(distance):
        spectra = {
            str(label): {"peak_positions": [p + distance for p in positions], "peak_heights": h}
            for label, (positions, h) in enumerate(patterns)
        }
        path = tmp_path / f"{distance}.json"
        path.write_text(json.dumps({"datapoints": 400, "classes": 2, "spectra": spectra}))
        return read_class_file(path)

    here, there = class_file_moved_by(0), class_file_moved_by(100)
    spectra = validation_spectra(here, 100)
    np.testing.assert_array_equal(
        search_match(spectra, here),
        search_match(np.roll(spectra, 100, axis=1), there),
    )


def test_a_spectrum_without_peaks_is_given_some_class(classes):
    class_file, _, _ = classes
    (found,) = search_match(np.ones((1, 400), np.float32), class_file)
    assert 0 <= found < 30


def test_no_class_fits_better_than_the_one_that_search_match_answers(classes):
    class_file, spectra, _ = classes
    for spectrum, answer in zip(spectra[::4], search_match(spectra[::4], class_file), strict=True):
        charges = [charge_of(spectrum, class_file, label) for label in range(30)]
        assert charges[answer] == min(charges)


def charge_of(spectrum, class_file, label):
    """What search_match charges a class, peak by peak as its docstring says, without pruning."""
    found, properties = find_peaks(spectrum, height=0.01)
    detected = properties["peak_heights"]
    positions, heights = class_file.positions[label], class_file.heights[label]
    costs = np.full((len(found), len(positions)), np.inf)
    alone = heights.copy()
    for j, (position, height) in enumerate(zip(positions, heights, strict=True)):
        near = np.abs(positions - position) <= 2 * LIMITS.max_shift
        most = heights[near].sum()
        reachable = np.abs(found - position) <= LIMITS.max_shift
        if reachable.any() and most > height:
            alone[j] *= baselines.HIDDEN_CHARGE
        for i in np.flatnonzero(reachable):
            excess = max(height - detected[i], detected[i] - most, 0)
            costs[i, j] = excess + baselines.SHIFT_CHARGE * abs(found[i] - position)
    return match_peaks(costs, detected, alone)[1]


small = st.integers(0, 20).map(lambda n: n / 20)


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(1, 4), st.integers(1, 4))
def test_the_charge_is_that_of_the_best_of_all_assignments(data, detected, peaks):
    charges = data.draw(arrays(np.float64, (detected, peaks), elements=small | st.just(np.inf)))
    heights = data.draw(arrays(np.float64, detected, elements=small))
    left_over = data.draw(arrays(np.float64, peaks, elements=small))
    best = min(
        sum(charges[i, j] if j < peaks else heights[i] for i, j in enumerate(columns))
        + sum(left_over[j] for j in range(peaks) if j not in columns)
        for columns in itertools.permutations(range(peaks + detected), detected)
    )
    assert match_peaks(charges, heights, left_over)[1] == pytest.approx(best)


def hash_again(dataset, name):
    card = json.loads((dataset / "dataset.json").read_text())
    card["files"][name]["sha256"] = hashlib.sha256((dataset / name).read_bytes()).hexdigest()
    (dataset / "dataset.json").write_text(json.dumps(card))


def test_methods_take_no_label_of_the_split_they_are_judged_on(run, class_file, dataset, tmp_path):
    flags = "--dataset", dataset, "--config", class_file[0]
    before = run("baselines.py", *flags, "--results", tmp_path / "a")
    assert before.returncode == 0, before.stderr
    assert before.stderr == ""
    for split in "val", "test", "test_wide":
        labels = np.load(dataset / f"y_{split}.npy")
        np.save(dataset / f"y_{split}.npy", labels[::-1])
        hash_again(dataset, f"y_{split}.npy")
    after = run("baselines.py", *flags, "--results", tmp_path / "b")
    assert after.returncode == 0, after.stderr
    for method in "cosine", "smoothed_cosine", "cross_correlation", "search_match":
        for split in "val", "test", "test_wide":
            name = f"{method}/{split}_predictions.npy"
            assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_the_folder_of_a_method_holds_what_the_manual_says(run, class_file, dataset, tmp_path):
    flags = "--dataset", dataset, "--config", class_file[0], "--results", tmp_path / "r"
    process = run("baselines.py", *flags)
    assert len(process.stdout.splitlines()) == 4
    hashes = {n: e["sha256"] for n, e in read_dataset(dataset).card["files"].items()}
    for line in process.stdout.splitlines():
        folder = tmp_path / "r" / line.partition(":")[0]
        baseline = json.loads((folder / "baseline.json").read_text())
        assert baseline["method"] == folder.name
        assert baseline["dataset"]["sha256"] == hashes
        assert baseline["settings"] == {
            **{"smoothing": baselines.SMOOTHING, "max_lag": baselines.MAX_LAG},
            "detection_height": baselines.DETECTION_HEIGHT,
        }
        assert re.search(r": \d+\.\d s; misclassified: val ", line)
        for split, count in baseline["misclassified"].items():
            wrong = np.load(folder / f"{split}_predictions.npy") != np.load(
                dataset / f"y_{split}.npy"
            )
            assert count == {"spectra": len(wrong), "misclassified": int(wrong.sum())}


def test_bad_input_ends_in_one_sentence(run, class_file, dataset, own_arrays):
    path, write = class_file
    flags = "--dataset", dataset, "--config", path
    assert_one_sentence(run("baselines.py", *flags, "--smoothing", 0), 2, "SMOOTHING", "0.0")
    process = run("baselines.py", *flags, "--smoothing", 1e-300)
    assert_one_sentence(process, 2, "SMOOTHING", "1e-300", "0.1 to 120")
    assert_one_sentence(run("baselines.py", *flags, "--max-lag", -1), 2, "MAX_LAG", "-1")
    process = run("baselines.py", *flags, "--max-lag", 121)
    assert_one_sentence(process, 2, "MAX_LAG", "121", "0 to 120")
    process = run("baselines.py", *flags, "--detection-height", 1)
    assert_one_sentence(process, 2, "DETECTION_HEIGHT", "1.0")
    process = run("baselines.py", *flags, "--results", path)
    assert_one_sentence(process, 2, "RESULTS", path, "a folder")
    process = run("baselines.py", "--dataset", own_arrays)
    assert_one_sentence(process, 2, "own", "dataset.json")
    process = run("baselines.py", "--dataset", dataset)
    assert_one_sentence(process, 2, "small.json", "does not exist")
    for axis, content in ("x", np.full((1, 120), np.nan)), ("y", np.zeros(1, int)):
        np.save(dataset / f"{axis}_test_mine.npy", content)
    process = run("baselines.py", *flags)
    assert_one_sentence(process, 2, "x_test_mine.npy", "nan")
    write(lambda config: config.__setitem__("datapoints", 121))
    assert_one_sentence(run("baselines.py", *flags), 2, "CONFIG", "small.json", "SHA-256")
