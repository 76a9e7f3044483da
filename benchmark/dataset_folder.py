"""The dataset folder: names of its files, reading it, its data card dataset.json, its checksums."""

import hashlib
import math
import os
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from benchmark.class_file import read_class_file
from benchmark.command_line import LARGEST, InputError, require
from benchmark.files import (
    is_number,
    is_whole,
    open_array,
    read_json,
    sha256_of,
    write_json,
)

CARD = "dataset.json"
WRITER = "spectra_from_config.py"
CHUNK = 2**26  # bytes of spectra looked at once


def array_names(split):
    return f"x_{split}.npy", f"y_{split}.npy"


class Variation(NamedTuple):
    """What a rendered dataset depends on beside its class file.

    The fields are the constants of spectra_from_config.py of the same names.
    """

    n_train: int
    n_val: int
    max_shift: int
    max_height_change: float
    kernel_range: tuple[float, float]
    test_shift: int
    test_height_change: float
    wide_test_height_change: float
    test_kernel: float
    seed: int
    vary_highest: bool = True  # what follows is as here in datasets that do not record it
    wide_test: bool = True


class Dataset(NamedTuple):
    """A dataset folder, as `read_dataset` returns it."""

    folder: Path
    datapoints: int
    classes: int
    splits: dict  # name: (spectra (n, datapoints), labels (n,)), memory-mapped
    card: dict | None  # content of dataset.json; None for your own arrays
    opened: dict  # file name: what `signature` returned when the file was opened
    class_names: list | None = None  # in the order of the class indices

    @property
    def name(self):
        return name_of(self.folder)


def name_of(folder):
    """Return the name of a dataset folder as the user knows it: of a link, not of its target."""
    return Path(os.path.abspath(folder)).name  # noqa: PTH100, as resolve() follows links


def read_dataset(folder):
    """Open the arrays of a dataset folder and check that they fit together.

    Needed are x_train.npy, y_train.npy, x_val.npy and y_val.npy; every x_test*.npy with its labels
    is a test split. Spectra are real numbers (spectra, datapoints) or (spectra, datapoints, 1),
    labels are class indices (spectra,), and every class has training spectra. If the folder holds a
    dataset.json, the files have the sizes it records.

    Returns a Dataset with "train" first, "val" second. Raises InputError naming the file and what
    is accepted.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"dataset folder {folder} does not exist; {WRITER} writes one")
    card = read_card(folder)
    tests = sorted(path.stem.removeprefix("x_") for path in folder.glob("x_test*.npy"))
    splits, opened = {}, {}
    for split in ["train", "val", *tests]:
        for name in array_names(split):
            opened[name] = signature(folder / name)
        splits[split] = open_split(folder, split)
    if read_card(folder) != card:
        raise InputError(f"{folder} was rendered anew while it was being opened; try again")
    datapoints = splits["train"][0].shape[1]
    classes = count_classes(folder, splits["train"][1])
    for split, (x, y) in splits.items():
        if x.shape[1] != datapoints:
            raise InputError(
                f"{folder}/x_{split}.npy has {x.shape[1]} datapoints, accepted: {datapoints}, as "
                f"in x_train.npy"
            )
        if y.min() < 0 or y.max() >= classes:
            wrong = y.min() if y.min() < 0 else y.max()
            raise InputError(
                f"{folder}/y_{split}.npy holds the label {wrong}, accepted: 0 to {classes - 1}, "
                f"the classes that y_train.npy has spectra of"
            )
    names = (card or {}).get("class_names")
    return Dataset(folder, datapoints, classes, splits, card, opened, names)


def open_split(folder, split):
    """Return spectra (n, datapoints) and labels (n,) of a split, memory-mapped and checked."""
    x, y = (open_array(folder / name) for name in array_names(split))
    if x.ndim == 3 and x.shape[2] == 1:  # with a channel axis, as Keras wants them
        x = x[:, :, 0]
    if x.ndim != 2 or x.dtype.kind not in "fiu" or 0 in x.shape:
        raise InputError(
            f"{folder}/x_{split}.npy has shape {x.shape} and type {x.dtype}, accepted: real "
            f"numbers (spectra, datapoints)"
        )
    if y.ndim != 1 or y.dtype.kind not in "iu":
        raise InputError(
            f"{folder}/y_{split}.npy has shape {y.shape} and type {y.dtype}, accepted: class "
            f"indices (spectra,) as integers"
        )
    if len(x) != len(y):
        raise InputError(f"{folder}: x_{split}.npy has {len(x)} spectra, y_{split}.npy {len(y)}")
    return x, y


def count_classes(folder, labels):
    """Return the number of classes; the labels of the training spectra must be 0 to k - 1."""
    used = np.unique(labels)
    where = f"{folder}/y_train.npy"
    if used[0] < 0:
        raise InputError(f"{where} holds the label {used[0]}, accepted: class indices from 0 on")
    if len(used) == 1:
        raise InputError(f"{where} holds one class, accepted: two or more to tell apart")
    gaps = np.flatnonzero(used != np.arange(len(used)))
    if len(gaps):
        raise InputError(
            f"{where} holds {len(used)} different labels up to {used[-1]}, but class {gaps[0]} has "
            f"no training spectrum; number the classes from 0 to {len(used) - 1} without a gap, as "
            f"numpy.unique(labels, return_inverse=True) does"
        )
    return len(used)


def signature(path):
    """Return what changes when a file is replaced or written to; None without the file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def read_card(folder):
    """Return dataset.json of a folder, or None without one, after a look at the files' sizes."""
    path = folder / CARD
    try:
        card = read_json(path, WRITER)
    except FileNotFoundError:
        return None
    if card.get("complete") is False:
        raise InputError(f"{folder} was left unfinished; run {WRITER} again")
    for reason in faults_of(card):
        raise InputError(f"{path} is not what {WRITER} writes: {reason}; render again")
    for name, entry in card["files"].items():
        found = (folder / name).stat().st_size if (folder / name).exists() else "missing"
        if found != entry["bytes"]:
            raise InputError(
                f"{folder}/{name} is {found} where {CARD} records {entry['bytes']} bytes; render "
                f"again, or delete {CARD} if these arrays are your own"
            )
    return card


