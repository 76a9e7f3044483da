import csv
import hashlib
import io
import json
import re
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import PROJECT, SMALL, assert_one_sentence, variation

import evaluate
import train_models
from benchmark import report, table_notes, tables
from benchmark.artefacts import Artefacts
from benchmark.baseline_folder import read_baselines
from benchmark.class_file import ClassFile
from benchmark.command_line import InputError, parse_flags
from benchmark.published_results import (
    PAPER_VARIATION,
    PUBLISHED,
    PublishedNetwork,
    published_beside,
    published_of,
)
from benchmark.results_folder import SHIPPED_MARK, read_results
from benchmark.run_folder import DatasetRecord, Protocol, read_run
from benchmark.true_classes import read_true_classes, sha256_of_npy, warn_of_other_labels

SPECTRA = {"val": 5000, "test": 4500, "test_wide": 4500}
LABELS = {split: np.repeat(np.arange(500), n // 500) for split, n in SPECTRA.items()}


def sha256_of_labels(labels):
    content = io.BytesIO()
    np.save(content, labels)
    return hashlib.sha256(content.getvalue()).hexdigest()


HASHES = {"x_train.npy": "a"}
for split, labels in LABELS.items():
    HASHES |= {f"x_{split}.npy": "x", f"y_{split}.npy": sha256_of_labels(labels)}
DATASET = {
    "name": "own",
    "datapoints": 5000,
    "classes": 500,
    "sha256": HASHES,
    "class_file": None,
    "variation": None,
}
PAPER = DATASET | {
    "class_file": {"name": "dataset500.json", "sha256": PUBLISHED["paper"].class_file},
    "variation": PAPER_VARIATION._replace(seed=7)._asdict(),
}
FOLLOWUP = DATASET | {
    "class_file": {"name": "followup500.json", "sha256": PUBLISHED["followup"].class_file},
    "variation": PUBLISHED["followup"].variation._replace(seed=7)._asdict(),
}
PROTOCOL = Protocol(
    **{name: vars(parse_flags(train_models, []))[name] for name in Protocol._fields}
)._asdict()


def write_run(results, model, seed, test, epochs=60, seconds=90.0, **changes):
    """Write a run with 1 misclassified validation spectrum, `test` and 3 * `test` of the others."""
    folder = results / f"{model}-seed{seed}"
    folder.mkdir(parents=True)
    counts = {"val": 1, "test": test, "test_wide": 3 * test}
    run = {
        "model": model,
        "seed": seed,
        "protocol": PROTOCOL,
        "dataset": DATASET,
        "weights": 10,
        "epochs": epochs,
        "best_epoch": epochs - 25,
        "seconds": seconds,
        "misclassified": {
            split: {"spectra": SPECTRA[split], "misclassified": wrong}
            for split, wrong in counts.items()
        },
        "environments": [],
        "weights_sha256": hashlib.sha256(f"{model} {seed}".encode(errors="replace")).hexdigest(),
    } | changes
    (folder / "run.json").write_text(json.dumps(run))
    names = "epoch", "accuracy", "loss", "val_accuracy", "val_loss", "learning_rate"
    rows = [",".join(names), *(f"{e},0.9,{1 / e},0.9,{1 / e},0.0003" for e in range(1, epochs + 1))]
    (folder / "history.csv").write_text("\n".join(rows) + "\n")
    for split, wrong in counts.items():
        predictions = LABELS[split].copy()
        predictions[:wrong] = (predictions[:wrong] + 1) % 500
        np.save(folder / f"{split}_predictions.npy", predictions)
        np.save(folder / f"{split}_confidences.npy", np.full(len(predictions), 0.75, np.float32))
    return folder


def write_baseline(results, name, test, settings=None):
    folder = write_run(results, name, 0, test)
    folder = folder.rename(results / name)
    for file in "run.json", "history.csv":
        (folder / file).unlink()
    counts = {"val": 1, "test": test, "test_wide": 3 * test}
    misclassified = {
        split: {"spectra": SPECTRA[split], "misclassified": wrong}
        for split, wrong in counts.items()
    }
    baseline = {"method": name, "seconds": 6, "misclassified": misclassified, "dataset": DATASET}
    baseline["settings"] = settings or {}
    (folder / "baseline.json").write_text(json.dumps(baseline))
    return folder


def table(results, letters=None):
    runs = read_results(results)
    baselines = read_baselines(results, runs[0])
    return tables.table(runs, baselines, LABELS, letters or {}, published_beside(runs[0]))


def test_table_gives_mean_spread_and_range_over_the_seeds(tmp_path):
    for seed, (test, epochs, seconds) in enumerate([(14, 75, 300), (10, 60, 60), (12, 66, 66)]):
        write_run(tmp_path, "vgg", seed, test, epochs, seconds)
    write_run(tmp_path, "cnn2", 0, 7)
    write_run(tmp_path, "mine", 0, 8)
    write_baseline(tmp_path, "cosine", 20)
    rows = table(tmp_path, {"vgg": "a"})
    assert [row.network for row in rows] == ["cnn2", "vgg", "mine", "cosine"]
    first, second = tables.counts_table(rows), tables.details_table(rows)
    assert tables.as_markdown(*first).splitlines() == [
        "| network | group | seeds | val: misclassified of 5000 | test: misclassified of 4500 "
        "| test_wide: misclassified of 4500 |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        "| cnn2 |  | 1 | 1 | 7 | 21 |",
        "| vgg | a | 3 | 1.0 ± 0.0 (1–1) | 12.0 ± 2.0 (10–14) | 36.0 ± 6.0 (30–42) |",
        "| mine |  | 1 | 1 | 8 | 24 |",
        "| cosine |  |  | 1 | 20 | 60 |",
    ]
    header, (_, vgg, _, cosine) = second
    assert header[-5:] == ["weights", "best epoch", "epochs", "seconds per epoch", "minutes"]
    assert vgg[-5:] == ["10", "42", "60–75", "2.0", "2.4"]
    assert cosine[-5:] == ["", "", "", "", "0.1"]
    (_, vgg, _, _) = csv.DictReader(tables.csv_table(rows, {"dataset": "own"}).splitlines())
    assert (vgg["test_mean"], vgg["test_std"]) == ("12", "2.0")
    assert (vgg["test_wide_min"], vgg["test_wide_max"], vgg["seeds"]) == ("30", "42", "3")
    assert float(vgg["test_accuracy"]) == pytest.approx(1 - 12 / 4500)


def test_latex_table_is_one_tabular_in_booktabs_style(tmp_path):
    write_run(tmp_path, "cnn_bn", 0, 7)
    write_run(tmp_path, "cnn_bn", 1, 9)
    rows = table(tmp_path)
    lines = tables.as_latex(*tables.counts_table(rows)).splitlines()
    assert lines[:2] == [r"\begin{tabular}{lrrrrr}", r"\toprule"]
    assert lines[3:] == [
        r"\midrule",
        r"cnn\_bn &  & 2 & 1.0 $\pm$ 0.0 (1--1) & 8.0 $\pm$ 1.4 (7--9) & "
        r"24.0 $\pm$ 4.2 (21--27) \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]
    assert r"99.98 \%" in tables.latex_tables(rows)


def test_macro_f1_is_the_mean_over_classes():
    labels = np.array([0, 0, 0, 1, 1, 2])
    predictions = np.array([0, 0, 1, 1, 1, 0])
    # class 0: TP 2, FP 1, FN 1; class 1: TP 2, FP 1, FN 0; class 2: TP 0
    expected = (2 * 2 / (2 * 2 + 2) + 2 * 2 / (2 * 2 + 1) + 0) / 3
    assert tables.macro_f1(predictions, labels, 3) == pytest.approx(expected)
    # Further classes that no spectrum has and none is taken for make no difference.
    assert tables.macro_f1(predictions, labels, 500) == pytest.approx(expected)


def test_accuracy_is_that_of_the_answers(tmp_path):
    write_run(tmp_path, "vgg", 0, 4)
    folder = write_baseline(tmp_path, "ideal_observer", 20)
    predictions = np.load(folder / "test_predictions.npy")
    predictions[-500:] = -1
    np.save(folder / "test_predictions.npy", predictions)
    record = json.loads((folder / "baseline.json").read_text())
    record["misclassified"]["test"]["unanswered"] = 500
    (folder / "baseline.json").write_text(json.dumps(record))
    _, observer = table(tmp_path)
    assert observer.scores["test"].accuracy == pytest.approx(1 - 20 / 4000)


def test_the_network_nearest_to_the_ideal_is_the_one_with_the_best_mean(tmp_path):
    for seed, (steady, lucky) in enumerate([(10, 1), (10, 30)]):
        write_run(tmp_path, "cnn6", seed, steady)
        write_run(tmp_path, "vgg", seed, lucky)
    write_baseline(tmp_path, "ideal_observer", 2)
    text = table_notes.distance_from_ideal(table(tmp_path))
    assert "- test: cnn6 misclassifies 10, the ideal observer 2 of 4500\n" in text
    rows = table(tmp_path)
    rows[-1].scores["test"] = rows[-1].scores["test"]._replace(unanswered=7)
    text = table_notes.distance_from_ideal(rows)
    assert re.findall("^- (.+):", text, re.MULTILINE) == ["val", "test_wide"]  # all answered


def test_papers_numbers_stand_beside_ours_on_the_papers_dataset_only(tmp_path):
    write_run(tmp_path / "paper", "cnn6", 0, 4, dataset=PAPER)
    write_run(tmp_path / "paper", "mine", 0, 5, dataset=PAPER)
    header, (cnn6, mine) = tables.counts_table(table(tmp_path / "paper"), PUBLISHED["paper"])
    assert header[-3] == "published: misclassified (see test_wide)"
    assert header[-2:] == ["published: epochs", "published: minutes"]
    assert cnn6[-4:] == ["12", "14 ± 2", "75–90", "30"]
    assert mine[-4:] == ["15", "", "", ""]
    cnn6 = read_results(tmp_path / "paper")[0]._replace(model=f"cnn6{SHIPPED_MARK}")
    (row,) = tables.table([cnn6], [], LABELS, {}, PUBLISHED["paper"])
    assert row.published.misclassified == "14 ± 2"
    changed = PAPER | {"variation": PAPER["variation"] | {"max_shift": 49}}
    write_run(tmp_path / "other", "cnn6", 0, 4, dataset=changed)
    assert "published" not in tables.markdown_tables(table(tmp_path / "other"))


def drawn_of(results):
    return evaluate.draw(evaluate.evaluate(results))


def test_papers_range_is_drawn_on_the_papers_dataset_only(tmp_path, monkeypatch):
    monkeypatch.chdir(PROJECT)
    write_run(tmp_path / "paper", "cnn6", 0, 4, dataset=PAPER)
    (panel, *_) = drawn_of(tmp_path / "paper")["misclassifications"].axes
    (bar,) = panel.patches
    assert (bar.get_x(), bar.get_x() + bar.get_width()) == (12, 16)  # 14 ± 2
    write_run(tmp_path / "own", "cnn6", 0, 4)
    (panel, *_) = drawn_of(tmp_path / "own")["misclassifications"].axes
    assert not panel.patches


def test_papers_range_is_not_drawn_beside_another_split(tmp_path, monkeypatch):
    monkeypatch.chdir(PROJECT)
    judged = {
        split: {"spectra": SPECTRA[split], "misclassified": wrong}
        for split, wrong in (("val", 1), ("test", 4))
    }
    write_run(tmp_path, "cnn6", 0, 4, dataset=PAPER, misclassified=judged)
    (panel, *_) = drawn_of(tmp_path)["misclassifications"].axes
    assert panel.get_xlabel() == "misclassified of 4500 spectra of test"
    assert not panel.patches


def test_runs_are_held_against_published_ones_on_the_split_of_these(tmp_path, monkeypatch):
    monkeypatch.chdir(PROJECT)
    alike = {"dataset": FOLLOWUP, "protocol": PROTOCOL | {"lr_factor": 0.1}}
    for seed, wrong in enumerate((35, 41, 33)):
        write_run(tmp_path, "cnn2", seed, wrong, **alike)  # judged on test_wide, too
        write_run(tmp_path, "mine", seed, wrong + 60, **alike)
        if seed < 2:
            write_run(tmp_path, "vgg", seed, wrong, **alike)
    monkeypatch.setattr(evaluate, "main_split", lambda labels: "val")  # without published ones
    evaluation = evaluate.evaluate(tmp_path)
    assert evaluation.shown == "test"
    assert {row.network: row.group for row in evaluation.rows} == {
        "cnn2": "a",
        "vgg": "",
        "mine": "b",
    }
    (found,) = evaluation.agreements  # the others are not published, or too few
    published = PUBLISHED["followup"].networks["cnn2"].runs
    assert (found.network, found.ours, found.published) == ("cnn2", [35, 41, 33], published)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"batch_size": 64}, "BATCH_SIZE 64, not 128"),
        ({"lr_factor": 0.1}, "LR_FACTOR 0.1, not 0.5"),
        ({"precision": "bfloat16"}, "PRECISION bfloat16, not float32"),
    ],
)
def test_results_of_papers_stand_only_beside_runs_of_their_protocol(
    tmp_path, monkeypatch, capsys, changes, words
):
    monkeypatch.chdir(PROJECT)
    write_run(tmp_path, "vgg", 0, 4, dataset=PAPER, protocol=PROTOCOL | changes)
    flags = ["--results", str(tmp_path), "--no-figures"]
    evaluate.main(parse_flags(evaluate, flags))
    printed = capsys.readouterr()
    assert words in printed.err
    assert "published" not in printed.out
    assert "published" not in (tmp_path / "table.md").read_text()


