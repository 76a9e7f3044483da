"""Baselines: each method does what its name says, learns nothing and takes no label."""

import hashlib
import itertools
import json
import re

import numpy as np
import pytest
from conftest import SMALL, assert_one_sentence, variation, write_finished_run
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

import baselines
from baselines import count_answers
from benchmark import baseline_folder, similarity
from benchmark import search_match as search_match_module
from benchmark.class_file import ClassFile, read_class_file
from benchmark.command_line import InputError, parse_flags
from benchmark.dataset_folder import read_dataset, recorded_hashes
from benchmark.peak_matching import match_peaks
from benchmark.rendering import render
from benchmark.similarity import ideal_patterns, most_similar, nearest_spectrum, normalise
from dataset_config_generator import draw_classes
from spectra_from_config import render_dataset, splits_of, vary_rows

KERNEL = 2
LIMITS = variation(max_shift=10, test_shift=5)


def answers(method, spectra, class_file, *flags):
    """Return the classes that a method of the script answers when it is run with these flags."""
    settings = parse_flags(baselines, list(map(str, flags)))
    vars(settings).update(baselines.numbers_used(settings, LIMITS))
    return baselines.classifier_of(method, class_file, LIMITS, settings)(spectra)


def search_match(spectra, class_file, *flags):
    return answers("search_match", spectra, class_file, *flags)


def validation_spectra(class_file, per_class):
    split = splits_of(class_file, LIMITS._replace(n_val=per_class))["val"]
    rows = range(per_class * class_file.classes)
    return render(*vary_rows(class_file, split, rows), class_file.datapoints)


@pytest.fixture
def write_classes(tmp_path):
    """Return a function that writes a class file of patterns (positions, heights) and reads it."""

    def write(*patterns, datapoints=300):
        spectra = {
            str(label): {"peak_positions": positions, "peak_heights": heights}
            for label, (positions, heights) in enumerate(patterns)
        }
        path = tmp_path / "few.json"
        config = {"datapoints": datapoints, "classes": len(patterns), "spectra": spectra}
        path.write_text(json.dumps(config))
        return read_class_file(path)

    return write


def spectrum_of(positions, heights, datapoints=300):
    return render(np.array([positions]), np.array([heights]), np.array([KERNEL]), datapoints)


@pytest.fixture
def classes(tmp_path):
    """A class file of 30 classes with crowded peaks, and varied spectra of it with their labels."""
    path = tmp_path / "crowded.json"
    config = draw_classes(datapoints=400, boundary=40, classes=30, max_peaks=6, min_height=10)
    path.write_text(json.dumps(config))
    class_file = read_class_file(path)
    return class_file, validation_spectra(class_file, 4), np.repeat(np.arange(30), 4)


def cosines(spectra, patterns):
    """Return the cosine similarity of each spectrum to each pattern, in double precision."""
    lengths = np.linalg.norm(spectra, axis=1)[:, None] * np.linalg.norm(patterns, axis=1)
    return np.einsum("nd,cd->nc", spectra, patterns, dtype=np.float64) / lengths


def test_cosine_answers_the_pattern_at_the_smallest_angle(classes):
    class_file, spectra, _ = classes
    ideal = ideal_patterns(class_file, KERNEL)
    expected = cosines(spectra, ideal).argmax(axis=1)
    np.testing.assert_array_equal(answers("cosine", spectra, class_file), expected)
    assert (expected != (spectra @ ideal.T).argmax(axis=1)).any()  # the norms do matter


@pytest.mark.parametrize(("flags", "sigma"), [((), 10), (("--smoothing", 5), 5)])
def test_smoothed_cosine_compares_smoothed_spectra_with_smoothed_patterns(classes, flags, sigma):
    class_file, spectra, _ = classes
    ideal = ideal_patterns(class_file, KERNEL)

    def smooth(x):
        return gaussian_filter1d(x.astype(np.float64), sigma, axis=1, mode="constant")

    similarity = cosines(smooth(spectra), smooth(ideal))
    found = answers("smoothed_cosine", spectra, class_file, *flags)
    chosen = similarity[np.arange(len(spectra)), found]
    np.testing.assert_allclose(chosen, similarity.max(axis=1), rtol=1e-5)
    ideals = answers("smoothed_cosine", ideal, class_file, "--smoothing", 5)
    np.testing.assert_array_equal(ideals, np.arange(30))


