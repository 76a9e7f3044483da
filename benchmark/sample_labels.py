"""Labels of measurements: which class and which sample a file is of, and the split of the sample.

They come from a table, or from the names that the RRUFF database gives its files
(https://rruff.info).
"""

import hashlib
import json
import re
import unicodedata
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from benchmark.command_line import InputError, warn
from benchmark.csv_tables import table_rows

COLUMNS = "file", "class", "sample"
RRUFF_SAMPLE = re.compile(r"[A-Z]\d{6}(?!\d)")  # what follows names a part of the sample


class Label(NamedTuple):
    class_name: str
    sample: str


class LabelTable(NamedTuple):
    """A table of labels, as `read_labels` returns it."""

    path: Path
    sha256: str
    labels: dict  # file, with / between folders -> Label


def rruff_label(file_name):
    """Return the Label in a file name such as Quartz__R040031__Raman__532__0__…, or None.

    Parts of one sample, such as X050162.3 and X050162.4, are that sample.
    """
    parts = file_name.split("__")
    sample = RRUFF_SAMPLE.match(parts[1]) if len(parts) > 2 else None
    name = tidy(parts[0])
    return Label(name, sample[0]) if sample and name and file_name.isprintable() else None


def tidy(text):
    """Return a name in one way of writing it: composed characters, no blanks around it."""
    return unicodedata.normalize("NFC", text).strip()


def warn_of_alike(what, names):
    """Warn of names that differ in capitals, blanks or forms of a character only.

    what: that they name, in the plural.
    """
    first = {}
    for name in sorted(names):
        key = "".join(unicodedata.normalize("NFKC", name).casefold().split())
        other = first.setdefault(key, name)
        if other != name:
            warn(f"{what} {other} and {name} differ only in how they are written, and count as two")


def spelled_otherwise(class_names, measured):
    """Return name of a class -> measured name that differs in capitals, blanks and signs only."""
    others = {letters_of(name): name for name in measured if name not in class_names}
    absent = [name for name in class_names if name not in measured]
    return {name: others[letters_of(name)] for name in absent if letters_of(name) in others}


def letters_of(name):
    """Return a name as its letters and digits alone, in lower case; as it is if it has none."""
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", name).casefold()) or name


def read_labels(path):
    """Read a CSV table with the columns file, class and sample; others are not looked at.

    Returns a LabelTable. Raises InputError naming the line: for missing columns and cells, a file
    that stands there twice, and a sample with two classes.
    """
    path = Path(path)
    try:
        content = path.read_bytes()  # once, as a pipe gives it only once
        text = content.decode("utf-8-sig")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise InputError(f"LABELS is {path}, accepted: an existing CSV table") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text in UTF-8: {error.reason} {error.start}") from None
    labels, lines, samples = {}, {}, {}
    for number, row in table_rows(path, text, COLUMNS):
        file, label = check_row(path, number, row)
        if file in labels:
            raise InputError(
                f"{path}: line {number}: file {file} stands in line {lines[file]}, too; accepted: "
                f"one line for each file"
            )
        other, line = samples.setdefault(label.sample, (label.class_name, number))
        if other != label.class_name:
            raise InputError(
                f"{path}: line {number}: sample {label.sample} has class {label.class_name}, but "
                f"{other} in line {line}, accepted: one class for each sample (where samples are "
                f"numbered anew in each class, put the class before the number)"
            )
        labels[file], lines[file] = label, number
    if not labels:
        raise InputError(f"{path} holds no line but its header, accepted: a line for each file")
    return LabelTable(path, hashlib.sha256(content).hexdigest(), labels)


def check_row(path, number, row):
    """Return file and Label of a row, all of it printable text."""
    cells = [tidy(row.get(name, "")) for name in COLUMNS]
    for name, cell in zip(COLUMNS, cells, strict=True):
        if not cell or not cell.isprintable():
            raise InputError(
                f"{path}: line {number}: {name} is {cell!r}, accepted: a text of printable "
                f"characters and plain blanks"
            )
    file, class_name, sample = cells
    return file.replace("\\", "/").removeprefix("./"), Label(class_name, sample)


def match_labels(table, sources):
    """Return Source.name -> Label for sources that a LabelTable names, and the files it has else.

    A row names a file by its path in the folder or archive, with or without the latter's name, or
    by its file name alone. Raises InputError if that means several files.
    """
    by_name = {}
    for source in sources:
        parts = PurePosixPath(tidy(source.name)).parts
        for first in range(len(parts)):
            by_name.setdefault("/".join(parts[first:]), []).append(source)
    matched, unmatched = {}, []
    for file, label in table.labels.items():
        named = by_name.get(file, [])
        exact = [source for source in named if tidy(source.name) == file]
        named = exact or named
        if len(named) > 1:
            raise InputError(
                f"{table.path}: file {file} may be {named[0].name} or {named[1].name}, accepted: "
                f"names with as much of the path as tells them apart"
            )
        if not named:
            unmatched.append(file)
        for source in named:
            if source.name in matched:
                raise InputError(
                    f"{table.path}: {source.name} has two lines, accepted: one line for each file"
                )
            matched[source.name] = label
    return matched, unmatched


def split_samples(samples, seed, val_share, test_share):
    """Return sample -> "train", "val" or "test" for all samples of one class.

    samples: Labels of one class, 3 or more. Their order is that of the hashes of seed, class and
    sample, so it does not depend on other classes or on files; of the first ones `test` takes its
    share, of the next ones `val`, at least one sample each.
    """
    order = sorted(samples, key=lambda label: draw(seed, label))
    count = len(order)
    test = min(max(1, int(test_share * count + 0.5)), count - 2)
    val = min(max(1, int(val_share * count + 0.5)), count - 1 - test)
    splits = ["test"] * test + ["val"] * val + ["train"] * (count - test - val)
    return dict(zip(order, splits, strict=True))


def draw(seed, label):
    """Return a random number, as text, that belongs to seed, class and sample for ever."""
    return hashlib.sha256(json.dumps([seed, *label]).encode()).hexdigest()