def test_runs_with_different_names_of_classes_are_refused(tmp_path):
    names = [f"class {n}" for n in range(500)]
    write_run(tmp_path, "vgg", 0, 4, dataset=DATASET | {"class_names": names})
    write_run(tmp_path, "cnn2", 0, 4, dataset=DATASET | {"class_names": names[::-1]})
    with pytest.raises(InputError, match="different names of classes"):
        evaluate.evaluate(tmp_path)


def test_confused_classes_of_both_test_splits_are_drawn(tmp_path, monkeypatch):
    monkeypatch.chdir(PROJECT)
    write_run(tmp_path, "cnn6", 0, 2, dataset=PAPER)
    (panel,) = drawn_of(tmp_path)["confused_classes"].axes
    # The first 2 spectra of class 0 in test, and the first 6 in test_wide.
    told = "classes 0 and 1: 8 spectra of test and test_wide confused in 1 run\n"
    assert told in panel.get_title("left")


def test_figure_of_cost_has_no_times_of_different_machines(tmp_path):
    one, two = ({"device": "CPU", "threads": threads} for threads in (1, 2))
    write_run(tmp_path, "cnn2", 0, 4, environments=[one])
    write_run(tmp_path, "vgg", 0, 4, environments=[one])
    assert drawn_of(tmp_path)["cost"].axes[0].get_xlabel() == "seconds per epoch"
    write_run(tmp_path, "vgg", 1, 4, environments=[two])
    (panel,) = drawn_of(tmp_path)["cost"].axes
    assert panel.get_xlabel() == "weights (million)"


