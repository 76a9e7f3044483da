"""Make a class file of real peaks: from peak tables, or from the peaks of reference measurements.

    python class_file_from_peaks.py --peaks peaks.csv --range 200 1200 --datapoints 1000
    python class_file_from_peaks.py --measured rruff.zip --range 200 1200 --datapoints 1000
    python class_file_from_peaks.py --measured datasets/minerals --figure figures/peaks.png

The last line that it prints is the command that renders synthetic spectra of these classes. To
train networks on them and judge these on measured spectra of samples that nothing was taken from:

    python measured_dataset.py --measured rruff.zip --output datasets/minerals
    python class_file_from_peaks.py --measured datasets/minerals --output dataset_configs/peaks.json
    python spectra_from_config.py ...   # as printed, which writes datasets/peaks
    python measured_dataset.py --measured rruff.zip --beside datasets/peaks

PEAKS are CSV files with the columns class, position and height (perhaps unit, and the wavelength of
X-rays in angstrom) and a row for each peak, or JCAMP-DX files with a PEAK TABLE for each class,
whose TITLE names it. MEASURED are files, folders and zip archives, which are read and labelled as
measured_dataset.py does; or one dataset folder of that script, of which only the training spectra
are looked at. Spectra whose bands point down by their unit of y, such as transmittance, are left
out, or refused in a dataset folder.

A class gets the peaks of its mean spectrum: every spectrum goes from 0 to 1 over RANGE, the spectra
of a sample are averaged first, then the samples, so that each sample counts once. Peaks are what
rises by PROMINENCE above what surrounds it; of more than MAX_PEAKS the most prominent stay. Heights
are those of the mean spectrum, or of the table, relative to the highest peak of the class. Peaks
that fall on one datapoint become one, as high as both together, as Gaussians that are summed. Peaks
outside RANGE or within BOUNDARY of its ends are left out, and named. Classes are ordered by name.
Heights include the background on which peaks stand, unless BACKGROUND subtracts it. FIGURE draws
the peaks of the first 48 classes in their mean spectra.

How spectra should vary is told by the measurements. The peaks of each spectrum are held against
those of its class; a peak that lies further away than two of its widths sigma is another one.
Shifts and height changes are told by classes of two or more samples, widths and shapes by all.
MAX_SHIFT and MAX_HEIGHT_CHANGE hold for nine of ten peaks. As rendered spectra have one width for
all their peaks, KERNEL_RANGE goes by the median width of each spectrum: a tenth of them are below
the range, and a tenth above; TEST_KERNEL is their median. PEAK_SHAPE is pseudo_voigt if single
peaks have tails more like those of a profile that is half Lorentzian than like a Gaussian's.
N_TRAIN gives as many training spectra as the paper has, 25,000, but no more than 500 of a class.
Where nothing is measured, the flags are those of the paper, shifts in proportion to the datapoints
(Schuetzke, Szymanski and Reischl, "A universal synthetic dataset for machine learning on
spectroscopic data", 2022).

The class file lists the samples whose spectra gave the peaks of each class, so that
measured_dataset.py can refuse to test on them.
"""

import sys
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np

import dataset_config_generator
from benchmark.advised_variation import COVERED, advice_for, command_for
from benchmark.class_file_writer import write_class_file
from benchmark.command_line import LARGEST, InputError, require, require_range, run_script, warn
from benchmark.data_card import array_names, require_same_range
from benchmark.dataset_folder import hash_and_check, read_dataset
from benchmark.figure_style import check_figure, save, told_of
from benchmark.files import refuse_input
from benchmark.measured_collection import (
    collect,
    tell_of_files,
    unit_of,
    wavelength_of,
    y_unit_of,
)
from benchmark.measured_samples import Form, require_background_method, samples_of
from benchmark.measurement import UPWARD, opposite
from benchmark.peak_detection import (
    GAUSSIAN_TAILS,
    LORENTZIAN_TAILS,
    Detection,
    Scatter,
    background_under,
    class_peaks,
    cut_off,
    detect_all,
    lines_in_two,
    mean_spectrum,
    scatter_of,
)
from benchmark.peak_figure import Pattern, draw_patterns
from benchmark.peak_patterns import Grid, PeakLimits, pattern_of
from benchmark.peak_tables import common_unit, common_wavelength, read_peak_tables
from benchmark.sample_labels import read_labels

