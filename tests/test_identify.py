import csv
import json
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from conftest import PROJECT, assert_one_sentence, write_finished_run

import identify
import spectra_from_config
from benchmark.command_line import InputError, parse_flags
from benchmark.dataset_folder import hash_and_check, read_dataset
from benchmark.files import sha256_of
from benchmark.measured_samples import Form
from benchmark.measurement import Measurement
from benchmark.rendering import render
from benchmark.run_folder import Count, Protocol, Run, read_run, record_of, run_name, write_run
from benchmark.saved_networks import hash_of_weights
from benchmark.similarity import nearest_rows, nearest_spectrum, usual_cosines

DATAPOINTS = 101  # from 200 to 400: datapoints are 2 apart
NAMES = "quartz", "calcite", "opal", "gypsum"
PEAKS = {"quartz": (20, 60), "calcite": (30, 80), "opal": (45, 70), "gypsum": (25, 50)}
KNOWN = "val", "test", "test_wide"
PROTOCOL = Protocol(32, 1, 3e-4, 0.5, 10, 25, 1e-4)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, tensorflow):
    """Make a dataset and two runs of networks that compare spectra to patterns; returns a folder.

    The networks are built, not trained: their weights are the patterns, sharper in the second run.
    """
    folder = tmp_path_factory.mktemp("project")
    spectra = {
        str(label): {"name": name, "peak_positions": PEAKS[name], "peak_heights": [1, 0.5]}
        for label, name in enumerate(NAMES)
    }
    config = {"datapoints": DATAPOINTS, "classes": len(NAMES), "unit": "1/cm"}
    config |= {"range": [200, 400], "spectra": spectra}
    (folder / "small.json").write_text(json.dumps(config))
    files = f"--config={folder}/small.json", f"--output={folder}/datasets/small"
    variation = "--max-shift=1", "--test-shift=1", "--kernel-range", "2", "3", "--n-train=20"
    spectra_from_config.main(parse_flags(spectra_from_config, [*files, *variation, "--workers=1"]))
    dataset = read_dataset(folder / "datasets/small")
    record = record_of(dataset, hash_and_check(dataset))
    for seed, sharpness in enumerate((1, 4)):
        save_run(folder / "results" / run_name("patterns", seed), seed, record, sharpness)
    return folder


def save_run(folder, seed, record, sharpness):
    import keras

    folder.mkdir(parents=True)
    model = keras.Sequential(
        [keras.Input((DATAPOINTS,)), keras.layers.Dense(len(NAMES), activation="softmax")]
    )
    patterns = render(
        np.array(list(PEAKS.values())), np.array([[1, 0.5]] * 4), np.full(4, 2.5), DATAPOINTS
    )
    patterns /= np.linalg.norm(patterns, axis=1, keepdims=True)
    model.set_weights([sharpness * patterns.T, np.zeros(len(NAMES))])
    model.save(folder / "model.keras")
    write_run(
        Run(
            folder=folder,
            model="patterns",
            seed=seed,
            protocol=PROTOCOL,
            dataset=record,
            weights=model.count_params(),
            epochs=1,
            best_epoch=1,
            seconds=1.0,
            environments=[],
            weights_sha256=hash_of_weights(model),
            misclassified={"val": Count(0, 40)},
        )
    )


@pytest.fixture
def ask(trained, monkeypatch, capsys):
    """Ask the networks as the command line does; returns output and errors."""
    monkeypatch.chdir(trained)

    def run_main(*flags, runs=("results/patterns-seed0",)):
        capsys.readouterr()
        flags = list(map(str, ("--runs", *runs, "--measured", *flags)))
        identify.main(parse_flags(identify, flags))
        return capsys.readouterr()

    return run_main


