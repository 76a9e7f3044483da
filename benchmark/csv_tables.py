"""Tables of users: text with a header line, separated by comma, semicolon, tab or blanks."""

import csv
import io
import re

from benchmark.command_line import InputError

SEPARATORS = ",;\t"


def separator_of(text):
    """Return what separates the columns of a table, as its header tells.

    That is the comma, semicolon or tab that stands there most often, or a blank if none does.
    """
    header = re.split(r"[\r\n]", text.lstrip("\r\n"), maxsplit=1)[0]
    separator = max(SEPARATORS, key=header.count)
    return separator if separator in header else " "


def table_rows(path, text, columns, optional=()):
    """Yield line number and row, column -> text, for each row that is not blank.

    path: for messages; columns: those that the header must have, in any order and among others;
    optional: those that it may have. Names of columns are in lower case; a short row lacks its last
    columns, but between blanks no cell is empty. Raises InputError naming file, line and what is
    accepted.
    """
    separator = separator_of(text)
    blanks = separator == " "
    lines = io.StringIO(text.replace("\t", " ") if blanks else text, newline="")
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)
    try:
        names = [name.strip().lower() for name in next((row for row in reader if row), [])]
        names = [name for name in names if name] if blanks else names
        check_header(path, names, columns, optional)
        for row in reader:
            row = [cell for cell in row if cell] if blanks else row
            if any(cell.strip() for cell in row):
                check_row(f"{path}: line {reader.line_num}", row, names, separator)
                yield reader.line_num, dict(zip(names, row, strict=False))
    except csv.Error as error:
        raise InputError(f"{path}: line {reader.line_num} is not CSV ({error})") from None


def check_row(where, row, names, separator):
    too_short = separator == " " and len(row) < len(names)
    if too_short or any(cell.strip() for cell in row[len(names) :]):
        cells = "1 cell" if len(row) == 1 else f"{len(row)} cells"
        holds = "a blank" if separator == " " else "the separator"
        points = ", and numbers have decimal points" if separator == "," else ""
        raise InputError(
            f"{where} has {cells}, accepted: {len(names)}, as the header has; text that holds "
            f"{holds} needs quotes{points}"
        )


def check_header(path, names, columns, optional):
    missing = [column for column in columns if column not in names]
    if missing:
        perhaps = f", and perhaps {', '.join(optional)}" if optional else ""
        lacks = "the column" if len(missing) == 1 else "the columns"
        raise InputError(
            f"{path} lacks {lacks} {', '.join(missing)} (it has "
            f"{', '.join(names) or 'none'}), accepted: a header line with "
            f"{', '.join(columns)}{perhaps}"
        )
    for column in (*columns, *optional):
        if names.count(column) > 1:
            raise InputError(f"{path} has the column {column} twice, accepted: once")