# Files
PEAKS: Annotated[
    tuple[str, ...] | None, "Peak tables: CSV class,position,height, or JCAMP-DX PEAK TABLE."
] = None
MEASURED: Annotated[
    tuple[str, ...] | None,
    "Files, folders and zip archives of measurements, or one dataset folder made of them.",
] = None
LABELS: Annotated[
    str | None, "CSV table file,class,sample of the measurements; by default RRUFF's file names."
] = None
OUTPUT: Annotated[str, "Class file to write."] = "dataset_configs/measured.json"
FIGURE: Annotated[
    str | None, "Figure of the peaks to write, both as .png and as .pdf; none by default."
] = None

# Datapoints
RANGE: Annotated[
    tuple[float, float] | None,
    "x of the first and last datapoint; by default the dataset folder's, otherwise needed.",
] = None
DATAPOINTS: Annotated[
    int | None, "Datapoints per spectrum; by default the dataset folder's, otherwise 5000."
] = None
UNIT: Annotated[str | None, "Unit of positions and x; by default what the files say."] = None
BACKGROUND: Annotated[
    Literal["none", "arpls", "asls"],
    "Method of pybaselines that subtracts the background of measured files; that of a dataset "
    "folder is subtracted by measured_dataset.py.",
] = "none"
BOUNDARY: Annotated[
    int | None,
    "Peaks closer than this many datapoints to either end are left out; by default the largest "
    "shift that is advised.",
] = None

# Peaks
PROMINENCE: Annotated[
    float, "Least rise of a peak above what surrounds it, as a fraction of the highest."
] = 0.04
MIN_HEIGHT: Annotated[float, "Lowest peak, as a fraction of the highest."] = 0.02
MAX_PEAKS: Annotated[
    int, "Most peaks of a class: the most prominent, or in tables the highest."
] = 12

MOST_CLASSES = 48  # of the figure; more would not fit on a page
HIGH_BACKGROUND = 0.1  # of the highest peak: twice what the paper's heights vary


class Measured(NamedTuple):
    """Measured spectra of the classes."""

    names: list  # of the classes
    unit: str  # of x; "" if nobody says
    grid: Grid
    labels: np.ndarray  # int64 (n,), the class of each spectrum
    samples: np.ndarray  # (n,), the sample of each
    samples_named: bool  # if not, each spectrum is taken for a sample
    background: str | None  # that was subtracted; None if none was
    wavelength: float | None  # of X-rays, in angstrom; None if nobody says
    spectra: np.ndarray  # float64 (n, datapoints), each from 0 to 1


class Classes(NamedTuple):
    """The classes, and their peaks before they are brought onto datapoints."""

    names: list
    peaks: list  # per class x and heights, float64 (peaks,) each
    unit: str  # of x; "" if nobody says
    grid: Grid
    means: list | None = None  # per class float64 (datapoints,), 0 to 1; None without spectra
    scatter: Scatter | None = None  # None without measured spectra
    samples: list | None = None  # per class the names of its samples; None if nobody says
    background: str | None = None  # subtracted from the measurements; None if none was
    wavelength: float | None = None  # of X-rays, in angstrom; None if nobody says


def main(settings):
    check(settings)
    classes = of_tables(settings) if settings.peaks else of_measurements(settings)
    advice = advice_for(
        classes=len(classes.names), datapoints=classes.grid.datapoints, scatter=classes.scatter
    )
    boundary = advice.max_shift if settings.boundary is None else settings.boundary
    config = class_file_of(classes, PeakLimits(boundary, settings.min_height, settings.max_peaks))
    room = room_of(config)
    if room < advice.max_shift:
        warn(f"MAX_SHIFT is {room}, not {advice.max_shift}, as a peak lies that close to an end")
        advice = advice._replace(max_shift=room, test_shift=min(room, advice.test_shift))
    digest = write_class_file(settings.output, config)
    tell(classes, config, settings.output, digest)
    tell_what_is_the_papers(classes, advice)
    if settings.figure is not None:
        draw(Path(settings.figure), classes, config)
    print(command_for(settings.output, advice))


def check(settings):
    given = [name.upper() for name in ("peaks", "measured") if getattr(settings, name)]
    if len(given) != 1:
        found = "both PEAKS and MEASURED are" if given else "neither PEAKS nor MEASURED is"
        raise InputError(f"{found} given, accepted: one of them")
    if settings.peaks:
        require(settings.labels is None, "LABELS", settings.labels, "none with PEAKS")
        plain = settings.background == "none"
        require(plain, "BACKGROUND", settings.background, "none with PEAKS")
    if settings.datapoints is not None:
        accepted = f"a whole number from 2 to {LARGEST}"
        require(2 <= settings.datapoints <= LARGEST, "DATAPOINTS", settings.datapoints, accepted)
    if settings.range:
        require_range(settings.range)
    if settings.boundary is not None:
        require(0 <= settings.boundary <= LARGEST, "BOUNDARY", settings.boundary, f"0 to {LARGEST}")
    for name in "prominence", "min_height":
        value = getattr(settings, name)
        require(0 < value < 1, name.upper(), value, "above 0 and below 1, the highest peak")
    require(settings.max_peaks >= 1, "MAX_PEAKS", settings.max_peaks, "1 or more")
    require_background_method(settings.background)
    labels = [settings.labels] if settings.labels else []
    inputs = [*(settings.peaks or settings.measured), *labels]
    refuse_input("OUTPUT", settings.output, inputs)
    check_figure(settings.figure, inputs)


