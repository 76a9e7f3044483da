"""Reasons are those that the class file explains."""

import json

import numpy as np
import pytest
from conftest import variation

from benchmark import misclassifications
from benchmark.class_file import read_class_file
from benchmark.misclassifications import Reach, explain, list_misclassifications, reach_of
from benchmark.run_folder import Run
from benchmark.variants import Variant, variants_of

LIMITS = variation(max_shift=10, test_shift=5)

PATTERNS = [
    ([100, 200, 300], [1, 0.5, 0.7]),  # 0
    ([102, 205, 298], [1, 0.52, 0.68]),  # 1: within all limits of 0
    ([100, 200, 250, 300], [1, 0.5, 0.09, 0.7]),  # 2: a small peak more than 0
    ([100, 200, 300], [1, 0.9, 0.7]),  # 3: 0 but for a height
    ([100, 240, 300], [1, 0.5, 0.7]),  # 4: 0 but for a position
    ([50, 350], [0.3, 1]),  # 5: nothing like 0
    ([112, 205, 298], [1, 0.52, 0.68]),  # 6: within the limits of some variants of 0
    ([20, 60, 105, 295, 350], [1, 0.2, 1, 1, 0.2]),  # 7: near the first and last peak of 2
    ([100, 200, 250, 300], [1, 0.5, 0.1, 0.7]),  # 8: a peak more than 0 that is not small
    ([100, 218, 300], [1, 0.5, 0.7]),  # 9: 0 within twice the training shift
    ([100, 200, 300], [1, 0.59, 0.7]),  # 10: 0 within twice the training height change
]


@pytest.fixture
def class_file(tmp_path):
    spectra = {
        str(label): {"peak_positions": positions, "peak_heights": heights}
        for label, (positions, heights) in enumerate(PATTERNS)
    }
    config = {"datapoints": 400, "classes": len(PATTERNS), "spectra": spectra}
    (tmp_path / "classes.json").write_text(json.dumps(config))
    return read_class_file(tmp_path / "classes.json")


def reason_of(class_file, limits, true, predicted, split, lowered_by=0):
    patterns = (
        (class_file.positions[label], class_file.heights[label]) for label in (true, predicted)
    )
    tests = variants_of(class_file, limits)
    reach = reach_of(limits, tests[split][true] if split in tests else None, lowered_by)
    return misclassifications.reason_of(*patterns, reach)


def explained(runs, labels, class_file, limits):
    return explain(list_misclassifications(runs, labels), class_file, limits)


@pytest.mark.parametrize(
    ("predicted", "reason"),
    [
        (1, "nearly overlapping"),
        (2, "a small peak"),
        (3, "heights only"),
        (4, "positions only"),
        (5, "other"),
        (8, "other"),
    ],
)
def test_reason_of_each_kind(class_file, predicted, reason):
    assert reason_of(class_file, LIMITS, 0, predicted, "test") == reason
    assert reason_of(class_file, LIMITS, predicted, 0, "test") == reason


def test_peaks_that_lowered_heights_leave_may_match_another_class(class_file):
    wide = LIMITS._replace(wide_test_height_change=0.45)  # leaves the peaks at 100 and 300
    for lowered_by, reason in (0, "other"), (0.02, "other"), (0.45, "vanished peaks"):
        assert reason_of(class_file, wide, 2, 7, "test_wide", lowered_by) == reason
    assert reason_of(class_file, wide, 2, 7, "test", lowered_by=0.02) == "other"


def test_peaks_vanish_by_what_their_own_variant_lowers(tmp_path):
    spectra = {
        "0": {
            "peak_positions": [100, 300],
            "peak_heights": [1, 0.35],
            "test_variants": [[0, 0.3], [0, -0.02], [0, -0.3]],
        },
        "1": {"peak_positions": [100], "peak_heights": [1]},
    }
    path = tmp_path / "own.json"
    path.write_text(json.dumps({"datapoints": 400, "classes": 2, "spectra": spectra}))
    labels = np.repeat([0, 1], [3, 9])
    run = run_of(tmp_path / "vgg", np.where(labels == 0, 1, labels), "test")
    found = explained([run], {"test": labels}, read_class_file(path), LIMITS)
    assert [m.reason for m in found] == ["other", "other", "vanished peaks"]


