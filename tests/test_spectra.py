import hashlib
import json
import os
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
from conftest import PROJECT, SMALL, assert_one_sentence, variation
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter1d

import class_overlap
import spectra_from_config
from benchmark import VERSION, block_writer
from benchmark.artefacts import Artefacts
from benchmark.class_file import peak_statistics, read_class_file
from benchmark.command_line import InputError, parse_flags
from benchmark.dataset_folder import read_classes, read_dataset, verify
from benchmark.rendering import exp_of_negative, render
from benchmark.variants import nine_variants
from benchmark.variation import (
    check_variation,
    constants_text,
    differences,
    faults_of_variation,
    record_of_variation,
)
from dataset_config_generator import draw_classes
from spectra_from_config import render_dataset, vary_at_random, vary_for_test

PAPER = variation()


def smoothed_sticks(positions, heights, sigma, datapoints):
    """One spectrum as scipy makes it: the independent answer that ours is held against."""
    sticks = np.zeros(datapoints)
    np.add.at(sticks, positions, heights)
    spectrum = gaussian_filter1d(sticks, sigma, mode="constant", truncate=4)
    return spectrum / spectrum.max()


@given(data=st.data())
def test_spectra_are_smoothed_sticks_divided_by_their_maximum(data):
    datapoints = data.draw(st.integers(1, 200))
    peaks = data.draw(st.integers(1, 6))
    spectra = data.draw(st.integers(1, 4))
    ends = st.sampled_from([0, datapoints - 1])
    position = st.integers(0, datapoints - 1) | ends
    rows = st.lists(position, min_size=peaks, max_size=peaks)
    positions = np.array([data.draw(rows) for _ in range(spectra)])
    height = st.sampled_from([0.0, 1.0]) | st.floats(1e-6, 1)
    heights = np.array([[data.draw(height) for _ in range(peaks)] for _ in range(spectra)])
    heights[:, 0] = 1
    sigmas = np.array([data.draw(st.floats(0.05, 40)) for _ in range(spectra)])
    rendered = render(positions, heights, sigmas, datapoints)
    assert rendered.dtype == np.float32
    for i in range(spectra):
        expected = smoothed_sticks(positions[i], heights[i], sigmas[i], datapoints)
        np.testing.assert_allclose(rendered[i], expected, rtol=0, atol=1e-6)


def test_peaks_on_one_datapoint_are_summed():
    one = render(np.array([[50, 80]]), np.array([[1, 0.5]]), np.array([2.0]), 100)
    three = render(np.array([[50, 80, 50]]), np.array([[0.5, 0.5, 0.5]]), np.array([2.0]), 100)
    np.testing.assert_allclose(three, one, atol=1e-6)


def test_random_shifts_fill_their_interval_and_both_ends_are_drawn():
    ideal = np.array([500, 700, 900])
    positions, _, _ = vary_at_random(ideal, np.ones(3), 0, range(20_000), 0, PAPER)
    shifts = positions - ideal
    counts = np.bincount(shifts.ravel() + 50)
    assert len(counts) == 101  # from -50 to +50, each end included
    assert counts.min() > 0.8 * counts.mean()
    assert counts.max() < 1.2 * counts.mean()
    assert np.abs(np.corrcoef(shifts.T) - np.eye(3)).max() < 0.03  # each peak on its own


def test_random_height_changes_fill_their_interval_and_never_go_below_0():
    ideal = np.array([1, 0.5, 0.02, 0])
    _, heights, _ = vary_at_random(np.arange(4), ideal, 0, range(20_000), 0, PAPER)
    changes = heights - ideal
    for peak in 0, 1:
        assert changes[:, peak].min() == pytest.approx(-0.05, abs=1e-4)
        assert changes[:, peak].max() == pytest.approx(0.05, abs=1e-4)
        assert changes[:, peak].std() == pytest.approx(0.1 / 12**0.5, rel=0.02)
    assert heights.min() == 0
    assert np.mean(heights[:, 3] == 0) == pytest.approx(0.5, abs=0.02)
    assert heights[:, 3].max() == pytest.approx(0.05, abs=1e-4)
    assert abs(np.corrcoef(changes[:, 0], changes[:, 1])[0, 1]) < 0.03


def test_random_widths_span_their_range_and_are_drawn_once_per_spectrum():
    _, _, sigmas = vary_at_random(np.array([500]), np.ones(1), 0, range(20_000), 0, PAPER)
    assert sigmas.shape == (20_000,)
    assert sigmas.min() == pytest.approx(2, abs=1e-3)
    assert sigmas.max() == pytest.approx(5, abs=1e-3)
    assert sigmas.mean() == pytest.approx(3.5, abs=0.02)
    assert sigmas.std() == pytest.approx(3 / 12**0.5, rel=0.02)


def test_splits_and_classes_draw_from_different_streams():
    draws = [
        vary_at_random(np.array([500]), np.ones(1), label, range(8), stream, PAPER)[2]
        for label in (0, 1)
        for stream in (0, 1)
    ]
    assert len({draw.tobytes() for draw in draws}) == 4


def test_test_variants_are_nine_fixed_ones_in_order():
    positions, heights = np.array([200, 300, 400]), np.array([0.01, 1, 0.9])
    variants = [nine_variants(25, 0.2)]  # of the one class
    varied, changed, sigmas = vary_for_test(positions, heights, 0, range(9), variants, 2)
    up, down = [0.21, 1, 1.1], [0, 1, 0.7]
    expected = [heights] * 3 + [up] * 3 + [down] * 3
    np.testing.assert_allclose(changed, expected)
    np.testing.assert_array_equal(varied - positions, [[s] * 3 for s in [0, -25, 25] * 3])
    np.testing.assert_array_equal(sigmas, [2] * 9)