@pytest.mark.parametrize(
    ("flags", "most"), [((), 10), (("--max-lag", 8), 8), (("--max-lag", 0), 0)]
)
def test_cross_correlation_is_the_largest_cosine_over_all_shifts(classes, flags, most):
    class_file, spectra, _ = classes
    ideal = normalise(ideal_patterns(class_file, KERNEL))
    padded = np.pad(ideal, ((0, 0), (most, most)))
    shifted = [padded[:, lag : lag + 400] for lag in range(2 * most + 1)]
    similarity = np.max([np.einsum("nd,cd->nc", spectra, x) for x in shifted], axis=0)
    found = answers("cross_correlation", spectra, class_file, *flags)
    chosen = similarity[np.arange(len(spectra)), found]
    np.testing.assert_allclose(chosen, similarity.max(axis=1), rtol=1e-5)
    moved = np.roll(ideal, most, axis=1)
    if most <= 40:  # where the first peaks are
        found = answers("cross_correlation", moved, class_file, *flags)
        np.testing.assert_array_equal(found, np.arange(30))


def test_a_shift_beyond_the_largest_lag_is_not_undone(write_classes):
    class_file = write_classes(([100, 150], [1, 0.5]), ([108, 172], [1, 0.5]))
    spectrum = spectrum_of([108, 158], [1, 0.5])  # class 0, shifted by 8
    for lag, answer in (8, 0), (3, 1):
        found = answers("cross_correlation", spectrum, class_file, "--max-lag", lag)
        assert found.tolist() == [answer]


def test_what_is_shifted_out_of_the_spectrum_does_not_come_in_at_its_other_end(write_classes):
    class_file = write_classes(([20], [1]), ([100, 260], [1, 1]))
    spectrum = spectrum_of([270], [1])  # 50 before the first class's peak, were the axis a circle
    found = answers("cross_correlation", spectrum, class_file, "--max-lag", 50)
    assert found.tolist() == [1]


def test_search_match_tells_crowded_classes_apart(classes):
    class_file, spectra, labels = classes
    found = search_match(spectra, class_file)
    wrong = np.count_nonzero(found != labels)
    templates = normalise(ideal_patterns(class_file, KERNEL))
    similar = np.count_nonzero(most_similar(spectra, templates) != labels)
    assert wrong <= 6 < similar


def test_two_peaks_that_shifts_bring_together_are_still_found(write_classes):
    class_file = write_classes(([50, 200, 220], [0.5, 0.8, 1]), ([90, 210], [0.28, 1]))
    spectrum = spectrum_of([52, 210, 210], [0.5, 0.8, 1])  # one peak of height 1.8, one of 0.28
    assert search_match(spectrum, class_file).tolist() == [0]


@pytest.mark.parametrize(("height", "answer"), [(0.085, 0), (0.077, 1)])
def test_a_peak_that_another_may_hide_costs_a_tenth_of_its_height(write_classes, height, answer):
    class_file = write_classes(([200, 220], [0.8, 1]), ([210, 100], [1, height]))
    # Charged are 0.1 * 0.8 and a shift by 10 for class 0, `height` for class 1.
    merged = spectrum_of([210, 210], [0.8, 1])
    assert search_match(merged, class_file).tolist() == [answer]


def test_peaks_are_hidden_only_by_a_detected_one(write_classes):
    class_file = write_classes(([100, 200, 210], [1, 0.5, 0.5]), ([100, 250], [1, 0.3]))
    assert search_match(spectrum_of([100], [1]), class_file).tolist() == [1]


@pytest.mark.parametrize(("position", "answer"), [(210, 0), (211, 1)])
def test_a_peak_is_hidden_only_where_it_may_have_shifted_to(write_classes, position, answer):
    class_file = write_classes(([200, 220], [0.8, 1]), ([position, 100], [1, 0.5]))
    assert search_match(spectrum_of([position], [1]), class_file).tolist() == [answer]


