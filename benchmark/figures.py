"""Figures of networks: their misclassifications, learning curves and cost.

`misclassifications` and `cost` show columns of Table 2 of Schuetzke, Szymanski and Reischl (2022)
seed by seed; `learning_curves` shows what a table hides. Runs are given as a list of Run; networks
keep the order in which they come.
"""

import math
from statistics import mean

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from benchmark.command_line import InputError
from benchmark.figure_style import (
    BLACK,
    BLUE,
    GREY,
    STYLE,
    VERMILION,
    WIDTH,
    columns_of_legend,
    in_lines,
    network_styles,
    number_of_lines,
    rows_for,
)
from benchmark.results_folder import SHIPPED_MARK, by_network
from benchmark.run_folder import HISTORY, read_history
from benchmark.table_formats import mean_text

LINEAR_UP_TO = 10  # misclassified spectra; above, their axis is logarithmic
FEW, LINEAR_RATIO = 20, 5  # linear up to so many, or up to so many times the fewest
NARROW, VERY_NARROW = 300, 20  # the highest by the lowest value of a logarithmic axis
PUBLISHED_RANGE = {"color": GREY, "alpha": 0.6, "linewidth": 0}
PUBLISHED_RUN = {"marker": "s", "color": VERMILION, "fillstyle": "none", "markersize": 4}
ROW, LINE = 0.32, 0.15  # inches: height of a row at least, and of a line of text in it
# More networks than these have their learning curves in four columns, if their names fit there
MANY_NETWORKS, NARROW_TITLE = 10, 20
TICK_ROW = 0.05  # of a panel's height, for the learning-rate ticks of one seed
TICK_ROWS = 0.5  # of it at most, for those of all seeds


@matplotlib.rc_context(STYLE)
def misclassifications(runs, baselines, split, published=None):
    """Draw the misclassified spectra of a split: a row per network, a point per seed, their mean.

    baselines: list of Baseline, in rows of their own; those that have no answer for a part of the
    split are left out, and named. published: Published, whose networks are drawn beside ours.
    """
    networks = by_network(runs)
    counts = {network: counts_of(seeds, split) for network, seeds in networks.items()}
    known = published.networks if published else {}
    unmarked = [network.removesuffix(SHIPPED_MARK) for network in networks]
    theirs = {row: known[name] for row, name in enumerate(unmarked) if name in known}
    judged = [baseline for baseline in baselines if answered_all(baseline, split)]
    left_out = [b.method for b in baselines if split in b.misclassified and b not in judged]
    found = [baseline.misclassified[split].misclassified for baseline in judged]
    names = [in_lines(name, 28) for name in [*networks, *(b.method for b in judged)]]

    row_height = max(ROW, LINE * max(number_of_lines(name) for name in names))
    figure = Figure((WIDTH, 1.2 + row_height * len(names)), layout="constrained")
    panel = figure.subplots()
    panel.grid(axis="x", color=GREY, alpha=0.5, linewidth=0.5)
    handles = [
        Line2D([], [], color=BLUE, marker="o", markersize=4, linestyle="", label="one seed"),
        Line2D([], [], color=BLACK, marker="|", markersize=10, linestyle="", label="mean"),
    ]
    for row, values in enumerate(counts.values()):
        rows = rows_for(len(values), row, reach=0.22)
        panel.plot(values, rows, "o", color=BLUE, markersize=4, zorder=3)
        panel.plot([mean(values)] * 2, [row - 0.36, row + 0.36], color=BLACK, linewidth=1.5)
    for row, network in theirs.items():
        draw_published(panel, row, network)
    if theirs:
        handles.append(Patch(**PUBLISHED_RANGE, label="published: mean ± deviation"))
    if any(network.runs for network in theirs.values()):
        handles.append(Line2D([], [], linestyle="", **PUBLISHED_RUN, label="published run"))
    if judged:
        rows = len(networks) + np.arange(len(judged))
        handles += panel.plot(found, rows, "D", color=VERMILION, markersize=5, label="method")
        panel.axhline(len(networks) - 0.5, color=GREY, linewidth=0.8)

    drawn = [*found, *(count for values in counts.values() for count in values)]
    for network in theirs.values():
        drawn += [*network.range(), *(network.runs or [])]
    scale = scale_counts(panel, "x", drawn)
    spectra = runs[0].misclassified[split].spectra
    note = f"\nwithout {', '.join(left_out)}, which answers only a part" if left_out else ""
    panel.set_xlabel(f"misclassified of {spectra} spectra of {in_lines(split, 28)}{scale}{note}")
    panel.set_yticks(range(len(names)), names)
    panel.set_ylim(len(names) - 0.5, -0.5)
    panel.tick_params(axis="y", length=0)
    means = panel.secondary_yaxis("right")
    means.set_yticks(
        range(len(names)),
        [mean_text(mean(v), 3) for v in [*counts.values(), *([f] for f in found)]],
    )
    means.tick_params(length=0)
    means.spines["right"].set_visible(False)
    panel.text(1.01, 1, "mean", transform=panel.transAxes, fontsize=8, va="bottom")
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    return figure