def test_versions_that_differ_are_told(run, tmp_path):
    old, new = {"tensorflow": "2.10", "keras": "3"}, {"tensorflow": "2.21", "keras": "3"}
    write_run(tmp_path, "cnn2", 0, 4, environments=[{}])
    write_run(tmp_path, "vgg", 0, 4, environments=[old])
    run("evaluate.py", "--results", tmp_path, "--no-figures")
    assert "differs:" not in (tmp_path / "table.md").read_text()
    write_run(tmp_path, "vgg", 1, 4, environments=[old, new])
    run("evaluate.py", "--results", tmp_path, "--no-figures")
    told = "tensorflow differs: vgg with 2.10; vgg with 2.21; results may differ by that."
    assert told in (tmp_path / "table.md").read_text()


def test_runs_are_ordered_by_seed(tmp_path):
    for seed in 10, 2, 1:
        write_run(tmp_path, "vgg", seed, 4)
    assert [run.seed for run in read_results(tmp_path)] == [1, 2, 10]


def test_everything_the_manual_names_is_written(run, tmp_path):
    for model, tests in ("cnn6", (4, 5, 6)), ("vgg", (30, 32, 31)), ("cnn2", (5, 4, 6)):
        for seed, test in enumerate(tests):
            write_run(tmp_path, model, seed, test, dataset=PAPER)
    write_baseline(tmp_path, "search_match", 2)
    process = run("evaluate.py", "--results", tmp_path, cwd=PROJECT)
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    for name in "table.md", "significance.md", "misclassified.md", "figures/":
        assert f"{tmp_path}/{name}  " in process.stdout
    significance = (tmp_path / "significance.md").read_text()
    for split in "val", "test", "test_wide":
        assert f"## Which differences are real: {split}\n" in significance
    assert significance.count("| cnn2 − vgg | ") == 3
    with open(tmp_path / "significance.csv") as file:
        assert [row["split"] for row in csv.DictReader(file)] == ["val"] * 3 + ["test"] * 3 + [
            "test_wide"
        ] * 3
    assert "- a: cnn2, cnn6 are not shown to differ" in process.stdout
    assert (
        "\nIf the counts of all networks spread alike over the seeds, a true difference of 16"
        in process.stdout
    )
    assert "- b: vgg differs from all others compared" in process.stdout
    with open(tmp_path / "misclassified.csv") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(1 + 4 * n for n in (4, 5, 6, 30, 32, 31, 5, 4, 6))
    assert rows[0].keys() == {
        *("network", "seed", "split", "spectrum", "true_class", "predicted_class", "variant"),
        *("confidence", "reason"),
    }
    drawn = {path.name for path in (tmp_path / "figures").iterdir()}
    figures = "class_variation", "misclassifications", "learning_curves", "confused_classes", "cost"
    assert drawn == {f"{name}.{kind}" for name in figures for kind in ("png", "pdf")}
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert run("evaluate.py", "--results", tmp_path, cwd=PROJECT).returncode == 0
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_what_is_printed_fits_on_a_screen_and_explains_every_column(tmp_path, capsys):
    for network in PUBLISHED["paper"].networks:
        for seed in range(3):
            write_run(tmp_path, network, seed, 4 + seed, dataset=PAPER)
    for method in "cosine", "cross_correlation", "ideal_observer", "search_match":
        write_baseline(tmp_path, method, 2)
    evaluate.main(parse_flags(evaluate, ["--results", str(tmp_path)]))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 50
    header, *rows = lines[2:15]
    columns = re.split("  +", header)
    assert columns[3:6] == ["val of 5000", "test of 4500", "test_wide of 4500"]
    assert [row.split()[0] for row in rows][:2] == ["cnn2", "cnn3"]
    assert re.split("  +", rows[-1]) == ["search_match", "1", "2", "6"]
    explained = [line.partition(": ")[0] for line in lines[15:] if re.match(r"[a-z_]+: ", line)]
    assert explained == [column.partition(" of ")[0] for column in columns]
    assert "25 datapoints" in " ".join(lines) and "0.2 in height" in " ".join(lines)
    assert lines[-1].startswith("Next: ")


