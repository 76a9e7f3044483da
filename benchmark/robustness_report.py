"""Tables and figure of robustness.py: who survives which artefact, and how strong a one."""

import math
from itertools import cycle
from statistics import mean, stdev

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from benchmark.figure_style import (
    BLACK,
    GREY,
    STYLE,
    WIDTH,
    columns_of_legend,
    in_lines,
    network_styles,
)
from benchmark.robustness_record import CLEAN
from benchmark.severities import LADDER
from benchmark.significance import DECIMALS, rank_correlation
from benchmark.table_formats import as_csv, as_markdown

COLUMNS = 3  # of panels
DASHES = (  # of methods
    "--",
    ":",
    "-.",
    (0, (4, 1, 4, 5)),
    (0, (1, 4)),
    (0, (10, 3)),
)
MIDDLE = 2  # the severity that the figure of artefacts shows


def by_network(records):
    """Return network -> list of Record over its seeds, in the order of the records."""
    networks = {}
    for record in records:
        networks.setdefault(record.network, []).append(record)
    return networks


def csv_table(records):
    """Format a line per network, seed, artefact and severity."""
    columns = "network", "seed", "artefact", "severity", "misclassified", "spectra", "accuracy"
    lines = [
        {
            "network": record.network,
            "seed": "" if record.seed is None else record.seed,
            "artefact": judged.test.artefact,
            "severity": f"{judged.test.severity:g}",
            "misclassified": judged.misclassified,
            "spectra": record.spectra,
            "accuracy": round(1 - judged.misclassified / record.spectra, 6),
        }
        for record in records
        for judged in record.judged
    ]
    return as_csv(columns, lines)


def markdown(records, left_out):
    """Format all tables; left_out: names of runs and methods that are not complete."""
    head = (
        f"Accuracy on {records[0].spectra} test spectra with one artefact at a time, mean and, "
        f"where there are several seeds, standard deviation over seeds. `mean` is over all "
        f"artefacts and severities, that of an artefact over its severities; `clean` is without "
        f"artefacts.\n\n"
    )
    if left_out:
        head += f"Left out, as they are not complete: {', '.join(left_out)}.\n\n"
    return (
        head
        + summary_table(records)
        + order_sentence(records)
        + "\n"
        + artefact_table(records)
        + "\n## The ladder\n\n"
        + ladder_table()
        + "".join(severity_table(records, rung) for rung in LADDER)
    )


def summary_table(records):
    """Format mean and clean accuracy per network, the best mean first."""
    lines = [
        [name, str(len(seeds)), spread([r.mean_accuracy() for r in seeds]), spread(clean_of(seeds))]
        for name, seeds in best_first(records)
    ]
    return as_markdown(["network", "runs", "mean", "clean"], lines)


def best_first(records):
    return sorted(by_network(records).items(), key=lambda item: -round(mean_of(item[1]), DECIMALS))


def mean_of(seeds):
    return mean(record.mean_accuracy() for record in seeds)


def clean_of(seeds):
    return [float(record.accuracies()[CLEAN][0]) for record in seeds]


def order_sentence(records):
    """Say whether what is good on clean spectra is good on those with artefacts; "" if unknown.

    Methods do not count.
    """
    networks = [seeds for _, seeds in best_first(records) if seeds[0].seed is not None]
    clean = [mean(clean_of(seeds)) for seeds in networks]
    rho, p_value = rank_correlation(clean, [mean_of(seeds) for seeds in networks])
    if rho is None:
        return ""
    return (
        f"\nSpearman's rank correlation of `clean` and `mean` over the {len(networks)} networks: "
        f"{rho:.2f} (p = {p_value:.2g} for networks paired at random).\n"
    )


def artefact_table(records):
    """Format the mean over severities per artefact; a line per artefact, a column per network."""
    networks = best_first(records)
    lines = [
        [title(rung.artefact), *(spread(means_of(seeds, rung)) for _, seeds in networks)]
        for rung in LADDER
    ]
    return as_markdown(["artefact", *(name for name, _ in networks)], lines)


