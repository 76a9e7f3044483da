"""Compare networks on the three kinds of triplets of the challenge set.

    python -m results.challenge.kinds

in the project's folder prints the tables of results/challenge/README.md and draws its figure. The
classes of a triplet differ by a minor peak (0 to 8), by the position of a peak (9 to 17) or by the
height of one (18 to 26).
"""

from itertools import combinations
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmark.baseline_folder import read_baselines
from benchmark.figure_style import BLACK, BLUE, GREY, STYLE, VERMILION, WIDTH, in_lines, save
from benchmark.results_folder import by_network, read_results
from benchmark.run_folder import read_predictions
from benchmark.significance import FEWEST_SEEDS, holm, welch
from benchmark.table_formats import as_markdown, difference_cells, mean_text

HERE = Path(__file__).parent
KINDS = "minor peak", "position", "height"  # 9 classes of each, in this order
CLASSES = 27
SPLITS = "test", "val"


def main():
    runs = read_results(HERE)
    networks = {name: counts_of(seeds) for name, seeds in by_network(runs).items()}
    methods = {method.method: counts_of([method]) for method in read_baselines(HERE, runs[0])}
    print(table(networks | methods))
    print(comparisons(networks))
    for path in save(draw(networks, methods), HERE / "figures", "kinds"):
        print(path)


def counts_of(judged):
    """Return split -> int64 (kinds, seeds), the misclassified spectra of each kind.

    judged: the Runs of a network, or a method's Baseline in a list. Where classes are equally
    likely, the first is taken for the answer.
    """
    counts = {}
    for split in SPLITS:
        recorded = [one.misclassified[split] for one in judged]
        labels = np.repeat(np.arange(CLASSES), recorded[0].spectra // CLASSES)
        wrong = [
            read_predictions(one.folder, split, labels, CLASSES, count) != labels
            for one, count in zip(judged, recorded, strict=True)
        ]
        counts[split] = np.reshape(wrong, (len(judged), len(KINDS), -1)).sum(axis=2).T
    return counts


def table(rows):
    """Return the mean counts of networks and methods as a table in Markdown.

    rows: name -> split -> counts (kinds, seeds).
    """
    header = ["", *(f"{split}: {kind}" for split in SPLITS for kind in KINDS)]
    lines = [
        [name, *(mean_text(seeds.mean(), 3) for split in SPLITS for seeds in counts[split])]
        for name, counts in rows.items()
    ]
    return as_markdown(header, lines)


def comparisons(networks):
    """Return each pair of networks on each kind of test spectra as a table in Markdown.

    p is that of Welch's test, corrected for all pairs and kinds.
    """
    compared = [name for name, of in networks.items() if of["test"].shape[1] >= FEWEST_SEEDS]
    pairs = [(a, b, kind) for a, b in combinations(compared, 2) for kind in range(len(KINDS))]
    tests = [welch(networks[a]["test"][kind], networks[b]["test"][kind]) for a, b, kind in pairs]
    corrected = holm([p for *_, p in tests])
    lines = []
    for (a, b, kind), (difference, low, high, _), p in zip(pairs, tests, corrected, strict=True):
        cells = difference_cells(difference, low, high)
        # Without any spread over the seeds there is no test.
        lines.append([f"{a} − {b}", KINDS[kind], *cells, "" if p is None else f"{p:.2g}"])
    return as_markdown(["pair", "kind", "difference", "95 % interval", "p"], lines)


@matplotlib.rc_context(STYLE)
def draw(networks, methods):
    """Draw a panel for each kind: a row for each network and method, a point for each seed."""
    rows = networks | methods
    figure = Figure((WIDTH, 1.1 + 0.45 * len(rows)), layout="constrained")
    panels = figure.subplots(1, len(KINDS), sharex=True, sharey=True)
    for kind, panel in enumerate(panels):
        for row, (name, counts) in enumerate(rows.items()):
            seeds = counts["test"][kind]
            if name in methods:
                panel.plot(seeds, [row], "D", color=VERMILION, markersize=5, zorder=3)
                continue
            places = row + np.linspace(-0.2, 0.2, len(seeds))
            panel.plot(seeds, places, "o", color=BLUE, markersize=4, zorder=3)
            panel.plot([seeds.mean()] * 2, [row - 0.36, row + 0.36], color=BLACK, linewidth=1.5)
        panel.set_title(f"{KINDS[kind]} differs", loc="left")
        panel.grid(axis="x", color=GREY, alpha=0.5, linewidth=0.5)
    panels[0].set_yticks(range(len(rows)), [in_lines(name, 28) for name in rows])
    panels[0].set_ylim(len(rows) - 0.5, -0.5)
    panels[0].set_xlim(left=-2)
    panels[1].set_xlabel("misclassified of 54 test spectra of each kind")
    handles = [
        Line2D([], [], color=BLUE, marker="o", markersize=4, linestyle="", label="one seed"),
        Line2D([], [], color=BLACK, marker="|", markersize=10, linestyle="", label="mean"),
        Line2D([], [], color=VERMILION, marker="D", markersize=5, linestyle="", label="method"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    return figure


if __name__ == "__main__":
    main()
