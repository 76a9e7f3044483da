"""The ladder: every run and method judges spectra with one artefact at a time, and can go on."""

import csv
import itertools
import json
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from statistics import mean
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import PROJECT, SMALL
from test_figures import assert_nothing_clipped_or_small, styles_of

import baselines
import dataset_config_generator
import robustness
from benchmark import robustness_record, robustness_report
from benchmark.artefacts import Artefacts, RandomSource, names_of_those_on, render_with_artefacts
from benchmark.baseline_folder import Baseline
from benchmark.class_figures import class_artefacts
from benchmark.class_file import read_class_file
from benchmark.command_line import InputError, parse_flags
from benchmark.robustness_record import CLEAN, Judged, Record, read_record, write_record
from benchmark.run_folder import FAILURE, read_run
from benchmark.run_sharing import share
from benchmark.severities import LADDER
from benchmark.variants import variants_of
from spectra_from_config import render_dataset, splits_of, vary_rows

METHODS = [
    *("cosine", "cross_correlation", "minirocket", "nearest_spectrum"),
    *("search_match", "smoothed_cosine"),
]
LEVELS = 1 + sum(len(rung.severities) for rung in LADDER)


class Trained:
    """A results folder with one run and the methods, in a temporary folder."""

    def __init__(self, root):
        self.config, self.results = root / "small.json", root / "results"
        classes = dataset_config_generator.draw_classes(
            datapoints=120, boundary=20, classes=4, max_peaks=3, min_height=10
        )
        self.config.write_text(json.dumps(classes))
        self.variation = SMALL._replace(n_train=40)
        render_dataset(self.config, root / "small", self.variation)
        given = ["--dataset", str(root / "small"), "--results", str(self.results)]
        script = [sys.executable, PROJECT / "train_models.py", *given]
        flags = ["--models", "vgg", "--seeds", "0", "--epochs", "3", "--threads", "1"]
        flags += ["--lr-patience", "1", "--min-delta", "9"]  # so the learning rate falls
        subprocess.run([*script, *flags], check=True, capture_output=True)
        given += ["--config", str(self.config), "--smoothing", "3", "--max-lag", "5"]
        given += ["--methods", *METHODS, "ideal_observer", "--minirocket-features", "168"]
        baselines.main(parse_flags(baselines, given))

    def flags(self, results=None):
        return ["--results", str(results or self.results), "--config", str(self.config)]

    def command(self, *flags):
        return [sys.executable, str(PROJECT / "robustness.py"), *self.flags(), *map(str, flags)]

    def judge_here(self, results):
        """Judge in this process; no network that has not answered yet may be left."""
        return robustness.main(parse_flags(robustness, [*self.flags(results), "--no-figures"]))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return Trained(tmp_path_factory.mktemp("robustness"))


