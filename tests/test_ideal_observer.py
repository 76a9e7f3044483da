"""The ideal observer gives the best answer that the training variation allows."""

import json
from itertools import permutations

import numpy as np
import pytest
from conftest import variation
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines import count_answers
from benchmark.class_file import ClassFile
from benchmark.ideal_observer import IdealObserver
from benchmark.run_folder import Count
from spectra_from_config import vary_at_random


def class_file(*classes, datapoints=40):
    """Classes given as lists of (position, height)."""
    positions = [np.array([x for x, _ in peaks]) for peaks in classes]
    heights = [np.array([h for _, h in peaks], float) for peaks in classes]
    return ClassFile(datapoints, positions, heights, "", {})


def answer(observer, *peaks):
    positions, heights = np.array(peaks).T
    return observer.answer(positions.astype(int), heights)


def observer_of(*classes, **changes):
    return IdealObserver(class_file(*classes), variation(**changes))


def test_a_peak_beyond_the_largest_shift_belongs_to_another_class():
    observer = observer_of([(10, 1)], [(20, 1)], max_shift=4)
    assert answer(observer, (14, 0.7)).classes == (0,)
    assert answer(observer, (16, 0.7)).classes == (1,)
    assert answer(observer, (15, 0.7)).classes == ()
    assert np.isnan(answer(observer, (15, 0.7)).probability)


def test_equal_classes_are_tied_and_share_the_blame():
    observer = observer_of([(10, 1), (20, 0.5)], [(12, 1), (22, 0.5)], [(30, 1)], max_shift=5)
    found = answer(observer, (11, 1), (21, 0.5))
    assert found.classes == (0, 1)
    assert found.probability == pytest.approx(0.5)
    labels = np.array([0, 2, 2, 1])
    answers = [(0, 1), (2,), (1,), ()]
    assert count_answers(answers, labels) == Count(1.5, 4, unanswered=1, tied=1)


def test_a_faint_peak_that_does_not_show_has_vanished_with_a_known_probability():
    """Height 0.02 vanishes in 3 of 10 spectra, so the class without it is 10 / 3 as likely."""
    observer = observer_of([(10, 1)], [(10, 1), (25, 0.02)], max_shift=3, max_height_change=0.05)
    found = answer(observer, (10, 1))
    assert found.classes == (0,)
    assert found.probability == pytest.approx(1 / 1.3)
    assert answer(observer, (10, 1), (26, 0.01)).classes == (1,)


def test_the_unknown_scale_is_integrated_out():
    """Ratio 0.42 of two peaks that vary by 0.1: by numerical integration over both heights."""
    observer = observer_of(
        [(10, 1), (20, 0.5)], [(10, 1), (20, 0.4)], max_shift=0, max_height_change=0.1
    )
    found = answer(observer, (10, 2), (20, 0.84))
    scale = np.linspace(0.9, 1.1, 200_001)
    inside = [(np.abs(0.42 * scale - h) <= 0.1) * scale for h in (0.5, 0.4)]
    first, second = (np.trapezoid(density, scale) for density in inside)
    assert found.classes == ((0,) if first > second else (1,))
    assert found.probability == pytest.approx(max(first, second) / (first + second), rel=1e-4)


def test_a_height_that_does_not_vary_fixes_the_scale():
    observer = observer_of(
        *([(10, 1), (20, 0.98)], [(10, 0.98), (20, 1)]),
        **{"max_shift": 0, "max_height_change": 0.05, "vary_highest": False},
    )
    # Scale 1 for class 0; 1 / 0.98 for class 1, at which the same ratios lie closer together.
    found = answer(observer, (10, 1), (20, 0.98))
    assert found.classes == (1,)
    assert found.probability == pytest.approx(0.98**-2 / (1 + 0.98**-2), rel=1e-9)
    # The first peak of class 1 would be 1 / 0.94, which is more than 0.98 + 0.05.
    assert answer(observer, (10, 1), (20, 0.94)).classes == (0,)
    assert answer(observer, (10, 1), (20, 0.90)).classes == ()


