"""Read measured spectra, draw them, and bring them into the form of the synthetic ones.

    python measured_spectra.py --measured quartz.txt ethanol.jdx pattern.xrdml
    python measured_spectra.py --measured *.txt --save datasets/mine/x_test_measured.npy

The figure is made as Figure 1 of Schuetzke, Szymanski and Reischl, "A universal synthetic dataset
for machine learning on spectroscopic data" (2022): one row per file, on the left all of a spectrum,
on the right the 1000 datapoints with the largest variance.

Files are recognised by their content, whatever their names. Each gives one spectrum:

    columns     x and y, separated by semicolon, tab, comma or blanks; header lines, comments
                (# ' ! ; % // and /* */), quotes, decimal commas where they can be nothing else; a
                third column if it holds the errors of y. RRUFF's files are of this kind
    JCAMP-DX    (X++(Y..Y)) in the forms AFFN, PAC, SQZ, DIF and DUP, (XY..XY), pages of NTUPLES
    XRDML, UXD, RAS    of powder diffractometers

Of a file with several spectra BLOCK chooses one. Peak tables and mass spectra are refused, as they
are not continuous; so are binary formats, with what to export instead. Whatever was left out,
averaged or decided about a file is said in a warning.

x may rise or fall, but not turn. The y of equal x are averaged. A spectrum is brought to DATAPOINTS
equally spaced datapoints, from the smallest x of the file to the largest, or over RANGE, which
spectra that are to be compared must share. Then its minimum is subtracted and it is divided by its
maximum. A background that slopes or bends stays in. Peaks that point down, as those of
transmittance do, stay so.

Where datapoints are closer than the measured points, they are interpolated. Where they are further
apart, each stands for all measured points that are nearer to it than to any other, and takes the
one furthest from the level around it: so narrow lines keep their heights, while noise is drawn as
its upper edge. A warning says how many DATAPOINTS would resolve lines that are narrower than one.
"""

import sys
from pathlib import Path
from typing import Annotated

import matplotlib
import numpy as np
from matplotlib.figure import Figure

import dataset_config_generator
from benchmark.command_line import LARGEST, InputError, require, require_range, run_script, warn
from benchmark.figure_style import BLUE, STYLE, WIDTH, check_figure, printable, save, told_of
from benchmark.files import refuse_input, replace_file, write_array
from benchmark.measurement_files import (
    read_all,
    warn_of_different_units,
    warn_of_different_wavelengths,
)
from benchmark.resampling import losses, resample
from benchmark.table_formats import one_line

# Files
MEASURED: Annotated[tuple[str, ...] | None, "Measurements to read, one spectrum in each file."] = (
    None
)
SAVE: Annotated[
    str | None, "File for the spectra as the networks read them, x_NAME.npy; none by default."
] = None
FIGURE: Annotated[str, "Figure to write, both as .png and as .pdf."] = "figures/measured.png"
BLOCK: Annotated[
    str | None, "Spectrum to read from files that hold several: its number from 1, or its title."
] = None
SKIP_UNREADABLE: Annotated[bool, "Go on without the files that cannot be read."] = False

# Spectra
DATAPOINTS: Annotated[int, "Datapoints per spectrum."] = dataset_config_generator.DATAPOINTS
RANGE: Annotated[
    tuple[float, float] | None, "x of the first and last datapoint; by default those of each file."
] = None

EXCERPT = 1000  # datapoints of the right-hand side, or a fifth of all if that is less
MOST_ROWS = 20  # of the figure; more would not fit on any page
ROW_HEIGHT, PAGE_HEIGHT = 1.5, 10  # inches: of a row, of all rows at most
EXCERPT_COLOUR = "#e0e0e0"