@pytest.fixture(scope="module")
def judged(trained):
    """The results folder after a process that was killed, and two workers that went on.

    Returns it and what the first process had answered.
    """
    with subprocess.Popen(
        trained.command("--threads", 1), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as killed:
        for line in killed.stdout:
            if "artefact 3 of 11: strain" in line:
                break
        killed.send_signal(signal.SIGKILL)
    before = read_record(trained.results / "robustness/vgg-seed0")
    process = subprocess.run(
        trained.command("--workers", 2, "--threads", 1), capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    return trained.results, before


@pytest.fixture
def copy(judged, tmp_path):
    return shutil.copytree(judged[0], tmp_path / "copy")


def table(results):
    with open(results / "robustness.csv", newline="") as file:
        return list(csv.DictReader(file))


def rows_of(results, network):
    return {
        (row["artefact"], row["severity"]): row
        for row in table(results)
        if row["network"] == network
    }


def test_every_run_and_method_judges_every_artefact_at_five_severities(judged):
    results, _ = judged
    assert sorted(path.name for path in (results / "figures").iterdir()) == [
        f"{name}.{kind}" for name in ("artefacts", "robustness") for kind in ("pdf", "png")
    ]
    lines = table(results)
    assert sorted({line["network"] for line in lines}) == [*METHODS, "vgg"]
    assert len(lines) == (1 + len(METHODS)) * LEVELS
    for name in [*METHODS, "vgg"]:
        assert len(rows_of(results, name)) == LEVELS
    assert {len(rung.severities) for rung in LADDER} == {5}
    assert {line["spectra"] for line in lines} == {"36"}


def test_clean_spectra_are_those_of_the_dataset(judged):
    results, _ = judged
    recorded = read_run(results / "vgg-seed0").misclassified["test"].misclassified
    assert int(rows_of(results, "vgg")[CLEAN, "0"]["misclassified"]) == recorded


def test_spectra_have_the_artefact_and_nothing_else_beside_the_test_variants(judged, trained):
    """Rendered here in one piece and judged by cosine similarity: the counts are the same."""
    classes = read_class_file(trained.config)
    split = splits_of(classes, trained.variation)["test"]
    varied = vary_rows(classes, split, range(36))
    source = RandomSource(trained.variation.seed, 2, [(label, range(9)) for label in range(4)])
    ideal = np.load(trained.results.parent / "small/x_test.npy")[::9]
    ideal = ideal / np.linalg.norm(ideal, axis=1, keepdims=True)
    found = rows_of(judged[0], "cosine")
    counts = []
    for rung in LADDER:
        for severity in rung.severities:
            settings = rung.settings(severity, 120)
            spectra = render_with_artefacts(varied, settings, source, 120)
            wrong = np.count_nonzero((spectra @ ideal.T).argmax(axis=1) != np.arange(36) // 9)
            assert int(found[rung.artefact, f"{severity:g}"]["misclassified"]) == wrong
            counts.append(wrong)
    assert len(set(counts)) > 3


def test_methods_that_learn_do_so_from_the_training_spectra_of_the_dataset(judged, trained):
    splits = splits_of(classes := read_class_file(trained.config), trained.variation)
    for name in "train", "val":
        found = zip("xy", robustness.rendered(name, classes, splits), strict=True)
        for kind, rendered in found:
            array = np.load(trained.results.parent / f"small/{kind}_{name}.npy")
            np.testing.assert_array_equal(rendered, array)
            assert rendered.dtype == array.dtype
    for method in "nearest_spectrum", "minirocket":
        record = json.loads((trained.results / method / "baseline.json").read_text())
        clean = rows_of(judged[0], method)[CLEAN, "0"]["misclassified"]
        assert int(clean) == record["misclassified"]["test"]["misclassified"] < 18
        assert len({row["misclassified"] for row in rows_of(judged[0], method).values()}) > 3


def test_the_ideal_observer_is_left_out_with_its_reason(copy, trained, capsys):
    assert trained.judge_here(copy) == 0
    assert "not judged: ideal_observer, which knows nothing of" in capsys.readouterr().err


def test_killed_and_gone_on_with_workers_it_counts_what_one_process_does(judged, copy, trained):
    results, before = judged
    after = read_record(results / "robustness/vgg-seed0")
    assert 11 <= len(before.judged) < LEVELS
    assert after.judged[: len(before.judged)] == before.judged
    assert after.is_complete(robustness.tests_for(120))
    for method in METHODS:  # their answers need no TensorFlow, which would take its time
        shutil.rmtree(copy / "robustness" / method)
    assert trained.judge_here(copy) == 0
    for name in "robustness.csv", "robustness.md":
        assert (copy / name).read_bytes() == (results / name).read_bytes(), name


def test_a_run_whose_learning_rate_fell_is_judged(judged):
    """The weights' file restores that rate, which must not pass for another definition."""
    results, _ = judged
    last = (results / "vgg-seed0" / "history.csv").read_text().splitlines()[-1]
    assert float(last.rpartition(",")[2]) < 2e-4
    assert read_run(results / "vgg-seed0").definition
    assert rows_of(results, "vgg")


def test_answers_other_than_those_of_the_run_are_refused(copy, trained, capsys):
    shutil.rmtree(copy / "robustness" / "cosine")
    path = copy / "cosine" / "baseline.json"
    record = json.loads(path.read_text())
    record["misclassified"]["test"]["misclassified"] -= 3  # another processor might change 2
    path.write_text(json.dumps(record))
    assert trained.judge_here(copy) == 2
    assert "so network or spectra have changed" in capsys.readouterr().err
    assert not (copy / "robustness" / "cosine" / "counts.json").exists()
    record["misclassified"]["test"]["misclassified"] += 1
    path.write_text(json.dumps(record))
    assert trained.judge_here(copy) == 0


def test_a_network_that_has_changed_is_not_judged_with_its_old_weights(
    copy, trained, monkeypatch, capsys
):
    shutil.rmtree(copy / "robustness" / "vgg-seed0")
    run = read_run(copy / "vgg-seed0")
    other = run.definition | {"sha256": "0"}
    monkeypatch.setattr(robustness, "start_tensorflow", lambda *_: None)
    monkeypatch.setattr(robustness, "build", lambda *_: None)
    monkeypatch.setattr(robustness, "definition_of", lambda _: other)
    assert trained.judge_here(copy) == 2
    assert "was trained with another definition of vgg than model_imp" in capsys.readouterr().err


def test_what_is_judged_is_not_judged_again(copy, trained, capsys):
    path = copy / "robustness/vgg-seed0/counts.json"
    record = json.loads(path.read_text())
    record["judged"][-1]["misclassified"] = 1  # no network is needed to see that it stays
    path.write_text(json.dumps(record))
    record = json.loads((copy / "robustness/cosine/counts.json").read_text())
    record["judged"] = record["judged"][:11]
    (copy / "robustness/cosine/counts.json").write_text(json.dumps(record))
    before = rows_of(copy, "cosine")
    assert trained.judge_here(copy) == 0
    assert rows_of(copy, "vgg")["noise", "0.1"]["misclassified"] == "1"
    assert rows_of(copy, "cosine") == before
    said = capsys.readouterr().out
    assert "cosine, artefact 3 of 11: strain" in said
    assert "cosine, artefact 2 of 11" not in said
    assert "search_match, artefact" not in said


def test_after_the_ladder_has_been_shortened_nothing_is_judged_again(copy, trained, monkeypatch):
    shorter = [rung._replace(severities=rung.severities[:2]) for rung in LADDER[::-1]]
    for module in robustness, robustness_record, robustness_report:
        monkeypatch.setattr(module, "LADDER", shorter)
    monkeypatch.setattr(robustness, "judges_of", judges_that_do_not_judge(robustness.judges_of))
    before = {path.parent.name: rows_of(copy, path.parent.name) for path in copy.glob("*/*.json")}
    assert trained.judge_here(copy) == 0
    assert len(table(copy)) == (len(METHODS) + 1) * (1 + 2 * len(LADDER))
    for name in METHODS:
        rows = rows_of(copy, name)
        assert list(rows.values()) == [before[name][rung] for rung in rows]


def change_rung(monkeypatch, artefact, **changes):
    """Let the ladder have a rung other than before."""
    ladder = [r._replace(**changes) if r.artefact == artefact else r for r in LADDER]
    for module in robustness, robustness_record, robustness_report:
        monkeypatch.setattr(module, "LADDER", ladder)


def test_answers_to_other_artefacts_of_the_same_name_are_not_shown(
    copy, trained, monkeypatch, capsys
):
    """A network without weights cannot judge them; its answers of before are no longer right."""
    many = Artefacts(spikes=(30, 30), spike_heights=(1, 1))
    change_rung(monkeypatch, "spikes", settings=lambda severity, datapoints: many)
    (copy / "vgg-seed0/model.keras").unlink()
    monkeypatch.setattr(robustness, "start_tensorflow", lambda *_: None)
    monkeypatch.setattr(robustness, "build", lambda *_: None)
    monkeypatch.setattr(robustness, "definition_of", lambda _: None)
    assert trained.judge_here(copy) == 2
    assert "vgg-seed0 is left out" in capsys.readouterr().err
    assert not rows_of(copy, "vgg")
    assert rows_of(copy, "cosine")


def test_answers_that_are_still_right_survive_an_interruption(copy, trained, monkeypatch):
    change_rung(monkeypatch, "strain", severities=(0.001, 0.01, 0.02, 0.03, 0.04))
    monkeypatch.setattr(robustness, "tell", interrupted)
    before = read_record(copy / "robustness/cosine").judged
    with pytest.raises(KeyboardInterrupt):
        trained.judge_here(copy)
    after = read_record(copy / "robustness/cosine").judged
    assert len(after) == len(before)  # one is new, the one of before is of no test any more
    gone = [judged.test for judged in before if judged not in after]
    assert [test[:2] for test in gone] in ([], [("strain", 0.005)])


def interrupted(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("method", "settings", "words"),
    [
        ("cross_correlation", {"max_lag": 1.5}, "MAX_LAG is 1.5"),
        ("search_match", {"detection_height": 7}, "DETECTION_HEIGHT is 7"),
        ("smoothed_cosine", {"smoothing": 0}, "SMOOTHING is 0"),
        ("minirocket", {"minirocket_features": 99.5}, "MINIROCKET_FEATURES is 99.5"),
    ],
)
def test_damaged_settings_of_a_method_are_refused(copy, trained, method, settings, words):
    path = copy / method / "baseline.json"
    record = json.loads(path.read_text())
    record["settings"] |= settings
    path.write_text(json.dumps(record))
    with pytest.raises(InputError) as refused:
        trained.judge_here(copy)
    assert f"{method}/baseline.json" in str(refused.value)
    assert words in str(refused.value)


def test_settings_that_are_not_recorded_are_those_of_older_versions():
    old = Baseline(Path("smoothed_cosine"), "smoothed_cosine", 1, {}, {}, {"smoothing": 4})
    found = robustness.settings_of(old, datapoints=300)
    assert (found["smoothing"], found["max_lag"], found["detection_height"]) == (4, 50, 0.01)


def test_only_tests_that_may_be_empty_are_warned_of(tmp_path):
    """One class moves far, in one variant with its highest peak alone; the other stays near 0."""
    far = {"test_variants": [[0, 0], [-100, 0.1], [100, -1.0]]}
    spectra = {"0": {"peak_positions": [120, 180], "peak_heights": [1, 0.4]} | far}
    near = {"test_variants": [[0, 0], [10, 0.1]]}
    spectra["1"] = {"peak_positions": [20, 24], "peak_heights": [0.5, 1]} | near
    (tmp_path / "own.json").write_text(
        json.dumps({"datapoints": 300, "classes": 2, "spectra": spectra})
    )
    class_file = read_class_file(tmp_path / "own.json")
    tests = robustness.tests_for(300)
    variants = variants_of(class_file, SMALL)["test"]

    def empty(artefacts):
        return robustness.class_with_empty_tests(artefacts, class_file, variants)

    assert [empty(test.artefacts) for test in tests[1:]] == [None] * (LEVELS - 1)
    assert empty(Artefacts(strain=0.35)) is None
    assert empty(Artefacts(strain=0.36)) == 0  # 220 times 1.36 is more than 299
    assert empty(Artefacts(common_shift=24)) is None
    assert empty(Artefacts(common_shift=24.5)) == 1


def judges_that_do_not_judge(judges_of):
    def judges(*arguments):
        asleep = {"classifier": pytest.fail}
        return {folder: judge._replace(**asleep) for folder, judge in judges_of(*arguments).items()}

    return judges


def test_other_settings_are_judged_anew(copy, trained, capsys):
    path = copy / "cosine/baseline.json"
    baseline = json.loads(path.read_text())
    baseline["settings"]["smoothing"] = 4.0
    path.write_text(json.dumps(baseline))
    assert trained.judge_here(copy) == 0
    captured = capsys.readouterr()
    assert "cosine was judged with other weights or settings: anew" in captured.err
    assert "cosine, artefact 11 of 11: noise" in captured.out


def test_the_summary_is_the_mean_over_artefacts_and_severities(judged):
    results, _ = judged
    text = (results / "robustness.md").read_text()
    for name in [*METHODS, "vgg"]:
        rows = rows_of(results, name)
        clean = float(rows.pop((CLEAN, "0"))["accuracy"])
        average = mean(float(row["accuracy"]) for row in rows.values())
        assert f"| {name} | 1 | {average:.3f} | {clean:.3f} |" in text
    for rung in LADDER:
        assert rung.source in text
        assert rung.unit in text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("network", 3), ("seed", "a"), ("seed", 2**32), ("depends_on", [1])],
        *[("spectra", 0), ("judged", {})],
    ],
)
def test_a_damaged_record_is_refused_by_its_field(tmp_path, field, value):
    record = Record("vgg", seed=0, depends_on={}, spectra=9, judged=[])._asdict()
    (tmp_path / "counts.json").write_text(json.dumps(record | {field: value}))
    with pytest.raises(InputError, match=rf"counts.json is not what .*: {field} is "):
        read_record(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        *[{"settings": {"haze": 1}}, {"settings": {"noise": 0.1}}, {"settings": [0.1]}],
        *[{"misclassified": 10}, {"misclassified": -1}, {"more": 1}],
        *[{"severity": -0.1}, {"artefact": 3}],
    ],
)
def test_a_damaged_answer_is_refused(tmp_path, changes):
    entry = {"artefact": "noise", "severity": 0.1, "settings": {}, "misclassified": 9}
    record = Record("vgg", seed=0, depends_on={}, spectra=9, judged=[entry])._asdict()
    (tmp_path / "counts.json").write_text(json.dumps(record))
    assert read_record(tmp_path).judged[0].misclassified == 9
    record["judged"] = [entry | changes]
    (tmp_path / "counts.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match=r"counts.json is not what .*: judged holds "):
        read_record(tmp_path)


SHIPPED = sorted((PROJECT / "results/robustness").glob("*/robustness/*/counts.json"))


@pytest.mark.parametrize("path", SHIPPED, ids=["-".join(path.parts[-4:-1]) for path in SHIPPED])
def test_shipped_answers_are_to_the_tests_of_the_ladder(path, tmp_path):
    record = read_record(path.parent)
    assert record.is_complete(robustness.tests_for(1000))
    write_record(tmp_path, record)
    assert (tmp_path / "counts.json").read_bytes() == path.read_bytes()


def test_counts_of_other_weights_are_not_shown(copy, trained, capsys):
    (network,) = copy.glob("*-seed0")
    path = network / "run.json"
    record = json.loads(path.read_text())
    record["weights_sha256"] = "0" * 64
    path.write_text(json.dumps(record))
    (network / "model.keras").unlink()
    assert trained.judge_here(copy) > 0
    told = capsys.readouterr().err
    assert f"{network.name} is left out" in told
    assert "the same command goes on" not in told  # without the weights it does not
    assert not rows_of(copy, record["model"])
    assert rows_of(copy, "cosine")


def test_a_failure_is_told_and_the_others_are_judged(copy, trained, capsys):
    shutil.rmtree(copy / "robustness/search_match")
    (copy / "robustness/search_match").mkdir()
    (copy / "robustness/search_match/counts.json").write_text('{"network": 3}')
    assert trained.judge_here(copy) == 2
    captured = capsys.readouterr()
    assert "search_match/counts.json is not what robustness.py writes" in captured.err
    assert rows_of(copy, "cosine")
    shutil.rmtree(copy / "robustness/search_match")
    assert trained.judge_here(copy) == 0
    assert len(rows_of(copy, "search_match")) == LEVELS


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--results", "absent"], ["absent", "does not exist"]),
        (["--workers", "0"], ["WORKERS", "0", "from 1"]),
        (["--threads", "0"], ["THREADS", "0", "from 1"]),
    ],
)
def test_wrong_settings_are_refused_in_one_sentence(flags, words):
    with pytest.raises(InputError) as refused:
        robustness.main(parse_flags(robustness, flags))
    assert all(word in str(refused.value) for word in words)