def of_tables(settings):
    """Return the Classes of PEAKS."""
    grid = grid_of_files(settings)
    tables = read_peak_tables(settings.peaks)
    units = {f"class {name} in {table.path}": table.unit for name, table in tables.items()}
    unit = common_unit(units, settings.unit)
    first, last = grid.range
    x = np.concatenate([table.x for table in tables.values()])
    if not ((x >= first) & (x <= last)).any():
        in_unit = f" in {unit}" if unit else ""
        raise InputError(
            f"RANGE is {first:g} {last:g}, accepted: two numbers in the unit of the peaks, which "
            f"lie from {x.min():g} to {x.max():g}{in_unit}"
        )
    peaks = [(table.x, table.heights) for table in tables.values()]
    wavelength = common_wavelength(tables)
    return Classes(names=list(tables), peaks=peaks, unit=unit, grid=grid, wavelength=wavelength)


def grid_of_files(settings):
    require(settings.range, "RANGE", None, "x of the first and the last datapoint")
    return Grid(settings.datapoints or dataset_config_generator.DATAPOINTS, settings.range)


def of_measurements(settings):
    """Return the Classes of MEASURED."""
    folder = Path(settings.measured[0])
    if (folder / array_names("train")[0]).exists():
        single = len(settings.measured) == 1
        require(single, "MEASURED", " ".join(settings.measured), "one dataset folder and no files")
        measured = read_training_spectra(folder, settings)
    else:
        measured = read_files(settings)
    names, grid = measured.names, measured.grid
    detection = Detection(settings.prominence, settings.min_height, settings.max_peaks)
    of_classes = [measured.labels == label for label in range(len(names))]
    classes = [(measured.spectra[rows], measured.samples[rows]) for rows in of_classes]
    means = [mean_spectrum(spectra, samples) for spectra, samples in classes]
    patterns = [class_peaks(name, mean, detection) for name, mean in zip(names, means, strict=True)]
    tell_of_missing_peaks(names, grid, means, detection)
    detected = [(detect_all(spectra, detection), samples) for spectra, samples in classes]
    tell_of_lines_in_two(names, grid, detected, patterns)
    if not measured.background:  # what is left where one was subtracted are broad peaks
        tell_of_backgrounds(names, means, patterns)
    scatter = scatter_of(detected, patterns)
    samples = [np.unique(samples).tolist() for _, samples in classes]
    return Classes(
        names=names,
        peaks=[(grid.x_at(pattern.positions), pattern.heights) for pattern in patterns],
        unit=measured.unit,
        grid=grid,
        means=means,
        scatter=scatter if len(scatter.widths) else None,
        samples=samples if measured.samples_named else None,
        background=measured.background,
        wavelength=measured.wavelength,
    )


def tell_of_missing_peaks(names, grid, means, detection):
    """Name the classes whose pattern lacks something of their mean spectrum (datapoints,)."""
    ends, further = [], []
    for name, mean, every in zip(names, means, detect_all(means, detection), strict=True):
        cut = ", ".join(f"{grid.x_at(p):g}" for p in cut_off(mean, detection))
        if cut:
            ends.append(f"{name} at {cut}")
        more = len(every.positions) - detection.max_peaks
        if more > 0:
            further.append(f"{more} of {name}")
    if ends:
        warn(
            f"spectra rise to an end of RANGE, where a peak may be cut off that the class file "
            f"lacks: {', '.join(ends)}"
        )
    if further:
        warn(f"peaks left out by MAX_PEAKS {detection.max_peaks}: {', '.join(further)}")


def tell_of_lines_in_two(names, grid, detected, patterns):
    """Name the neighbouring peaks that may be one line of the class.

    detected: per class the DetectedPeaks of its spectra, and their samples; patterns: those of its
    mean.
    """
    found = []
    for name, (of_spectra, _), pattern in zip(names, detected, patterns, strict=True):
        for number in lines_in_two(of_spectra, pattern):
            one, other = (f"{grid.x_at(x):g}" for x in pattern.positions[number : number + 2])
            found.append(f"{name} at {one} and {other}")
    if found:
        warn(
            f"two peaks of the class file may be one line that lies elsewhere in some samples, as "
            f"no spectrum has both: {', '.join(found)}"
        )


