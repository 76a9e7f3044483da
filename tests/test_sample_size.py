"""Sample-size studies: nested training sets, equally many steps, honest curves, runs taken up."""

import csv
import json
import math
import shutil
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
from conftest import PROJECT
from conftest import SMALL as SMALL_DATASET
from scipy.optimize import least_squares
from test_figures import styles_of

import baselines
import sample_size
import train_models
from benchmark.artefacts import Artefacts
from benchmark.class_file import read_class_file
from benchmark.command_line import InputError, flags_of, parse_flags
from benchmark.dataset_folder import read_dataset
from benchmark.run_folder import Count, read_run
from benchmark.run_sharing import run_lock
from benchmark.sample_size_figure import draw
from benchmark.sample_sizes import (
    Curve,
    Fit,
    Point,
    curves_csv,
    curves_of,
    enough_text,
    errors_table,
    fit_power_law,
    origin_text,
    points_of,
    power_law,
    report,
    size_for,
    table_csv,
)
from benchmark.variation import variation_of
from spectra_from_config import render_dataset
from train_models import order_of_spectra

SIZES = (2, 5, 10, 20, 50, 100, 200)
SMALL = ("--n-val", 2, "--max-shift", 5, "--test-shift", 3, "--n-train", 3, 1)
QUICK = (*SMALL, "--models", "vgg", "--seeds", 0, "--epochs", 2, "--batch-size", 4)


def settings_of(*flags):
    return parse_flags(sample_size, list(map(str, flags)))


def study(class_file, folder, *flags):
    """Return the flags of a small study whose folders lie below `folder`."""
    folders = "--datasets", folder / "d", "--results", folder / "r"
    return ["--config", class_file, *folders, *QUICK, *flags]


def point(n, *misclassified, network="vgg", learns="network", class_file="few", split="test"):
    return Point(class_file, network, learns, n, split, 100, misclassified, 9.0, 1.0)


def test_training_sets_are_nested_and_other_splits_the_same(class_file, tmp_path):
    settings = settings_of(*study(class_file[0], tmp_path))
    sets = sample_size.training_sets(settings)
    assert [chosen.variation.n_train for chosen in sets] == [1, 3]
    assert [chosen.protocol.passes for chosen in sets] == [3, 1]
    sample_size.render_missing(sets, settings)
    few, many = (read_dataset(chosen.dataset) for chosen in sets)
    for label in range(4):
        spectra = [
            np.array(d.splits["train"][0][d.splits["train"][1] == label]) for d in (few, many)
        ]
        assert [len(x) for x in spectra] == [1, 3]
        assert spectra[0].tobytes() == spectra[1][:1].tobytes()
        assert spectra[1][0].tobytes() != spectra[1][1].tobytes()
    for name, entry in few.card["files"].items():
        if "train" not in name:
            assert entry["sha256"] == many.card["files"][name]["sha256"]


@pytest.mark.parametrize("classes", [100, 500])
def test_every_epoch_has_as_many_steps_as_one_of_the_largest_set(classes):
    steps = {math.ceil(sample_size.passes_of(n, 200) * n * classes / 128) for n in SIZES}
    assert len(steps) == 1


@pytest.mark.parametrize(("number", "passes"), [(20, 1), (14, 1), (9, 2), (7, 3), (1, 20)])
def test_passes_are_rounded_to_the_nearest_whole_number(number, passes):
    assert sample_size.passes_of(number, 20) == passes


def test_epochs_of_numbers_that_do_not_divide_the_largest_differ_by_a_third_at_most():
    shares = [sample_size.passes_of(n, 200) * n / 200 for n in range(1, 201)]
    assert 2 / 3 <= min(shares) < 0.7
    assert 1.2 < max(shares) <= 4 / 3
    assert "up to a third more steps or fewer" in sample_size.__doc__


def test_an_epoch_of_several_passes_shows_each_spectrum_that_often():
    for epoch in range(3):
        order = order_of_spectra(0, epoch, spectra=10, passes=4)
        passes = order.reshape(4, 10)
        assert (np.sort(passes) == np.arange(10)).all()
        assert len({tuple(one) for one in passes}) == 4
        second = order_of_spectra(0, epoch=4 * epoch + 1, spectra=10, passes=1)
        np.testing.assert_array_equal(passes[1], second)


