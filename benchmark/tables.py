"""The table of an evaluation: a row per network and method, over the seeds."""

from statistics import mean, stdev
from typing import NamedTuple

import numpy as np

from benchmark.data_card import checksum
from benchmark.published_results import PUBLISHED, PublishedNetwork
from benchmark.results_folder import SHIPPED_MARK, by_network
from benchmark.run_folder import differing_constants, read_predictions
from benchmark.table_formats import as_csv, as_latex, as_markdown, mean_text
from benchmark.variation import value_text


class Score(NamedTuple):
    """The results of a network or method on one split, over its seeds."""

    mean: float  # misclassified spectra, of those that were answered
    std: float | None  # sample standard deviation; None for a single run
    min: float  # whole numbers, unless answers were tied
    max: float
    spectra: int
    unanswered: int
    accuracy: float | None  # of the answers; None without any
    macro_f1: float | None  # None where several classes were equally likely, too


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
    published: PublishedNetwork  # without any number where nothing is published


def table(runs, baselines, labels, letters, published=None):
    """Return a list of Row, networks first.

    runs: list of Run, ordered by network; baselines: list of Baseline; labels: split -> int64
    (spectra,); letters: network -> letters of `significance.groups`; published: Published, whose
    numbers stand beside ours.
    """
    classes = runs[0].dataset.classes
    known = published.networks if published else {}
    rows = []
    for network, seeds in by_network(runs).items():
        epochs = [run.epochs for run in seeds]
        row = Row(
            network=network,
            group=letters.get(network, ""),
            seeds=len(seeds),
            scores=scores_of(seeds, labels, classes),
            weights=seeds[0].weights,
            best_epoch=mean(run.best_epoch for run in seeds),
            epochs_min=min(epochs),
            epochs_max=max(epochs),
            seconds_per_epoch=mean(run.seconds / run.epochs for run in seeds),
            minutes=mean(run.seconds for run in seeds) / 60,
            published=known.get(network.removesuffix(SHIPPED_MARK), PublishedNetwork()),
        )
        rows.append(row)
    for baseline in baselines:
        row = Row(
            network=baseline.method,
            group=None,
            seeds=None,
            scores=scores_of([baseline], labels, classes),
            weights=None,
            best_epoch=None,
            epochs_min=None,
            epochs_max=None,
            seconds_per_epoch=None,
            minutes=baseline.seconds / 60,
            published=PublishedNetwork(),
        )
        rows.append(row)
    return rows


def scores_of(judged, labels, classes):
    """Return split -> Score of the Runs of one network, or of a Baseline in a list.

    labels: split -> int64 (spectra,), the true classes; classes: their number.
    """
    return {split: score_of(split, judged, y, classes) for split, y in labels.items()}


def score_of(split, judged, labels, classes):
    counts = [one.misclassified[split] for one in judged]
    wrong = [count.misclassified for count in counts]
    predictions = [
        read_predictions(one.folder, split, labels, classes, count)
        for one, count in zip(judged, counts, strict=True)
    ]
    answered = len(labels) - counts[0].unanswered
    decided = answered and not any(count.tied for count in counts)
    f1_scores = [macro_f1(p[p >= 0], labels[p >= 0], classes) for p in predictions]
    return Score(
        mean=mean(wrong),
        std=stdev(wrong) if len(wrong) > 1 else None,
        min=min(wrong),
        max=max(wrong),
        spectra=len(labels),
        unanswered=counts[0].unanswered,
        accuracy=1 - mean(wrong) / answered if answered else None,
        macro_f1=mean(f1_scores) if decided else None,
    )


def macro_f1(predictions, labels, classes):
    """Return the mean of the F1 score, 2 TP / (2 TP + FP + FN), over the classes that occur.

    A class occurs if it is the label or the prediction of a spectrum.
    """
    predictions = predictions.astype(np.int64)  # bincount takes no larger type
    hits = np.bincount(labels[predictions == labels], minlength=classes)
    total = np.bincount(labels, minlength=classes) + np.bincount(predictions, minlength=classes)
    return float(np.mean(2 * hits[total > 0] / total[total > 0])) if total.any() else 0.0