def test_splits_hold_the_right_spectra_in_the_right_order(dataset, class_file):
    config = json.loads(class_file[0].read_text())
    sizes = {"train": 24, "val": 8, "test": 36, "test_wide": 36}
    for split, spectra in sizes.items():
        x = np.load(dataset / f"x_{split}.npy")
        y = np.load(dataset / f"y_{split}.npy")
        assert x.dtype == np.float32
        assert x.shape == (spectra, 120)
        assert y.dtype == np.int64
        assert y.tolist() == sorted(list(range(4)) * (spectra // 4))
        assert x.min() >= 0
        np.testing.assert_array_equal(x.max(axis=1), 1)
    for split, change in ("test", 0.02), ("test_wide", 0.2):
        x = np.load(dataset / f"x_{split}.npy")
        for label, spectrum in enumerate(config["spectra"].values()):
            positions = np.array(spectrum["peak_positions"])
            heights = np.array(spectrum["peak_heights"])
            row = 9 * label
            for sign in 0, 1, -1:
                for shift in 0, -3, 3:
                    changed = [h if h == 1 else max(h + sign * change, 0) for h in heights]
                    expected = smoothed_sticks(positions + shift, changed, 2, 120)
                    np.testing.assert_allclose(x[row], expected, rtol=0, atol=1e-6)
                    row += 1


def test_training_spectra_are_the_drawn_variants(dataset, class_file):
    config = json.loads(class_file[0].read_text())
    x = np.load(dataset / "x_train.npy")
    for label, spectrum in enumerate(config["spectra"].values()):
        ideal = (np.array(spectrum[k]) for k in ("peak_positions", "peak_heights"))
        drawn = vary_at_random(*ideal, label, range(6), 0, SMALL)
        for i, (positions, heights, sigma) in enumerate(zip(*drawn, strict=True)):
            expected = smoothed_sticks(positions, heights, sigma, 120)
            np.testing.assert_allclose(x[6 * label + i], expected, rtol=0, atol=1e-6)


def hashes(card):
    return {name: entry["sha256"] for name, entry in card["files"].items()}


def test_same_bytes_on_every_processor(tmp_path):
    """The instruction sets that numpy chooses from at run time make no difference."""
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    config = draw_classes(datapoints=80, boundary=10, classes=6, max_peaks=3, min_height=10)
    (tmp_path / "short.json").write_text(json.dumps(config))
    optional = [f for f in __cpu_dispatch__ if __cpu_features__.get(f)]
    sums = []
    for number, disabled in enumerate(["", " ".join(optional)]):
        process = subprocess.run(
            [sys.executable, "spectra_from_config.py"]
            + ["--config", str(tmp_path / "short.json"), "--max-shift", "2", "--test-shift", "1"]
            + ["--output", str(tmp_path / str(number))],
            cwd=PROJECT,
            env=os.environ | {"NPY_DISABLE_CPU_FEATURES": disabled},
            capture_output=True,
            text=True,
            check=True,
        )
        sums.append(process.stdout.split()[-1])
    # The literal was computed once and holds on any machine and for any later version.
    assert sums == [SHORT_CHECKSUM] * 2


SHORT_CHECKSUM = "f519721bcb9db216d9c20b8f32150c2ef34354791bd840d3d7798edde2055347"


def test_the_small_dataset_needs_no_flag_and_no_spectrum_of_it_is_ambiguous(tmp_path):
    card = render_dataset(PROJECT / "dataset_configs/quick.json", tmp_path / "quick", variation())
    assert card["files"]["x_train.npy"]["shape"] == [400, 500]
    assert [found["ambiguous_test_spectra"] for found in card["overlap"].values()] == [0, 0]


def test_exponential_is_exact_in_every_bit_on_every_processor():
    x = np.arange(2**14) / 2**9
    np.testing.assert_allclose(exp_of_negative(x), np.exp(-x), rtol=1e-11)
    found = hashlib.sha256(exp_of_negative(x).tobytes()).hexdigest()
    assert found == "9742fc129f24caa7aef0506d1a05d5606a22783b7fb89ab7896df77064cfa5c8"


def test_same_bytes_for_every_block_size(class_file, tmp_path, monkeypatch):
    cards = []
    for block in 1, 1000, 10_000_000:
        monkeypatch.setattr(block_writer, "BLOCK", block)
        cards.append(render_dataset(class_file[0], tmp_path / str(block), SMALL))
    assert hashes(cards[0]) == hashes(cards[1]) == hashes(cards[2])


def test_classes_keep_their_spectra_when_others_or_more_spectra_are_added(class_file, tmp_path):
    path, write = class_file
    render_dataset(path, tmp_path / "more", SMALL._replace(n_train=8))

    def drop_last(config):
        config["classes"] = 3
        config["spectra"].pop("3")

    write(drop_last)
    render_dataset(path, tmp_path / "fewer", SMALL._replace(n_train=5))
    more = np.load(tmp_path / "more/x_train.npy").reshape(4, 8, 120)
    fewer = np.load(tmp_path / "fewer/x_train.npy").reshape(3, 5, 120)
    np.testing.assert_array_equal(more[:3, :5], fewer)


def test_verify_holds_the_checksum_of_the_card_against_its_files(dataset):
    path = dataset / "dataset.json"
    verify(dataset)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"checksum": "0" * 64}))
    with pytest.raises(InputError, match=r"dataset.json has another checksum than that of the"):
        verify(dataset)


