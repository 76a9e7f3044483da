"""Text in columns: x and y as instruments, spreadsheets and people write them.

Header lines may stand before the table and other lines after it. What separates the columns, and
whether commas mark decimals, is told from all lines of the file together.
"""

import re
from typing import NamedTuple

import numpy as np

from benchmark.command_line import InputError
from benchmark.measurement import DOWNWARD, Measurement, kind_of_y
from benchmark.number_text import (
    as_numbers,
    as_written,
    may_be_thousands,
    points,
    shortened,
)
from benchmark.text_lines import (
    CELL_ERROR,
    COMMENT_SIGNS,
    NO_NUMBER,
    fields,
    outside_quotes,
    without_comments,
)

MANY = 20  # points: fewer may well lie at 1, 2, 3 and so on
MOST_LISTED = 12  # columns in a message
NEAR = 2.01  # steps from a row without y to the next row, where one row between them is missing
DECIMAL_COMMA = re.compile(r"[-+−–]?(\d+(,\d+)?|,\d+)([eEdD][+-]?\d+)?")
THOUSANDS = re.compile(r"[-+−–]?[1-9]\d{0,2}(,\d{3})+")
NOT_FINITE = re.compile(  # in any cell
    rf"\?|-+|n/?a|{CELL_ERROR}|[-+−–]?(?:nan(?:\(\w*\))?|inf|infinity|{NO_NUMBER})",
    re.IGNORECASE,
)
NO_VALUE = re.compile(  # in a cell between separators; between blanks, words are usual
    rf"[-–—?.*_]+|n\.a\.?|n\.d\.?|null|none|ovfl|overflow|{NOT_FINITE.pattern}",
    re.IGNORECASE,
)
KEY = re.compile(r"\W*+(TITLE|NAMES|XUNITS|YUNITS|NPOINTS)\s*[=:;,\t](.*)", re.IGNORECASE)
IN_BRACKETS = re.compile(r"[(\[]([^()\[\]]+)[)\]]")
UNITS = re.compile(
    r"nm|(?:cm|nm|å|a)(?:\^?[-−–]1|⁻¹)|1/(?:cm|nm|å|a)|µm|um|å|deg\.?|°|rad|kev|ev|[km]?hz|ppm|"
    r"counts|cps|a\.u\.|arb\.? ?units|"
    r"abs\.?|absorbance|%?\s?t|%?\s?transmittance|%?\s?reflectance",
    re.IGNORECASE,
)
NAME_OF_X = re.compile(r"x\b|2?-?th|tth|two|2θ|angle|wave|raman|shift|energy|nm|cm|q\b", re.I)
# Half the angle that patterns are compared by, or a rocking curve's; not Theta-2Theta and the like
OTHER_ANGLE = re.compile(r"(theta|θ|omega)[\s_,/]*[(\[]?(°|deg\.?|degrees?)?[)\]]?", re.IGNORECASE)
NAME_OF_ERROR = re.compile(
    r"e$|d[yi]$|.*(\b[a-z]?err|\bsig(ma)?\b|σ|±|\besd|e\.s\.d|\bstd|\bdev|\bunc)", re.IGNORECASE
)


class Line(NamedTuple):
    """A line that is neither empty nor a comment."""

    number: int
    text: str  # as it stands there
    content: str  # without comment and separators at the end
    row: list  # its columns as text, with decimal points
    numbers: list | None  # of its columns, if all are numbers

    @property
    def has_x_and_y(self):
        return self.numbers is not None and len(self.numbers) > 1