def test_runs_on_own_arrays_are_refused(copy, trained):
    path = copy / "vgg-seed0/run.json"
    record = json.loads(path.read_text())
    record["dataset"]["class_file"] = record["dataset"]["variation"] = None
    path.write_text(json.dumps(record))
    with pytest.raises(InputError, match="without a class file"):
        trained.judge_here(copy)
    record["dataset"]["class_file"] = {"other": 4}
    path.write_text(json.dumps(record))
    with pytest.raises(InputError, match=r"not one that spectra_from_config\.py renders"):
        robustness.main(parse_flags(robustness, ["--results", str(copy)]))


def answered(artefact, severity, misclassified):
    """Return a Judged; of these numbers no artefacts are rendered."""
    return Judged(robustness_record.Test(artefact, severity, artefacts=None), misclassified)


def records():
    """Three seeds of a network, which get worse by severity, and a method that does not."""
    made = []
    for network, seed, step in ("vgg", 0, 2), ("vgg", 1, 4), ("vgg", 2, 9), ("cosine", None, 0):
        judged = [answered(CLEAN, 0, 0)]
        for rung in LADDER:
            for number, severity in enumerate(rung.severities, 1):
                judged.append(answered(rung.artefact, severity, step * number))
        made.append(Record(network, seed, {}, 100, judged))
    return made


