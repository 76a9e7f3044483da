"""Measured samples: spectra read for a dataset, and a reason for each file that is left out."""

import hashlib
import importlib.util
from collections import defaultdict
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from benchmark.command_line import InputError, in_one_line
from benchmark.measurement import opposite, same_unit
from benchmark.measurement_files import parse_measurement
from benchmark.resampling import ROUNDING, WIDEST_GAP, covers, losses, resample, widest_gap
from benchmark.sample_labels import Label

# Why files are left out, as the screen counts them
NO_MEASUREMENT = "made by the operating system beside measurements"
ARCHIVE = "of packed measurements"
NO_LABEL = "without class and sample"
NOT_FOUND = "named in LABELS, but not among MEASURED"
TWO_CLASSES = "of a sample that has two classes"
UNREADABLE = "not readable"
OTHER_UNIT = "in another unit"
NOT_COVERED = "not covering RANGE"
TOO_FEW_POINTS = "with too few points"
CONSTANT = "without a difference in y"
TWICE = "with the content of another file"
FEW_SAMPLES = "of a class with fewer than MIN_SAMPLES samples"
NO_CLASS = "of a class that BESIDE does not have"


class Form(NamedTuple):
    """The form into which spectra are brought."""

    range: tuple[float, float]  # x of the first and the last datapoint
    datapoints: int
    unit: str | None  # of x; None if nobody says
    background: str  # "none", or a method of pybaselines
    y_unit: str = ""  # with bands that point where those of y are to point; "" if nobody says
    wavelength: float | None = None  # of X-rays, in angstrom; None if nobody says


class Spectrum(NamedTuple):
    """A usable spectrum."""

    label: Label
    file: str
    values: np.ndarray  # float32 (datapoints,), minimum 0 and maximum 1
    unit: str  # of x, as the file writes it; "" where it says nothing
    notes: tuple[str, ...]  # what was averaged or decided
    points_sha256: str  # of x and y, whatever else the file holds
    sha256: str  # of the file
    y_unit: str  # as the file writes it; "" where it says nothing
    wavelength: float | None  # of X-rays, in angstrom; None where the file states none


class Exclusion(NamedTuple):
    """A file that is left out."""

    file: str
    kind: str  # one of the constants above
    reason: str
    class_name: str | None = None  # None if nobody says


class Unusable(Exception):
    """A file cannot be used: kind and reason of the Exclusion."""


def read_spectra(sources, labels, form):
    """Read all sources that have a label, and bring them into one form.

    sources: list of Source; labels: Source.name -> Label; form: a Form. Returns a list of Spectrum
    and a list of Exclusion.
    """
    spectra, excluded = [], []
    for source in tqdm(sources, "reading", unit="file", disable=None, leave=False):
        try:
            spectra.append(read_spectrum(source, labels[source.name], form))
        except Unusable as why:
            class_name = labels[source.name].class_name
            excluded.append(Exclusion(source.name, *why.args, class_name=class_name))
    return spectra, excluded


def read_spectrum(source, label, form):
    """Return the Spectrum of a Source. Raises Unusable."""
    try:
        content = source.read()
        measurement = parse_measurement(source.name, content)
    except InputError as error:
        raise Unusable(UNREADABLE, without_name(error, source.name)) from None
    except OSError as error:
        raise Unusable(UNREADABLE, error.strerror or str(error)) from None
    x, y = measurement.x, measurement.y
    check_usable(measurement, form)
    try:
        values = values_of(x, y, form)
    except InputError as error:
        raise Unusable(CONSTANT, in_one_line(error)) from None
    return Spectrum(
        label=label,
        file=source.name,
        values=values,
        unit=measurement.x_unit,
        notes=(*measurement.notes, *losses(x, y, form.datapoints, form.range)),
        points_sha256=hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest(),
        sha256=hashlib.sha256(content).hexdigest(),
        y_unit=measurement.y_unit,
        wavelength=measurement.wavelength,
    )


def values_of(x, y, form):
    """Return a measurement of points x, y in a Form, float32 (datapoints,) from 0 to 1.

    Raises InputError if nothing is left to divide by.
    """
    values = resample(x, y, form.datapoints, form.range)
    return values if form.background == "none" else without_background(values, form.background)