def test_the_next_step_depends_on_what_there_is(tmp_path, capsys):
    def said(*flags):
        flags = "--results", str(tmp_path), "--no-figures", *flags
        evaluate.main(parse_flags(evaluate, flags))
        return capsys.readouterr().out.partition("\nNext: ")[2]

    write_run(tmp_path, "vgg", 0, 4, dataset=PAPER)
    assert "baselines.py" in said()
    write_baseline(tmp_path, "cosine", 2)
    assert "--seeds 0 1 2" in said()
    for seed in 1, 2:
        write_run(tmp_path, "vgg", seed, 4, dataset=PAPER)
    write_run(tmp_path / "shipped", "cnn2", 0, 4, dataset=PAPER)
    assert "--seeds" not in said("--shipped", str(tmp_path / "shipped"))


def test_own_arrays_are_evaluated_with_the_labels_of_their_folder(run, tmp_path):
    labels = {split: y[::-1].copy() for split, y in LABELS.items()}
    hashes = HASHES | {f"y_{split}.npy": sha256_of_labels(y) for split, y in labels.items()}
    folder = write_run(tmp_path / "results", "vgg", 0, 4, dataset=DATASET | {"sha256": hashes})
    data = tmp_path / "data"
    data.mkdir()
    for split, y in labels.items():
        np.save(data / f"y_{split}.npy", y)
        predictions = np.load(folder / f"{split}_predictions.npy")[::-1]
        np.save(folder / f"{split}_predictions.npy", predictions)
    flags = "--results", tmp_path / "results", "--no-figures"
    process = run("evaluate.py", *flags, "--dataset", data)
    assert process.returncode == 0, process.stderr
    assert ["vgg", "1", "1", "4", "12"] in [line.split() for line in process.stdout.splitlines()]
    assert "| vgg |  | 1 | 1 | 4 | 12 |" in (tmp_path / "results" / "table.md").read_text()
    assert_one_sentence(run("evaluate.py", *flags), 2, "y_val.npy", "DATASET")
    np.save(data / "y_test.npy", labels["test"][::-1])
    process = run("evaluate.py", *flags, "--dataset", data)
    assert_one_sentence(process, 2, "y_test.npy", "SHA-256")


def test_predictions_that_do_not_fit_the_run_are_refused(run, tmp_path):
    path = write_run(tmp_path, "vgg", 0, 4) / "test_predictions.npy"
    flags = "--results", tmp_path, "--no-figures"
    content = path.read_bytes()
    path.write_bytes(content[:-9])
    assert_one_sentence(run("evaluate.py", *flags), 2, path, "truncated")
    good = np.load(io.BytesIO(content))
    for bad in LABELS["test"], good.astype(float), np.where(good == good[0], 500, good):
        np.save(path, bad)
        assert_one_sentence(run("evaluate.py", *flags), 2, path, "0 to 499", "4 of them wrong")
    path.unlink()
    assert_one_sentence(run("evaluate.py", *flags), 2, path, "does not exist")
    assert not (tmp_path / "table.md").exists()


def test_confidences_that_do_not_fit_the_run_are_refused(run, tmp_path):
    path = write_run(tmp_path, "vgg", 0, 4) / "test_confidences.npy"
    flags = "--results", tmp_path, "--no-figures"
    np.save(path, np.ones(7, np.float32))
    assert_one_sentence(run("evaluate.py", *flags), 2, path, "(7,)", "(4500,)")
    np.save(path, np.full(4500, "sure"))
    assert_one_sentence(run("evaluate.py", *flags), 2, path, "type <U4")
    np.save(path, np.append(np.ones(4499), np.nan))
    assert_one_sentence(run("evaluate.py", *flags), 2, path, "row 4499: nan", "0 to 1")
    path.unlink()
    assert_one_sentence(run("evaluate.py", *flags), 2, path, "does not exist")
    assert not (tmp_path / "table.md").exists()


def test_baselines_of_other_data_are_refused(run, tmp_path):
    write_run(tmp_path, "vgg", 0, 4)
    path = write_baseline(tmp_path, "cosine", 3) / "baseline.json"
    baseline = json.loads(path.read_text())
    baseline["dataset"]["sha256"]["x_test.npy"] = "another"
    path.write_text(json.dumps(baseline))
    process = run("evaluate.py", "--results", tmp_path)
    assert_one_sentence(process, 2, path, "another x_test.npy")
    for damage in {}, baseline | {"seconds": "6"}, baseline | {"dataset": {"sha256": []}}:
        path.write_text(json.dumps(damage))
        assert_one_sentence(run("evaluate.py", "--results", tmp_path), 2, path, "baselines.py")


def test_another_class_file_is_refused(run, tmp_path):
    write_run(tmp_path / "r", "vgg", 0, 4, dataset=PAPER)
    changed = tmp_path / "dataset500.json"
    shutil.copy(PROJECT / "dataset_configs" / "quick.json", changed)
    process = run("evaluate.py", "--results", tmp_path / "r", "--config", changed)
    assert_one_sentence(process, 2, "CONFIG", changed, "SHA-256")


def test_the_papers_variation_is_the_default_of_spectra_from_config():
    assert variation() == PAPER_VARIATION


def test_runs_of_different_data_or_protocols_never_share_a_table(tmp_path):
    write_run(tmp_path, "vgg", 0, 10)
    other = write_run(tmp_path, "vgg", 1, 10, protocol=PROTOCOL | {"batch_size": 64})
    with pytest.raises(InputError, match="different protocols"):
        read_results(tmp_path)
    run = json.loads((other / "run.json").read_text())
    run |= {
        "protocol": PROTOCOL,
        "dataset": DATASET | {"sha256": HASHES | {"x_train.npy": "b"}},
    }
    (other / "run.json").write_text(json.dumps(run))
    with pytest.raises(InputError, match=r"differ in the dataset file x_train\.npy"):
        read_results(tmp_path)
    del run["dataset"]["sha256"]["x_train.npy"]
    (other / "run.json").write_text(json.dumps(run))
    with pytest.raises(InputError, match=r"differ in the dataset file x_train\.npy"):
        read_results(tmp_path)


