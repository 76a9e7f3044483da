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

import re
import sys
from pathlib import Path
from typing import Annotated

import numpy as np

import dataset_config_generator
from dataset_config_generator import LARGEST, InputError, replace_file, require, run_script

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
WIDTH = 7.2  # inches, the text width of most journals
RESOLUTION = 200  # dots per inch of the PNG
LINE_COLOUR = "#0072b2"  # blue of the palette of Okabe and Ito, dark enough for grey print
EXCERPT_COLOUR = "#e0e0e0"

# Labels that RRUFF text does not have
JCAMP_LABELS = {"JCAMPDX", "XYDATA", "XYPOINTS", "PEAKTABLE", "PEAKASSIGNMENTS", "NTUPLES"}
MOST_POINTS = 10**7  # of a file: a few characters can repeat a y any number of times
LABEL = re.compile(r"\s*##([^=]*)=(.*)")

# The first character of a compressed number tells its form, sign and first digit.
PSEUDO_DIGITS = {
    pseudo_digit: (form, sign, first + i)
    for form, sign, first, pseudo_digits in (
        ("SQZ", 1, 0, "@ABCDEFGHI"),
        ("SQZ", -1, 1, "abcdefghi"),
        ("DIF", 1, 0, "%JKLMNOPQR"),
        ("DIF", -1, 1, "jklmnopqr"),
        ("DUP", 1, 1, "STUVWXYZs"),
    )
    for i, pseudo_digit in enumerate(pseudo_digits)
}
# An exponent has a sign here: without one, E is a digit of the form SQZ.
NUMBER = re.compile(
    r"(?P<plain>[+-]?(?:\d+\.?\d*|\.\d+)(?:[Ee][+-]\d{1,4})?)"
    r"|(?P<pseudo>[@%A-Za-s])(?P<digits>\d*\.?\d*)"
    r"|[\s,;]+"
)


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
    draw_spectra(names[:MOST_ROWS], spectra[:MOST_ROWS], figure)
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


def draw_spectra(names, spectra, path):
    """Draw one row per spectrum, all of it and its busiest excerpt, as PNG and as PDF.

    names: titles of the rows; spectra: array (spectra, datapoints), from 0 to 1; path: file name,
    of which the suffix is replaced.
    """
    import matplotlib
    from matplotlib.figure import Figure

    # Type 42 keeps text as text in the PDF. A Figure of its own needs no display.
    with matplotlib.rc_context({"pdf.fonttype": 42, "font.size": 8, "text.usetex": False}):
        figure = Figure((WIDTH, 0.4 + ROW_HEIGHT * len(spectra)), layout="constrained")
        rows = figure.subplots(len(spectra), 2, sharey=True, squeeze=False, width_ratios=(1.6, 1))
        for name, spectrum, (whole, part) in zip(names, spectra, rows, strict=True):
            excerpt = busiest_excerpt(spectrum)
            datapoints = np.arange(len(spectrum))
            whole.axvspan(excerpt.start, excerpt.stop - 1, color=EXCERPT_COLOUR, linewidth=0)
            whole.plot(datapoints, spectrum, color=LINE_COLOUR, linewidth=0.6)
            part.plot(datapoints[excerpt], spectrum[excerpt], color=LINE_COLOUR, linewidth=0.8)
            whole.set_xlim(0, len(spectrum) - 1)
            part.set_xlim(excerpt.start, excerpt.stop - 1)
            whole.set_ylim(-0.03, 1.05)
            whole.set_yticks([0, 0.5, 1])
            whole.set_ylabel("relative intensity")
            # A file name may hold dollar signs, which are no formula.
            whole.set_title(name, loc="left", fontsize=8, parse_math=False)
            for axes in whole, part:
                axes.spines[["top", "right"]].set_visible(False)
        for axes in rows[-1]:
            axes.set_xlabel("datapoint")
        for suffix, metadata in (".png", {}), (".pdf", {"CreationDate": None}):
            with replace_file(Path(path).with_suffix(suffix)) as file:
                figure.savefig(file, format=suffix[1:], dpi=RESOLUTION, metadata=metadata)


def read_measurement(path):
    """Read a measured spectrum from RRUFF text, two columns or JCAMP-DX, told by the content.

    Returns x and y, float64 arrays (points,), x rising, in the units of the file. Raises InputError
    naming the file, the line or field, the value and what is accepted.
    """
    lines = read_lines(path)
    labels = {label for label, _ in map(labelled, lines)}
    x, y = read_jcamp(path, lines) if labels & JCAMP_LABELS else read_columns(path, lines)
    if len(x) < 2:
        raise InputError(f"{path} holds {len(x)} points x, y, accepted: 2 or more")
    return (x, y) if x[0] < x[-1] else (x[::-1], y[::-1])