def test_test_spectra_that_are_copies_are_told(class_file, tmp_path, capsys):
    render_dataset(class_file[0], tmp_path / "a", SMALL)
    assert "copies" not in capsys.readouterr().err
    card = render_dataset(class_file[0], tmp_path / "b", SMALL._replace(test_shift=0))
    spectra = card["files"]["x_test.npy"]["shape"][0]
    told = " and ".join(
        f"{spectra * 2 // 3} of {spectra} spectra of {split}" for split in ("test", "test_wide")
    )
    assert f"{told} are copies of others" in capsys.readouterr().err
    assert len(np.unique(np.load(tmp_path / "b/x_test.npy"), axis=0)) <= spectra // 3


def test_test_spectra_whose_heights_cannot_change_are_copies(class_file, tmp_path, capsys):
    path, write = class_file
    heights = {"0": [1, 1], "1": [1, 0], "2": [1, 0.5]}
    spectra = {n: {"peak_positions": [40, 70], "peak_heights": h} for n, h in heights.items()}
    write(lambda config: config.update(spectra=spectra, classes=3))
    render_dataset(path, tmp_path / "a", SMALL)
    # of 9 spectra of class 0 only 3 differ, of class 1 six, as no height falls below 0
    assert "9 of 27 spectra of test and 9 of 27 spectra of test_wide" in capsys.readouterr().err
    assert len(np.unique(np.load(tmp_path / "a/x_test.npy"), axis=0)) == 18


def test_a_single_class_is_rendered_with_the_warning_that_it_cannot_be_trained(
    class_file, tmp_path, capsys
):
    path, write = class_file
    render_dataset(path, tmp_path / "several", SMALL)
    assert "one class" not in capsys.readouterr().err
    write(lambda config: config.update(spectra={"0": config["spectra"]["0"]}, classes=1))
    render_dataset(path, tmp_path / "single", SMALL)
    assert f"{path} has one class, and train_models.py needs two" in capsys.readouterr().err
    with pytest.raises(InputError, match="holds one class"):
        read_dataset(tmp_path / "single")


def test_another_seed_gives_other_spectra(class_file, tmp_path):
    one, two = (
        render_dataset(class_file[0], tmp_path / str(seed), SMALL._replace(seed=seed))
        for seed in (1, 2)
    )
    assert hashes(one)["x_train.npy"] != hashes(two)["x_train.npy"]
    assert hashes(one)["x_test.npy"] == hashes(two)["x_test.npy"]


def test_dataset_json_records_parameters_hashes_and_versions(dataset, class_file):
    card = json.loads((dataset / "dataset.json").read_text())
    assert card["class_file"] == {
        "name": "small.json",
        "sha256": hashlib.sha256(class_file[0].read_bytes()).hexdigest(),
    }
    assert card["variation"] == {
        "n_train": 6,
        "n_val": 2,
        "max_shift": 5,
        "max_height_change": 0.05,
        "kernel_range": [2, 5],
        "test_shift": 3,
        "test_height_change": 0.02,
        "wide_test_height_change": 0.2,
        "test_kernel": 2,
        "seed": 2022,
        "vary_highest": True,
        "wide_test": True,
    }
    assert card["versions"]["numpy"] == np.__version__
    assert card["versions"]["benchmark"] == VERSION
    assert len(card["files"]) == 8
    for name, entry in card["files"].items():
        content = (dataset / name).read_bytes()
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
        assert entry["bytes"] == len(content)
    command = "LC_ALL=C sha256sum *.npy | sha256sum"
    printed = subprocess.check_output(command, shell=True, cwd=dataset, text=True)
    assert printed.split()[0] == card["checksum"]
    names = [*card["files"], "dataset.json", ".lock"]
    assert sorted(path.name for path in dataset.iterdir()) == sorted(names)
    assert (card["datapoints"], card["classes"]) == (120, 4)
    config = json.loads(class_file[0].read_text())["spectra"].values()
    counts = [len(spectrum["peak_positions"]) for spectrum in config]
    assert card["peaks"]["total"] == sum(counts)
    assert card["peaks"]["per_class"] == {
        "min": min(counts),
        "mean": sum(counts) / 4,
        "max": max(counts),
    }
    assert list(card["overlap"]) == ["test", "test_wide"]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--n-train", 0], ["N_TRAIN", "0", "from 1 to"]),
        (["--n-val", -1], ["N_VAL", "-1"]),
        (["--n-train", 10**21], ["N_TRAIN", 10**21, "from 1 to"]),
        (["--workers", 257], ["WORKERS is 257", "from 1 to 256"]),
        (["--max-shift", 21], ["MAX_SHIFT", "21", "0 to 2"]),
        (["--test-shift", 30], ["TEST_SHIFT", "30", "0 to 2"]),
        (["--max-height-change", 1], ["MAX_HEIGHT_CHANGE", "1", "less than 1"]),
        (["--test-height-change", "nan"], ["TEST_HEIGHT_CHANGE", "nan"]),
        (["--kernel-range", 5, 2], ["KERNEL_RANGE", "smaller width first"]),
        (["--kernel-range", 5], ["--kernel-range", "2 arguments"]),
        (["--test-kernel", 0], ["TEST_KERNEL", "0.0", "0.1 to"]),
        (["--test-kernel", 1e19], ["TEST_KERNEL", "1e+19", "to 120"]),
        (["--kernel-range", 1e-300, 2], ["KERNEL_RANGE", "1e-300", "0.1 to 120"]),
        (["--seed", -3], ["SEED", "-3"]),
        (["--config", "absent.json"], ["absent.json", "does not exist"]),
    ],
)
def test_wrong_parameters_end_in_one_sentence(run, class_file, tmp_path, flags, words):
    config, _ = class_file
    flags = ["--config", config, "--max-shift", 5, "--test-shift", 5, *flags]
    process = run("spectra_from_config.py", "--output", tmp_path / "out", *flags)
    assert_one_sentence(process, 2, *words)
    assert not (tmp_path / "out").exists()