def tell_of_backgrounds(names, means, patterns):
    """Name the classes whose peaks, DetectedPeaks of mean (datapoints,), stand on a background."""
    levels = map(background_under, means, patterns)
    high = [
        f"{name} {level:.2g}"
        for name, level in zip(names, levels, strict=True)
        if level > HIGH_BACKGROUND
    ]
    if high:
        warn(
            f"peaks stand on a background, which counts in their heights and whose humps may count "
            f"as peaks: {', '.join(high)} of the highest peak; BACKGROUND arpls subtracts it (of a "
            f"dataset folder, that of measured_dataset.py)"
        )


def read_training_spectra(folder, settings):
    """Return the Measured of a dataset's training split."""
    dataset = read_dataset(folder)
    card = dataset.card or {}
    if card.get("class_file"):
        raise InputError(
            f"{folder} was rendered from {card['class_file']['name']}, accepted: a dataset folder "
            f"made of measurements"
        )
    y_unit = card.get("y_unit") or ""
    if opposite(UPWARD, y_unit):
        raise InputError(f"{folder} has y in {y_unit}, accepted: {UPWARD}, as peaks point up")
    require(settings.labels is None, "LABELS", settings.labels, "none with a dataset folder")
    measured = card.get("measured", {})
    background = measured.get("parameters", {}).get("background", "none")
    refuse_other_form(settings, folder, dataset, background)
    x_range = settings.range or card.get("range")
    unit = common_unit({str(folder): card.get("unit")}, settings.unit)
    hash_and_check(dataset)
    spectra, labels = dataset.splits["train"]
    rows = measured.get("rows", {}).get("train")
    if rows is None:
        warn(f"{folder} does not tell samples, so each spectrum is taken for one of its own")
    samples = range(len(labels)) if rows is None else [row["sample"] for row in rows]
    return Measured(
        names=dataset.class_names or [str(label) for label in range(dataset.classes)],
        unit=unit,
        grid=Grid(dataset.datapoints, tuple(x_range) if x_range else None),
        labels=np.asarray(labels),
        samples=np.array(samples),
        samples_named=rows is not None,
        background=None if background == "none" else background,
        wavelength=card.get("wavelength"),
        spectra=from_0_to_1(spectra),
    )


def refuse_other_form(settings, folder, dataset, background):
    """Raise InputError if RANGE, DATAPOINTS or BACKGROUND are given and not those of the folder."""
    recorded = (dataset.card or {}).get("range")
    if settings.range and recorded:
        require_same_range(settings.range, recorded, folder)
    same = settings.datapoints in (None, dataset.datapoints)
    accepted = f"{dataset.datapoints}, as in {folder}"
    require(same, "DATAPOINTS", settings.datapoints, accepted)
    same = settings.background in ("none", background)
    accepted = f"{background}, as measured_dataset.py made {folder}"
    require(same, "BACKGROUND", settings.background, accepted)


def from_0_to_1(spectra):
    """Return spectra as float64 (n, datapoints), each from 0 to 1; a constant one is 0."""
    spectra = np.array(spectra, np.float64)
    spectra -= spectra.min(axis=1, keepdims=True)
    return spectra / np.maximum(spectra.max(axis=1, keepdims=True), np.finfo(np.float64).tiny)


def read_files(settings):
    """Return the Measured of measurement files."""
    grid = grid_of_files(settings)
    table = read_labels(settings.labels) if settings.labels else None
    form = Form(
        range=grid.range,
        datapoints=grid.datapoints,
        unit=settings.unit,
        background=settings.background,
        y_unit=UPWARD,
    )
    spectra, excluded = collect(settings.measured, form, table, min_samples=1)
    tell_of_files(spectra, excluded)
    y_unit_of(spectra)  # which warns of different ones
    names = list(samples_of(spectra))
    return Measured(
        names=names,
        unit=unit_of(spectra, settings.unit) or "",
        grid=grid,
        labels=np.array([names.index(spectrum.label.class_name) for spectrum in spectra]),
        samples=np.array([spectrum.label.sample for spectrum in spectra]),
        samples_named=True,
        background=None if settings.background == "none" else settings.background,
        wavelength=wavelength_of(spectra),
        spectra=np.array([spectrum.values for spectrum in spectra]),
    )