def counts_table(rows, published=None):
    """Return header and lines of text: misclassified spectra, as in Table 2 of the paper.

    published: Published of the dataset, whose numbers stand in the last columns.
    """
    scored = rows[0].scores
    header = ["network", "group", "seeds"]
    header += [f"{split}: misclassified of {scored[split].spectra}" for split in scored]
    columns = published_columns(rows)
    header += [published_header(column, published) for column in columns]
    lines = []
    for row in rows:
        line = [row.network, row.group, row.seeds]
        line += [misclassified_text(row.scores[split]) for split in scored]
        cells = row.published.cells()
        lines.append(line + [cells[column] for column in columns])
    return header, as_text(lines)


def published_columns(rows):
    """Return the columns of published results in which some row has a number."""
    cells = [row.published.cells() for row in rows]
    return [column for column in cells[0] if any(cell[column] is not None for cell in cells)]


def published_header(column, published):
    if column == "misclassified":
        return f"published: misclassified (see {published.split})"
    return f"published: {column}"


def details_table(rows):
    """Return header and lines of text: accuracies, size and time of each network."""
    splits = list(rows[0].scores)
    header = ["network"]
    header += [f"{split}: accuracy, macro-F1" for split in splits]
    header += ["weights", "best epoch", "epochs", "seconds per epoch", "minutes"]
    lines = []
    for row in rows:
        line = [row.network, *map(accuracies_text, row.scores.values())]
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


def accuracies_text(score):
    """Return accuracy and macro-F1 of a Score as text, None if only a part was answered."""
    if score.unanswered:
        return None  # of other spectra than those of the networks
    accuracy = f"{100 * score.accuracy:.2f} %"
    return accuracy if score.macro_f1 is None else f"{accuracy}, {score.macro_f1:.4f}"


def misclassified_text(score):
    """Say how many spectra were misclassified, and how many answered if not all; score: Score."""
    if score.unanswered:
        return f"{mean_text(score.mean)} of {score.spectra - score.unanswered} answered"
    if score.std is None:
        return mean_text(score.min, digits=6)
    return f"{score.mean:.1f} ± {score.std:.1f} ({score.min}–{score.max})"


def as_text(lines):
    return [["" if cell is None else str(cell) for cell in line] for line in lines]


def markdown_tables(rows, published=None):
    tables = counts_table(rows, published), details_table(rows)
    return "\n".join(as_markdown(*table) for table in tables)


def latex_tables(rows, published=None):
    tables = counts_table(rows, published), details_table(rows)
    return "\n".join(as_latex(*table) for table in tables)


def csv_table(rows, origin):
    """Return all columns of the rows as CSV, with the fields of Score and PublishedNetwork.

    origin: `origin_of` their runs, which stands in each row, wherever it is copied to.
    """
    flat = []
    columns = published_columns(rows)
    for row in rows:
        cells = row._asdict()
        scored, published = cells.pop("scores"), cells.pop("published").cells()
        for split, score in scored.items():
            cells |= {f"{split}_{field}": value for field, value in score._asdict().items()}
        for column in columns:
            cells[f"published_{column.replace(' ', '_')}"] = published[column]
        flat.append(cells | origin)
    return as_csv(flat[0], flat)


def origin_of(run):
    """Return which spectra and which protocol all rows of a table are about, name -> text.

    The checksum is over the arrays that the run saw: that of dataset.json, if no test split came
    later.
    """
    constants = differing_constants(run.protocol, PUBLISHED["paper"].protocol)
    changed = [f"{name} {value_text(own)}" for name, own, _ in constants]
    files = {name: {"sha256": sha256} for name, sha256 in run.dataset.sha256.items()}
    return {
        "dataset": run.dataset.name,
        "checksum": checksum(files),
        "protocol": f"the paper's but for {', '.join(changed)}" if changed else "the paper's",
    }
