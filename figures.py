"""Draw the figures of a benchmark: the variation of a class, and what the trained networks did.

evaluate.py calls these functions and saves what they return. `class_variation` is Figure 2 of
Schuetzke, Szymanski and Reischl, "A universal synthetic dataset for machine learning on
spectroscopic data" (2022); `misclassifications` and `cost` show columns of its Table 2 seed by
seed; `learning_curves` and `confused_classes` show what a table hides.

Runs are given as a list of dicts: the content of each run.json and, under "folder", the path of
its run folder. Networks keep the order in which they come.
"""

import csv
import math
import textwrap
from collections import Counter
from itertools import cycle
from pathlib import Path
from statistics import mean

import matplotlib
import numpy as np
from matplotlib import path as geometry
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from matplotlib.transforms import Bbox
from scipy.optimize import linear_sum_assignment

from dataset_config_generator import InputError, replace_file
from misclassifications import HEIGHT_CHANGES
from spectra_from_config import TEST_VARIANTS, Parameters, check_parameters, render, variations

WIDTH = 7  # inches: the text width of a page
DPI = 200  # of PNG files
STYLE = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "lines.linewidth": 1,
    "pdf.fonttype": 42,  # TrueType: text stays text that can be searched and copied
}

# The palette of Okabe and Ito, which colour-blind readers can tell apart; its yellow is too pale
# for lines. Whatever differs in colour differs in marker or line style as well.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#BBBBBB"
COLOURS = BLUE, VERMILION, GREEN, BLACK, PURPLE, ORANGE, SKY
MARKERS = "o", "s", "^", "D", "v", "P", "X", "*"

VISIBLE = 0.1  # height from which on a peak stands out in a printed spectrum
LINEAR_UP_TO = 10  # misclassified spectra; above, their axis is logarithmic
SCALE = f"(logarithmic above {LINEAR_UP_TO})"
TICK_ROW = 0.05  # of a panel's height, for the learning-rate ticks of one seed
NEAR = 8  # pixels between a point and its name that need no line to connect them
MOST_PAIRS = 4  # of confused classes that fit a page


@matplotlib.rc_context(STYLE)
def save(figure, folder, name):
    """Write a figure as folder/NAME.png and folder/NAME.pdf; returns the two paths.

    The same figure gives the same bytes: neither file says when it was made.
    """
    paths = Path(folder, f"{name}.png"), Path(folder, f"{name}.pdf")
    for path, metadata in zip(paths, ({"Software": None}, {"CreationDate": None}), strict=True):
        with replace_file(path) as file:
            figure.savefig(file, format=path.suffix[1:], dpi=DPI, metadata=metadata)
    return paths


def most_telling_class(class_file):
    """Return the label of a class whose variation is easy to see.

    Of the classes with four visible peaks or more (else: with most of them), it is the one whose
    closest peaks are farthest apart.
    """

    def clarity(label):
        visible = np.count_nonzero(class_file.heights[label] >= VISIBLE)
        gaps = np.diff(np.sort(class_file.positions[label]))
        return min(4, visible), gaps.min(initial=class_file.datapoints), -label

    return max(range(len(class_file.positions)), key=clarity)