def read_lines(path):
    """Return the lines of a text file in UTF-8 or Latin-1."""
    try:
        content = Path(path).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"measurement {path} does not exist") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder, accepted: files with a measured spectrum") from None
    content = content.rstrip(b"\x1a")  # with which DOS ends a file
    control = re.search(rb"[^\t\n\v\f\r\x20-\xff]", content)
    if control:
        raise InputError(
            f"{path} is no text: byte {control.start()} is {control[0][0]:#04x}, accepted: text in "
            f"UTF-8 or Latin-1"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return re.split(r"\r\n|\r|\n", text)


def labelled(line):
    """Split "##LABEL= value"; labels are alike whatever their case, blanks, -, / and _."""
    match = LABEL.match(line)
    return (re.sub(r"[\s/_-]", "", match[1]).upper(), match[2].strip()) if match else (None, line)


def read_columns(path, lines):
    rows, header = [], False
    for number, line in enumerate(lines, 1):
        content = line.partition("#")[0].strip()
        if not content:
            continue
        fields = re.split(r"\s*[,;]\s*|\s+", content)
        if not rows and not header and is_header(fields):
            header = True
            continue
        numbers = as_numbers(fields)
        if numbers is None or len(numbers) != 2:
            raise InputError(
                f"{path}: line {number} is {shortened(content)}, accepted: two numbers with "
                f"decimal points, x and y"
            )
        rows.append((number, *numbers))
    return points(path, rows)


def is_header(fields):
    """Tell headers, such as "2Theta Counts", from damaged rows, such as "1o0.5 20"."""
    if as_numbers(fields[:1]):
        return False
    return fields[0][:1].isalpha() or not any(as_numbers([field]) for field in fields)


def read_jcamp(path, lines):
    """Read the one table of a JCAMP-DX file with the fields of its block."""
    fields, tables, rows = {}, [], None
    for number, line in enumerate(lines, 1):
        label, value = labelled(line.partition("$$")[0])
        if label == "TITLE":
            fields = {}
        if label in ("XYDATA", "XYPOINTS"):
            rows = []
            tables.append((label, re.sub(r"\s", "", value).upper(), fields, rows))
        elif label is not None:
            fields[label] = value
            rows = None
        elif rows is not None and value.strip():
            rows.append((number, value.strip()))
    if len(tables) != 1:
        raise InputError(
            f"{path} holds {len(tables)} tables XYDATA or XYPOINTS, accepted: 1; peak tables and "
            f"NTUPLES are not read"
        )
    label, form, fields, rows = tables[0]
    if form == "(X++(Y..Y))":
        count = whole_number(path, fields, "NPOINTS")
        first, last = (decimal(path, fields, name) for name in ("FIRSTX", "LASTX"))
        if first == last:
            raise InputError(f"{path}: LASTX is {last:g}, accepted: another number than FIRSTX")
        y = np.array(decode_ordinates(path, rows, count))
        x = np.linspace(first, last, count) if len(y) == count else y
    elif form == "(XY..XY)":
        x, y = points(path, pairs(path, rows))
        count = whole_number(path, fields, "NPOINTS") if "NPOINTS" in fields else len(y)
        x = x * factor(path, fields, "XFACTOR")
    else:
        raise InputError(f"{path}: {label} is {form!r}, accepted: (X++(Y..Y)) or (XY..XY)")
    if len(y) != count:
        raise InputError(f"{path}: NPOINTS is {count}, but the file holds {len(y)} points")
    return x, y * factor(path, fields, "YFACTOR")


def decimal(path, fields, name):
    numbers = as_numbers([fields.get(name, "missing")])
    if numbers is None or not np.isfinite(numbers[0]):
        raise InputError(f"{path}: {name} is {fields.get(name, 'missing')}, accepted: a number")
    return numbers[0]


def whole_number(path, fields, name):
    value = decimal(path, fields, name)
    if not 2 <= value <= MOST_POINTS or value % 1:
        raise InputError(
            f"{path}: {name} is {fields[name]}, accepted: a whole number from 2 to {MOST_POINTS}"
        )
    return int(value)


def factor(path, fields, name):
    value = decimal(path, fields | {name: fields.get(name) or "1"}, name)
    if value == 0:
        raise InputError(f"{path}: {name} is {fields[name]}, accepted: any number but 0")
    return value


def pairs(path, rows):
    """Take the pairs of an (XY..XY) table from its lines."""
    taken = []
    for number, line in rows:
        numbers = as_numbers(re.split(r"\s*[,;]\s*|\s+", line.rstrip(",; ")))
        if numbers is None or len(numbers) % 2:
            raise InputError(
                f"{path}: line {number} is {shortened(line)}, accepted: pairs of numbers, x and y"
            )
        taken += zip([number] * (len(numbers) // 2), numbers[::2], numbers[1::2], strict=True)
    return taken


def points(path, rows):
    """Return x and y of rows (line number, x, y), whose x must only rise or only fall."""
    falling = len(rows) > 1 and rows[0][1] > rows[1][1]
    before = None
    for number, x, y in rows:
        if not np.isfinite([x, y]).all():
            raise InputError(f"{path}: line {number} has x {x:g} and y {y:g}, accepted: numbers")
        if before is not None and not (x < before if falling else x > before):
            raise InputError(
                f"{path}: line {number} has x {x:.10g} after {before:.10g}, accepted: x that only "
                f"rises or only falls"
            )
        before = x
    table = np.array(rows, np.float64).reshape(-1, 3)
    return table[:, 1], table[:, 2]


def decode_ordinates(path, rows, count):
    """Decode the y of an (X++(Y..Y)) table, in any of the forms that JCAMP-DX 4.24 defines.

    rows: line numbers and lines; count: NPOINTS, beyond which no y is repeated. Returns a list of
    floats. Where a line ends with a difference, the next one must begin with the same y again,
    which is a check and no further point. The x of a line is not looked at: FIRSTX and LASTX give
    all of them.

    Source: R. S. McDonald and P. A. Wilks, Applied Spectroscopy 42 (1988), 151.
    """
    ordinates, check = [], False
    for number, line in rows:
        where = f"{path}: line {number}"
        decoded, ends_in_difference = decode_line(where, line, count)
        if not np.isfinite(decoded).all():
            raise InputError(f"{where} is {shortened(line)}, accepted: finite numbers")
        if check and abs(decoded[0] - ordinates[-1]) >= 0.5:  # differences are of whole numbers
            raise InputError(
                f"{where} begins with y {decoded[0]:.10g}, accepted: {ordinates[-1]:.10g}, with "
                f"which the differences of the line before it end"
            )
        ordinates += decoded[check:]
        check = ends_in_difference
    return ordinates


def decode_line(where, line, count):
    """Return the y of one line as a list, and whether the last one was given as a difference."""
    numbers = as_numbers(re.split(r"[\s,;]+", line))
    if numbers is not None and len(numbers) > 1:
        return numbers[1:], False
    x, decoded, step, form = None, [], 0.0, "AFFN"
    position = 0
    while position < len(line):
        match = NUMBER.match(line, position)
        if not match:
            raise InputError(
                f"{where} holds {line[position]!r}, accepted: the forms AFFN, PAC, SQZ, DIF and DUP"
            )
        position = match.end()
        if match["plain"] and x is None:
            x = match["plain"]
        elif match["plain"]:
            form, step = "AFFN", 0.0
            decoded.append(float(match["plain"]))
        elif match["pseudo"]:
            kind, sign, digit = PSEUDO_DIGITS[match["pseudo"]]
            value = sign * float(f"{digit}{match['digits']}")
            if x is None or (not decoded and kind != "SQZ"):
                raise InputError(
                    f"{where} begins with {shortened(line)}, accepted: a plain x, then a y that "
                    f"is no difference and no repetition"
                )
            if kind == "SQZ":
                form, step = kind, 0.0
                decoded.append(value)
            elif kind == "DIF":
                form, step = kind, value
                decoded.append(decoded[-1] + step)
            else:
                if len(decoded) + value > count + 2:  # the y before it, and one that is a check
                    raise InputError(f"{where} repeats a y {value:g} times, but NPOINTS is {count}")
                # A difference is added again, any other y stays as it is.
                for _ in range(int(value) - 1):
                    decoded.append(decoded[-1] + step)
    if not decoded:
        raise InputError(f"{where} is {shortened(line)}, accepted: x and one or more y")
    return decoded, form == "DIF"


def as_numbers(fields):
    """Return the fields as floats, or None if one is no number."""
    try:
        return [float(field) for field in fields]
    except ValueError:
        return None


def shortened(line):
    return repr(line if len(line) <= 40 else line[:37] + "...")


if __name__ == "__main__":
    run_script(sys.modules[__name__], main)
