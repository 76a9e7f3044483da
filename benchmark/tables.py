"""The tables of an evaluation: a row per network and method, and what stands below them."""

from statistics import mean, stdev
from typing import NamedTuple

import numpy as np

from benchmark.baseline_folder import settings_told
from benchmark.data_card import checksum
from benchmark.published_results import PUBLISHED, PublishedNetwork
from benchmark.results_folder import SHIPPED_MARK, by_network
from benchmark.run_folder import differing_constants, read_predictions
from benchmark.significance import ALPHA, LETTERS, POWER, holm
from benchmark.table_formats import (
    as_csv,
    as_latex,
    as_markdown,
    difference_cells,
    markdown_text,
    mean_text,
)
from benchmark.variation import value_text

VERSIONS = "tensorflow", "keras", "onednn", "benchmark"  # that may change what runs compute


class Score(NamedTuple):
    """The results of a network or method on one split, over its seeds."""

    mean: float  # misclassified spectra, of those that were answered
    std: float | None  # sample standard deviation; None for a single run
    min: int
    max: int
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
            scores=scores(seeds, labels, classes),
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
            scores=scores([baseline], labels, classes),
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


def scores(judged, labels, classes):
    """Return split -> Score of the Runs of one network, or of a Baseline in a list."""
    return {split: score(split, judged, y, classes) for split, y in labels.items()}


def score(split, judged, labels, classes):
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
        line += [spread(row.scores[split]) for split in scored]
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
        line = [row.network]
        for judged in row.scores.values():
            line.append(accuracies(judged))
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


def accuracies(judged):
    """Return accuracy and macro-F1 of a Score as text, None if only a part was answered."""
    if judged.unanswered:
        return None  # of other spectra than those of the networks
    accuracy = f"{100 * judged.accuracy:.2f} %"
    return accuracy if judged.macro_f1 is None else f"{accuracy}, {judged.macro_f1:.4f}"


def spread(judged):
    """Say how many spectra were misclassified, and how many answered if not all; judged: Score."""
    if judged.unanswered:
        return f"{mean_text(judged.mean)} of {judged.spectra - judged.unanswered} answered"
    if judged.std is None:
        return mean_text(judged.min, digits=6)
    return f"{judged.mean:.1f} ± {judged.std:.1f} ({judged.min}–{judged.max})"


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
        for split, judged in scored.items():
            cells |= {f"{split}_{field}": value for field, value in judged._asdict().items()}
        for column in columns:
            cells[f"published_{column.replace(' ', '_')}"] = published[column]
        flat.append(cells | origin)
    return as_csv(flat[0], flat)


def group_text(rows, shown):
    """Say in Markdown what the groups mean; shown: the split that they are about."""
    if not any(row.group for row in rows):
        return ""
    return (
        f"\ngroup: networks with a common letter were not shown to differ on "
        f"{markdown_text(shown)}.\n"
    )


def distance_from_ideal(rows):
    """Say in Markdown how far the best network is from the ideal observer; "" without it."""
    ideal = next((row for row in rows if row.network == "ideal_observer"), None)
    networks = [row for row in rows if row.seeds]
    if ideal is None or not networks:
        return ""
    lines = []
    for split, judged in ideal.scores.items():
        if judged.unanswered:
            continue
        best = min(networks, key=lambda row: row.scores[split].mean)
        lines.append(
            f"- {markdown_text(split)}: {markdown_text(best.network)} misclassifies "
            f"{mean_text(best.scores[split].mean)}, the ideal observer {mean_text(judged.mean)} of "
            f"{judged.spectra}"
        )
    if not lines:
        return ""
    head = (
        "\nHow far the best network is from what is possible (on val no classifier can do better "
        "on average than the ideal observer; on test splits it is what training spectra teach):\n"
    )
    return head + "\n" + "\n".join(lines) + "\n"


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


def origin_text(run):
    """Say in Markdown which spectra and which protocol all rows of a table are about."""
    origin = origin_of(run)
    return (
        f"\nDataset {markdown_text(origin['dataset'])}, checksum {origin['checksum'][:16]}…; "
        f"protocol: {markdown_text(origin['protocol'])}.\n"
    )


def methods_text(baselines):
    """Say in Markdown with which settings the methods judged; "" if none depends on any."""
    parts = [
        f"{markdown_text(baseline.method)} with {setting}"
        for baseline in baselines
        for setting in settings_told(baseline)
    ]
    return f"\nMethods: {', '.join(parts)}.\n" if parts else ""