def test_a_peak_that_no_other_may_hide_costs_its_whole_height(write_classes):
    class_file = write_classes(([200, 60], [1, 0.0004]), ([200, 280], [1, 0.0002]))
    # To class 0, a shift by 10 would cost more than leaving both 0.3 and 0.0004 over.
    assert search_match(spectrum_of([200, 70], [1, 0.3]), class_file).tolist() == [1]


@pytest.mark.parametrize(("second", "answer"), [(220, 0), (221, 1)])
def test_only_peaks_that_shifts_can_bring_together_are_summed(write_classes, second, answer):
    class_file = write_classes(([200, second], [0.4, 1]), ([200, second], [0.55, 1]))
    spectrum = spectrum_of([200, second], [0.6, 1])  # near enough, it costs neither class anything
    assert search_match(spectrum, class_file).tolist() == [answer]


def test_peaks_that_appear_as_one_may_be_as_high_as_their_sum(write_classes):
    class_file = write_classes(([50, 200, 220], [1, 0.4, 0.5]), ([50, 210], [1, 0.7]))
    merged = spectrum_of([50, 210, 210], [1, 0.4, 0.5])
    assert search_match(merged, class_file).tolist() == [0]
    assert search_match(spectrum_of([50, 210], [1, 1]), class_file).tolist() == [0]
    assert search_match(spectrum_of([50, 210], [1, 0.6]), class_file).tolist() == [0]


def test_search_match_assigns_peaks_up_to_the_largest_training_shift(write_classes):
    class_file = write_classes(([100, 200], [1, 0.5]), ([100], [1]))
    for distance, answer in (10, 0), (11, 1):  # leaving 0.5 twice is worse than once
        spectrum = spectrum_of([100, 200 + distance], [1, 0.5])
        assert search_match(spectrum, class_file).tolist() == [answer]


def test_search_match_detects_peaks_from_the_detection_height_on(write_classes):
    class_file = write_classes(([50], [1]), ([50, 150], [1, 0.1]))
    spectrum = spectrum_of([50, 150], [1, 0.1])
    assert search_match(spectrum, class_file).tolist() == [1]
    assert search_match(spectrum, class_file, "--detection-height", 0.2).tolist() == [0]
    for height, answer in (0.0102, 1), (0.0098, 0):  # the default is 0.01
        class_file = write_classes(([50], [1]), ([50, 150], [1, height]))
        assert search_match(spectrum_of([50, 150], [1, height]), class_file).tolist() == [answer]


def test_search_match_detects_peaks_that_rise_little_from_their_surroundings(write_classes):
    class_file = write_classes(([100], [1]), ([100, 106], [1, 0.95]))
    spectrum = spectrum_of([100, 106], [1, 0.95])  # the second rises by 0.3
    assert search_match(spectrum, class_file, "--detection-height", 0.4).tolist() == [1]


def test_shifts_decide_between_classes_of_the_same_heights_only(write_classes):
    class_file = write_classes(([50, 200], [1, 0.5]), ([56, 200], [1, 0.5]))
    for position, answer in (51, 0), (55, 1):
        assert search_match(spectrum_of([position, 200], [1, 0.5]), class_file).tolist() == [answer]
    class_file = write_classes(([50, 200], [1, 0.5]), ([58, 200], [1, 0.52]))
    assert search_match(spectrum_of([59, 200], [1, 0.5]), class_file).tolist() == [0]


@pytest.mark.parametrize(("difference", "answer"), [(0.0009, 1), (0.0011, 0)])
def test_a_shift_by_ten_datapoints_costs_as_much_as_a_thousandth_in_height(
    write_classes, difference, answer
):
    class_file = write_classes(([60, 200], [1, 0.5]), ([50, 200], [1, 0.5 + difference]))
    assert search_match(spectrum_of([50, 200], [1, 0.5]), class_file).tolist() == [answer]


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
    for spectrum, answer in zip(spectra, search_match(spectra, class_file), strict=True):
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
            alone[j] *= 0.1
        for i in np.flatnonzero(reachable):
            excess = max(height - detected[i], detected[i] - most, 0)
            costs[i, j] = excess + 1e-4 * abs(found[i] - position)
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