def test_runs_that_have_not_judged_a_further_split_are_named(tmp_path):
    write_run(tmp_path, "vgg", 0, 10)
    other = write_run(tmp_path, "vgg", 1, 10)
    run = json.loads((other / "run.json").read_text())
    run["dataset"]["sha256"]["x_test_mine.npy"] = "a"
    (other / "run.json").write_text(json.dumps(run))
    with pytest.raises(
        InputError, match=r"vgg-seed0 has not judged test_mine, as .*vgg-seed1 has; run train_mod"
    ):
        read_results(tmp_path)


def test_seeds_of_one_network_are_different_runs_of_it(run, tmp_path):
    original = write_run(tmp_path, "vgg", 0, 10)
    write_run(tmp_path, "vgg", 1, 12)
    copy = shutil.copytree(original, tmp_path / "vgg-copy")
    process = run("evaluate.py", "--results", tmp_path)
    assert_one_sentence(process, 2, original, copy, "vgg", "seed 0")
    shutil.rmtree(copy)
    other = write_run(tmp_path, "vgg", 2, 11, weights=99)
    process = run("evaluate.py", "--results", tmp_path)
    assert_one_sentence(process, 2, original, other, "10", "99", "not the same network")


def test_runs_judged_on_different_splits_never_share_a_table(run, tmp_path):
    one = write_run(tmp_path, "vgg", 0, 10)
    path = write_run(tmp_path, "vgg", 1, 10) / "run.json"
    content = json.loads(path.read_text())
    del content["misclassified"]["test"]
    path.write_text(json.dumps(content))
    process = run("evaluate.py", "--results", tmp_path)
    assert_one_sentence(process, 2, one, path.parent, "different splits")


def test_a_network_that_was_compared_with_none_is_not_said_to_differ(run, tmp_path):
    for seed, test in enumerate((4, 5, 6)):
        write_run(tmp_path, "cnn6", seed, test)
    write_run(tmp_path, "vgg", 0, 30)
    process = run("evaluate.py", "--results", tmp_path, "--no-figures")
    assert "Not compared: cnn6, vgg. A comparison takes three seeds" in process.stdout
    assert "differs" not in process.stdout
    for name in "significance.csv", "misclassified.csv":
        assert len((tmp_path / name).read_text().splitlines()[0].split(",")) >= 9


def test_without_errors_the_tables_say_so(run, tmp_path):
    folder = write_run(tmp_path, "vgg", 0, 0)
    content = json.loads((folder / "run.json").read_text())
    content["misclassified"]["val"]["misclassified"] = 0
    (folder / "run.json").write_text(json.dumps(content))
    np.save(folder / "val_predictions.npy", LABELS["val"])
    process = run("evaluate.py", "--results", tmp_path, "--no-figures")
    assert process.returncode == 0, process.stderr
    misclassified = (tmp_path / "misclassified.md").read_text()
    assert misclassified == "## Why spectra are misclassified\n\nNone is.\n"
    assert len((tmp_path / "misclassified.csv").read_text().splitlines()) == 1


def test_times_of_different_machines_or_threads_are_said_to_be_so(run, tmp_path):
    one, two = ({"device": "CPU", "threads": threads} for threads in (1, 2))
    write_run(tmp_path, "cnn2", 0, 4, environments=[one])
    write_run(tmp_path, "vgg", 0, 4, environments=[one, one])
    flags = "--results", tmp_path, "--no-figures"
    assert run("evaluate.py", *flags).returncode == 0
    assert "not comparable" not in (tmp_path / "table.md").read_text()
    write_run(tmp_path, "vgg", 1, 4, environments=[one, two])
    said = "Times are not comparable: cnn2, vgg on CPU, threads: 1; vgg on CPU, threads: 2."
    assert run("evaluate.py", *flags).returncode == 0
    assert said in (tmp_path / "table.md").read_text()


def test_figures_of_an_earlier_evaluation_are_warned_of_where_none_are_drawn(run, tmp_path):
    write_run(tmp_path, "vgg", 0, 4)
    assert run("evaluate.py", "--results", tmp_path).stderr == ""
    process = run("evaluate.py", "--results", tmp_path, "--no-figures")
    assert_one_sentence(process, 0, "warning", "figures", "earlier evaluation")


def test_figures_of_an_earlier_evaluation_do_not_stay_beside_new_tables(run, tmp_path):
    folder = write_run(tmp_path, "vgg", 0, 3, dataset=PAPER)
    assert run("evaluate.py", "--results", tmp_path, cwd=PROJECT).returncode == 0
    assert (tmp_path / "figures" / "class_variation.pdf").exists()
    content = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(content | {"dataset": DATASET}))
    process = run("evaluate.py", "--results", tmp_path)
    assert process.returncode == 0, process.stderr
    names = {path.stem for path in (tmp_path / "figures").iterdir()}
    assert names == {"misclassifications", "learning_curves", "cost"}


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", b"epoch,loss\n1,2\n"])
def test_tables_stay_as_they_were_if_a_figure_cannot_be_drawn(run, tmp_path, content):
    history = write_run(tmp_path, "vgg", 0, 3) / "history.csv"
    history.unlink()
    if content:
        history.write_bytes(content)
    assert_one_sentence(run("evaluate.py", "--results", tmp_path), 2, history)
    assert not (tmp_path / "table.md").exists()


