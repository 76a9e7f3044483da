"""Powder diffractometers' own files that are text: PANalytical XRDML, Bruker UXD, Rigaku RAS.

Sources for the formats: the XRDML schema's public namespace (xrdml.com), the UXD description in
xylib (github.com/wojdyr/xylib), and what public readers of RAS agree on (xrayutilities, GenX).
"""

import re
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np

from benchmark.command_line import InputError
from benchmark.measurement import Measurement, chosen
from benchmark.number_text import as_numbers, differ, points, shortened

UXD_START = re.compile(r"\s*_(FILEVERSION|SAMPLE)\s*=")
UXD_TABLE = re.compile(
    r"_(?:(?P<paired>2THETA)(?P<unit>COUNTS|CPS)(?P<timed>TIME)?|(?P<alone>COUNTS|CPS))\s*$",
    re.IGNORECASE,
)
OF_RANGE = "START", "2THETA", "STEPSIZE", "STEPCOUNT"  # keys that hold for one range only
OF_SCAN = "MEAS_DATA_COUNT", "MEAS_SCAN_START", "MEAS_SCAN_STOP"  # of one scan of RAS only
UXD_KEY = re.compile(r"_(\w+)\s*=\s*(.*)")
RAS_TWO_THETA = re.compile(r"(2|two)[- ]?(theta|θ)", re.IGNORECASE)
RAS_KEY = re.compile(r"\*(\w+)\s+\"?([^\"]*)")


class UxdRange(NamedTuple):
    """A range of a UXD file, with what stands before it."""

    table: re.Match  # of UXD_TABLE: what its numbers are
    keys: dict  # KEY -> text, those of the file included
    rows: list  # line numbers and lines
    notes: list  # on keys that stand there twice; a sentence each


class RasScan(NamedTuple):
    """A scan of a RAS file, with what stands before it."""

    keys: dict  # KEY -> text, those of the file included
    rows: list  # line number, x, y, and the factor of the attenuator, which is 1 if none is given
    complete: bool = False  # whether *RAS_INT_END follows the rows


def read_xrdml(path, text, block=None):
    """Read a scan of an XRDML file: counts or intensities at equal steps or listed positions."""
    if re.search("<!(DOCTYPE|ENTITY)", text):
        raise InputError(f"{path} declares a document type, accepted: XRDML, which has none")
    try:
        root = ElementTree.fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", text))
    except ElementTree.ParseError as error:
        raise InputError(f"{path} is damaged or no XRDML: {error}") from None
    for element in root.iter():
        element.tag = str(element.tag).rpartition("}")[2]  # its namespace tells the version
    scans = [scan for scan in root.iter("scan") if scan.find("dataPoints") is not None]
    if not scans:
        raise InputError(f"{path} holds 0 scans with dataPoints, accepted: 1")
    titles = [scan_title(scan, i) for i, scan in enumerate(scans, 1)]
    scan = scans[chosen(path, titles, block, "scans")]
    data, notes = scan.find("dataPoints"), []
    y, y_unit = xrdml_counts(path, data, notes)
    axis, x = xrdml_positions(path, data, scan.get("scanAxis", ""), len(y))
    if axis.get("axis") != "2Theta":
        notes.append(f"x is {axis.get('axis')}, as 2Theta stands still")
    if scan.get("status", "Completed") != "Completed":
        notes.append(f"the scan is {scan.get('status')}, not Completed")
    rows = list(zip(range(1, len(x) + 1), x, y, strict=True))
    x, y, merged = points(path, rows, place="point")
    title = root.findtext("sample/id") or root.findtext("sample/name") or ""
    return Measurement(
        x,
        y,
        x_unit=axis.get("unit", ""),
        y_unit=y_unit,
        title=title.strip(),
        wavelength=xrdml_wavelength(root, scan),
        notes=(*notes, *merged),
    )


def xrdml_wavelength(root, scan):
    """Return the wavelength of the measurement that a scan belongs to, None if it states none."""
    measurement = next((m for m in root.iter("xrdMeasurement") if scan in m.iter("scan")), root)
    used = measurement.find("usedWavelength")
    if used is None:
        return None
    line = "kBeta" if "beta" in used.get("intended", "").lower() else "kAlpha1"
    return wavelength_of(used.findtext(line))


def wavelength_of(text):
    """Return a wavelength as a number, None where the file leaves it out or gives it as 0."""
    (wavelength,) = as_numbers([text or ""]) or [0]
    return wavelength if 0 < wavelength < np.inf else None


def scan_title(scan, number):
    """Name a scan by its axis and where it begins and ends."""
    ends = [
        f"{positions.get('axis')} {positions.findtext('startPosition', '').strip()} to "
        f"{positions.findtext('endPosition', '').strip()}"
        for positions in scan.iter("positions")
        if positions.find("startPosition") is not None
    ]
    return ends[0] if ends else f"scan {number}"