@pytest.mark.parametrize("heights", [[1, 0.12, 0.08], [1, 0.08, 0.12]])
def test_of_two_peaks_that_fit_the_small_one_is_left_over(heights):
    true, predicted = (np.array([500, 100, 110]), np.array(heights)), ([500, 105], [1, 0.1])
    predicted = tuple(map(np.array, predicted))
    for pair in (true, predicted), (predicted, true):
        assert misclassifications.reason_of(*pair, Reach(10, 0.05, 0)) == "a small peak"


@pytest.mark.parametrize(("height", "lowered_by"), [(0.3, 0.2), (0.2, 0.1), (0.4, 0.3)])
def test_a_peak_that_is_left_at_a_tenth_has_vanished(height, lowered_by):
    true = np.array([10, 90]), np.array([1, height])
    predicted = np.array([10, 50, 70]), np.array([1, 0.9, 0.5])
    reach = misclassifications.Reach(2, 0.1, lowered_by)
    assert misclassifications.reason_of(true, predicted, reach) == "vanished peaks"


def test_the_wider_test_split_allows_larger_height_changes(class_file):
    wide = LIMITS._replace(wide_test_height_change=0.4)
    assert reason_of(class_file, wide, 0, 3, "test") == "heights only"
    assert reason_of(class_file, wide, 0, 3, "test_wide") == "nearly overlapping"


# The variants 3 to 5 have heights of 0.52 and 0.72: divided by 1.04, one of 1.04, 0.54 and 0.75.
SCALED = ["heights only"] * 3 + ["overlapping classes"] * 3 + ["heights only"] * 3


@pytest.mark.parametrize(("predicted", "in_test"), [(9, ["positions only"] * 9), (10, SCALED)])
def test_validation_spectra_vary_as_training_spectra_do(class_file, tmp_path, predicted, in_test):
    labels = np.repeat(np.arange(len(PATTERNS)), 9)
    splits = dict.fromkeys(("val", "test"), labels)
    for split in splits:
        run = run_of(tmp_path / "vgg", np.where(labels == 0, predicted, labels), split)
    found = explained([run], splits, class_file, LIMITS)
    assert [m.split for m in found] == ["val"] * 9 + ["test"] * 9
    assert [m.reason for m in found] == ["nearly overlapping"] * 9 + in_test
    assert [m.variant for m in found] == [""] * 9 + list(range(9))


def test_heights_match_up_to_the_limit_though_it_is_no_binary_fraction():
    pattern, other = ((np.array([100, 200]), np.array([1, height])) for height in (0.21, 0.28))
    assert 0.28 - 0.21 > 0.07  # as binary fractions
    reach = misclassifications.Reach(shift=5, height_change=0.07, lowered_by=0)
    assert misclassifications.reason_of(pattern, other, reach) == "nearly overlapping"


def test_the_highest_peak_never_vanishes(class_file):
    wide = LIMITS._replace(wide_test_height_change=0.95)
    assert reason_of(class_file, wide, 0, 5, "test_wide", lowered_by=0.95) == "other"


def run_of(folder, predictions, split="test"):
    folder.mkdir(exist_ok=True)
    np.save(folder / f"{split}_predictions.npy", predictions)
    np.save(folder / f"{split}_confidences.npy", np.linspace(0.5, 1, len(predictions)))
    unknown = dict.fromkeys(Run._fields)
    return Run(**unknown | {"model": folder.name, "seed": 3, "folder": folder})