def test_peaks_may_be_assigned_in_several_ways():
    """Both peaks of class 0 reach both places: twice the density of one way."""
    two_ways, one_way = [(10, 1), (12, 1)], [(9, 1), (15, 1)]
    observer = observer_of(two_ways, one_way, max_shift=3, max_height_change=0.05)
    found = answer(observer, (11, 1), (12, 1))
    assert found.classes == (0,)
    assert found.probability == pytest.approx(2 / 3)


def likelihood_by_definition(observer, label, positions, ratios):
    """All heights vary: go through the assignments one by one, as the docstring sums them up."""
    x, h, _ = observer.patterns[label]
    shift, change, visible = observer.max_shift, observer.max_change, len(positions)
    total = 0
    for own in permutations(range(len(x)), visible):
        if (np.abs(positions - x[list(own)]) > shift).any():
            continue
        heights, left = h[list(own)], np.delete(h, own)
        low = np.max((heights - change) / ratios, initial=0)
        high = max(low, np.min((heights + change) / ratios))
        vanish = np.maximum(change - left, 0) / (2 * change)
        total += (high**visible - low**visible) / visible * vanish.prod()
    return total


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_likelihood_is_the_sum_over_all_assignments(data):
    height = st.sampled_from([0, 0.02, 0.1, 0.15, 0.5, 0.9, 1])
    peaks = data.draw(st.lists(st.tuples(st.integers(10, 24), height), max_size=4))
    limits = {"max_shift": data.draw(st.integers(0, 8)), "max_height_change": 0.2}
    observer = observer_of([(data.draw(st.integers(10, 24)), 1), *peaks], **limits)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    _, positions, heights = draw(rng, [np.transpose(observer.patterns[0][:2])], 8, 0.2, True)
    visible = heights > 0
    positions, ratios = positions[visible], heights[visible] / heights.max()
    expected = likelihood_by_definition(observer, 0, positions, ratios)
    assert observer.likelihood(0, positions, ratios)[1] == pytest.approx(expected, rel=1e-9)


def test_a_hundred_peaks_that_can_pass_each_other_are_answered_for():
    """There are more ways to assign them than anybody can go through."""
    rng = np.random.default_rng(0)
    positions = rng.integers(5, 1995, (4, 100))
    heights = np.clip(rng.exponential(0.15, (4, 100)), 0.01, 1).round(3)
    heights[:, 0] = 1
    small = variation(max_shift=5, max_height_change=0.25)
    observer = IdealObserver(ClassFile(2000, [*positions], [*heights], "", {}), small)
    for label in range(4):
        drawn, changed, _ = vary_at_random(
            positions[label], heights[label], label, range(3), 1, small
        )
        for spectrum in zip(drawn, changed, strict=True):
            assert observer.answer(*spectrum).classes == (label,)


def draw(rng, classes, max_shift, change, vary_highest):
    label = int(rng.integers(len(classes)))
    positions, heights = np.array(classes[label]).T
    shifted = positions.astype(int) + rng.integers(-max_shift, max_shift + 1, len(positions))
    changed = heights + rng.uniform(-change, change, len(heights))
    if not vary_highest:
        changed = np.where(heights == 1, 1, changed)
    return label, shifted, np.maximum(changed, 0)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_its_errors_are_as_frequent_as_it_expects(data):
    """On spectra drawn at random, the posterior probability of its answers is their accuracy."""
    height = st.sampled_from([0, 0.02, 0.1, 0.15, 0.5, 0.9, 0.95])
    peak = st.tuples(st.integers(14, 24), height)
    classes = [
        [*data.draw(st.lists(peak, max_size=3)), (data.draw(st.integers(14, 24)), 1)]
        for _ in range(data.draw(st.integers(2, 4)))
    ]
    max_shift, change = data.draw(st.integers(0, 6)), data.draw(st.sampled_from([0.05, 0.2]))
    vary_highest = data.draw(st.booleans())
    limits = {"max_shift": max_shift, "max_height_change": change, "vary_highest": vary_highest}
    observer = observer_of(*classes, **limits)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    answers, labels, expected = [], [], []
    for _ in range(600):
        label, positions, heights = draw(rng, classes, max_shift, change, vary_highest)
        found = observer.answer(positions, heights)
        assert found.classes  # its own class can produce it
        answers.append(found.classes)
        labels.append(label)
        expected.append(1 - found.probability)
    wrong = count_answers(answers, np.array(labels)).misclassified
    p = np.array(expected)
    assert abs(wrong - p.sum()) <= 5 * np.sqrt((p * (1 - p)).sum()) + 1e-6