def without(*keys):
    """Return a function that removes a nested field from a JSON text."""

    def remove(text):
        content = json.loads(text)
        place = content
        for key in keys[:-1]:
            place = place[key]
        del place[keys[-1]]
        return json.dumps(content)

    return remove


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda text: text[:40], ["not valid JSON"]),
        (lambda text: "[]", ["holds a list"]),
        (lambda text: "[" * 100_000, ["not valid JSON"]),
        (lambda text: text.replace('"environments": []', '"environments": [1]'), ["environments"]),
        (lambda text: text.replace('"seconds": 90.0', '"seconds": null'), ["seconds is None"]),
        (lambda text: text.replace('"misclassified": 10', '"misclassified": 4501'), ["4501"]),
        (lambda text: text.replace('"misclassified": 10', '"misclassified": "10"'), ["'10'"]),
        (lambda text: text.replace('"epochs": 60', '"epochs": 0'), ["epochs is 0"]),
        (
            lambda text: text.replace('"best_epoch": 35', '"best_epoch": 61'),
            ["best_epoch is 61", "1 to its epochs"],
        ),
        (lambda text: re.sub('"seconds": [0-9.]+', '"seconds": 0', text), ["seconds is 0"]),
        (
            lambda text: text.replace('"classes": 500', '"classes": 0'),
            ["classes", "0", "1 or more"],
        ),
        (lambda text: json.dumps(json.loads(text) | {"misclassified": {}}), ["misclassified"]),
        (
            lambda text: text.replace('"misclassified": 10', '"tied": 9, "misclassified": 10'),
            ["misclassified test is", "accepted: misclassified and spectra"],
        ),
        (lambda text: json.dumps(json.loads(text) | {"definition": "a"}), ["definition is 'a'"]),
        (
            lambda text: text.replace('"environments": []', '"environments": [{"keras": ["x"]}]'),
            ["environments", "texts and numbers"],
        ),
        (
            lambda text: text.replace('"environments": []', r'"environments": [{"k": "\ud800"}]'),
            ["environments", "texts and numbers"],
        ),
        (
            lambda text: text.replace('"batch_size": 128', '"batch_size": 0'),
            ["batch_size of its protocol is 0"],
        ),
        (
            lambda text: text.replace('"batch_size": 128', '"batch_size": 8.0'),
            ["batch_size of its protocol is 8.0"],
        ),
        (without("dataset", "classes"), ["classes"]),
        (without("dataset", "datapoints"), ["datapoints of its dataset are None"]),
        (without("dataset", "sha256"), ["sha256"]),
        (without("misclassified", "test", "spectra"), ["test"]),
    ],
)
def test_damaged_results_end_in_one_sentence(run, tmp_path, damage, words):
    path = write_run(tmp_path, "vgg", 0, 10) / "run.json"
    path.write_text(damage(path.read_text()))
    assert_one_sentence(run("evaluate.py", "--results", tmp_path), 2, path, *words)
    assert not (tmp_path / "table.md").exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("class_file", {"other": 4}),
        ("class_file", {"name": None, "sha256": ""}),
        ("variation", {"max_shift": 3, "other": 4}),
        ("variation", PAPER["variation"] | {"max_shift": "abc"}),
        ("variation", PAPER["variation"] | {"kernel_range": [2]}),
    ],
)
def test_a_dataset_that_is_not_as_rendered_ends_in_one_sentence(run, tmp_path, field, value):
    write_run(tmp_path, "vgg", 0, 10, dataset=PAPER | {field: value})
    process = run("evaluate.py", "--results", tmp_path, cwd=PROJECT)
    words = value.keys() & {"max_shift", "kernel_range"} if len(value) > 2 else [field]
    assert_one_sentence(process, 2, "spectra_from_config.py")
    assert any(word in process.stderr for word in words)
    absent = {"class_file": PAPER["class_file"] | {"name": "absent.json"}}
    write_run(tmp_path / "absent", "vgg", 0, 10, dataset=PAPER | absent | {field: value})
    process = run("evaluate.py", "--results", tmp_path / "absent", cwd=PROJECT)
    assert_one_sentence(process, 2, "spectra_from_config.py")


def test_missing_results_end_in_one_sentence(run, tmp_path):
    absent = run("evaluate.py", "--results", tmp_path / "absent")
    assert_one_sentence(absent, 2, "absent", "does not exist")
    (tmp_path / "file").touch()
    process = run("evaluate.py", "--results", tmp_path / "file")
    assert_one_sentence(process, 2, tmp_path / "file", "is a file")
    assert_one_sentence(run("evaluate.py", "--results", tmp_path), 2, "no finished run")


def test_a_file_in_the_place_of_the_figures_is_told_before_anything_is_replaced(run, tmp_path):
    write_run(tmp_path, "vgg", 0, test=10)
    (tmp_path / "figures").touch()
    process = run("evaluate.py", "--results", tmp_path)
    assert_one_sentence(process, 2, tmp_path / "figures", "a folder, not a file")
    assert not (tmp_path / "table.md").exists()


def test_every_version_that_differs_is_told():
    for name in "tensorflow", "keras", "onednn", "benchmark":
        runs = [
            SimpleNamespace(model=m, environments=[{name: v}]) for m, v in (("a", "1"), ("b", "2"))
        ]
        assert f"{name} differs: a with 1; b with 2; results may" in table_notes.versions_text(runs)


def test_no_macro_f1_where_answers_are_tied(tmp_path):
    write_run(tmp_path, "vgg", 0, 4)
    folder = write_baseline(tmp_path, "ideal_observer", 20)
    record = json.loads((folder / "baseline.json").read_text())
    record["misclassified"]["test"]["tied"] = 2
    (folder / "baseline.json").write_text(json.dumps(record))
    _, observer = table(tmp_path)
    assert observer.scores["test"].macro_f1 is None
    assert observer.scores["val"].macro_f1 is not None


def test_each_test_split_is_described_by_its_own_change():
    classes, limits = ClassFile(100, [], [], "", {}), variation()
    assert "up to 0.02 in height" in report.meaning_of("test", classes, limits)
    assert "up to 0.2 in height" in report.meaning_of("test_wide", classes, limits)


def test_measured_splits_are_described_by_what_they_are_for():
    for classes in None, ClassFile(100, [], [], "", {}):
        measured = report.meaning_of("test_measured", classes, variation())
        assert measured.startswith("measured spectra;")
        assert measured.endswith("only at the end, and no setting is chosen by them")
        chosen_by = report.meaning_of("test_measured_val", classes, variation())
        assert chosen_by.startswith("measured spectra; settings may be chosen by them")
    assert report.meaning_of("test_mine", None, None).startswith("a test split; networks see it")