def test_reader_opens_what_was_rendered(dataset):
    read = read_dataset(dataset)
    assert (read.name, read.datapoints, read.classes) == ("small", 120, 4)
    assert list(read.splits) == ["train", "val", "test", "test_wide"]
    assert isinstance(read.splits["train"][0], np.memmap)


def test_reader_takes_own_arrays_and_own_test_splits(own_arrays):
    assert list(read_dataset(own_arrays).splits) == ["train", "val"]
    np.save(own_arrays / "x_test_mine.npy", np.ones((5, 30), np.float64))
    np.save(own_arrays / "y_test_mine.npy", np.zeros(5, np.int32))
    read = read_dataset(own_arrays)
    assert list(read.splits) == ["train", "val", "test_mine"]
    assert (read.classes, read.card) == (3, None)


@pytest.mark.parametrize("axis", "xy")
def test_a_test_split_that_lost_one_of_its_arrays_is_refused(own_arrays, axis):
    for name in "xy":
        np.save(own_arrays / f"{name}_test.npy", np.load(own_arrays / f"{name}_val.npy"))
    (own_arrays / f"{axis}_test.npy").unlink()
    with pytest.raises(InputError, match=f"{axis}_test.npy does not exist"):
        read_dataset(own_arrays)


def test_a_card_of_somebody_elses_may_be_deleted(own_arrays):
    (own_arrays / "dataset.json").write_text('{"source": "me"}')
    with pytest.raises(InputError, match=r"or delete dataset\.json if these arrays are your own"):
        read_dataset(own_arrays)


def test_a_linked_folder_has_the_name_of_the_link(own_arrays, tmp_path):
    (tmp_path / "mine").symlink_to(own_arrays)
    assert read_dataset(tmp_path / "mine").name == "mine"
    assert read_dataset(f"{tmp_path}/mine/").name == "mine"


def test_arrays_of_ones_own_are_not_rendered_over(run, class_file, own_arrays):
    before = {path: path.read_bytes() for path in own_arrays.iterdir()}
    flags = "--config", class_file[0], "--max-shift", 5, "--test-shift", 3
    process = run("spectra_from_config.py", *flags, "--output", own_arrays)
    assert_one_sentence(process, 2, own_arrays, "x_train.npy", "dataset.json", "OUTPUT")
    assert before == {path: path.read_bytes() for path in before}


def test_own_test_splits_keep_their_classes(run, class_file, dataset):
    for axis in "xy":
        np.save(dataset / f"{axis}_test_mine.npy", np.load(dataset / f"{axis}_test.npy"))
    render_dataset(class_file[0], dataset, SMALL._replace(seed=1))  # the same classes
    before = {path: path.read_bytes() for path in dataset.iterdir()}
    changed, write = class_file
    other = {"peak_positions": [40, 70], "peak_heights": [1.0, 0.5]}
    write(lambda config: config["spectra"]["0"].update(other))
    flags = "--config", changed, "--max-shift", 5, "--test-shift", 3, "--output", dataset
    process = run("spectra_from_config.py", *flags)
    assert_one_sentence(process, 2, dataset / "x_test_mine.npy", "labelled for other classes")
    assert before == {path: path.read_bytes() for path in before}


def test_the_command_that_lists_overlapping_classes_has_their_variation(run, class_file, tmp_path):
    path, write = class_file

    def twins(config):
        for label in "01":
            config["spectra"][label] |= {"peak_positions": [40, 70], "peak_heights": [1.0, 0.5]}

    write(twins)
    flags = "--max-shift", 5, "--test-shift", 3, "--output", tmp_path / "small"
    process = run("spectra_from_config.py", "--config", path, *flags)
    script, *found = shlex.split(process.stderr.partition("ambiguous; ")[2].partition(" lists")[0])
    assert found == ["--config", str(path), "--max-shift", "5", "--test-shift", "3"]
    listed = run(script, *found).stdout
    card = json.loads((tmp_path / "small/dataset.json").read_text())
    spectra = card["overlap"]["test"]["ambiguous_test_spectra"]
    assert spectra > 0
    assert f"{spectra} of 36 test spectra ambiguous" in listed


def test_the_command_lists_the_overlap_of_test_wide_where_test_has_none(run, class_file, tmp_path):
    path, write = class_file

    def nearly_twins(config):
        for label, height in zip("01", (0.5, 0.7), strict=True):
            peaks = {"peak_positions": [40, 70], "peak_heights": [1.0, height]}
            config["spectra"][label] |= peaks | {"test_variants": [[0, 0]]}

    write(nearly_twins)
    flags = "--max-shift", 5, "--test-shift", 3, "--wide-test", "--output", tmp_path / "small"
    process = run("spectra_from_config.py", "--config", path, *flags)
    script, *found = shlex.split(process.stderr.partition("ambiguous; ")[2].partition(" lists")[0])
    assert "lists those of test_wide" in process.stderr
    assert found[-3:] == ["3", "--test-height-change", "0.2"]
    card = json.loads((tmp_path / "small/dataset.json").read_text())
    assert card["overlap"]["test"]["pairs"] == 0
    spectra = card["overlap"]["test_wide"]["ambiguous_test_spectra"]
    assert spectra > 0
    assert f"at least {spectra} spectra of test_wide are ambiguous" in process.stderr
    assert f"{spectra} of 36 test spectra ambiguous" in run(script, *found).stdout


def archive(path):
    with open(path, "wb") as file:
        np.savez(file, x=np.ones((10, 30)))