def draw_published(panel, row, network):
    """Draw the PublishedNetwork of a row: the range it gives, and its single runs if it has any."""
    low, high = network.range()
    panel.barh(row, high - low, 0.72, left=low, **PUBLISHED_RANGE)
    runs = network.runs or []
    panel.plot(runs, rows_for(len(runs), row, reach=0.3), linestyle="", **PUBLISHED_RUN)


def answered_all(baseline, split):
    return split in baseline.misclassified and not baseline.misclassified[split].unanswered


def counts_of(seeds, split):
    """Return the misclassified spectra of a split, one number per run."""
    return [run.misclassified[split].misclassified for run in seeds]


def scale_counts(panel, axis, counts):
    """Scale axis "x" or "y" for counts of spectra: few stay apart, thousands still fit.

    Returns what to say of the scale, if anything. It begins at 0 where a count is small.
    """
    set_scale = panel.set_xscale if axis == "x" else panel.set_yscale
    if max(counts) <= max(LINEAR_RATIO * min(counts), FEW):
        margin = max(0.1 * np.ptp(counts), 0.6)
        limits = max(min(counts) - margin, -0.6), max(max(counts) + margin, 1.6)
        panel.set(**{f"{axis}lim": limits})
        getattr(panel, f"{axis}axis").set_major_locator(MaxNLocator(8, integer=True))
        return ""
    if min(counts) >= LINEAR_UP_TO:
        low, high = 0.8 * min(counts), 1.25 * max(counts)
        set_scale("log")
        panel.set(**{f"{axis}lim": (low, high)})
        mark_values(getattr(panel, f"{axis}axis"), low, high)
        return " (logarithmic)"
    limit = max(max(counts), LINEAR_UP_TO)
    steps = (1, 2, 5) if limit < 10_000 else (1,)
    powers = range(1, math.ceil(math.log10(limit)) + 1)
    ticks = [0, 2, 5, *(step * 10**power for power in powers for step in steps)]
    ticks = [tick for tick in ticks if tick <= 1.5 * limit]
    set_scale("symlog", linthresh=LINEAR_UP_TO)
    limits = -0.6, 1.5 * limit
    panel.set(**{f"{axis}ticks": ticks, f"{axis}ticklabels": ticks, f"{axis}lim": limits})
    getattr(panel, f"{axis}axis").set_minor_locator(NullLocator())
    return f" (logarithmic above {LINEAR_UP_TO})"


