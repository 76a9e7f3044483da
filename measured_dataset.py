"""Make a dataset folder from files of measured spectra, split by sample.

    python measured_dataset.py --measured rruff_raman.zip --output datasets/minerals --unit 1/cm
    python measured_dataset.py --measured my_folder more.zip --labels labels.csv --range 5 90
    python measured_dataset.py --measured rruff_raman.zip --beside datasets/reference

MEASURED are files, folders with all their subfolders, and zip archives, which stay packed; files
are read as measured_spectra.py reads them. The class and the sample of each file stand in a CSV
table, LABELS, with the columns file, class and sample, or else in the file names of the RRUFF
database: Quartz__R040031__Raman__532__0__….txt is class Quartz, sample R040031. Parts of a sample,
such as X050162.3 and X050162.4, are one sample.

Every spectrum is brought to DATAPOINTS over RANGE, its minimum is subtracted, and it is divided by
its maximum. Files that cannot be used are left out, and so are all but one with the same content,
classes with fewer than MIN_SAMPLES samples, and samples that RRUFF has under two classes.
dataset.json lists each with its reason. Absorbance and transmittance are not mixed: files whose
units tell that bands point up in some and down in others are refused.

Spectra of one sample are never in two splits, and every class is in every split: of its samples
`test` takes TEST_SHARE, `val` VAL_SHARE, at least one each, and `train` the rest. Which ones,
depends on SEED and on the names of class and samples alone. The folder receives

    x_train.npy  y_train.npy  x_val.npy  y_val.npy  x_test.npy  y_test.npy  dataset.json

as spectra_from_config.py writes them, with rows ordered by class, sample and file. Classes are
numbered in the order of their names. dataset.json holds the names, and sample and file of each row.

BESIDE judges networks that were trained on synthetic spectra: it names a dataset folder rendered
from a class file with names and range, and puts the spectra of `test` there as the split
`test_measured`, labelled with the numbers that the classes have there. With BESIDE_VAL those of
`val` come as `test_measured_val`, for choosing settings. measured.json describes them. Where the
class file's peaks were taken from measured samples, none of these may be among them.
"""

import sys
from itertools import combinations
from pathlib import Path
from typing import Annotated, Literal

import numpy as np

from benchmark.command_line import (
    LARGEST,
    InputError,
    require,
    require_folder,
    require_range,
    run_script,
    warn,
)
from benchmark.data_card import BESIDE_SPLITS, CARD, read_card, require_same_range
from benchmark.dataset_folder import dataset_path, verify
from benchmark.measured_collection import (
    collect,
    shown,
    tell_of_files,
    unit_of,
    wavelength_of,
    y_unit_of,
)
from benchmark.measured_folder import describe_measured, write_beside, write_dataset
from benchmark.measured_samples import (
    NO_CLASS,
    Exclusion,
    Form,
    require_background_method,
    samples_of,
)
from benchmark.measurement import UPWARD, same_unit, same_wavelength
from benchmark.sample_labels import Label, read_labels, spelled_otherwise, split_samples
from benchmark.similarity import nearest_rows

# Files
MEASURED: Annotated[tuple[str, ...] | None, "Files, folders and zip archives to read."] = None
LABELS: Annotated[
    str | None, "CSV table with the columns file, class, sample; by default names are RRUFF's."
] = None
OUTPUT: Annotated[
    str | None, "Dataset folder to write; by default datasets/ and the first MEASURED's name."
] = None
BESIDE: Annotated[
    str | None, "Rendered dataset folder to put measured test spectra into; writes no OUTPUT."
] = None
BESIDE_VAL: Annotated[bool, "With BESIDE, put validation spectra there, too."] = False

# Spectra
RANGE: Annotated[tuple[float, float], "x of the first and the last datapoint."] = (200, 1200)
DATAPOINTS: Annotated[int, "Datapoints per spectrum."] = 1000
UNIT: Annotated[
    str | None, "Unit of RANGE, as 1/cm; by default the one that files state, if they all agree."
] = None
BACKGROUND: Annotated[
    Literal["none", "arpls", "asls"], "Method of pybaselines that subtracts the background."
] = "none"

# Splits
MIN_SAMPLES: Annotated[
    int, "Fewest samples of a class; classes with fewer are left out and named."
] = 3
VAL_SHARE: Annotated[float, "Share of a class's samples that are for validation."] = 0.2
TEST_SHARE: Annotated[float, "Share of a class's samples that are for testing."] = 0.2
SEED: Annotated[int, "Seed that decides which samples are in which split."] = 0

# Run
VERIFY: Annotated[
    bool, "Check OUTPUT or BESIDE against dataset.json and measured.json, write nothing."
] = False

SPLITS = "train", "val", "test"
FEWEST_SAMPLES = 3  # one for each split
SAME_BUT_SCALE = 1e-6  # 1 - cosine of spectra that are equal but for rounding
PARAMETERS = (
    "range",
    "datapoints",
    "unit",
    "background",
    "min_samples",
    "val_share",
    "test_share",
    "seed",
)


