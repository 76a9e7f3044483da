"""Read the results of a dataset and say what they mean: tables, significance, errors, figures.

    python evaluate.py
    python evaluate.py --results results/quick

Reads the run folders of train_models.py and the methods' folders of baselines.py below a results
folder, and writes beside them

    table.md, table.csv, table.tex   misclassified spectra per network over all seeds, as in Table 2
                                     of the paper, whose numbers stand beside ours for its dataset
    significance.md, .csv            which differences between networks are real
    misclassified.csv                every misclassified spectrum, with the reason
    misclassified.md                 the reasons per network, and the classes most runs get wrong
    figures/                         NAME.png and NAME.pdf of every figure

The paper is Schuetzke, Szymanski and Reischl, "A universal synthetic dataset for machine learning
on spectroscopic data" (2022).
"""

import csv
import hashlib
import io
import json
import math
import sys
from pathlib import Path
from statistics import mean, stdev
from types import NoneType
from typing import Annotated, NamedTuple

import numpy as np

from dataset_config_generator import (
    InputError,
    read_class_file,
    replace_file,
    require,
    run_script,
)
from spectra_from_config import Parameters, open_array

# Files
RESULTS: Annotated[str, "Folder with the run folders of one dataset."] = "results/dataset500"
DATASET: Annotated[
    str | None, "Dataset folder for labels of one's own arrays; by default the one in datasets/."
] = None
CONFIG: Annotated[
    str | None, "Class file of the dataset; by default the one of its name in dataset_configs/."
] = None

# Output
FIGURES: Annotated[bool, "Draw the figures."] = True


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