def faults_of(card):
    """Yield what is wrong with the fields of a complete dataset.json that others rely on."""
    yield from faults_of_files(card.get("files"))
    yield from faults_of_class_file(card.get("class_file"))
    yield from faults_of_variation(card.get("variation"))


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


def faults_of_variation(recorded):
    fields, optional = set(Variation._fields), Variation._field_defaults.keys()
    if not isinstance(recorded, dict) or not fields - optional <= recorded.keys() <= fields:
        yield f"variation does not hold {', '.join(Variation._fields)}"
        return
    numbers = dict(recorded)
    for name in "vary_highest", "wide_test":
        value = numbers.pop(name, True)
        if not isinstance(value, bool):
            yield f"{name} is {value}"
    widths = numbers.pop("kernel_range")
    valid = isinstance(widths, list) and len(widths) == 2
    if not valid or not all(is_number(width, 0.1, LARGEST) for width in widths):
        yield f"kernel_range is {widths}"
    for name, value in numbers.items():
        if not is_number(value, 0, math.inf if name == "seed" else LARGEST):
            yield f"{name} is {value}"


def variation_of(card):
    """Return the Variation that a dataset.json, or a run's description of it, records.

    Raises InputError if it does not hold one.
    """
    recorded = card.get("variation")
    for reason in faults_of_variation(recorded):
        raise InputError(f"the dataset is not one that {WRITER} renders: {reason}")
    return Variation(**recorded)._replace(kernel_range=tuple(recorded["kernel_range"]))


def write_card(folder, card):
    write_json(folder / CARD, card)


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
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def verify(folder):
    """Hold the hashes of all files against dataset.json; print the first that differs."""
    card = read_dataset(folder).card
    if card is None:
        raise InputError(f"{folder} has no {CARD} to verify it against")
    for name, entry in tqdm(card["files"].items(), "verifying", unit="file", disable=None):
        if sha256_of(folder / name) != entry["sha256"]:
            raise InputError(f"{folder}/{name} is not the file that {CARD} records")
    print(f"{folder}: {len(card['files'])} files intact, checksum {checksum(card['files'])}")


def refuse_own_arrays(folder, names):
    """Raise InputError rather than replace arrays that were not rendered, which somebody made.

    names: the array files that a render writes, or removes.
    """
    present = [name for name in names if (folder / name).exists()]
    if not present:
        return
    advice = "choose another OUTPUT folder, or move your arrays away"
    try:
        card = read_json(folder / CARD, WRITER)
    except (FileNotFoundError, InputError):
        raise InputError(
            f"{folder}/{present[0]} is not replaced, as no {CARD} of {WRITER} says that it was "
            f"rendered; {advice}"
        ) from None
    if card.get("complete") is False:
        return
    for reason in faults_of_files(card.get("files")):
        raise InputError(
            f"{folder}/{present[0]} is not replaced, as {CARD} is not one of {WRITER} ({reason}); "
            f"{advice}"
        )
    written = (folder / CARD).stat().st_mtime_ns
    for name in present:
        path, entry = folder / name, card["files"].get(name)
        rendered = entry and path.stat().st_size == entry["bytes"]
        if rendered and path.stat().st_mtime_ns > written:  # dataset.json is written last
            rendered = sha256_of(path) == entry["sha256"]
        if not rendered:
            raise InputError(f"{path} is not replaced, as it is not what {CARD} records; {advice}")


