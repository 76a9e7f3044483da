"""Runs that come with the project stand beside one's own, and are never mixed with them."""

import csv
import shutil
from pathlib import Path

import pytest
from conftest import PROJECT, assert_one_sentence
from test_evaluation import DATASET, HASHES, PROTOCOL, write_run

from benchmark import table_notes
from benchmark.command_line import InputError
from benchmark.results_folder import rank
from benchmark.run_folder import Run, read_run
from benchmark.run_identity import Task, array_that_differs, identities_of, refuse_other_runs
from evaluate import evaluate as evaluated


def networks(folder):
    with open(folder / "table.csv") as file:
        return {row["network"]: row for row in csv.DictReader(file)}


def evaluate(run, own, shipped):
    process = run("evaluate.py", "--results", own, "--shipped", shipped, "--no-figures")
    assert process.returncode == 0, process.stderr
    return process


def test_shipped_runs_are_rows_of_their_own(run, tmp_path):
    own, shipped = tmp_path / "own", tmp_path / "shipped"
    write_run(own, "vgg", 0, test=10)
    write_run(own, "vgg", 1, test=12)
    write_run(shipped, "vgg", 0, test=40)  # the same network and seed
    write_run(shipped, "cnn2", 0, test=7)
    process = evaluate(run, own, shipped)
    rows = networks(own)
    assert list(rows) == ["cnn2 (shipped)", "vgg", "vgg (shipped)"]
    assert [row["test_mean"] for row in rows.values()] == ["7", "11", "40"]
    assert [row["seeds"] for row in rows.values()] == ["1", "2", "1"]
    sentence = f"Rows marked (shipped) are those in {shipped}; all others are yours."
    assert sentence in (own / "table.md").read_text()
    assert sentence in " ".join(process.stdout.split())


def test_shipped_runs_are_no_rows_beside_themselves(run, tmp_path):
    write_run(tmp_path, "vgg", 0, test=10)
    evaluate(run, tmp_path, tmp_path)
    assert list(networks(tmp_path)) == ["vgg"]
    assert "shipped" not in (tmp_path / "table.md").read_text()


def test_a_shipped_folder_that_is_not_there_is_named(run, tmp_path):
    own = tmp_path / "own"
    write_run(own, "vgg", 0, test=10)
    flags = "--results", own, "--no-figures", "--shipped", tmp_path, tmp_path / "shop"
    assert_one_sentence(run("evaluate.py", *flags), 2, "SHIPPED", f"{tmp_path}/shop")
    assert run("evaluate.py", *flags[:3], cwd=tmp_path).stderr == ""  # another working folder


def test_a_shipped_folder_named_twice_counts_once(run, tmp_path):
    own, shipped = tmp_path / "own", tmp_path / "shipped"
    write_run(own, "vgg", 0, test=10)
    for seed in 0, 1:
        write_run(shipped, "vgg", seed, test=40)
    (tmp_path / "link").symlink_to(shipped)
    folders = shipped, f"{shipped}/", tmp_path / "link"
    assert run("evaluate.py", "--results", own, "--no-figures", "--shipped", *folders).stderr == ""
    assert networks(own)["vgg (shipped)"]["seeds"] == "2"
    copy = shutil.copytree(shipped, tmp_path / "copy")
    flags = "--results", own, "--no-figures", "--shipped", shipped, copy
    assert_one_sentence(run("evaluate.py", *flags), 2, shipped, copy, "both hold vgg")


def test_shipped_runs_of_another_dataset_or_protocol_are_left_out(run, tmp_path):
    own = tmp_path / "own"
    write_run(own, "vgg", 0, test=10)
    other = tmp_path / "other"
    write_run(other, "vgg", 0, test=40, dataset=DATASET | {"sha256": HASHES | {"x_train.npy": "b"}})
    assert evaluate(run, own, other).stderr == ""
    fast = tmp_path / "fast"
    write_run(fast, "vgg", 0, test=40, protocol=PROTOCOL | {"learning_rate": 0.001})
    process = evaluate(run, own, fast)
    assert_one_sentence(process, 0, fast, "not shown", "different protocols")
    assert list(networks(own)) == ["vgg"]


def test_runs_of_ones_own_are_not_said_to_come_with_the_project():
    def told_of(*folders):
        run = Run(**dict.fromkeys(Run._fields))
        runs = [run._replace(model="vgg (shipped)", folder=Path(f, "vgg-seed0")) for f in folders]
        return table_notes.shipped_text([*runs, run._replace(model="vgg")], ["one", "two"])

    assert "marked (shipped) come with the project, from two, one; all" in told_of("two", "one")
    assert "marked (shipped) are those in one, mine; all others" in told_of("one", "mine")
    assert told_of() == ""


def test_own_networks_stand_before_shipped_ones_whatever_their_seeds():
    run = Run(**dict.fromkeys(Run._fields))
    runs = [run._replace(model="vgg (shipped)", seed=0), run._replace(model="vgg", seed=1)]
    assert [one.model for one in sorted(runs, key=rank)] == ["vgg", "vgg (shipped)"]


def test_shipped_runs_change_nothing_that_is_said_of_ones_own(tmp_path, monkeypatch):
    monkeypatch.chdir(PROJECT)
    shipped = PROJECT / "results/challenge"
    for name in "cnn2", "cnn2+hidden_activation=relu", "vgg":
        for seed in range(3):
            folder = f"{name}-seed{seed}"
            shutil.copytree(shipped / folder, tmp_path / folder)
    alone, beside = evaluated(tmp_path), evaluated(tmp_path, shipped=[shipped])
    assert len(beside.runs) > len(alone.runs) == len(beside.own)
    assert beside.comparisons == alone.comparisons
    assert beside.letters == alone.letters
    assert beside.misclassified == alone.misclassified
    for row in beside.rows:
        assert bool(row.group) == (not row.network.endswith("(shipped)"))


def test_validation_spectra_count_too():
    one = {"x_train.npy": "a", "y_train.npy": "b", "x_val.npy": "c", "y_val.npy": "d"}
    for name in one:
        assert array_that_differs(one, one | {name: "z"}) == name


def test_no_network_is_trained_beside_others_of_other_spectra_or_another_protocol(tmp_path):
    run = read_run(write_run(tmp_path, "vgg", 0, test=10))
    matrix = [Task(tmp_path / "cnn2-seed1", "cnn2", 1)]  # which does not name the run that is there

    def refuse(protocol=run.protocol, record=run.dataset):
        identities = identities_of(matrix, protocol, record)
        refuse_other_runs(tmp_path, identities, protocol, record)

    refuse()
    with pytest.raises(InputError, match="vgg-seed0 was trained with BATCH_SIZE 128, not 64"):
        refuse(protocol=run.protocol._replace(batch_size=64))
    with pytest.raises(InputError, match=r"vgg-seed0 was trained on another x_train\.npy"):
        refuse(record=run.dataset._replace(sha256=HASHES | {"x_train.npy": "b"}))