def spectrum_of(peaks, first=190, last=410, step=0.5, heights=(900, 450), unit=""):
    """Return the text of a measurement with Gaussian peaks at datapoints of the dataset."""
    x = np.arange(first, last + step / 2, step)
    y = 30.0 + sum(
        h * np.exp(-(((x - 200 - 2 * p) / 5) ** 2) / 2) for p, h in zip(peaks, heights, strict=True)
    )
    head = f"x ({unit}), y\n" if unit else ""
    return head + "".join(f"{a:.2f}, {b:.4f}\n" for a, b in zip(x, y, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_each_class_is_found_by_name(ask, measured, name):
    path = measured(spectrum_of(PEAKS[name]), f"{name}.txt")
    output, errors = ask(path)
    lines = output.splitlines()
    assert lines[0] == str(path)
    assert len(lines) == 5
    assert lines[1].endswith(f"%  {name}")
    assert lines[4].startswith(f"    most similar training spectrum: {name}, cosine 0.99")
    assert errors == ""


def test_probabilities_are_the_mean_of_the_runs(ask, measured, tmp_path):
    mixture = spectrum_of(PEAKS["opal"] + PEAKS["calcite"], heights=(900, 450, 800, 300))
    path, tables = measured(mixture), []
    for runs in ([0], [1], [0, 1]):
        ask(path, "--csv", tmp_path / "a.csv", runs=[f"results/patterns-seed{i}" for i in runs])
        (row,) = csv.DictReader((tmp_path / "a.csv").read_text().splitlines())
        tables.append({row[f"class_{i}"]: float(row[f"probability_{i}"]) for i in (1, 2, 3)})
    single, other, both = tables
    assert abs(single["opal"] - other["opal"]) > 0.01
    for name in both.keys() & single.keys() & other.keys():
        assert both[name] == pytest.approx((single[name] + other[name]) / 2, abs=2e-6)


def test_table_has_a_row_for_each_file_with_its_warnings(ask, measured, tmp_path):
    files = [
        measured(spectrum_of(PEAKS["quartz"]), "a, b.txt"),
        measured(spectrum_of(PEAKS["opal"], last=380), "short.txt"),
    ]
    output, errors = ask(*files, "--csv", tmp_path / "new" / "answers.csv")
    assert output.splitlines()[-1].endswith("answers.csv: 2 files")
    rows = list(csv.DictReader((tmp_path / "new" / "answers.csv").read_text().splitlines()))
    assert [row["file"] for row in rows] == list(map(str, files))
    assert [row["class_1"] for row in rows] == ["quartz", "opal"]
    assert [row["nearest"] for row in rows] == ["quartz", "opal"]
    assert float(rows[0]["probability_1"]) > float(rows[0]["probability_2"])
    assert rows[0]["warnings"] == ""
    assert "90% of the range of the dataset, 200 to 400" in rows[1]["warnings"]
    assert "90% of the range" in errors


@pytest.fixture
def drawn(keep_figures):
    return keep_figures(identify)


def test_the_figure_shows_each_spectrum_and_the_training_spectrum_that_is_most_like_it(
    ask, measured, trained, tmp_path, drawn
):
    files = [measured(spectrum_of(PEAKS[name]), f"{name} $.txt") for name in ("quartz", "opal")]
    output, _ = ask(*files, "--figure", tmp_path / "new/answers.png")
    assert output.endswith("answers.png and .pdf: all of 2 spectra\n")
    assert (tmp_path / "new/answers.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "new/answers.pdf").read_bytes().startswith(b"%PDF")
    training, labels = read_dataset(trained / "datasets/small").splits["train"]
    for name, axes in zip(("quartz", "opal"), drawn[0].axes, strict=True):
        spectrum, nearest = axes.get_lines()[:2]
        x = np.linspace(200, 400, DATAPOINTS)
        assert np.array_equal(spectrum.get_xdata(), x)
        assert np.array_equal(nearest.get_xdata(), x)
        assert set(x[np.argsort(spectrum.get_ydata())][-1:]) == {200 + 2 * PEAKS[name][0]}
        row = nearest_rows(spectrum.get_ydata()[None].astype(np.float32), training).rows[0]
        assert labels[row] == NAMES.index(name)
        assert np.array_equal(nearest.get_ydata(), -training[row])
        assert axes.get_title(loc="left").startswith(f"{name} $.txt: {name}, ")
        assert axes.texts[0].get_text().startswith(f"{name}, cosine 0.99")
    assert drawn[0].axes[-1].get_xlabel() == "x (1/cm)"


def test_the_figure_shows_eight_spectra_at_most_and_says_so(ask, measured, tmp_path, drawn):
    files = [measured(spectrum_of(PEAKS["opal"]), f"{i}.txt") for i in range(9)]
    output, _ = ask(*files, "--figure", tmp_path / "answers.pdf")
    assert output.endswith("answers.png and .pdf: the first 8 of 9 spectra\n")
    titles = [axes.get_title(loc="left").partition(":")[0] for axes in drawn[0].axes]
    assert titles == [f"{i}.txt" for i in range(8)]


def test_a_figure_that_would_replace_what_is_read_is_refused(ask, measured, trained, tmp_path):
    path = measured(spectrum_of(PEAKS["opal"]), "opal.pdf")
    with pytest.raises(InputError, match=r"FIGURE is .*opal.pdf, which is read"):
        ask(path, "--figure", path.with_suffix(".png"))
    (trained / "results/patterns-seed0/learning.png").write_bytes(b"a picture")
    with pytest.raises(InputError, match=r"FIGURE is .*learning.png, which is read"):
        ask(path, "--figure", trained / "results/patterns-seed0/learning.pdf")
    (trained / "results/patterns-seed0/learning.png").unlink()
    with pytest.raises(InputError, match=r"FIGURE is .*a.svg, accepted: a name ending in .png"):
        ask(path, "--figure", tmp_path / "a.svg")


def test_what_a_file_does_not_cover_takes_its_first_or_last_y():
    x, y = identify.extended(np.array([2.0, 3.0, 4.0]), np.array([7.0, 9.0, 8.0]), 0, 6)
    assert (x.tolist(), y.tolist()) == ([0, 2, 3, 4, 6], [7, 7, 9, 8, 8])


def test_the_background_of_the_dataset_is_subtracted_here_too(trained, monkeypatch):
    fake = ModuleType("pybaselines")
    fake.__spec__ = ModuleSpec("pybaselines", None)
    monkeypatch.setitem(sys.modules, "pybaselines", fake)
    run = read_run(trained / "results/patterns-seed0")
    card = {"range": [200, 400], "unit": "1/cm"}
    measured = {"measured": {"parameters": {"background": "arpls"}}}
    rendered = card | {"background": "arpls"}  # from classes of measurements
    for content, background in (card, "none"), (card | measured, "arpls"), (rendered, "arpls"):
        form = identify.form_of(run, SimpleNamespace(card=content, beside=None), None)
        assert form == Form((200, 400), DATAPOINTS, "1/cm", background)
    form = identify.form_of(run, SimpleNamespace(card=card, beside=measured), None)
    assert form.background == "arpls"


def test_a_background_that_cannot_be_subtracted_is_told(ask, measured, trained, monkeypatch):
    card = json.loads((trained / "datasets/small/dataset.json").read_text())
    card["measured"] = {"parameters": {"background": "arpls"}}
    monkeypatch.setattr(
        identify, "read_dataset", lambda path: read_dataset(path)._replace(card=card)
    )
    monkeypatch.setitem(sys.modules, "pybaselines", None)
    with pytest.raises(InputError, match="BACKGROUND is arpls, which needs pybaselines"):
        ask(measured(spectrum_of(PEAKS["opal"])))


def test_a_run_and_its_dataset_are_not_written_over(ask, measured, trained):
    path = measured(spectrum_of(PEAKS["opal"]))
    run = trained / "results/patterns-seed0/run.json"
    for read in run, trained / "datasets/small/y_train.npy":
        before = read.read_bytes()
        with pytest.raises(InputError, match=r"CSV is .*, which is read, too"):
            ask(path, "--csv", read)
        assert read.read_bytes() == before


def test_files_in_different_units_are_told(ask, measured, trained, monkeypatch):
    card = json.loads((trained / "datasets/small/dataset.json").read_text())
    del card["unit"]  # which would refuse one of them
    monkeypatch.setattr(
        identify, "read_dataset", lambda path: read_dataset(path)._replace(card=card)
    )
    opal = spectrum_of(PEAKS["opal"]).splitlines()
    files = [
        measured("\n".join([f"x ({unit}),y", *opal]), f"{number}.csv")
        for number, unit in enumerate(("nm", "1/cm"))
    ]
    _, errors = ask(*files)
    assert f"{files[0]} has x in nm and {files[1]} in 1/cm, which are not converted" in errors


def test_files_of_different_wavelengths_are_told(ask, measured, trained, monkeypatch):
    card = json.loads((trained / "datasets/small/dataset.json").read_text())
    del card["unit"]
    monkeypatch.setattr(
        identify, "read_dataset", lambda path: read_dataset(path)._replace(card=card)
    )
    rows = spectrum_of(PEAKS["opal"]).replace(",", " ")
    files = [
        measured(f"_FILEVERSION=2\n_WL1={wavelength}\n_2THETACOUNTS\n{rows}", f"{wavelength}.uxd")
        for wavelength in (1.5406, 1.78897)
    ]
    _, errors = ask(*files)
    assert f": 1.5406 in 1 file, {files[0]}; 1.78897 in 1 file, {files[1]}\n" in errors


def test_another_wavelength_than_that_of_the_dataset_is_told(ask, measured, trained, monkeypatch):
    card = json.loads((trained / "datasets/small/dataset.json").read_text())
    card |= {"unit": "deg", "wavelength": 1.5406}
    monkeypatch.setattr(
        identify, "read_dataset", lambda path: read_dataset(path)._replace(card=card)
    )
    rows = spectrum_of(PEAKS["opal"]).replace(",", " ")
    for wavelength, told in (1.5418, False), (1.78897, True), (0, False):  # 0 states none
        _, errors = ask(measured(f"_FILEVERSION=2\n_WL1={wavelength}\n_2THETACOUNTS\n{rows}"))
        assert ("measured with 1.78897 angstrom, the dataset with 1.5406" in errors) == told
        assert ("angstrom" in errors) == told


def test_points_far_apart_are_warned_of(ask, measured):
    _, errors = ask(measured("200 1\n280 5\n300 9\n400 1\n"))
    assert "points are up to 100 apart, 50 datapoints, as from 300 to 400: between them y" in errors


def test_spectrum_of_no_known_class_is_warned_of(ask, measured):
    output, errors = ask(measured(spectrum_of((35, 90))))
    cosine = float(output.split("cosine ")[1])
    assert cosine < 0.7
    assert "a class that the networks do not know" in errors
    assert f"cosine {cosine:.3f}" in errors


def test_what_is_usual_is_how_similar_spectra_of_known_classes_are(trained):
    splits = read_dataset(trained / "datasets/small").splits
    training, known = splits["train"][0], splits["val"][0]
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (known, training)]
    cosines = (unit[0] @ unit[1].T).max(axis=1)
    np.testing.assert_allclose(usual_cosines(known, training), cosines, atol=1e-6)


def test_of_more_than_a_thousand_known_spectra_a_thousand_at_equal_distances_are_looked_at():
    rng = np.random.default_rng(0)
    known, training = rng.random((1500, 3)), rng.random((5, 3))
    cosines = nearest_rows(known, training).cosines
    for number, taken in (999, range(999)), (1500, np.linspace(0, 1499, 1000).astype(int)):
        np.testing.assert_array_equal(usual_cosines(known[:number], training), cosines[taken])


def test_of_many_known_spectra_some_of_all_classes_are_looked_at(monkeypatch):
    monkeypatch.setattr("benchmark.similarity.KNOWN_SPECTRA", 10)
    known = np.repeat([[1.0, 0.0], [0.6, 0.8]], 50, axis=0)  # ordered by class
    assert usual_cosines(known, np.array([[1.0, 0.0]])) == pytest.approx([1] * 5 + [0.6] * 5)


def test_nearest_training_spectra_are_those_of_the_largest_cosine(monkeypatch):
    rng = np.random.default_rng(0)
    spectra, training = rng.random((20, 30)), rng.random((50, 30))
    training[3] = 0
    training[40] = 5 * training[7]
    norms = np.linalg.norm(training, axis=1)
    norms[3] = 1
    cosines = spectra @ training.T / norms / np.linalg.norm(spectra, axis=1, keepdims=True)
    monkeypatch.setattr("benchmark.similarity.BLOCK", 30 * 9)
    nearest = nearest_rows(spectra, training)
    np.testing.assert_allclose(nearest.cosines, cosines.max(axis=1), atol=1e-6)
    np.testing.assert_allclose(cosines[np.arange(20), nearest.rows], cosines.max(axis=1), atol=1e-6)
    assert nearest_rows(training[[40]], training).rows in (7, 40)
    labels = np.arange(50) % 7
    assert (nearest_spectrum(spectra, training, labels) == labels[nearest.rows]).all()
    assert nearest_rows(np.zeros((1, 30)), training).cosines.tolist() == [0]


def test_cosines_depend_on_the_two_spectra_alone():
    rng = np.random.default_rng(0)
    spectra, training = rng.random((99, 30)).astype(np.float32), rng.random((50, 30))
    together = nearest_rows(spectra, training)
    alone = [nearest_rows(spectrum[None], training).cosines[0] for spectrum in spectra]
    assert together.cosines.tolist() == alone
    assert nearest_rows(training[:9].astype(np.float32), training).cosines.max() <= 1


def test_other_unit_and_other_range_are_refused(ask, measured):
    with pytest.raises(InputError, match="x is in nm, accepted: 1/cm"):
        ask(measured(spectrum_of(PEAKS["opal"], unit="nm")))
    with pytest.raises(InputError, match="0 points from 200 to 400"):
        ask(measured("1 2\n2 5\n3 4\n"))
    with pytest.raises(InputError, match="RANGE is 0 9, accepted: 200 400"):
        ask(measured(spectrum_of(PEAKS["opal"])), "--range", 0, 9)


def test_bands_that_point_the_other_way_are_refused(ask, measured, trained, monkeypatch):
    def unknown(unit):
        return measured(f"##YUNITS={unit}\n" + spectrum_of(PEAKS["opal"]))

    with pytest.raises(InputError, match="y is in %T, accepted: absorbance or intensity"):
        ask(unknown("%T"))  # the dataset is rendered
    assert ask(unknown("COUNTS"))[1] == ask(unknown("ABSORBANCE"))[1] == ""
    card = {"range": [200, 400], "y_unit": "ABSORBANCE"}
    monkeypatch.setattr(
        identify, "read_dataset", lambda path: read_dataset(path)._replace(card=card)
    )
    with pytest.raises(InputError, match="y is in TRANSMITTANCE, accepted: ABSORBANCE"):
        ask(unknown("TRANSMITTANCE"))
    assert "y is in COUNTS, not in ABSORBANCE, as in the dataset" in ask(unknown("COUNTS"))[1]
    assert ask(unknown("abs"))[1] == ask(unknown("a.u."))[1] == ""


def scaled(trained, monkeypatch, change):
    """Change the training spectra, float32 (spectra, datapoints), that identify.py finds."""
    dataset = read_dataset(trained / "datasets/small")
    training, labels = dataset.splits["train"]
    splits = dataset.splits | {"train": (change(np.array(training)), labels)}
    monkeypatch.setattr(identify, "read_dataset", lambda _: dataset._replace(splits=splits))


def test_training_spectra_on_another_scale_are_refused(ask, measured, trained, monkeypatch):
    path = measured(spectrum_of(PEAKS["opal"]))
    scaled(trained, monkeypatch, lambda x: np.r_[x[:3], 900 * x[3:]])
    with pytest.raises(InputError, match="the maximum 900 in spectrum 3, accepted: 1 in each"):
        ask(path)
    scaled(trained, monkeypatch, lambda x: np.r_[0 * x[:3], x[3:]])  # without any peak
    assert ask(path)[1] == ""


def test_training_spectra_above_a_background_are_told(ask, measured, trained, monkeypatch):
    path = measured(spectrum_of(PEAKS["opal"]))
    for background, told in (0.04, False), (0.06, True):
        scaled(trained, monkeypatch, lambda x, b=background: b + (1 - b) * x)
        errors = ask(path)[1]
        assert ("datasets/small have the minimum 0.06 (median)" in errors) is told
    scaled(trained, monkeypatch, lambda x: np.r_[0.5 + x[:9] / 2, x[9:]])  # few of them
    assert ask(path)[1] == ""


def test_unit_overrules_the_data_card_with_a_warning(ask, measured):
    path = measured("##XUNITS=Kayser\n" + spectrum_of(PEAKS["opal"]))
    with pytest.raises(InputError, match=r"x is in Kayser, accepted: 1/cm.*; UNIT names another"):
        ask(path)
    output, errors = ask(path, "--unit", "kayser")
    assert output.splitlines()[1].endswith("opal")
    assert "UNIT is kayser and x of datasets/small in 1/cm, which are taken for one unit" in errors
    assert ask(measured(spectrum_of(PEAKS["opal"])), "--unit", "cm-1")[1] == ""
    with pytest.raises(InputError, match="x is in nm, accepted: kayser"):
        ask(measured(spectrum_of(PEAKS["opal"], unit="nm")), "--unit", "kayser")


def test_unreadable_files_are_refused_or_skipped(ask, measured):
    good, bad = measured(spectrum_of(PEAKS["opal"]), "good"), measured("no numbers", "bad")
    with pytest.raises(InputError, match="bad"):
        ask(good, bad)
    output, errors = ask(good, bad, "--skip-unreadable")
    assert output.startswith(str(good))
    assert "skipped" in errors


def test_block_chooses_among_spectra_of_a_file(ask, measured):
    blocks = "".join(
        f"##TITLE= {name}\n##JCAMP-DX= 4.24\n##XUNITS= 1/CM\n##XYPOINTS= (XY..XY)\n"
        f"{spectrum_of(PEAKS[name])}##END=\n"
        for name in NAMES
    )
    output, _ = ask(measured(blocks), "--block", "calcite")
    assert output.splitlines()[1].endswith("calcite")


def test_runs_without_weights_are_refused(ask, measured):
    run = PROJECT / "results/shipped/dataset500/cnn2-seed0"  # as shipped
    with pytest.raises(
        InputError, match=r"has no model\.keras, .* accepted: runs with their weights"
    ):
        ask(measured(spectrum_of(PEAKS["opal"])), runs=[run])


def test_a_run_that_is_named_twice_counts_once(dataset, tmp_path):
    run = write_finished_run(tmp_path / "vgg-seed0", dataset)
    (run.folder / "model.keras").touch()
    assert identify.read_runs([str(run.folder), f"{run.folder}/"]) == [run]


def test_classes_without_names_are_called_by_their_labels(ask, measured, monkeypatch):
    def unnamed(folders):
        (run,) = map(read_run, folders)
        return [run._replace(dataset=run.dataset._replace(class_names=None))]

    monkeypatch.setattr(identify, "read_runs", unnamed)
    _, best, *_ = ask(measured(spectrum_of(PEAKS["opal"]))).out.splitlines()
    assert best.endswith(f"%  {NAMES.index('opal')}")


def test_networks_are_asked_in_batches_of_their_protocol_and_not_in_training(monkeypatch):
    asked = []

    def network(batch, training):
        asked.append((len(batch), training))
        return np.repeat(batch[:, :1], 4, axis=1)

    network.input_shape, network.output_shape = (None, 3), (None, 4)
    monkeypatch.setattr(identify, "load_network", lambda *_: network)
    monkeypatch.setattr(identify, "start_tensorflow", lambda: None)
    monkeypatch.setattr(identify, "release_memory", lambda: None)
    run = SimpleNamespace(
        folder=Path("r"),
        weights_sha256="",
        protocol=PROTOCOL._replace(batch_size=2),
        dataset=SimpleNamespace(datapoints=3, classes=4),
    )
    spectra = np.arange(15).reshape(5, 3)
    probabilities = identify.mean_probabilities([run, run], spectra)
    np.testing.assert_array_equal(probabilities, np.repeat(spectra[:, :1], 4, axis=1))
    assert asked == [(2, False), (2, False), (1, False)] * 2
    network.input_shape = (None, 99)
    with pytest.raises(InputError, match="takes 99 datapoints and returns 4 classes, but run"):
        identify.mean_probabilities([run], spectra)


def test_a_copy_of_a_run_is_refused(ask, measured, trained, tmp_path):
    copy = copy_of(trained / "results/patterns-seed0", tmp_path / "copy")
    with pytest.raises(InputError, match=r"patterns-seed0 and .*copy have the same weights"):
        ask(measured(spectrum_of(PEAKS["opal"])), runs=["results/patterns-seed0", copy])


@pytest.mark.parametrize(
    ("differ", "words"),
    [
        (lambda d: d["sha256"].update({"y_train.npy": "0"}), r"of two datasets: .*y_train\.npy"),
        (lambda d: d.update(class_names=[*"abcd"]), "have different names of classes in .*other"),
    ],
)
def test_runs_of_two_datasets_are_refused(ask, measured, trained, tmp_path, differ, words):
    other = copy_of(trained / "results/patterns-seed0", tmp_path / "other")
    change(other, lambda record: differ(record["dataset"]))
    change(other, lambda record: record.update(weights_sha256="0"))
    with pytest.raises(InputError, match=f"RUNS {words}" if "have" in words else words):
        ask(measured(spectrum_of(PEAKS["opal"])), runs=["results/patterns-seed0", other])


def copy_of(folder, target):
    target.mkdir()
    for path in folder.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    return target


def change(folder, how):
    record = json.loads((folder / "run.json").read_bytes())
    how(record)
    (folder / "run.json").write_text(json.dumps(record))


def test_weights_other_than_recorded_are_refused(ask, measured, trained, tmp_path):
    path = measured(spectrum_of(PEAKS["opal"]))
    other = copy_of(trained / "results/patterns-seed0", tmp_path / "other")
    change(other, lambda record: record.update(weights_sha256="0"))
    with pytest.raises(InputError, match="does not hold the weights that run"):
        ask(path, runs=[other])
    (other / "model.keras").write_bytes(b"no archive")
    with pytest.raises(InputError, match="cannot be loaded in Keras' safe mode"):
        ask(path, runs=[other])


def test_network_that_holds_code_is_not_run(ask, measured, trained, tmp_path):
    import keras

    other = copy_of(trained / "results/patterns-seed0", tmp_path / "other")
    model = keras.Sequential([keras.Input((DATAPOINTS,)), keras.layers.Lambda(lambda x: x[:, :4])])
    model.save(other / "model.keras")
    with pytest.raises(InputError, match="cannot be loaded in Keras' safe mode"):
        ask(measured(spectrum_of(PEAKS["opal"])), runs=[other])


def test_without_the_dataset_folder_a_range_is_needed_and_nothing_is_compared(
    ask, measured, trained, tmp_path, monkeypatch, drawn
):
    path, figure = measured(spectrum_of(PEAKS["opal"])), tmp_path / "answers.png"
    runs = [trained / "results/patterns-seed0"]
    expected, _ = ask(path, runs=runs)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="RANGE is None, accepted: x of the first"):
        ask(path, runs=runs)
    output, errors = ask(path, "--range", 200, 400, "--figure", figure, runs=runs)
    assert output.splitlines()[:-1] == expected.splitlines()[:-1]
    assert [line.get_label() for line in drawn[0].axes[0].get_lines()] == ["measured"]
    assert "datasets/small, on which the networks were trained, is not there: x is taken" in errors
    assert "no background is subtracted" in errors
    assert ask(path, "--dataset", trained / "datasets/small", runs=runs)[0] == expected


def test_folder_of_another_dataset_is_refused(ask, measured, own_arrays):
    with pytest.raises(InputError, match="is not the dataset that"):
        ask(measured(spectrum_of(PEAKS["opal"])), "--dataset", own_arrays)


@pytest.mark.parametrize("name", ["x_train.npy", "y_train.npy"])
def test_the_dataset_must_have_the_spectra_and_labels_of_the_training(own_arrays, name):
    sha256 = {part: sha256_of(own_arrays / part) for part in ("x_train.npy", "y_train.npy")}
    run = SimpleNamespace(folder="run", dataset=SimpleNamespace(name="own", sha256=sha256))
    assert identify.dataset_of(run, own_arrays).folder == own_arrays
    np.save(own_arrays / name, np.load(own_arrays / name)[::-1])
    with pytest.raises(InputError, match=f"was trained on .SHA-256 of {name} differs"):
        identify.dataset_of(run, own_arrays)


def test_similarity_may_be_judged_by_another_split(ask, measured, trained):
    path = measured(spectrum_of(PEAKS["opal"]))
    assert ask(path, "--known", "test")[0] == ask(path)[0]
    unknown = measured(spectrum_of((35, 90)), "unknown.txt")
    splits = read_dataset(trained / "datasets/small").splits
    cosines = [usual_cosines(splits[known][0], splits["train"][0]) for known in KNOWN]
    usual = [f"{np.percentile(of_split, 5):.3f}" for of_split in cosines]
    assert len(set(usual)) == len(KNOWN)
    for known, cosine in zip(KNOWN, usual, strict=True):
        assert f"spectra of {known} have {cosine} or more" in ask(unknown, "--known", known)[1]
    with pytest.raises(InputError, match=r"KNOWN is train, accepted: a split of .*: val, test"):
        ask(path, "--known", "train")


def test_bad_input_ends_in_one_sentence_before_tensorflow_starts(run, measured, tmp_path):
    process = run("identify.py", "--runs", tmp_path, "--measured", measured("1 2\n2 3\n"))
    assert_one_sentence(process, 2, tmp_path, "holds no finished run")
    with pytest.raises(InputError, match="MEASURED is None"):
        identify.main(parse_flags(identify, ["--runs", str(tmp_path)]))
    path = str(measured("1 2\n2 3\n"))
    for flags, words in (
        (["--csv", path], "CSV is .*, which is read, too"),
        (["--range", "8", "4"], "RANGE is 8 4"),
    ):
        flags = ["--runs", str(tmp_path), "--measured", path, *flags]
        with pytest.raises(InputError, match=words):
            identify.main(parse_flags(identify, flags))


ANSWER = identify.Identification("f", ["a", "b"], [0.9, 0.1], None, None, None, [])


def compare(monkeypatch, known="val", card=None, cosine=0.99, answer=ANSWER):
    nearest = SimpleNamespace(rows=[0], cosines=np.array([cosine]))
    monkeypatch.setattr(identify, "nearest_rows", lambda *_: nearest)
    usual = np.array([0.7, 0.96, 0.97, 0.98])  # 5 % of which are below 0.739
    monkeypatch.setattr(identify, "usual_cosines", lambda *_: usual)
    splits = {"train": (None, [1]), known: (None, None)}
    dataset = SimpleNamespace(splits=splits, card=card)
    (found,) = identify.compared([answer], None, dataset, known, ["a", "b"])
    return found


def test_a_nearest_spectrum_of_another_class_is_told(monkeypatch):
    assert compare(monkeypatch).warnings == ["the most similar training spectrum is of class b"]
    same = ANSWER._replace(classes=["b", "a"])
    assert compare(monkeypatch, answer=same).warnings == []
    just_usual = 0.7 + 0.05 * 3 * (0.96 - 0.7)  # the percentile, between the lowest two of four
    for cosine, warned in (just_usual + 1e-6, 0), (just_usual - 1e-6, 1):
        assert len(compare(monkeypatch, cosine=cosine, answer=same).warnings) == warned


def test_what_is_usual_is_said(monkeypatch):
    card = {"class_file": {"name": "x"}}
    (warned,) = compare(monkeypatch, card=card, cosine=0.5).warnings
    assert "cosine 0.500, where 3 of 4 spectra of val have 0.739 or more" in warned
    assert warned.endswith(", or only measured, as val is synthetic")
    measured = "test_measured", "test_measured_val", "test_measured_own"
    for known, of in *((known, card) for known in measured), ("val", None):
        (warned,) = compare(monkeypatch, known, of, cosine=0.5).warnings
        assert "synthetic" not in warned


def test_one_point_is_too_few():
    form = identify.Form((0, 10), 11, None, "none")
    measured = Measurement(np.array([-30.0, 5.0, 40.0]), np.array([1.0, 2.0, 3.0]))
    with pytest.raises(InputError, match="with 1 points from 0 to 10, the range"):
        identify.brought_into(measured, form)
    ends = Measurement(np.array([0.0, 10.0]), np.array([1.0, 3.0]))
    assert identify.brought_into(ends, form).tolist() == pytest.approx(np.arange(11) / 10)


def test_the_table_holds_the_cosine():
    (row,) = csv.DictReader(
        identify.as_table([ANSWER._replace(nearest="a", cosine=0.5)]).splitlines()
    )
    assert row["cosine"] == "0.500000"
