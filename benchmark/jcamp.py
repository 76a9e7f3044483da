"""JCAMP-DX: reading one spectrum in any of its forms.

Sources: R. S. McDonald and P. A. Wilks, "JCAMP-DX: a standard form for exchange of infrared spectra
in computer readable form", Applied Spectroscopy 42 (1988), doi 10.1366/0003702884428734.
"""

import re

import numpy as np

from benchmark.command_line import InputError
from benchmark.number_text import as_numbers, points, shortened

# Labels that RRUFF text does not have
JCAMP_LABELS = {"JCAMPDX", "XYDATA", "XYPOINTS", "PEAKTABLE", "PEAKASSIGNMENTS", "NTUPLES"}
MOST_POINTS = 10**7  # of a file: a few characters can repeat a y any number of times
LABEL = re.compile(r"\s*##([^=]*)=(.*)")

# The first character of a compressed number tells its form, sign and first digit.
PSEUDO_DIGITS = {
    pseudo_digit: (form, sign, first + i)
    for form, sign, first, pseudo_digits in (
        ("SQZ", 1, 0, "@ABCDEFGHI"),
        ("SQZ", -1, 1, "abcdefghi"),
        ("DIF", 1, 0, "%JKLMNOPQR"),
        ("DIF", -1, 1, "jklmnopqr"),
        ("DUP", 1, 1, "STUVWXYZs"),
    )
    for i, pseudo_digit in enumerate(pseudo_digits)
}
# An exponent has a sign here: without one, E is a digit of the form SQZ.
NUMBER = re.compile(
    r"(?P<plain>[+-]?(?:\d+\.?\d*|\.\d+)(?:[Ee][+-]\d{1,4})?)"
    r"|(?P<pseudo>[@%A-Za-s])(?P<digits>\d*\.?\d*)"
    r"|[\s,;]+"
)


def labelled(line):
    """Split "##LABEL= value"; labels are alike whatever their case, blanks, -, / and _."""
    match = LABEL.match(line)
    return (re.sub(r"[\s/_-]", "", match[1]).upper(), match[2].strip()) if match else (None, line)


def read_jcamp(path, lines):
    """Read the one table of a JCAMP-DX file with the fields of its block."""
    fields, tables, rows = {}, [], None
    for number, line in enumerate(lines, 1):
        label, value = labelled(line.partition("$$")[0])
        if label == "TITLE":
            fields = {}
        if label in ("XYDATA", "XYPOINTS"):
            rows = []
            tables.append((label, re.sub(r"\s", "", value).upper(), fields, rows))
        elif label is not None:
            fields[label] = value
            rows = None
        elif rows is not None and value.strip():
            rows.append((number, value.strip()))
    if len(tables) != 1:
        raise InputError(
            f"{path} holds {len(tables)} tables XYDATA or XYPOINTS, accepted: 1; peak tables and "
            f"NTUPLES are not read"
        )
    label, form, fields, rows = tables[0]
    if form == "(X++(Y..Y))":
        count = whole_number(path, fields, "NPOINTS")
        first, last = (decimal(path, fields, name) for name in ("FIRSTX", "LASTX"))
        if first == last:
            raise InputError(f"{path}: LASTX is {last:g}, accepted: another number than FIRSTX")
        y = np.array(decode_ordinates(path, rows, count))
        x = np.linspace(first, last, count) if len(y) == count else y
    elif form == "(XY..XY)":
        x, y = points(path, pairs(path, rows))
        count = whole_number(path, fields, "NPOINTS") if "NPOINTS" in fields else len(y)
        x = x * factor(path, fields, "XFACTOR")
    else:
        raise InputError(f"{path}: {label} is {form!r}, accepted: (X++(Y..Y)) or (XY..XY)")
    if len(y) != count:
        raise InputError(f"{path}: NPOINTS is {count}, but the file holds {len(y)} points")
    return x, y * factor(path, fields, "YFACTOR")


def decimal(path, fields, name):
    numbers = as_numbers([fields.get(name, "missing")])
    if numbers is None or not np.isfinite(numbers[0]):
        raise InputError(f"{path}: {name} is {fields.get(name, 'missing')}, accepted: a number")
    return numbers[0]


