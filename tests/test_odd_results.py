"""Results of unusual size, name or content are evaluated, or refused in one sentence."""

import csv
import json
import re

import matplotlib
import numpy as np
import pytest
from matplotlib.image import imread
from test_evaluation import LABELS, SPECTRA, write_baseline, write_run

import evaluate
from benchmark import tables
from benchmark.command_line import InputError, parse_flags
from benchmark.files import sha256_of
from benchmark.run_folder import Count, is_count, read_predictions

ODD = "a|b_$x^2$ & #{}~\\*\n[\udce9"
SHOWN = "a|b_$x^2$ & #{}~\\*\n[?".replace("\n", " ")


def evaluate_in(folder, *flags):
    evaluate.main(parse_flags(evaluate, ["--results", str(folder), *flags]))


def cells_of(markdown):
    """Return the cells of all rows of Markdown tables, read as Markdown is."""
    rows = [line for line in markdown.splitlines() if line.startswith("| ")]
    return [
        [re.sub(r"\\(.)", r"\1", cell) for cell in re.findall(r" ((?:\\.|[^\\|])*) \|", row)]
        for row in rows
    ]


def judge_as(folder, split, predictions):
    """Make a split of a run folder, or of a method's, one with these predictions."""
    path = next(path for name in ("run", "baseline") if (path := folder / f"{name}.json").exists())
    record = json.loads(path.read_text())
    labels = LABELS["test"]
    wrong = int(np.count_nonzero(predictions != labels))
    record["misclassified"][split] = {"spectra": len(labels), "misclassified": wrong}
    for axis in "xy":
        hashes = record["dataset"]["sha256"]
        hashes[f"{axis}_{split}.npy"] = hashes[f"{axis}_test.npy"]
    path.write_text(json.dumps(record))
    np.save(folder / f"{split}_predictions.npy", predictions)
    np.save(folder / f"{split}_confidences.npy", np.full(len(labels), 0.75, np.float32))


def test_names_of_any_characters_leave_tables_and_figures_intact(tmp_path, capsys):
    split = "test_" + ODD
    folders = [write_baseline(tmp_path, ODD, 7)]
    folders += [write_run(tmp_path, ODD, seed, 4 + seed) for seed in range(3)]
    folders += [write_run(tmp_path, "vgg", seed, 30 + seed) for seed in range(3)]
    for folder in folders:
        judge_as(folder, split, (LABELS["test"] + 1) % 500)
    evaluate_in(tmp_path)
    (warning,) = capsys.readouterr().err.splitlines()
    assert warning.startswith(f"warning: of 4500 spectra of test_{SHOWN} the best run misclass")
    read = {name: (tmp_path / name).read_bytes().decode() for name in ("table.md", "table.tex")}
    networks = [row[0] for row in cells_of(read["table.md"])]
    assert networks == 2 * ["network", "---", "vgg", SHOWN, SHOWN]
    assert len({len(row) for row in cells_of(read["table.md"])[:5]}) == 1
    assert read["table.tex"].count(r"a\textbar{}b\_\$x\textasciicircum{}2\$ \& \#\{\}") == 6
    with open(tmp_path / "table.csv", newline="") as file:
        (_, odd, _) = csv.DictReader(file)
    assert odd["network"] == SHOWN
    assert odd[f"test_{SHOWN}_max"] == "4500"
    pairs = [row[0] for row in cells_of((tmp_path / "significance.md").read_text())]
    assert pairs.count(f"vgg − {SHOWN}") == 4
    assert f"test_{SHOWN}" in re.sub(r"\\(.)", r"\1", (tmp_path / "significance.md").read_text())
    reasons = cells_of((tmp_path / "misclassified.md").read_text())
    assert [SHOWN, "4521"] in reasons and ["vgg", "4625"] in reasons
    with open(tmp_path / "misclassified.csv", newline="") as file:
        assert {row["split"] for row in csv.DictReader(file)} >= {f"test_{SHOWN}", "val"}


