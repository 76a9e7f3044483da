"""Whatever a cell holds, each format gives it back as one line."""

import csv
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.figure_style import in_lines
from benchmark.table_formats import as_csv, as_latex, as_markdown, as_plain_text, mean_text

text = st.text("ab|\\_$&#{}~^%[]*`<>±– ,;\"'\n\r\t\udce9é", max_size=8)
tables = st.integers(1, 4).flatmap(
    lambda columns: st.lists(
        st.lists(text, min_size=columns, max_size=columns), min_size=2, max_size=4
    )
)
LATEX = {
    **{r"\textbackslash{}": "\\", r"\textasciitilde{}": "~", r"\textasciicircum{}": "^"},
    **{r"\textless{}": "<", r"\textgreater{}": ">", r"\textbar{}": "|", r"$\pm$": "±", "--": "–"},
    **{"{[}": "[", "{*}": "*"},
    **{"\\" + character: character for character in "_%$&#{}"},
}


@pytest.mark.parametrize(
    ("count", "digits", "text"),
    [
        *((12431, 4, "12431"), (99999.6, 4, "100000"), (2980.25, 4, "2980"), (12.25, 4, "12.25")),
        *((1234567, 6, "1234567"), (61, 6, "61"), (25000, 3, "25000"), (1234, 3, "1234")),
        *((9999.7, 4, "10000"), (0, 4, "0"), (4.5, 3, "4.5")),
    ],
)
def test_counts_are_not_rounded_however_large(count, digits, text):
    assert mean_text(count, digits) == text


def one_line(cell):
    return " ".join(cell.replace("\udce9", "?").split())


@given(tables)
def test_markdown_cells_are_read_as_they_were_written(lines):
    header, rule, *rows = as_markdown(lines[0], lines[1:]).removesuffix("\n").split("\n")
    assert rule.count("---") == len(lines[0])
    for row, cells in zip([header, *rows], lines, strict=True):
        read = [cell.strip() for cell in re.findall(r"((?:\\.|[^\\|])*)\|", row)[1:]]
        assert [re.sub(r"\\(.)", r"\1", cell) for cell in read] == list(map(one_line, cells))
        assert not re.search(r"(?<!\\)(\\\\)*[`*<]", row)


@given(tables)
def test_latex_cells_are_read_as_they_were_written(lines):
    begin, top, header, middle, *rows, bottom, end = as_latex(lines[0], lines[1:]).splitlines()
    assert begin == rf"\begin{{tabular}}{{l{'r' * (len(lines[0]) - 1)}}}"
    assert (top, middle, bottom, end) == (
        *(r"\toprule", r"\midrule", r"\bottomrule"),
        r"\end{tabular}",
    )
    for row, cells in zip([header, *rows], lines, strict=True):
        assert row.endswith(r" \\")
        assert [latex_cell(cell) for cell in row[:-3].split(" & ")] == list(map(one_line, cells))


def latex_cell(cell):
    """Read a cell; what is neither a known command nor an ordinary character is refused."""
    known = "|".join(map(re.escape, LATEX))
    tokens = re.findall(rf"{known}|(?![\\{{}}_%$&#~^<>|[*]).", cell)
    assert "".join(tokens) == cell
    return "".join(LATEX.get(token, token) for token in tokens)


@given(tables)
def test_csv_cells_are_read_as_they_were_written(lines):
    columns = [f"{i}{name}" for i, name in enumerate(lines[0])]
    content = as_csv(columns, [dict(zip(columns, cells, strict=True)) for cells in lines[1:]])
    rows = list(csv.reader(content.splitlines(), strict=True))
    assert rows == [list(map(one_line, cells)) for cells in (columns, *lines[1:])]


def test_csv_leaves_a_cell_without_value_empty():
    assert as_csv(["a", "b"], [{"a": None, "b": 0.5}]) == "a,b\n,0.5\n"


@given(text, st.integers(4, 30))
def test_names_in_figures_begin_no_formula_and_are_text(name, width):
    shown = in_lines(name, width)
    assert "$" not in shown.replace(r"\$", "")
    shown.encode()
    letters = name.replace("\udce9", "?").replace("$", r"\$")
    assert "".join(shown.split()) == "".join(letters.split())


@given(tables)
def test_plain_text_has_a_line_per_row_and_its_columns_below_each_other(lines):
    rows = as_plain_text(lines[0], lines[1:]).split("\n")[:-1]
    assert len(rows) == len(lines)
    widths = [max(map(len, map(one_line, column))) for column in zip(*lines, strict=True)]
    for row, cells in zip(rows, lines, strict=True):
        padded = row.ljust(sum(widths) + 2 * len(widths) - 2)
        for number, (width, cell) in enumerate(zip(widths, cells, strict=True)):
            first = sum(widths[:number]) + 2 * number
            assert padded[first : first + width].strip() == one_line(cell)


def test_mean_text_has_four_digits():
    assert mean_text(429.5) == "429.5"