def test_one_row_per_misclassified_spectrum_with_variant_and_reason(class_file, tmp_path):
    labels = np.repeat(np.arange(len(PATTERNS)), 9)
    predictions = labels.copy()
    predictions[[0, 1]] = 6  # class 6 can produce the pattern shifted by 0 or +5, not by -5
    predictions[12] = 0
    predictions[20] = 5
    runs = [run_of(tmp_path / "vgg", predictions)]
    found = explained(runs, {"test": labels}, class_file, LIMITS)
    assert [(m.spectrum, m.true_class, m.predicted_class, m.variant) for m in found] == [
        (0, 0, 6, 0),
        (1, 0, 6, 1),
        (12, 1, 0, 3),
        (20, 2, 5, 2),
    ]
    assert [m.reason for m in found] == [
        "nearly overlapping",
        "nearly overlapping",
        "overlapping classes",
        "other",
    ]
    assert found[0][:3] == ("vgg", 3, "test")
    assert found[0].confidence == 0.5
    assert found[2].confidence == pytest.approx(0.5 + 0.5 * 12 / (len(labels) - 1), abs=1e-6)


def test_classes_of_many_peaks_that_all_may_be_partners_are_held_against_each_other():
    rng = np.random.default_rng(0)
    positions, heights = np.arange(60), np.append(1, rng.uniform(0.4, 0.6, 59))
    limits = variation(max_shift=20, max_height_change=0.2)
    for added, alike in (0.1, True), (0.7, False):  # trying each assignment would take for ever
        other = positions + 3, np.append(1, heights[1:] * 0.5 + added)
        found = misclassifications.can_look_like((positions, heights), other, Variant(0, 0), limits)
        assert found == alike


def test_each_of_two_classes_has_its_own_ambiguous_spectra(class_file, tmp_path):
    labels = np.repeat(np.arange(len(PATTERNS)), 9)
    predictions = np.where(labels == 0, 6, np.where(labels == 6, 0, labels))
    found = explained([run_of(tmp_path / "vgg", predictions)], {"test": labels}, class_file, LIMITS)
    # Class 6 lies 12 above class 0: each looks like the other where it is shifted towards it.
    reasons = [m.reason for m in found]
    assert reasons[:9] == ["nearly overlapping", "nearly overlapping", "overlapping classes"] * 3
    assert reasons[9:] == ["nearly overlapping", "overlapping classes", "nearly overlapping"] * 3


def test_own_arrays_have_no_variant_and_no_reason(tmp_path):
    labels = np.arange(5)
    runs = [run_of(tmp_path / "vgg", np.array([0, 1, 2, 3, 0]))]
    (found,) = list_misclassifications(runs, {"test": labels})
    assert (found.spectrum, found.variant, found.reason) == (4, "", "")


def test_only_the_last_three_variants_have_lowered_heights(class_file, tmp_path):
    labels = np.repeat(np.arange(len(PATTERNS)), 9)
    predictions = np.where(labels == 2, 7, labels)
    runs = [run_of(tmp_path / "vgg", predictions, "test_wide")]
    wide = LIMITS._replace(wide_test_height_change=0.45)
    found = explained(runs, {"test_wide": labels}, class_file, wide)
    assert [m.reason for m in found] == ["other"] * 6 + ["vanished peaks"] * 3


def test_summary_counts_reasons_per_network_and_runs_per_class(class_file, tmp_path):
    labels = np.repeat(np.arange(len(PATTERNS)), 9)
    a, b = labels.copy(), labels.copy()
    a[[0, 12, 13]], b[12] = 5, 4
    runs = [run_of(tmp_path / "vgg", a), run_of(tmp_path / "cnn2", b)]
    runs.append(runs[1]._replace(seed=4))
    found = explained(runs, {"test": labels}, class_file, LIMITS)
    text = misclassifications.summarise(found, runs)
    assert "| network | positions only | other |" in text
    assert "| vgg | 0 | 3 |" in text
    assert "| cnn2 | 1 | 0 |" in text  # in each of its two runs
    assert "| class | runs of 3 | spectra per run | mostly taken for |" in text
    assert "| 1 | 3 | 1.33 | 5 |\n| 0 | 1 | 0.333 | 5 |" in text


