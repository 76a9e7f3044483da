"""Compare networks trained on clean spectra with the same networks trained on those with artefacts.

    python -m results.robustness.compare

in the project's folder prints the tables of results/robustness/README.md and draws its figure, from
the runs in the folders beside this file and from how robustness.py judged them.
"""

import math
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import matplotlib
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmark.baseline_folder import LEARN, read_baselines
from benchmark.figure_style import BLACK, BLUE, GREY, STYLE, VERMILION, WIDTH, save
from benchmark.results_folder import by_network, read_results
from benchmark.robustness_record import CLEAN, FOLDER, read_record
from benchmark.robustness_report import title
from benchmark.severities import LADDER
from benchmark.table_formats import as_markdown, mean_text

HERE = Path(__file__).parent
TRAININGS = {"ladder100": "clean", "ladder100_artefacts": "with artefacts"}
ARTEFACTS = [CLEAN, *(rung.artefact for rung in LADDER)]
SPLITS = "val", "test", "test_wide"
COLUMNS = 4  # of panels
STYLES = {  # training -> what the legend says, marker and colour
    "clean": ("trained on clean spectra", "o", VERMILION),
    "with artefacts": ("trained on spectra with artefacts", "s", BLUE),
    "": ("learns nothing", "D", BLACK),
}


class Row(NamedTuple):
    """One network, or method, and what it was trained on."""

    network: str
    training: str  # "" for methods that learn nothing
    seeds: int
    accuracies: dict  # artefact -> mean over severities and seeds
    mean_accuracy: float  # over all artefacts and severities, without CLEAN
    misclassified: dict  # split -> mean over seeds


def main():
    rows = read_rows()
    print(ladder_table(rows))
    print(clean_table(rows))
    print("\n".join(map(str, save(draw(rows), HERE / "figures", "trainings"))))


def read_rows():
    """Return the Rows of the networks, both trainings of one after another, then of the methods.

    Networks that have only one of the trainings are left out. Methods that learn have both; what
    the others misclassify is that of the clean dataset.
    """
    runs = {training: read_results(HERE / folder) for folder, training in TRAININGS.items()}
    networks = {training: by_network(of_training) for training, of_training in runs.items()}
    rows = [
        row_of(network, training, networks[training][network])
        for network in networks["clean"]
        if network in networks["with artefacts"]
        for training in TRAININGS.values()
    ]
    methods = {
        training: {
            method.method: method for method in read_baselines(HERE / folder, runs[training][0])
        }
        for folder, training in TRAININGS.items()
    }
    rows += [
        row_of(name, training, [methods[training][name]])
        for name in LEARN
        for training in TRAININGS.values()
    ]
    others = [method for name, method in methods["clean"].items() if name not in LEARN]
    return rows + [row_of(method.method, "", [method]) for method in others]


def row_of(network, training, judged):
    """Return the Row of a network's Runs, or of a method's Baseline in a list."""
    records = [read_record(one.folder.parent / FOLDER / one.folder.name) for one in judged]
    of_seeds = [record.accuracies() for record in records]
    return Row(
        network=network,
        training=training,
        seeds=len(judged),
        accuracies={name: mean(own[name].mean() for own in of_seeds) for name in ARTEFACTS},
        mean_accuracy=mean(record.mean_accuracy() for record in records),
        misclassified={
            split: mean(one.misclassified[split].misclassified for one in judged)
            for split in SPLITS
        },
    )


def ladder_table(rows):
    """Return accuracies with one artefact at a time as a table in Markdown, a column for each."""
    header = ["", "training spectra", "runs", "mean", *map(title, ARTEFACTS)]
    lines = [
        [row.network, row.training, str(row.seeds), f"{row.mean_accuracy:.3f}"]
        + [f"{row.accuracies[name]:.3f}" for name in ARTEFACTS]
        for row in rows
    ]
    return as_markdown(header, lines)


def clean_table(rows):
    """Return the misclassified spectra of the dataset's own splits as a table in Markdown."""
    lines = [
        [row.network, row.training, str(row.seeds)]
        + [mean_text(row.misclassified[split], 3) for split in SPLITS]
        for row in rows
    ]
    return as_markdown(["", "training spectra", "runs", *SPLITS], lines)


@matplotlib.rc_context(STYLE)
def draw(rows):
    """Draw a panel for each network: for each artefact a point of either training.

    The artefacts that networks trained on clean spectra lose most by stand at the top. Methods have
    one point.
    """
    clean = [row for row in rows if row.training == "clean" and row.network not in LEARN]
    order = sorted(ARTEFACTS, key=lambda name: mean(row.accuracies[name] for row in clean))
    panels_of = {}
    for row in rows:
        panels_of.setdefault(row.network, []).append(row)
    lines = math.ceil(len(panels_of) / COLUMNS)
    figure = Figure((WIDTH, 0.6 + 2.0 * lines), layout="constrained")
    panels = figure.subplots(lines, COLUMNS, sharex=True, sharey=True).ravel()
    for panel, (network, of_network) in zip(panels, panels_of.items(), strict=False):
        draw_panel(panel, network, of_network, order)
    for panel in panels[len(panels_of) :]:
        panel.set_axis_off()
    for panel in panels[max(0, len(panels_of) - COLUMNS) : len(panels_of)]:
        panel.tick_params(labelbottom=True)  # the lowest of its column
    panels[0].set_yticks(range(len(order)), map(title, order))
    panels[0].set(ylim=(len(order) - 0.5, -0.5), xlim=(-0.03, 1.03))
    figure.supxlabel("accuracy", fontsize=matplotlib.rcParams["axes.labelsize"])
    handles = [
        Line2D([], [], marker=marker, color=colour, linestyle="", markersize=5, label=label)
        for label, marker, colour in STYLES.values()
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def draw_panel(panel, network, rows, order):
    places = range(len(order))
    accuracies = [[row.accuracies[name] for name in order] for row in rows]
    if len(rows) > 1:
        panel.hlines(places, *accuracies, color=GREY, linewidth=1.5, zorder=1)
    for row, values in zip(rows, accuracies, strict=True):
        _, marker, colour = STYLES[row.training]
        panel.plot(values, places, marker, color=colour, markersize=4)
    panel.set_title(network, loc="left")
    panel.grid(axis="x", color=GREY, alpha=0.5, linewidth=0.5)


if __name__ == "__main__":
    main()