def texts_of(figure):
    return {text.get_text().replace("\n", " ") for text in figure.findobj(matplotlib.text.Text)}


def test_a_name_that_begins_with_an_underscore_stands_in_the_legend(tmp_path):
    for name in "_mine", "vgg":
        write_run(tmp_path, name, 0, 4)
    drawn = evaluate.draw(evaluate.evaluate(tmp_path))
    (legend,) = drawn["cost"].legends
    assert [text.get_text() for text in legend.get_texts()] == ["vgg", "_mine"]
    assert "_mine" in texts_of(drawn["misclassifications"])


def test_many_runs_and_many_networks_are_evaluated(tmp_path, capsys):
    for seed in range(40):
        write_run(tmp_path, "vgg", seed, 4 + seed % 3)
    for network in range(49):
        write_run(tmp_path, f"mine{network}", 0, 30 + network)
    evaluate_in(tmp_path)
    assert len(cells_of((tmp_path / "table.md").read_text())) == 2 * 52
    assert "Not compared: vgg, mine0, " in capsys.readouterr().out
    width, height = imread(tmp_path / "figures" / "learning_curves.png").shape[1::-1]
    assert width < height


def test_a_split_in_which_everything_is_wrong_and_one_with_a_single_answer(tmp_path):
    for seed in range(3):
        folder = write_run(tmp_path, "vgg", seed, 4)
        judge_as(folder, "test_all_wrong", (LABELS["test"] + 1) % 500)
        judge_as(folder, "test_one_answer", np.zeros(4500, int))
    evaluate_in(tmp_path)
    with open(tmp_path / "table.csv") as file:
        (row,) = csv.DictReader(file)
    assert (row["test_all_wrong_accuracy"], row["test_all_wrong_macro_f1"]) == ("0.0", "0.0")
    assert float(row["test_one_answer_accuracy"]) == pytest.approx(9 / 4500)
    # Only class 0 has true positives: 9 of 9, beside 4491 false ones.
    assert float(row["test_one_answer_macro_f1"]) == pytest.approx(18 / (18 + 4491) / 500)


def test_a_split_without_spectra_is_refused(tmp_path):
    folder = write_run(tmp_path, "vgg", 0, 4)
    judge_as(folder, "test_none", LABELS["test"])
    path = folder / "run.json"
    path.write_text(
        path.read_text().replace(
            '"spectra": 4500, "misclassified": 0', '"spectra": 0, "misclassified": 0'
        )
    )
    with pytest.raises(InputError, match="vgg-seed0 was judged on 0 spectra of test_none"):
        evaluate_in(tmp_path)


def test_runs_judged_on_different_numbers_of_spectra_never_share_a_table(tmp_path):
    write_run(tmp_path, "vgg", 0, 4)
    path = write_run(tmp_path, "vgg", 1, 4) / "run.json"
    path.write_text(path.read_text().replace('"spectra": 5000', '"spectra": 4999'))
    with pytest.raises(InputError, match="4999 and 5000 spectra of val"):
        evaluate_in(tmp_path)


def test_whatever_is_not_finished_is_named(tmp_path, capsys):
    write_run(tmp_path, "vgg", 0, 4)
    write_baseline(tmp_path, "cosine", 4)
    for name in "history.csv", "failed.txt", "checkpoint.npz", ".lock", "val_predictions.npy":
        folder = tmp_path / f"with_{name}"
        folder.mkdir()
        (folder / name).write_bytes(b"\xff\x00\xfe")
    (tmp_path / "notes").mkdir()
    evaluate_in(tmp_path, "--no-figures")
    assert capsys.readouterr().err == (
        "left out, as they are not finished: with_.lock, with_checkpoint.npz, with_failed.txt, "
        "with_history.csv, with_val_predictions.npy\n"
    )


