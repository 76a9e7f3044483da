"""Read the results of a dataset and print the paper's Table 2 for them.

    python evaluate.py
    python evaluate.py --results results/quick

Counts the misclassified spectra of every test split per network over all seeds, and saves the table
beside the run folders as table.md and table.csv. For the paper's dataset, Table 2 of Schuetzke,
Szymanski and Reischl, "A universal synthetic dataset for machine learning on spectroscopic data"
(2022), stands beside ours.
"""

import csv
import io
import json
import sys
from pathlib import Path
from statistics import mean, stdev
from typing import Annotated, NamedTuple

from dataset_config_generator import InputError, replace_file, run_script

RESULTS: Annotated[str, "Folder with the run folders of one dataset."] = "results/dataset500"


class PaperRow(NamedTuple):
    misclassified: str  # of the 4500 test spectra, over five seeds
    epochs: str
    minutes: int  # on a Titan RTX


TABLE_2 = {
    "cnn2": PaperRow("30 ± 2", "60–90", 8),
    "cnn3": PaperRow("33 ± 10", "50–80", 10),
    "cnn6": PaperRow("14 ± 2", "75–90", 30),
    "vgg": PaperRow("30 ± 10", "55–70", 5),
    "cnn_bn": PaperRow("95 ± 35", "35–50", 6),
    "resnet": PaperRow("25 ± 7", "30–35", 35),
    "inc3": PaperRow("32 ± 9", "55–75", 16),
    "inc6": PaperRow("27 ± 7", "60–65", 24),
}

# The paper's classes and variation limits; the seed of the random variation is free.
PAPER_CLASS_FILE = "bcc9a40767e77841aeb0750bb2f6029311c0d632e030edf262834c7ad01ae0a6"
PAPER_PARAMETERS = {
    "n_train": 50,
    "n_val": 10,
    "max_shift": 50,
    "max_height_change": 0.05,
    "kernel_range": [2, 5],
    "test_shift": 25,
    "test_height_change": 0.02,
    "wide_test_height_change": 0.2,
    "test_kernel": 2,
}

RUN_FIELDS = {
    "model": str,
    "seed": int,
    "protocol": dict,
    "dataset": dict,
    "parameters": int,
    "epochs": int,
    "best_epoch": int,
    "seconds": (int, float),
    "misclassified": dict,
    "environments": list,
}


def main(settings):
    folder = Path(settings.results)
    runs = read_results(folder)
    rows = table(runs)
    markdown = as_markdown(rows)
    with replace_file(folder / "table.md") as file:
        file.write(markdown.encode())
    with replace_file(folder / "table.csv") as file:
        file.write(as_csv(rows).encode())
    print(markdown, end="")


def read_results(folder):
    """Read all finished runs below a results folder, ordered by network and seed.

    Returns the contents of their run.json. Raises InputError if there is none, or if runs differ in
    dataset or protocol: their numbers do not belong into one table.
    """
    if not folder.is_dir():
        raise InputError(f"results folder {folder} does not exist; train_models.py writes one")
    folders = sorted(path.parent for path in folder.glob("*/run.json"))
    if not folders:
        raise InputError(f"{folder} holds no finished run (MODEL-seedN/run.json)")
    runs = [read_run(path) for path in folders]
    for path, run in zip(folders, runs, strict=True):
        if run["protocol"] != runs[0]["protocol"]:
            raise InputError(f"{path} and {folders[0]} were trained under different protocols")
        ours, first = run["dataset"]["sha256"], runs[0]["dataset"]["sha256"]
        for name in sorted(ours.keys() | first.keys()):
            if ours.get(name) != first.get(name):
                raise InputError(f"{path} and {folders[0]} differ in the dataset file {name}")
    order = list(TABLE_2)
    return sorted(
        runs,
        key=lambda run: (
            order.index(run["model"]) if run["model"] in order else len(order),
            run["model"],
            run["seed"],
        ),
    )


