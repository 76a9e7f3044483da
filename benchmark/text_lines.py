"""Lines of text as people and instruments write them: without comments, and divided into fields."""

import csv
import re

from benchmark.command_line import InputError
from benchmark.number_text import as_written

COMMENT_SIGNS = ("#", "'", "!", ";", "%", "//")  # at the beginning of a line
# What spreadsheets write into a cell without a value, and C on Windows for infinity and no number:
# no # in them begins a comment
CELL_ERROR = (
    r"#(?:N/A|NV|DIV/0!|(?:VALUE|REF|NUM|NULL|WERT|BEZUG|ZAHL|VALEUR|NOMBRE|NUL)!|(?:NAME|NOM)\?)"
    r"(?![^\s;,])"
)
NO_NUMBER = r"\b1[.,][#$][A-Z]{1,4}0*(?![^\s;,])"
TRAILING_COMMENT = re.compile(  # after numbers
    rf"{CELL_ERROR}|{NO_NUMBER}|(?P<sign>#|!|//|%|[;']\s*+(?=[^\W\d]))"
)


def without_comments(path, lines):
    """Yield number, text and content of the lines that are neither empty nor a comment."""
    opened = None
    for number, line in enumerate(lines, 1):
        content = line.strip()
        if opened is not None or content.startswith("/*"):
            opened = opened or number
            _, end, content = content.partition("*/")
            if not end:
                continue
            opened, content = None, content.strip()
        if not content or is_comment(content):
            continue
        content = without_block_comments(content)
        if re.match(r"[-+−–.,\d\"']", content):
            content = without_trailing_comment(content)
        content = content.rstrip(",;\t ")
        if content:
            yield number, line.strip(" "), content
    if opened is not None:
        raise InputError(f"{path}: line {opened} opens a comment /*, accepted: one with its end */")


def without_trailing_comment(content):
    """Return a row without the comment after it; semicolons and ' may as well be part of it."""
    comment = next((m for m in TRAILING_COMMENT.finditer(content) if m["sign"]), None)
    if not comment:
        return content
    before = content[: comment.start()].strip()
    if comment["sign"][0] in "#!/%":
        return before
    rows = (as_written(fields(text)) or [] for text in (before, before.replace(",", ".")))
    return before if any(len(row) > 1 for row in rows) else content


def without_block_comments(content):
    kept, stop = [], 0
    while (start := content.find("/*", stop)) >= 0 and (end := content.find("*/", start + 2)) >= 0:
        kept.append(content[stop:start])
        stop = end + 2
    return "".join(kept) + content[stop:]


def is_comment(content):
    """Tell whether a line is a comment, which no number in quotes and no empty cell begins."""
    if content.startswith(";"):
        numbers = [cell.strip().replace(",", ".") for cell in content.split(";") if cell.strip()]
        return not as_written(numbers)  # else it may be a row without x
    begins_row = is_quoted(content) or re.match(CELL_ERROR, content)
    return content.startswith(COMMENT_SIGNS) and not begins_row


def is_quoted(content):
    """Tell a quoted number at the beginning of a row from a comment that begins with '."""
    quoted, quote, _ = content[1:].partition("'")
    return bool(content[0] == "'" and quote and re.match(r"[-+−–.,\d]", quoted.strip()))


def fields(content, *, comma_separates=True):
    """Split a line at the strongest separator that it has: semicolon, tab, comma, then blanks."""
    outside = outside_quotes(content)
    for separator in ";\t," if comma_separates else ";\t":
        if separator not in outside:
            continue
        if '"' in content:
            try:
                split = next(csv.reader([content], delimiter=separator, skipinitialspace=True))
            except (csv.Error, StopIteration):
                return [content]
        else:
            split = content.split(separator)
        split = [field.strip() for field in split]
        return [unquoted(field) for field in split if field or separator != "\t"]
    return [unquoted(field) for field in content.split()]


def outside_quotes(content):
    return re.sub(r'"[^"]*"', "", content) if '"' in content else content


def unquoted(field):
    quoted = len(field) > 1 and field[0] == field[-1] and field[0] in "\"'"
    return field[1:-1].strip() if quoted else field