def test_labels_of_any_integer_type_are_taken(tmp_path):
    hashes = {}
    data = tmp_path / "data"
    data.mkdir()
    for split, labels in LABELS.items():
        np.save(data / f"y_{split}.npy", labels.astype(np.uint64))
        hashes[f"y_{split}.npy"] = sha256_of(data / f"y_{split}.npy")
    folder = write_run(tmp_path / "r", "vgg", 0, 4)
    path = folder / "run.json"
    record = json.loads(path.read_text())
    record["dataset"]["sha256"] |= hashes
    path.write_text(json.dumps(record))
    for split in SPECTRA:
        name = folder / f"{split}_predictions.npy"
        np.save(name, np.load(name).astype(np.uint64))
    evaluate_in(tmp_path / "r", "--no-figures", "--dataset", str(data))
    assert ["vgg", "", "1", "1", "4", "12"] in cells_of((tmp_path / "r" / "table.md").read_text())


def damaged(content):
    return {"empty": b"", "binary": b"\xff\x00\xfe" * 99, "cut": content[: len(content) // 2]}


@pytest.mark.parametrize("damage", ["empty", "binary", "cut"])
@pytest.mark.parametrize(
    "name",
    [
        *("vgg-seed0/history.csv", "vgg-seed0/test_predictions.npy"),
        *("vgg-seed0/test_confidences.npy", "cosine/baseline.json", "cosine/val_predictions.npy"),
    ],
)
def test_damaged_files_end_in_one_sentence(tmp_path, name, damage):
    write_run(tmp_path, "vgg", 0, 4)
    write_baseline(tmp_path, "cosine", 4)
    path = tmp_path / name
    path.write_bytes(damaged(path.read_bytes())[damage])
    with pytest.raises(InputError, match=re.escape(str(path))) as error:
        evaluate_in(tmp_path)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "table.md").exists()


@pytest.mark.parametrize("settings", [[1], {"smoothing": "abc"}, {"max_lag": None}])
def test_settings_of_a_method_that_are_no_numbers_are_refused(tmp_path, settings):
    write_run(tmp_path, "vgg", 0, 4)
    path = write_baseline(tmp_path, "cosine", 4) / "baseline.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"settings": settings}))
    with pytest.raises(InputError, match="settings is") as error:
        evaluate_in(tmp_path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows[:-1],
        lambda rows: rows[:1] + rows[2:],
        lambda rows: rows + [rows[-1]],
        lambda rows: [row.replace("60,", "nan,") for row in rows],
    ],
)
def test_a_history_of_other_epochs_is_refused(tmp_path, change):
    path = write_run(tmp_path, "vgg", 0, 4) / "history.csv"
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")
    with pytest.raises(InputError, match="does not hold the epochs 1 to 60") as error:
        evaluate_in(tmp_path)
    assert str(path) in str(error.value)


def test_names_that_no_file_can_have_are_refused(tmp_path):
    path = write_run(tmp_path, "vgg", 0, 4) / "run.json"
    content = path.read_text()
    for name in r"test\u0000", r"test\ud800":
        path.write_text(content.replace('"test"', f'"{name}"').replace("_test.npy", f"_{name}.npy"))
        with pytest.raises(InputError, match=r"predictions\.npy"):
            evaluate_in(tmp_path)
    path.write_text(
        content.replace('"own"', r'"o\u0000wn"').replace('"y_val.npy": "', '"y_val.npy": "0')
    )
    with pytest.raises(InputError, match="the labels of val are needed"):
        evaluate_in(tmp_path)


def test_groups_in_the_table_are_those_of_the_split_that_is_shown(tmp_path):
    for seed in range(3):
        write_run(tmp_path, "cnn6", seed, 4 + seed)
        write_run(tmp_path, "vgg", seed, 30 + seed)
    evaluation = evaluate.evaluate(tmp_path)
    assert evaluation.shown == "test_wide"
    assert evaluation.letters["val"] == {"cnn6": "a", "vgg": "a"}  # all count 1 there
    assert [row.group for row in evaluation.rows] == ["a", "b"]
    drawn = evaluate.draw(evaluation)
    for name in "misclassifications", "cost":
        assert any("spectra of test_wide" in text for text in texts_of(drawn[name]))