def refuse_other_dataset(folder, class_file, variation):
    """Raise InputError if the folder holds a dataset of other classes or another variation."""
    try:
        card = read_json(folder / CARD, WRITER)
    except FileNotFoundError:
        return
    if card.get("complete") is False:
        return
    advice = "choose another OUTPUT, or delete the folder to replace it"
    recorded = variation_of(card)
    if card["class_file"]["sha256"] != class_file.sha256:
        raise InputError(f"{folder} holds spectra of other classes; {advice}")
    for name in Variation._fields:
        before, now = getattr(recorded, name), getattr(variation, name)
        if before != now:
            raise InputError(
                f"{folder} was rendered with {name.upper()} {before}, not {now}; {advice}"
            )


def hash_and_check(dataset):
    """Return the SHA-256 of each array file; refuse files that changed or cannot be trained on.

    Warns once if spectra are not divided by their maximum.
    """
    hashes = {}
    scaled = True
    for split, (x, _) in dataset.splits.items():
        for name in array_names(split):
            hashes[name] = sha256_of(dataset.folder / name)
            recorded = dataset.card["files"].get(name) if dataset.card else None
            if recorded and recorded["sha256"] != hashes[name]:
                raise InputError(
                    f"{dataset.folder}/{name} is not the file that {CARD} records (SHA-256 "
                    f"differs); render again, or delete {CARD} if these arrays are your own"
                )
        scaled &= check_spectra(dataset.folder / f"x_{split}.npy", x)
    for name, before in dataset.opened.items():
        if signature(dataset.folder / name) != before:
            raise InputError(f"{dataset.folder}/{name} was replaced while it was read; try again")
    if not scaled:
        print(
            f"warning: {dataset.folder} holds spectra whose maximum is not 1; the protocol expects "
            f"each spectrum divided by its maximum",
            file=sys.stderr,
        )
    return hashes


def check_spectra(path, x):
    """Return whether every spectrum (n, datapoints) has maximum 1.

    Raises InputError naming the row if a number is not finite, also as float32.
    """
    scaled = True
    largest = np.finfo(np.float32).max
    rows = max(1, CHUNK // (8 * x.shape[1]))
    for first in range(0, len(x), rows):
        spectra = x[first : first + rows]
        fits = (np.abs(spectra) <= largest).all(axis=1)  # false for NaN, too
        if not fits.all():
            row = int(np.argmin(fits))
            wrong = spectra[row][~(np.abs(spectra[row]) <= largest)][0]
            raise InputError(
                f"{path} holds {wrong} in spectrum {first + row}, accepted: finite numbers that "
                f"float32 can hold"
            )
        scaled = scaled and np.allclose(spectra.max(axis=1), 1, atol=1e-3)
    return scaled


def read_classes(recorded, config=None):
    """Return ClassFile and Variation of a rendered dataset, None and None for your own arrays.

    recorded: class_file and variation as dataset.json and run.json have them. Without `config`, a
    class file that dataset_configs/ lacks is warned of and done without. Raises InputError if the
    class file is not the one that the dataset was rendered from.
    """
    if not recorded.get("class_file"):
        require(config is None, "CONFIG", config, "none, as these spectra have no class file")
        return None, None
    for reason in faults_of_class_file(recorded["class_file"]):
        raise InputError(f"the dataset is not one that {WRITER} renders: {reason}")
    variation = variation_of(recorded)
    path = Path(config or Path("dataset_configs", recorded["class_file"]["name"]))
    if config is None and not path.exists():
        print(
            f"warning: {path} does not exist, so misclassifications are not explained; CONFIG "
            f"names the dataset's class file",
            file=sys.stderr,
        )
        return None, None
    class_file = read_class_file(path)
    if class_file.sha256 != recorded["class_file"]["sha256"]:
        raise InputError(
            f"CONFIG is {path}, but the dataset was rendered from another class file (SHA-256 "
            f"differs)"
        )
    return class_file, variation