def main(settings):
    check(settings)
    default = dataset_path(name_of_first(settings.measured))
    folder = Path(settings.beside or settings.output or default)
    if settings.verify:
        return verify(folder)
    rendered, unit = None, settings.unit
    if settings.beside is None:
        require_new(folder)
    else:
        rendered = rendered_card(folder, settings)
        unit = unit or rendered.get("unit")
    table = read_labels(settings.labels) if settings.labels else None
    form = Form(
        range=settings.range,
        datapoints=settings.datapoints,
        unit=unit,
        background=settings.background,
        y_unit=UPWARD if rendered else "",
    )
    spectra, excluded = collect(
        settings.measured, form, table, min_samples=settings.min_samples, output=folder
    )
    splits = split_by_sample(spectra, settings)
    tell_of_twins(splits)
    if rendered:
        tell_of_other_wavelengths(spectra, rendered)
        tell_of_absent_samples({spectrum.label for spectrum in spectra}, rendered)
        splits, excluded = choose_beside(
            splits, rendered["class_names"], excluded, with_val=settings.beside_val
        )
        refuse_known_samples(splits, rendered)
    parameters = {name: getattr(settings, name) for name in PARAMETERS}
    parameters["unit"] = unit_of(spectra, unit)
    y_unit = y_unit_of(spectra)
    labels = {"name": table.path.name, "sha256": table.sha256} if table else "RRUFF file names"
    measured = describe_measured(parameters, labels, splits, excluded)
    if rendered:
        card = write_beside(folder, rendered, splits, measured)
    else:
        card = write_dataset(
            folder,
            splits,
            measured,
            y_unit=y_unit,
            wavelength=wavelength_of(spectra),
            keep_others=settings.output is None,
        )
    report(splits, excluded)
    print(f"{folder}: checksum {card['checksum']}")
    return None


def name_of_first(measured):
    path = Path(measured[0]).absolute() if measured else Path("measured")
    return path.stem if path.is_file() else path.name


def check(settings):
    if not settings.verify:
        given = bool(settings.measured)
        require(given, "MEASURED", settings.measured, "files, folders or zip archives")
    require_range(settings.range)
    require(
        2 <= settings.datapoints <= LARGEST, "DATAPOINTS", settings.datapoints, f"2 to {LARGEST}"
    )
    accepted = f"{FEWEST_SAMPLES}, one for each split, to {LARGEST}"
    fewest = settings.min_samples
    require(FEWEST_SAMPLES <= fewest <= LARGEST, "MIN_SAMPLES", fewest, accepted)
    for name in "val_share", "test_share":
        share = getattr(settings, name)
        require(0 < share < 1, name.upper(), share, "a number above 0 and below 1")
    together = settings.val_share + settings.test_share
    require(together < 1, "VAL_SHARE + TEST_SHARE", f"{together:g}", "less than 1")
    require(0 <= settings.seed <= LARGEST, "SEED", settings.seed, f"0 to {LARGEST}")
    if settings.beside is not None:
        require(settings.output is None, "OUTPUT", settings.output, "none together with BESIDE")
    if settings.beside_val:
        require(settings.beside is not None, "BESIDE_VAL", True, "False without BESIDE")
    require_background_method(settings.background)


def require_new(folder):
    """Raise InputError if a folder holds anything but a dataset."""
    require_folder("OUTPUT", folder)
    if (folder / CARD).exists() or not folder.exists():
        return
    for path in sorted(folder.iterdir()):
        if not path.name.startswith(".") and path.suffix != ".tmp":  # of a process that was killed
            raise InputError(
                f"OUTPUT is {folder}, which holds {path.name} and no {CARD}, accepted: a new or "
                f"empty folder, or a dataset"
            )


def split_by_sample(spectra, settings):
    """Return split -> list of Spectrum, in the order that they have."""
    split = {}
    for samples in samples_of(spectra).values():
        split |= split_samples(samples, settings.seed, settings.val_share, settings.test_share)
    return {
        name: [spectrum for spectrum in spectra if split[spectrum.label] == name] for name in SPLITS
    }


def rendered_card(folder, settings):
    """Return dataset.json of BESIDE. Raises InputError if the spectra would not belong there."""
    require(folder.is_dir(), "BESIDE", folder, "an existing dataset folder")
    card = read_card(folder) or {}
    fields = "class_file", "class_names", "range"
    lacks = [field for field in fields if not card.get(field)]
    if lacks:
        raise InputError(
            f"BESIDE is {folder}, whose {CARD} has no {' and no '.join(lacks)}, accepted: one "
            f"rendered from a class file with names and range"
        )
    require_same_range(settings.range, card["range"], folder)
    datapoints = settings.datapoints
    accepted = f"{card.get('datapoints')}, as {folder} has it"
    require(datapoints == card.get("datapoints"), "DATAPOINTS", datapoints, accepted)
    background = card.get("background", settings.background)
    accepted = f"{background}, as the peaks of {folder} were measured"
    require(settings.background == background, "BACKGROUND", settings.background, accepted)
    agree = same_unit(settings.unit or "", card.get("unit") or "")
    require(agree, "UNIT", settings.unit, f"{card.get('unit')}, as {folder} has it")
    return card


