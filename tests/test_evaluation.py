import csv
import json

import pytest
from conftest import assert_one_sentence

import evaluate
import spectra_from_config
from dataset_config_generator import InputError, parse_flags


def write_run(results, model, seed, test, epochs=60, seconds=90.0, **changes):
    folder = results / f"{model}-seed{seed}"
    folder.mkdir(parents=True)
    run = {
        "model": model,
        "seed": seed,
        "protocol": {"batch_size": 128},
        "dataset": {"sha256": {"x_train.npy": "a"}, "class_file": None, "parameters": None},
        "parameters": 10,
        "epochs": epochs,
        "best_epoch": epochs - 25,
        "seconds": seconds,
        "misclassified": {
            "val": {"spectra": 5000, "misclassified": 1},
            "test": {"spectra": 4500, "misclassified": test},
            "test_wide": {"spectra": 4500, "misclassified": 3 * test},
        },
        "device": "CPU",
        "versions": {},
    } | changes
    (folder / "run.json").write_text(json.dumps(run))
    return folder


def test_table_gives_mean_spread_and_range_over_the_seeds(tmp_path):
    for seed, (test, epochs, seconds) in enumerate([(10, 60, 60), (14, 75, 120), (12, 66, 90)]):
        write_run(tmp_path, "vgg", seed, test, epochs, seconds)
    write_run(tmp_path, "cnn2", 0, 7)
    write_run(tmp_path, "mine", 0, 8)
    rows = evaluate.table(evaluate.read_results(tmp_path))
    assert [row["network"] for row in rows] == ["cnn2", "vgg", "mine"]
    assert evaluate.as_markdown(rows).splitlines() == [
        "| network | seeds | test: misclassified of 4500 | test_wide: misclassified of 4500 "
        "| epochs | minutes |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        "| cnn2 | 1 | 7 | 21 | 60 | 1.5 |",
        "| vgg | 3 | 12.0 ± 2.0 (10–14) | 36.0 ± 6.0 (30–42) | 60–75 | 1.5 |",
        "| mine | 1 | 8 | 24 | 60 | 1.5 |",
    ]
    (_, vgg, _) = csv.DictReader(evaluate.as_csv(rows).splitlines())
    assert (vgg["test_mean"], vgg["test_std"]) == ("12", "2.0")
    assert (vgg["test_wide_min"], vgg["test_wide_max"], vgg["seeds"]) == ("30", "42", "3")


PAPER = {
    "sha256": {},
    "class_file": {"name": "any.json", "sha256": evaluate.PAPER_CLASS_FILE},
    "parameters": {**evaluate.PAPER_PARAMETERS, "seed": 7},
}


def test_papers_numbers_stand_beside_ours_on_the_papers_dataset_only(tmp_path):
    write_run(tmp_path / "paper", "cnn6", 0, 4, dataset=PAPER)
    write_run(tmp_path / "paper", "mine", 0, 5, dataset=PAPER)
    text = evaluate.as_markdown(evaluate.table(evaluate.read_results(tmp_path / "paper")))
    header, _, cnn6, mine = text.splitlines()
    assert header.endswith("| paper: misclassified | paper: epochs | paper: minutes |")
    assert cnn6 == "| cnn6 | 1 | 4 | 12 | 60 | 1.5 | 14 ± 2 | 75–90 | 30 |"
    assert mine == "| mine | 1 | 5 | 15 | 60 | 1.5 |  |  |  |"
    changed = PAPER | {"parameters": PAPER["parameters"] | {"max_shift": 49}}
    write_run(tmp_path / "other", "cnn6", 0, 4, dataset=changed)
    text = evaluate.as_markdown(evaluate.table(evaluate.read_results(tmp_path / "other")))
    assert "paper" not in text


def test_paper_parameters_are_the_defaults_of_spectra_from_config():
    settings = vars(parse_flags(spectra_from_config, []))
    for name, value in evaluate.PAPER_PARAMETERS.items():
        assert settings[name] == (tuple(value) if isinstance(value, list) else value)


def test_runs_of_different_data_or_protocols_never_share_a_table(tmp_path):
    write_run(tmp_path, "vgg", 0, 10)
    other = write_run(tmp_path, "vgg", 1, 10, protocol={"batch_size": 64})
    with pytest.raises(InputError, match="different protocols"):
        evaluate.read_results(tmp_path)
    run = json.loads((other / "run.json").read_text())
    run |= {"protocol": {"batch_size": 128}, "dataset": {"sha256": {"x_train.npy": "b"}}}
    (other / "run.json").write_text(json.dumps(run))
    with pytest.raises(InputError, match=r"differ in the dataset file x_train\.npy"):
        evaluate.read_results(tmp_path)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda text: text[:40], ["not valid JSON"]),
        (lambda text: "[]", ["'model'"]),
        (lambda text: text.replace('"seconds": 90.0', '"seconds": null'), ["'seconds'"]),
        (lambda text: text.replace('"misclassified": 10', '"misclassified": 4501'), ["4501"]),
    ],
)
def test_damaged_results_end_in_one_sentence(run, tmp_path, damage, words):
    path = write_run(tmp_path, "vgg", 0, 10) / "run.json"
    path.write_text(damage(path.read_text()))
    assert_one_sentence(run("evaluate.py", "--results", tmp_path), 2, path, *words)
    assert not (tmp_path / "table.md").exists()


def test_missing_results_end_in_one_sentence(run, tmp_path):
    absent = run("evaluate.py", "--results", tmp_path / "absent")
    assert_one_sentence(absent, 2, "absent", "does not exist")
    assert_one_sentence(run("evaluate.py", "--results", tmp_path), 2, "no finished run")