def test_flags_of_rendering_and_training_are_passed_on(class_file, tmp_path):
    flags = study(class_file[0], tmp_path, "--kernel-range", 1, 2, "--learning-rate", 0.01)
    settings = settings_of(*flags, "--n-train", 6, "--threads", 1, "--worker", 2)
    few, _, many = sample_size.training_sets(settings)
    assert (few.variation.kernel_range, few.variation.max_shift) == ((1, 2), 5)
    assert (few.protocol.learning_rate, few.protocol.batch_size) == (0.01, 4)
    assert (few.protocol.passes, many.protocol.passes) == (6, 1)
    assert few.protocol.stop_patience == many.protocol.stop_patience == train_models.STOP_PATIENCE
    training = sample_size.training_settings(settings)
    assert (training.threads, training.worker, training.workers) == (1, 2, 1)
    assert parse_flags(sample_size, flags_of(sample_size, settings)) == settings  # for workers


def test_flags_that_this_script_decides_itself_are_refused(capsys):
    for flag in "--passes", "--dataset", "--output", "--compare":
        with pytest.raises(SystemExit):
            settings_of(flag, "2")
        assert f"unrecognized arguments: {flag}" in capsys.readouterr().err


def test_a_study_is_trained_once_and_says_what_is_finished(run, class_file, tmp_path, capsys):
    flags = study(class_file[0], tmp_path)
    process = run("sample_size.py", *flags)
    assert (process.returncode, process.stderr) == (0, "")
    results = tmp_path / "r"
    tables = {
        path: path.read_bytes() for path in [*results.glob("[ct]*"), *results.glob("*/*.png")]
    }
    assert sorted(path.name for path in tables) == [
        *("curves.csv", "sample_size.png", "table.csv", "table.md")
    ]
    for n, passes in (1, 3), (3, 1):
        trained = read_run(results / f"small-n{n}" / "vgg-seed0")
        assert (trained.protocol.passes, trained.epochs) == (passes, 2)
        assert (results / f"small-n{n}" / "minirocket" / "baseline.json").exists()
    text = (results / "table.md").read_text()
    assert process.stdout.endswith(text)
    sha256 = read_class_file(class_file[0]).sha256
    constants = (
        "N_VAL 2, MAX_SHIFT 5, MAX_HEIGHT_CHANGE 0.05, KERNEL_RANGE 2 5, TEST_SHIFT 3, "
        "TEST_HEIGHT_CHANGE 0.02, WIDE_TEST_HEIGHT_CHANGE 0.2, TEST_KERNEL 2, SEED 2022, "
        "VARY_HIGHEST True, WIDE_TEST True"
    )
    assert f"Rendered from small.json (SHA-256 {sha256[:16]}…) with {constants}.\n" in text

    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("[dr]/*/*")}
    assert sample_size.main(settings_of(*flags)) == 0  # with nothing left to train
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.glob("[dr]/*/*")} | {
        path: before[path] for path in before if path.parent.name == "figures"
    }
    for path, content in tables.items():
        assert path.read_bytes() == content, path

    for axis in "xy":  # a further test split, which is not this script's
        for folder in (tmp_path / "d").iterdir():
            shutil.copy(folder / f"{axis}_val.npy", folder / f"{axis}_test_mine.npy")
    for task in range(4):
        assert sample_size.main(settings_of(*flags, "--task", task)) in (0, None)
    with pytest.raises(InputError, match="TASK is 4, accepted: 0 to 3"):
        sample_size.main(settings_of(*flags, "--task", 4))
    with pytest.raises(InputError, match=r"trained with LEARNING_RATE 0\.0003, not 0\.1"):
        sample_size.main(settings_of(*flags, "--learning-rate", 0.1))
    with pytest.raises(InputError, match=r"small-n1 holds spectra .* vary otherwise"):
        sample_size.main(settings_of(*flags, "--max-height-change", 0.1))
    with pytest.raises(InputError, match=r"small-n1 holds spectra .* vary otherwise"):
        sample_size.main(settings_of(*flags, "--max-height-change", 0.1, "--status"))
    capsys.readouterr()
    fewer = settings_of(*flags)
    fewer.n_train = (3,)
    sample_size.write_tables(fewer, sample_size.training_sets(fewer))
    told = (
        "warning: not in the tables, as CONFIG, N_TRAIN, MODELS, SEEDS and METHODS do not name "
        f"them: 2 finished runs, the first of them {results}/small-n1/minirocket\n"
    )
    assert capsys.readouterr().err == told
    sample_size.write_tables(settings_of(*flags), sample_size.training_sets(settings_of(*flags)))

    (results / "small-n3" / "vgg-seed0" / "run.json").unlink()
    capsys.readouterr()
    sample_size.main(settings_of(*flags, "--status"))
    states = [line.split()[:3] for line in capsys.readouterr().out.splitlines()]
    assert [(number, state) for number, _, state in states] == [
        *(("0", "finished"), ("1", "finished"), ("2", "waiting"), ("3", "finished"))
    ]
    sample_size.write_tables(settings := settings_of(*flags), sample_size.training_sets(settings))
    assert "vgg seed 0" in capsys.readouterr().err