def whole_number(path, fields, name):
    value = decimal(path, fields, name)
    if not 2 <= value <= MOST_POINTS or value % 1:
        raise InputError(
            f"{path}: {name} is {fields[name]}, accepted: a whole number from 2 to {MOST_POINTS}"
        )
    return int(value)


def factor(path, fields, name):
    value = decimal(path, fields | {name: fields.get(name) or "1"}, name)
    if value == 0:
        raise InputError(f"{path}: {name} is {fields[name]}, accepted: any number but 0")
    return value


def pairs(path, rows):
    """Take the pairs of an (XY..XY) table from its lines."""
    taken = []
    for number, line in rows:
        numbers = as_numbers(re.split(r"\s*[,;]\s*|\s+", line.rstrip(",; ")))
        if numbers is None or len(numbers) % 2:
            raise InputError(
                f"{path}: line {number} is {shortened(line)}, accepted: pairs of numbers, x and y"
            )
        taken += zip([number] * (len(numbers) // 2), numbers[::2], numbers[1::2], strict=True)
    return taken


def decode_ordinates(path, rows, count):
    """Decode the y of an (X++(Y..Y)) table, in any of the forms that JCAMP-DX 4.24 defines.

    rows: line numbers and lines; count: NPOINTS, beyond which no y is repeated. Returns a list of
    floats. Where a line ends with a difference, the next one must begin with the same y again,
    which is a check and no further point. The x of a line is not looked at: FIRSTX and LASTX give
    all of them.

    Source: R. S. McDonald and P. A. Wilks, Applied Spectroscopy 42 (1988), 151.
    """
    ordinates, check = [], False
    for number, line in rows:
        where = f"{path}: line {number}"
        decoded, ends_in_difference = decode_line(where, line, count)
        if not np.isfinite(decoded).all():
            raise InputError(f"{where} is {shortened(line)}, accepted: finite numbers")
        if check and abs(decoded[0] - ordinates[-1]) >= 0.5:  # differences are of whole numbers
            raise InputError(
                f"{where} begins with y {decoded[0]:.10g}, accepted: {ordinates[-1]:.10g}, with "
                f"which the differences of the line before it end"
            )
        ordinates += decoded[check:]
        check = ends_in_difference
    return ordinates


def decode_line(where, line, count):
    """Return the y of one line as a list, and whether the last one was given as a difference."""
    numbers = as_numbers(re.split(r"[\s,;]+", line))
    if numbers is not None and len(numbers) > 1:
        return numbers[1:], False
    x, decoded, step, form = None, [], 0.0, "AFFN"
    position = 0
    while position < len(line):
        match = NUMBER.match(line, position)
        if not match:
            raise InputError(
                f"{where} holds {line[position]!r}, accepted: the forms AFFN, PAC, SQZ, DIF and DUP"
            )
        position = match.end()
        if match["plain"] and x is None:
            x = match["plain"]
        elif match["plain"]:
            form, step = "AFFN", 0.0
            decoded.append(float(match["plain"]))
        elif match["pseudo"]:
            kind, sign, digit = PSEUDO_DIGITS[match["pseudo"]]
            value = sign * float(f"{digit}{match['digits']}")
            if x is None or (not decoded and kind != "SQZ"):
                raise InputError(
                    f"{where} begins with {shortened(line)}, accepted: a plain x, then a y that "
                    f"is no difference and no repetition"
                )
            if kind == "SQZ":
                form, step = kind, 0.0
                decoded.append(value)
            elif kind == "DIF":
                form, step = kind, value
                decoded.append(decoded[-1] + step)
            else:
                if len(decoded) + value > count + 2:  # the y before it, and one that is a check
                    raise InputError(f"{where} repeats a y {value:g} times, but NPOINTS is {count}")
                # A difference is added again, any other y stays as it is.
                for _ in range(int(value) - 1):
                    decoded.append(decoded[-1] + step)
    if not decoded:
        raise InputError(f"{where} is {shortened(line)}, accepted: x and one or more y")
    return decoded, form == "DIF"