def test_nothing_is_said_of_how_own_spectra_vary():
    classes = ClassFile(100, [], [], "", {})
    rendered_without = variation()._replace(wide_test=False)
    own = report.meaning_of("test_wide", classes, rendered_without)
    assert own == report.meaning_of("test_mine", classes, rendered_without)
    assert "vary" not in report.meaning_of("val", None, None)
    assert "vary as training spectra" in report.meaning_of("val", classes, rendered_without)


def test_own_variants_are_described():
    classes = ClassFile(100, [], [], "", {0: []})
    assert report.meaning_of("test", classes, variation()).startswith(
        "test spectra, varied as the class file"
    )


def test_the_network_with_fewest_seeds_decides(tmp_path):
    for seed in range(3):
        write_run(tmp_path, "vgg", seed, 4)
    write_run(tmp_path, "cnn2", 0, 4)
    assert "--seeds 0 1 2" in report.next_step(table(tmp_path), None)


def test_unanswered_is_explained(tmp_path):
    write_run(tmp_path, "vgg", 0, 4)
    write_baseline(tmp_path, "ideal_observer", 20)
    rows = table(tmp_path)
    scores = rows[-1].scores
    scores["test"] = scores["test"]._replace(unanswered=7)
    text = report.report_text("x", rows, "test", None, None, None)
    assert "\nanswered: spectra that" in text
    assert f"20 of {4500 - 7} answered" in text
    (_, counts), (_, details) = tables.counts_table(rows), tables.details_table(rows)
    assert f"20 of {4500 - 7} answered" in counts[-1]
    number = list(scores).index("test")
    assert details[-1][1 + number] == ""  # of other spectra than those of the networks
    assert details[0][1 + number].endswith("%, 0.9991")


def test_seeds_are_named_unless_they_are_the_first_ones_of_every_network(tmp_path):
    for seed in range(3):
        write_run(tmp_path, "vgg", seed, 4)
        write_run(tmp_path, "cnn2", seed, 4)
    assert table_notes.seeds_text(read_results(tmp_path)) == ""
    write_run(tmp_path, "vgg", 3, 4)
    assert "\nSeeds: cnn2 0, 1, 2; vgg 0, 1, 2, 3. " in table_notes.seeds_text(
        read_results(tmp_path)
    )
    for folder in "vgg-seed1", "vgg-seed2", "cnn2-seed0", "cnn2-seed2":
        shutil.rmtree(tmp_path / folder)
    write_run(tmp_path, "cnn2", 2, 4)
    assert "\nSeeds: cnn2 1, 2; vgg 0, 3. " in table_notes.seeds_text(read_results(tmp_path))


def test_training_that_ended_before_its_patience_is_told(tmp_path):
    write_run(tmp_path, "vgg", 0, 4, epochs=500, best_epoch=475)
    assert table_notes.cut_off_text(read_results(tmp_path)) == ""
    write_run(tmp_path, "vgg", 1, 4, epochs=500, best_epoch=476)
    write_run(tmp_path, "cnn2", 0, 4, epochs=499, best_epoch=490)
    text = table_notes.cut_off_text(read_results(tmp_path))
    assert "Runs that EPOCHS 500 ended before early stopping did: vgg 1 of 2. " in text
    shutil.rmtree(tmp_path / "cnn2-seed0")
    text = table_notes.cut_off_text(read_results(tmp_path))
    assert "before early stopping did: vgg 1 of 2. " in text
    shutil.rmtree(tmp_path / "vgg-seed0")
    text = table_notes.cut_off_text(read_results(tmp_path))
    assert "Runs that EPOCHS 500 ended before early stopping did: all. " in text


def test_every_table_says_which_spectra_and_protocol_it_is_about(run, tmp_path):
    write_run(tmp_path, "vgg", 0, 4, protocol=PROTOCOL | {"precision": "bfloat16", "epochs": 40})
    write_baseline(tmp_path, "cross_correlation", 20, settings={"max_lag": 3, "smoothing": 9})
    process = run("evaluate.py", "--results", tmp_path, "--no-figures")
    protocol = "the paper's but for EPOCHS 40, PRECISION bfloat16"
    lines = "".join(f"{HASHES[name]}  {name}\n" for name in sorted(HASHES))
    checksum = hashlib.sha256(lines.encode()).hexdigest()
    sentence = f"Dataset own, checksum {checksum[:16]}…; protocol: {protocol}."
    for text in process.stdout, (tmp_path / "table.md").read_text():
        text = " ".join(text.split())
        assert sentence in text
        assert "Methods: cross_correlation with MAX_LAG 3." in text
    with open(tmp_path / "table.csv") as file:
        for row in csv.DictReader(file):
            origin = row["dataset"], row["checksum"], row["protocol"]
            assert origin == ("own", checksum, protocol)


def test_labels_that_number_classes_otherwise_are_warned_of(capsys):
    y = LABELS["test"]
    unlearned = np.full(len(y), 7)  # what a network gives that has learned nothing
    for predictions, told in (
        ([(y + 1) % 500], "misclassifies 4500, but only 0 if classes had other numbers"),
        ([unlearned, (y + 1) % 500, y * 0], None),  # the best run has learned nothing
        ([(y + 1) % 500, unlearned], None),
        ([np.where(y < 200, (y + 1) % 200, y)], None),  # most are right
        ([unlearned], None),
        ([np.random.default_rng(0).permutation(y)], None),
    ):
        warn_of_other_labels({"test": np.array(predictions)}, {"test": y}, 500)
        warning = capsys.readouterr().err
        assert told in warning if told else warning == ""
    single = np.arange(500)  # a spectrum of each class says nothing about their numbers
    warn_of_other_labels({"test": (single[None] + 1) % 500}, {"test": single}, 500)
    assert capsys.readouterr().err == ""
    two = np.repeat([3, 5], 4)  # of the 500 classes, but with enough spectra of each
    warn_of_other_labels({"test": two[None, ::-1]}, {"test": two}, 500)
    assert "misclassifies 8, but only 0 if classes had other numbers" in capsys.readouterr().err


def test_a_run_of_another_seed_with_the_same_weights_is_a_copy(run, tmp_path):
    write_run(tmp_path, "vgg", 0, 10, weights_sha256="a")
    write_run(tmp_path, "vgg", 1, 10, weights_sha256="a")
    process = run("evaluate.py", "--results", tmp_path, "--no-figures")
    assert_one_sentence(process, 2, "vgg-seed0", "vgg-seed1", "the same weights, so one is a copy")