def test_macro_f1_counts_classes_that_are_only_predicted():
    # class 0: TP 1, FN 1; class 1: FP 1
    assert tables.macro_f1(np.array([0, 1]), np.array([0, 0]), 3) == pytest.approx((2 / 3 + 0) / 2)


def test_macro_f1_in_the_table_is_the_mean_over_the_seeds(tmp_path):
    write_run(tmp_path, "vgg", 0, 0)
    write_run(tmp_path, "vgg", 1, 9)  # all of class 0, taken for class 1: F1 of 0 and 2/3
    (row,) = evaluate.evaluate(tmp_path).rows
    assert row.scores["test"].macro_f1 == pytest.approx((1 + (498 + 2 / 3) / 500) / 2)


def test_negative_predictions_are_refused(tmp_path):
    path = write_run(tmp_path, "vgg", 0, 4) / "test_predictions.npy"
    predictions = np.load(path)
    predictions[0] = -1  # is wrong, as the prediction was before
    np.save(path, predictions)
    with pytest.raises(InputError, match="0 to 499"):
        evaluate_in(tmp_path)


def test_a_method_in_the_folder_of_another_is_refused(tmp_path):
    write_run(tmp_path, "vgg", 0, 4)
    write_baseline(tmp_path, "cosine", 3).rename(tmp_path / "search_match")
    with pytest.raises(InputError, match="method is 'cosine', not search_match, the name of"):
        evaluate_in(tmp_path)


@pytest.mark.parametrize("split", ["val", "test", "test_wide"])
def test_baselines_are_held_against_every_split_of_the_runs(tmp_path, split):
    write_run(tmp_path, "vgg", 0, 4)
    path = write_baseline(tmp_path, "cosine", 3) / "baseline.json"
    baseline = json.loads(path.read_text())
    changed = json.loads(json.dumps(baseline))
    changed["dataset"]["sha256"][f"x_{split}.npy"] = "another"
    path.write_text(json.dumps(changed))
    with pytest.raises(InputError, match=f"judged on another x_{split}"):
        evaluate_in(tmp_path)
    for name in f"y_{split}.npy", "x_train.npy", "y_train.npy":
        changed = json.loads(json.dumps(baseline))
        changed["dataset"]["sha256"][name] = "another"
        path.write_text(json.dumps(changed))
        with pytest.raises(InputError, match=f"another {name}"):
            evaluate_in(tmp_path)
    del baseline["misclassified"][split]
    path.write_text(json.dumps(baseline))
    with pytest.raises(InputError, match=f"has not judged {split}; run"):
        evaluate_in(tmp_path)


@pytest.mark.parametrize("unanswered", [0, 1])
def test_predictions_of_no_class_and_unrecorded_lacks_of_one_are_refused(tmp_path, unanswered):
    """Also where ties leave room in the count of wrong ones."""
    labels = np.array([0, 1, 2, 2])
    count = Count(misclassified=0.5, spectra=4, unanswered=unanswered, tied=2)
    predictions = np.array([0, 1, 2, -1 if unanswered else 2])
    np.save(tmp_path / "test_predictions.npy", predictions)
    assert (read_predictions(tmp_path, "test", labels, 3, count) == predictions).all()
    for other in -2, -1, 3:  # no answer at all, one answer fewer than recorded, no class
        predictions[0] = other
        np.save(tmp_path / "test_predictions.npy", predictions)
        with pytest.raises(InputError, match="integers from 0 to 2"):
            read_predictions(tmp_path, "test", labels, 3, count)


def test_a_share_of_a_spectrum_needs_ties():
    assert not is_count({"misclassified": 2.5, "spectra": 9})
    assert is_count({"misclassified": 2.5, "spectra": 9, "tied": 1})


def test_no_count_is_of_more_spectra_than_there_are():
    for name in "unanswered", "tied":
        assert is_count({"misclassified": 2, "spectra": 9, name: 9})
        for number in -1, 10:
            assert not is_count({"misclassified": 2, "spectra": 9, name: number})