def test_the_figure_shows_means_bands_and_dashed_methods():
    figure = robustness_report.draw(records())
    panels = [panel for panel in figure.axes if panel.lines]
    assert [panel.get_title(loc="left") for panel in panels] == [
        rung.artefact.replace("_", " ") for rung in LADDER
    ]
    for panel, rung in zip(panels, LADDER, strict=True):
        network, method = panel.lines
        np.testing.assert_allclose(network.get_ydata(), 1 - 0.05 * np.arange(6))
        assert (method.get_ydata() == 1).all()
        assert network.get_linestyle() == "-" != method.get_linestyle()
        band = panel.collections[0].get_paths()[0].vertices
        at_strongest = band[band[:, 0] == 5][:, 1]  # of the worst and the best seed
        assert (at_strongest.min(), at_strongest.max()) == pytest.approx((0.55, 0.9))
        texts = [label.get_text() for label in panel.get_xticklabels()]
        none = "∞" if rung.artefact == "counts" else "0"
        assert texts == [none, *(f"{severity:g}" for severity in rung.severities)]
        assert panel.get_xlabel() == rung.unit
    assert panels[0].get_ylabel() == "accuracy"
    styles = styles_of(figure)
    assert list(styles) == ["vgg", "cosine"]
    for name, line in zip(styles, panels[0].lines, strict=True):
        assert styles[name] == (line.get_color(), line.get_linestyle(), line.get_marker())


