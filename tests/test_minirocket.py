"""MiniRocket: features are the published ones, the classifier is ridge, test labels are unseen."""

import json
import os
from itertools import combinations

import numpy as np
import pytest

import baselines
from benchmark import minirocket, ridge
from benchmark.command_line import InputError, parse_flags
from benchmark.minirocket import Features, convolutions, count_above, dilations_of, fit_features

KERNELS = list(combinations(range(9), 3))
SPECTRUM = np.array([[0, 0, 0, 1, 2, 0, 0, 0, 0]], np.float32)


def features_with(biases, dilation=1):
    """Return Features of one dilation: these biases for the first kernels, 100 for the others."""
    padded = np.full(84, 100, np.float32)
    padded[: len(biases)] = biases
    return Features([dilation], [1], padded)


def test_the_first_kernel_is_2_at_its_first_three_taps_and_minus_1_elsewhere():
    first = next(convolutions(SPECTRUM, 1))
    assert first.tolist() == [[-3, -3, -3, -3, -3, 0, 6, 6, 4]]  # by hand


@pytest.mark.parametrize(("bias", "above"), [(-3.5, 9), (-3, 4), (0, 3), (5, 2), (6, 0)])
def test_a_feature_counts_the_values_above_its_bias(bias, above):
    assert count_above(SPECTRUM, features_with([bias]))[0, 0] == above


@pytest.mark.parametrize(("bias", "above"), [(-0.5, 1), (0, 0)])
def test_every_other_kernel_counts_only_where_it_fits_into_the_spectrum(bias, above):
    # That is at one place, where 2 times 1 and -1 times 2 are 0; padded, more values are above.
    assert count_above(SPECTRUM, features_with([9, bias]))[0, 1] == above


def test_padding_takes_turns_with_the_dilations_too():
    features = Features([1, 1], [1, 1], np.full(168, -100, np.float32))
    counts = count_above(np.ones((1, 20), np.float32), features)[0]
    assert counts[:84].tolist() == [20, 12] * 42
    assert counts[84:].tolist() == [12, 20] * 42


@pytest.mark.parametrize("dilation", [1, 3, 8])
def test_there_are_84_kernels_and_their_taps_lie_a_dilation_apart(dilation):
    spectra = np.random.default_rng(0).integers(-9, 9, (2, 40)).astype(np.float32)
    padded = np.pad(spectra, ((0, 0), (4 * dilation, 4 * dilation)))
    found = [convolved.copy() for convolved in convolutions(spectra, dilation)]
    assert len(found) == 84
    for taps, convolved in zip(KERNELS, found, strict=True):
        weights = np.where(np.isin(np.arange(9), taps), 2, -1)
        moved = [padded[:, tap * dilation : tap * dilation + 40] for tap in range(9)]
        np.testing.assert_array_equal(convolved, np.tensordot(weights, moved, axes=1))


def test_dilations_grow_evenly_in_their_exponents_up_to_the_length_of_the_spectrum():
    assert dilations_of(257, 6) == ([1, 2, 4, 8, 16, 32], [1] * 6)
    dilations, counts = dilations_of(5000, 119)
    assert (dilations[0], dilations[-1], len(dilations)) == (1, 624, 28)  # 8 * 624 < 5000
    assert sum(counts) == 119  # 84 times that are 9996 features
    assert counts[:3] == [15, 8, 4]  # several exponents give 1 when rounded down


@pytest.mark.parametrize("datapoints", [1, 2, 3, 5, 9, 17, 80])
def test_spectra_of_any_length_have_their_features(datapoints):
    spectra = np.random.default_rng(0).random((3, datapoints)).astype(np.float32)
    features = fit_features(spectra, 500)
    assert count_above(spectra, features).shape == (3, 420)


def test_biases_are_quantiles_of_the_convolutions_of_training_spectra():
    spectra = np.random.default_rng(0).random((1, 50)).astype(np.float32)
    features = fit_features(spectra, 84 * 4)
    golden = (1 + 5**0.5) / 2
    number = 0
    for dilation, count in zip(features.dilations, features.per_kernel, strict=True):
        for convolved in convolutions(spectra, dilation):
            chosen = np.arange(number + 1, number + 1 + count) * golden % 1
            expected = np.quantile(convolved[0], chosen)
            np.testing.assert_allclose(features.biases[number : number + count], expected, 1e-4)
            number += count
    assert number == len(features.biases) == 336


def test_each_kernel_and_dilation_draws_a_training_spectrum(monkeypatch):
    spectra = np.eye(2, 60, dtype=np.float32) * np.array([[1], [1000]], np.float32)
    largest = np.abs(fit_features(spectra, 84 * 8).biases).reshape(-1, 2).max(axis=1)
    assert 0 < np.count_nonzero(largest > 10) < np.count_nonzero(largest > 0)
    weak_and_strong = np.random.default_rng(0).random((2, 60)) * [[1], [1000]]
    of_strong = np.abs(fit_features(weak_and_strong, 84).biases) > 10  # of a single dilation
    assert 20 < np.count_nonzero(of_strong) < 64
    biases = fit_features(spectra, 840).biases
    assert (fit_features(spectra, 840).biases == biases).all()
    monkeypatch.setattr(minirocket, "SEED", 1)
    assert (fit_features(spectra, 840).biases != biases).any()


def test_features_do_not_depend_on_blocks_or_threads(monkeypatch):
    spectra = np.random.default_rng(0).random((50, 64)).astype(np.float32)
    features = fit_features(spectra, 840)
    expected = count_above(spectra, features)
    for block, cores in (64, 1), (64 * 7, 3), (10**6, 2):
        monkeypatch.setattr(minirocket, "BLOCK", block)
        monkeypatch.setattr(minirocket, "available_cores", lambda cores=cores: cores)
        np.testing.assert_array_equal(count_above(spectra, features), expected)