def main(settings):
    check(settings)

    def bring(measurement):
        return resample(measurement.x, measurement.y, settings.datapoints, settings.range)

    paths, measurements, spectra = read_all(
        settings.measured, bring, block=settings.block, skip_unreadable=settings.skip_unreadable
    )
    for path, measurement in zip(paths, measurements, strict=True):
        x, y = measurement.x, measurement.y
        print(f"{path}: {len(x)} points from {x[0]:g} to {x[-1]:g}")
        for note in (*measurement.notes, *losses(x, y, settings.datapoints, settings.range)):
            warn(f"{path}: {note}")
    warn_of_different_units(paths, measurements)
    warn_of_different_wavelengths(paths, measurements)
    if settings.save is not None:
        with replace_file(settings.save) as file:
            write_array(file, spectra)
        print(f"{settings.save}: {len(spectra)} spectra of {settings.datapoints} datapoints")
        if not settings.range:
            warn_of_different_ranges(paths, measurements)
    figure = Path(settings.figure)
    names = [Path(path).name for path in paths]
    units = [measurement.x_unit for measurement in measurements]
    titles = [
        f"{printable(name)}, x in {one_line(unit)}" if unit else printable(name)
        for name, unit in zip(names, units, strict=True)
    ]
    ends = [settings.range or (m.x[0], m.x[-1]) for m in measurements]
    drawn = draw_spectra(titles[:MOST_ROWS], ends[:MOST_ROWS], spectra[:MOST_ROWS])
    save(drawn, figure.parent, figure.stem)
    print(told_of(figure, MOST_ROWS, len(names), "spectra"))


def check(settings):
    if not settings.measured:
        raise InputError("no measurement is given, accepted: --measured with one or more files")
    accepted = f"2 to {LARGEST}"
    require(2 <= settings.datapoints <= LARGEST, "DATAPOINTS", settings.datapoints, accepted)
    if settings.save is not None:
        require(
            Path(settings.save).suffix == ".npy", "SAVE", settings.save, "a name ending in .npy"
        )
    refuse_input("SAVE", settings.save, settings.measured)
    check_figure(settings.figure, settings.measured)
    if settings.range:
        require_range(settings.range)


def warn_of_different_ranges(paths, measurements):
    ranges = {}
    for path, measurement in zip(paths, measurements, strict=True):
        ranges[f"{measurement.x[0]:g} to {measurement.x[-1]:g}"] = path
    if len(ranges) > 1:
        (one, path), (other, other_path), *_ = ranges.items()
        warn(
            f"{path} goes from {one} and {other_path} from {other}, so the same datapoint is "
            f"another x in either; RANGE makes it the same"
        )


def busiest_excerpt(spectrum, datapoints):
    """Return the slice of this many datapoints, or of all, whose variance is the largest."""
    datapoints = min(datapoints, len(spectrum))
    deviation = spectrum - np.mean(spectrum, dtype=np.float64)
    sums, squares = (
        np.concatenate([[0], np.cumsum(values)]) for values in (deviation, deviation**2)
    )
    mean = (sums[datapoints:] - sums[:-datapoints]) / datapoints
    variance = (squares[datapoints:] - squares[:-datapoints]) / datapoints - mean**2
    first = int(np.argmax(variance))
    return slice(first, first + datapoints)


@matplotlib.rc_context(STYLE)
def draw_spectra(titles, ends, spectra):
    """Draw one row per spectrum: all of it, and its busiest excerpt. Returns the figure.

    titles: of the rows; ends: x of the first and the last datapoint of each; spectra: array
    (spectra, datapoints), from 0 to 1.
    """
    rows_height = min(ROW_HEIGHT * len(spectra), PAGE_HEIGHT)
    figure = Figure((WIDTH, 0.4 + rows_height), layout="constrained")
    rows = figure.subplots(len(spectra), 2, sharey=True, squeeze=False, width_ratios=(1.6, 1))
    shown = zip(titles, ends, spectra, rows, strict=True)
    for title, (first, last), spectrum, (whole, part) in shown:
        excerpt = busiest_excerpt(spectrum, min(EXCERPT, max(2, len(spectrum) // 5)))
        x = np.linspace(first, last, len(spectrum))
        whole.axvspan(*x[excerpt][[0, -1]], color=EXCERPT_COLOUR, linewidth=0)
        whole.plot(x, spectrum, color=BLUE, linewidth=0.6)
        part.plot(x[excerpt], spectrum[excerpt], color=BLUE, linewidth=0.8)
        whole.set_xlim(first, last)
        part.set_xlim(*x[excerpt][[0, -1]])
        whole.set_ylim(-0.03, 1.05)
        whole.set_yticks([0, 0.5, 1])
        # A file name may hold dollar signs, which do not begin a formula.
        whole.set_title(title, loc="left", parse_math=False)
    figure.supylabel("relative intensity", fontsize=9)
    for axes in rows[-1]:
        axes.set_xlabel("x")
    return figure


if __name__ == "__main__":
    run_script(sys.modules[__name__], main)
