"""Figures of classes: how the spectra of one vary, what artefacts do to them, which are confused.

`class_variation` is Figure 2 of Schuetzke, Szymanski and Reischl, "A universal synthetic dataset
for machine learning on spectroscopic data" (2022). It and `confused_classes` are given `vary`, a
function of split and label that returns positions, heights and widths of the class's spectra in the
dataset, as spectra_from_config.py draws them.
"""

import math
import textwrap
from collections import Counter

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from benchmark.artefacts import RandomSource, one_by_one, render_with_artefacts
from benchmark.figure_style import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    SKY,
    STYLE,
    VERMILION,
    WIDTH,
    number_of_lines,
    plain,
)
from benchmark.peak_matching import match_nearest
from benchmark.rendering import render
from benchmark.severities import LADDER
from benchmark.variants import variants_of

VISIBLE = 0.1  # height from which on a peak stands out in a printed spectrum
MOST_PAIRS = 4  # of confused classes that fit a page
LONGEST_NAME = 16  # characters of a class's name that fit a legend
SHORT_NAMES = 12  # characters of two names that fit a legend of one row
TITLE_WIDTH = 88  # characters that fit a line above a panel
TITLE_LINE = 0.15  # inches: its height
DRAWS = 9  # spectra with an artefact, of which one is shown
ARTEFACT_COLUMNS = 3


def most_telling_class(class_file):
    """Return the label of a class whose variation is easy to see.

    Of the classes with four visible peaks or more (else: with most of them), it is the one whose
    closest peaks are farthest apart.
    """

    def clarity(label):
        visible = np.count_nonzero(class_file.heights[label] >= VISIBLE)
        gaps = np.diff(np.sort(class_file.positions[label]))
        return min(4, visible), gaps.min(initial=class_file.datapoints), -label

    return max(range(class_file.classes), key=clarity)


