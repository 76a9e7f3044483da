"""Numbers in text files: taking them from fields, and from lines of x and y."""

import re

import numpy as np

from benchmark.command_line import InputError

THOUSANDS = re.compile(r"[-+−–]?[1-9]\d{0,2}(\.\d{3})+")
BELOW_THOUSAND = re.compile(r"[-+−–]?\d{1,3}")

# Minus signs that are not a hyphen, and the exponent that Fortran writes for double precision
AS_PYTHON = str.maketrans({"−": "-", "–": "-", "D": "E", "d": "e"})


def may_be_thousands(written):
    """Tell whether numbers look as if 980, 1.250 and 13.400 were 980, 1250 and 13400.

    written: the texts of one column. Those with a point have just three decimals, and the others
    are whole numbers below 1000, not all of them 0.
    """
    with_point = [number for number in written if "." in number]
    others = [number for number in written if "." not in number]
    return bool(
        with_point
        and all(map(THOUSANDS.fullmatch, with_point))
        and all(map(BELOW_THOUSAND.fullmatch, others))
        and any(number.strip("-+−–0") for number in others)
    )


def points(path, rows, place="line"):
    """Return x, y and notes of rows (line number, x, y), whose x must only rise or only fall.

    place: what the number counts, if not lines. Rows that repeat the one before are dropped, and
    the y of equal x averaged; the notes say so.
    """
    table = np.array(rows, np.float64).reshape(-1, 3)
    finite = np.isfinite(table).all(axis=1)
    if not finite.all():
        number, x, y = rows[int(np.argmin(finite))]
        raise InputError(f"{path}: {place} {number} has x {x:g} and y {y:g}, accepted: numbers")
    table, notes = without_equal_x(table, place)
    numbers, x, y = table.T
    falling = len(x) > 1 and x[0] > x[1]
    goes_on = x[1:] < x[:-1] if falling else x[1:] > x[:-1]
    if not goes_on.all():
        i = int(np.argmin(goes_on))
        raise InputError(
            f"{path}: {place} {numbers[i + 1]:.0f} has x {x[i + 1]:.10g} after {x[i]:.10g}, "
            f"accepted: x that only rises or only falls"
        )
    return x.copy(), y.copy(), notes


def without_equal_x(table, place):
    """Make one row of neighbours with equal x, of the mean of their different y."""
    x = table[:, 1]
    first = np.concatenate([[True], x[1:] != x[:-1]])[: len(x)]
    if first.all():
        return table, ()
    starts = np.flatnonzero(first)
    ends = np.append(starts[1:], len(x))
    single = table[starts]
    dropped, averaged = 0, []
    for i in np.flatnonzero(ends - starts > 1):
        run = table[starts[i] : ends[i], 2]
        different = np.unique(run)
        dropped += len(run) - len(different)
        if len(different) > 1:
            averaged.append(single[i])
            single[i, 2] = different.mean()
    notes = []
    if dropped:
        notes.append(f"{dropped} rows repeat another with the same x and y and are dropped")
    if averaged:
        line, x, _ = averaged[0]
        notes.append(
            f"{len(averaged)} x stand there more than once, first {x:.10g} in {place} {line:.0f}; "
            f"their y are averaged"
        )
    return single, tuple(notes)


def as_numbers(fields):
    """Return the fields as floats, or None if one is not a number."""
    try:
        numbers = [float(field) for field in fields]
    except ValueError:
        return None
    return None if any("_" in field for field in fields) else numbers


def as_written(fields):
    """Return fields as floats, in the ways of Fortran and typesetters too, or None."""
    return as_numbers(fields) or as_numbers([field.translate(AS_PYTHON) for field in fields])


def differ(one, other):
    """Tell whether two values, numbers or texts, differ by more than the way of writing them."""
    numbers = as_numbers([one]), as_numbers([other])
    if all(numbers):
        return numbers[0] != numbers[1]
    return one.casefold().split() != other.casefold().split()


def shortened(line):
    return repr(line if len(line) <= 40 else line[:37] + "...")
