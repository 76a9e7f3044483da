"""The figure of identify.py: measured spectra, each with the most similar training spectrum."""

from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from benchmark.figure_style import BLACK, BLUE, STYLE, VERMILION, WIDTH

ROW_HEIGHT = 1.4  # inches


class Match(NamedTuple):
    """A row of the figure. Spectra are arrays (datapoints,), from 0 to 1."""

    title: str
    spectrum: np.ndarray
    nearest: np.ndarray | None  # the most similar training spectrum, None if it is not known
    nearest_name: str


@matplotlib.rc_context(STYLE)
def draw_matches(matches, ends, unit):
    """Draw a row per Match: its spectrum, and below it the nearest one upside down.

    ends: x of the first and the last datapoint; unit: of x, "" if it is not known. Returns the
    figure.
    """
    figure = Figure((WIDTH, 0.8 + ROW_HEIGHT * len(matches)), layout="constrained")
    rows = figure.subplots(len(matches), sharex=True, squeeze=False)[:, 0]
    for match, axes in zip(matches, rows, strict=True):
        x = np.linspace(*ends, len(match.spectrum))
        axes.plot(x, match.spectrum, color=BLUE, linewidth=0.8, label="measured")
        axes.set_ylim(-0.03, 1.05)
        axes.set_yticks([0, 1])
        # Names of files and classes may hold dollar signs, which do not begin a formula.
        axes.set_title(match.title, loc="left", parse_math=False)
        if match.nearest is not None:
            label = "most similar training spectrum, upside down"
            axes.plot(x, -match.nearest, color=VERMILION, linewidth=0.8, label=label)
            axes.axhline(0, color=BLACK, linewidth=0.5)
            axes.set_ylim(-1.4, 1.05)  # with room for the name below
            axes.set_yticks([-1, 0, 1], ["1", "0", "1"])
            axes.annotate(
                match.nearest_name,
                xy=(0.01, 0.02),
                xycoords="axes fraction",
                color=VERMILION,
                parse_math=False,
            )
    rows[-1].set_xlim(*ends)
    rows[-1].set_xlabel(f"x ({unit})" if unit else "x")
    figure.supylabel("relative intensity", fontsize=9)
    figure.legend(handles=rows[0].get_lines()[:2], loc="outside upper left", ncols=2)
    return figure