def counts_and_labels(spectra, features, seed=0):
    """Whole numbers as features: two are constant, two the same; labels of three classes."""
    rng = np.random.default_rng(seed)
    labels = np.arange(spectra) % 3
    counts = rng.integers(0, 50, (spectra, features)) + 20 * labels[:, None] * (
        np.arange(features) % 4 == 0
    )
    counts[:, 0], counts[:, 1] = 7, 0
    counts[:, 3] = counts[:, 2]
    return counts.astype(np.uint32), labels


def fitted(solutions, spectra, features):
    x, y = counts_and_labels(spectra, features)
    return list(solutions(lambda rows: rows, x, y, 3)), x.astype(float), y


@pytest.mark.parametrize("solutions", [ridge.by_normal_equations, ridge.by_kernel])
@pytest.mark.parametrize("shape", [(60, 20), (20, 60)])
def test_weights_are_the_least_squares_with_a_penalty(solutions, shape):
    ridges, x, y = fitted(solutions, *shape)
    assert [r.strength for r in ridges] == pytest.approx(np.logspace(3, -3, 10))
    spread = np.linalg.norm(x - x.mean(axis=0), axis=0)
    z = (x - x.mean(axis=0)) / np.where(spread, spread, 1)
    targets = np.where(y[:, None] == np.arange(3), 1.0, -1.0)
    for found in ridges:
        rows = np.vstack([z, np.sqrt(found.strength) * np.eye(z.shape[1])])
        centred = targets - targets.mean(axis=0)
        weights = np.linalg.lstsq(rows, np.vstack([centred, np.zeros((z.shape[1], 3))]))[0]
        values = x @ found.weights + found.offsets
        np.testing.assert_allclose(values, z @ weights + targets.mean(axis=0), atol=1e-6)


def test_sums_of_training_spectra_are_exact_in_whatever_blocks(monkeypatch):
    x, y = counts_and_labels(50, 12)
    parts = []
    for block in 1, 7, 1000:
        monkeypatch.setattr(ridge, "BLOCK", block)
        sums = ridge.sum_features(lambda rows: rows, x, y, 3)
        parts.append((np.tril(sums.products), sums.per_class))
    moved = x.astype(np.int64) - x[0]
    for products, per_class in parts:
        np.testing.assert_array_equal(products, np.tril(moved.T @ moved))
        np.testing.assert_array_equal(per_class, [moved[y == c].sum(axis=0) for c in range(3)])


@pytest.mark.parametrize("spectra", [20, 80])
def test_the_strength_is_the_one_whose_values_for_validation_spectra_are_nearest(spectra):
    x, y = counts_and_labels(spectra, 40)
    x_val, y_val = counts_and_labels(90, 40, seed=1)
    best = ridge.train_ridge(lambda rows: rows, (x, y), (x_val, y_val), 3)
    solutions = ridge.by_normal_equations if spectra > 40 else ridge.by_kernel
    wanted = np.where(y_val[:, None] == np.arange(3), 1, -1)
    deviations = {
        r.strength: np.linalg.norm(x_val @ r.weights + r.offsets - wanted)
        for r in solutions(lambda rows: rows, x, y, 3)
    }
    assert best.strength == min(deviations, key=deviations.get)
    assert best.strength not in (max(deviations), min(deviations))


def judge(dataset, results, *flags):
    arguments = ["--dataset", str(dataset), "--results", str(results), *flags]
    baselines.main(parse_flags(baselines, ["--methods", "minirocket", *arguments]))


def test_answers_need_no_class_file_and_depend_on_no_threads_or_test_labels(run, dataset, tmp_path):
    flags = "--dataset", dataset, "--methods", "minirocket", "--results", tmp_path / "a"
    threads = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    process = run("baselines.py", *flags, env=threads)
    assert (process.returncode, process.stderr) == (0, "")
    assert len(process.stdout.splitlines()) == 1
    (dataset / "dataset.json").unlink()
    labels = np.load(dataset / "y_test.npy")
    np.save(dataset / "y_test.npy", labels[::-1])
    judge(dataset, tmp_path / "b")
    for split in "val", "test", "test_wide":
        name = f"minirocket/{split}_predictions.npy"
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    baseline = json.loads((tmp_path / "a" / "minirocket" / "baseline.json").read_text())
    assert baseline["settings"]["minirocket_features"] == 10_000
    count = baseline["misclassified"]["test"]
    assert count["misclassified"] < count["spectra"] / 2  # guessing gets three quarters wrong


def test_bad_settings_are_named(dataset, tmp_path):
    with pytest.raises(InputError, match="MINIROCKET_FEATURES is 83, accepted: 84 to"):
        judge(dataset, tmp_path / "r", "--minirocket-features", "83")
    with pytest.raises(InputError, match=r"METHODS is rocket, accepted: .*minirocket"):
        judge(dataset, tmp_path / "r", "--methods", "rocket")


def test_values_that_differ_by_rounding_alone_are_equal_and_the_first_class_counts():
    features, offsets = np.ones((1, 1), np.uint32), np.zeros(2)
    assert ridge.answer(features, ridge.Ridge(np.array([[1, 1 + 1e-9]]), offsets, 1)) == [0]
    assert ridge.answer(features, ridge.Ridge(np.array([[1, 1 + 1e-5]]), offsets, 1)) == [1]


def test_of_equally_good_strengths_the_strongest_counts():
    x, y = np.full((6, 4), 7, np.uint32), np.arange(6) % 3
    best = ridge.train_ridge(lambda rows: rows, (x, y), (x, y), 3)
    assert best.strength == max(ridge.STRENGTHS)
