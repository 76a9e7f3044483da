"""JCAMP-DX: the y of a table (X++(Y..Y)) in all forms, and the pairs of a table (XY..XY).

Source: R. S. McDonald and P. A. Wilks, "JCAMP-DX: a standard form for exchange of infrared spectra
in computer readable form", Applied Spectroscopy 42 (1988), doi 10.1366/0003702884428734.
"""

import re
from typing import NamedTuple

import numpy as np

from benchmark.command_line import InputError
from benchmark.number_text import as_numbers, shortened

MOST_POINTS = 10**7  # of a file: a few characters can repeat a y any number of times
SURPLUS = 10**5  # points beyond NPOINTS with which a table is read on
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


class TableLine(NamedTuple):
    """A line of a table (X++(Y..Y)): where it stands and what x it begins with."""

    number: int
    x: str  # as the file writes it, without XFACTOR
    first: int  # index of the first y of this line among all points
    is_check: int  # 1 if that y is the last one of the line before, repeated as a check


class CheckError(InputError):
    """The y that a line begins with is not the one with which the line before ended."""


def decode_table(path, rows, count):
    """Decode the y of an (X++(Y..Y)) table, in any of the forms that JCAMP-DX 4.24 defines.

    rows: line numbers and lines; count: NPOINTS, beyond which no y is repeated. Returns the y as a
    list of floats, a TableLine for each line, and notes. Where a line ends with a difference, the
    next one must begin with the same y again, which is a check and no further point. A table in
    which one does not is taken for one without checks if it has just NPOINTS points then.
    """
    try:
        return *decode_lines(path, rows, count), ()
    except CheckError as error:
        message = str(error)
    ordinates, lines = decode_lines(path, rows, count, with_checks=False)
    if len(ordinates) != count:
        raise InputError(message)
    return ordinates, lines, ("its lines do not repeat the last y of the line before as a check",)


def decode_lines(path, rows, count, *, with_checks=True):
    """Return the y of all lines, and a TableLine for each."""
    ordinates, lines, check = [], [], False
    for number, line in rows:
        where = f"{path}: line {number}"
        x, decoded, ends_in_difference = decode_line(where, line, count)
        if not np.isfinite(decoded).all():
            raise InputError(f"{where} is {shortened(line)}, accepted: finite numbers")
        if with_checks and check:
            if abs(decoded[0] - ordinates[-1]) >= 0.5:  # differences are of whole numbers
                raise CheckError(
                    f"{where} begins with y {decoded[0]:.10g}, accepted: {ordinates[-1]:.10g}, "
                    f"with which the differences of the line before it end"
                )
            decoded = decoded[1:]
        is_check = int(with_checks and check)
        lines.append(TableLine(number, x, len(ordinates) - is_check, is_check))
        ordinates += decoded
        if len(ordinates) > count + SURPLUS:
            raise InputError(f"{path}: NPOINTS is {count}, but the file holds far more points")
        check = ends_in_difference
    return ordinates, lines


def decode_line(where, line, count):
    """Return x as text and y as a list, and whether the last y was given as a difference."""
    fields = re.split(r"[\s,;]+", line)
    numbers = as_numbers(fields)
    if numbers is not None and len(numbers) > 1:
        return fields[0], numbers[1:], False
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
                    f"is neither a difference nor a repetition"
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
    return x, decoded, form == "DIF"


def pairs(path, rows):
    """Take the pairs of an (XY..XY) table from its lines, as (line number, x, y)."""
    taken = []
    for number, line in rows:
        numbers = as_numbers(re.split(r"\s*[,;]\s*|\s+", line.rstrip(",; ")))
        if numbers is None or len(numbers) % 2:
            raise InputError(
                f"{path}: line {number} is {shortened(line)}, accepted: pairs of numbers, x and y"
            )
        taken += zip([number] * (len(numbers) // 2), numbers[::2], numbers[1::2], strict=True)
    return taken