def test_answers_do_not_depend_on_how_many_spectra_are_classified_at_once(
    class_file, dataset, tmp_path, monkeypatch
):
    flags = ["--dataset", str(dataset), "--config", str(class_file[0])]
    for numbers, folder in (10**6, tmp_path / "a"), (5 * 120, tmp_path / "b"):
        monkeypatch.setattr(baselines, "CHUNK", numbers)
        baselines.main(parse_flags(baselines, [*flags, "--results", str(folder)]))
    for path in (tmp_path / "a").glob("*/*.npy"):
        other = tmp_path / "b" / path.parent.name / path.name
        assert path.read_bytes() == other.read_bytes()


def test_the_folder_of_a_method_holds_what_the_manual_says(run, class_file, dataset, tmp_path):
    flags = "--dataset", dataset, "--config", class_file[0], "--results", tmp_path / "r"
    process = run("baselines.py", *flags)
    assert len(process.stdout.splitlines()) == 6
    hashes = recorded_hashes(read_dataset(dataset))
    for line in process.stdout.splitlines():
        folder = tmp_path / "r" / line.partition(":")[0]
        baseline = json.loads((folder / "baseline.json").read_text())
        assert baseline["method"] == folder.name
        assert baseline["dataset"]["sha256"] == hashes
        assert baseline["settings"] == {
            **{"smoothing": 5, "max_lag": 5},  # MAX_SHIFT of the dataset
            "detection_height": baselines.DETECTION_HEIGHT,
            "minirocket_features": baselines.MINIROCKET_FEATURES,
        }
        assert re.search(r": \d+\.\d s; misclassified: val ", line)
        for split, count in baseline["misclassified"].items():
            predictions = np.load(folder / f"{split}_predictions.npy")
            labels = np.load(dataset / f"y_{split}.npy")
            expected = {"spectra": len(labels)}
            expected["misclassified"] = int(sum((predictions != labels) & (predictions >= 0)))
            if (predictions < 0).any():
                expected["unanswered"] = int(sum(predictions < 0))
            assert count == expected


def test_methods_expect_shifts_as_large_as_those_of_the_dataset(run, class_file, own_arrays):
    def record_of(method):
        return json.loads((results / method / "baseline.json").read_text())

    folder, results = own_arrays.with_name("still"), own_arrays.with_name("r")
    still = SMALL._replace(max_shift=0, test_shift=0)
    render_dataset(class_file[0], folder, still)
    flags = "--config", class_file[0], "--results", results, "--methods"
    told = run("baselines.py", "--dataset", folder, *flags, "cosine", "smoothed_cosine").stdout
    assert told.splitlines()[1].endswith("; SMOOTHING 0.1")
    used = {"smoothing": 0.1, "max_lag": 0, "detection_height": 0.01, "minirocket_features": 10_000}
    assert record_of("cosine")["settings"] == record_of("smoothed_cosine")["settings"] == used
    for split in "val", "test", "test_wide":  # a Gaussian of width 0.1 smooths nothing
        cosine, smoothed = (
            np.load(results / method / f"{split}_predictions.npy")
            for method in ("cosine", "smoothed_cosine")
        )
        np.testing.assert_array_equal(cosine, smoothed)
    given = "--methods", "cross_correlation", "--max-lag", 3
    told = run("baselines.py", "--dataset", folder, *flags[:-1], *given).stdout
    assert told.endswith("; MAX_LAG 3\n")
    run("baselines.py", "--dataset", own_arrays, "--results", results)
    used |= {"smoothing": 50, "max_lag": 50}  # as of old: nobody knows how these vary
    assert record_of("nearest_spectrum")["settings"] == used


def stopped_at_second_call(act):
    """Return `act`, whose second call is as if Ctrl-C was pressed."""
    calls = iter(range(2))

    def call(*arguments, **options):
        if next(calls):
            raise KeyboardInterrupt
        return act(*arguments, **options)

    return call


