"""Peak tables: positions and heights of the peaks of classes, from CSV files and JCAMP-DX."""

import re
from typing import NamedTuple

import numpy as np

from benchmark.command_line import InputError, warn
from benchmark.csv_tables import separator_of, table_rows
from benchmark.foreign_files import is_cif
from benchmark.jcamp import JCAMP_LABELS, PAIRS, labelled, tables_of
from benchmark.jcamp_fields import factor, whole_number
from benchmark.jcamp_table import pairs
from benchmark.measurement import (
    DOWNWARD,
    different_wavelengths,
    kind_of_y,
    one_spelling,
    same_unit,
    same_wavelength,
)
from benchmark.measurement_files import decode, read_content
from benchmark.number_text import THOUSANDS, as_written, may_be_thousands, shortened
from benchmark.sample_labels import tidy, warn_of_alike

COLUMNS = "class", "position", "height"
OPTIONAL = "unit", "wavelength"


class PeakTable(NamedTuple):
    """The peaks of one class, as a file holds them."""

    path: str
    x: np.ndarray  # float64 (peaks,)
    heights: np.ndarray  # float64 (peaks,), 0 or more and not all 0
    unit: str  # of x; "" where the file says nothing
    wavelength: float | None = None  # of X-rays, in angstrom; None where the file says nothing


class Rows(NamedTuple):
    """What the rows of one class in a CSV file say."""

    peaks: list  # of (position, height)
    units: dict  # unit in one spelling -> as it is written
    wavelengths: list  # in angstrom


def read_peak_tables(paths):
    """Read peak tables; returns class name -> PeakTable, ordered by name.

    A CSV file has the columns class, position and height, perhaps unit and wavelength, separated by
    commas, semicolons, tabs or blanks, and a row for each peak. Where no commas separate, numbers
    may have decimal commas. A JCAMP-DX file has a PEAK TABLE of the form (XY..XY) in a block for
    each class, whose TITLE is the class's name. Positions stand in any order.

    Raises InputError naming file, line or field, value and what is accepted, also for a class with
    peaks in two files or in two units.
    """
    tables = {}
    for path in paths:
        text = decode(path, read_content(path))
        if is_cif(text):
            raise InputError(
                f"{path} is a CIF file, accepted: the peaks that diffraction programs or pymatgen "
                f"compute of it, as docs/measured_data.md shows"
            )
        lines = re.split(r"\r\n|\r|\n", text)
        is_jcamp = {label for label, _ in map(labelled, lines)} & JCAMP_LABELS
        found = read_jcamp_peaks(path, lines) if is_jcamp else read_csv_peaks(path, text)
        for name, table in found:
            if not name.isprintable():
                raise InputError(f"{path}: class {name!r}, accepted: names without control signs")
            if name in tables:
                refuse_second_table(name, tables[name], table)
            tables[name] = table
    warn_of_alike("classes", tables)
    return dict(sorted(tables.items()))


def refuse_second_table(name, one, other):
    if not same_unit(one.unit, other.unit):
        raise InputError(
            f"class {name} has peaks in {one.unit} in {one.path} and in {other.unit} in "
            f"{other.path}, accepted: one unit"
        )
    raise InputError(
        f"class {name} has peaks in {one.path} and again in {other.path}, accepted: one table for "
        f"each class"
    )


def common_unit(units, wanted=None):
    """Return the unit of all, "" if nobody says one; units: what -> unit, wanted: UNIT.

    Raises InputError if two differ.
    """
    known = {"UNIT": wanted} if wanted else {}
    known |= {what: unit for what, unit in units.items() if unit}
    if not known:
        return ""
    (first, unit), *others = known.items()
    for what, other in others:
        if not same_unit(unit, other):
            raise InputError(
                f"{what} is in {other}, accepted: {unit}, as {first} says; units are not converted"
            )
    return unit


def common_wavelength(tables):
    """Return the wavelength of the X-rays that PeakTables state, None if none does.

    tables: class name -> PeakTable. Raises InputError if two differ.
    """
    stated = different_wavelengths(
        (table.wavelength, f"class {name} in {table.path}") for name, table in tables.items()
    )
    if len(stated) > 1:
        (one, (first, *_)), (other, (second, *_)), *_ = stated.items()
        raise InputError(
            f"{second} has the wavelength {other:g}, accepted: {one:g} angstrom, as {first}; "
            f"2theta is not converted"
        )
    return next(iter(stated), None)