PAPER_HEADERS = {
    "paper_misclassified": "paper: misclassified (see test_wide)",
    "paper_epochs": "paper: epochs",
    "paper_minutes": "paper: minutes",
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
DATASET_FIELDS = {
    "name": str,
    "classes": int,
    "sha256": dict,
    "class_file": (dict, NoneType),
    "parameters": (dict, NoneType),
}


def main(settings):
    # Imported here: train_models.py needs this file to read runs, but neither scipy nor matplotlib.
    import misclassifications
    import significance

    folder = Path(settings.results)
    runs = read_results(folder)
    baselines = read_baselines(folder, runs[0])
    dataset = runs[0]["dataset"]
    labels = {
        split: read_labels(dataset, split, runs[0]["misclassified"][split]["spectra"], settings)
        for split in runs[0]["misclassified"]
    }
    class_file, parameters = read_classes(dataset, settings.config)
    wrong = wrong_predictions(runs, labels)
    comparisons = {split: significance.compare_networks(wrong[split]) for split in labels}
    letters = {split: significance.groups(wrong[split], comparisons[split]) for split in labels}
    # Figures and groups in the table show what is held against Table 2, if it is there.
    shown = "test_wide" if "test_wide" in labels else list(labels)[-1]
    rows = table(runs, baselines, labels, letters[shown])
    found = misclassifications.explain(runs, labels, class_file, parameters)
    texts = {
        "table.md": "\n".join(as_markdown(*part) for part in parts(rows)) + times_text(runs),
        "table.csv": as_csv(rows[0], rows),
        "table.tex": "\n".join(as_latex(*part) for part in parts(rows)),
        "significance.md": "\n".join(
            groups_text(split, letters[split]) + comparisons_text(comparisons[split])
            for split in labels
        ),
        "significance.csv": as_csv(
            ["split", *significance.Comparison._fields],
            [{"split": split} | c._asdict() for split in labels for c in comparisons[split]],
        ),
        "misclassified.csv": as_csv(
            misclassifications.Misclassification._fields, [m._asdict() for m in found]
        ),
        "misclassified.md": misclassifications.summarise(found, runs),
    }
    if settings.figures:
        figures = draw(runs, baselines, shown, found, class_file, parameters)
    for name, text in texts.items():
        with replace_file(folder / name) as file:
            file.write(text.encode())
    groups = groups_text(shown, letters[shown])
    print(texts["table.md"], groups, texts["misclassified.md"], sep="\n", end="")
    if settings.figures:
        save_figures(folder / "figures", figures)
    elif (folder / "figures").exists():
        print(f"warning: {folder}/figures are those of an earlier evaluation", file=sys.stderr)


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
    runs = [read_run(path) | {"folder": path} for path in folders]
    for run in runs:
        check_comparable(run, runs[0])
    check_seeds(runs)
    order = list(TABLE_2)
    return sorted(
        runs,
        key=lambda run: (
            order.index(run["model"]) if run["model"] in order else len(order),
            run["model"],
            run["seed"],
        ),
    )


def check_comparable(run, other):
    """Raise InputError if two runs differ in protocol, dataset or splits."""
    paths = f"{run['folder']} and {other['folder']}"
    if run["protocol"] != other["protocol"]:
        raise InputError(f"{paths} were trained under different protocols")
    hashes, other_hashes = run["dataset"]["sha256"], other["dataset"]["sha256"]
    for name in sorted(hashes.keys() | other_hashes.keys()):
        if hashes.get(name) != other_hashes.get(name):
            raise InputError(f"{paths} differ in the dataset file {name}")
    if run["misclassified"].keys() != other["misclassified"].keys():
        raise InputError(f"{paths} were judged on different splits")


def check_seeds(runs):
    """Raise InputError if what counts as the seeds of one network is not that.

    Copies of a run would pass for seeds that all agree.
    """
    seeds, networks = {}, {}
    for run in runs:
        twin = seeds.setdefault((run["model"], run["seed"]), run)
        if twin is not run:
            raise InputError(
                f"{twin['folder']} and {run['folder']} both hold {run['model']} with seed "
                f"{run['seed']}, accepted: one of them"
            )
        other = networks.setdefault(run["model"], run)
        if other["parameters"] != run["parameters"]:
            raise InputError(
                f"{other['folder']} and {run['folder']} are not the same network: they have "
                f"{other['parameters']} and {run['parameters']} parameters"
            )


def read_run(folder):
    """Read and check run.json of a finished run. Raises InputError naming the field."""
    path = Path(folder, "run.json")
    again = "delete it to train again"
    try:
        run = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON ({error}); {again}") from None
    for field, kind in RUN_FIELDS.items():
        if not isinstance(run, dict) or not isinstance(run.get(field), kind):
            raise InputError(f"{path} lacks a valid {field!r}; {again}")
    for field, kind in DATASET_FIELDS.items():
        if not isinstance(run["dataset"].get(field), kind):
            raise InputError(f"{path} lacks a valid {field!r} of its dataset; {again}")
    if run["dataset"]["classes"] < 1:
        raise InputError(f"{path} has {run['dataset']['classes']} classes, accepted: 1 or more")
    if not 1 <= run["best_epoch"] <= run["epochs"]:
        raise InputError(
            f"{path} has best_epoch {run['best_epoch']}, accepted: 1 to its epochs, {run['epochs']}"
        )
    for field in "parameters", "seconds":
        if not 0 < run[field] < math.inf:
            raise InputError(f"{path} has {run[field]} {field}, accepted: more than 0")
    if not all(isinstance(environment, dict) for environment in run["environments"]):
        raise InputError(f"{path} lacks a valid 'environments'; {again}")
    if not run["misclassified"]:
        raise InputError(f"{path} lacks a valid 'misclassified'; {again}")
    for split, count in run["misclassified"].items():
        if not is_count(count):
            raise InputError(f"{path}: misclassified {split} is {count}, no count out of spectra")
    return run


def is_count(count):
    """Tell whether this is what `misclassified` in run.json or baseline.json holds per split."""
    try:
        wrong, spectra = count["misclassified"], count["spectra"]
        return isinstance(wrong, int) and isinstance(spectra, int) and 0 <= wrong <= spectra
    except (TypeError, KeyError):
        return False


def read_baselines(folder, run):
    """Read what baselines.py left below a results folder, ordered by name.

    Returns the contents of its baseline.json files with "folder". Raises InputError if one was
    judged on other data than `run`, the content of a run.json.
    """
    found = []
    for path in sorted(folder.glob("*/baseline.json")):
        try:
            baseline = json.loads(path.read_bytes())
            counts, seconds = baseline["misclassified"], baseline["seconds"]
            hashes = baseline["dataset"]["sha256"]
            valid = isinstance(seconds, (int, float)) and 0 <= seconds < math.inf
            valid = valid and isinstance(hashes, dict)
            valid = valid and all(map(is_count, counts.values()))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            valid = False
        if not valid:
            raise InputError(f"{path} is not what baselines.py writes; run it again")
        for split in run["misclassified"]:
            name = f"x_{split}.npy"
            if split not in counts or hashes.get(name) != run["dataset"]["sha256"].get(name):
                raise InputError(
                    f"{path} was judged on another {name} than the networks; run baselines.py again"
                )
        found.append(baseline | {"name": path.parent.name, "folder": path.parent})
    return found


def counts_text(misclassified):
    """Say in a line what run.json or baseline.json counts of all splits."""
    counts = (
        f"{split} {count['misclassified']} of {count['spectra']}"
        for split, count in misclassified.items()
    )
    return f"misclassified: {', '.join(counts)}"


def read_labels(dataset, split, spectra, settings):
    """Return the true classes of a split, int64 (spectra,), those that the runs were judged by.

    Rendered datasets are ordered by class, so their labels need no file. Those of one's own arrays
    are read from the dataset folder. Raises InputError if they are not the ones of the runs.
    """
    name = f"y_{split}.npy"
    recorded = dataset["sha256"].get(name)
    if spectra % dataset["classes"] == 0:
        ordered = np.repeat(np.arange(dataset["classes"]), spectra // dataset["classes"])
        content = io.BytesIO()
        np.save(content, ordered)
        if hashlib.sha256(content.getvalue()).hexdigest() == recorded:
            return ordered
    path = Path(settings.dataset or Path("datasets", dataset["name"]), name)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(
            f"{path} does not exist, but the labels of {split} are needed; DATASET names its folder"
        ) from None
    if hashlib.sha256(content).hexdigest() != recorded:
        raise InputError(f"{path} is not the file that the runs were judged by (SHA-256 differs)")
    return np.load(io.BytesIO(content))


def read_classes(dataset, config=None):
    """Return ClassFile and Parameters of a rendered dataset, None and None for arrays of one's own.

    Without `config`, a class file that dataset_configs/ lacks is warned of and done without. Raises
    InputError if the class file is not the one that the dataset was rendered from.
    """
    if not dataset.get("class_file"):
        require(config is None, "CONFIG", config, "none, as these spectra have no class file")
        return None, None
    try:
        name, sha256 = dataset["class_file"]["name"], dataset["class_file"]["sha256"]
        parameters = Parameters(**dataset["parameters"])
        low, high = parameters.kernel_range
        numbers = *parameters._replace(kernel_range=low), high
        if not isinstance(name, str) or not all(isinstance(n, (int, float)) for n in numbers):
            raise TypeError
    except (KeyError, TypeError, ValueError):
        raise InputError(
            "class_file or parameters of the dataset are not those that spectra_from_config.py "
            "records"
        ) from None
    path = Path(config or Path("dataset_configs", name))
    if config is None and not path.exists():
        print(
            f"warning: {path} does not exist, so misclassifications are not explained; CONFIG "
            f"names the dataset's class file",
            file=sys.stderr,
        )
        return None, None
    class_file = read_class_file(path)
    if class_file.sha256 != sha256:
        raise InputError(
            f"CONFIG is {path}, but the dataset was rendered from another class file (SHA-256 "
            f"differs)"
        )
    return class_file, parameters


def wrong_predictions(runs, labels):
    """Return split -> network -> bool array (seeds, spectra), true where misclassified."""
    classes = runs[0]["dataset"]["classes"]
    wrong = {}
    for split, y in labels.items():
        seeds = {}
        for run in runs:
            predictions = read_predictions(run, split, y, classes)
            seeds.setdefault(run["model"], []).append(predictions != y)
        wrong[split] = {model: np.stack(rows) for model, rows in seeds.items()}
    return wrong


def read_predictions(run, split, labels, classes):
    """Return the predicted classes of a run or baseline, held against what its JSON counts."""
    path = run["folder"] / f"{split}_predictions.npy"
    predictions = open_array(path)
    counted = run["misclassified"][split]["misclassified"]
    if (
        predictions.shape != labels.shape
        or predictions.dtype.kind not in "iu"
        or not ((predictions >= 0) & (predictions < classes)).all()
        or np.count_nonzero(predictions != labels) != counted
    ):
        raise InputError(
            f"{path} does not hold the {len(labels)} predicted classes, integers from 0 to "
            f"{classes - 1}, {counted} of them wrong, that the JSON file beside it records"
        )
    return predictions


def macro_f1(predictions, labels, classes):
    """Return the mean of the F1 score, 2 TP / (2 TP + FP + FN), over the classes that occur.

    A class occurs if it is the label or the prediction of a spectrum.
    """
    hits = np.bincount(labels[predictions == labels], minlength=classes)
    total = np.bincount(labels, minlength=classes) + np.bincount(predictions, minlength=classes)
    return float(np.mean(2 * hits[total > 0] / total[total > 0]))


def table(runs, baselines, labels, letters):
    """Return one row per network, then one per baseline: a dict from column names to values.

    labels: split -> int64 (spectra,); letters: network -> groups of `significance.groups`. What
    does not apply to a row is None.
    """
    with_paper = is_paper_dataset(runs[0]["dataset"])
    classes = runs[0]["dataset"]["classes"]
    rows = []
    for model in dict.fromkeys(run["model"] for run in runs):
        seeds = [run for run in runs if run["model"] == model]
        epochs = [run["epochs"] for run in seeds]
        row = {"network": model, "group": letters.get(model, ""), "seeds": len(seeds)}
        row |= scores(seeds, labels, classes)
        row |= {
            "parameters": seeds[0]["parameters"],
            "best_epoch": mean(run["best_epoch"] for run in seeds),
            "epochs_min": min(epochs),
            "epochs_max": max(epochs),
            "seconds_per_epoch": mean(run["seconds"] / run["epochs"] for run in seeds),
            "minutes": mean(run["seconds"] for run in seeds) / 60,
        }
        if with_paper:
            paper = TABLE_2.get(model, PaperRow(None, None, None))
            row |= {f"paper_{name}": value for name, value in paper._asdict().items()}
        rows.append(row)
    for baseline in baselines:
        row = dict.fromkeys(rows[0]) | {"network": baseline["name"]}
        row |= scores([baseline], labels, classes) | {"minutes": baseline["seconds"] / 60}
        rows.append(row)
    return rows


def scores(seeds, labels, classes):
    """Return the columns of all splits: misclassifications, accuracy, macro-F1 over the seeds."""
    columns = {}
    for split, y in labels.items():
        counts = [run["misclassified"][split]["misclassified"] for run in seeds]
        f1 = [macro_f1(read_predictions(run, split, y, classes), y, classes) for run in seeds]
        columns |= {
            f"{split}_mean": mean(counts),
            f"{split}_std": stdev(counts) if len(counts) > 1 else None,
            f"{split}_min": min(counts),
            f"{split}_max": max(counts),
            f"{split}_spectra": len(y),
            f"{split}_accuracy": 1 - mean(counts) / len(y),
            f"{split}_macro_f1": mean(f1),
        }
    return columns


def is_paper_dataset(dataset):
    parameters = dict(dataset.get("parameters") or {})
    parameters.pop("seed", None)
    class_file = dataset.get("class_file") or {}
    return class_file.get("sha256") == PAPER_CLASS_FILE and parameters == PAPER_PARAMETERS


def parts(rows):
    """Return the two tables that people read, each as header and lines of text.

    The spread is the sample standard deviation over the seeds.
    """
    splits = [name.removesuffix("_mean") for name in rows[0] if name.endswith("_mean")]
    header = ["network", "group", "seeds"]
    header += [f"{split}: misclassified of {rows[0][f'{split}_spectra']}" for split in splits]
    paper = [name for name in rows[0] if name.startswith("paper_")]
    header += [PAPER_HEADERS[name] for name in paper]
    counts = [
        [
            *(row["network"], row["group"], row["seeds"]),
            *(spread(row, split) for split in splits),
            *(row[name] for name in paper),
        ]
        for row in rows
    ]
    second_header = ["network"]
    second_header += [f"{split}: accuracy, macro-F1" for split in splits]
    second_header += ["parameters", "best epoch", "epochs", "seconds per epoch", "minutes"]
    details = []
    for row in rows:
        fewest, most = row["epochs_min"], row["epochs_max"]
        seconds, best = row["seconds_per_epoch"], row["best_epoch"]
        details.append(
            [
                row["network"],
                *(
                    f"{100 * row[f'{split}_accuracy']:.2f} %, {row[f'{split}_macro_f1']:.4f}"
                    for split in splits
                ),
                row["parameters"],
                None if best is None else f"{best:.0f}",
                fewest if fewest == most else f"{fewest}–{most}",
                None if seconds is None else f"{seconds:.1f}",
                f"{row['minutes']:.1f}",
            ]
        )
    return [
        (head, [["" if cell is None else str(cell) for cell in line] for line in lines])
        for head, lines in ((header, counts), (second_header, details))
    ]


def times_text(runs):
    """Say on what the runs were trained if that differs, for then their times do, too."""
    networks = {}
    for run in runs:
        for environment in run["environments"]:
            device, threads = environment.get("device"), environment.get("threads")
            networks.setdefault(f"{device}, threads: {threads}", {})[run["model"]] = None
    if len(networks) < 2:
        return ""
    machines = "; ".join(f"{', '.join(names)} on {where}" for where, names in networks.items())
    return f"\nTimes are not comparable: {machines}.\n"


def spread(row, split):
    if row[f"{split}_std"] is None:
        return str(row[f"{split}_min"])
    average, deviation, fewest, most = (row[f"{split}_{k}"] for k in ("mean", "std", "min", "max"))
    return f"{average:.1f} ± {deviation:.1f} ({fewest}–{most})"


def as_markdown(header, lines):
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (header, rule, *lines))


def as_latex(header, lines):
    """Format a table for LaTeX; it needs the package booktabs."""
    rows = [" & ".join(map(latex_text, cells)) + r" \\" for cells in (header, *lines)]
    body = [r"\toprule", rows[0], r"\midrule", *rows[1:], r"\bottomrule"]
    columns = "l" + "r" * (len(header) - 1)
    return "\n".join([rf"\begin{{tabular}}{{{columns}}}", *body, r"\end{tabular}"]) + "\n"


def latex_text(text):
    for plain, latex in ("_", r"\_"), ("%", r"\%"), ("±", r"$\pm$"), ("–", "--"):
        text = text.replace(plain, latex)
    return text


def as_csv(columns, rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def groups_text(split, letters):
    """Say in Markdown which networks cannot be told apart; letters: `significance.groups`."""
    lines = [f"## Which differences are real: {split}", ""]
    alone = [name for name in letters if not letters[name]]
    if alone:
        lines += [
            f"Not compared: {', '.join(alone)}. A comparison takes three seeds of each of two "
            f"networks."
        ]
    for letter in sorted(set("".join(letters.values()))):
        members = [name for name in letters if letter in letters[name]]
        what = "cannot be told apart" if len(members) > 1 else "differs from all others compared"
        lines.append(f"- {letter}: {', '.join(members)} {what}")
    return "\n".join(lines) + "\n"


def comparisons_text(comparisons):
    """Format a list of `significance.Comparison` as a Markdown table."""
    if not comparisons:
        return ""
    header = [
        *("pair", "difference", "95 % interval"),
        *("Welch", "Mann-Whitney", "McNemar", "spectra in favour"),
    ]
    lines = [
        [
            f"{c.a} − {c.b}",
            f"{c.difference:+.1f}",
            "" if c.low is None else f"{c.low:+.1f} to {c.high:+.1f}",
            *(f"{p:.2g}" for p in (c.welch, c.mann_whitney, c.mcnemar)),
            f"{c.favour_a} : {c.favour_b}",
        ]
        for c in comparisons
    ]
    note = (
        "\np-values are Holm-corrected for the number of pairs, intervals are not. The letters "
        "come from Welch's test at the level 0.05. Mann-Whitney's p cannot be small with few seeds "
        "and many pairs: 0.22 at least for five seeds of eight networks. The last column counts "
        "the spectra that either network classifies correctly in more seeds than the other. "
        "McNemar's test, which rests on them, takes the spectra of one class for independent; they "
        "are not, so its small p-values are too small.\n\n"
    )
    return note + as_markdown(header, lines)


def draw(runs, baselines, split, found, class_file, parameters):
    """Draw all figures; returns name -> figure, None for one that these results do not allow."""
    import figures

    paper = {name: row.misclassified for name, row in TABLE_2.items()}
    if not is_paper_dataset(runs[0]["dataset"]):
        paper = None
    drawn = {
        "class_variation": None,
        "misclassifications": figures.misclassifications(runs, baselines, split, paper),
        "learning_curves": figures.learning_curves(runs),
        "confused_classes": None,
        "cost": figures.cost(runs, split, comparable=not times_text(runs)),
    }
    if class_file:
        named = parameters._asdict()
        label = figures.most_telling_class(class_file)
        drawn["class_variation"] = figures.class_variation(class_file, named, label)
        confusions = [m._asdict() for m in found if m.split in ("test", "test_wide")]
        if confusions:
            drawn["confused_classes"] = figures.confused_classes(confusions, class_file, named)
    return drawn


def save_figures(folder, drawn):
    """Write the figures of `draw` into a folder; what an earlier evaluation drew instead goes."""
    import figures

    for name, figure in drawn.items():
        if figure:
            figures.save(figure, folder, name)
        else:
            for kind in "png", "pdf":
                Path(folder, f"{name}.{kind}").unlink(missing_ok=True)


if __name__ == "__main__":
    run_script(sys.modules[__name__], main)
