"""JCAMP-DX: reading one spectrum of a file, whatever its blocks, pages and forms.

Sources: R. S. McDonald and P. A. Wilks, "JCAMP-DX: a standard form for exchange of infrared spectra
in computer readable form", Applied Spectroscopy 42 (1988), doi 10.1366/0003702884428734; for blocks
in blocks, NTUPLES and pages A. N. Davies and P. Lampen, "JCAMP-DX for NMR", Applied Spectroscopy 47
(1993), doi 10.1366/0003702934067874.
"""

import re
from typing import NamedTuple

import numpy as np

from benchmark.command_line import InputError
from benchmark.jcamp_fields import decimal, equidistant_x, factor, whole_number, x_of_pairs
from benchmark.jcamp_table import decode_table, pairs
from benchmark.measurement import Measurement, chosen
from benchmark.number_text import differ, points, shortened

# Labels that RRUFF text does not have
JCAMP_LABELS = {"JCAMPDX", "XYDATA", "XYPOINTS", "PEAKTABLE", "PEAKASSIGNMENTS", "NTUPLES"}
TABLE_LABELS = {"XYDATA", "XYPOINTS", "DATATABLE"}
STICK_LABELS = {"PEAKTABLE", "PEAKASSIGNMENTS"}
LABEL = re.compile(r"\s*##([^=]*)=(.*)")
EQUIDISTANT = re.compile(r"\(?(\w+)\+\+\(?(\w+)\.\.\2\)*(,\w+)?")
PAIRS = re.compile(r"\(?(\w+?)(\w+)\.\.\1\2\)*(,\w+)?")
LONGEST_FORM = 40  # characters
OF_VARIABLES = "VARDIM", "FIRST", "LAST", "FACTOR", "UNITS"  # what NTUPLES list for each
OF_TABLES = {  # labels that say how a table is to be read
    *("DATATYPE", "XUNITS", "YUNITS", "FIRSTX", "LASTX", "DELTAX", "NPOINTS", "XFACTOR", "YFACTOR"),
    *("SYMBOL", "VARNAME", *OF_VARIABLES),
}
ENDS = {"TITLE", "PAGE", "END", "ENDNTUPLES"}  # labels after which no label is of the same block


class Table(NamedTuple):
    """A table of a JCAMP-DX file, with the fields of its block and page that stand before it."""

    label: str
    form: str
    fields: dict
    rows: list  # line numbers and lines
    notes: list  # on fields that stand there twice, or after the table; a sentence each

    @property
    def title(self):
        page = self.fields.get("PAGE")
        return self.fields.get("TITLE", "") + (f", page {page}" if page else "")


def labelled(line):
    """Split "##LABEL= value"; labels are alike whatever their case, blanks, -, / and _."""
    match = LABEL.match(line)
    return (re.sub(r"[\s/_-]", "", match[1]).upper(), match[2].strip()) if match else (None, line)


def read_jcamp(path, lines, block=None):
    """Read one table of a JCAMP-DX file with the fields of its block. Returns a Measurement.

    block: number among the spectra of the file or title of one, where it holds several.
    """
    tables = tables_of(lines)
    reasons = [no_spectrum(table) for table in tables]
    spectra = [table for table, reason in zip(tables, reasons, strict=True) if not reason]
    if not spectra:
        found = f", but {', '.join(dict.fromkeys(reasons))}" if tables else ""
        raise InputError(
            f"{path} holds 0 tables XYDATA, XYPOINTS or DATA TABLE of a spectrum{found}, accepted: "
            f"1 that is continuous; peak tables and mass spectra are not read"
        )
    table = spectra[chosen(path, [table.title for table in spectra], block, "tables")]
    notes = [
        f"{reason} in the same file is not read" for reason in dict.fromkeys(reasons) if reason
    ]
    notes += table.notes
    match = EQUIDISTANT.fullmatch(table.form) or PAIRS.fullmatch(table.form)
    if not match or (table.label != "DATATABLE" and match.groups()[:2] != ("X", "Y")):
        raise InputError(
            f"{path}: {table.label} is {shortened(table.form)}, accepted: (X++(Y..Y)) or (XY..XY)"
        )
    if table.form.count("(") != table.form.count(")"):
        notes.append(f"{table.label} is {table.form}, which is not closed")
    fields = table.fields
    if table.label == "DATATABLE":
        fields = fields | simple_fields(path, fields, *match.groups()[:2])
    x, y, found = read_table(path, fields, table)
    y = y * factor(path, fields, "YFACTOR")
    x_unit, y_unit, title = (fields.get(name, "") for name in ("XUNITS", "YUNITS", "TITLE"))
    return Measurement(x, y, x_unit, y_unit, title, notes=(*notes, *found))