@matplotlib.rc_context(STYLE)
def class_variation(class_file, variation, label, vary):
    """Draw how the spectra of one class vary: Figure 2 of the paper.

    class_file: a ClassFile; variation: a Variation; label: class index. Left stand the ideal
    pattern and the first two training spectra, in datapoints and relative intensity. Right stands
    one peak, its position (datapoints) against its height before the spectrum is divided by its
    maximum, in all training spectra and all variants of the test splits.
    """
    trained, tested = vary("train", label), vary("test", label)
    pattern = class_file.positions[label], class_file.heights[label]
    ideal = *(values[None] for values in pattern), np.array([float(variation.test_kernel)])
    shown_splits = [
        ("training spectra", trained, {"marker": "o", "color": SKY, "markersize": 3}),
        ("test", tested, {"marker": "s", "color": VERMILION, "fillstyle": "none"}),
    ]
    if variation.wide_test:
        style = {"marker": "x", "color": BLACK, "markersize": 5}
        shown_splits.append(("test_wide", vary("test_wide", label), style))
    peak = peak_to_follow(class_file.heights[label])
    centre = class_file.positions[label][peak]
    shown = [("ideal pattern", ideal, 0), ("training spectrum", trained, 0)]
    if len(trained[0]) > 1:
        shown.append(("another training spectrum", trained, 1))

    figure = Figure((WIDTH, 3.8), layout="constrained")
    figure.get_layout_engine().set(wspace=0.06)
    panels = figure.subplot_mosaic([[name, "peak"] for name, _, _ in shown], width_ratios=(3, 2))
    reach = max(variation.max_shift, 1)
    span = {"color": ORANGE, "alpha": 0.3, "linewidth": 0}
    for name, drawn, row in shown:
        panel = panels[name]
        spectrum = render(*(values[[row]] for values in drawn), class_file.datapoints)[0]
        panel.axvspan(centre - reach, centre + reach, **span)
        panel.plot(spectrum, color=BLACK, linewidth=0.8)
        title = f"{name}, σ = {drawn[2][row]:.2g} datapoints"
        if variation.artefacts and drawn is trained:
            title += ", no artefacts"
        panel.set_title(title, loc="left", fontsize=8)
        panel.set(xlim=(0, class_file.datapoints - 1), ylim=(0, 1.05), yticks=(0, 0.5, 1))
        mark_positions(panel, class_file)
        panel.tick_params(labelbottom=name == shown[-1][0])
    panels[shown[-1][0]].set_xlabel(position_label(class_file))
    panels[shown[len(shown) // 2][0]].set_ylabel("relative intensity")

    panel = panels["peak"]
    for name, (positions, heights, _), style in shown_splits:
        style |= {"linestyle": "", "label": f"{name} ({len(positions)})"}
        panel.plot(positions[:, peak], heights[:, peak], **style)
    name = called(class_file, label)
    separator = " " if len(name) <= SHORT_NAMES else "\n"
    place = plain(class_file.place(centre))
    panel.set_title(f"class {name},{separator}peak at {place}", loc="left")
    panel.set_xlabel(position_label(class_file))
    panel.set_ylabel("relative intensity, before normalisation")
    panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    panel.margins(0.08)
    mark_positions(panel, class_file)
    handles = [Patch(label="range of the peak drawn on the right", **span), *panel.lines]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


def position_label(class_file):
    """Return the label of an axis with the marks of `mark_positions`."""
    return f"position ({plain(class_file.unit or 'x') if class_file.grid else 'datapoints'})"


def mark_positions(panel, class_file):
    """Mark an axis of datapoints, whose limits are set, by what they stand for, if known."""
    grid = class_file.grid
    if grid is None:
        return
    low, high = panel.get_xlim()
    ticks = MaxNLocator(5).tick_values(grid.x_at(low), grid.x_at(high))
    places = grid.datapoint_at(ticks)
    inside = (low <= places) & (places <= high)
    panel.set_xticks(places[inside], [f"{x:g}" for x in ticks[inside]])


def called(class_file, label):
    """Return a class's name or number for a figure; a long name loses its middle."""
    name = class_file.name_of(label)
    if len(name) > LONGEST_NAME:
        name = f"{name[: LONGEST_NAME - 7]}…{name[-6:]}"
    return plain(name)


@matplotlib.rc_context(STYLE)
def class_artefacts(class_file, variation, label, shown):
    """Draw what each artefact by itself does to the ideal pattern of one class.

    shown: list of (title, Artefacts, whether it shows best in a part of the spectrum). A panel
    shows, of DRAWS spectra with the artefact, the one that differs most from the ideal pattern, in
    datapoints and relative intensity.
    """
    pattern = class_file.positions[label], class_file.heights[label]
    varied = (
        *(np.repeat(row[None], DRAWS, axis=0) for row in pattern),
        np.full(DRAWS, float(variation.test_kernel)),
    )
    source = RandomSource(variation.seed, 0, [(label, range(DRAWS))])
    ideal = render(*varied, class_file.datapoints)[0]
    columns = min(ARTEFACT_COLUMNS, len(shown))
    rows = math.ceil(len(shown) / columns)
    figure = Figure((WIDTH, 0.7 + 1.4 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for panel, (title, artefacts, local) in zip(panels, shown, strict=False):
        spectra = render_with_artefacts(varied, artefacts, source, class_file.datapoints)
        spectrum = spectra[np.abs(spectra - ideal).sum(axis=1).argmax()]
        panel.plot(ideal, color=ORANGE, linewidth=2.2, alpha=0.7, label="ideal pattern")
        panel.plot(spectrum, color=BLACK, linewidth=0.7, label="with the artefact")
        panel.set_title(title, loc="left", fontsize=8)
        limits = part_to_show(*pattern, class_file.datapoints) if local else None
        panel.set(xlim=limits or (0, class_file.datapoints - 1), ylim=(0, 1.05), yticks=(0, 0.5, 1))
        panel.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        mark_positions(panel, class_file)
    for panel in panels[len(shown) :]:
        panel.set_axis_off()
    note = "; panels marked * show a part" if any(local for *_, local in shown) else ""
    figure.supxlabel(f"{position_label(class_file)}{note}", fontsize=9)
    figure.supylabel("relative intensity", fontsize=9)
    handles = panels[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=2)
    return figure


def artefacts_to_show(artefacts):
    """Return what `class_artefacts` draws: each of a dataset's Artefacts by itself."""
    local = {rung.artefact for rung in LADDER if rung.local} | {"peak_shape"}
    panels = []
    for name, alone in one_by_one(artefacts).items():
        mark = " *" if name in local else ""
        value = range_text(getattr(artefacts, name))
        panels.append((f"{name.replace('_', ' ')}, {value}{mark}", alone, name in local))
    return panels


def range_text(value):
    """Return the value of an artefact as a title has it: what it is drawn from, or its shape."""
    if isinstance(value, tuple):
        return " to ".join(f"{end:g}" for end in dict.fromkeys(value))
    return value if isinstance(value, str) else f"±{value:g}"


def part_to_show(positions, heights, datapoints):
    """Return first and last datapoint around the last peak that stands out."""
    peak = positions[heights >= 2 * VISIBLE].max()
    reach = max(20, datapoints // 20)
    first = min(max(0, peak - reach), datapoints - 1 - 2 * reach)
    return max(0, first), min(first + 2 * reach, datapoints - 1)


def peak_to_follow(heights):
    """Return the peak nearest to half the highest one: its height has room to both sides."""
    others = np.flatnonzero(heights < 1)
    return int(others[np.argmin(np.abs(heights[others] - 0.5))]) if len(others) else 0


@matplotlib.rc_context(STYLE)
def confused_classes(confusions, class_file, variation, vary):
    """Draw the pairs of classes that are confused most often, and the peak that decides.

    confusions: list of Misclassification in test splits that have variants. A panel shows the
    spectrum of the pair that most runs misclassified, and the ideal patterns of both classes, in
    datapoints and relative intensity.
    """
    pairs = confused_pairs(confusions)
    figure = Figure((WIDTH, 0.4 + 2.1 * len(pairs)), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.12)
    panels = figure.subplots(len(pairs), squeeze=False)[:, 0]
    for panel, cases in zip(panels, pairs, strict=True):
        draw_confusion(panel, cases, vary, class_file, variation)
        mark_positions(panel, class_file)
    broken = sum(number_of_lines(panel.get_title("left")) - 3 for panel in panels)
    figure.set_figheight(figure.get_figheight() + TITLE_LINE * broken)
    panels[-1].set_xlabel(position_label(class_file))
    figure.supylabel("relative intensity", fontsize=9)
    return figure


def confused_pairs(confusions):
    """Group confusions by their two classes, whichever is the true one; the most frequent first."""
    pairs = {}
    for case in confusions:
        pair = tuple(sorted((case.true_class, case.predicted_class)))
        pairs.setdefault(pair, []).append(case)
    return [pairs[pair] for pair in sorted(pairs, key=lambda p: (-len(pairs[p]), p))[:MOST_PAIRS]]


def draw_confusion(panel, cases, vary, class_file, variation):
    """Draw one pair of confused classes."""
    spectra = Counter(
        (case.split, case.true_class, case.predicted_class, case.variant) for case in cases
    )
    # Of spectra that are confused equally often, the same one whatever the order of the runs.
    split, true, predicted, variant = min(spectra, key=lambda which: (-spectra[which], which))
    varied = (values[[variant]] for values in vary(split, true))
    spectrum = render(*varied, class_file.datapoints)[0]
    pair = true, predicted
    names = {label: called(class_file, label) for label in pair}
    panel.plot(spectrum, color=GREY, linewidth=2.5, label=f"spectrum of {names[true]}")
    patterns = [visible_pattern(class_file, label) for label in pair]
    draw_pattern(panel, patterns[0], BLUE, "o", "-", f"ideal {names[true]} (true)")
    draw_pattern(panel, patterns[1], VERMILION, "s", "--", f"ideal {names[predicted]} (predicted)")

    variants = variants_of(class_file, variation)[split][true]
    test_shift = max(abs(shift) for shift, _ in variants)
    window = variation.max_shift + test_shift
    peaks = [
        (label, positions[peak], heights[peak])
        for label, (positions, heights), peak in zip(
            pair, patterns, deciding_peaks(*patterns, window), strict=True
        )
        if peak is not None
    ]
    mark_peaks(panel, peaks, spectrum, test_shift)
    shown = variant_text(variants[variant])
    decisive = decision(peaks, names, class_file)
    told = confusion_counts(cases, names), decisive, f"shown: {split}, {shown}"
    short = sum(map(len, names.values())) <= SHORT_NAMES
    lines = [line for text in told for line in textwrap.wrap(text, TITLE_WIDTH)]
    title = panel.set_title("\n".join(lines), loc="left", pad=19 if short else 31)
    spacing = {"columnspacing": 1.2, "handlelength": 1.5, "handletextpad": 0.5}
    place = {"loc": "lower left", "bbox_to_anchor": (-0.015, 0.97), "ncols": 4 if short else 2}
    for wide in title, panel.legend(**place, **spacing):
        wide.set_in_layout(False)  # or the panel would become narrow
    panel.set_xlim(range_to_show(patterns, window, class_file.datapoints))
    panel.set(ylim=(0, 1.25), yticks=(0, 0.5, 1))


def variant_text(variant):
    """Say how a test spectrum differs from the ideal pattern."""
    changes = ("shift", variant.shift), ("heights", variant.height_change)
    told = ", ".join(f"{name} {by:+g}" for name, by in changes if by)
    return told.replace("-", "−") or "unvaried"


def visible_pattern(class_file, label):
    """Return positions and heights (peaks,); the paper's class file has peaks of height 0."""
    visible = class_file.heights[label] > 0
    return class_file.positions[label][visible], class_file.heights[label][visible]


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


def confusion_counts(cases, names):
    first, second = (names[label] for label in sorted(names))
    spectra = len({(case.split, case.true_class, case.variant) for case in cases})
    splits = " and ".join(dict.fromkeys(case.split for case in cases))
    runs = len({(case.network, case.seed) for case in cases})
    return (
        f"classes {first} and {second}: {spectra} {'spectra' if spectra > 1 else 'spectrum'} of "
        f"{splits} confused in {runs} run{'s' if runs > 1 else ''}"
    )


def decision(peaks, names, class_file):
    found = [
        f"{plain(class_file.place(x))} (height {height:.3g}) of class {names[label]}"
        for label, x, height in peaks
    ]
    if len(found) == 2:
        return f"least alike: peaks {' and '.join(found)}"
    (other,) = set(names) - {peaks[0][0]}
    return f"peak {found[0]} has no partner in class {names[other]}"


def deciding_peaks(pattern_a, pattern_b, window):
    """Find the peaks that tell two ideal patterns apart.

    Patterns are positions and heights, arrays (peaks,). Partners are at most `window` datapoints
    apart, and no peak is partner of two. Returns two peak indices, of A and of B: the highest peak
    without a partner and None for the other pattern, or else the partners that differ most in
    height, of those that differ alike in height the furthest from each other.
    """
    (positions_a, heights_a), (positions_b, heights_b) = pattern_a, pattern_b
    distances = np.abs(positions_a[:, None] - positions_b)
    changes = np.abs(heights_a[:, None] - heights_b)
    partners = match_nearest(distances / (window + 1) + changes, possible=distances <= window)
    matched = [(a, b) for a, b in enumerate(partners.tolist()) if b >= 0]
    lonely = [(heights_a[a], a, None) for a in np.flatnonzero(partners < 0).tolist()]
    others = set(range(len(heights_b))) - {b for _, b in matched}
    lonely += [(heights_b[b], None, b) for b in sorted(others)]
    if lonely:
        return max(lonely, key=lambda peak: peak[0])[1:]
    return max(matched, key=lambda pair: (changes[pair], distances[pair]))