def test_classes_come_in_the_order_of_runs_then_of_test_spectra(class_file, tmp_path):
    labels = np.repeat(np.arange(len(PATTERNS)), 9)
    a, b = labels.copy(), labels.copy()
    a[0] = b[0] = 5  # class 0 in two runs
    a[9:13] = 5  # class 1: four spectra in one run
    a[18:21] = 5  # class 2: three
    a[27:30] = 5  # class 3: three
    runs = [run_of(tmp_path / "vgg", a), run_of(tmp_path / "cnn2", b)]
    for run in runs:
        np.save(run.folder / "val_predictions.npy", np.full(len(labels), 8))
        np.save(run.folder / "val_confidences.npy", np.ones(len(labels)))
    splits = dict.fromkeys(("test", "val"), labels)
    found = explained(runs, splits, class_file, LIMITS)
    text = misclassifications.summarise(found, runs)
    assert (
        "- test: 11 different spectra of 4 classes\n- val: 90 different spectra of 10 classes\n"
        in text
    )
    assert "\nClasses that most runs get wrong in test:\n" in text
    assert "wrong in val" not in text  # training has chosen by it
    *_, table = text.split("\n\n")
    assert table.splitlines()[2:] == [
        "| 0 | 2 | 1 | 5 |",
        "| 1 | 1 | 2 | 5 |",
        "| 2 | 1 | 1.5 | 5 |",
        "| 3 | 1 | 1.5 | 5 |",
    ]


def test_each_test_split_has_its_own_classes(class_file, tmp_path):
    labels = np.repeat(np.arange(len(PATTERNS)), 9)
    run = run_of(tmp_path / "vgg", labels)
    for split, label in ("test", 1), ("test_wide", 2):
        predictions = labels.copy()
        predictions[labels == label] = 5
        np.save(run.folder / f"{split}_predictions.npy", predictions)
        np.save(run.folder / f"{split}_confidences.npy", np.ones(len(labels)))
    found = explained([run], dict.fromkeys(("test", "test_wide"), labels), class_file, LIMITS)
    _, test, wide = misclassifications.summarise(found, [run]).split("\nClasses that most runs")
    assert test.startswith(" get wrong in test:")
    assert test.endswith("\n| 1 | 1 | 9 | 5 |\n")
    assert wide.startswith(" get wrong in test_wide:")
    assert wide.endswith("\n| 2 | 1 | 9 | 5 |\n")


def test_reach_of_own_variants_is_that_of_the_largest_whatever_its_sign():
    change = LIMITS.max_height_change
    variants = [Variant(-5, 0.1), Variant(2, -0.4)]
    assert reach_of(LIMITS, variants, 0) == Reach(15, change + 0.4, 0)
    assert reach_of(LIMITS, variants, 0.1) == Reach(15, change + 0.4, 0.1)


def test_variants_are_numbered_in_their_class_however_many_it_has(class_file, tmp_path):
    own = {0: [Variant(0, 0), Variant(5, 0)], 1: [Variant(shift, 0) for shift in (0, 1, 2)]}
    first_three = class_file._replace(
        positions=class_file.positions[:3], heights=class_file.heights[:3], test_variants=own
    )
    labels = np.repeat([0, 1, 2], [2, 3, 9])
    runs = [run_of(tmp_path / "vgg", (labels + 1) % 3)]
    found = explained(runs, {"test": labels}, first_three, LIMITS)
    assert [m.variant for m in found] == [*range(2), *range(3), *range(9)]


@pytest.mark.parametrize(("height", "alike"), [(0.049, True), (0.05, False)])
def test_a_peak_as_high_as_the_largest_change_does_not_vanish(height, alike):
    pattern = np.array([100, 300]), np.array([1, height])
    other = np.array([100]), np.array([1.0])
    limits = LIMITS._replace(max_height_change=0.05)
    found = misclassifications.can_look_like(pattern, other, Variant(0, 0), limits)
    assert found == alike  # as of the ideal observer, for whom that has the probability 0
