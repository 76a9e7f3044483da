"""Compare networks on the three kinds of triplets of the challenge set.

    python -m results.challenge.kinds

in the project's folder prints the tables of results/challenge/README.md and draws its figure. The
classes of a triplet differ by a minor peak (0 to 8), by the position of a peak (9 to 17) or by the
height of one (18 to 26). Spectra that are as likely under two classes, given how training spectra
vary, are counted apart: nothing in the training spectra decides them.
"""

from itertools import combinations
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmark.baseline_folder import read_baselines
from benchmark.dataset_folder import read_classes
from benchmark.figure_style import (
    BLACK,
    BLUE,
    GREY,
    STYLE,
    VERMILION,
    WIDTH,
    in_lines,
    rows_for,
    save,
)
from benchmark.ideal_observer import IdealObserver
from benchmark.results_folder import by_network, read_results
from benchmark.run_folder import read_predictions
from benchmark.significance import FEWEST_SEEDS, holm, welch
from benchmark.table_formats import as_markdown, difference_cells, mean_text
from spectra_from_config import labels_of, splits_of, vary_rows

HERE = Path(__file__).parent
CLASSES = 27
KINDS = "minor peak", "position", "height"  # 9 classes of each, in this order
UNDECIDED = "undecided"
GROUPS = *KINDS, UNDECIDED
SPLITS = "test", "val"


def main():
    runs = read_results(HERE)
    groups = groups_of(runs[0].dataset)
    networks = {name: counts_of(seeds, groups) for name, seeds in by_network(runs).items()}
    methods = read_baselines(HERE, runs[0])
    methods = {method.method: counts_of([method], groups) for method in methods}
    print(table(networks | methods, groups))
    print(comparisons(networks))
    for path in save(draw(networks, methods, groups["test"]), HERE / "figures", "kinds"):
        print(path)


def groups_of(dataset):
    """Return split -> int64 (spectra,), the number of each spectrum's group in GROUPS.

    dataset: DatasetRecord. A spectrum under which several classes are equally likely is undecided,
    the others are of the kind of their class.
    """
    class_file, variation = read_classes(dataset._asdict())
    observer = IdealObserver(class_file, variation)
    groups = {}
    for name in SPLITS:
        split = splits_of(class_file, variation)[name]
        groups[name] = labels_of(split) // (CLASSES // len(KINDS))
        positions, heights, _ = vary_rows(class_file, split, range(len(groups[name])))
        for row, peaks in enumerate(zip(positions, heights, strict=True)):
            if len(observer.answer(*peaks).classes) > 1:
                groups[name][row] = GROUPS.index(UNDECIDED)
    return groups


def counts_of(judged, groups):
    """Return split -> int64 (groups, seeds), the misclassified spectra of each group.

    judged: the Runs of a network, or a method's Baseline in a list; groups: of the splits that are
    to be counted. Where classes are equally likely, the first is taken for a method's answer.
    """
    counts = {}
    for split, of_spectra in groups.items():
        labels = np.repeat(np.arange(CLASSES), len(of_spectra) // CLASSES)
        wrong = [
            read_predictions(one.folder, split, labels, CLASSES, one.misclassified[split]) != labels
            for one in judged
        ]
        counts[split] = np.transpose(
            [np.bincount(of_spectra[of_seed], minlength=len(GROUPS)) for of_seed in wrong]
        )
    return counts


def table(rows, groups):
    """Return the mean counts of networks and methods as a table in Markdown.

    rows: name -> split -> counts (groups, seeds).
    """
    header = [""]
    for split in SPLITS:
        spectra = np.bincount(groups[split])
        header += [f"{split}: {n} {name}" for name, n in zip(GROUPS, spectra, strict=True)]
    lines = [
        [name, *(mean_text(seeds.mean(), 3) for split in SPLITS for seeds in counts[split])]
        for name, counts in rows.items()
    ]
    return as_markdown(header, lines)


def comparisons(networks):
    """Return each pair of networks on each group of test spectra as a table in Markdown.

    p is that of Welch's test, corrected for all tests made. Without any spread over the seeds there
    is none.
    """
    compared = [name for name, own in networks.items() if own["test"].shape[1] >= FEWEST_SEEDS]
    pairs = [(a, b, group) for a, b in combinations(compared, 2) for group in range(len(GROUPS))]
    tests = [welch(networks[a]["test"][group], networks[b]["test"][group]) for a, b, group in pairs]
    corrected = holm([p for *_, p in tests])
    lines = []
    for (a, b, group), (difference, low, high, _), p in zip(pairs, tests, corrected, strict=True):
        cells = difference_cells(difference, low, high)
        lines.append([f"{a} − {b}", GROUPS[group], *cells, "" if p is None else f"{p:.2g}"])
    return as_markdown(["pair", "spectra", "difference", "95 % interval", "p"], lines)


@matplotlib.rc_context(STYLE)
def draw(networks, methods, groups):
    """Draw a panel for each group: a row for each network and method, a point for each seed.

    groups: of the test spectra.
    """
    rows = networks | methods
    figure = Figure((WIDTH, 1.1 + 0.45 * len(rows)), layout="constrained")
    spectra = np.bincount(groups)
    panels = figure.subplots(1, len(GROUPS), sharey=True, width_ratios=np.maximum(spectra, 30))
    for group, panel in enumerate(panels):
        for row, (name, counts) in enumerate(rows.items()):
            seeds = counts["test"][group]
            if name in methods:
                panel.plot(seeds, [row], "D", color=VERMILION, markersize=5, zorder=3)
                continue
            places = rows_for(len(seeds), row, reach=0.2)
            panel.plot(seeds, places, "o", color=BLUE, markersize=4, zorder=3)
            panel.plot([seeds.mean()] * 2, [row - 0.36, row + 0.36], color=BLACK, linewidth=1.5)
        panel.set_title(GROUPS[group], loc="left")
        panel.set_xlim(-1.5, spectra[group] + 1.5)
        panel.set_xlabel(f"of {spectra[group]}")
        panel.grid(axis="x", color=GREY, alpha=0.5, linewidth=0.5)
    panels[0].set_yticks(range(len(rows)), [in_lines(name, 28) for name in rows])
    panels[0].set_ylim(len(rows) - 0.5, -0.5)
    figure.supxlabel("misclassified test spectra", fontsize=matplotlib.rcParams["axes.labelsize"])
    handles = [
        Line2D([], [], color=BLUE, marker="o", markersize=4, linestyle="", label="one seed"),
        Line2D([], [], color=BLACK, marker="|", markersize=10, linestyle="", label="mean"),
        Line2D([], [], color=VERMILION, marker="D", markersize=5, linestyle="", label="method"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    return figure


if __name__ == "__main__":
    main()