def xrdml_counts(path, data, notes):
    """Return intensities and their unit; counts are multiplied by the attenuation factors.

    The element `intensities` of version 1 holds them multiplied already, `counts` of version 2
    does not.
    """
    element, counts = data.find("intensities"), data.find("counts")
    if element is None:
        element = counts
    if element is None:
        raise InputError(f"{path} has no intensities or counts among its dataPoints")
    y = xml_numbers(path, element)
    attenuation = data.find("beamAttenuationFactors")
    if element is counts and attenuation is not None:
        factors = xml_numbers(path, attenuation)
        if len(factors) != len(y):
            raise InputError(
                f"{path}: beamAttenuationFactors are {len(factors)}, accepted: one for each of "
                f"{len(y)} counts"
            )
        y = y * factors
        if len(np.unique(factors)) > 1:
            notes.append(
                f"counts are multiplied by beamAttenuationFactors of {factors.min():g} to "
                f"{factors.max():g}"
            )
    times = data.find("countingTimes")
    if times is not None:
        seconds = xml_numbers(path, times)
        if len(seconds) != len(y):
            notes.append(f"countingTimes are {len(seconds)}, but {element.tag} {len(y)}")
        if len(np.unique(seconds)) > 1:
            notes.append(
                f"points were counted for {seconds.min():g} to {seconds.max():g} seconds each, by "
                f"which intensities are not divided"
            )
    return y, element.get("unit", "counts")


def xrdml_positions(path, data, scan_axis, count):
    """Return the element of the axis that moves, 2Theta before all others, and its positions."""
    moving = [
        positions
        for positions in data.findall("positions")
        if positions.find("commonPosition") is None
    ]
    if not moving:
        raise InputError(f"{path} has no positions that move, accepted: 2Theta of a scan")
    wanted = ("2Theta", scan_axis)
    axis = min(
        moving,
        key=lambda p: wanted.index(p.get("axis")) if p.get("axis") in wanted else len(wanted),
    )
    listed = axis.find("listPositions")
    if listed is not None:
        x = xml_numbers(path, listed)
    else:
        first, last = (
            xml_numbers(path, axis.find(name), name)[0] for name in ("startPosition", "endPosition")
        )
        x = np.linspace(first, last, count)
    if len(x) != count:
        raise InputError(f"{path}: listPositions are {len(x)}, but intensities {count}")
    return axis, x


def xml_numbers(path, element, name=None):
    text = "" if element is None else element.text or ""
    numbers = as_numbers(text.split())
    if not numbers or not np.isfinite(numbers).all():
        name = name or element.tag
        raise InputError(f"{path}: {name} is {shortened(text.strip())}, accepted: numbers")
    return np.array(numbers)


def read_uxd(path, lines, block=None):
    """Read a range of a UXD file: counts at equal steps, or in pairs with 2Theta."""
    ranges = uxd_ranges(lines)
    if not ranges:
        raise InputError(f"{path} is UXD without data, accepted: _COUNTS, _CPS or _2THETACOUNTS")
    titles = [f"{r.keys.get('DRIVE', 'scan')} from {start_of(r.keys)}" for r in ranges]
    scan = ranges[chosen(path, titles, block, "ranges")]
    table, keys = scan.table, scan.keys
    x, y, notes = points(path, uxd_points(path, scan))
    drive = keys.get("DRIVE", "COUPLED")
    if drive.upper() not in ("COUPLED", "2THETA", "DETECTOR"):
        notes = (f"x is {drive}, as _DRIVE says", *notes)
    return Measurement(
        x,
        y,
        x_unit="deg",
        y_unit=(table["unit"] or table["alone"]).lower(),
        title=keys.get("SAMPLE", ""),
        wavelength=wavelength_of(keys.get("WL1")),
        notes=(*scan.notes, *notes),
    )


def uxd_ranges(lines):
    """Return a list of UxdRange, all that the lines of a file hold."""
    keys, ranges, rows = {}, [], None
    given, repeated = {}, []  # since the table before: keys of the range, and notes
    for number, line in enumerate(lines, 1):
        content = line.partition(";")[0].strip()
        table, key = UXD_TABLE.match(content), UXD_KEY.match(content)
        if table:
            rows = []
            ranges.append(UxdRange(table, dict(keys), rows, repeated))
            given, repeated = {}, []
        elif content.startswith("_"):
            rows = None
            if key:
                name, value = key[1].upper(), key[2].strip().strip("'\"")
                if name == "DRIVE" and ranges:  # begins the next range
                    keys = {name: value for name, value in keys.items() if name not in OF_RANGE}
                if name in OF_RANGE and differ(given.setdefault(name, value), value):
                    repeated.append(
                        f"_{name} is {given[name]} and, in line {number}, {value}, which is taken"
                    )
                keys[name] = value
        elif content and rows is not None:
            rows.append((number, content))
    return ranges