def means_of(seeds, rung):
    return [float(record.accuracies()[rung.artefact].mean()) for record in seeds]


def ladder_table():
    lines = [
        [title(rung.artefact), rung.unit, ", ".join(f"{s:g}" for s in rung.severities), rung.source]
        for rung in LADDER
    ]
    return as_markdown(["artefact", "severity is", "severities", "others use"], lines)


def severity_table(records, rung):
    """Format the accuracies at each severity of one artefact."""
    lines = []
    for name, seeds in best_first(records):
        accuracies = np.array([record.accuracies()[rung.artefact] for record in seeds]).T
        lines.append([name, spread(clean_of(seeds)), *(spread(at.tolist()) for at in accuracies)])
    header = ["network", "clean", *(f"{severity:g}" for severity in rung.severities)]
    return f"\n## {title(rung.artefact)}\n\nSeverity: {rung.unit}.\n\n" + as_markdown(header, lines)


def spread(values):
    """Write accuracies over seeds as mean ± standard deviation."""
    text = f"{mean(values):.3f}"
    return f"{text} ± {stdev(values):.3f}" if len(values) > 1 else text


def title(artefact):
    return artefact.replace("_", " ")


def ladder_to_show(datapoints):
    """Return what `class_figures.class_artefacts` draws: each artefact at its middle severity."""
    return [
        (
            f"{title(rung.artefact)}{' *' if rung.local else ''}\n"
            f"{rung.unit}: {rung.severities[MIDDLE]:g}",
            rung.settings(rung.severities[MIDDLE], datapoints),
            rung.local,
        )
        for rung in LADDER
    ]


@matplotlib.rc_context(STYLE)
def draw(records):
    """Draw accuracy against severity, a panel per artefact; severities are equally far apart.

    A network is a line, the mean over its seeds, in a band from the worst to the best of them;
    methods are dashed. 0 is the accuracy without artefacts.
    """
    labels = [in_lines(name, 28) for name in by_network(records)]
    columns = columns_of_legend(labels)
    rows = math.ceil(len(LADDER) / COLUMNS)
    figure = Figure((WIDTH, 1.8 * rows + 0.2 * max(map(len, columns))), layout="constrained")
    panels = figure.subplots(rows, COLUMNS, sharey=True).ravel()
    for panel, rung in zip(panels, LADDER, strict=False):
        draw_panel(panel, records, rung)
    for panel in panels[len(LADDER) :]:
        panel.set_axis_off()
    for row in range(rows):
        panels[row * COLUMNS].set_ylabel("accuracy")
    lines = panels[0].get_lines()
    figure.legend(lines, labels, loc="outside upper center", ncols=len(columns), handlelength=3)
    return figure


def draw_panel(panel, records, rung):
    x = np.arange(1 + len(rung.severities))
    networks, dashes = by_network(records), cycle(DASHES)
    styles = network_styles([name for name, seeds in networks.items() if seeds[0].seed is not None])
    for network, seeds in networks.items():
        accuracies = np.array(
            [[*r.accuracies()[CLEAN], *r.accuracies()[rung.artefact]] for r in seeds]
        )
        if seeds[0].seed is None:
            panel.plot(x, accuracies[0], linestyle=next(dashes), color=BLACK)
            continue
        colour, marker = styles[network]
        worst, best = accuracies.min(axis=0), accuracies.max(axis=0)
        panel.fill_between(x, worst, best, color=colour, alpha=0.2, linewidth=0)
        style = {"color": colour, "marker": marker, "markersize": 3.5}
        panel.plot(x, accuracies.mean(axis=0), **style)
    panel.set_title(title(rung.artefact), loc="left")
    panel.set_xlabel(rung.unit, fontsize=8)
    panel.set_xticks(
        x, ["0" if rung.artefact != "counts" else "∞", *map("{:g}".format, rung.severities)]
    )
    panel.set(ylim=(0, 1.03))
    panel.grid(axis="y", color=GREY, alpha=0.4, linewidth=0.5)
