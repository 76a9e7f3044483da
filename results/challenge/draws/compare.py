"""Ask how much another draw of the training spectra changes the results on the challenge set.

    python -m results.challenge.draws.compare

in the project's folder prints the tables of results/challenge/README.md and draws its figure. The
folders beside this file are named by the seed of spectra_from_config.py, and hold a run of each
network on the training and validation spectra of that seed. The test spectra are the same for all.
Those that training spectra cannot decide, see results/challenge/kinds.py, are also counted apart.
"""

from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy import stats

from benchmark.figure_style import BLACK, BLUE, GREEN, GREY, STYLE, VERMILION, WIDTH, rows_for, save
from benchmark.published_results import published_beside
from benchmark.results_folder import by_network, read_results
from benchmark.significance import holm, welch
from benchmark.table_formats import as_markdown, difference_cells
from results.challenge.kinds import GROUPS, UNDECIDED, counts_of, groups_of

HERE = Path(__file__).parent
RELU = ":hidden_activation=relu"


class Row(NamedTuple):
    """Misclassified spectra of one network and split, a number for each run."""

    network: str
    one_draw: list  # our runs of several seeds, which learn from the same spectra
    draws: dict  # folder -> our run that learns from the spectra of that draw
    published: list | None  # of several seeds, which learn from the same spectra, others than ours


def main():
    rows = {split: read_rows(split) for split in ("test", "val")}
    print(table(rows["test"]))
    print(comparisons(rows["test"]))
    print(decidable_and_not())
    for split, of_split in rows.items():
        networks = {row.network: row for row in of_split}
        print(f"{split}\n\n{effect_of_relu(networks['cnn2'], networks['cnn2' + RELU])}")
    for path in save(draw(rows["test"]), HERE / "figures", "draws"):
        print(path)


def read_rows(split):
    """Return a Row for each network that learned from that one draw and from others.

    Raises ValueError if a run was judged by other test spectra.
    """
    runs = read_results(HERE.parent)
    of_one_draw, published = by_network(runs), published_beside(runs[0]).networks
    draws = {}
    for folder in sorted(HERE.glob("[0-9]*")):
        for run in read_results(folder):
            if run.dataset.sha256["x_test.npy"] != runs[0].dataset.sha256["x_test.npy"]:
                raise ValueError(f"{run.folder} was judged by other test spectra")
            draws.setdefault(run.model, {})[folder.name] = run.misclassified[split].misclassified
    rows = []
    for network, counts in draws.items():
        if network in of_one_draw:
            one_draw = [run.misclassified[split].misclassified for run in of_one_draw[network]]
            theirs = published[network].runs if split == "test" else None
            rows.append(Row(network, one_draw, counts, theirs))
    return rows


def table(rows):
    """Return the rows as a table in Markdown."""
    header = ["", "one draw: mean ± sd", "a draw for each run: runs", "mean ± sd"]
    header.append("published, one draw: mean ± sd")
    lines = []
    for row in rows:
        counts = list(row.draws.values())
        runs = " ".join(map(str, counts))
        cells = spread(row.one_draw), runs, spread(counts), spread(row.published)
        lines.append([row.network, *cells])
    return as_markdown(header, lines)


def comparisons(rows):
    """Return how runs on further draws differ from others as a table in Markdown.

    p is that of Welch's test, corrected for all in the table.
    """
    header = ["a draw for each run", "instead of", "difference", "95 % interval", "p"]
    pairs = [
        (row.network, name, list(row.draws.values()), others)
        for row in rows
        for name, others in (("one draw", row.one_draw), ("published", row.published))
    ]
    tests = [welch(counts, others) for _, _, counts, others in pairs]
    corrected = holm([p for *_, p in tests])
    lines = [
        [network, name, *difference_cells(difference, low, high), f"{p:.2g}"]
        for (network, name, *_), (difference, low, high, _), p in zip(
            pairs, tests, corrected, strict=True
        )
    ]
    return as_markdown(header, lines)


