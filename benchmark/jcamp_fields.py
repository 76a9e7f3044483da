"""JCAMP-DX: the numbers of a block's fields, and the x that they and the lines of a table give."""

import math
import re
from typing import NamedTuple

import numpy as np

from benchmark.command_line import InputError
from benchmark.jcamp_table import MOST_POINTS
from benchmark.number_text import as_numbers

WRITTEN = re.compile(r"[+-]?(\d*+)\.?(\d*+)(?:[Ee]([+-]?\d{1,4}))?$")
TINY = np.finfo(float).tiny
EXACT_DIGITS = 3  # a factor or step with fewer or as many is taken for exact, not for rounded


def decimal(path, fields, name):
    numbers = as_numbers([fields.get(name, "missing")])
    if numbers is None or not np.isfinite(numbers[0]):
        raise InputError(f"{path}: {name} is {fields.get(name, 'missing')}, accepted: a number")
    return numbers[0]


def whole_number(path, fields, name, fewest=2):
    value = decimal(path, fields, name)
    if not fewest <= value <= MOST_POINTS or value % 1:
        raise InputError(
            f"{path}: {name} is {fields[name]}, accepted: a whole number from {fewest} to "
            f"{MOST_POINTS}"
        )
    return int(value)


def factor(path, fields, name):
    value = decimal(path, fields | {name: fields.get(name) or "1"}, name)
    if value == 0:
        raise InputError(f"{path}: {name} is {fields[name]}, accepted: any number but 0")
    return value


def x_of_pairs(path, fields, x):
    """Return the x of a table (XY..XY) with XFACTOR, and notes where FIRSTX or LASTX differ.

    x (points,): as the table has it, only rising or only falling.
    """
    scale = factor(path, fields, "XFACTOR")
    ends = as_numbers([fields.get(name, "") for name in ("FIRSTX", "LASTX")])
    if ends is None or len(x) == 0:
        return x * scale, []
    if begin_and_end(x * scale, ends):
        return x * scale, []
    if begin_and_end(x, ends):
        return x, [f"XFACTOR is {scale:.7g}, but the x of the table fit without it"]
    low, high = x[0] * scale, x[-1] * scale
    return x * scale, [
        f"FIRSTX and LASTX are {ends[0]:.7g} and {ends[1]:.7g}, but x of the table goes from "
        f"{low:.7g} to {high:.7g}, which is taken"
    ]


def begin_and_end(x, ends):
    """Tell whether x begins and ends there, either way, but for a thousandth of all of it."""
    return np.allclose(np.sort(x[[0, -1]]), np.sort(ends), rtol=0, atol=1e-3 * np.ptp(ends))


def equidistant_x(path, fields, lines, count, points):
    """Return the x of a table (X++(Y..Y)), and notes.

    fields: of the table's block; lines: a TableLine for each line; count: NPOINTS; points: how many
    y the table holds. FIRSTX, LASTX and the number of points give the step; DELTAX and the x with
    which the lines begin must agree with it. Only differences of these x count, as some programs
    number the lines from another first x.

    Raises InputError where they contradict each other and it is not clear which of them is wrong.
    """
    first, last = (decimal(path, fields, name) for name in ("FIRSTX", "LASTX"))
    if first == last:
        raise InputError(f"{path}: LASTX is {last:g}, accepted: another number than FIRSTX")
    step = (last - first) / max(points - 1, 1)
    delta = given_step(path, fields, step)
    agrees = delta is None or is_near(delta, step, fields["DELTAX"], points)
    steps, notes = steps_of_lines(path, fields, lines, step, points)
    if points != count:
        # Half as many again may be decimal commas, which separate numbers here.
        far = max(points, count) >= 1.5 * min(points, count)
        if points < 2 or far or not (agrees and disprove(count, points, step, delta, steps)):
            raise InputError(f"{path}: NPOINTS is {count}, but the file holds {points} points")
        notes.append(f"NPOINTS is {count}, but FIRSTX, LASTX and their steps agree on {points}")
    if not agrees or (steps and not steps.fit(step)):
        taken, reason = step_where_they_differ(path, first, step, delta, agrees, steps)
        notes.append(reason)
        if taken != step:
            return first + taken * np.arange(points), notes
    return np.linspace(first, last, points), notes


def steps_of_lines(path, fields, lines, step, points):
    """Return the LineSteps of a table, None where its lines tell no x, and notes.

    step: that of FIRSTX, LASTX and the points, which XFACTOR is held against.
    """
    scale = factor(path, fields, "XFACTOR")
    steps = line_steps(path, lines, scale, rounding(fields.get("XFACTOR") or "1"))
    if not steps or steps.fit(step):
        return steps, []
    unscaled = line_steps(path, lines, 1.0, 0.0)
    if scale != 1 and unscaled.fit(step):
        return unscaled, [f"XFACTOR is {scale:.7g}, but the x of the lines fit without it"]
    if steps.count_points(points):
        return None, ["the lines begin with the number of their first point, which tells no x"]
    return steps, []


