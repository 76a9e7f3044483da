"""Folders of measured spectra: whole datasets, and test splits beside rendered datasets."""

import hashlib

import numpy as np

from benchmark.block_writer import SPECTRUM_TYPE
from benchmark.command_line import warn
from benchmark.data_card import (
    BESIDE_CARD,
    BESIDE_SPLITS,
    array_names,
    describe_array,
    versions,
)
from benchmark.dataset_writer import replace_arrays, temporary
from benchmark.earlier_dataset import (
    refuse_other_kind,
    refuse_other_measured_dataset,
    refuse_own_arrays,
    refuse_to_relabel,
)
from benchmark.files import one_writer, sha256_of, write_array
from benchmark.measured_samples import samples_of


def describe_measured(parameters, labels, splits, excluded):
    """Return what a data card records of measured spectra, and of those that are left out.

    parameters: a dict, constants of measured_dataset.py; labels: where classes and samples come
    from; splits: split -> list of Spectrum; excluded: list of Exclusion.
    """
    hashes = sorted(spectrum.sha256 for spectra in splits.values() for spectrum in spectra)
    library = {}
    if parameters["background"] != "none":
        import pybaselines

        library["pybaselines"] = pybaselines.__version__
    return {
        "parameters": parameters,
        **library,
        "labels": labels,
        "files_sha256": hashlib.sha256("\n".join(hashes).encode()).hexdigest(),
        "rows": {split: list(map(row_of, spectra)) for split, spectra in splits.items()},
        "excluded": [{"file": e.file, "kind": e.kind, "reason": e.reason} for e in excluded],
    }


def row_of(spectrum):
    row = {
        "class": spectrum.label.class_name,
        "sample": spectrum.label.sample,
        "file": spectrum.file,
    }
    return row | ({"notes": list(spectrum.notes)} if spectrum.notes else {})


def write_dataset(folder, splits, measured, y_unit=None, wavelength=None, keep_others=False):
    """Write measured spectra as a dataset folder; returns the content of dataset.json.

    splits: split -> list of Spectrum, every class being in every split; measured: see
    `describe_measured`; y_unit: text, None if it is not known; wavelength: of X-rays, in angstrom,
    None if it is not known; keep_others: refuse to replace a dataset of other parameters.
    """
    class_names = list(samples_of(splits["train"]))
    parameters = measured["parameters"]
    names = [name for split in splits for name in array_names(split)]
    folder.mkdir(parents=True, exist_ok=True)
    with one_writer(folder):
        refuse_own_arrays(folder, names)
        refuse_other_kind(folder, measured=True)
        refuse_to_relabel(folder, names, lambda card: card.get("class_names") == class_names)
        if keep_others:
            refuse_other_measured_dataset(folder, parameters, class_names)

        def write():
            return {
                "complete": True,
                "measured": measured,
                "datapoints": parameters["datapoints"],
                "classes": len(class_names),
                "class_names": class_names,
                "unit": parameters["unit"],
                **({"y_unit": y_unit} if y_unit else {}),
                **({"wavelength": wavelength} if wavelength else {}),
                "range": parameters["range"],
                "splits": list(splits),
                "files": write_splits(folder, splits, class_names),
                "versions": versions(),
            }

        return replace_arrays(folder, names, [], write)


def write_beside(folder, card, splits, measured):
    """Write test splits into the folder of a rendered dataset; returns measured.json's content.

    card: its dataset.json; splits: split -> list of Spectrum of classes that the card names.
    """
    names = [name for split in splits for name in array_names(split)]
    outdated = [name for split in BESIDE_SPLITS.values() for name in array_names(split)]
    outdated = [name for name in outdated if name not in names]  # of an earlier call
    with one_writer(folder):
        refuse_own_arrays(folder, [*names, *outdated], BESIDE_CARD)
        if any((folder / name).exists() for name in outdated):
            warn(f"{', '.join(outdated)} of an earlier call are removed; BESIDE_VAL keeps such")

        def write():
            return {
                "complete": True,
                "class_file": card["class_file"],
                "measured": measured,
                "splits": list(splits),
                "files": write_splits(folder, splits, card["class_names"]),
                "versions": versions(),
            }

        return replace_arrays(folder, names, outdated, write, BESIDE_CARD)


def write_splits(folder, splits, class_names):
    """Write the arrays of all splits beside their places; returns what a card records of them."""
    numbers = {name: number for number, name in enumerate(class_names)}
    files = {}
    for split, spectra in splits.items():
        x = np.array([spectrum.values for spectrum in spectra], SPECTRUM_TYPE)
        y = np.array([numbers[spectrum.label.class_name] for spectrum in spectra], np.int64)
        for name, array in zip(array_names(split), (x, y), strict=True):
            path = temporary(folder, name)
            with open(path, "wb") as file:
                write_array(file, array)
            files[name] = describe_array(path, sha256_of(path))
    return files
