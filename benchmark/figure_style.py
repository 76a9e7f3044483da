"""What all figures share: size, fonts, colours, and how they are saved."""

import os
import textwrap
from itertools import cycle
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.font_manager import FontProperties, findfont, get_font

from benchmark.command_line import require
from benchmark.files import refuse_input, replace_file
from benchmark.published_results import PUBLISHED
from benchmark.table_formats import one_line

WIDTH = 7  # inches: the text width of a page
DPI = 200  # of PNG files
LEGEND_COLUMNS = 4  # at most, as far as LEGEND_WIDTH allows
LEGEND_WIDTH = 105  # characters; a column takes LEGEND_MARK more than its longest line
LEGEND_MARK = 8
LONGEST_TITLE = 56  # characters of the name of a file or class
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
DARK_GREY = "#777777"  # for an eighth
COLOURS = BLUE, VERMILION, GREEN, BLACK, PURPLE, ORANGE, SKY, DARK_GREY
MARKERS = "o", "s", "^", "D", "v", "P", "X", "*", "p"  # one more than colours, so pairs differ


def check_figure(path, inputs):
    """Raise InputError if FIGURE has another ending or would replace a file that is read.

    path: of the .png or the .pdf, None for no figure; inputs: a list of paths, or None.
    """
    if path is not None:
        path = Path(path)
        require(path.suffix in (".png", ".pdf"), "FIGURE", path, "a name ending in .png or .pdf")
        for suffix in ".png", ".pdf":
            refuse_input("FIGURE", path.with_suffix(suffix), inputs)


def told_of(path, most, count, what):
    """Return the line that tells of a saved figure, which shows `most` at most of `count` things.

    path: of the .png or the .pdf; what: the plural of the things.
    """
    shown = f"the first {most}" if count > most else "all"
    return f"{Path(path).with_suffix('.png')} and .pdf: {shown} of {count} {what}"


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


def network_styles(networks):
    """Return network -> colour and marker; one of the paper's looks the same in all figures.

    Others, such as variants of these and methods, take the pairs that are left.
    """
    pairs = list(zip(COLOURS * len(MARKERS), MARKERS * len(COLOURS), strict=True))
    fixed = dict(zip(PUBLISHED["paper"].networks, pairs, strict=False))
    taken = [fixed.get(network) for network in networks]
    left = cycle(pair for pair in pairs if pair not in taken)
    return {network: fixed.get(network) or next(left) for network in networks}


def rows_for(count, row, reach):
    """Return float64 (count,): rows for points of one row, up to `reach` about it, one in it."""
    return row + (np.linspace(-reach, reach, count) if count > 1 else np.zeros(count))


def in_lines(name, width):
    """Break a long name into lines, after an underscore where possible, each of them `plain`."""
    lines = textwrap.wrap(name.replace("_", "_ "), width)
    return "\n".join(plain(line.replace("_ ", "_")) for line in lines)


def plain(text):
    """Return a text for a figure: one line, in which "$" begins no formula."""
    return one_line(text).replace("$", r"\$")


def printable(name):
    """Return a name as a figure can show it, with a replacement for all other characters."""
    characters = get_font(findfont(FontProperties())).get_charmap()
    text = os.fsencode(name).decode("utf-8", "replace")
    text = "".join(
        sign if ord(sign) in characters else "\N{REPLACEMENT CHARACTER}" for sign in text
    )
    return text if len(text) <= LONGEST_TITLE else f"{text[: LONGEST_TITLE - 21]}…{text[-20:]}"


def columns_of_legend(labels):
    """Divide labels into as many columns as stand side by side, in matplotlib's order."""
    for count in range(LEGEND_COLUMNS, 1, -1):
        columns = np.array_split(labels, count)
        longest = [max(map(len, "\n".join(column).split("\n"))) for column in columns]
        if sum(longest) + LEGEND_MARK * count <= LEGEND_WIDTH:
            return columns
    return [labels]


def number_of_lines(text):
    return text.count("\n") + 1