def uxd_points(path, scan):
    """Return the points of a UxdRange, tuples of line number, x and y."""
    table, keys = scan.table, scan.keys
    columns = 1 if not table["paired"] else 3 if table["timed"] else 2
    values = []
    for number, content in scan.rows:
        numbers = as_numbers(re.split(r"[\s,]+", content))
        if numbers is None or len(numbers) % columns:
            raise InputError(
                f"{path}: line {number} is {shortened(content)}, accepted: "
                f"{'counts' if columns == 1 else f'{columns} numbers, x first'}"
            )
        values += [(number, *numbers[i : i + columns]) for i in range(0, len(numbers), columns)]
    if columns == 1:
        first, step = (uxd_number(path, keys, name) for name in ("START", "STEPSIZE"))
        values = [(n, first + step * i, y) for i, (n, y) in enumerate(values)]
    if "STEPCOUNT" in keys and uxd_number(path, keys, "STEPCOUNT") != len(values):
        raise InputError(
            f"{path}: _STEPCOUNT is {keys['STEPCOUNT']}, but the range holds {len(values)} points"
        )
    return [value[:3] for value in values]


def start_of(keys):
    return keys.get("START") or keys.get("2THETA") or "?"


def uxd_number(path, keys, name):
    text = start_of(keys) if name == "START" else keys.get(name, "missing")
    numbers = as_numbers([text])
    if numbers is None or not np.isfinite(numbers[0]):
        raise InputError(f"{path}: _{name} is {text}, accepted: a number")
    return numbers[0]


def read_ras(path, lines, block=None):
    """Read a scan of a RAS file: x, y, and the factor of the attenuator, which is not applied."""
    scans = ras_scans(path, lines)
    if not scans:
        raise InputError(f"{path} is RAS without data, accepted: *RAS_INT_START and its rows")
    titles = [
        f"{scan.keys.get('MEAS_SCAN_AXIS_X', 'scan')} {scan.keys.get('FILE_COMMENT', '')}".strip()
        for scan in scans
    ]
    keys, rows, complete = scans[chosen(path, titles, block, "scans")]
    missing = missing_points(path, keys, [row[1] for row in rows], complete)
    x, y, notes = points(path, [row[:3] for row in rows])
    notes = (*missing, *notes)
    axis = keys.get("MEAS_SCAN_AXIS_X", "")
    if axis and not RAS_TWO_THETA.search(axis):
        notes = (f"x is {axis}, as *MEAS_SCAN_AXIS_X says", *notes)
    factors = {row[3] for row in rows}
    if len(factors) > 1:
        notes = (
            f"the third column, factors of the attenuator from {min(factors):g} to "
            f"{max(factors):g}, is not applied",
            *notes,
        )
    return Measurement(
        x,
        y,
        x_unit=keys.get("MEAS_SCAN_UNIT_X", ""),
        y_unit=keys.get("MEAS_SCAN_UNIT_Y", ""),
        title=keys.get("FILE_SAMPLE", ""),
        wavelength=wavelength_of(keys.get("HW_XG_WAVE_LENGTH_ALPHA1")),
        notes=notes,
    )


def ras_scans(path, lines):
    """Return a list of RasScan, all that the lines of a file hold."""
    keys, scans, rows = {}, [], None
    for number, line in enumerate(lines, 1):
        content = line.strip()
        if content.startswith("*RAS_INT_START"):
            rows = []
            scans.append(RasScan(dict(keys), rows))
            keys = {name: value for name, value in keys.items() if name not in OF_SCAN}
        elif content.startswith("*"):
            if content.startswith("*RAS_INT_END") and scans:
                scans[-1] = scans[-1]._replace(complete=True)
            rows = None
            key = RAS_KEY.match(content)
            if key:
                keys[key[1]] = key[2].strip()
        elif content and rows is not None:
            numbers = as_numbers(content.split())
            if numbers is None or not 2 <= len(numbers) <= 3:
                raise InputError(
                    f"{path}: line {number} is {shortened(content)}, accepted: x, y and a factor"
                )
            rows.append((number, *numbers, *[1.0] * (3 - len(numbers))))
    return scans


def missing_points(path, keys, x, complete):
    """Return a note where a scan of a RAS file may lack points.

    keys: of its header; x: of its rows; complete: whether *RAS_INT_END follows them: then a scan
    may have been stopped early. Raises InputError if it does not, and they are not as many as the
    header says.
    """
    count = keys.get("MEAS_DATA_COUNT") or "0"
    numbers = as_numbers([count])
    if numbers is None:
        raise InputError(f"{path}: *MEAS_DATA_COUNT is {count}, accepted: a number")
    (counted,) = numbers
    if counted and counted != len(x):
        fault = f"*MEAS_DATA_COUNT is {count}, but the scan holds {len(x)} points"
        if not complete:
            raise InputError(f"{path}: {fault}, and no *RAS_INT_END follows them")
        return [fault]
    if not counted and not complete:
        return ["no *RAS_INT_END follows the scan, whose last points may be missing"]
    ends = as_numbers([keys.get(name, "") for name in OF_SCAN[1:]])
    if ends is None or len(x) < 2:
        return []
    step = (max(x) - min(x)) / (len(x) - 1)
    if all(abs(np.sort(ends) - (min(x), max(x))) <= 2 * step):
        return []
    return [
        f"*MEAS_SCAN_START and *MEAS_SCAN_STOP are {ends[0]:.7g} and {ends[1]:.7g}, but the scan "
        f"goes from {x[0]:.7g} to {x[-1]:.7g}"
    ]
