"""Tables as Markdown, LaTeX, CSV and plain text.

A cell is one line of text, whatever a network, split or file is called: what has a meaning in the
format is escaped.
"""

import csv
import io
import re

LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "±": r"$\pm$",
        "–": "--",
        "[": "{[}",  # begins an option of the line break before a row, as * does
        "*": "{*}",
    }
    | {character: rf"\{character}" for character in "_%$&#{}"}
)


def as_markdown(header, lines):
    rule = ["---", *["---:"] * (len(header) - 1)]
    rows = [list(map(markdown_text, cells)) for cells in (header, *lines)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (rows[0], rule, *rows[1:]))


def markdown_text(text):
    """Escape what ends a cell or begins code, emphasis or HTML; names may hold "_" as they are."""
    return re.sub(r"[\\|`*<]", r"\\\g<0>", one_line(text))


def names_text(names):
    """Return names as a list in Markdown, on one line."""
    return ", ".join(map(markdown_text, names))


def as_plain_text(header, lines):
    """Format a table for a terminal: the first column to the left, the others to the right."""
    rows = [list(map(one_line, cells)) for cells in (header, *lines)]
    first, *others = (max(map(len, column)) for column in zip(*rows, strict=True))
    text = ""
    for name, *cells in rows:
        padded = [f"{cell:>{width}}" for cell, width in zip(cells, others, strict=True)]
        text += "  ".join([f"{name:{first}}", *padded]).rstrip() + "\n"
    return text


def as_latex(header, lines):
    """Format a table for LaTeX; it needs the package booktabs."""
    rows = [" & ".join(map(latex_text, cells)) + r" \\" for cells in (header, *lines)]
    body = [r"\toprule", rows[0], r"\midrule", *rows[1:], r"\bottomrule"]
    columns = "l" + "r" * (len(header) - 1)
    return "\n".join([rf"\begin{{tabular}}{{{columns}}}", *body, r"\end{tabular}"]) + "\n"


def latex_text(text):
    return one_line(text).translate(LATEX)


def as_csv(columns, rows):
    """Format dicts as CSV; columns: their keys."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(one_line, columns))
    for row in rows:
        cells = [row[column] for column in columns]
        writer.writerow(one_line(cell) if isinstance(cell, str) else cell for cell in cells)
    return text.getvalue()


def mean_text(count, digits=4):
    """Return a count or a mean of counts: rounded to so many digits, but never whole ones."""
    return f"{count:.{digits}g}" if round(count) < 10 ** (digits - 1) else f"{count:.0f}"


def difference_cells(difference, low, high):
    """Return a difference and its 95 % interval as cells; the latter is "" where it is None."""
    return [f"{difference:+.1f}", "" if low is None else f"{low:+.1f} to {high:+.1f}"]


def one_line(text):
    """Return a text without line breaks; bytes of a name that are not text become "?"."""
    return " ".join(text.split()).encode(errors="replace").decode()