def cut(folder, name):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-4])


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: cut(f, "x_train.npy"), ["x_train.npy", "truncated"]),
        (lambda f: (f / "y_val.npy").write_bytes(b""), ["y_val.npy", "truncated"]),
        (lambda f: (f / "x_val.npy").unlink(), ["x_val.npy", "does not exist"]),
        (lambda f: archive(f / "x_val.npy"), ["x_val.npy", "archive", "one array"]),
        (lambda f: np.save(f / "x_val.npy", np.ones((10, 31))), ["31", "30", "x_train.npy"]),
        (lambda f: np.save(f / "x_val.npy", np.ones((9, 30))), ["9 spectra", "10"]),
        (lambda f: np.save(f / "x_val.npy", np.ones(10)), ["x_val.npy", "(10,)", "datapoints"]),
        (lambda f: np.save(f / "x_val.npy", np.array([["a"] * 30] * 10)), ["x_val.npy", "<U1"]),
        (lambda f: np.save(f / "y_val.npy", np.ones(10)), ["y_val.npy", "float64", "integers"]),
        (lambda f: np.save(f / "y_val.npy", np.full(10, 3)), ["y_val.npy", "label 3", "0 to 2"]),
        (lambda f: np.save(f / "y_val.npy", np.full(10, -1)), ["y_val.npy", "label -1"]),
        (lambda f: np.save(f / "x_test.npy", np.ones((1, 30))), ["y_test.npy", "does not exist"]),
    ],
)
def test_reader_refuses_arrays_that_do_not_fit(own_arrays, damage, words):
    damage(own_arrays)
    with pytest.raises(InputError) as error:
        read_dataset(own_arrays)
    for word in words:
        assert word in str(error.value)


def test_reader_refuses_folders_that_do_not_fit_dataset_json(dataset, tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_dataset(tmp_path / "absent")
    card = (dataset / "dataset.json").read_text()
    (dataset / "dataset.json").write_text(card[:100])
    with pytest.raises(InputError, match=r"dataset\.json"):
        read_dataset(dataset)
    for field in '"sha256"', '"class_file"', '"variation"':
        (dataset / "dataset.json").write_text(card.replace(field, '"other"'))
        with pytest.raises(InputError, match="is not what spectra_from_config"):
            read_dataset(dataset)
    (dataset / "dataset.json").write_text('{"complete": false}')
    with pytest.raises(InputError, match="unfinished"):
        read_dataset(dataset)
    (dataset / "dataset.json").write_text(card)
    np.save(dataset / "x_val.npy", np.ones((7, 120), np.float32))
    with pytest.raises(
        InputError, match=r"x_val\.npy has 3488 bytes, but dataset\.json records 3968"
    ):
        read_dataset(dataset)


def test_labels_that_are_no_class_indices_are_refused_with_what_makes_them(own_arrays):
    labels = np.load(own_arrays / "y_train.npy")
    names = np.array(["calcite", "quartz"])
    one_hot = np.eye(2)[labels % 2]
    advice = {
        r"numpy\.argmax\(labels, axis=1\)": one_hot,
        r"numpy\.searchsorted\(names, labels\)": names[labels % 2],
        "as integers$": labels.astype(float),
    }
    assert (np.argmax(one_hot, axis=1) == labels % 2).all()
    assert (np.searchsorted(names, names[labels % 2]) == labels % 2).all()
    for words, wrong in advice.items():
        np.save(own_arrays / "y_train.npy", wrong)
        with pytest.raises(InputError, match=rf"accepted: class indices .*{words}"):
            read_dataset(own_arrays)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([1, 2, 3], ["class 0 has no training spectrum", "from 0 to 2"]),
        ([0, 2, 2], ["class 1 has no training spectrum", "from 0 to 1"]),
        ([40012, 7, 10**8], ["3 different labels up to 100000000", "class 0 has no training"]),
        ([0, 0, 0], ["one class", "two or more"]),
        ([-1, 0, 1], ["label -1", "from 0 on"]),
    ],
)
def test_labels_that_do_not_fill_0_to_k_are_refused(own_arrays, labels, words):
    for split, spectra in ("train", 40), ("val", 10):
        np.save(own_arrays / f"y_{split}.npy", np.resize(labels, spectra))
    with pytest.raises(InputError, match=r"y_train\.npy") as error:
        read_dataset(own_arrays)
    for word in words:
        assert word in str(error.value)


def test_a_class_without_training_spectra_is_refused_in_every_split(own_arrays):
    np.save(own_arrays / "x_test_mine.npy", np.ones((2, 30)))
    np.save(own_arrays / "y_test_mine.npy", np.array([0, 3]))
    with pytest.raises(InputError, match=r"y_test_mine\.npy holds the label 3, accepted: 0 to 2"):
        read_dataset(own_arrays)


def test_spectra_with_a_channel_axis_are_taken_without_it(own_arrays):
    plain = read_dataset(own_arrays).splits["train"][0].copy()
    for split in "train", "val":
        x = np.load(own_arrays / f"x_{split}.npy")
        np.save(own_arrays / f"x_{split}.npy", x[:, :, None])
    np.testing.assert_array_equal(read_dataset(own_arrays).splits["train"][0], plain)


def test_a_split_without_spectra_is_refused_with_the_reason(own_arrays):
    np.save(own_arrays / "x_val.npy", np.zeros((0, 30)))
    np.save(own_arrays / "y_val.npy", np.zeros(0, int))
    accepted = r"accepted: real numbers \(spectra, datapoints\), one or more of both"
    with pytest.raises(InputError, match=rf"x_val\.npy has shape \(0, 30\) .*{accepted}"):
        read_dataset(own_arrays)


def test_the_papers_dataset_has_its_checksum(run, tmp_path):
    process = run("spectra_from_config.py", "--output", tmp_path / "data", cwd=PROJECT)
    assert process.returncode == 0, process.stderr
    assert process.stdout.split()[-1] == PAPER_CHECKSUM
    assert PAPER_CHECKSUM in (PROJECT / "README.md").read_text()