def test_one_network_under_two_names_and_two_under_one_are_refused(tmp_path):
    one, two = ({"keras": "3", "sha256": sha256} for sha256 in "ab")
    write_run(tmp_path / "names", "vgg", 0, 10, definition=one)
    write_run(tmp_path / "names", "vgg:kernel=5", 1, 10, definition=one)
    with pytest.raises(InputError, match="vgg and vgg:kernel=5 are one network under two names"):
        read_results(tmp_path / "names")
    write_run(tmp_path / "seeds", "vgg", 0, 10, definition=one)
    write_run(tmp_path / "seeds", "vgg", 1, 10, definition=two)
    with pytest.raises(
        InputError, match=r"vgg-seed0 and .*vgg-seed1 are of different definitions of vgg"
    ):
        read_results(tmp_path / "seeds")
    write_run(tmp_path / "keras", "vgg", 0, 10, definition=one)
    write_run(tmp_path / "keras", "vgg", 1, 10, definition=two | {"keras": "4"})
    assert len(read_results(tmp_path / "keras")) == 2


def test_published_results_stand_beside_nothing_but_the_spectra_they_are_for(tmp_path, capsys):
    hashes = HASHES | PUBLISHED["paper"].sha256
    own = PAPER | {"variation": PAPER_VARIATION._asdict(), "sha256": hashes}
    write_run(tmp_path / "same", "vgg", 0, 10, dataset=own)
    (same,) = read_results(tmp_path / "same")
    assert published_beside(same) == PUBLISHED["paper"]
    assert published_of(same.dataset._replace(variation=None)) is None
    for name in PUBLISHED["paper"].sha256:
        dataset = own | {"sha256": hashes | {name: "z"}}
        write_run(tmp_path / name, "vgg", 0, 10, dataset=dataset)
        (other,) = read_results(tmp_path / name)
        assert published_beside(other) is None
        evaluate.tell_other_protocol(other)
        assert f"whose {name} is not what class file, variation and" in capsys.readouterr().err


def test_constants_that_change_no_test_spectrum_hide_no_published_results(tmp_path):
    """All classes of the challenge set have test variants of their own, whatever TEST_SHIFT is."""
    published = PUBLISHED["challenge"]
    variation = published.variation._replace(test_shift=30, test_height_change=0.03)
    own = {"class_file": {"name": "c.json", "sha256": published.class_file}}
    own |= {"variation": variation._asdict(), "sha256": HASHES | published.sha256}
    write_run(tmp_path / "same", "vgg", 0, 10, dataset=DATASET | own)
    (same,) = read_results(tmp_path / "same")
    assert published_of(same.dataset) == published
    others = same.dataset.sha256 | {"x_test.npy": "z"}
    assert published_of(same.dataset._replace(sha256=others)) is None
    trained = same.dataset.variation | {"max_shift": 40}
    assert published_of(same.dataset._replace(variation=trained)) is None


def test_published_numbers_are_those_of_table_2():
    networks = PUBLISHED["paper"].networks
    assert {n: r.misclassified for n, r in networks.items()} == {
        "cnn2": "30 ± 2",
        "cnn3": "33 ± 10",
        "cnn6": "14 ± 2",
        "vgg": "30 ± 10",
        "cnn_bn": "95 ± 35",
        "resnet": "25 ± 7",
        "inc3": "32 ± 9",
        "inc6": "27 ± 7",
    }


def test_published_runs_are_summed_up_by_mean_and_sample_deviation():
    network = PublishedNetwork(runs=[3, 1, 8])  # deviations -1, -3, 4: variance 26 / 2
    assert network.mean_and_deviation() == pytest.approx((4, 13**0.5))
    assert network.text() == "4.0 ± 3.6 (1–8)"
    assert network.range() == pytest.approx((4 - 13**0.5, 4 + 13**0.5))
    assert PublishedNetwork(misclassified="3 ± 5").range() == (0, 8)


def test_a_missing_class_file_is_warned_of(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "r", "vgg", 0, 4, dataset=PAPER)
    record = read_run(tmp_path / "r/vgg-seed0").dataset
    assert evaluate.classes_of(record, None) == (None, None)
    assert (
        "dataset500.json does not exist, so misclassifications are not" in capsys.readouterr().err
    )


def test_reasons_say_what_they_ignore():
    dirty = SMALL._replace(artefacts=Artefacts(noise=(0, 0.1), strain=0.01))
    assert evaluate.artefacts_text(dirty).endswith(
        "artefacts of the training spectra: strain, noise.\n"
    )
    assert evaluate.artefacts_text(SMALL) == ""


def test_an_agreement_of_an_earlier_evaluation_goes(tmp_path):
    write_run(tmp_path, "vgg", 0, 4)
    (tmp_path / "agreement.md").write_text("of earlier runs")
    evaluate.main(parse_flags(evaluate, ["--results", str(tmp_path), "--no-figures"]))
    assert not (tmp_path / "agreement.md").exists()


def test_labels_of_a_dataset_that_is_named_are_those_that_the_runs_were_judged_by(tmp_path):
    ordered, others = np.repeat(np.arange(3), 4), np.repeat(np.arange(3), 4)[::-1]
    dataset = DatasetRecord("own", 10, 3, None, None, {"y_test.npy": sha256_of_npy(ordered)})
    np.testing.assert_array_equal(read_true_classes(dataset, "test", spectra=12), ordered)
    np.save(tmp_path / "y_test.npy", others)
    with pytest.raises(InputError, match=r"y_test\.npy is not the file that the runs were judged"):
        read_true_classes(dataset, "test", spectra=12, folder=tmp_path)
    np.save(tmp_path / "y_test.npy", ordered)
    found = read_true_classes(dataset, "test", spectra=12, folder=tmp_path)
    np.testing.assert_array_equal(found, ordered)


def test_labels_as_rendering_orders_them_need_no_file():
    rendered = np.array([0, 0, 0, 1])  # a class may have more test variants than another
    hashes = {"y_test.npy": sha256_of_npy(rendered)}
    dataset = DatasetRecord("gone", 5, 2, class_file=None, variation=None, sha256=hashes)
    assert read_true_classes(dataset, "test", spectra=4, rendered=rendered) is rendered
