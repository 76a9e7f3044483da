"""The data card dataset.json: what it records of a dataset's files, and how it is checked.

Rendered datasets record their class file and variation, measured ones the sample and file of every
row. Measured test splits that stand beside rendered ones have a card of their own, measured.json.
"""

import hashlib
import math
import os
import platform
from pathlib import Path

import numpy as np

from benchmark import VERSION
from benchmark.command_line import InputError, require
from benchmark.files import are_names, is_number, is_whole, open_array, read_json
from benchmark.variation import WRITER, faults_of_variation

CARD = "dataset.json"
BESIDE_CARD = "measured.json"
BESIDE_SPLITS = {"test": "test_measured", "val": "test_measured_val"}  # those it describes
MEASURED_WRITER = "measured_dataset.py"


def main_split(splits):
    """Return the split that results are about unless another is named.

    That is the measured test spectra, or else the rendered ones that vary most, or else the last;
    never those that settings are chosen by.
    """
    preferred = [split for split in (BESIDE_SPLITS["test"], "test_wide") if split in splits]
    if preferred:
        return preferred[0]
    return [split for split in splits if split != BESIDE_SPLITS["val"]][-1]


def versions():
    """Return what a data card records of the software that wrote it."""
    return {
        "benchmark": VERSION,
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def array_names(split):
    return f"x_{split}.npy", f"y_{split}.npy"


def writer_of(card):
    """Return the name of the script that writes such data cards."""
    return MEASURED_WRITER if "measured" in card else WRITER


def again(card):
    """Say what to do about a folder that is not what its data card records."""
    return f"run {MEASURED_WRITER} again" if "measured" in card else "render again"


def read_card(folder):
    """Return dataset.json of a folder, or None without one, after a look at the files' sizes."""
    return read_record(folder, CARD)


def read_beside(folder, card):
    """Return measured.json of a folder, or None without one; card: its dataset.json.

    Raises InputError if the measured splits were labelled for other classes.
    """
    record = read_record(folder, BESIDE_CARD)
    if record and (card or {}).get("class_file") != record["class_file"]:
        raise InputError(
            f"{folder}/{BESIDE_CARD} describes measured spectra labelled for another class file "
            f"than that of {CARD}; run {MEASURED_WRITER} again"
        )
    return record


def read_record(folder, name):
    """Return dataset.json or measured.json, None without it; the files have the sizes it records.

    name: CARD or BESIDE_CARD. Raises InputError naming what is wrong, and what to do.
    """
    path = folder / name
    try:
        card = read_json(path, WRITER if name == CARD else MEASURED_WRITER)
    except FileNotFoundError:
        return None
    if card.get("complete") is False:
        raise InputError(f"{folder} was left unfinished; run {writer_of(card)} again")
    if name == BESIDE_CARD and not ("class_file" in card and "measured" in card):
        raise InputError(
            f"{path} is not what {MEASURED_WRITER} writes: class_file or measured is missing; "
            f"run it again"
        )
    for reason in faults_of(card):
        raise InputError(
            f"{path} is not what {writer_of(card)} writes: {reason}; {again(card)}, or delete "
            f"{name} if these arrays are your own"
        )
    for file, entry in card["files"].items():
        there = (folder / file).exists()
        size = (folder / file).stat().st_size if there else None
        if size != entry["bytes"]:
            found = f"has {size} bytes" if there else "is missing"
            raise InputError(
                f"{folder}/{file} {found}, but {name} records {entry['bytes']} bytes; "
                f"{again(card)}, or delete {name} if these arrays are your own"
            )
    return card


def require_same_range(given, recorded, folder):
    """Raise InputError unless RANGE is the range that the data card of a dataset folder records."""
    same = np.allclose(given, recorded, rtol=1e-9)
    accepted = f"{recorded[0]:g} {recorded[1]:g}, as in {folder}"
    require(same, "RANGE", f"{given[0]:g} {given[1]:g}", accepted)


def faults_of(card):
    """Yield what is wrong with the fields of a complete data card that others rely on."""
    yield from faults_of_files(card.get("files"))
    measured = "measured" in card
    yield from faults_of_axis(card, needed=measured and "class_file" not in card)
    if not measured or "class_file" in card:
        yield from faults_of_class_file(card.get("class_file"))
    if measured:
        yield from faults_of_measured(card)
    else:
        yield from faults_of_variation(card.get("variation"))
        yield from faults_of_sizes(card)
        yield from faults_of_samples(card)
    names = card.get("class_names")
    if names is not None and not are_names(names, card.get("classes")):
        yield "class_names are not a list with a different text for each class"


def faults_of_axis(card, needed):
    """Yield what is wrong with range, units, background and wavelength.

    needed: whether there must be a range.
    """
    limits = card.get("range")
    pair = isinstance(limits, list) and len(limits) == 2
    numbers = pair and all(is_number(x, -math.inf) for x in limits) and limits[0] < limits[1]
    if not numbers and (needed or limits is not None):
        yield f"range is {limits!r}"
    for name in "unit", "y_unit", "background":
        if not isinstance(card.get(name), str | None):
            yield f"{name} is {card.get(name)!r}"
    wavelength = card.get("wavelength")
    if wavelength is not None and not (is_number(wavelength, 0) and wavelength):
        yield f"wavelength is {wavelength!r}"


def faults_of_sizes(card):
    """Yield where a rendered dataset has other numbers of spectra than its variation says."""
    variation = card.get("variation")
    for split, field in ("train", "n_train"), ("val", "n_val"):
        name, _ = array_names(split)
        shape = (card["files"].get(name) or {}).get("shape")
        per_class = variation.get(field) if isinstance(variation, dict) else None
        if isinstance(shape, list) and is_whole(per_class, 1) and is_whole(card.get("classes"), 1):
            due = per_class * card["classes"]
            if shape[:1] != [due]:
                yield f"{field} is {per_class}, which makes {due} spectra, where {name} has others"


def faults_of_samples(card):
    """Yield what is wrong with the measured samples that a rendered dataset's classes come from."""
    if "samples" not in card:
        return
    samples = card["samples"]
    complete = isinstance(samples, list) and len(samples) == card.get("classes")
    if not complete or not all(
        isinstance(of_class, list) and all(isinstance(sample, str) for sample in of_class)
        for of_class in samples
    ):
        yield "samples are not a list of texts for each class"


def faults_of_measured(card):
    measured = card["measured"] if isinstance(card["measured"], dict) else {}
    if not isinstance(measured.get("parameters"), dict):
        yield "measured has no parameters"
    if not isinstance(measured.get("rows"), dict):
        yield "measured has no rows"
        return
    for split, rows in measured["rows"].items():
        texts = "class", "sample", "file"
        complete = isinstance(rows, list) and all(
            isinstance(row, dict) and all(isinstance(row.get(name), str) for name in texts)
            for row in rows
        )
        shape = (card["files"].get(array_names(split)[0]) or {}).get("shape")
        if not complete or not isinstance(shape, list) or shape[:1] != [len(rows)]:
            yield f"the rows of {split} do not name class, sample and file of each spectrum"


def faults_of_class_file(class_file):
    if not isinstance(class_file, dict):
        yield "class_file is missing"
    elif not all(isinstance(class_file.get(field), str) for field in ("name", "sha256")):
        yield "class_file has no name or no sha256"
    elif Path(class_file["name"]).name != class_file["name"]:
        yield f"class_file {class_file['name']!r} is not the name of a file"


def faults_of_files(files):
    if not isinstance(files, dict) or not files:
        yield "files are missing"
        return
    for name, entry in files.items():
        if Path(name).name != name:
            yield f"{name!r} is not a file of the folder"
        if not isinstance(entry, dict) or not isinstance(entry.get("sha256"), str):
            yield f"{name} has no sha256"
        elif not is_whole(entry.get("bytes"), 0, 2**63):
            yield f"{name} has {entry.get('bytes')} bytes"


def complete_card(folder, writer=WRITER):
    """Return dataset.json, unchecked; None if it is missing or was left unfinished.

    writer: the script that ought to have written it, for messages.
    """
    try:
        card = read_json(folder / CARD, writer)
    except FileNotFoundError:
        return None
    return None if card.get("complete") is False else card


def describe_array(path, sha256):
    """Return what dataset.json records of an array file."""
    array = open_array(path)
    return {
        "shape": list(array.shape),
        "dtype": str(array.dtype),
        "bytes": path.stat().st_size,
        "sha256": sha256,
    }


def checksum(files):
    """SHA-256 over all files: what `LC_ALL=C sha256sum *.npy | sha256sum` prints in the folder."""
    lines = (f"{files[name]['sha256']}  {name}\n" for name in sorted(files))
    return hashlib.sha256(os.fsencode("".join(lines))).hexdigest()