PAPER_CHECKSUM = "375226f911fba0bfb18c11b5ed4145ba9e190147bae43a4abae6cd7f50394bbf"


def test_another_dataset_is_not_rendered_over_the_default_folder(run, class_file, tmp_path):
    flags = "--config", class_file[0], "--max-shift", 5, "--test-shift", 3
    assert run("spectra_from_config.py", *flags, cwd=tmp_path).returncode == 0
    before = (tmp_path / "datasets/small/dataset.json").read_bytes()
    process = run("spectra_from_config.py", *flags, "--seed", 7, cwd=tmp_path)
    assert_one_sentence(process, 2, "datasets/small", "SEED 2022, not 7", "OUTPUT")
    process = run("spectra_from_config.py", *flags, "--kernel-range", 2, 4, cwd=tmp_path)
    assert_one_sentence(process, 2, "KERNEL_RANGE (2, 5), not (2.0, 4.0)")
    class_file[1](
        lambda config: config["spectra"]["0"].update(
            peak_heights=[1.0, 0.9, 0.8][: len(config["spectra"]["0"]["peak_positions"])]
        )
    )
    process = run("spectra_from_config.py", *flags, cwd=tmp_path)
    assert_one_sentence(process, 2, "datasets/small", "other classes", "OUTPUT")
    assert (tmp_path / "datasets/small/dataset.json").read_bytes() == before
    output = "--output", "datasets/small"  # asked for, it is replaced
    assert run("spectra_from_config.py", *flags, *output, cwd=tmp_path).returncode == 0
    assert run("spectra_from_config.py", *flags, cwd=tmp_path).returncode == 0  # the same again
    card = json.loads((tmp_path / "datasets/small/dataset.json").read_text())
    del card["class_file"]
    (tmp_path / "datasets/small/dataset.json").write_text(json.dumps(card))
    process = run("spectra_from_config.py", *flags, cwd=tmp_path)
    assert_one_sentence(process, 2, "dataset.json", "class_file is missing")


def test_other_spectra_of_the_same_parameters_are_told(class_file, tmp_path, monkeypatch, capsys):
    render_dataset(class_file[0], tmp_path / "data", SMALL)
    before = json.loads((tmp_path / "data/dataset.json").read_text())["checksum"]
    render_dataset(class_file[0], tmp_path / "data", SMALL)
    assert "warning" not in capsys.readouterr().err

    def render_otherwise(*arguments):
        return render(*arguments) / 2

    monkeypatch.setattr(spectra_from_config, "render", render_otherwise)
    render_dataset(class_file[0], tmp_path / "data", SMALL)
    told = capsys.readouterr().err
    assert f"held other spectra of the same parameters, with the checksum {before}" in told
    render_dataset(class_file[0], tmp_path / "data", SMALL._replace(seed=3))  # asked for
    assert "held other" not in capsys.readouterr().err
    card = json.loads((tmp_path / "data/dataset.json").read_text())
    del card["checksum"]
    (tmp_path / "data/dataset.json").write_text(json.dumps(card))
    render_dataset(class_file[0], tmp_path / "data", SMALL._replace(seed=3))
    assert "held other" not in capsys.readouterr().err  # nobody can tell


def own_array_in(dataset, name):
    """Put an array of the same size there, which is older than dataset.json, as cp -p does."""
    x = np.load(dataset / name)
    np.save(dataset / name, x[::-1])
    os.utime(dataset / name, (0, 0))


@pytest.mark.parametrize("name", ["x_train.npy", "y_val.npy"])
def test_an_array_put_into_a_rendered_folder_is_not_rendered_over(class_file, dataset, name):
    own_array_in(dataset, name)
    before = (dataset / name).read_bytes()
    with pytest.raises(InputError, match=f"{name} is not replaced, as it is not what dataset"):
        render_dataset(class_file[0], dataset, SMALL)
    assert (dataset / name).read_bytes() == before


def test_an_array_of_ones_own_is_not_removed_as_an_outdated_split(class_file, dataset):
    before = np.load(dataset / "x_test_wide.npy")
    render_dataset(class_file[0], dataset, SMALL._replace(wide_test=False))
    assert not (dataset / "x_test_wide.npy").exists()
    np.save(dataset / "x_test_wide.npy", before)  # which dataset.json knows no longer
    with pytest.raises(InputError, match=r"x_test_wide\.npy is not replaced, as it is not what"):
        render_dataset(class_file[0], dataset, SMALL._replace(wide_test=False))
    np.testing.assert_array_equal(np.load(dataset / "x_test_wide.npy"), before)


@pytest.mark.parametrize(
    "card", ['{"name": "of another program"}', "[1]", '{"complete": true, "files": {}}', "{"]
)
def test_arrays_beside_a_foreign_dataset_json_are_not_rendered_over(class_file, own_arrays, card):
    (own_arrays / "dataset.json").write_text(card)
    before = {path: path.read_bytes() for path in own_arrays.iterdir()}
    with pytest.raises(InputError, match=r"x_train\.npy is not replaced"):
        render_dataset(class_file[0], own_arrays, SMALL)
    for path, content in before.items():
        assert path.read_bytes() == content


def test_other_files_in_the_folder_stay(class_file, dataset):
    names = "backup.npy.tmp", "x_test_mine.npy", ".notes.tmp"
    for name in names:
        (dataset / name).write_text("mine")
    render_dataset(class_file[0], dataset, SMALL)
    assert [(dataset / name).read_text() for name in names] == ["mine"] * 3


OUT_OF_RANGE = "1e400", "-1", "NaN", '"2"', "true", "[2]", "1" + 400 * "0"