def test_a_dataset_that_varies_otherwise_than_the_study_is_told(class_file, tmp_path, capsys):
    def warning(*flags):
        capsys.readouterr()
        sample_size.main(settings_of(*study(class_file[0], tmp_path), "--status", *flags))
        return capsys.readouterr().err

    assert warning() == ""  # nothing was rendered
    folder = tmp_path / "d" / "small"
    render_dataset(class_file[0], folder, SMALL_DATASET._replace(seed=1, wide_test=False))
    assert warning() == ""  # of how many and which spectra they are does not matter
    told = f"warning: this is not about the spectra in {folder}, which were rendered from the same "
    assert warning("--max-shift", 8, "--test-kernel", 2.5) == (
        f"{told}class file with MAX_SHIFT 5, not 8; TEST_KERNEL 2, not 2.5\n"
    )
    noisy = SMALL_DATASET._replace(artefacts=Artefacts(noise=(0, 0.02)))
    shutil.rmtree(folder)
    render_dataset(class_file[0], folder, noisy)
    assert warning() == f"{told}class file with NOISE 0 0.02, not 0 0\n"
    assert warning("--worker", 0) == ""  # the process that starts the workers has told
    class_file[1](lambda config: config.update(unit="nm"))
    assert warning() == ""  # of another class file


STUDIES = sorted((PROJECT / "results" / "sample_size").glob("*/table.csv"))


@pytest.mark.parametrize("path", STUDIES, ids=[path.parent.name for path in STUDIES])
def test_shipped_tables_are_what_the_report_makes_of_their_numbers(path):
    points, origins = [], {}
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            names = row["class_file"], row["network"], "network" if row["seeds"] else "method"
            wrong = tuple(map(float, row["misclassified"].split()))
            sizes = int(row["train_per_class"]), row["split"], int(row["spectra"])
            points.append(Point(*names, *sizes, wrong, None, float(row["minutes"])))
    for name in {point.class_file for point in points}:
        record = read_run(next(path.parent.glob(f"{name}-n*/vgg-seed0"))).dataset
        sha256, variation = record.class_file["sha256"], variation_of(record._asdict())
        origins[name] = origin_text(f"{name}.json", sha256, variation)
    text = report(points, curves_of(points, 0.99), "test", 0.99, origins)
    assert path.with_name("table.md").read_text() == text


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--n-train", 0), "N_TRAIN is 0"),
        (("--n-train", 3), "N_TRAIN is 3 1 3, accepted: each once"),
        (("--target", 1), "TARGET is 1.0"),
        (("--methods", "rocket"), "METHODS is rocket, accepted: .*minirocket, or none"),
        (("--methods", "cosine"), "METHODS is cosine, accepted: nearest"),
        (("--methods", "minirocket", "minirocket"), "METHODS is .*, accepted: each once"),
        (("--seeds", 0), "SEEDS is 0 0, accepted: each once"),
        (("--models", "vgg"), "MODELS is vgg vgg, accepted: each once"),
        (("--models", "cnn9"), "cnn9"),
        (("--workers", 0), "WORKERS is 0"),
        (("--max-shift", 90), "MAX_SHIFT is 90"),
        (("--config", "other/small.json"), "CONFIG is .*small.json, accepted: .*different names"),
    ],
)
def test_bad_settings_are_named_before_anything_is_rendered(class_file, tmp_path, flags, words):
    with pytest.raises(InputError, match=words):
        sample_size.main(settings_of(*study(class_file[0], tmp_path), *flags))
    assert not (tmp_path / "d").exists()


