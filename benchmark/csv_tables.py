"""Tables of users: CSV files with a header line, separated by comma, semicolon or tab."""

import csv
import io
import re

from benchmark.command_line import InputError

SEPARATORS = ",;\t"


def table_rows(path, text, columns, optional=()):
    """Yield line number and row, column -> text, for each row that is not blank.

    path: for messages; columns: those that the header must have, in any order and among others;
    optional: those that it may have. Names of columns are in lower case; a short row lacks its last
    columns. Raises InputError naming file, line and what is accepted.
    """
    header = re.split(r"[\r\n]", text.lstrip("\r\n"), maxsplit=1)[0]
    separator = max(SEPARATORS, key=header.count)
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)
    try:
        names = [name.strip().lower() for name in next((row for row in reader if row), [])]
        check_header(path, names, columns, optional)
        for row in reader:
            if any(cell.strip() for cell in row[len(names) :]):
                raise InputError(
                    f"{path}: line {reader.line_num} has {len(row)} cells, accepted: {len(names)}, "
                    f"as the header has; text that holds the separator needs quotes, and numbers "
                    f"have decimal points"
                )
            if any(cell.strip() for cell in row):
                yield reader.line_num, dict(zip(names, row, strict=False))
    except csv.Error as error:
        raise InputError(f"{path}: line {reader.line_num} is not CSV ({error})") from None


def check_header(path, names, columns, optional):
    missing = [column for column in columns if column not in names]
    if missing:
        perhaps = f", and perhaps {', '.join(optional)}" if optional else ""
        raise InputError(
            f"{path} lacks the column {' and '.join(missing)} (it has "
            f"{', '.join(names) or 'none'}), accepted: a header line with "
            f"{', '.join(columns)}{perhaps}"
        )
    for column in (*columns, *optional):
        if names.count(column) > 1:
            raise InputError(f"{path} has the column {column} twice, accepted: once")