def choose_beside(splits, class_names, excluded, with_val):
    """Choose the spectra that go beside a rendered dataset of these classes.

    splits: split -> list of Spectrum; excluded: list of Exclusion; with_val: BESIDE_VAL.

    Returns split -> list of Spectrum, and the list of Exclusion, to which spectra are added whose
    class the dataset does not have.
    """
    chosen = {}
    for split in ("test", "val") if with_val else ("test",):
        chosen[BESIDE_SPLITS[split]] = [
            s for s in splits[split] if s.label.class_name in class_names
        ]
        excluded = excluded + [
            Exclusion(s.file, NO_CLASS, f"class {s.label.class_name}", s.label.class_name)
            for s in splits[split]
            if s.label.class_name not in class_names
        ]
    found = {s.label.class_name for spectra in chosen.values() for s in spectra}
    otherwise = spelled_otherwise(class_names, samples_of(splits["test"]))
    if not found:
        first = class_names[0], splits["test"][0].label.class_name
        name, measured = next(iter(otherwise.items()), first)
        raise InputError(
            f"BESIDE has none of the measured classes: it names {name} and so on, the "
            f"measurements {measured} and so on, accepted: the same names"
        )
    absent = [name for name in class_names if name not in found]
    if absent:
        hints = {name: f" ({other} is spelled otherwise)" for name, other in otherwise.items()}
        listed = ", ".join(shown(name + hints.get(name, "")) for name in absent)
        warn(f"no measured spectrum of {listed}")
    return chosen, sorted(excluded)


def tell_of_other_wavelengths(spectra, rendered):
    """Warn of spectra with another wavelength than that of the peaks; rendered: a dataset.json."""
    known = rendered.get("wavelength")
    other = [s for s in spectra if not same_wavelength(s.wavelength, known)]
    if other:
        warn(
            f"{len(other)} of {len(spectra)} spectra were measured with another wavelength than "
            f"the peaks of the class file, such as {shown(other[0].file)} with "
            f"{other[0].wavelength:.6g} instead of {known:.6g} angstrom; 2theta is not converted"
        )


def known_samples(rendered):
    """Return the Labels of the samples that peaks were taken from; rendered: a dataset.json."""
    names = rendered["class_names"]
    of_classes = zip(names, rendered.get("samples", [()] * len(names)), strict=True)
    return {Label(name, sample) for name, samples in of_classes for sample in samples}


def tell_of_absent_samples(found, rendered):
    """Warn if samples that the peaks were taken from are not among those found, a set of Label.

    The same samples under other names would be tested on.
    """
    known = known_samples(rendered)
    absent = sorted(known - found)
    if absent:
        warn(
            f"{len(absent)} of {len(known)} samples that the peaks of the class file were taken "
            f"from are not among MEASURED, such as {shown(absent[0].sample)} of "
            f"{shown(absent[0].class_name)}; if they have other names here, this is no test on "
            f"unseen samples: give the LABELS that the class file was made with"
        )


def tell_of_twins(splits):
    """Warn of spectra in two splits that are the same but for their scale; split -> Spectrums."""
    for one, other in combinations(splits, 2):
        values = [np.array([s.values for s in splits[split]]) for split in (one, other)]
        rows, cosines = nearest_rows(*values)
        twins = np.flatnonzero(cosines > 1 - SAME_BUT_SCALE)
        if len(twins):
            first, second = splits[one][twins[0]], splits[other][rows[twins[0]]]
            warn(
                f"{len(twins)} spectra of {one} are in {other}, too, but for their scale, such as "
                f"{shown(first.file)} and {shown(second.file)}; give spectra of one specimen the "
                f"same sample name"
            )


def refuse_known_samples(splits, rendered):
    """Raise InputError if spectra are of samples that the peaks of the classes were taken from.

    splits: split -> list of Spectrum; rendered: dataset.json of BESIDE.
    """
    known = known_samples(rendered)
    for split, spectra in splits.items():
        of_known = [spectrum for spectrum in spectra if spectrum.label in known]
        if of_known:
            label = of_known[0].label
            raise InputError(
                f"{len(of_known)} of {len(spectra)} spectra for {split} are of samples that the "
                f"peaks of the class file were taken from, such as {label.sample} of "
                f"{label.class_name}, accepted: samples that nothing was taken from; take the "
                f"peaks from a dataset folder, which gives its training spectra only, and give "
                f"the MEASURED, LABELS, BACKGROUND, SEED, VAL_SHARE and TEST_SHARE here that it "
                f"was made with"
            )


def report(splits, excluded):
    tell_of_files([spectrum for spectra in splits.values() for spectrum in spectra], excluded)
    for split, spectra in splits.items():
        samples = samples_of(spectra)
        count = sum(map(len, samples.values()))
        print(f"{split:10}{len(spectra):>8} spectra of {count} samples, {len(samples)} classes")


if __name__ == "__main__":
    run_script(sys.modules[__name__], main)