def test_a_method_stopped_while_it_judges_again_leaves_no_mixture(
    run, class_file, dataset, tmp_path, monkeypatch
):
    folder = tmp_path / "r/cosine"
    flags = "--dataset", dataset, "--config", class_file[0], "--results", tmp_path / "r"
    flags = *flags, "--methods", "cosine"
    assert run("baselines.py", *flags).returncode == 0
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    render_dataset(class_file[0], dataset, SMALL._replace(seed=1))
    with monkeypatch.context() as patch:
        patch.setattr(baselines, "most_similar", stopped_at_second_call(baselines.most_similar))
        assert run("baselines.py", *flags).returncode == 130
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}
    with monkeypatch.context() as patch:
        stopped = stopped_at_second_call(baseline_folder.write_array)
        patch.setattr(baseline_folder, "write_array", stopped)
        assert run("baselines.py", *flags).returncode == 130
    assert not (folder / "baseline.json").exists()  # which makes it unfinished


def test_the_nearest_training_spectrum_gives_its_class(monkeypatch):
    rng = np.random.default_rng(0)
    training, labels = rng.random((50, 30)), rng.integers(0, 9, 50)
    training[7] = 0  # similar to nothing
    spectra = 3 * training[rng.permutation(50)[:20]] + 0.1 * rng.random((20, 30))
    rows = training[:, None] * spectra
    with np.errstate(invalid="ignore"):
        cosines = rows.sum(axis=2) / np.linalg.norm(training, axis=1)[:, None]
    expected = labels[np.nanargmax(cosines, axis=0)]
    assert np.array_equal(nearest_spectrum(spectra, training, labels), expected)
    monkeypatch.setattr(similarity, "BLOCK", 7 * 30)
    assert np.array_equal(nearest_spectrum(spectra, training, labels), expected)
    copies = np.array([[1, 2, 3], [2, 4, 6]])
    assert nearest_spectrum(copies[:1], copies, np.array([5, 4])) == 5


def test_spectra_without_class_file_are_judged_by_methods_that_need_none(run, own_arrays, tmp_path):
    results = tmp_path / "results"
    process = run("baselines.py", "--dataset", own_arrays, "--results", results)
    assert process.returncode == 0
    assert process.stderr == (
        f"left out, as {own_arrays} was not rendered from a class file: cosine, smoothed_cosine, "
        f"cross_correlation, search_match, ideal_observer\n"
    )
    assert [path.name for path in results.iterdir()] == ["nearest_spectrum"]
    x, y = (np.load(own_arrays / f"{axis}_val.npy") for axis in "xy")
    training, labels = (np.load(own_arrays / f"{axis}_train.npy") for axis in "xy")
    expected = nearest_spectrum(x, training, labels)
    found = np.load(results / "nearest_spectrum" / "val_predictions.npy")
    assert np.array_equal(found, expected)
    record = json.loads((results / "nearest_spectrum" / "baseline.json").read_text())
    assert record["misclassified"]["val"]["misclassified"] == np.count_nonzero(expected != y)


def test_methods_do_not_join_networks_of_another_dataset(run, class_file, dataset, tmp_path):
    trained = write_finished_run(tmp_path / "r/vgg-seed0", dataset)
    flags = "--config", class_file[0], "--results", tmp_path / "r", "--methods", "cosine"
    assert run("baselines.py", "--dataset", dataset, *flags).returncode == 0
    judged = {path: path.read_bytes() for path in (tmp_path / "r/cosine").iterdir()}
    render_dataset(class_file[0], tmp_path / "other", SMALL._replace(seed=1))
    process = run("baselines.py", "--dataset", tmp_path / "other", *flags)
    words = trained.folder, "another x_train.npy", tmp_path / "other", "RESULTS"
    assert_one_sentence(process, 2, *words)
    assert judged == {path: path.read_bytes() for path in (tmp_path / "r/cosine").iterdir()}


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
    process = run("baselines.py", "--dataset", own_arrays, "--config", path)
    assert_one_sentence(process, 2, "CONFIG", path, "no class file")
    process = run("baselines.py", "--dataset", dataset)
    assert_one_sentence(process, 2, "small.json", "does not exist")
    for axis, content in ("x", np.full((1, 120), np.nan)), ("y", np.zeros(1, int)):
        np.save(dataset / f"{axis}_test_mine.npy", content)
    process = run("baselines.py", *flags)
    assert_one_sentence(process, 2, "x_test_mine.npy", "nan")
    write(lambda config: config.__setitem__("datapoints", 121))
    assert_one_sentence(run("baselines.py", *flags), 2, "CONFIG", "small.json", "SHA-256")