def read_columns(path, lines):
    """Read x and y from lines of text. Returns a Measurement, x rising or falling.

    Raises InputError naming file, line and reason.
    """
    parsed, without_x, notes = [], [], []
    for number, text, content in without_comments(path, lines):
        row = fields(content)
        of_kind = without_x if content.startswith(";") else parsed
        of_kind.append(Line(number, text, content, row, as_written(row)))
    if any("," in line.content for line in parsed):
        parsed, notes = with_decimal_commas(path, parsed)
    start, stop = table_of(path, parsed)
    table = parsed[start:stop]
    refuse_points_between_thousands(path, table)
    header, footer = parsed[:start], parsed[stop:]
    names = column_names(header[-1].content if header else "", table)
    names = names or column_names(comment_above(lines, table), table)
    notes += check_columns(path, table, names)
    if names and OTHER_ANGLE.fullmatch(names[0]):
        notes.append(f"x is {names[0]}, as the header says, and not 2theta")
    unread = [
        *rows_without_x(path, without_x, table, footer),
        *rows_without_y(path, header, table),
        *(line for line in header if line.has_x_and_y),
    ]
    notes += not_read(unread)
    if footer:
        notes.append(f"what follows the table from line {footer[0].number} on is not read")
    x, y, merged = points(path, [(line.number, *line.numbers[:2]) for line in table])
    keys = keys_of(lines[: table[0].number - 1])
    if as_numbers([keys.get("NPOINTS", "")]) not in (None, [len(table)]):
        notes.append(f"NPOINTS is {keys['NPOINTS']}, but the table has {len(table)} rows")
    x_unit, y_unit = units_of(names)
    return Measurement(
        x,
        y,
        x_unit=keys.get("XUNITS", x_unit),
        y_unit=keys.get("YUNITS", y_unit),
        title=keys.get("TITLE", keys.get("NAMES", "")),
        notes=(*notes, *merged),
    )


def keys_of(lines):
    """Return what header lines such as "TITLE: quartz" say, key in capitals -> value."""
    keys = {}
    for line in lines:
        if key := KEY.match(line):
            value = re.match(r"[\s=:;,]*+(.*)", key[2])[1].strip()
            if value:
                keys[key[1].upper()] = value.strip("\"'")
    return keys


def with_decimal_commas(path, parsed):
    """Read the commas as decimal signs if more lines are rows of numbers then.

    Returns the lines, and a list of notes. Raises InputError where a column has numbers with and
    without a comma that may as well group thousands.
    """
    # Commas between quoted fields still separate columns
    split = [fields(line.content, comma_separates='"' in line.content) for line in parsed]
    commas = []
    for line, row in zip(parsed, split, strict=True):
        are_numbers = [bool(DECIMAL_COMMA.fullmatch(field)) for field in row]
        row = [
            field.replace(",", ".") if is_number else field
            for field, is_number in zip(row, are_numbers, strict=True)
        ]
        commas.append(line._replace(row=row, numbers=as_written(row) if all(are_numbers) else None))
    if len(rows_of(commas)) <= len(rows_of(parsed)):
        return parsed, []
    rows = [(line, row) for line, row in zip(commas, split, strict=True) if line.has_x_and_y]
    with_comma = [field for _, row in rows for field in row if "," in field]
    if not all(map(THOUSANDS.fullmatch, with_comma)):
        return commas, []
    for column in range(max(len(row) for _, row in rows)):
        numbers = [(line, row[column]) for line, row in rows if column < len(row)]
        lines = [line for line, number in numbers if "," in number]
        if 0 < len(lines) < len(numbers):
            raise InputError(
                f"{path}: line {lines[0].number} is {shortened(lines[0].content)}, whose comma may "
                f"mark decimals or thousands, accepted: decimal points"
            )
    return commas, ["commas are taken for decimal signs, though all may mark thousands"]


def refuse_points_between_thousands(path, table):
    """Raise InputError where points may stand between thousands."""
    for column in range(2):
        written = [fields(line.content)[column] for line in table]
        if may_be_thousands(written):
            line = next(line for line, n in zip(table, written, strict=True) if "." in n)
            raise InputError(
                f"{path}: line {line.number} is {shortened(line.content)}, whose point may mark "
                f"decimals or thousands, accepted: numbers without points between thousands"
            )


def rows_of(parsed):
    return [i for i, line in enumerate(parsed) if line.has_x_and_y]


def table_of(path, parsed):
    """Return start and stop of the table among the lines: all rows of numbers, in one piece."""
    if not parsed:
        raise InputError(f"{path} holds 0 points x, y, accepted: 2 or more")
    rows = rows_of(parsed)
    if not rows:
        wrong = next((line for line in parsed if line.numbers), parsed[-1])
        refuse(path, wrong, "1 column" if wrong.numbers else "no row of numbers")
    left = len(rows)
    for piece in np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1):
        start, stop = piece[0], piece[-1] + 1
        left -= len(piece)
        # Rows belong to a header where ten times as many follow, unless a damaged row parts them.
        if 10 * len(piece) > left or is_damaged(parsed[stop]):
            break
    if start and is_damaged(parsed[start - 1], len(parsed[start].numbers)):
        refuse(path, parsed[start - 1], "no row of numbers")
    if stop < len(parsed):
        if is_damaged(parsed[stop]):
            refuse(path, parsed[stop], "no row of numbers")
        if left:
            refuse(path, parsed[stop], f"second header line in line {parsed[stop].number}")
    return start, stop