def tables_of(lines):
    """Return the tables of a file, those that are lists of peaks among them.

    Of several tables in a block each takes the labels before it, those before the others included.
    """
    tables, fields, of_all_pages, rows = [], {}, None, None
    table, since = None, {}  # of this block; label -> line numbers and values since that table
    for number, line in enumerate([*lines, "##END="], 1):  # as the last END may be missing
        label, value = labelled(line.partition("$$")[0])
        if label in ENDS:
            if table:
                table.notes.extend(said_too_late(table, since))
            table, since = None, {}
        if label == "TITLE":
            fields, of_all_pages = {}, None
        if label == "PAGE":
            of_all_pages = fields if of_all_pages is None else of_all_pages
            fields = dict(of_all_pages)
        if label in TABLE_LABELS or label in STICK_LABELS:
            rows = []
            form = re.sub(r"\s", "", value).upper()[:LONGEST_FORM]
            table = Table(label, form, dict(fields), rows, said_twice(since))
            tables.append(table)
            since = {}
        elif label is not None:
            fields[label] = value
            since.setdefault(label, []).append((number, value))
            rows = None
        elif rows is not None and value.strip():
            rows.append((number, value.strip()))
    return tables


def said_twice(since):
    """Return notes on labels with several values before a table; since: as in `tables_of`."""
    notes = []
    for label in OF_TABLES & since.keys():
        number, value = since[label][-1]
        others = [other for _, other in since[label] if other and differ(other, value)]
        if others:
            notes.append(
                f"{label} is {shortened(others[0])} and, in line {number}, {shortened(value)}, "
                f"which is taken"
            )
    return sorted(notes)


def said_too_late(table, since):
    """Return notes on labels after a table that would change it; since: as in `tables_of`."""
    return sorted(
        f"{label} is {shortened(value)} in line {number}, after the table, and is not taken for it"
        for label in OF_TABLES & since.keys()
        for number, value in since[label][-1:]
        if value and differ(value, table.fields.get(label, ""))
    )


def no_spectrum(table):
    """Say why a table is not a continuous spectrum, or return None."""
    kind = table.fields.get("DATATYPE", "").upper()
    if (
        table.label in STICK_LABELS
        or "PEAK" in kind
        or table.form.endswith(("PEAKS", "ASSIGNMENTS"))
    ):
        return "a table of peaks"
    is_mass = "MASS SPECTRUM" in kind or table.fields.get("XUNITS", "").upper() == "M/Z"
    if is_mass and "CONTINUOUS" not in kind:
        return "a mass spectrum, whose sticks are not a continuous spectrum"
    if "FID" in kind.split() or "INTERFEROGRAM" in kind:
        return f"{kind}, which is not a spectrum yet"
    match = EQUIDISTANT.fullmatch(table.form)
    if table.label == "DATATABLE" and match:
        symbols, names = (listed(table.fields, name) for name in ("SYMBOL", "VARNAME"))
        if "IMAG" in dict(zip(symbols, names, strict=False)).get(match[2], ""):
            return "the imaginary part"
    return None


def listed(fields, name):
    return [value.strip().upper() for value in fields.get(name, "").split(",")]


def simple_fields(path, fields, x, y):
    """Return the fields of a table XYDATA for a page of NTUPLES; x, y: symbols of its variables."""
    symbols = listed(fields, "SYMBOL")
    if x not in symbols or y not in symbols:
        raise InputError(
            f"{path}: SYMBOL is {shortened(fields.get('SYMBOL', 'missing'))}, accepted: the "
            f"variables {x} and {y} of DATA TABLE"
        )
    of_x, of_y = {}, {}
    for name in OF_VARIABLES:
        values = dict(zip(symbols, listed(fields, name), strict=False))
        of_x[name], of_y[name] = values.get(x, ""), values.get(y, "")
    simple = {
        "NPOINTS": fields.get("NPOINTS") or of_x["VARDIM"],
        "FIRSTX": of_x["FIRST"],
        "LASTX": of_x["LAST"],
        "XFACTOR": of_x["FACTOR"],
        "YFACTOR": of_y["FACTOR"],
        "XUNITS": of_x["UNITS"],
        "YUNITS": of_y["UNITS"],
    }
    return {name: value for name, value in simple.items() if value}


def read_table(path, fields, table):
    """Return x, y without YFACTOR, and notes of a table (X++(Y..Y)) or (XY..XY)."""
    if EQUIDISTANT.fullmatch(table.form):
        count = whole_number(path, fields, "NPOINTS")
        y, lines, decoded = decode_table(path, table.rows, count)
        x, found = equidistant_x(path, fields, lines, count, len(y))
        return x, np.array(y), (*decoded, *found)
    rows = pairs(path, table.rows)
    x, y, notes = points(path, rows)
    x, found = x_of_pairs(path, fields, x)
    notes = (*notes, *found)
    count = whole_number(path, fields, "NPOINTS") if "NPOINTS" in fields else len(rows)
    if count != len(rows):
        ends_there = (
            len(x) > 0
            and "LASTX" in fields
            and np.isclose(decimal(path, fields, "LASTX"), x[-1], rtol=1e-6)
        )
        if not ends_there:
            raise InputError(f"{path}: NPOINTS is {count}, but the file holds {len(rows)} points")
        notes = (*notes, f"NPOINTS is {count}, but LASTX ends the {len(rows)} points of the file")
    return x, y, notes