def decidable_and_not():
    """Return the means of decidable and undecided test spectra as a table in Markdown.

    p is that of Welch's test, corrected for all in the table.
    """
    runs = read_results(HERE.parent)
    further = [run for folder in sorted(HERE.glob("[0-9]*")) for run in read_results(folder)]
    groups = {"test": groups_of(runs[0].dataset)["test"]}
    spectra = np.bincount(groups["test"])
    undecided = GROUPS.index(UNDECIDED)
    parts = {"decidable": slice(undecided), UNDECIDED: slice(undecided, undecided + 1)}
    one_draw, draws = by_network(runs), by_network(further)
    compared = []
    for network in (name for name in draws if name in one_draw):
        sides = [counts_of(of[network], groups)["test"] for of in (one_draw, draws)]
        for part, rows in parts.items():
            one, several = (side[rows].sum(axis=0) for side in sides)
            compared.append((network, f"{spectra[rows].sum()} {part}", one, several))
    tests = [welch(several, one) for *_, one, several in compared]
    corrected = holm([p for *_, p in tests])
    lines = [
        [*names, f"{one.mean():.1f}", f"{several.mean():.1f}"]
        + [*difference_cells(difference, low, high), f"{p:.2g}"]
        for (*names, one, several), (difference, low, high, _), p in zip(
            compared, tests, corrected, strict=True
        )
    ]
    header = ["", "test spectra", "one draw", "a draw for each run"]
    return as_markdown([*header, "difference", "95 % interval", "p"], lines)


def spread(counts):
    return f"{np.mean(counts):.1f} ± {np.std(counts, ddof=1):.1f}"


def effect_of_relu(linear, relu):
    """Return how many spectra ReLU spares a network as a table in Markdown; linear, relu: Rows.

    Runs on the same draw are compared with each other (paired t-test); those on one draw have other
    random numbers, and are compared as they are (Welch's test).
    """
    header = ["", "linear − ReLU", "95 % interval", "p"]
    paired = [linear.draws[draw] - count for draw, count in relu.draws.items()]
    test = stats.ttest_1samp(paired, 0)
    effects = {
        "one draw": welch(linear.one_draw, relu.one_draw),
        "a draw for each run": (np.mean(paired), *test.confidence_interval(0.95), test.pvalue),
    }
    if linear.published:
        effects["published"] = welch(linear.published, relu.published)
    lines = [
        [name, *difference_cells(*difference), f"{p:.2g}"]
        for name, (*difference, p) in effects.items()
    ]
    return as_markdown(header, lines)


@matplotlib.rc_context(STYLE)
def draw(rows):
    """Draw three lines of points for each network: one draw, a draw for each run, published."""
    figure = Figure((WIDTH, 1 + 0.75 * len(rows)), layout="constrained")
    panel = figure.subplots()
    kinds = ("one draw, ours", BLUE, "o"), ("a draw for each run, ours", VERMILION, "D")
    kinds += (("one draw, published", GREEN, "^"),)
    for place, row in enumerate(rows):
        groups = row.one_draw, list(row.draws.values()), row.published
        for (_, colour, marker), counts, offset in zip(
            kinds, groups, (-0.25, 0, 0.25), strict=True
        ):
            y = place + offset
            places = rows_for(len(counts), y, reach=0.06)  # or equal counts would be one point
            panel.plot(counts, places, marker, color=colour, markersize=4)
            panel.plot([np.mean(counts)] * 2, [y - 0.11, y + 0.11], color=BLACK, linewidth=1.5)
    panel.set_yticks(range(len(rows)), [row.network for row in rows])
    panel.set_ylim(len(rows) - 0.5, -0.5)
    panel.set_xlabel("misclassified of 162 test spectra")
    panel.grid(axis="x", color=GREY, alpha=0.5, linewidth=0.5)
    handles = [
        Line2D([], [], color=colour, marker=marker, markersize=5, linestyle="", label=label)
        for label, colour, marker in kinds
    ]
    handles.append(
        Line2D([], [], color=BLACK, marker="|", markersize=9, linestyle="", label="mean")
    )
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    return figure


if __name__ == "__main__":
    main()
