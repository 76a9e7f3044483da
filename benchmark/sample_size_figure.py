"""The figure of a sample-size study: error against training spectra per class."""

import math

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter, NullLocator

from benchmark.figure_style import BLACK, GREY, STYLE, WIDTH, in_lines, network_styles
from benchmark.sample_sizes import power_law

NO_ERROR = 0.4  # of the smallest mean or target above it: where 0 is on the logarithmic axis


@matplotlib.rc_context(STYLE)
def draw(points, curves, split, target):
    """Draw a panel per class file, a line per network through its means, a point per seed.

    points: list of Point; curves: list of Curve, whose fits are dotted; target: the accuracy that
    is marked. Methods are dashed. Errors of 0 stand at the bottom of the logarithmic axis.
    """
    points = [point for point in points if point.split == split]
    fits = {(c.class_file, c.network): c.fit for c in curves if c.split == split}
    class_files = list(dict.fromkeys(point.class_file for point in points))
    styles = lines_of(points)
    smallest = min(1 / (point.spectra * len(point.errors)) for point in points)
    bottom = NO_ERROR * min(smallest, 1 - target)  # below the target's line, too
    columns = min(2, len(class_files))
    rows = math.ceil(len(class_files) / columns)
    figure = Figure((WIDTH, 1.1 + 3 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for panel, class_file in zip(panels.flat, class_files, strict=False):
        shown = [point for point in points if point.class_file == class_file]
        panel.set_title(in_lines(class_file, 44), loc="left")
        panel.axhline(1 - target, color=GREY, linewidth=0.8, zorder=1)
        for network, style in styles.items():
            of_network = [point for point in shown if point.network == network]
            draw_network(panel, of_network, fits.get((class_file, network)), style, bottom)
    scale(panels[0, 0], points, target, bottom)
    for panel in panels.flat[len(class_files) :]:
        panel.remove()
    if len(class_files) < rows * columns:
        panels[-2, -1].tick_params(labelbottom=True)
    figure.supxlabel("training spectra per class", fontsize=9)
    figure.supylabel(f"share of misclassified spectra of {in_lines(split, 28)}", fontsize=9)
    handles = [Line2D([], [], label=in_lines(n, 28), **style) for n, style in styles.items()]
    if any(len(point.errors) > 1 for point in points):
        single = {"color": BLACK, "marker": ".", "linestyle": "", "markersize": 3}
        handles.append(Line2D([], [], label="one seed", **single))
    if any(fits.values()):
        handles.append(Line2D([], [], color=BLACK, linestyle=":", label="fit a n$^{-b}$ + c"))
    handles.append(Line2D([], [], color=GREY, label=f"accuracy {100 * target:g} %"))
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    return figure


def lines_of(points):
    """Return network -> its line: networks whole, methods dashed."""
    learns = {point.network: point.learns for point in points}
    return {
        network: {
            "color": colour,
            "marker": marker,
            "linestyle": "-" if learns[network] == "network" else "--",
            "markersize": 5,
        }
        for network, (colour, marker) in network_styles(learns).items()
    }


def draw_network(panel, points, fit, style, bottom):
    points = sorted(points, key=lambda point: point.per_class)
    sizes = [point.per_class for point in points]
    panel.plot(sizes, [max(point.error, bottom) for point in points], **style, zorder=3)
    for point in points:
        if len(point.errors) > 1:
            seeds = [max(error, bottom) for error in point.errors]
            panel.plot([point.per_class] * len(seeds), seeds, ".", color=style["color"], ms=3)
    if fit:
        n = np.geomspace(sizes[0], sizes[-1], 100)
        errors = power_law(n, a=fit.a, b=fit.b, c=fit.c)
        errors[errors < bottom] = np.nan  # below is nothing but 0
        panel.plot(n, errors, ":", color=style["color"], linewidth=0.8, zorder=2)


def scale(panel, points, target, bottom):
    """Make both axes logarithmic, with ticks at the sizes, at powers of ten, and at 0 errors.

    Small ticks are at multiples of the powers of ten.
    """
    sizes = sorted({point.per_class for point in points})
    panel.set_xscale("log")
    panel.set_xticks(sizes, sizes)
    panel.set_xlim(sizes[0] / 1.2, sizes[-1] * 1.2)
    panel.set_yscale("log")
    highest = max(1 - target, *(max(point.errors) for point in points))
    exponents = range(math.ceil(math.log10(2 * bottom)), 1)
    ticks = [10.0**exponent for exponent in exponents]
    labels = [f"{100 * tick:g} %" for tick in ticks]
    panel.set_yticks([bottom, *ticks], ["0", *labels])
    panel.yaxis.set_minor_formatter(NullFormatter())
    panel.set_yticks([n * tick for tick in ticks for n in range(2, 10)], minor=True)
    panel.set_ylim(bottom / 1.2, 1.5 * highest)
    panel.xaxis.set_minor_locator(NullLocator())
