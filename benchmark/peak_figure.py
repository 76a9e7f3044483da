"""The figure of class_file_from_peaks.py: the peaks of each class, in its mean spectrum."""

from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from benchmark.figure_style import BLUE, STYLE, VERMILION, WIDTH, plain

COLUMNS = 3
ROW_HEIGHT = 0.8  # inches


class Pattern(NamedTuple):
    """A panel of the figure: a class."""

    name: str
    x: np.ndarray  # (peaks,), where its peaks are
    heights: np.ndarray  # (peaks,), relative to the highest
    mean: np.ndarray | None  # the mean of its spectra (datapoints,), from 0 to 1; None without one


@matplotlib.rc_context(STYLE)
def draw_patterns(patterns, ends, unit):
    """Draw a panel per Pattern: its mean spectrum, and a stick with a dot for each peak.

    ends: x of the first and the last datapoint; unit: of x, "" if it is not known. Returns the
    figure.
    """
    rows = -(-len(patterns) // COLUMNS)
    figure = Figure((WIDTH, 0.8 + ROW_HEIGHT * rows), layout="constrained")
    panels = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False).ravel()
    for pattern, panel in zip(patterns, panels, strict=False):
        if pattern.mean is not None:
            x = np.linspace(*ends, len(pattern.mean))
            panel.plot(x, pattern.mean, color=BLUE, linewidth=0.7, label="mean of the spectra")
        panel.vlines(pattern.x, 0, pattern.heights, color=VERMILION, linewidth=0.8)
        panel.plot(pattern.x, pattern.heights, "o", color=VERMILION, markersize=2.5, label="peak")
        panel.set_title(plain(pattern.name), loc="left", fontsize=7, pad=2)
    for panel in panels[len(patterns) :]:
        panel.set_axis_off()
    for panel in panels[max(0, len(patterns) - COLUMNS) : len(patterns)]:
        panel.xaxis.set_tick_params(labelbottom=True)  # the last of its column
    panels[0].set_xlim(*ends)
    panels[0].set_ylim(0, 1.1)
    figure.supxlabel(f"x ({unit})" if unit else "x", fontsize=9)
    figure.supylabel("relative intensity", fontsize=9)
    figure.legend(handles=panels[0].get_lines(), loc="outside upper left", ncols=2)
    return figure