def class_file_of(classes, limits):
    """Return the content of the class file, as benchmark/class_file.py reads it."""
    spectra = {}
    for label, (name, peaks) in enumerate(zip(classes.names, classes.peaks, strict=True)):
        positions, heights = pattern_of(name, *peaks, classes.grid, limits)
        spectra[str(label)] = {
            "name": name,
            "peak_positions": positions.tolist(),
            "peak_heights": heights.tolist(),
        }
        if classes.samples:
            spectra[str(label)]["samples"] = classes.samples[label]
    counts = [len(spectrum["peak_positions"]) for spectrum in spectra.values()]
    described = {
        "unit": classes.unit,
        "range": classes.grid.range,
        "background": classes.background,
        "wavelength": classes.wavelength,
    }
    return {
        "datapoints": classes.grid.datapoints,
        "boundary": limits.boundary,
        "classes": len(spectra),
        "min_peaks": min(counts),
        "max_peaks": max(counts),
        **{name: value for name, value in described.items() if value},
        "spectra": spectra,
    }


def room_of(config):
    """Return by how many datapoints every peak may shift to either side."""
    positions = [spectrum["peak_positions"] for spectrum in config["spectra"].values()]
    last = config["datapoints"] - 1
    return min(min(min(of_class), last - max(of_class)) for of_class in positions)


def tell(classes, config, output, digest):
    """Print what the class file holds, and what the measurements say of its peaks."""
    peaks = sum(len(spectrum["peak_positions"]) for spectrum in config["spectra"].values())
    fewest, most = config["min_peaks"], config["max_peaks"]
    print(f"{output}: {config['classes']} classes, {peaks} peaks, {fewest} to {most} per class")
    print(f"sha256 {digest}")
    if not classes.unit:
        warn("the unit is not known, so the class file has none; UNIT names it")
    scatter = classes.scatter
    if scatter is None:
        return
    found = len(scatter.shifts)
    which = ", of all classes" if len(scatter.widths) > found > 0 else ""
    if scatter.expected:
        print(
            f"in {scatter.spectra} spectra of {scatter.samples} samples, {found} of "
            f"{scatter.expected} peaks of their classes are found ({found / scatter.expected:.0%}):"
        )
    else:
        print(f"in {len(scatter.spectrum_widths)} spectra of classes of one sample:")
    unit = f" ({classes.grid.step:.3g} {classes.unit} each)" if classes.unit else ""
    of_shapes = f"Gaussian {GAUSSIAN_TAILS:.2f}, Lorentzian {LORENTZIAN_TAILS:.2f}"
    for name, values in (
        (f"width sigma in datapoints{unit}{which}", scatter.widths),
        (f"median width of a spectrum{which}", scatter.spectrum_widths),
        ("shift in datapoints", scatter.shifts),
        ("height change", scatter.height_changes),
        (f"width at a quarter of the height by that at half ({of_shapes}){which}", scatter.tails),
    ):
        if not len(values):
            continue
        tenth, middle, most = np.percentile(values, (100 - COVERED, 50, COVERED))
        print(
            f"    {name}: median {middle:.3g}, {100 - COVERED} % below {tenth:.3g}, "
            f"{100 - COVERED} % above {most:.3g}"
        )


def draw(figure, classes, config):
    """Write the figure of the first classes, with the peaks that the class file gives them."""
    patterns = []
    for label, name in enumerate(classes.names[:MOST_CLASSES]):
        peaks = config["spectra"][str(label)]
        patterns.append(
            Pattern(
                name=name,
                x=classes.grid.x_at(np.array(peaks["peak_positions"])),
                heights=np.array(peaks["peak_heights"]),
                mean=classes.means[label] if classes.means else None,
            )
        )
    save(draw_patterns(patterns, classes.grid.ends, classes.unit), figure.parent, figure.stem)
    print(told_of(figure, MOST_CLASSES, len(classes.names), "classes"))


def tell_what_is_the_papers(classes, advice):
    """Warn that an Advice is not told by measurements, and say how much its shifts are."""
    if classes.scatter is None:
        text = "no measurements tell how wide peaks are and how far they scatter; the variation"
    elif not len(classes.scatter.shifts):
        text = "no class has several samples to tell how far its peaks scatter; the height change"
    else:
        return
    step, unit = classes.grid.step, f" {classes.unit}" if classes.unit else " on the x axis"
    warn(
        f"{text} below is the paper's, and so are the shifts, in proportion to the datapoints: "
        f"1 datapoint is {step:.3g}{unit}, and MAX_SHIFT {advice.max_shift} is "
        f"{advice.max_shift * step:.3g}{unit}, for each peak on its own"
    )


if __name__ == "__main__":
    run_script(sys.modules[__name__], main)