def test_no_rule_learned_from_many_spectra_does_better():
    """The best answer in every cell of a fine grid, learned from a million spectra, errs as often.

    Two classes of two peaks; a spectrum is the two places and the ratio of the heights.
    """
    classes = [(10, 1), (20, 0.5)], [(11, 1), (21, 0.6)]
    limits = {"max_shift": 1, "max_height_change": 0.1}
    rng = np.random.default_rng(0)
    n = 400_000
    cells = []
    for peaks in classes:
        places = np.array([x for x, _ in peaks]) + rng.integers(-1, 2, (n, 2))
        heights = np.array([h for _, h in peaks]) + rng.uniform(-0.1, 0.1, (n, 2))
        ratio = np.floor(200 * heights[:, 1] / heights[:, 0]).astype(int)
        cells.append(np.ravel_multi_index((places[:, 0], places[:, 1], ratio), (40, 40, 200)))
    counts = [np.bincount(c, minlength=40 * 40 * 200) for c in cells]
    learned = np.minimum(*counts).sum() / (2 * n)
    observer = observer_of(*classes, **limits)
    expected = []
    for _ in range(6000):
        _, positions, heights = draw(rng, classes, 1, 0.1, True)
        expected.append(1 - observer.answer(positions, heights).probability)
    assert np.mean(expected) == pytest.approx(learned, abs=4 * np.std(expected) / 6000**0.5)


def test_it_answers_for_the_spectra_that_the_dataset_holds(run, class_file_of_pairs, tmp_path):
    flags = "--config", class_file_of_pairs, "--output", tmp_path / "d", "--max-shift", 5
    assert run("spectra_from_config.py", *flags, "--test-shift", 3).returncode == 0
    flags = "--dataset", tmp_path / "d", "--config", class_file_of_pairs
    process = run("baselines.py", *flags, "--results", tmp_path / "r")
    assert process.returncode == 0, process.stderr
    record = json.loads((tmp_path / "r/ideal_observer/baseline.json").read_text())
    predictions = np.load(tmp_path / "r/ideal_observer/val_predictions.npy")
    labels = np.load(tmp_path / "d/y_val.npy")
    count = record["misclassified"]["val"]
    assert count["spectra"] == 40
    assert count["tied"] == 20  # classes 0 and 1 are the same
    assert count["misclassified"] == 10
    assert np.count_nonzero(predictions != labels) == 10
    wide = record["misclassified"]["test_wide"]
    assert wide["unanswered"] == np.count_nonzero(
        np.load(tmp_path / "r/ideal_observer/test_wide_predictions.npy") == -1
    )
    answered = f"{wide['misclassified']:g} of {36 - wide['unanswered']} answered"
    assert f"test_wide {answered}" in process.stdout


@pytest.fixture
def class_file_of_pairs(tmp_path):
    """Two classes that are the same, and two that are not."""
    patterns = [([30, 60], [0.5, 1])] * 2 + [([90], [1]), ([30, 90], [1, 0.3])]
    spectra = {
        str(label): {"peak_positions": positions, "peak_heights": heights}
        for label, (positions, heights) in enumerate(patterns)
    }
    path = tmp_path / "pairs.json"
    path.write_text(json.dumps({"datapoints": 120, "classes": 4, "spectra": spectra}))
    return path


def test_redrawn_peaks_are_those_of_the_training_variation():
    """vary_at_random draws what the observer is told; its limits are those the observer assumes."""
    small = variation(max_shift=3, max_height_change=0.05)
    observer = IdealObserver(class_file([(10, 1), (20, 0.03)], [(15, 1)]), small)
    drawn = vary_at_random(np.array([10, 20]), np.array([1, 0.03]), 0, range(200), 1, small)
    for positions, heights in zip(*drawn[:2], strict=True):
        assert observer.answer(positions, heights).classes