@pytest.mark.parametrize("value", OUT_OF_RANGE)
@pytest.mark.parametrize("field", ["bytes", "max_height_change", "kernel_range"])
def test_numbers_out_of_range_in_dataset_json_end_in_one_sentence(run, dataset, field, value):
    text = (dataset / "dataset.json").read_text()
    text, found = re.subn(rf'"{field}": (\[[^]]*\]|[^,\n]*)', f'"{field}": {value}', text, count=1)
    assert found
    (dataset / "dataset.json").write_text(text)
    for script in "train_models.py", "baselines.py":
        assert_one_sentence(run(script, "--dataset", dataset), 2, "dataset.json", field)


def peak_memory(code):
    """Return the largest memory, in bytes, of a process that runs code, and of its children.

    A process's own ru_maxrss also counts the memory of the process that started it.
    """
    script = f"""
import re, resource, sys
sys.path[:0] = [{str(PROJECT)!r}, {str(PROJECT / "tests")!r}]
{code}
own = int(re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1])
print(max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) * 1024)
"""
    command = [sys.executable, "-c", script]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@needs_linux
def test_memory_does_not_grow_with_the_spectra_of_a_class(class_file, tmp_path):
    def rendering(spectra):
        return peak_memory(f"""
from conftest import variation
from spectra_from_config import render_dataset
small = variation(n_train={spectra}, max_shift=5, test_shift=3)
render_dataset({str(class_file[0])!r}, {str(tmp_path / "data")!r}, small, workers=2)
""")

    few, many = rendering(1000), rendering(100_000)  # 2 MB and 192 MB of spectra
    assert many < few + 40e6


@needs_linux
def test_a_class_file_that_promises_a_billion_classes_costs_no_memory(tmp_path):
    path = tmp_path / "many.json"
    path.write_text('{"datapoints": 10, "classes": 1000000000, "spectra": {"0": 1}}')
    code = f"""
from benchmark.class_file import read_class_file
from benchmark.command_line import InputError
try:
    read_class_file({str(path)!r})
except InputError as error:
    assert "1000000000 classes" in str(error)
"""
    assert peak_memory(code) < 100e6


@needs_linux
def test_many_classes_of_many_peaks_are_compared_in_little_memory(tmp_path):
    code = """
from benchmark.class_file import ClassFile
from benchmark.overlap import Limits, find_overlaps
from benchmark.variants import nine_variants
from dataset_config_generator import draw_classes
import numpy as np
rng = np.random.default_rng(0)
positions = [np.sort(rng.integers(100, 4900, 300)) for _ in range(60)]
heights = [np.append(rng.random(299), 1) for _ in range(60)]
limits = Limits(50, 0.05, [nine_variants(25, 0.02)] * 60)
assert find_overlaps(ClassFile(5000, positions, heights, "", {}), limits) == []
"""
    assert peak_memory(code) < 400e6


def with_variants(config):
    config["spectra"]["1"]["test_variants"] = [[0, 0], [-4, 0.1]]
    config["spectra"]["3"]["test_variants"] = [[2, -0.3]]


def test_classes_may_have_test_variants_of_their_own(class_file, tmp_path):
    path, write = class_file
    write(with_variants)
    card = render_dataset(path, tmp_path / "own", SMALL._replace(wide_test=None))
    assert card["splits"] == ["train", "val", "test"]
    assert card["variation"]["wide_test"] is False
    x, y = (np.load(tmp_path / "own" / f"{axis}_test.npy") for axis in "xy")
    assert y.tolist() == [0] * 9 + [1] * 2 + [2] * 9 + [3]
    nine = [(shift, change) for change in (0, 0.02, -0.02) for shift in (0, -3, 3)]
    own = {1: [(0, 0), (-4, 0.1)], 3: [(2, -0.3)]}
    row = 0
    for label, spectrum in enumerate(json.loads(path.read_text())["spectra"].values()):
        for shift, change in own.get(label, nine):
            heights = [h if h == 1 else max(h + change, 0) for h in spectrum["peak_heights"]]
            positions = np.array(spectrum["peak_positions"]) + shift
            expected = smoothed_sticks(positions, heights, 2, 120)
            np.testing.assert_allclose(x[row], expected, rtol=0, atol=1e-6)
            row += 1
    assert row == len(x)


def test_the_wide_test_split_is_rendered_where_it_is_asked_for(run, class_file, tmp_path):
    path, write = class_file
    flags = "--config", path, "--max-shift", 5, "--test-shift", 3, "--output", tmp_path / "d"
    assert "test_wide" in run("spectra_from_config.py", *flags).stdout
    assert "test_wide" not in run("spectra_from_config.py", *flags, "--no-wide-test").stdout
    write(with_variants)
    assert "test_wide" not in run("spectra_from_config.py", *flags).stdout
    process = run("spectra_from_config.py", *flags, "--wide-test")
    assert re.search(r"^test  +21 spectra\ntest_wide +36 spectra$", process.stdout, re.MULTILINE)


def test_the_highest_peak_keeps_its_height_where_it_is_told_to():
    positions, heights = np.array([200, 300, 400]), np.array([0.5, 1, 1])
    varied = vary_at_random(positions, heights, 0, range(50), 0, PAPER)
    kept = vary_at_random(positions, heights, 0, range(50), 0, PAPER._replace(vary_highest=False))
    np.testing.assert_array_equal(kept[0], varied[0])
    np.testing.assert_array_equal(kept[2], varied[2])
    np.testing.assert_array_equal(kept[1][:, 0], varied[1][:, 0])
    assert (kept[1][:, 1:] == 1).all()
    assert (varied[1][:, 1:] != 1).all()