def read_csv_peaks(path, text):
    """Yield class name and PeakTable of each class of a CSV file."""
    commas_separate = separator_of(text) == ","
    found, written = {}, {column: [] for column in COLUMNS[1:]}
    for line, row in table_rows(path, text, COLUMNS, OPTIONAL):
        where = f"{path}: line {line}"
        name = tidy(row.get("class", ""))
        if not name:
            raise InputError(f"{where} has no class, accepted: a name")
        rows = found.setdefault(name, Rows([], {}, []))
        rows.peaks.append([number(where, row, column, commas_separate) for column in COLUMNS[1:]])
        for column, texts in written.items():
            texts.append(row[column].strip())
        unit = row.get("unit", "").strip()
        if unit:
            rows.units.setdefault(one_spelling(unit), unit)
        if len(rows.units) > 1:
            one, other = rows.units.values()
            raise InputError(
                f"{where} has class {name} in {other}, but a line before in {one}, accepted: one "
                f"unit"
            )
        if row.get("wavelength", "").strip():
            rows.wavelengths.append(number(where, row, "wavelength", commas_separate))
            one, other = rows.wavelengths[0], rows.wavelengths[-1]
            if not (other > 0 and same_wavelength(other, one)):
                accepted = "a number above 0, in angstrom, the same in all rows of a class"
                raise InputError(f"{where} has the wavelength {other:g}, accepted: {accepted}")
    if not found:
        raise InputError(f"{path} holds no peaks, accepted: a line for each peak")
    check_decimal_signs(path, written)
    for name, rows in found.items():
        unit = next(iter(rows.units.values()), "")
        table = checked_table(f"{path}: class {name}", path, rows.peaks, unit)
        yield name, table._replace(wavelength=next(iter(rows.wavelengths), None))


def number(where, row, column, commas_separate):
    text = row.get(column, "").strip()
    (value,) = as_written([text if commas_separate else text.replace(",", ".")]) or [np.nan]
    if not np.isfinite(value):
        accepted = "a number, with a decimal point" if commas_separate else "a number"
        raise InputError(f"{where} has the {column} {shortened(text)}, accepted: {accepted}")
    return value


def check_decimal_signs(path, written):
    """Raise InputError, or warn, where points or commas may mark something else than decimals.

    written: column -> texts of its numbers.
    """
    for column, texts in written.items():
        if may_be_thousands([text.replace(",", ".") for text in texts]):
            example = next(text for text in texts if "." in text or "," in text)
            sign = "comma" if "," in example else "point"
            raise InputError(
                f"{path} has the {column} {example}, whose {sign} may mark decimals or thousands, "
                f"accepted: numbers without {sign}s between thousands"
            )
    texts = [text for texts in written.values() for text in texts]
    commas, points = ([text for text in texts if sign in text] for sign in ",.")
    if commas and points:
        raise InputError(
            f"{path} has the numbers {points[0]} and {commas[0]}, accepted: decimal points or "
            f"decimal commas, not both"
        )
    if commas and all(THOUSANDS.fullmatch(text.replace(",", ".")) for text in commas):
        warn(f"{path}: commas are taken for decimal signs, though all may mark thousands")


def read_jcamp_peaks(path, lines):
    """Yield class name and PeakTable of each block of a JCAMP-DX file that has a PEAK TABLE."""
    tables = [table for table in tables_of(lines) if table.label == "PEAKTABLE"]
    if not tables:
        raise InputError(f"{path} holds no PEAK TABLE, accepted: one in the block of each class")
    for table in tables:
        fields, name = table.fields, tidy(table.fields.get("TITLE", ""))
        if not name:
            raise InputError(f"{path}: TITLE is missing, accepted: the name of the class")
        match = PAIRS.fullmatch(table.form)
        if not match or match.groups() != ("X", "Y", None):
            raise InputError(
                f"{path}: PEAK TABLE of {name} is {shortened(table.form)}, accepted: (XY..XY)"
            )
        if kind_of_y(fields.get("YUNITS", "")) in DOWNWARD:
            raise InputError(
                f"{path}: YUNITS of {name} is {fields['YUNITS']}, accepted: heights from 0 up, "
                f"such as ABSORBANCE"
            )
        for note in table.notes:
            warn(f"{path}: {note}")
        scales = factor(path, fields, "XFACTOR"), factor(path, fields, "YFACTOR")
        peaks = [(x * scales[0], y * scales[1]) for _, x, y in pairs(path, table.rows)]
        where = f"{path}: PEAK TABLE of {name}"
        count = whole_number(path, fields, "NPOINTS", fewest=0) if "NPOINTS" in fields else None
        if count not in (None, len(peaks)):
            raise InputError(f"{where} has {len(peaks)} peaks, but NPOINTS is {count}")
        yield name, checked_table(where, path, peaks, fields.get("XUNITS", ""))


def checked_table(where, path, peaks, unit):
    """Return the PeakTable of a list of (position, height). Raises InputError."""
    if not peaks:
        raise InputError(f"{where} holds no peaks, accepted: one or more")
    x, heights = np.array(peaks, np.float64).T
    wrong = ~(np.isfinite(x) & np.isfinite(heights))
    if wrong.any():
        raise InputError(
            f"{where} has a peak at {x[wrong][0]:g} of height "
            f"{heights[wrong][0]:g}, accepted: finite numbers"
        )
    if (heights < 0).any():
        i = int(np.argmax(heights < 0))
        raise InputError(
            f"{where}: the peak at {x[i]:g} has the height {heights[i]:g}, accepted: 0 or more"
        )
    if not heights.any():
        raise InputError(f"{where}: all heights are 0, accepted: a highest peak above 0")
    return PeakTable(str(path), x, heights, unit)