def test_a_peak_of_height_0_is_no_obstacle_where_heights_do_not_vary():
    observer = observer_of([(10, 1), (20, 0)], [(30, 1)], max_shift=3, max_height_change=0)
    assert answer(observer, (11, 1)).classes == (0,)


def test_classes_that_are_nearly_as_likely_are_not_tied():
    classes = [(10, 1), (20, 0.5)], [(10, 1), (20, 0.50005)]
    found = answer(observer_of(*classes, max_shift=0, max_height_change=0.1), (10, 1), (20, 0.42))
    assert found.classes == (0,)
    assert found.probability == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("fixed", [1, 2, 3])
def test_the_density_is_one_in_total_however_many_heights_are_fixed(fixed):
    """The last peak varies, and may become the highest, so the fixed ones lie at 1 / its height."""
    positions = 10 * np.arange(fixed + 1)
    peaks = [*((x, 1) for x in positions[:-1]), (positions[-1], 0.98)]
    observer = observer_of(peaks, max_shift=3, max_height_change=0.05, vary_highest=False)

    def density(of_fixed, of_last):
        ratios = np.append(np.full(fixed, of_fixed), of_last)
        agreeing, found = observer.likelihood(0, positions, ratios)
        assert agreeing == fixed
        return found / (2 * 0.05)  # which is left out, as it is the same for all classes

    lower = (np.arange(1000) + 0.5) * 0.07 / 1000 + 0.93
    below = np.mean([density(1, ratio) for ratio in lower]) * 0.07
    ratios = 1 - (np.arange(1000) + 0.5) * (1 - 1 / 1.03) / 1000
    above = np.mean([density(ratio, 1) for ratio in ratios]) * (1 - 1 / 1.03)
    assert below + above == pytest.approx(1, rel=1e-4)


def test_more_fixed_heights_that_agree_outweigh_any_density():
    observer = observer_of(
        *([(10, 1), (20, 1)], [(10, 1), (20, 0.98)]),
        **{"max_shift": 0, "max_height_change": 0.05, "vary_highest": False},
    )
    found = answer(observer, (10, 1), (20, 1))
    assert (found.classes, found.probability) == ((0,), 1)
    limits = {"max_shift": 0, "max_height_change": 0.05, "vary_highest": False}
    nearly = observer_of([(10, 1), (20, 0.999)], **limits)  # whose second peak varies
    assert answer(nearly, (10, 1), (20, 0.96)).classes == (0,)


def test_fixed_heights_must_agree():
    classes = ClassFile(100, [np.array([20, 60])], [np.array([1, 0.9])], "", {})
    observer = IdealObserver(classes, variation(max_shift=5, max_height_change=0.0))
    assert observer.answer(np.array([20, 60]), np.array([1, 0.9])).classes == (0,)
    assert observer.answer(np.array([20, 60]), np.array([1, 0.905])).classes == ()
    for scale in np.linspace(0.5, 2, 31):  # by which heights are rounded otherwise
        assert observer.answer(np.array([20, 60]), scale * np.array([1, 0.9])).classes == (0,)


def test_a_peak_may_change_by_all_that_is_allowed_whatever_the_rounding():
    limits = {"max_shift": 0, "max_height_change": 0.05, "vary_highest": False}
    observer = observer_of([(10, 1), (20, 0.5)], **limits)
    assert 0.55 - 0.5 > 0.05  # of floating-point numbers
    assert answer(observer, (10, 1), (20, 0.55)).classes == (0,)


def test_classes_that_differ_in_the_order_of_their_peaks_are_tied():
    """The chances of vanishing are multiplied in another order, so the products are rounded."""
    first, *faint = (10, 1), (20, 0.04), (25, 0.03), (30, 0.02)
    observer = observer_of([first, *faint], [first, *faint[::-1]], max_height_change=0.05)
    assert answer(observer, (10, 1)).classes == (0, 1)


@pytest.mark.parametrize("outside", [-1, 40])
def test_no_class_has_a_peak_outside_the_axis(outside):
    observer = observer_of([(1, 1), (38, 1)], max_shift=2)
    assert answer(observer, (0, 1), (39, 1)).classes == (0,)
    assert answer(observer, (outside, 1), (39 if outside < 0 else 0, 1)).classes == ()
