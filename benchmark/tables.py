"""The tables of an evaluation: a row per network and method, and what stands below them."""

from statistics import mean, stdev
from typing import NamedTuple

import numpy as np

from benchmark.published_results import TABLE_2, PaperRow, is_paper_dataset
from benchmark.run_folder import read_predictions
from benchmark.significance import ALPHA, LETTERS
from benchmark.table_formats import as_csv, as_latex, as_markdown, markdown_text

PAPER_HEADERS = {
    "misclassified": "paper: misclassified (see test_wide)",
    "epochs": "paper: epochs",
    "minutes": "paper: minutes",
}


class Score(NamedTuple):
    """The results of a network or method on one split, over its seeds."""

    mean: float  # misclassified spectra
    std: float | None  # sample standard deviation; None for a single run
    min: int
    max: int
    spectra: int
    accuracy: float
    macro_f1: float


class Row(NamedTuple):
    """A network, or a method without training; what does not apply to it is None."""

    network: str
    group: str | None  # letters of `significance.groups`
    seeds: int | None
    scores: dict  # split -> Score
    weights: int | None
    best_epoch: float | None  # mean over the seeds
    epochs_min: int | None
    epochs_max: int | None
    seconds_per_epoch: float | None
    minutes: float
    paper: PaperRow | None  # on the paper's dataset only


def table(runs, baselines, labels, letters):
    """Return a list of Row, networks first.

    runs: list of Run, ordered by network; baselines: list of Baseline; labels: split -> int64
    (spectra,); letters: network -> letters of `significance.groups`.
    """
    classes = runs[0].dataset.classes
    with_paper = is_paper_dataset(runs[0].dataset)
    rows = []
    for model in dict.fromkeys(run.model for run in runs):
        seeds = [run for run in runs if run.model == model]
        epochs = [run.epochs for run in seeds]
        row = Row(
            network=model,
            group=letters.get(model, ""),
            seeds=len(seeds),
            scores=scores(seeds, labels, classes),
            weights=seeds[0].weights,
            best_epoch=mean(run.best_epoch for run in seeds),
            epochs_min=min(epochs),
            epochs_max=max(epochs),
            seconds_per_epoch=mean(run.seconds / run.epochs for run in seeds),
            minutes=mean(run.seconds for run in seeds) / 60,
            paper=TABLE_2.get(model, PaperRow(None, None, None)) if with_paper else None,
        )
        rows.append(row)
    for baseline in baselines:
        row = Row(
            network=baseline.method,
            group=None,
            seeds=None,
            scores=scores([baseline], labels, classes),
            weights=None,
            best_epoch=None,
            epochs_min=None,
            epochs_max=None,
            seconds_per_epoch=None,
            minutes=baseline.seconds / 60,
            paper=PaperRow(None, None, None) if with_paper else None,
        )
        rows.append(row)
    return rows


def scores(judged, labels, classes):
    """Return split -> Score of the Runs of one network, or of a Baseline in a list."""
    found = {}
    for split, y in labels.items():
        counts = [one.misclassified[split].misclassified for one in judged]
        f1 = [
            macro_f1(read_predictions(one.folder, split, y, classes, count), y, classes)
            for one, count in zip(judged, counts, strict=True)
        ]
        found[split] = Score(
            mean=mean(counts),
            std=stdev(counts) if len(counts) > 1 else None,
            min=min(counts),
            max=max(counts),
            spectra=len(y),
            accuracy=1 - mean(counts) / len(y),
            macro_f1=mean(f1),
        )
    return found


def macro_f1(predictions, labels, classes):
    """Return the mean of the F1 score, 2 TP / (2 TP + FP + FN), over the classes that occur.

    A class occurs if it is the label or the prediction of a spectrum.
    """
    predictions = predictions.astype(np.int64)  # bincount takes no larger type
    hits = np.bincount(labels[predictions == labels], minlength=classes)
    total = np.bincount(labels, minlength=classes) + np.bincount(predictions, minlength=classes)
    return float(np.mean(2 * hits[total > 0] / total[total > 0]))


def counts_table(rows):
    """Return header and lines of text: misclassified spectra, as in Table 2 of the paper."""
    splits = list(rows[0].scores)
    header = ["network", "group", "seeds"]
    header += [f"{split}: misclassified of {rows[0].scores[split].spectra}" for split in splits]
    if rows[0].paper:
        header += PAPER_HEADERS.values()
    lines = []
    for row in rows:
        line = [row.network, row.group, row.seeds]
        line += [spread(row.scores[split]) for split in splits]
        lines.append(line + list(row.paper or ()))
    return header, as_text(lines)