def seeds_text(runs):
    """Say which seeds there are unless all networks have 0, 1, 2 and so on; "" if they have.

    Who leaves out seeds after seeing their results makes means and tests worthless.
    """
    seeds = {network: [run.seed for run in of] for network, of in by_network(runs).items()}
    usual = all(numbers == list(range(len(numbers))) for numbers in seeds.values())
    if usual and len(set(map(len, seeds.values()))) == 1:
        return ""
    parts = [f"{markdown_text(name)} {', '.join(map(str, of))}" for name, of in seeds.items()]
    return (
        f"\nSeeds: {'; '.join(parts)}. Which ones count has to be decided before their results "
        f"are known.\n"
    )


def cut_off_text(runs):
    """Say whose training EPOCHS ended before early stopping could; "" if none was."""
    counts = {}
    for run in runs:
        limits = run.protocol
        ended = run.epochs == limits.epochs and run.epochs - run.best_epoch < limits.stop_patience
        counts.setdefault(run.model, []).append(ended)
    parts = [
        f"{markdown_text(name)} {sum(ended)} of {len(ended)}"
        for name, ended in counts.items()
        if any(ended)
    ]
    if not parts:
        return ""
    which = "all" if all(map(all, counts.values())) else ", ".join(parts)
    return (
        f"\nRuns that EPOCHS {runs[0].protocol.epochs} ended before early stopping did: {which}. "
        f"They might have become better.\n"
    )


def shipped_text(runs, known):
    """Say where the rows come from that are not of the results folder's own runs.

    known: the results folders that come with the project.
    """
    folders = [str(run.folder.parent) for run in runs if run.model.endswith(SHIPPED_MARK)]
    if not folders:
        return ""
    names = names_text(dict.fromkeys(folders))
    whence = "come with the project, from" if set(folders) <= set(known) else "are those in"
    return f"\nRows marked{SHIPPED_MARK} {whence} {names}; all others are yours.\n"


def versions_text(runs):
    """Say by which versions runs were trained if that differs, for then their results may, too."""
    sentences = []
    for name in VERSIONS:
        networks = {}
        for run in runs:
            for environment in run.environments:
                networks.setdefault(environment.get(name), {})[run.model] = None
        networks.pop(None, None)  # runs that did not record it
        if len(networks) > 1:
            parts = [f"{names_text(models)} with {value}" for value, models in networks.items()]
            sentences.append(f"{name} differs: {'; '.join(parts)}; results may differ by that.")
    return "".join(f"\n{sentence}\n" for sentence in sentences)


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


def groups_text(split, letters, comparisons, detectable=None):
    """Say in Markdown which networks are not shown to differ.

    letters: `significance.groups` of comparisons, a list of `significance.Comparison`; detectable:
    `significance.detectable_differences` of them.
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
        what = "are not shown to differ" if len(members) > 1 else "differs from all others compared"
        if members:
            lines.append(f"- {letter}: {names_text(members)} {what}")
    if detectable:
        found = [f"{mean_text(number, 2)} spectra ({n} seeds)" for n, number in detectable.items()]
        lines += [
            "",
            f"If the counts of all networks spread alike over the seeds, a true difference of "
            f"{', '.join(found)} between two networks would be found here with a probability of "
            f"{100 * POWER:g} %, a smaller one, or one with fewer seeds, more rarely.",
        ]
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
            *difference_cells(c.difference, c.low, c.high),
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


def agreement_text(agreements, published):
    """Format a list of `significance.Agreement` in Markdown; published: Published."""
    header = ["network", "ours", "published", "difference", "95 % interval", "Mann-Whitney p", ""]
    corrected = holm([a.mann_whitney for a in agreements])
    lines = [
        [
            a.network,
            ", ".join(map(str, a.ours)),
            ", ".join(map(str, a.published)),
            *difference_cells(a.difference, a.low, a.high),
            f"{p:.2g}",
            "not shown to differ" if p >= ALPHA else "differ",
        ]
        for a, p in zip(agreements, corrected, strict=True)
    ]
    return (
        f"## Agreement with the published runs: {markdown_text(published.split)}\n\n"
        f"Misclassified spectra of each run. The exact Mann-Whitney test asks whether both sets of "
        f"counts can come from one distribution; p is Holm-corrected for the number of networks. "
        f"The interval is that of Welch's test, not corrected, so it may leave out 0 where the "
        f"networks are not shown to differ. "
        f"All our runs learned from one draw of training spectra and all published ones from "
        f"another: how much that changes is in neither p nor interval. "
        f"Source of the published runs: {published.source}.\n\n{as_markdown(header, lines)}"
    )