def test_a_split_that_is_not_there_is_refused_before_training(class_file, tmp_path):
    with pytest.raises(
        InputError,
        match=r"SPLIT is tes, accepted: val, test, test_wide \(the splits of .*small-n1\)",
    ):
        sample_size.main(settings_of(*study(class_file[0], tmp_path), "--split", "tes"))
    assert not list(tmp_path.glob("r/*/*"))


def test_a_split_has_to_be_there_for_every_class_file(class_file, tmp_path):
    path, write = class_file
    other = shutil.copy(path, tmp_path / "other.json")
    write(lambda config: config["spectra"]["1"].update(test_variants=[[0, 0]]))
    flags = *study(other, tmp_path, "--split", "test_wide"), "--config", path
    with pytest.raises(InputError, match=r"test_wide, accepted: val, test \(.*small-n1\)"):
        sample_size.main(settings_of(*flags))
    assert not list(tmp_path.glob("r/*/*"))


def test_another_kind_of_dataset_in_the_place_of_a_training_set_is_refused(class_file, tmp_path):
    settings = settings_of(*study(class_file[0], tmp_path))
    sets = sample_size.training_sets(settings)
    sample_size.render_missing(sets, settings)
    path = sets[0].dataset / "dataset.json"
    card = json.loads(path.read_text())
    del card["class_file"], card["variation"]
    rows = {"train": [{"class": "a", "sample": "b", "file": "c"}] * 4}
    card |= {"measured": {"parameters": {}, "rows": rows}, "range": [0, 1], "unit": None}
    path.write_text(json.dumps(card))
    with pytest.raises(InputError, match="small-n1 holds spectra of other classes"):
        sample_size.is_rendered(sets[0])


def test_a_damaged_record_of_a_baseline_is_judged_again(class_file, tmp_path):
    settings = settings_of(*study(class_file[0], tmp_path), "--methods", "nearest_spectrum")
    sets = sample_size.training_sets(settings)[:1]
    sample_size.render_missing(sets, settings)
    folder = sets[0].results / "nearest_spectrum"
    assert sample_size.judge_baselines(settings, sets[0]) == 0
    assert sample_size.judged_baseline(folder, sets[0])
    with mock.patch.object(baselines, "MINIROCKET_FEATURES", 84):
        assert sample_size.judged_baseline(folder, sets[0])  # another method's constant
    for damaged in "{", "{}":
        (folder / "baseline.json").write_text(damaged)
        assert not sample_size.judged_baseline(folder, sets[0])
    assert sample_size.judge_baselines(settings, sets[0]) == 0
    assert sample_size.judged_baseline(folder, sets[0])


@pytest.mark.parametrize("name", ["STATUS", "ESTIMATE"])
def test_constants_edited_to_train_nothing_do_not_reach_a_study(monkeypatch, name):
    monkeypatch.setattr(train_models, name, True)
    settings = parse_flags(sample_size, [])
    assert getattr(sample_size.training_settings(settings), name.lower()) is False


def test_a_baseline_of_other_constants_is_judged_again_and_a_missing_one_is_told(
    class_file, tmp_path, monkeypatch, capsys
):
    flags = study(class_file[0], tmp_path)
    settings = settings_of(*flags)
    sets = sample_size.training_sets(settings)[:1]
    sample_size.render_missing(sets, settings)
    sample_size.write_tables(settings, sets)
    assert "2 runs, the first of them" in capsys.readouterr().err
    folder = sets[0].results / "minirocket"
    for features in 84, 168:
        monkeypatch.setattr(baselines, "MINIROCKET_FEATURES", features)
        assert not sample_size.judged_baseline(folder, sets[0])
        sample_size.main(settings_of(*flags, "--status"))
        assert f"{folder}  waiting" in capsys.readouterr().out
        assert sample_size.judge_baselines(settings, sets[0]) == 0
        assert sample_size.judged_baseline(folder, sets[0])
        sample_size.main(settings_of(*flags, "--status"))
        assert f"{folder}  finished" in capsys.readouterr().out
    with run_lock(folder):
        (folder / "baseline.json").unlink()
        assert sample_size.judge_baselines(settings, sets[0]) == 1
        assert "minirocket: being judged by" in capsys.readouterr().err
        sample_size.write_tables(settings, sets)
        assert "2 runs, the first of them" in capsys.readouterr().err
        sample_size.main(settings_of(*flags, "--status"))
        assert f"{folder}  running" in capsys.readouterr().out