@matplotlib.rc_context(STYLE)
def learning_curves(runs):
    """Draw training and validation loss over epochs: a panel per network, a line per seed.

    A ring marks the epoch whose weights were kept. Ticks at the bottom, in a row per seed, mark
    the epochs from which on the learning rate was lower. Reads history.csv of every run folder.
    """
    networks = by_network(runs)
    histories = [[history_of(run) for run in seeds] for seeds in networks.values()]
    tick_row = min(TICK_ROW, TICK_ROWS / (1 + max(map(len, histories))))
    narrow = len(networks) > MANY_NETWORKS and max(map(len, networks)) <= NARROW_TITLE
    columns = min(4 if narrow else 2, len(networks))
    rows = math.ceil(len(networks) / columns)
    figure = Figure((WIDTH, 0.9 + 1.75 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for panel, (network, seeds), curves in zip(
        panels.flat[: len(networks)], networks.items(), histories, strict=True
    ):
        panel.set_title(in_lines(network, NARROW_TITLE if narrow else 44), loc="left")
        for row, (run, history) in enumerate(zip(seeds, curves, strict=True)):
            draw_history(panel, tick_row * (row + 0.7), run.best_epoch, history)
    scale_losses(panels[0, 0], histories, tick_row)
    panels[0, 0].xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=(1, 2, 5, 10)))
    for column in range(len(networks) - (rows - 1) * columns, columns):
        panels[-1, column].remove()
        panels[-2, column].tick_params(labelbottom=True)
    figure.supxlabel("epoch", fontsize=9)
    figure.supylabel("loss (categorical cross-entropy)", fontsize=9)
    handles = [
        Line2D([], [], color=BLUE, label="training"),
        Line2D([], [], color=VERMILION, linestyle="--", label="validation"),
        Line2D([], [], color=BLACK, marker="o", fillstyle="none", linestyle="", label="best epoch"),
        Line2D([], [], color=BLACK, marker="|", linestyle="", label="learning rate lowered"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    return figure


def history_of(run):
    """Return `read_history` of a Run, whose epochs it holds."""
    history = read_history(run.folder)
    if not np.array_equal(history["epoch"], np.arange(1, run.epochs + 1)):
        raise InputError(
            f"{run.folder / HISTORY} does not hold the epochs 1 to {run.epochs} that the run has "
            f"had, one a line"
        )
    return history


def draw_history(panel, tick_height, best_epoch, history):
    """Draw one run; tick_height: of the ticks of lower rates, as a share of the panel."""
    epochs, validation = history["epoch"], history["val_loss"]
    panel.plot(epochs, history["loss"], color=BLUE, alpha=0.7, linewidth=0.8)
    panel.plot(epochs, validation, "--", color=VERMILION, alpha=0.9, linewidth=0.8)
    best = epochs == best_epoch
    ring = {"color": BLACK, "fillstyle": "none", "markersize": 5, "zorder": 3}
    panel.plot(epochs[best], validation[best], "o", **ring)
    rates = history["learning_rate"]
    lowered = epochs[1:][rates[1:] < rates[:-1]]
    heights = np.full(len(lowered), tick_height)
    tick = {"color": BLACK, "markersize": 4, "markeredgewidth": 0.7}
    panel.plot(lowered, heights, "|", transform=panel.get_xaxis_transform(), **tick)


def scale_losses(panel, histories, tick_row):
    """Make the loss axis logarithmic, with room for the rows of ticks below the losses."""
    every = [h[column] for curves in histories for h in curves for column in ("loss", "val_loss")]
    losses = np.concatenate(every)
    possible = np.finfo(np.float32)  # in which losses are computed
    losses = losses[(losses >= possible.smallest_subnormal) & (losses <= possible.max)]
    low, high = (0.7 * losses.min(), 1.5 * losses.max()) if len(losses) else (0.1, 1)
    share = tick_row * (1 + max(map(len, histories)))
    panel.set_ylim(low * (low / high) ** (share / (1 - share)), high)
    panel.set_yscale("log", nonpositive="mask")
    if high / low < NARROW:  # powers of ten alone may be one or none
        mark_values(panel.yaxis, low, high)
    panel.set_yticks([tick for tick in panel.get_yticks() if low <= tick <= high])
    panel.yaxis.set_minor_locator(NullLocator())


@matplotlib.rc_context(STYLE)
def cost(runs, split, comparable=True):
    """Draw misclassified spectra against the time of an epoch and the size of the network.

    A point per network is the mean over its seeds; bars reach from the smallest to the largest
    value. comparable: whether the same machine and threads took all times; if not, they are not
    drawn.
    """
    networks = by_network(runs)
    counts = [counts_of(seeds, split) for seeds in networks.values()]
    seconds = [[run.seconds / run.epochs for run in seeds] for seeds in networks.values()]
    millions = [[run.weights / 1e6 for run in seeds] for seeds in networks.values()]
    labels = [in_lines(name, 28) for name in networks]
    styles = network_styles(networks).values()
    columns = columns_of_legend(labels)
    legend_rows = max(sum(map(number_of_lines, column)) for column in columns)
    figure = Figure((WIDTH, 3.3 + 0.2 * legend_rows), layout="constrained")
    figure.get_layout_engine().set(wspace=0.06)
    shown = {"seconds per epoch": seconds} if comparable else {}
    shown["weights (million)"] = millions
    panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    for panel, (name, costs) in zip(panels, shown.items(), strict=True):
        handles = []
        for x, y, (colour, marker) in zip(costs, counts, styles, strict=True):
            style = {"fmt": marker, "color": colour, "markersize": 6, "elinewidth": 0.8}
            handles.append(panel.errorbar(mean(x), mean(y), reach_of(y), reach_of(x), **style))
        scale_costs(panel, costs)
        panel.grid(color=GREY, alpha=0.4, linewidth=0.5)
        panel.set_xlabel(name)
    scale = scale_counts(panels[0], "y", [count for values in counts for count in values])
    spectra = runs[0].misclassified[split].spectra
    several = "mean, smallest and largest of the seeds" if max(map(len, counts)) > 1 else ""
    counted = f"misclassified of {spectra} spectra of {in_lines(split, 14)}"
    panels[0].set_ylabel("\n".join(filter(None, [counted, scale.strip(), several])))
    figure.legend(handles, labels, loc="outside upper center", ncols=len(columns))
    return figure


def reach_of(values):
    """Return how far the smallest and the largest are from the mean, as `errorbar` takes it."""
    return [[mean(values) - min(values)], [max(values) - mean(values)]]


def scale_costs(panel, costs):
    low, high = min(map(min, costs)) / 2, max(map(max, costs)) * 2
    panel.set_xscale("log")
    panel.set_xlim(low, high)
    mark_values(panel.xaxis, low, high)


def mark_values(axis, low, high):
    """Mark powers of ten on a logarithmic axis, and what is between them where they are few."""
    between = ()
    if high / low < NARROW:
        between = (2, 5) if high / low > VERY_NARROW else (1.5, 2, 3, 4, 5, 6, 8)
    axis.set_major_locator(LogLocator(subs=(1, *between)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())