def is_damaged(line, columns=None):
    """Tell damaged rows, such as "1o0.5 20", from other lines, such as "532 nm".

    columns: of the table, if the line stands before it, where numbers are usual.
    """
    row = line.row
    if as_numbers(re.split(r"[\s;,]+", line.content)[:2]) and len(row) > 1:
        return True
    if columns and len(row) != columns:
        return False
    no_value = NO_VALUE if re.search("[;,\t]", line.content) else NOT_FINITE
    mostly_digits = [2 * sum(map(str.isdigit, field)) >= len(field) for field in row]
    return any(as_numbers([field]) for field in row) and all(
        digits or no_value.fullmatch(field)
        for digits, field in zip(mostly_digits, row, strict=True)
    )


def rows_without_x(path, without_x, table, footer):
    """Return the lines above the table that have y but no x; they may as well be a header line.

    without_x: lines that begin with a semicolon, which are comments where none separates columns.
    Raises InputError for one among the rows of the table or just below them.
    """
    if separator_of(table) != ";":
        return []
    rows = [line for line in without_x if len(line.row) <= len(table[0].numbers)]
    for line in rows:
        if line.number > table[0].number and not (footer and line.number > footer[0].number):
            refuse(path, line, "y without x")
    return [line for line in rows if line.number < table[0].number]


def rows_without_y(path, header, table):
    """Return the lines above the table that may be rows of it, as they have a number and no other.

    Anywhere above, these are lines in columns whose other cells hold no value. Just above the
    table, other cells may hold any text but a unit if there are separators or x goes on in the
    table; or there are none, if the number does not count the rows. Raises InputError for a line
    just above the table whose x goes on in it, and whose other cells hold no value.
    """
    separator, columns = separator_of(table), len(table[0].numbers)
    rows = [line for line in header if is_row(line, separator, columns)]
    found = [line for line in rows if has_one_value(line)]
    steps = np.diff([line.numbers[0] for line in table])
    step = next(iter(steps[steps != 0]), np.nan)
    below, x_below = table[0].number, table[0].numbers[0]
    for line in reversed(header):
        x = as_written(line.row[:1])
        if not x or line.has_x_and_y:
            break
        if is_row(line, separator, columns):
            near = 0 < (x_below - x[0]) / step <= NEAR
            if near and has_one_value(line):
                refuse(path, line, "x without y")
            may_be_row = (separator or near) and not any(map(UNITS.fullmatch, line.row[1:]))
        else:
            alone = len(line.row) == 1 and line.number == below - 1
            may_be_row = alone and x[0] != len(table)
        if not may_be_row:
            break
        found.append(line)
        below, x_below = line.number, x[0]
    return found


def separator_of(table):
    """Return what separates the columns of a table, "" if blanks do."""
    content = outside_quotes(table[0].content)
    return next((sign for sign in ";\t," if sign in content), "")


def has_one_value(line):
    values = [field for field in line.row if field and not NO_VALUE.fullmatch(field)]
    return len(values) == 1 and as_written(values) is not None


def is_row(line, separator, columns):
    """Tell whether a line is written as the rows of a table are, whatever its cells hold."""
    return separator in line.text if separator else len(line.row) == columns


def not_read(unread):
    """Return a note on lines with numbers above the table, if there are any."""
    if not unread:
        return []
    unread = {line.number: line for line in unread}
    first = f"line {min(unread)}, {shortened(unread[min(unread)].text)}"
    if len(unread) == 1:
        return [f"{first}, stands among header lines and is not read"]
    return [f"{len(unread)} lines, such as {first}, stand among header lines and are not read"]


def refuse(path, line, reason):
    raise InputError(
        f"{path}: line {line.number} is {shortened(line.text)}, {reason}, accepted: two numbers "
        f"with decimal points, x and y"
    )


def comment_above(lines, table):
    """Return the comment just above the table without its sign, "" if there is none.

    numpy.savetxt and many scripts write the names of the columns there. A comment with a sign of
    equality tells something else.
    """
    above = (line.strip() for line in reversed(lines[: table[0].number - 1]))
    comment = next(filter(None, above), "")
    if not comment.startswith(COMMENT_SIGNS) or "=" in comment:
        return ""
    return comment.lstrip("".join(COMMENT_SIGNS)).strip()


