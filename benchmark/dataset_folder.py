"""The dataset folder: reading it, and checking its files against the data card dataset.json."""

import hashlib
import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from benchmark.class_file import checked_names, read_class_file
from benchmark.command_line import InputError, require, warn
from benchmark.data_card import (
    BESIDE_CARD,
    CARD,
    WRITER,
    again,
    array_names,
    checksum,
    faults_of_class_file,
    read_beside,
    read_card,
)
from benchmark.files import open_array, sha256_of
from benchmark.variation import check_variation, variation_of

CLASS_NAMES = "class_names.json"
CHUNK = 2**26  # bytes of spectra looked at once
KNOWN = "train", "val"  # splits that networks learn from or stop by


class Dataset(NamedTuple):
    """A dataset folder, as `read_dataset` returns it."""

    folder: Path
    datapoints: int
    classes: int
    splits: dict  # name: (spectra (n, datapoints), labels (n,)), memory-mapped
    card: dict | None  # content of dataset.json; None for your own arrays
    beside: dict | None  # content of measured.json; None without one
    opened: dict  # file name: what `signature` returned when the file was opened
    class_names: list | None = None  # in the order of the class indices

    @property
    def name(self):
        return name_of(self.folder)


def name_of(folder):
    """Return the name of a dataset folder as the user knows it: of a link, not of its target."""
    return Path(os.path.abspath(folder)).name  # noqa: PTH100, as resolve() follows links


def dataset_path(name):
    """Return the Path of the dataset folder of a name, where no flag gives another one."""
    return Path("datasets", name)


def results_path(name):
    """Return the Path of the results folder of a dataset's name, where no flag gives another."""
    return Path("results", name)


