"""Numbers in text files: taking them from fields, and from lines of x and y."""

import numpy as np

from benchmark.command_line import InputError


def points(path, rows):
    """Return x and y of rows (line number, x, y), whose x must only rise or only fall."""
    falling = len(rows) > 1 and rows[0][1] > rows[1][1]
    before = None
    for number, x, y in rows:
        if not np.isfinite([x, y]).all():
            raise InputError(f"{path}: line {number} has x {x:g} and y {y:g}, accepted: numbers")
        if before is not None and not (x < before if falling else x > before):
            raise InputError(
                f"{path}: line {number} has x {x:.10g} after {before:.10g}, accepted: x that only "
                f"rises or only falls"
            )
        before = x
    table = np.array(rows, np.float64).reshape(-1, 3)
    return table[:, 1], table[:, 2]


def as_numbers(fields):
    """Return the fields as floats, or None if one is no number."""
    try:
        return [float(field) for field in fields]
    except ValueError:
        return None


def shortened(line):
    return repr(line if len(line) <= 40 else line[:37] + "...")