def test_methods_stand_in_the_table_without_networks_and_without_further_splits(
    class_file, tmp_path
):
    settings = settings_of(*study(class_file[0], tmp_path), "--methods", "nearest_spectrum")
    sets = sample_size.training_sets(settings)[:1]
    sample_size.render_missing(sets, settings)
    for axis in "xy":  # a split of somebody's own, which no network of the study has judged
        own = np.load(sets[0].dataset / f"{axis}_test.npy")
        np.save(sets[0].dataset / f"{axis}_test_mine.npy", own)
    assert sample_size.judge_baselines(settings, sets[0]) == 0
    sample_size.write_tables(settings, sets)
    with open(tmp_path / "r" / "table.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["network"] for row in rows} == {"nearest_spectrum"}
    assert {row["split"] for row in rows} == {"val", "test", "test_wide"}
    with pytest.raises(InputError, match="SPLIT is test_mine, accepted: val, test, test_wide"):
        sample_size.check_split("test_mine", sets)


def test_the_accuracy_that_is_marked_lies_above_no_error():
    point = Point("a", "vgg", "network", 5, "test", 36, (0,), 1.0, 1.0)
    for target in 0.99, 0.9999:
        (panel,) = draw([point], [], "test", target).axes
        bottom = panel.get_yticks()[0]
        assert panel.get_ylim()[0] < bottom < 1 - target


def test_the_curve_through_exact_errors_is_found():
    errors = [0.5 * n**-0.8 + 0.01 for n in SIZES]
    fit = fit_power_law(SIZES, errors, 10_000)
    np.testing.assert_allclose(fit, (0.5, 0.8, 0.01), rtol=1e-3)
    np.testing.assert_allclose(power_law(np.array(SIZES), *fit), errors, rtol=1e-3)
    steep = [0.9 * n**-1.6 + 0.01 for n in SIZES]
    np.testing.assert_allclose(fit_power_law(SIZES, steep, 10_000), (0.9, 1.6, 0.01), rtol=1e-3)


def test_no_parameter_of_a_curve_is_below_0():
    errors = [0.6 * n**-0.2 - 0.15 for n in SIZES]  # which one below 0 would fit exactly
    fit = fit_power_law(SIZES, errors, 10_000)
    assert fit.c == 0 < fit.a


@pytest.mark.parametrize(
    "errors",
    [
        (0.9, 0.9, 0.9, 0.9, 0.001, 0.001, 0.001),  # falls at once
        (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8),  # rises
        (0.5, 0.01, 0.4, 0.01, 0.3, 0.01, 0.2),  # jumps
    ],
)
def test_a_curve_that_misses_an_error_is_no_fit(errors):
    assert fit_power_law(SIZES, errors, 10_000) is None


@pytest.mark.parametrize(
    ("number", "factor", "spectra", "fits"),
    [
        (3, 1.44, 10**8, True),  # the curve moves towards the error, so as to miss it by 30 %
        (3, 1.50, 10**8, False),
        (5, 2.50, 400, True),  # by twice the square root of the misclassified spectra
        (5, 2.85, 400, False),
    ],
)
def test_how_near_a_curve_passes_what_it_fits(number, factor, spectra, fits):
    errors = [0.5 * n**-0.8 for n in SIZES]
    errors[number] *= factor
    assert (fit_power_law(SIZES, errors, spectra) is not None) == fits


def test_errors_weigh_by_how_near_the_curve_has_to_pass():
    rough = np.array([1.1, 0.9, 1.15, 0.85, 1.1, 0.9, 1.05])
    errors = rough * [0.5 * n**-0.8 + 0.01 for n in SIZES]
    near = np.maximum(0.3 * errors, 2 * np.sqrt(np.maximum(errors * 10_000, 1)) / 10_000)

    def misses(parameters):
        a, b, c = parameters
        return (a * np.array(SIZES, float) ** -b + c - errors) / near

    best = least_squares(misses, (0.5, 0.8, 0.01), bounds=(0, np.inf)).x
    np.testing.assert_allclose(fit_power_law(SIZES, errors, 10_000), best, rtol=1e-3)


def test_a_curve_takes_more_sizes_than_it_has_parameters():
    assert fit_power_law(SIZES[:3], (0.5, 0.2, 0.1), 100) is None
    assert fit_power_law(SIZES[:4], (0.5, 0.2, 0.1, 0.05), 100)


@pytest.mark.parametrize("errors", [(0, 0, 0, 0), (1, 1, 1, 1), (0.02, 0.01, 0, 0)])
def test_few_errors_or_nothing_but_errors_fit(errors):
    assert isinstance(fit_power_law(SIZES[:4], errors, 100), Fit)


@pytest.mark.parametrize(
    ("errors", "enough"),
    [
        ((0.5, 0.03, 0.01, 0.0), 10 * 10**0.5),  # half-way between 10 and 100, in log n
        ((0.5, 0.02, 0.01, 0.0), 10),  # just reached
        ((0.01, 0.01, 0.01, 0.0), 1),  # the smallest size tried
        ((0.5, 0.4, 0.3, 0.021), None),
        ((0.01, 0.5, 0.04, 0.0), 100 * 10**0.5),  # reached for good
    ],
)
def test_how_many_are_enough_is_interpolated_in_the_logarithm(errors, enough):
    assert size_for((1, 10, 100, 1000), errors, 0.02) == (enough and pytest.approx(enough))


def test_an_accuracy_that_is_just_reached_is_enough():
    assert 1 - 0.9 < 0.1  # as binary fractions
    assert size_for((1, 10), (0.5, 0.1), 1 - 0.9) == pytest.approx(10)


def test_an_error_of_fewer_seeds_than_others_says_so():
    points = [point(2, 40, 42, 44), point(5, 20, 22), point(2, 9, network="minirocket")]
    _, lines = errors_table(points)
    assert lines[0][1:] == ["42 % (40–44)", "21 % (20–22), 2 of 3 seeds"]
    assert lines[1][1:] == ["9 %", ""]


@pytest.mark.parametrize(("enough", "text"), [(2.4, "3"), (5 - 1e-15, "5"), (5 + 1e-15, "5")])
def test_how_many_are_enough_is_rounded_up(enough, text):
    assert enough_text(Curve("few", "vgg", "test", [2, 50], None, enough)) == text


def test_points_are_means_over_seeds_and_methods_have_none():
    def trained(seed, wrong):
        counts = {"val": Count(1, 50), "test": Count(wrong, 200)}
        return SimpleNamespace(
            model="vgg", seed=seed, epochs=10 + seed, seconds=60.0, misclassified=counts
        )

    method = SimpleNamespace(
        method="minirocket", seconds=30.0, misclassified={"test": Count(8, 200)}
    )
    points = points_of("few", 5, [trained(0, 2), trained(1, 4)], [method])
    (found,) = [p for p in points if (p.network, p.split) == ("vgg", "test")]
    assert (found.errors, found.error, found.epochs) == ((0.01, 0.02), 0.015, 10.5)
    assert found.minutes == 1
    assert (points[-1].network, points[-1].learns, points[-1].error) == (
        *("minirocket", "method", 0.04),
    )
    lines = table_csv(points).splitlines()
    assert lines[2].startswith("few,vgg,5,test,200,2,3,1.41421356")
    assert lines[3].startswith("few,minirocket,5,test,200,,8,,8,8,8,0.04,,0.5")


def test_the_report_says_what_is_not_reached_and_what_does_not_fit():
    points = [point(n, 40, 42) for n in SIZES] + [point(n, 0, network="one") for n in SIZES]
    points += [point(n, 50 if n < 20 else 0, network="late") for n in SIZES[::-1]]
    points += [point(n, 99, network="elsewhere", split="val") for n in SIZES]
    text = report(points, curves_of(points, 0.99), "test", 0.99, {"few": "Rendered."})
    lines = {line.split(" | ")[0]: line for line in text.splitlines()}
    assert text.startswith("## few: misclassified spectra of test\n\nRendered.\n\n| network | ")
    assert "| n for an accuracy of 99 % |" in text
    assert "not reached (up to 200)" in lines["| vgg"]
    assert "2 or fewer" in lines["| one"]
    assert "does not fit | 20 |" in lines["| late"]
    assert "| elsewhere" not in lines
    assert "| vgg | 41 % (40–42) |" in text


def test_the_figure_has_a_panel_per_class_file_and_dashes_methods():
    sizes = SIZES[::-1]  # in whatever order the points come
    points = [point(n, 80 // n, 100 // n, class_file=c) for c in ("few", "many") for n in sizes]
    points += [point(n, 0, network="minirocket", learns="method") for n in sizes]
    points += [point(n, 70, split="val") for n in SIZES]
    curves = [Curve("few", "vgg", "test", SIZES, Fit(1, 1, 0), None)]
    figure = draw(points, curves, "test", 0.99)
    assert [panel.get_title(loc="left") for panel in figure.axes] == ["few", "many"]
    few = figure.axes[0]
    assert (few.get_xscale(), few.get_yscale()) == ("log", "log")
    lines = [line for line in few.get_lines() if len(line.get_xdata()) == len(SIZES)]
    assert [line.get_linestyle() for line in lines] == ["-", "--"]
    np.testing.assert_allclose(lines[0].get_ydata()[:2], [0.45, 0.18])
    assert lines[0].get_ydata()[-1] < lines[0].get_ydata()[-2]  # no error, and half a spectrum
    low, high = few.get_ylim()
    drawn = np.concatenate([line.get_ydata() for line in few.get_lines()])
    assert (drawn > low).all()
    assert (drawn < high).all()
    labels = dict(zip(few.get_yticks(), [t.get_text() for t in few.get_yticklabels()], strict=True))
    assert labels[lines[1].get_ydata()[0]] == "0"  # where no error stands
    assert labels[0.1] == "10 %"
    assert [t.get_text() for t in few.get_xticklabels()] == list(map(str, SIZES))
    seeds = [line.get_xydata().tolist() for line in few.get_lines() if line.get_marker() == "."]
    assert seeds[0] == [[2, 0.4], [2, 0.5]]
    dotted = [[line for line in p.get_lines() if line.get_linestyle() == ":"] for p in figure.axes]
    ((fit,), of_many) = dotted
    np.testing.assert_allclose(fit.get_ydata(), 1 / fit.get_xdata())
    assert of_many == []


def test_the_figure_says_what_its_axes_and_lines_are():
    points = [point(n, 80 // n, 100 // n) for n in SIZES]
    points += [point(n, 1, network="minirocket", learns="method") for n in SIZES]
    curves = [Curve("few", "vgg", "test", SIZES, Fit(1, 1, 0), None)]
    figure = draw(points, curves, "test", 0.99)
    assert figure.get_supxlabel() == "training spectra per class"
    assert figure.get_supylabel() == "share of misclassified spectra of test"
    styles = styles_of(figure)
    assert list(styles) == ["vgg", "minirocket", "one seed", "fit a n$^{-b}$ + c", "accuracy 99 %"]
    drawn = [line for line in figure.axes[0].get_lines() if len(line.get_xdata()) == len(SIZES)]
    for name, line in zip(("vgg", "minirocket"), drawn, strict=True):
        assert styles[name] == (line.get_color(), line.get_linestyle(), line.get_marker())


def test_columns_hold_what_they_say():
    point = Point("few", "vgg", "network", 5, "test", 200, (2, 4), 10, 1)
    (row,) = csv.DictReader(table_csv([point]).splitlines())
    found = [
        float(row[name])
        for name in ("misclassified_mean", "misclassified_min", "misclassified_max", "error")
    ]
    assert found == [3, 2, 4, 0.015]
    curve = Curve("few", "vgg", "test", (1, 2, 3, 4), Fit(1, 2, 3), 3.5)
    (row,) = csv.DictReader(curves_csv([curve]).splitlines())
    assert [row[name] for name in "abc"] == ["1", "2", "3"]
