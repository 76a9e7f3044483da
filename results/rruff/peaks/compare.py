"""Compare what networks learn from synthetic spectra of the minerals, setting by setting.

    python -m results.rruff.peaks.compare

in the project's folder prints the table of results/rruff/README.md and draws its figure, from the
runs in the folders beside this file and from those that were trained on measured spectra.
"""

from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from benchmark.figure_style import BLACK, COLOURS, GREY, MARKERS, STYLE, WIDTH, save
from benchmark.run_folder import read_run
from benchmark.table_formats import as_markdown

HERE = Path(__file__).parent
DIVISIONS = "split0", "split1", "split2"
SETTINGS = {  # folder -> how its training spectra were rendered
    "advised": "as advised, but for the peak shape",
    "crude": "narrower variation",
    "shape": "pseudo-Voigt peaks",
    "texture": "texture",
    "background": "backgrounds",
    "foreign": "foreign peaks",
    "all": "all of these four, and noise",
}


class Counts(NamedTuple):
    """Misclassified spectra of one kind of samples, in each of the divisions."""

    misclassified: list  # int64 (seeds,) for each division
    spectra: list  # how many the division has


class Row(NamedTuple):
    """One network and what it was trained on."""

    network: str
    training: str
    validation: Counts
    test: Counts


def main():
    networks = sorted({path.name.split("-")[0] for path in HERE.glob("*/split0/*-seed0")})
    rows = [row for network in networks for row in rows_of(network)]
    print(table(rows), end="")
    for path in save(draw(rows), HERE / "figures", "settings"):
        print(path)


def rows_of(network):
    """Return the Rows of the settings that the network was trained with, then measured spectra."""
    rows = []
    for folder, training in SETTINGS.items():
        if (HERE / folder / DIVISIONS[0] / f"{network}-seed0").exists():
            validation = counts_of(HERE / folder, network, "test_measured_val")
            test = counts_of(HERE / folder, network, "test_measured")
            rows.append(Row(network, training, validation, test))
    validation, test = (counts_of(HERE.parent, network, split) for split in ("val", "test"))
    return [*rows, Row(network, "measured spectra", validation, test)]


def counts_of(folder, network, split):
    """Return the Counts of all seeds of a network, from the run.json of each."""
    misclassified, spectra = [], []
    for division in DIVISIONS:
        runs = map(read_run, sorted((folder / division).glob(f"{network}-seed*")))
        of_seeds = [run.misclassified[split] for run in runs]
        misclassified.append(np.array([count.misclassified for count in of_seeds]))
        spectra.append(of_seeds[0].spectra)
    return Counts(misclassified, spectra)


def total(counts):
    """Return the sum over the divisions of the mean over the seeds."""
    return sum(of_division.mean() for of_division in counts.misclassified)


def spread(counts):
    """Return the standard deviation over the seeds of a division, pooled over the divisions."""
    deviations = np.concatenate([seeds - seeds.mean() for seeds in counts.misclassified])
    return np.sqrt((deviations**2).sum() / (len(deviations) - len(DIVISIONS)))


def table(rows):
    """Return the rows as a table in Markdown."""
    spectra = sum(rows[0].test.spectra)
    header = ["network", "training spectra", "val: sum", "test: sum", f"% of {spectra}", "spread"]
    header.append("test: seeds of the three divisions")
    lines = []
    for row in rows:
        test = total(row.test)
        numbers = total(row.validation), test, 100 * test / spectra, spread(row.test)
        seeds = ", ".join(" ".join(map(str, sorted(n))) for n in row.test.misclassified)
        lines.append([row.network, row.training, *(f"{number:.1f}" for number in numbers), seeds])
    return as_markdown(header, lines)


@matplotlib.rc_context(STYLE)
def draw(rows):
    """Draw a line for each Row: a point for each run, a stroke at their mean.

    A run is shown as a share of the spectra of its division, the mean as one of all divisions.
    """
    networks = list(dict.fromkeys(row.network for row in rows))
    figure = Figure((WIDTH, 0.9 + 0.28 * len(rows)), layout="constrained")
    panels = figure.subplots(
        len(networks),
        2,
        sharex=True,
        sharey="row",
        squeeze=False,
        height_ratios=[sum(row.network == network for row in rows) for network in networks],
    )
    for (left, right), network in zip(panels, networks, strict=True):
        shown = [row for row in rows if row.network == network]
        draw_rows(left, [row.validation for row in shown])
        draw_rows(right, [row.test for row in shown])
        left.set_yticks(range(len(shown)), [row.training for row in shown])
        left.set_ylim(len(shown) - 0.5, -0.5)
        left.set_title(f"{network}: validation samples", loc="left")
        right.set_title("test samples", loc="left")
    for panel in panels[-1]:
        panel.set_xlim(left=0)
        panel.set_xlabel("misclassified measured spectra, %")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=4)
    return figure


def draw_rows(panel, rows):
    """Draw the Counts of each row of a panel, the first on top."""
    for place, counts in enumerate(rows):
        label = "mean" if place == 0 else None
        mean = 100 * total(counts) / sum(counts.spectra)
        panel.plot([mean] * 2, [place - 0.4, place + 0.4], color=BLACK, lw=2, zorder=1, label=label)
        for i, (misclassified, spectra) in enumerate(zip(*counts, strict=True)):
            style = {"marker": MARKERS[i], "color": COLOURS[i], "markersize": 4, "linestyle": ""}
            label = f"division {i}" if place == 0 else None
            height = np.full(len(misclassified), place + 0.25 * (i - 1))
            panel.plot(100 * misclassified / spectra, height, **style, alpha=0.8, label=label)
    panel.axhline(len(rows) - 1.5, color=GREY, lw=0.8)  # below it: trained on measured spectra


if __name__ == "__main__":
    main()
