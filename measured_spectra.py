"""Read measured spectra, draw them, and bring them into the form of the synthetic ones.

    python measured_spectra.py --measured quartz.txt ethanol.jdx pattern.csv
    python measured_spectra.py --measured *.txt --save datasets/mine/x_test_measured.npy

The figure is made as Figure 1 of Schuetzke, Szymanski and Reischl, "A universal synthetic dataset
for machine learning on spectroscopic data" (2022): one row per file, on the left all of a spectrum,
on the right the 1000 datapoints with the largest variance.

Files are recognised by their content, whatever their names. Each holds one spectrum:

    RRUFF text      lines "##KEY=value", then lines "x, y"
    two columns     x and y with decimal points, separated by comma, semicolon, tab or blanks;
                    what follows a # is a comment, and the first line may be a header
    JCAMP-DX        (X++(Y..Y)) in the forms AFFN, PAC, SQZ, DIF and DUP, or (XY..XY)

x may rise or fall, but not turn or stand still. A spectrum is interpolated to DATAPOINTS equally
spaced datapoints, from the smallest x of the file to the largest, or over RANGE, which spectra that
are to be compared must share. Then its minimum is subtracted and it is divided by its maximum. A
background that slopes or bends stays in. Datapoints further apart than the measured points may miss
the top of a peak; give more of them then. Peaks that point down, as those of transmittance do, stay
so.
"""

import sys
from pathlib import Path
from typing import Annotated

import matplotlib
import numpy as np
from matplotlib.figure import Figure

import dataset_config_generator
from benchmark.command_line import LARGEST, InputError, require, run_script
from benchmark.figure_style import BLUE, STYLE, WIDTH, save
from benchmark.files import replace_file
from benchmark.measurement_files import read_measurement

# Files
MEASURED: Annotated[tuple[str, ...] | None, "Measurements to read, one spectrum in each file."] = (
    None
)
SAVE: Annotated[
    str | None, "File for the spectra as the networks read them, x_NAME.npy; none by default."
] = None
FIGURE: Annotated[str, "Figure to write, both as .png and as .pdf."] = "figures/measured.png"

# Spectra
DATAPOINTS: Annotated[int, "Datapoints per spectrum."] = dataset_config_generator.DATAPOINTS
RANGE: Annotated[
    tuple[float, float] | None, "x of the first and last datapoint; by default those of each file."
] = None

EXCERPT = 1000  # datapoints of the right-hand side
MOST_ROWS = 20  # of the figure; more would not fit on any page
ROW_HEIGHT = 1.5  # inches
EXCERPT_COLOUR = "#e0e0e0"


def main(settings):
    if not settings.measured:
        raise InputError("no measurement is given, accepted: --measured with one or more files")
    accepted = f"2 to {LARGEST}"
    require(2 <= settings.datapoints <= LARGEST, "DATAPOINTS", settings.datapoints, accepted)
    figure = Path(settings.figure)
    require(figure.suffix in (".png", ".pdf"), "FIGURE", figure, "a name ending in .png or .pdf")
    if settings.save is not None:
        require(
            Path(settings.save).suffix == ".npy", "SAVE", settings.save, "a name ending in .npy"
        )
    if settings.range:
        first, last = settings.range
        rises = -np.inf < first < last < np.inf
        require(rises, "RANGE", f"{first:g} {last:g}", "two numbers, the smaller one first")
    spectra = np.empty((len(settings.measured), settings.datapoints), np.float32)
    ranges = {}
    for row, path in enumerate(settings.measured):
        x, y = read_measurement(path)
        try:
            spectra[row] = resample(x, y, settings.datapoints, settings.range)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        print(f"{path}: {len(x)} points from {x[0]:g} to {x[-1]:g}")
        ranges[f"{x[0]:g} to {x[-1]:g}"] = path
    if settings.save is not None:
        with replace_file(settings.save) as file:
            np.save(file, spectra)
        print(f"{settings.save}: {len(spectra)} spectra of {settings.datapoints} datapoints")
        if len(ranges) > 1 and not settings.range:
            (one, path), (other, other_path), *_ = ranges.items()
            print(
                f"warning: {path} goes from {one} and {other_path} from {other}, so the same "
                f"datapoint is another x in either; RANGE makes it the same",
                file=sys.stderr,
            )
    names = [Path(path).name for path in settings.measured]
    drawn = draw_spectra(names[:MOST_ROWS], spectra[:MOST_ROWS])
    save(drawn, figure.parent, figure.stem)
    shown = f"the first {MOST_ROWS}" if len(names) > MOST_ROWS else "all"
    print(f"{figure.with_suffix('.png')} and .pdf: {shown} of {len(names)} spectra")


def resample(x, y, datapoints=DATAPOINTS, limits=None):
    """Bring a measurement into the form of the synthetic spectra.

    x, y: arrays (points,), x rising, of any unit; limits: x of the first and the last datapoint, by
    default those of the measurement. Returns a float32 array (datapoints,), linearly interpolated
    at equal distances of x, with minimum 0 and maximum 1.

    Raises InputError if the measurement does not cover the limits, or if y does not vary over these
    datapoints, or varies beyond floating point.
    """
    first, last = limits or (x[0], x[-1])
    if not x[0] <= first < last <= x[-1]:
        raise InputError(
            f"x goes from {x[0]:g} to {x[-1]:g}, accepted: all of RANGE, {first:g} to {last:g}"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        spectrum = np.interp(np.linspace(first, last, datapoints), x, y)
        lowest, highest = spectrum.min(), spectrum.max()
        height = highest - lowest
        if not 0 < height < np.inf:
            raise InputError(
                f"y goes from {lowest:g} to {highest:g} over {datapoints} datapoints, accepted: a "
                f"finite difference above 0"
            )
        return ((spectrum - lowest) / height).astype(np.float32)


def busiest_excerpt(spectrum, datapoints=EXCERPT):
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


def draw_spectra(names, spectra):
    """Draw one row per spectrum: all of it, and its busiest excerpt. Returns the figure.

    names: titles of the rows; spectra: array (spectra, datapoints), from 0 to 1.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure((WIDTH, 0.4 + ROW_HEIGHT * len(spectra)), layout="constrained")
        rows = figure.subplots(len(spectra), 2, sharey=True, squeeze=False, width_ratios=(1.6, 1))
    for name, spectrum, (whole, part) in zip(names, spectra, rows, strict=True):
        excerpt = busiest_excerpt(spectrum)
        datapoints = np.arange(len(spectrum))
        whole.axvspan(excerpt.start, excerpt.stop - 1, color=EXCERPT_COLOUR, linewidth=0)
        whole.plot(datapoints, spectrum, color=BLUE, linewidth=0.6)
        part.plot(datapoints[excerpt], spectrum[excerpt], color=BLUE, linewidth=0.8)
        whole.set_xlim(0, len(spectrum) - 1)
        part.set_xlim(excerpt.start, excerpt.stop - 1)
        whole.set_ylim(-0.03, 1.05)
        whole.set_yticks([0, 0.5, 1])
        whole.set_ylabel("relative intensity")
        # A file name may hold dollar signs, which are no formula.
        whole.set_title(name, loc="left", parse_math=False)
    for axes in rows[-1]:
        axes.set_xlabel("datapoint")
    return figure


if __name__ == "__main__":
    run_script(sys.modules[__name__], main)