def test_the_figure_of_artefacts_shows_each_at_its_middle_severity():
    shown = robustness_report.ladder_to_show(1000)
    assert shown[0][0] == "lorentzian share *\nshare of a pseudo-Voigt peak: 0.6"
    assert [artefacts for _, artefacts, _ in shown] == [
        rung.settings(rung.severities[2], 1000) for rung in LADDER
    ]


def test_a_record_is_complete_with_the_last_severity():
    record = records()[0]
    tests = [judged.test for judged in record.judged]
    assert record.is_complete(tests)
    assert not record._replace(judged=record.judged[:-1]).is_complete(tests)
    last = record.judged[-1]
    other = last._replace(test=last.test._replace(artefacts=Artefacts(spikes=(30, 30))))
    for changed in (
        [*record.judged[:-1], record.judged[0]],
        record.judged[::-1],
        [*record.judged[:-1], other],
    ):
        assert not record._replace(judged=changed).is_complete(tests)


def test_what_is_misclassified_does_not_depend_on_how_many_are_classified_at_once(
    class_file, monkeypatch
):
    classes = read_class_file(class_file[0])
    split = splits_of(classes, SMALL)["test"]

    def first_class(spectra):
        return np.zeros(len(spectra), int)

    for numbers in 10**6, 5 * 120:
        monkeypatch.setattr(baselines, "CHUNK", numbers)
        assert robustness.misclassified(first_class, split, None, classes) == 27  # of 36


