"""Ask how much another draw of the training spectra changes the results on the challenge set.

    python -m results.challenge.draws.compare

in the project's folder prints the tables of results/challenge/README.md and draws its figure. The
folders beside this file are named by the seed of spectra_from_config.py, and hold a run of each
network on the training and validation spectra of that seed. The test spectra are the same for all.
"""

from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy import stats

from benchmark.figure_style import BLACK, BLUE, GREEN, GREY, STYLE, VERMILION, WIDTH, save
from benchmark.published_results import published_beside
from benchmark.results_folder import by_network, read_results
from benchmark.table_formats import as_markdown, mean_text

HERE = Path(__file__).parent
SPLIT = "test"
RELU = ":hidden_activation=relu"


class Row(NamedTuple):
    """Misclassified test spectra of one network, a number for each run."""

    network: str
    one_draw: list  # our runs of several seeds, which learn from the same spectra
    draws: dict  # folder -> our run that learns from the spectra of that draw
    published: list  # of several seeds, which learn from the same spectra, others than ours


def main():
    rows = read_rows()
    print(table(rows))
    print(effects_of_relu(rows))
    for path in save(draw(rows), HERE / "figures", "draws"):
        print(path)


def read_rows():
    """Return a Row for each network that learned from other draws.

    Raises ValueError if a run was judged by other test spectra.
    """
    runs = read_results(HERE.parent)
    of_one_draw, published = by_network(runs), published_beside(runs[0]).networks
    draws = {}
    for folder in sorted(HERE.glob("[0-9]*")):
        for run in read_results(folder):
            if run.dataset.sha256["x_test.npy"] != runs[0].dataset.sha256["x_test.npy"]:
                raise ValueError(f"{run.folder} was judged by other test spectra")
            draws.setdefault(run.model, {})[folder.name] = count_of(run)
    return [
        Row(network, list(map(count_of, of_one_draw[network])), counts, published[network].runs)
        for network, counts in draws.items()
    ]


def count_of(run):
    return run.misclassified[SPLIT].misclassified


def table(rows):
    """Return the rows as a table in Markdown."""
    header = ["", "one draw: mean ± sd", "a draw for each run: runs", "mean ± sd"]
    header += ["95 % of runs on further draws", "published, one draw: mean ± sd"]
    lines = []
    for row in rows:
        counts = list(row.draws.values())
        low, high = prediction_interval(counts)
        runs = " ".join(map(str, counts))
        expected = f"{low:.0f} to {high:.0f}"
        cells = spread(row.one_draw), runs, spread(counts), expected, spread(row.published)
        lines.append([row.network, *cells])
    return as_markdown(header, lines)


def spread(counts):
    return f"{np.mean(counts):.1f} ± {np.std(counts, ddof=1):.1f}"


def prediction_interval(counts):
    """Return the ends of the range that holds 95 % of further runs, each on a draw of its own.

    It takes the counts for normally distributed. The mean of several runs on one further draw
    spreads less than one run does, so the range is too wide for it, never too narrow.
    """
    half = stats.t.isf(0.025, len(counts) - 1) * np.std(counts, ddof=1)
    half *= np.sqrt(1 + 1 / len(counts))
    return np.mean(counts) - half, np.mean(counts) + half


def effects_of_relu(rows):
    """Return how many spectra ReLU spares each network as a table in Markdown.

    Runs on the same draw are compared with each other (paired t-test); those on one draw have other
    random numbers, and are compared as they are (Welch's test).
    """
    header = ["linear − ReLU", "one draw: difference", "95 % interval"]
    header += ["a draw for each run: difference", "95 % interval", "published"]
    counts = {row.network: row for row in rows}
    lines = []
    for name, linear in counts.items():
        if relu := counts.get(name + RELU):
            one_draw = stats.ttest_ind(linear.one_draw, relu.one_draw, equal_var=False)
            paired = [linear.draws[draw] - count for draw, count in relu.draws.items()]
            published = np.mean(linear.published) - np.mean(relu.published)
            lines.append(
                [
                    name,
                    mean_text(np.mean(linear.one_draw) - np.mean(relu.one_draw), 3),
                    interval_text(one_draw),
                    mean_text(np.mean(paired), 3),
                    interval_text(stats.ttest_1samp(paired, 0)),
                    mean_text(published, 3),
                ]
            )
    return as_markdown(header, lines)


def interval_text(test):
    low, high = test.confidence_interval(0.95)
    return f"{low:+.1f} to {high:+.1f}"


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
            places = y + np.linspace(-0.06, 0.06, len(counts))  # or equal counts would be one point
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
