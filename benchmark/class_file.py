"""The class file: its form, the reader that checks it, and what a data card records of it."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmark.command_line import LARGEST, InputError
from benchmark.files import is_number, is_whole, parse_json
from benchmark.peak_patterns import Grid
from benchmark.table_formats import one_line
from benchmark.variants import Variant

WRITER = "dataset_config_generator.py"


class ClassFile(NamedTuple):
    """The classes of a class file, as `read_class_file` returns them."""

    datapoints: int
    positions: list  # per class: int64 array (peaks,), in datapoints
    heights: list  # per class: float64 array (peaks,), relative to the highest peak
    sha256: str
    test_variants: dict  # class -> list of Variant, of classes that have their own
    names: list | None = None  # per class, None if the file has none
    unit: str | None = None  # of the measurement that the datapoints stand for
    range: tuple[float, float] | None = None  # x of the first and last datapoint, in that unit
    samples: list | None = None  # per class those measured samples that its peaks come from
    background: str | None = None  # subtracted from these measurements; None if none was
    wavelength: float | None = None  # of the X-rays, in angstrom; None if nobody says

    @property
    def classes(self):
        return len(self.positions)

    def name_of(self, label):
        """Return what to call a class: its name, or its number if it has none."""
        return self.names[label] if self.names else str(label)

    @property
    def grid(self):
        """What the datapoints stand for, a Grid; None if that is not known."""
        known = self.range is not None and self.datapoints > 1
        return Grid(self.datapoints, self.range) if known else None

    def place(self, datapoint):
        """Return as text where on the axis a datapoint lies: its x, if known, or its number."""
        if self.grid is None:
            return str(datapoint)
        x = self.grid.x_at(datapoint)
        return f"{x:.5g} {one_line(self.unit)}" if self.unit else f"x {x:.5g}"


def read_class_file(path):
    """Read and check a class file.

    Required are "datapoints", "classes" and "spectra"; "boundary", "min_peaks" and "max_peaks" are
    held against the spectra where the file has them. A class may have "test_variants", a list of
    [shift in datapoints, height change], one test spectrum each, and "samples", a list of those
    measured samples that its peaks were taken from. Either all classes or none have a "name",
    different from all others. What the datapoints stand for may be said by "unit" and "range", x of
    the first and the last one; "background" names what was subtracted from the measurements, and
    "wavelength" is that of their X-rays, in angstrom.

    Returns a ClassFile. Raises InputError naming the file, the class, the field, the value and
    what is accepted.
    """
    try:
        text = Path(path).read_bytes()  # once, as from a pipe it comes only once
    except (FileNotFoundError, IsADirectoryError):
        fault = "is a folder" if Path(path).is_dir() else "does not exist"
        raise InputError(f"class file {path} {fault}; {WRITER} writes one") from None
    config = parse_json(text, path, WRITER)

    def whole_number(field, lowest, default=None):
        value = config.get(field, default)
        if not is_whole(value, lowest):
            raise InputError(f"{path}: {field} is {value!r}, accepted: a whole number >= {lowest}")
        return value

    datapoints = whole_number("datapoints", 1)
    classes = whole_number("classes", 1)
    boundary = whole_number("boundary", 0, default=0)
    min_peaks = whole_number("min_peaks", 1, default=1)
    max_peaks = whole_number("max_peaks", 1, default=LARGEST)
    spectra = config.get("spectra")
    complete = isinstance(spectra, dict) and len(spectra) == classes
    if not complete or list(spectra) != [str(label) for label in range(classes)]:
        raise InputError(
            f'{path}: spectra must map "0", "1", ... to one pattern for each of the {classes} '
            f"classes, in this order"
        )
    positions, heights, test_variants, names, samples = [], [], {}, [], []
    for label, spectrum in spectra.items():
        where = f"{path}: class {label}"
        xs, hs = read_peaks(where, spectrum, lowest=boundary, highest=datapoints - boundary - 1)
        if not min_peaks <= len(xs) <= max_peaks:
            most = "any number" if max_peaks == LARGEST else max_peaks
            raise InputError(f"{where} has {len(xs)} peaks, accepted: {min_peaks} to {most}")
        positions.append(xs)
        heights.append(hs)
        names.append(spectrum.get("name"))
        samples.append(checked_samples(where, spectrum.get("samples", [])))
        if "test_variants" in spectrum:
            variants = read_variants(where, spectrum["test_variants"])
            check_room(where, xs, variants, datapoints)
            test_variants[int(label)] = variants
    return ClassFile(
        datapoints=datapoints,
        positions=positions,
        heights=heights,
        sha256=hashlib.sha256(text).hexdigest(),
        test_variants=test_variants,
        names=checked_names(path, names),
        unit=checked_text(path, "unit", config.get("unit")),
        range=checked_range(path, config.get("range")),
        samples=samples if any(samples) else None,
        background=checked_text(path, "background", config.get("background")),
        wavelength=checked_wavelength(path, config.get("wavelength")),
    )


def checked_names(where, names):
    """Return the names of all classes, or None if no class has one; names are texts or None."""
    if all(name is None for name in names):
        return None
    first = {}
    for label, name in enumerate(names):
        if not isinstance(name, str) or not name.strip():
            raise InputError(
                f"{where}: class {label} has the name {name!r}, accepted: a text for each class"
            )
        if name in first:
            raise InputError(
                f"{where}: classes {first[name]} and {label} have the same name {name!r}, "
                f"accepted: different names"
            )
        first[name] = label
    return names


def checked_samples(where, samples):
    if not isinstance(samples, list) or not all(isinstance(sample, str) for sample in samples):
        raise InputError(f"{where}: samples is {samples!r}, accepted: a list of texts")
    return samples


def checked_text(where, field, text):
    if text is not None and not isinstance(text, str):
        raise InputError(f"{where}: {field} is {text!r}, accepted: a text")
    return text


def checked_range(where, ends):
    """Return x of the first and last datapoint as a tuple, None if there is no range."""
    if ends is None:
        return None
    numbers = isinstance(ends, list) and len(ends) == 2
    if not numbers or not all(is_number(end, -LARGEST) for end in ends) or not ends[0] < ends[1]:
        raise InputError(
            f"{where}: range is {ends!r}, accepted: two numbers, the smaller one first"
        )
    return tuple(ends)


def checked_wavelength(where, wavelength):
    if wavelength is not None and not (is_number(wavelength, 0) and wavelength):
        raise InputError(
            f"{where}: wavelength is {wavelength!r}, accepted: a number above 0, in angstrom"
        )
    return wavelength


def read_peaks(where, spectrum, lowest, highest):
    """Return the positions, int64 (peaks,), and heights, float64 (peaks,), of a class, checked.

    lowest, highest: the first and the last position that is accepted.
    """
    if not isinstance(spectrum, dict):
        raise InputError(f"{where} is {spectrum!r}, accepted: an object with peak_positions")
    for field in ("peak_positions", "peak_heights"):
        if not isinstance(spectrum.get(field), list):
            raise InputError(f"{where}: {field} is {spectrum.get(field)!r}, accepted: a list")
    xs, hs = spectrum["peak_positions"], spectrum["peak_heights"]
    if len(xs) != len(hs):
        raise InputError(f"{where} has {len(xs)} peak_positions but {len(hs)} peak_heights")
    for x in xs:
        if not is_whole(x, lowest, highest):
            raise InputError(
                f"{where}: peak position {x!r}, accepted: whole numbers from {lowest} to {highest}"
            )
    for h in hs:
        if not is_number(h, 0, 1):
            raise InputError(f"{where}: peak height {h!r}, accepted: numbers from 0 to 1")
    if hs and max(hs) != 1:
        raise InputError(
            f"{where}: the highest peak has height {max(hs)}, accepted: 1 (heights are relative "
            f"to it)"
        )
    return np.array(xs, np.int64), np.array(hs, np.float64)


def read_variants(where, recorded):
    """Return a list of Variant from the test_variants of a class, all checked."""
    if not isinstance(recorded, list) or not recorded:
        raise InputError(
            f"{where}: test_variants is {recorded!r}, accepted: a list of [shift, height change]"
        )
    for pair in recorded:
        valid = isinstance(pair, list) and len(pair) == 2
        valid = valid and is_whole(pair[0], -LARGEST) and is_number(pair[1], -1, 1)
        if not valid:
            raise InputError(
                f"{where}: test variant {pair!r}, accepted: [shift, height change], a whole number "
                f"of datapoints and a number from -1 to 1"
            )
    return [Variant(shift, change) for shift, change in recorded]


def check_room(where, positions, variants, datapoints):
    for shift, _ in variants:
        if positions.min() + shift < 0 or positions.max() + shift >= datapoints:
            raise InputError(
                f"{where}: a test variant shifts by {shift}, accepted: shifts that leave its peaks "
                f"within 0 to {datapoints - 1}"
            )


def named_fields(class_file):
    """Return what dataset.json records of a class file that says what it stands for."""
    fields = {
        "class_names": class_file.names,
        "unit": class_file.unit,
        "range": class_file.range,
        "samples": class_file.samples,
        "background": class_file.background,
        "wavelength": class_file.wavelength,
    }
    return {name: value for name, value in fields.items() if value}


def peak_statistics(class_file):
    """Return what dataset.json records of the peaks: their number, positions and heights."""
    counts = [len(positions) for positions in class_file.positions]
    positions = np.concatenate(class_file.positions)
    heights = np.concatenate(class_file.heights)
    return {
        "total": sum(counts),
        "per_class": {"min": min(counts), "mean": sum(counts) / len(counts), "max": max(counts)},
        "position": {"min": int(positions.min()), "max": int(positions.max())},
        "height": {"min": heights.min(), "mean": round(heights.mean(), 6), "max": heights.max()},
    }
