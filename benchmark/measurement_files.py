"""Measurement files: spectra as instruments and databases write them, told apart by content."""

import codecs
import re

import numpy as np

from benchmark.command_line import LONGEST, InputError, in_one_line, warn
from benchmark.diffraction_files import UXD_START, UXD_TABLE, read_ras, read_uxd, read_xrdml
from benchmark.foreign_files import refuse_foreign_bytes, refuse_foreign_text
from benchmark.jcamp import JCAMP_LABELS, labelled, read_jcamp
from benchmark.measurement import MOST_LISTED, different_units, different_wavelengths
from benchmark.text_columns import read_columns

MOST_BYTES = 2**27
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_measurement(path, block=None):
    """Read a measured spectrum, in whatever of the accepted forms, told by the content.

    block: which spectrum, as its number from 1 or its title, where the file holds several. Returns
    a Measurement with x rising. Raises InputError naming the file, the line or field, the value and
    what is accepted.
    """
    return parse_measurement(path, read_content(path), block)


def parse_measurement(path, content, block=None):
    """Return the Measurement that the content of a file holds, as `read_measurement` does.

    path: what messages call the file, which need not exist; content: bytes.
    """
    text = decode(path, content)
    with np.errstate(over="ignore", invalid="ignore"):
        measurement = read_any(path, text, block)
    x, y = measurement.x, measurement.y
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise InputError(f"{path} holds x or y beyond floating point, accepted: finite numbers")
    if len(x) < 2:
        raise InputError(f"{path} holds {len(x)} points x, y, accepted: 2 or more")
    return measurement if x[0] < x[-1] else measurement._replace(x=x[::-1], y=y[::-1])


def read_any(path, text, block):
    if re.search(r"<(\w+:)?xrdMeasurements\b", text[:4000]):
        return read_xrdml(path, text, block)
    lines = re.split(r"\r\n|\r|\n", text)
    if {label for label, _ in map(labelled, lines)} & JCAMP_LABELS:
        return read_jcamp(path, lines, block)
    if any(map(UXD_START.match, lines)) or any(map(UXD_TABLE.match, lines)):
        return read_uxd(path, lines, block)
    if any(line.startswith("*RAS_") for line in lines):
        return read_ras(path, lines, block)
    refuse_foreign_text(path, text)
    return read_columns(path, lines)


def read_content(path):
    """Return the bytes of a file that may hold a measurement."""
    try:
        with open(path, "rb") as file:
            return read_up_to_limit(path, file)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"measurement {path} does not exist") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder, accepted: files with a measured spectrum") from None


def read_up_to_limit(path, file):
    """Return the rest of an open binary file, which may hold MOST_BYTES."""
    content = bytearray()
    while len(content) <= MOST_BYTES and (piece := file.read(2**20)):
        content += piece
    if len(content) > MOST_BYTES:
        raise InputError(f"{path} is larger than {MOST_BYTES} bytes, accepted: one spectrum")
    return bytes(content)


def decode(path, content):
    """Return the text of a file in UTF-8, Latin-1, or UTF-16 or UTF-32 with byte-order mark."""
    refuse_foreign_bytes(path, content)
    for mark, encoding in BYTE_ORDER_MARKS:
        if content.startswith(mark):
            try:
                return content.decode(encoding).rstrip("\x00")
            except UnicodeDecodeError as error:
                raise InputError(f"{path} is damaged {encoding.upper()}: {error.reason}") from None
    content = content.rstrip(b"\x1a")  # with which DOS ends a file
    control = re.search(rb"[^\t\n\v\f\r\x20-\xff]", content)
    if control:
        raise InputError(
            f"{path} is not a text: byte {control.start()} is {control[0][0]:#04x}, accepted: text "
            f"in UTF-8 or Latin-1, or UTF-16 with byte-order mark"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def read_all(paths, bring, block=None, skip_unreadable=False):
    """Return paths, measurements and spectra of the files that can be read.

    bring: function of a Measurement that returns its spectrum; block: see `read_measurement`.
    Raises InputError naming all others with their reasons, unless they are to be skipped.
    """
    readable, measurements, spectra, reasons = [], [], [], []
    for path in paths:
        try:
            measurement = read_measurement(path, block)
            try:
                spectrum = bring(measurement)
            except InputError as error:
                raise InputError(f"{path}: {error}") from None
        except InputError as error:
            reasons.append(in_one_line(error))
            continue
        except OSError as error:
            if not skip_unreadable:
                raise
            reasons.append(f"{path}: {error.strerror}")
            continue
        readable.append(path)
        measurements.append(measurement)
        spectra.append(spectrum)
    if reasons and not (skip_unreadable and spectra):
        refuse_all(reasons, len(paths))
    for reason in reasons:
        warn(f"skipped: {reason}")
    if reasons:
        warn(f"{len(reasons)} of {len(paths)} files are skipped")
    return readable, measurements, np.array(spectra)


def refuse_all(reasons, files):
    """Raise InputError that gives the reasons, or refers to them where they are too long."""
    if len(reasons) == 1:
        raise InputError(reasons[0])
    counted = f"{len(reasons)} of {files} files cannot be read"
    message = f"{counted}: {'; '.join(reasons)}"
    if len(message) <= LONGEST:
        raise InputError(message)
    for reason in reasons:
        warn(reason)
    raise InputError(f"{counted}, for the reasons above; accepted: others, or SKIP_UNREADABLE")


def warn_of_different_units(paths, measurements):
    for axis in "x", "y":
        stated = (getattr(measurement, f"{axis}_unit") for measurement in measurements)
        units = different_units(zip(stated, paths, strict=True))
        if len(units) > 1:
            (one, path), (other, other_path), *_ = units.items()
            warn(f"{path} has {axis} in {one} and {other_path} in {other}, which are not converted")


def warn_of_different_wavelengths(paths, measurements):
    """Warn where files state different wavelengths, for which a phase has other 2theta.

    measurements: of the files, anything with a wavelength.
    """
    stated = (measurement.wavelength for measurement in measurements)
    wavelengths = different_wavelengths(zip(stated, paths, strict=True))
    if len(wavelengths) < 2:
        return
    listed = []
    for wavelength, files in wavelengths.items():
        counted = "1 file," if len(files) == 1 else f"{len(files)} files, such as"
        listed.append(f"{wavelength:.6g} in {counted} {files[0]}")
    if len(listed) > MOST_LISTED:
        listed[MOST_LISTED:] = [f"{len(listed) - MOST_LISTED} more"]
    warn(
        f"files state different wavelengths (angstrom), and 2theta is not converted: "
        f"{'; '.join(listed)}"
    )