def test_of_equally_similar_training_spectra_the_first_counts(monkeypatch):
    training = np.tile(np.random.default_rng(0).random(8).astype(np.float32), (5, 1))
    for block in 8, 16, 10**6:
        monkeypatch.setattr(similarity, "BLOCK", block)
        assert similarity.nearest_spectrum(training[:2], training, np.arange(5)).tolist() == [0, 0]


@pytest.mark.parametrize("datapoints", [8, 100, 1000])
def test_of_equally_similar_patterns_the_first_counts_on_every_processor(datapoints):
    patterns = np.tile(np.random.default_rng(0).random(datapoints).astype(np.float32), (403, 1))
    spectra = np.random.default_rng(1).random((50, datapoints)).astype(np.float32)
    assert not similarity.most_similar(spectra, patterns).any()
    assert not similarity.nearest_rows(spectra, patterns).rows.any()
    patterns[-1] *= 1 + 1e-5
    assert (similarity.most_similar(spectra, patterns) == 402).all()


def test_of_equal_spectra_with_negative_numbers_the_first_counts(monkeypatch):
    rng = np.random.default_rng(2)
    training = np.tile(rng.normal(size=1000).astype(np.float32), (403, 1))
    spectra = rng.normal(size=(200, 1000)).astype(np.float32)
    for block in 7000, 10**6:
        monkeypatch.setattr(similarity, "BLOCK", block)
        assert not similarity.nearest_rows(spectra, training).rows.any()


def test_search_match_sees_peaks_at_both_ends():
    heights = np.array([1, 0.6])
    positions = [np.array([50, 200]), np.array([150, 349])]
    classes = ClassFile(400, positions, [heights, heights[::-1]], "", {})
    spectra = render(
        np.array([[0, 150], [200, 399]]), np.stack([heights, heights[::-1]]), np.full(2, 4.0), 400
    )
    found = search_match_module.search_match(spectra, classes, 50, 0.01)
    assert found.tolist() == [0, 1]


def test_shares_of_the_blame_have_six_decimals():
    assert count_answers([(0, 1, 2)], np.array([0])).misclassified == 0.666667


def test_a_detection_height_of_0_is_refused(run, dataset, class_file, tmp_path):
    flags = "--dataset", dataset, "--config", class_file[0], "--results", tmp_path / "r"
    process = run("baselines.py", *flags, "--smoothing", 3, "--max-lag", 5, "--detection-height", 0)
    assert_one_sentence(process, 2, "DETECTION_HEIGHT is 0", "above 0 and below 1")


@pytest.mark.parametrize("scale", [1e-37, 1e-30, 1e30, 1e38])
def test_nearest_spectra_do_not_depend_on_the_scale(scale):
    rng = np.random.default_rng(0)
    training, spectra = rng.random((40, 30)), rng.random((9, 30))
    expected = similarity.nearest_rows(spectra, training).rows
    found = similarity.nearest_rows(spectra * scale, training * scale)
    np.testing.assert_array_equal(found.rows, expected)
    assert (similarity.nearest_rows(0 * spectra, 0 * training).cosines == 0).all()


def test_constants_of_methods_that_are_not_asked_for_do_no_harm(dataset, class_file, tmp_path):
    given = ["--dataset", str(dataset), "--config", str(class_file[0]), "--smoothing", "1000"]
    given += ["--results", str(tmp_path / "r"), "--methods"]
    baselines.main(parse_flags(baselines, [*given, "cosine"]))
    with pytest.raises(InputError, match=r"SMOOTHING is 1000\.0, accepted: 0\.1 to 120"):
        baselines.main(parse_flags(baselines, [*given, "cosine", "smoothed_cosine"]))