def read_run(folder):
    """Read and check run.json of a finished run. Raises InputError naming the field."""
    path = Path(folder, "run.json")
    try:
        run = json.loads(path.read_bytes())
    except ValueError as error:
        raise InputError(f"{path} is not valid JSON ({error}); delete it to train again") from None
    for field, kind in RUN_FIELDS.items():
        if not isinstance(run, dict) or not isinstance(run.get(field), kind):
            raise InputError(f"{path} lacks a valid {field!r}; delete it to train again")
    for split, count in run["misclassified"].items():
        try:
            valid = 0 <= count["misclassified"] <= count["spectra"]
        except (TypeError, KeyError):
            valid = False
        if not valid:
            raise InputError(f"{path}: misclassified {split} is {count}, no count out of spectra")
    if not isinstance(run["dataset"].get("sha256"), dict):
        raise InputError(f"{path} lacks the SHA-256 of its dataset; delete it to train again")
    return run


def table(runs):
    """Return one row per network: a dict from column names to numbers or text."""
    with_paper = is_paper_dataset(runs[0]["dataset"])
    splits = [split for split in runs[0]["misclassified"] if split != "val"]
    rows = []
    for model in dict.fromkeys(run["model"] for run in runs):
        seeds = [run for run in runs if run["model"] == model]
        row = {"network": model, "seeds": len(seeds)}
        for split in splits:
            counts = [run["misclassified"][split]["misclassified"] for run in seeds]
            row |= {
                f"{split}_mean": mean(counts),
                f"{split}_std": stdev(counts) if len(counts) > 1 else None,
                f"{split}_min": min(counts),
                f"{split}_max": max(counts),
                f"{split}_spectra": seeds[0]["misclassified"][split]["spectra"],
            }
        epochs = [run["epochs"] for run in seeds]
        row |= {
            "epochs_min": min(epochs),
            "epochs_max": max(epochs),
            "minutes": mean(run["seconds"] for run in seeds) / 60,
        }
        if with_paper:
            paper = TABLE_2.get(model, PaperRow("", "", ""))
            row |= {f"paper_{name}": value for name, value in paper._asdict().items()}
        rows.append(row)
    return rows


def is_paper_dataset(dataset):
    parameters = dict(dataset.get("parameters") or {})
    parameters.pop("seed", None)
    class_file = dataset.get("class_file") or {}
    return class_file.get("sha256") == PAPER_CLASS_FILE and parameters == PAPER_PARAMETERS


def as_markdown(rows):
    """Format rows as a Markdown table; the spread is the sample standard deviation over seeds."""
    splits = [name.removesuffix("_mean") for name in rows[0] if name.endswith("_mean")]
    header = ["network", "seeds"]
    header += [f"{split}: misclassified of {rows[0][f'{split}_spectra']}" for split in splits]
    header += ["epochs", "minutes"]
    if "paper_misclassified" in rows[0]:
        header += ["paper: misclassified", "paper: epochs", "paper: minutes"]
    lines = [header, ["---", *["---:"] * (len(header) - 1)]]
    for row in rows:
        cells = [row["network"], row["seeds"]]
        cells += [spread(row, split) for split in splits]
        fewest, most = row["epochs_min"], row["epochs_max"]
        cells += [fewest if fewest == most else f"{fewest}–{most}", f"{row['minutes']:.1f}"]
        cells += [value for name, value in row.items() if name.startswith("paper_")]
        lines.append(cells)
    return "".join(f"| {' | '.join(map(str, cells))} |\n" for cells in lines)


def spread(row, split):
    if row[f"{split}_std"] is None:
        return str(row[f"{split}_min"])
    average, deviation, fewest, most = (row[f"{split}_{k}"] for k in ("mean", "std", "min", "max"))
    return f"{average:.1f} ± {deviation:.1f} ({fewest}–{most})"


def as_csv(rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


if __name__ == "__main__":
    run_script(sys.modules[__name__], main)