def details_table(rows):
    """Return header and lines of text: accuracies, size and time of each network."""
    splits = list(rows[0].scores)
    header = ["network"]
    header += [f"{split}: accuracy, macro-F1" for split in splits]
    header += ["weights", "best epoch", "epochs", "seconds per epoch", "minutes"]
    lines = []
    for row in rows:
        line = [row.network]
        for score in row.scores.values():
            line.append(f"{100 * score.accuracy:.2f} %, {score.macro_f1:.4f}")
        same = row.epochs_min == row.epochs_max
        line += [
            row.weights,
            None if row.best_epoch is None else f"{row.best_epoch:.0f}",
            row.epochs_min if same else f"{row.epochs_min}–{row.epochs_max}",
            None if row.seconds_per_epoch is None else f"{row.seconds_per_epoch:.1f}",
            f"{row.minutes:.1f}",
        ]
        lines.append(line)
    return header, as_text(lines)


def spread(score):
    if score.std is None:
        return str(score.min)
    return f"{score.mean:.1f} ± {score.std:.1f} ({score.min}–{score.max})"


def as_text(lines):
    return [["" if cell is None else str(cell) for cell in line] for line in lines]


def markdown_tables(rows):
    return "\n".join(as_markdown(*part(rows)) for part in (counts_table, details_table))


def latex_tables(rows):
    return "\n".join(as_latex(*part(rows)) for part in (counts_table, details_table))


def csv_table(rows):
    """Return all columns of the rows as CSV, the fields of each Score and PaperRow included."""
    flat = []
    for row in rows:
        cells = {}
        for name, value in row._asdict().items():
            if name == "scores":
                for split, score in value.items():
                    cells |= {f"{split}_{field}": v for field, v in score._asdict().items()}
            elif name != "paper":
                cells[name] = value
        if row.paper:
            cells |= {f"paper_{field}": value for field, value in row.paper._asdict().items()}
        flat.append(cells)
    return as_csv(flat[0], flat)


def times_text(runs):
    """Say on what the runs were trained if that differs, for then their times do, too."""
    networks = {}
    for run in runs:
        for environment in run.environments:
            device, threads = environment.get("device"), environment.get("threads")
            networks.setdefault(f"{device}, threads: {threads}", {})[run.model] = None
    if len(networks) < 2:
        return ""
    machines = "; ".join(f"{', '.join(names)} on {where}" for where, names in networks.items())
    return f"\nTimes are not comparable: {markdown_text(machines)}.\n"


def groups_text(split, letters, comparisons):
    """Say in Markdown which networks cannot be told apart.

    letters: `significance.groups` of comparisons, a list of `significance.Comparison`.
    """
    lines = [f"## Which differences are real: {markdown_text(split)}", ""]
    compared = {name for c in comparisons for name in (c.a, c.b)}
    alone = [name for name in letters if name not in compared]
    if alone:
        lines += [
            f"Not compared: {names_text(alone)}. A comparison takes three seeds of each of two "
            f"networks."
        ]
    if compared and not any(letters.values()):
        lines += [f"No letters: the networks fall into more than {len(LETTERS)} groups."]
    for letter in LETTERS:
        members = [name for name in letters if letter in letters[name]]
        what = "cannot be told apart" if len(members) > 1 else "differs from all others compared"
        if members:
            lines.append(f"- {letter}: {names_text(members)} {what}")
    untested = {name for c in comparisons if c.welch is None for name in (c.a, c.b)}
    if untested:
        lines += [
            "",
            f"Not tested against each other: "
            f"{names_text(name for name in letters if name in untested)}. Each misclassifies the "
            f"same number of spectra with all its seeds, so Welch's test has no spread to hold a "
            f"difference against. They share a letter because nothing shows that they differ.",
        ]
    return "\n".join(lines) + "\n"


def comparisons_text(comparisons):
    """Format a list of `significance.Comparison` as a Markdown table."""
    if not comparisons:
        return ""
    header = ["pair", "difference", "95 % interval", "Welch", "Mann-Whitney", "McNemar"]
    header.append("spectra in favour")
    lines = [
        [
            f"{c.a} − {c.b}",
            f"{c.difference:+.1f}",
            "" if c.low is None else f"{c.low:+.1f} to {c.high:+.1f}",
            *("" if p is None else f"{p:.2g}" for p in (c.welch, c.mann_whitney, c.mcnemar)),
            "" if c.favour_a is None else f"{c.favour_a} : {c.favour_b}",
        ]
        for c in comparisons
    ]
    note = (
        f"\np-values are Holm-corrected for the number of pairs tested, intervals are not. The "
        f"letters come from Welch's test at the level {ALPHA:g}. Mann-Whitney's p cannot be small "
        f"with few seeds and many pairs: 0.22 at least for five seeds of eight networks. The last "
        f"column counts the spectra that either network classifies correctly in more seeds than "
        f"the other. McNemar's test, which rests on them, takes the spectra of one class for "
        f"independent; they are not, so its small p-values are too small.\n"
    )
    unequal = [f"{c.a} − {c.b}" for c in comparisons if c.mcnemar is None]
    if unequal:
        note += (
            f"\nMcNemar's test was not made for {names_text(unequal)}: it takes networks with "
            f"equal numbers of seeds.\n"
        )
    return f"{note}\n{as_markdown(header, lines)}"


def names_text(names):
    return ", ".join(map(markdown_text, names))