def test_the_mean_counts_every_artefact_alike():
    record = records()[0]
    for rung in LADDER:
        judged = [
            entry._replace(misclassified=10 if entry.test.artefact == rung.artefact else 0)
            for entry in record.judged
        ]
        mean_accuracy = record._replace(judged=judged).mean_accuracy()
        assert mean_accuracy == pytest.approx(1 - 0.1 / len(LADDER))


@pytest.mark.parametrize("networks", [1, 8])
def test_figures_are_readable(networks, trained):
    names = ["resnet:hidden_activation=relu", *"abcdefg"]
    many = [records()[0]._replace(network=name) for name in names[:networks]] + [
        records()[-1]._replace(network=method) for method in METHODS
    ]
    assert_nothing_clipped_or_small(robustness_report.draw(many))
    classes = read_class_file(trained.config)
    shown = robustness_report.ladder_to_show(classes.datapoints)
    figure = class_artefacts(classes, trained.variation, 0, shown)
    assert_nothing_clipped_or_small(figure)


def test_markdown_gives_deviations_over_seeds_best_network_first():
    text = robustness_report.markdown(records(), ["resnet-seed0"])
    lines = text.splitlines()
    assert "Left out, as they are not complete: resnet-seed0." in lines
    assert "| cosine | 1 | 1.000 | 1.000 |" in lines
    assert "| vgg | 3 | 0.850 ± 0.108 | 1.000 ± 0.000 |" in lines
    assert "| lorentzian share | 1.000 | 0.850 ± 0.108 |" in lines
    by_severity = "0.950 ± 0.036 | 0.900 ± 0.072 | 0.850 ± 0.108 | 0.800 ± 0.144 | 0.750 ± 0.180"
    assert lines.count(f"| vgg | 1.000 ± 0.000 | {by_severity} |") == len(LADDER)
    assert lines.index("| cosine | 1 | 1.000 | 1.000 |") < len(lines) - 1
    assert text.index("| cosine | 1 |") < text.index("| vgg | 3 |")


