"""Measurement files: spectra as instruments and databases write them, told apart by content."""

import re
from pathlib import Path

from benchmark.command_line import InputError
from benchmark.jcamp import JCAMP_LABELS, labelled, read_jcamp
from benchmark.number_text import as_numbers, points, shortened


def read_measurement(path):
    """Read a measured spectrum from RRUFF text, two columns or JCAMP-DX, told by the content.

    Returns x and y, float64 arrays (points,), x rising, in the units of the file. Raises InputError
    naming the file, the line or field, the value and what is accepted.
    """
    lines = read_lines(path)
    labels = {label for label, _ in map(labelled, lines)}
    x, y = read_jcamp(path, lines) if labels & JCAMP_LABELS else read_columns(path, lines)
    if len(x) < 2:
        raise InputError(f"{path} holds {len(x)} points x, y, accepted: 2 or more")
    return (x, y) if x[0] < x[-1] else (x[::-1], y[::-1])


def read_lines(path):
    """Return the lines of a text file in UTF-8 or Latin-1."""
    try:
        content = Path(path).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"measurement {path} does not exist") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder, accepted: files with a measured spectrum") from None
    content = content.rstrip(b"\x1a")  # with which DOS ends a file
    control = re.search(rb"[^\t\n\v\f\r\x20-\xff]", content)
    if control:
        raise InputError(
            f"{path} is no text: byte {control.start()} is {control[0][0]:#04x}, accepted: text in "
            f"UTF-8 or Latin-1"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return re.split(r"\r\n|\r|\n", text)


def read_columns(path, lines):
    rows, header = [], False
    for number, line in enumerate(lines, 1):
        content = line.partition("#")[0].strip()
        if not content:
            continue
        fields = re.split(r"\s*[,;]\s*|\s+", content)
        if not rows and not header and is_header(fields):
            header = True
            continue
        numbers = as_numbers(fields)
        if numbers is None or len(numbers) != 2:
            raise InputError(
                f"{path}: line {number} is {shortened(content)}, accepted: two numbers with "
                f"decimal points, x and y"
            )
        rows.append((number, *numbers))
    return points(path, rows)


def is_header(fields):
    """Tell headers, such as "2Theta Counts", from damaged rows, such as "1o0.5 20"."""
    if as_numbers(fields[:1]):
        return False
    return fields[0][:1].isalpha() or not any(as_numbers([field]) for field in fields)