@matplotlib.rc_context(STYLE)
def class_variation(class_file, parameters, label):
    """Draw how the spectra of one class vary: Figure 2 of the paper.

    class_file: a ClassFile; parameters: a dict of spectra_from_config.Parameters; label: class
    index. Left stand the ideal pattern and the first two training spectra, in datapoints and
    relative intensity. Right stands one peak, its position (datapoints) against its height before
    the spectrum is divided by its maximum, in all training spectra and all variants of both test
    splits.
    """
    vary = varied_classes(class_file, parameters)
    check_label(class_file, label, "label")
    trained, tested, wide = (vary(split, label) for split in ("train", "test", "test_wide"))
    peak = peak_to_follow(class_file.heights[label])
    centre = class_file.positions[label][peak]
    shown = [("ideal pattern", tested, 0), ("training spectrum", trained, 0)]
    if len(trained[0]) > 1:
        shown.append(("another training spectrum", trained, 1))

    figure = Figure((WIDTH, 3.8), layout="constrained")
    figure.get_layout_engine().set(wspace=0.06)
    panels = figure.subplot_mosaic([[name, "peak"] for name, _, _ in shown], width_ratios=(3, 2))
    reach = max(Parameters(**parameters).max_shift, 1)
    span = {"color": ORANGE, "alpha": 0.3, "linewidth": 0}
    for name, drawn, row in shown:
        panel = panels[name]
        spectrum = render(*(values[[row]] for values in drawn), class_file.datapoints)[0]
        panel.axvspan(centre - reach, centre + reach, **span)
        panel.plot(spectrum, color=BLACK, linewidth=0.8)
        panel.set_title(f"{name}, σ = {drawn[2][row]:.2g} datapoints", loc="left", fontsize=8)
        panel.set(xlim=(0, class_file.datapoints - 1), ylim=(0, 1.05), yticks=(0, 0.5, 1))
        panel.tick_params(labelbottom=name == shown[-1][0])
    panels[shown[-1][0]].set_xlabel("position (datapoints)")
    panels[shown[len(shown) // 2][0]].set_ylabel("relative intensity")

    panel = panels["peak"]
    for name, (positions, heights, _), style in (
        ("training spectra", trained, {"marker": "o", "color": SKY, "markersize": 3}),
        ("test", tested, {"marker": "s", "color": VERMILION, "fillstyle": "none"}),
        ("test_wide", wide, {"marker": "x", "color": BLACK, "markersize": 5}),
    ):
        style |= {"linestyle": "", "label": f"{name} ({len(positions)})"}
        panel.plot(positions[:, peak], heights[:, peak], **style)
    panel.set_title(f"class {label}, peak at {centre}", loc="left")
    panel.set_xlabel("position (datapoints)")
    panel.set_ylabel("relative intensity, before normalisation")
    panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    panel.margins(0.08)
    handles = [Patch(label="range of the peak drawn on the right", **span), *panel.lines]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


def varied_classes(class_file, parameters):
    """Return a function of split and label that gives the class's positions, heights and widths.

    They are those of the dataset that spectra_from_config.py renders with these parameters.
    """
    parameters = Parameters(**parameters)
    check_parameters(class_file, "the class file", parameters)
    splits = variations(parameters)

    def vary(split, label):
        _, variation = splits[split]
        return variation(class_file.positions[label], class_file.heights[label], label)

    return vary


def check_label(class_file, label, name):
    classes = len(class_file.positions)
    if not 0 <= label < classes:
        raise InputError(f"{name} is {label}, accepted: a class from 0 to {classes - 1}")


def peak_to_follow(heights):
    """Return the peak nearest to half the highest one: its height has room to both sides."""
    others = np.flatnonzero(heights < 1)
    return int(others[np.argmin(np.abs(heights[others] - 0.5))]) if len(others) else 0


@matplotlib.rc_context(STYLE)
def misclassifications(runs, baselines, split, paper=None):
    """Draw the misclassified spectra of a split: a row per network, a point per seed, their mean.

    baselines: dicts with "name" and "misclassified", as run.json has it, in rows of their own;
    those that have not judged the split are left out. paper: network -> "mean ± deviation", from
    the paper's Table 2.
    """
    networks = by_network(runs)
    counts = {network: counts_of(seeds, split) for network, seeds in networks.items()}
    ranges = {
        row: paper_range(network, paper[network])
        for row, network in enumerate(networks)
        if paper and network in paper
    }
    judged = [baseline for baseline in baselines if split in baseline["misclassified"]]
    found = [baseline["misclassified"][split]["misclassified"] for baseline in judged]
    names = [in_lines(name, 28) for name in [*networks, *(b["name"] for b in judged)]]

    figure = Figure((WIDTH, 1.2 + 0.32 * len(names)), layout="constrained")
    panel = figure.subplots()
    panel.grid(axis="x", color=GREY, alpha=0.5, linewidth=0.5)
    handles = [
        Line2D([], [], color=BLUE, marker="o", markersize=4, linestyle="", label="one seed"),
        Line2D([], [], color=BLACK, marker="|", markersize=10, linestyle="", label="mean"),
    ]
    for row, values in enumerate(counts.values()):
        rows = row + (np.linspace(-0.22, 0.22, len(values)) if len(values) > 1 else np.zeros(1))
        panel.plot(values, rows, "o", color=BLUE, markersize=4, zorder=3)
        panel.plot([mean(values)] * 2, [row - 0.36, row + 0.36], color=BLACK, linewidth=1.5)
    for row, (low, high) in ranges.items():
        panel.barh(row, high - low, 0.72, left=low, color=GREY, alpha=0.6, linewidth=0)
    if ranges:
        handles.append(Patch(color=GREY, alpha=0.6, label="paper: mean ± deviation"))
    if judged:
        rows = len(networks) + np.arange(len(judged))
        handles += panel.plot(found, rows, "D", color=VERMILION, markersize=5, label="baseline")
        panel.axhline(len(networks) - 0.5, color=GREY, linewidth=0.8)

    highest = [max(values) for values in counts.values()] + [high for _, high in ranges.values()]
    scale_counts(panel, "x", max(highest + found))
    spectra = runs[0]["misclassified"][split]["spectra"]
    panel.set_xlabel(f"misclassified of {spectra} spectra of {split} {SCALE}")
    panel.set_yticks(range(len(names)), names)
    panel.set_ylim(len(names) - 0.5, -0.5)
    panel.tick_params(axis="y", length=0)
    means = panel.secondary_yaxis("right")
    means.set_yticks(range(len(names)), [f"{mean(v):.4g}" for v in counts.values()] + found)
    means.tick_params(length=0)
    means.spines["right"].set_visible(False)
    panel.text(1.01, 1, "mean", transform=panel.transAxes, fontsize=8, va="bottom")
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    return figure


def by_network(runs):
    """Return network -> its runs, in the order in which they come."""
    if not runs:
        raise InputError("there is no finished run to draw")
    return {
        network: [run for run in runs if run["model"] == network]
        for network in dict.fromkeys(run["model"] for run in runs)
    }


def counts_of(seeds, split):
    """Return the misclassified spectra of a split, one number per run."""
    for run in seeds:
        if split not in run["misclassified"]:
            accepted = ", ".join(run["misclassified"])
            raise InputError(f"{run['folder']} has not judged {split!r}, accepted: {accepted}")
    return [run["misclassified"][split]["misclassified"] for run in seeds]


def paper_range(network, text):
    try:
        average, deviation = map(float, text.split("±"))
    except ValueError:
        raise InputError(
            f"the paper's count for {network} is {text!r}, accepted: 'mean ± deviation'"
        ) from None
    return max(0, average - deviation), average + deviation


def in_lines(name, width):
    """Break a long name into lines, after an underscore where possible."""
    return textwrap.fill(name.replace("_", "_ "), width).replace("_ ", "_")


def scale_counts(panel, axis, most):
    """Scale axis "x" or "y" for 0 to `most` spectra: few stay apart, thousands still fit."""
    limit = max(most, LINEAR_UP_TO)
    steps = (1, 2, 5) if limit < 10_000 else (1,)
    powers = range(1, math.ceil(math.log10(limit)) + 1)
    ticks = [0, 2, 5, *(step * 10**power for power in powers for step in steps)]
    ticks = [tick for tick in ticks if tick <= 1.5 * limit]
    set_scale = panel.set_xscale if axis == "x" else panel.set_yscale
    set_scale("symlog", linthresh=LINEAR_UP_TO)
    limits = -0.6, 1.5 * limit
    panel.set(**{f"{axis}ticks": ticks, f"{axis}ticklabels": ticks, f"{axis}lim": limits})
    getattr(panel, f"{axis}axis").set_minor_locator(NullLocator())


@matplotlib.rc_context(STYLE)
def learning_curves(runs):
    """Draw training and validation loss over epochs: a panel per network, a line per seed.

    A ring marks the epoch whose weights were kept. Ticks at the bottom, in a row per seed, mark
    the epochs from which on the learning rate was lower. Reads history.csv of every run folder.
    """
    networks = by_network(runs)
    histories = [[read_history(run["folder"]) for run in seeds] for seeds in networks.values()]
    columns = min(2, len(networks))
    rows = math.ceil(len(networks) / columns)
    figure = Figure((WIDTH, 0.9 + 1.75 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for panel, (network, seeds), curves in zip(
        panels.flat[: len(networks)], networks.items(), histories, strict=True
    ):
        panel.set_title(in_lines(network, 44), loc="left")
        for row, (run, history) in enumerate(zip(seeds, curves, strict=True)):
            draw_history(panel, row, run["best_epoch"], history)
    scale_losses(panels[0, 0], histories)
    panels[0, 0].xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=(1, 2, 5, 10)))
    if len(networks) < rows * columns:
        panels[-1, -1].remove()
        panels[-2, -1].tick_params(labelbottom=True)
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


def read_history(folder):
    """Read history.csv of a run folder; returns column -> array (epochs,)."""
    path = Path(folder, "history.csv")
    try:
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; without it there is no learning curve") from None
    except (UnicodeDecodeError, csv.Error):
        raise InputError(f"{path} is not the text that train_models.py writes") from None
    if not rows:
        raise InputError(f"{path} holds no epoch")
    history = {}
    for column in "epoch", "loss", "val_loss", "learning_rate":
        try:
            history[column] = np.array([float(row[column]) for row in rows])
        except (KeyError, ValueError, TypeError):
            raise InputError(f"{path} lacks numbers in column {column!r}") from None
    return history


def draw_history(panel, row, best_epoch, history):
    epochs, validation = history["epoch"], history["val_loss"]
    panel.plot(epochs, history["loss"], color=BLUE, alpha=0.7, linewidth=0.8)
    panel.plot(epochs, validation, "--", color=VERMILION, alpha=0.9, linewidth=0.8)
    best = epochs == best_epoch
    ring = {"color": BLACK, "fillstyle": "none", "markersize": 5, "zorder": 3}
    panel.plot(epochs[best], validation[best], "o", **ring)
    lowered = epochs[1:][np.diff(history["learning_rate"]) < 0]
    heights = np.full(len(lowered), TICK_ROW * (row + 0.7))
    tick = {"color": BLACK, "markersize": 4, "markeredgewidth": 0.7}
    panel.plot(lowered, heights, "|", transform=panel.get_xaxis_transform(), **tick)


def scale_losses(panel, histories):
    """Make the loss axis logarithmic, with room for the rows of ticks below the losses."""
    every = [h[column] for curves in histories for h in curves for column in ("loss", "val_loss")]
    losses = np.concatenate(every)
    losses = losses[np.isfinite(losses) & (losses > 0)]
    low, high = (0.7 * losses.min(), 1.5 * losses.max()) if len(losses) else (0.1, 1)
    share = min(0.5, TICK_ROW * (1 + max(map(len, histories))))
    panel.set_ylim(low * (low / high) ** (share / (1 - share)), high)
    panel.set_yscale("log", nonpositive="mask")
    panel.set_yticks([tick for tick in panel.get_yticks() if low <= tick <= high])
    panel.yaxis.set_minor_locator(NullLocator())


@matplotlib.rc_context(STYLE)
def confused_classes(confusions, class_file, parameters):
    """Draw the pairs of classes that are confused most often, and the peak that decides.

    confusions: a dict per misclassified spectrum and run, with network, seed, split ("test" or
    "test_wide"), true_class, predicted_class and variant (0 to 8, see vary_for_test). A panel
    shows the spectrum of the pair that most runs misclassified, and the ideal patterns of both
    classes, in datapoints and relative intensity. parameters: a dict of
    spectra_from_config.Parameters.
    """
    vary = varied_classes(class_file, parameters)
    pairs = confused_pairs(confusions, class_file)
    figure = Figure((WIDTH, 0.4 + 2.1 * len(pairs)), layout="constrained")
    panels = figure.subplots(len(pairs), squeeze=False)[:, 0]
    for panel, cases in zip(panels, pairs, strict=True):
        draw_confusion(panel, cases, vary, class_file, Parameters(**parameters))
    panels[-1].set_xlabel("position (datapoints)")
    figure.supylabel("relative intensity", fontsize=9)
    return figure


def confused_pairs(confusions, class_file):
    """Group confusions by their two classes, whichever is the true one; the most frequent first."""
    pairs = {}
    for case in confusions:
        for name in "true_class", "predicted_class":
            check_label(class_file, case[name], name)
        if case["split"] not in HEIGHT_CHANGES:
            raise InputError(f"split is {case['split']}, accepted: test or test_wide")
        if not 0 <= case["variant"] < TEST_VARIANTS:
            raise InputError(f"variant is {case['variant']}, accepted: 0 to {TEST_VARIANTS - 1}")
        pair = tuple(sorted((case["true_class"], case["predicted_class"])))
        pairs.setdefault(pair, []).append(case)
    return [pairs[pair] for pair in sorted(pairs, key=lambda p: (-len(pairs[p]), p))[:MOST_PAIRS]]


def draw_confusion(panel, cases, vary, class_file, limits):
    """Draw one pair of confused classes; limits: the dataset's Parameters."""
    spectra = Counter(
        (case["split"], case["true_class"], case["predicted_class"], case["variant"])
        for case in cases
    )
    # Of spectra that are confused equally often, the same one whatever the order of the runs.
    split, true, predicted, variant = min(spectra, key=lambda which: (-spectra[which], which))
    varied = (values[[variant]] for values in vary(split, true))
    spectrum = render(*varied, class_file.datapoints)[0]
    panel.plot(spectrum, color=GREY, linewidth=2.5, label=f"spectrum of {true}")
    pair = true, predicted
    patterns = []
    for label in pair:
        heights = class_file.heights[label]
        visible = heights > 0  # the paper's class file has peaks of height 0
        patterns.append((class_file.positions[label][visible], heights[visible]))
    draw_pattern(panel, patterns[0], BLUE, "o", "-", f"ideal {true} (true)")
    draw_pattern(panel, patterns[1], VERMILION, "s", "--", f"ideal {predicted} (predicted)")

    window = limits.max_shift + limits.test_shift
    peaks = [
        (label, positions[peak], heights[peak])
        for label, (positions, heights), peak in zip(
            pair, patterns, deciding_peaks(*patterns, window), strict=True
        )
        if peak is not None
    ]
    mark_peaks(panel, peaks, spectrum, limits.test_shift)
    counts = f"{confusion_counts(cases)}; shown: {split}, {variant_text(split, variant, limits)}"
    panel.set_title(f"{counts}\n{decision(peaks, pair)}", loc="left", pad=19)
    spacing = {"columnspacing": 1.2, "handlelength": 1.5, "handletextpad": 0.5}
    panel.legend(loc="lower left", bbox_to_anchor=(-0.015, 0.97), ncols=4, **spacing)
    panel.set_xlim(range_to_show(patterns, window, class_file.datapoints))
    panel.set(ylim=(0, 1.25), yticks=(0, 0.5, 1))


def variant_text(split, variant, limits):
    """Say how a test spectrum differs from the ideal pattern; variant: see `vary_for_test`."""
    change = getattr(limits, HEIGHT_CHANGES[split])
    shift = (0, -limits.test_shift, limits.test_shift)[variant % 3]
    change = (0, change, -change)[variant // 3]
    changes = [f"{name} {by:+g}" for name, by in (("shift", shift), ("heights", change)) if by]
    return ", ".join(changes).replace("-", "−") or "unvaried"


def draw_pattern(panel, pattern, colour, marker, line, name):
    """Draw an ideal pattern as lines with heads; pattern: positions and heights (peaks,)."""
    positions, heights = pattern
    panel.vlines(positions, 0, heights, color=colour, linestyle=line, linewidth=1)
    head = {"marker": marker, "markersize": 4, "fillstyle": "none", "linestyle": ""}
    panel.plot(positions, heights, color=colour, label=name, clip_on=False, zorder=3, **head)


def mark_peaks(panel, peaks, spectrum, reach):
    """Point at peaks (label, position, height), from above where the spectrum is higher there."""
    tops = [max(h, spectrum[max(0, x - reach) : x + reach + 1].max()) for _, x, h in peaks]
    style = {"color": BLACK, "markersize": 6, "label": "deciding peak", "zorder": 4}
    panel.plot([x for _, x, _ in peaks], np.array(tops) + 0.13, "v", **style)


def range_to_show(patterns, window, datapoints):
    """Return first and last datapoint: of the whole spectrum, unless its peaks are in one half."""
    positions = np.concatenate([positions for positions, _ in patterns])
    if np.ptp(positions) > datapoints / 2:
        return 0, datapoints - 1
    margin = max(2 * window, datapoints / 50)
    return max(0, positions.min() - margin), min(datapoints - 1, positions.max() + margin)


def confusion_counts(cases):
    first, second = sorted((cases[0]["true_class"], cases[0]["predicted_class"]))
    spectra = len({(case["split"], case["true_class"], case["variant"]) for case in cases})
    runs = len({(case["network"], case["seed"]) for case in cases})
    return (
        f"classes {first} and {second}: {spectra} test {'spectra' if spectra > 1 else 'spectrum'} "
        f"confused in {runs} run{'s' if runs > 1 else ''}"
    )


def decision(peaks, pair):
    found = [f"{x} (height {height:.3g}) of class {label}" for label, x, height in peaks]
    if len(found) == 2:
        return f"least alike: peaks {' and '.join(found)}"
    (other,) = set(pair) - {peaks[0][0]}
    return f"peak {found[0]} has no partner in class {other}"


def deciding_peaks(pattern_a, pattern_b, window):
    """Find the peaks that tell two ideal patterns apart.

    Patterns are positions and heights, arrays (peaks,). Partners are at most `window` datapoints
    apart, and no peak is partner of two. Returns two peak indices, of A and of B: the highest peak
    without a partner and None for the other pattern, or else the partners that differ most in
    height.
    """
    (positions_a, heights_a), (positions_b, heights_b) = pattern_a, pattern_b
    distances = np.abs(positions_a[:, None] - positions_b)
    changes = np.abs(heights_a[:, None] - heights_b)
    # As many partners as possible first, and of these choices the nearest and equally high ones.
    alone = 3 * (len(positions_a) + len(positions_b))
    costs = np.where(distances <= window, distances / (window + 1) + changes, alone)
    rows, columns = linear_sum_assignment(costs)
    partners = [(a, b) for a, b in zip(rows, columns, strict=True) if costs[a, b] < alone]
    lonely_a = set(range(len(positions_a))) - {a for a, _ in partners}
    lonely_b = set(range(len(positions_b))) - {b for _, b in partners}
    lonely = [(heights_a[a], a, None) for a in sorted(lonely_a)]
    lonely += [(heights_b[b], None, b) for b in sorted(lonely_b)]
    if lonely:
        return max(lonely, key=lambda peak: peak[0])[1:]
    return tuple(map(int, max(partners, key=lambda pair: changes[pair])))


@matplotlib.rc_context(STYLE)
def cost(runs, split, comparable=True):
    """Draw misclassified spectra against the time of an epoch and the size of the network.

    A labelled point per network is the mean over its seeds; bars reach from the smallest to the
    largest value. comparable: whether the same machine and threads took all times.
    """
    networks = by_network(runs)
    counts = [counts_of(seeds, split) for seeds in networks.values()]
    seconds = [[run["seconds"] / run["epochs"] for run in seeds] for seeds in networks.values()]
    millions = [[run["parameters"] / 1e6 for run in seeds] for seeds in networks.values()]
    figure = Figure((WIDTH, 3.6), layout="constrained")
    figure.get_layout_engine().set(wspace=0.06)
    panels = figure.subplots(1, 2, sharey=True)
    for panel, costs in zip(panels, (seconds, millions), strict=True):
        for x, y, marker, colour in zip(costs, counts, cycle(MARKERS), cycle(COLOURS)):
            style = {"fmt": marker, "color": colour, "markersize": 6, "elinewidth": 0.8}
            panel.errorbar(mean(x), mean(y), reach_of(y), reach_of(x), **style)
        scale_costs(panel, costs)
        panel.grid(color=GREY, alpha=0.4, linewidth=0.5)
    panels[0].set_xlabel("seconds per epoch" + " (machines or threads differ)" * (not comparable))
    panels[1].set_xlabel("parameters (million)")
    scale_counts(panels[0], "y", max(map(max, counts)))
    spectra = runs[0]["misclassified"][split]["spectra"]
    panels[0].set_ylabel(f"misclassified of {spectra} spectra of {split}\n{SCALE}")
    figure.draw_without_rendering()  # lays the panels out, so that names can be placed
    for panel, costs in zip(panels, (seconds, millions), strict=True):
        label_points(panel, networks, costs, counts)
    return figure


def reach_of(values):
    return [[mean(values) - min(values)], [max(values) - mean(values)]]


def scale_costs(panel, costs):
    low, high = min(map(min, costs)) / 2, max(map(max, costs)) * 2
    panel.set_xscale("log")
    panel.set_xlim(low, high)
    panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 300 else (1,)))
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.xaxis.set_minor_locator(NullLocator())


def label_points(panel, names, xs, ys):
    """Write each name near its point, where it covers no point, bar or other name if possible.

    xs, ys: per point its values, of which the mean is the point. The panel must be laid out.
    """
    figure = panel.figure
    spots = panel.transData.transform([(mean(x), mean(y)) for x, y in zip(xs, ys, strict=True)])
    points = [Bbox([spot - 6, spot + 6]) for spot in spots]
    bars = [
        Bbox(panel.transData.transform(ends)).padded(1)
        for x, y in zip(xs, ys, strict=True)
        for ends in (
            [(min(x), mean(y)), (max(x), mean(y))],
            [(mean(x), min(y)), (mean(x), max(y))],
        )
    ]
    written, lines = [], []
    for name, x, y, spot in zip(names, xs, ys, spots, strict=True):
        text = in_lines(name, 18)
        measured = figure.text(0, 0, text, fontsize=8)
        size = measured.get_window_extent().size
        measured.remove()
        others = [point for point in points if not point.contains(*spot)] + written

        def conflicts(centre, size=size, spot=spot, others=others):
            box, line = Bbox([centre - size / 2, centre + size / 2]), geometry.Path([spot, centre])
            crossed = sum(line.intersects_bbox(other) for other in others)
            crossed += sum(earlier.intersects_bbox(box) for earlier in lines)
            outside = not all(panel.bbox.contains(*corner) for corner in box.corners())
            covered = box.count_overlaps([*points, *written])
            return outside, covered, crossed + box.count_overlaps(bars)

        centre = min(places_around(spot, size), key=conflicts)
        offset = centre - spot
        far = (np.abs(offset) > 0.5).all() or (np.abs(offset) > NEAR + size / 2 + 0.5).any()
        leader = {"arrowstyle": "-", "linewidth": 0.5, "shrinkA": 0, "shrinkB": 4} if far else None
        note = panel.annotate(
            text,
            (mean(x), mean(y)),
            offset * 72 / figure.dpi,
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=8,
            arrowprops=leader,
        )
        note.set_in_layout(False)
        written.append(Bbox([centre - size / 2, centre + size / 2]))
        if far:
            lines.append(geometry.Path([spot, centre]))


def places_around(spot, size):
    """Yield where the centre of a text may stand, in pixels, the places nearest its point first.

    Only straight beside, above or below its point does a name need no line to it.
    """
    for direction in (1, 0), (-1, 0), (0, 1), (0, -1):
        yield spot + direction * (NEAR + size / 2)
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    for gap in 18, 30, 44, 60, 78, 98:
        for direction in np.transpose([np.cos(angles), np.sin(angles)]):
            yield spot + direction * (gap + size / 2)