def without_name(error, name):
    """Return a message without the file that it begins with, as that stands beside it."""
    return in_one_line(error).removeprefix(name).lstrip(" :,")


def check_usable(measurement, form):
    """Raise Unusable unless a Measurement has the units, and points enough over all of RANGE."""
    x, (first, last) = measurement.x, form.range
    if form.unit and not same_unit(form.unit, measurement.x_unit):
        raise Unusable(
            OTHER_UNIT, f"x is in {measurement.x_unit}, accepted: {form.unit}, which UNIT names"
        )
    if opposite(form.y_unit, measurement.y_unit):
        raise Unusable(
            OTHER_UNIT, f"y is in {measurement.y_unit}, accepted: {form.y_unit}, as peaks point up"
        )
    if not covers(x, first, last):
        raise Unusable(
            NOT_COVERED,
            f"x goes from {x[0]:g} to {x[-1]:g}, accepted: all of RANGE, {first:g} to {last:g}",
        )
    left, right = widest_gap(x, first, last)
    gap = right - left
    widest = WIDEST_GAP * (last - first) / (form.datapoints - 1)
    if gap > widest * (1 + ROUNDING):
        raise Unusable(
            TOO_FEW_POINTS,
            f"points in RANGE are up to {gap:g} apart, accepted: {widest:g}, {WIDEST_GAP} "
            f"datapoints",
        )


def require_background_method(method):
    """Raise InputError if the library of a method of background subtraction is missing."""
    if method != "none" and importlib.util.find_spec("pybaselines") is None:
        raise InputError(
            f"BACKGROUND is {method}, which needs pybaselines: run pip install pybaselines"
        )


def without_background(values, method):
    """Subtract a background that `pybaselines` estimates; returns float32 from 0 to 1 again.

    values: float32 (datapoints,); method: name of a method of pybaselines.Baseline.
    """
    import pybaselines  # no requirement of the project

    values = values.astype(np.float64)
    background, _ = getattr(pybaselines.Baseline(), method)(values)
    values = values - background
    values -= values.min()
    if not 0 < values.max() < np.inf:
        raise InputError(f"nothing but background is left by {method}")
    return (values / values.max()).astype(np.float32)


def without_copies(spectra):
    """Keep one of several spectra of the same points, none if they are of different classes.

    spectra: list of Spectrum in an order that decides which one is kept. Returns those kept and a
    list of Exclusion.
    """
    same = defaultdict(list)
    for spectrum in spectra:
        same[spectrum.points_sha256].append(spectrum)
    kept, excluded = [], []
    for spectrum in spectra:
        copies = same[spectrum.points_sha256]
        own = spectrum.label.class_name
        other = next((copy for copy in copies if copy.label.class_name != own), None)
        if other:
            reason = f"the same x and y as {other.file}, which is of class {other.label.class_name}"
            excluded.append(Exclusion(spectrum.file, TWICE, reason, own))
        elif spectrum is copies[0]:
            kept.append(spectrum)
        else:
            reason = f"the same x and y as {copies[0].file}"
            excluded.append(Exclusion(spectrum.file, TWICE, reason, own))
    return kept, excluded


def samples_of(spectra):
    """Return class name -> set of Label of its samples."""
    samples = defaultdict(set)
    for spectrum in spectra:
        samples[spectrum.label.class_name].add(spectrum.label)
    return dict(sorted(samples.items()))


def without_rare_classes(spectra, fewest):
    """Keep the spectra of classes with enough samples; returns them and a list of Exclusion."""
    samples = samples_of(spectra)
    kept, excluded = [], []
    for spectrum in spectra:
        name = spectrum.label.class_name
        count = len(samples[name])
        if count >= fewest:
            kept.append(spectrum)
        else:
            samples_text = "1 sample" if count == 1 else f"{count} samples"
            reason = f"class {name} has {samples_text}, accepted: {fewest}"
            excluded.append(Exclusion(spectrum.file, FEW_SAMPLES, reason, name))
    return kept, excluded
