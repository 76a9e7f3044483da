"""Formats of instruments that are not read: told by their content, with what to export instead."""

import re

from benchmark.command_line import InputError
from benchmark.number_text import as_numbers

COUNTS_IN_A_ROW = 8, 10  # of DBWS and FullProf; no table that is read has as many columns
MOST_COUNTS = 1e7
XY = "x and y as text"
CIF = r"(#[^\n]*+\s*+)*+data_\S*\s(?=(.*\n)*?\s*(loop_|_\w))"  # comments may stand before it
JCAMP = "JCAMP-DX (.jdx)"
# How a file begins, what it is, and what to save it as
SIGNATURES = (
    (b"RAW1.01", "a Bruker RAW file", "XY (.xy) in DIFFRAC.EVA, or UXD"),
    (b"RAW4.00", "a Bruker RAW file", "XY (.xy) in DIFFRAC.EVA, or UXD"),
    (b"RAW2", "a Bruker RAW file", "XY (.xy) in DIFFRAC.EVA, or UXD"),
    (b"RAW ", "a Bruker RAW file", "XY (.xy) in DIFFRAC.EVA, or UXD"),
    (b"FI\x00", "a Rigaku RAW file", "RAS or text in SmartLab Studio or PDXL"),
    (b"WDF1", "a Renishaw WDF file", "text (.txt) in WiRE"),
    (b"\x0a\x0a\xfe\xfe", "a Bruker OPUS file", f"data point table (.dpt) or {JCAMP} in OPUS"),
    (b"Spectral Data File", "a Thermo OMNIC SPA file", f"CSV or {JCAMP} in OMNIC"),
    (b"Spectral Exte File", "a Thermo OMNIC SPG file", f"CSV or {JCAMP} in OMNIC"),
    (b"PEPE", "a PerkinElmer SP file", f"ASCII (.asc) or {JCAMP} in Spectrum"),
    (b"JEOL.NMR", "a JEOL JDF file", f"{JCAMP} in Delta"),
    (b"RMN.LOEJ", "a JEOL JDF file", f"{JCAMP} in Delta"),
    (b"WIT_PR", "a WITec project", "text in WITec Project"),
    (b"CPYA", "an Origin project", "ASCII in Origin"),
    (b"CPYUA", "an Origin project", "ASCII in Origin"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or a JASCO JWS file", "CSV or text"),
    (b"\x89HDF", "an HDF5 or NeXus file", XY),
    (b"\x93NUMPY", "a numpy array", f"{XY}, with numpy.savetxt"),
    (b"\x1f\x8b", "a gzip archive", "the file in it"),
    (b"Rar!", "a RAR archive", "the files in it"),
    (b"7z\xbc\xaf", "a 7z archive", "the files in it"),
)
# What a zip archive holds, what it is then, and what to save it as
MEMBERS = (
    (b"Experiment0/", "a Bruker BRML file", "XY (.xy) in DIFFRAC.EVA, or UXD"),
    (b"Data0/Profile0.txt", "a Rigaku RASX file", "RAS or text in SmartLab Studio"),
    (b"xl/workbook", "an Excel workbook", "CSV"),
    (b"opendocument.spreadsheet", "a LibreOffice spreadsheet", "CSV"),
)
# How text begins, apart from blanks, what it is, and what to save it as
TEXTS = (
    (r"<!doctype html|<html", "a web page", "the file itself rather than the page that shows it"),
    (r"\{\s*[\"}]|\[\s*[\[{]", "JSON", XY),
    (r"%PDF", "a PDF document", XY),
    (r"VAMAS ", "a VAMAS file", XY),
    (CIF, "a CIF file", XY),
    (r"SIETRONICS ", "a Sietronics CPI file", XY),
    (r"SampleIdent,", "a Philips UDF file", XY),
    (r"([^\n]*\n){1,3}\s*BANK\s+\d+", "a GSAS powder file", f"{XY} in degrees (.xye)"),
    (r"\*TYPE\b|\*CLASS\b", "a Rigaku ASC file", "RAS, or two columns of text"),
)


def refuse_foreign_bytes(path, content):
    """Raise InputError naming the format of a binary file, if it is one of those known."""
    if 0 not in content[:4096]:
        return  # text may begin with the same letters
    for signature, what, instead in SIGNATURES:
        if content.startswith(signature):
            refuse(path, what, instead)
    if content.startswith(b"PK\x03\x04"):
        for member, what, instead in MEMBERS:
            if member in content:
                refuse(path, what, instead)
        refuse(path, "a zip archive", "the files in it")
    if content[1:2] in (b"\x4b", b"\x4c", b"\x4d") and len(content) > 256 and 0 in content[:32]:
        refuse(path, "a Galactic SPC file", f"text or {JCAMP} in the program that wrote it")


def refuse_foreign_text(path, text):
    """Raise InputError naming the format of a text file, if it is one of those known."""
    beginning = beginning_of(text)
    for pattern, what, instead in TEXTS:
        if re.match(pattern, beginning, re.IGNORECASE):
            refuse(path, what, instead)
    if is_counts_in_rows(text):
        what = "a DBWS or FullProf file (start, step and end, then counts in rows)"
        refuse(path, what, "two columns of text, x and y")
    if beginning.startswith("<"):
        root = re.search(r"<([A-Za-z][\w.:-]*)", beginning)
        kind = f"XML with the root {root[1]}" if root else "XML"
        refuse(path, kind, f"{XY}, or XRDML")


def is_cif(text):
    return bool(re.match(CIF, beginning_of(text), re.IGNORECASE))


def beginning_of(text):
    return text[:4000].lstrip()


def is_counts_in_rows(text):
    """Tell rows of as many counts as the line above them, of start, step and end, says."""
    lines = (line[0].split() for line in re.finditer(r"[^\r\n]+", text))
    lines = (fields for fields in lines if fields and fields[0][0] not in "!#")
    first, row = next(lines, []), next(lines, [])
    ends, columns = as_numbers(first[:3]), len(row)
    if not ends or len(ends) < 3 or as_numbers(first[3:4]) or columns not in COUNTS_IN_A_ROW:
        return False
    start, step, end = ends
    if not 0 < step < end - start < MOST_COUNTS * step:
        return False
    rows = [row, *lines]
    full = all(len(row) == columns for row in rows[:-1]) and len(rows[-1]) <= columns
    counts = sum(map(len, rows))
    return full and counts == round((end - start) / step) + 1 and all(map(as_numbers, rows))


def refuse(path, what, instead):
    accepted = instead if instead.startswith("the file") else f"its export as {instead}"
    raise InputError(f"{path} is {what}, which is not read, accepted: {accepted}")