def test_networks_of_equal_means_stand_in_their_own_order():
    def record(network, accuracies):
        judged = [answered(CLEAN, 0, 0)]
        accuracies = itertools.cycle(accuracies)
        judged += [answered(r.artefact, s, next(accuracies)) for r in LADDER for s in r.severities]
        return Record(network, 0, {}, 1000, judged)

    for wrong in ((1, 2, 3, 4, 6), (7, 77, 777, 131, 13)):
        pair = [record("b", wrong), record("a", wrong[::-1])]
        assert [name for name, _ in robustness_report.best_first(pair)] == ["b", "a"]
        assert [name for name, _ in robustness_report.best_first(pair[::-1])] == ["a", "b"]


def test_the_csv_table_has_a_line_for_each_severity():
    lines = robustness_report.csv_table(records()).splitlines()
    assert lines[0] == "network,seed,artefact,severity,misclassified,spectra,accuracy"
    assert lines[1:3] == ["vgg,0,none,0,0,100,1.0", "vgg,0,lorentzian_share,0.2,2,100,0.98"]
    assert lines[-1] == "cosine,,noise,0.1,0,100,1.0"
    assert len(lines) == 1 + 4 * LEVELS


def test_markdown_says_whether_the_order_on_clean_spectra_holds_with_artefacts():
    def record(network, clean, dirty, seed=0):
        judged = [answered(CLEAN, 0, clean)]
        judged += [answered(r.artefact, s, dirty) for r in LADDER for s in r.severities]
        return Record(network, seed, {}, 100, judged)

    networks = [record("a", 0, 30), record("b", 5, 10), record("c", 9, 20)]
    method = record("cosine", 99, 99, seed=None)
    text = robustness_report.markdown([*networks, method], [])
    # Ranks 1 2 3 and 3 1 2 of the errors: rho = 1 - 6 (4 + 1 + 1) / (3 (9 - 1)).
    assert "rank correlation of `clean` and `mean` over the 3 networks: -0.50 (p = 1 " in text
    assert "rank correlation" not in robustness_report.markdown([*networks[:2], method], [])
    alike = [one._replace(judged=networks[0].judged) for one in networks]
    assert "rank correlation" not in robustness_report.markdown(alike, [])


def test_the_ladder_gets_worse_step_by_step_and_names_its_sources():
    for rung in LADDER:
        steps = np.diff(rung.severities)
        assert (steps < 0).all() if rung.artefact == "counts" else (steps > 0).all()
        assert rung.source
    assert Path(PROJECT, "dataset_configs/ladder100.json").exists()


def test_the_ladders_class_file_is_the_generators(run, tmp_path):
    flags = "--datapoints 1000 --boundary 60 --classes 100 --min-peaks 2 --max-peaks 6"
    flags += " --min-height 10 --output"
    process = run("dataset_config_generator.py", *flags.split(), tmp_path / "ladder100.json")
    assert process.returncode == 0, process.stderr
    shipped = PROJECT / "dataset_configs/ladder100.json"
    assert (tmp_path / "ladder100.json").read_bytes() == shipped.read_bytes()


def test_each_rung_switches_its_own_artefact_on():
    for rung in LADDER:
        on = names_of_those_on(rung.settings(rung.severities[2], 1000))
        assert on == ["peak_shape" if rung.artefact == "lorentzian_share" else rung.artefact]


def test_the_ladder_is_that_of_the_shipped_results():
    for name in "ladder100", "ladder100_artefacts":
        text = (PROJECT / "results/robustness" / name / "robustness.md").read_text()
        assert robustness_report.ladder_table() in text


def test_a_log_on_a_full_disk_ends_the_process_and_fails_no_run(tmp_path, monkeypatch):
    """Training does the same: a run that failed for this reason would pass for a bad one."""

    def judge(folder):
        robustness.tell(SimpleNamespace(disable=True), folder.name, CLEAN)

    with open("/dev/full", "w") as full:
        monkeypatch.setattr("sys.stdout", full)
        with pytest.raises(OSError, match="No space left") as error:
            share([tmp_path / "vgg-seed0", tmp_path / "vgg-seed1"], judge, alone=False)
        with suppress(OSError):
            full.close()
    assert error.value.filename == "standard output"
    assert not list(tmp_path.glob(f"*/{FAILURE}"))