def step_where_they_differ(path, first, step, delta, agrees, steps):
    """Return the step that is taken where those of a table differ, and a note that says why.

    first: FIRSTX; step: of FIRSTX, LASTX and the points; delta: DELTAX, None without one; agrees:
    whether it agrees with step; steps: LineSteps or None. Raises InputError if it is not clear
    which is right.
    """
    said = f"FIRSTX, LASTX and NPOINTS give steps of {step:.7g}"
    if not steps:
        return delta, f"{said}, but DELTAX is {delta:.7g}, which is taken"
    if not agrees and steps.fit(delta) and steps.strays(delta) <= steps.strays(step):
        return delta, f"{said}, but DELTAX is {delta:.7g}, which is taken, as the lines have it"
    if not agrees and steps.fit(step):
        return step, f"DELTAX is {delta:.7g}, but {said}, which are taken, as the lines have them"
    begins = abs(steps.x[0] - first) <= abs(steps.step)
    if delta is None and steps.step and steps.fit(steps.step) and begins:
        return steps.step, f"{said}, but the lines have {steps.step:.7g}, which is taken"
    given = "" if delta is None else f", DELTAX {delta:.7g}"
    raise InputError(
        f"{path}: {said}{given} and the x of the lines {steps.step:.7g} from {steps.x[0]:.7g} on, "
        f"accepted: equal steps from FIRSTX on"
    )


def disprove(count, points, step, delta, steps):
    """Tell whether the steps, or else DELTAX, fit the number of points clearly better than NPOINTS.

    step: that of the points; steps: LineSteps or None.
    """
    other = step * (points - 1) / (count - 1)
    if not steps:
        return delta is not None and abs(delta - step) < abs(delta - other)
    return steps.fit(step) and steps.strays(other) - steps.strays(step) >= abs(step) / 4


def given_step(path, fields, step):
    """Return DELTAX with the sign of the step, as many files leave it out; None without DELTAX."""
    if not fields.get("DELTAX"):
        return None
    return math.copysign(decimal(path, fields, "DELTAX"), step) or None


def is_near(delta, step, written, points):
    """Tell whether two steps differ by less than half a step at the end, or than rounding does."""
    strays = abs(delta - step) * max(points - 1, 1)
    return strays <= abs(step) / 2 or abs(delta - step) <= rounding(written)


def last_place(written):
    """Return the worth of the last digit of a number as it is written, and its digits."""
    match = WRITTEN.match(written.strip())
    if not match:
        return 0.0, 0
    whole, decimals, exponent = match.groups()
    digits = len((whole + decimals).lstrip("0"))
    return float(f"1e{int(exponent or 0) - len(decimals)}"), digits


def rounding(written):
    """Return by how much a number that was rounded may differ from what it was."""
    worth, digits = last_place(written)
    return worth / 2 if digits > EXACT_DIGITS else 0.0


class LineSteps(NamedTuple):
    """The x with which the lines of a table begin, to be compared with equal steps."""

    x: np.ndarray  # with XFACTOR
    written: np.ndarray  # without
    tolerance: float  # of x, for rounding
    indices: tuple[np.ndarray, ...]  # of the points that x is of
    step: float  # of all lines together

    def strays(self, step):
        """Return by how much x strays from equal steps, from any first x on."""
        with np.errstate(all="ignore"):
            return min(np.ptp(self.x - step * index) for index in self.indices)

    def fit(self, step):
        """Tell whether x strays by less than a quarter of a step, or than rounding makes it."""
        return self.strays(step) <= max(1.01 * self.tolerance, abs(step) / 4)

    def count_points(self, points):
        """Tell whether the lines begin with the number of their first point, up or down."""
        return any(
            abs(self.written - start - sign * index).max() < 0.5
            for index in self.indices
            for sign, start in ((1, 0), (1, 1), (-1, points - 1), (-1, points))
        )


def line_steps(path, lines, scale, scale_error):
    """Return the LineSteps of a table, None for a table of one line.

    scale: XFACTOR, which may differ from what it was before rounding by scale_error.
    """
    written = np.array([float(line.x) for line in lines])
    if not np.isfinite(written).all():
        number = lines[int(np.argmin(np.isfinite(written)))].number
        raise InputError(f"{path}: line {number} begins with x {written.max()}, accepted: numbers")
    if len(lines) < 2:
        return None
    # The x of a line that begins with a check is that of the check or, in some files, of the next.
    first = np.array([line.first for line in lines])
    indices = first, first + np.array([line.is_check for line in lines])
    places = [last_place(line.x) for line in lines]
    most = max(digits for _, digits in places)
    # Programs write x with a fixed number of decimals or, in all, of digits.
    place = max(worth * 10.0 ** (digits - most) for worth, digits in places)
    with np.errstate(all="ignore"):
        x = written * scale
        tolerance = abs(scale) * (place + 1e-9 * np.abs(written).max())
        tolerance += scale_error * np.ptp(written) + TINY
        step = (x[-1] - x[0]) / max(first[-1] - first[0], 1)
    return LineSteps(x, written, tolerance, indices, step)