def test_any_range_of_a_class_s_spectra_is_drawn_as_in_one_go():
    arguments = np.array([200, 300]), np.array([0.5, 1]), 3
    whole = vary_at_random(*arguments, range(40), 1, PAPER)
    part = vary_at_random(*arguments, range(7, 29), 1, PAPER)
    for a, b in zip(whole, part, strict=True):
        np.testing.assert_array_equal(a[7:29], b)


def test_limits_of_the_variation_are_where_the_messages_say(class_file):
    path, write = class_file
    spectrum = {"peak_positions": [20, 112], "peak_heights": [1, 0.5]}
    write(lambda config: config.update(spectra={"0": spectrum}, classes=1, boundary=0))
    classes = read_class_file(path)  # 7 datapoints of 120 are right of the last peak
    most = SMALL._replace(max_shift=7, kernel_range=(0.1, 120), seed=2**63 - 1)
    check_variation(classes, path, most)
    for changes, words in (
        ({"max_shift": 8}, "MAX_SHIFT is 8, accepted: 0 to 7"),
        ({"kernel_range": (0.09, 5)}, "KERNEL_RANGE is 0.09 5, accepted: 0.1 to 120"),
        ({"kernel_range": (2, 121)}, "KERNEL_RANGE is 2 121, accepted: 0.1 to 120"),
        ({"seed": 2**63}, f"SEED is {2**63}, accepted: 0 or more, below 2 to the power 63"),
    ):
        with pytest.raises(InputError, match=words):
            check_variation(classes, path, SMALL._replace(**changes))


def test_statistics_of_peaks_are_those_of_the_class_file(class_file):
    classes = read_class_file(class_file[0])
    positions, heights = np.concatenate(classes.positions), np.concatenate(classes.heights)
    found = peak_statistics(classes)
    assert found["position"] == {"min": positions.min(), "max": positions.max()}
    mean = pytest.approx(heights.mean(), abs=1e-6)
    assert found["height"] == {"min": heights.min(), "mean": mean, "max": 1}


@pytest.mark.parametrize(
    "change",
    [
        {"test_kernel": 0},
        {"max_shift": 2.5},
        {"test_shift": 2.5},
        {"seed": 1.5},
        {"seed": 2**63},
        {"max_height_change": 3},
        {"n_train": 0},
        {"n_train": 7},  # which the file does not hold
        {"n_val": 1},
    ],
)
def test_a_damaged_variation_is_refused_by_its_field(dataset, change):
    path = dataset / "dataset.json"
    card = json.loads(path.read_text())
    card["variation"] |= change
    path.write_text(json.dumps(card))
    ((name, value),) = change.items()
    with pytest.raises(InputError, match=f"dataset.json is not .*{name} is {value}"):
        read_dataset(dataset)


def test_a_recorded_variation_is_one_that_can_be_rendered():
    recorded = json.loads(json.dumps(record_of_variation(SMALL._replace(seed=2**63 - 1))))
    assert list(faults_of_variation(recorded)) == []
    for name, value in (
        *(("kernel_range", widths) for widths in ([2], [2, 3, 4], [2, None], [2, 0.05])),
        *(("vary_highest", 1), ("wide_test", None), ("test_kernel", 0.05), ("seed", -1)),
        ("test_height_change", 1),
    ):
        assert list(faults_of_variation(recorded | {name: value})) == [f"{name} is {value}"]


def test_variations_differ_in_their_own_fields_and_in_single_artefacts():
    other = SMALL._replace(max_shift=4, artefacts=Artefacts(noise=(0, 0.1)))
    assert list(differences(SMALL, other)) == [("max_shift", 5, 4), ("noise", (0, 0), (0, 0.1))]
    assert list(differences(other, other)) == []
    assert list(differences(SMALL, SMALL._replace(artefacts=Artefacts()))) == []


def test_values_are_told_as_flags_take_them():
    values = {"min_delta": 0.000123456, "kernel_range": (2.0, 5), "epochs": 500, "wide_test": None}
    told = "MIN_DELTA 0.000123456, KERNEL_RANGE 2 5, EPOCHS 500, WIDE_TEST None"
    assert constants_text(values) == told


def test_a_recorded_variation_has_to_suit_the_class_file(dataset, class_file):
    record = read_dataset(dataset).card
    record["variation"]["test_shift"] = 80
    with pytest.raises(InputError, match="TEST_SHIFT is 80, accepted: 0 to"):
        read_classes(record, class_file[0])


def test_every_flag_of_the_overlap_is_in_its_command():
    flags = ["--config", "c.json", "--max-shift", "5", "--max-height-change", "0.1"]
    flags += ["--test-shift", "3", "--test-height-change", "0.03", "--no-vary-highest"]
    settings = parse_flags(spectra_from_config, flags)
    _, *found = spectra_from_config.command_of_overlap(settings, "test").split()
    assert sorted(found) == sorted(flags)


@pytest.mark.parametrize(
    ("edited", "flags"),
    [
        ({"VARY_HIGHEST": False}, ["--vary-highest"]),
        ({"VARY_HIGHEST": False}, []),
        ({"MAX_SHIFT": 10, "TEST_HEIGHT_CHANGE": 0.1}, ["--max-shift", "50"]),
        ({"MAX_HEIGHT_CHANGE": 0.1, "TEST_SHIFT": 5}, ["--test-shift", "25", "--no-vary-highest"]),
    ],
)
def test_the_command_of_the_overlap_is_right_with_edited_constants(monkeypatch, edited, flags):
    for name, value in edited.items():
        monkeypatch.setattr(spectra_from_config, name, value)
    settings = parse_flags(spectra_from_config, flags)
    _, *command = spectra_from_config.command_of_overlap(settings, "test").split()
    asked = vars(parse_flags(class_overlap, command))
    for name in class_overlap.VARIED:
        assert asked[name] == getattr(settings, name)