def column_names(content, table):
    """Return the names of the columns that the content of a header line gives, or None."""
    names = fields(content)
    if len(names) != len(table[0].numbers) or any(as_numbers([name]) for name in names):
        return None
    if len(names) == 3 and not re.search(r"[;\t,]", content):
        return names if NAME_OF_ERROR.match(names[2]) else None  # three words may be a title
    return names


def units_of(names):
    """Return the units of x and y that the last header lines give; "" for those not known.

    Where a unit such as % does not tell in which direction bands point but the name of y does, that
    name stands for it.
    """
    if not names:
        return "", ""
    units = []
    for name in names[:2]:
        unit = name if UNITS.fullmatch(name) else unit_beside(name)
        units.append(unit if UNITS.fullmatch(unit) else "")
    x_unit, y_unit = units
    if kind_of_y(y_unit) == "" and kind_of_y(names[1]) in ("absorbance", *DOWNWARD):
        y_unit = names[1]
    return x_unit, y_unit


def unit_beside(name):
    """Return what stands in brackets in a name, or else as its last word after a slash, or ""."""
    in_brackets = IN_BRACKETS.search(name)
    if in_brackets:
        return in_brackets[1]
    words = " ".join(name.split()).replace("/ ", "/").split(" ")
    return words[-1].partition("/")[2]


def check_columns(path, table, names):
    """Return a note where a third column is not read, or where x may be no more than a count.

    Raises InputError for other columns.
    """
    count = len(table[0].numbers)
    first, second = np.array([line.numbers[:2] for line in table]).T
    if counts_rows(first) and count == 2 and names and not names[0]:  # an index of pandas
        refuse(path, table[0], "2 columns, of which the first numbers the rows, so x is missing")
    numbered = counts_rows(first) and count > 2 and goes_on(second)
    if count > 3 or numbered:
        of_which = ", of which the first numbers the rows" if numbered else ""
        refuse(path, table[0], f"{count} columns{of_which}{which_to_keep(count, names)}")
    for line in table:
        if len(line.numbers) != count:
            refuse(path, line, f"{len(line.numbers)} columns after {count}")
    if count == 2:
        whole = all(fields(line.content)[0].isdigit() for line in table)
        named_x = names and NAME_OF_X.match(names[0])
        if len(table) >= MANY and whole and counts_rows(first) and not named_x:
            return [f"x counts {first[0]:g}, {first[1]:g} and so on, as the numbers of points do"]
        return []
    _, y, errors = np.array([line.numbers for line in table]).T
    if not are_errors(y, errors, names):
        refuse(path, table[0], "3 columns, of which the third is not an error of y")
    return ["the third column is taken for errors of y and not read"]


def which_to_keep(count, names):
    """Return the advice for a table of this many columns, and of their names, if not None."""
    if count == 3:
        return ": keep columns 2 and 3"
    if not names:  # then only its owner knows which are x and y
        return ": keep those of x and y"
    listed = ", ".join(f"{i} {name}".strip() for i, name in enumerate(names[:MOST_LISTED], 1))
    more = f" and {count - MOST_LISTED} more" if count > MOST_LISTED else ""
    return f": keep those of x and y, of {listed}{more}"


def counts_rows(x):
    return len(x) > 1 and x[0] in (0, 1) and bool((x == x[0] + np.arange(len(x))).all())


def goes_on(x):
    return bool((x[1:] > x[:-1]).all() or (x[1:] < x[:-1]).all())


def are_errors(y, errors, names):
    """Tell whether a third column is clearly the error of y: by its name, or as errors behave.

    They do not fall below 0, and are as the square root of the counts, or else small where y is
    large. A second column that only rises or falls may be another x, and the third its y.
    """
    name_of_first, name_of_second, name_of_third = names or ("", "", "")
    if not (errors >= 0).all() or NAME_OF_X.match(name_of_second):
        return False
    if NAME_OF_ERROR.match(name_of_third):
        return True
    # As another x does; and where a header names x, it would name errors, too
    if goes_on(y) or NAME_OF_X.match(name_of_first):
        return False
    with np.errstate(all="ignore"):
        ratio = errors[y > 0] ** 2 / y[y > 0]
        typical = np.median(ratio) if len(ratio) else 0
        high = y >= np.median(y)
        counted = (
            typical > 0
            and len(ratio) > 2
            and np.mean(abs(ratio - typical) <= 0.25 * typical) >= 0.9
        )
        return bool(counted or (errors[high] < y[high] / 2).all())