def read_dataset(folder):
    """Open the arrays of a dataset folder and check that they fit together.

    Needed are x_train.npy, y_train.npy, x_val.npy and y_val.npy; every x_test*.npy with its labels
    is a test split. Spectra are real numbers (spectra, datapoints) or (spectra, datapoints, 1),
    labels are class indices (spectra,), and every class has training spectra. If the folder holds a
    dataset.json, the files have the sizes it records. Names of the classes are those of
    dataset.json, or of class_names.json, a list of texts in the order of the class indices.

    Returns a Dataset with "train" first, "val" second. Raises InputError naming the file and what
    is accepted.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"dataset folder {folder} does not exist; {WRITER} writes one")
    card = read_card(folder)
    beside = read_beside(folder, card)
    tests = sorted({path.stem[2:] for path in folder.glob("[xy]_test*.npy")})
    splits, opened = {}, {}
    for split in ["train", "val", *tests]:
        for name in array_names(split):
            opened[name] = signature(folder / name)
        splits[split] = open_split(folder, split)
    if read_card(folder) != card or read_beside(folder, card) != beside:
        raise InputError(f"{folder} was written anew while it was being opened; try again")
    datapoints = splits["train"][0].shape[1]
    classes = count_classes(folder, splits["train"][1])
    for split, (x, y) in splits.items():
        x_name, y_name = array_names(split)
        if x.shape[1] != datapoints:
            raise InputError(
                f"{folder}/{x_name} has {x.shape[1]} datapoints, accepted: {datapoints}, as in "
                f"x_train.npy"
            )
        if y.min() < 0 or y.max() >= classes:
            wrong = y.min() if y.min() < 0 else y.max()
            raise InputError(
                f"{folder}/{y_name} holds the label {wrong}, accepted: 0 to {classes - 1}, "
                f"the classes that y_train.npy has spectra of"
            )
    return Dataset(
        folder=folder,
        datapoints=datapoints,
        classes=classes,
        splits=splits,
        card=card,
        beside=beside,
        opened=opened,
        class_names=read_class_names(folder, card, classes),
    )


def read_class_names(folder, card, classes):
    """Return the names of all classes from dataset.json or class_names.json, None without any.

    Raises InputError unless they are different texts, one for each class, and those of both files
    the same.
    """
    found = {}
    if card and card.get("class_names") is not None:
        found[folder / CARD] = card["class_names"]
    path = folder / CLASS_NAMES
    try:
        found[path] = json.loads(path.read_bytes())
    except FileNotFoundError:
        pass
    except (ValueError, RecursionError) as error:
        raise InputError(
            f'{path} is not valid JSON ({error}), accepted: a list of names, such as ["quartz", '
            f'"calcite"]'
        ) from None
    for where, names in found.items():
        if not isinstance(names, list) or len(names) != classes:
            what = f"{len(names)} names" if isinstance(names, list) else "no list of names"
            raise InputError(
                f"{where} holds {what}, accepted: one for each of the {classes} classes, in the "
                f"order of their labels"
            )
        checked_names(where, names)
        if None in names:  # of all classes, which a class file may have
            raise InputError(f"{where} holds null, accepted: a text for each class")
    if len(found) == 2 and found[path] != card["class_names"]:
        raise InputError(f"{path} names other classes than {CARD} beside it; delete {path}")
    return next(iter(found.values()), None)


def open_split(folder, split):
    """Return spectra (n, datapoints) and labels (n,) of a split, memory-mapped and checked."""
    x_name, y_name = array_names(split)
    x, y = open_array(folder / x_name), open_array(folder / y_name)
    if x.ndim == 3 and x.shape[2] == 1:  # with a channel axis, as Keras wants them
        x = x[:, :, 0]
    if x.ndim != 2 or x.dtype.kind not in "fiu" or 0 in x.shape:
        raise InputError(
            f"{folder}/{x_name} has shape {x.shape} and type {x.dtype}, accepted: real numbers "
            f"(spectra, datapoints), one or more of both"
        )
    if y.ndim != 1 or y.dtype.kind not in "iu":
        raise InputError(
            f"{folder}/{y_name} has shape {y.shape} and type {y.dtype}, accepted: class indices "
            f"(spectra,) as integers{how_to_number(y)}"
        )
    if len(x) != len(y):
        raise InputError(f"{folder}: {x_name} has {len(x)} spectra, {y_name} {len(y)}")
    return x, y


def how_to_number(labels):
    """Return the advice for labels that are no class indices, "" without one."""
    if labels.ndim == 2:
        return ", as numpy.argmax(labels, axis=1) makes them of one-hot rows"
    if labels.ndim == 1 and labels.dtype.kind in "US":
        return (
            f", the places of the names in one list for all splits, which {CLASS_NAMES} may hold; "
            f"numpy.searchsorted(names, labels) finds them if it is sorted"
        )
    return ""


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


def verify(folder):
    """Hold the hashes of all files against dataset.json, and measured.json if there is one.

    Raises InputError for the first file that differs.
    """
    dataset = read_dataset(folder)
    card, beside = dataset.card, dataset.beside
    if card is None:
        raise InputError(f"{folder} has no {CARD} to verify it against")
    recorded = [(CARD, *file) for file in card["files"].items()]
    recorded += [(BESIDE_CARD, *file) for file in (beside["files"] if beside else {}).items()]
    for record, name, entry in tqdm(recorded, "verifying", unit="file", disable=None):
        if sha256_of(folder / name) != entry["sha256"]:
            raise InputError(f"{folder}/{name} is not the file that {record} records")
    if card.get("checksum") != checksum(card["files"]):
        raise InputError(f"{folder}/{CARD} has another checksum than that of the files it records")
    print(f"{folder}: {len(card['files'])} files intact, checksum {card['checksum']}")
    if beside:
        print(f"{folder}: {len(beside['files'])} files of {BESIDE_CARD} intact")


def recorded_hashes(dataset):
    """Return array file -> SHA-256 as the data card of a Dataset has them."""
    return {name: entry["sha256"] for name, entry in dataset.card["files"].items()}


def hash_and_check(dataset):
    """Return the SHA-256 of each array file; refuse files that changed or cannot be trained on.

    Warns once if spectra are not divided by their maximum.
    """
    hashes = {}
    records = {CARD: dataset.card, BESIDE_CARD: dataset.beside}
    scaled = True
    for split, (x, _) in dataset.splits.items():
        for name in array_names(split):
            hashes[name] = sha256_of(dataset.folder / name)
            for card, record in records.items():
                recorded = record["files"].get(name) if record else None
                if recorded and recorded["sha256"] != hashes[name]:
                    raise InputError(
                        f"{dataset.folder}/{name} is not the file that {card} records (SHA-256 "
                        f"differs); {again(record)}, or delete {card} if these arrays are your own"
                    )
        scaled &= check_spectra(dataset.folder / array_names(split)[0], x)
    for name, before in dataset.opened.items():
        if signature(dataset.folder / name) != before:
            raise InputError(f"{dataset.folder}/{name} was replaced while it was read; try again")
    if not scaled:
        warn(
            f"{dataset.folder} holds spectra whose maximum is not 1; the protocol expects each "
            f"spectrum divided by its maximum"
        )
    return hashes


def warn_of_own_splits(dataset):
    """Warn of what is wrong in splits that no script wrote: all without a card, or later ones."""
    records = dataset.card, dataset.beside
    recorded = {name for record in records if record for name in record["files"]}
    own = [split for split in dataset.splits if array_names(split)[0] not in recorded]
    warn_of_shared_spectra(dataset, own)
    warn_of_absent_classes(dataset, own)


def warn_of_shared_spectra(dataset, own):
    """Warn of spectra of these splits that networks have learned from, or stop by."""
    known = {split: hashes_of_spectra(dataset.splits[split][0]) for split in KNOWN if own}
    for split in own:
        spectra = known.get(split) or hashes_of_spectra(dataset.splits[split][0])
        for other in KNOWN[: KNOWN.index(split)] if split in KNOWN else KNOWN:
            seen = set(known[other])
            shared = sum(spectrum in seen for spectrum in spectra)
            if shared:
                warn(
                    f"{shared} of {len(spectra)} spectra of {split} are in {other}, too: what "
                    f"networks make of them says nothing about other spectra"
                )


def hashes_of_spectra(x):
    """Return the hash of each spectrum as networks see it; x (spectra, datapoints)."""
    return [
        hashlib.blake2b(np.ascontiguousarray(row, np.float32), digest_size=16).digest() for row in x
    ]


def warn_of_absent_classes(dataset, own):
    """Warn of these splits if they lack classes, as they do if labels were made for one alone."""
    for split in own:
        absent = np.setdiff1d(np.arange(dataset.classes), dataset.splits[split][1])
        if len(absent):
            more = f" and of {len(absent) - 1} more" if len(absent) > 1 else ""
            warn(
                f"{split} has no spectrum of class {absent[0]}{more}; its labels have to number "
                f"the classes as y_train.npy does"
            )


def refuse_overwritten(dataset, hashes):
    """Raise InputError if arrays were written over while networks were trained on them.

    hashes: what `hash_and_check` returned. A file that was replaced by another one does no harm, as
    the old one stays open: what counts is the content that is mapped into memory.
    """
    for split, arrays in dataset.splits.items():
        for name, array in zip(array_names(split), arrays, strict=True):
            path = dataset.folder / name
            changed = signature(path) != dataset.opened[name]
            if changed and hashlib.sha256(array._mmap).hexdigest() != hashes[name]:
                raise InputError(
                    f"{path} was written over during the training, which does not count; run the "
                    f"same command again"
                )


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


def class_path(recorded, config=None):
    """Return the Path of the class file of a rendered dataset: `config`, or the one of its name.

    recorded: class_file and variation as dataset.json and run.json have them.
    """
    for reason in faults_of_class_file(recorded["class_file"]):
        raise InputError(f"the dataset is not one that {WRITER} renders: {reason}")
    variation_of(recorded)  # raises, too, even where nobody needs the class file
    return Path(config or Path("dataset_configs", recorded["class_file"]["name"]))


def read_classes(recorded, config=None):
    """Return ClassFile and Variation of a rendered dataset, None and None for your own arrays.

    recorded, config: as for `class_path`. Raises InputError if the class file is not the one that
    the dataset was rendered from.
    """
    if not recorded.get("class_file"):
        require(config is None, "CONFIG", config, "none, as these spectra have no class file")
        return None, None
    path = class_path(recorded, config)
    class_file = read_class_file(path)
    if class_file.sha256 != recorded["class_file"]["sha256"]:
        raise InputError(
            f"CONFIG is {path}, but the dataset was rendered from another class file (SHA-256 "
            f"differs)"
        )
    variation = variation_of(recorded)
    check_variation(class_file, path, variation)
    return class_file, variation
