import subprocess
import sys

import numpy as np
import pytest
from conftest import PROJECT, assert_measurement_refused

from benchmark import text_columns
from benchmark.command_line import InputError
from benchmark.measurement import opposite, same_unit
from benchmark.measurement_files import read_measurement

X = [100.0, 101.0, 102.5, 104.0]
Y = [3.0, 7.5, 1.0, 2.0]

RRUFF = """##NAMES=Quartz
##RRUFFID=R040031
##IDEAL CHEMISTRY=SiO_2_
##URL=rruff.info/R040031

100.0000, 3.0
101.0000, 7.5
102.5000, 1
104.0000, 2.0
##END=
"""
COMMA = "100,3\n101,7.5\n102.5,1\n104,2\n"
SEMICOLON = "wavenumber; intensity (at 532 nm)\n100;3\n101; 7.5\n102.5 ;1\n104;2\n"
TAB = "# a comment\n100\t3\n101\t7.5  # another\n\n102.5\t1\n104\t2"
BLANKS = "2Theta Counts\r\n 100   3\r\n 101   7.5\r\n 1.025e2 1\r\n 104   2\r\n"
DESCENDING = "104 2\n102.5 1\n101 7.5\n100 3\n"


@pytest.mark.parametrize(
    "text",
    [
        RRUFF,
        COMMA,
        SEMICOLON,
        TAB,
        BLANKS,
        DESCENDING,
        RRUFF.replace("##END=", ""),
        "\ufeff" + COMMA,
    ],
)
def test_text_is_recognised_by_its_content(text, measured):
    for name in "spectrum.dat", "spectrum.jdx":
        x, y, *_ = read_measurement(measured(text, name))
        assert (x.dtype, y.dtype) == (np.float64, np.float64)
        np.testing.assert_array_equal(x, X)
        np.testing.assert_array_equal(y, Y)


# One table, as many programs write it: x, y and the number of notes
TABLE = "20.00 110\n20.02 120.5\n20.04 480\n20.06 130\n"
KINDS = {
    "comments of Python": ("# 2theta counts\n#1 2\n" + TABLE, 0),
    "comments of EVA": ('\'Id: "a" Comment: "1"\n\'20 30\n' + TABLE, 0),
    "comments of Fortran": ("! 1 2 3\n" + TABLE.replace("110", "110 ! first"), 0),
    "comments after numbers that end in a point": (
        TABLE.replace("20.00 110", "20. 110.# a").replace("480", "480.#1 top"),
        0,
    ),
    "comments of assemblers": ("; sample A\n;20 30\n" + TABLE, 0),
    "comments of TeX": ("% sample A\n% 20 30\n" + TABLE.replace("110", "110 % first"), 0),
    "comments of C++": ("// sample\n//1 2\n" + TABLE.replace("110", "110 // first"), 0),
    "comments of C": ("/* scan 1\n# steps = 5\n 1 2\n*/\n" + TABLE, 0),
    "comments after rows": (TABLE.replace("110", "110 ; first").replace("480", "480 ' top"), 0),
    "comments after decimal commas": (
        TABLE.replace("110", "110 ; first")
        .replace(".", ",")
        .replace(" 1", ";1")
        .replace(" 4", ";4"),
        0,
    ),
    "a comment of C within a row": (TABLE.replace("20.02 ", "20.02 /* a */"), 0),
    "two comments of C in one line": ("/* a */ /* b */\n" + TABLE, 0),
    "percents": ("cm-1,%T\n" + TABLE.replace(" ", ",").replace("110", "110%"), 0),
    "quotes": (
        '"x","y"\n' + "".join(f'"{a}","{b}"\n' for a, b in map(str.split, TABLE.splitlines())),
        0,
    ),
    "single quotes": ("".join(f"'{a}' '{b}'\n" for a, b in map(str.split, TABLE.splitlines())), 0),
    "trailing commas": ("x,y,\n" + TABLE.replace(" ", ",").replace("\n", ",\n"), 0),
    "trailing tabs": (TABLE.replace(" ", "\t").replace("\n", "\t\t\n"), 0),
    "two tabs": ("#Wave\t\t#Intensity\n" + TABLE.replace(" ", "\t\t"), 0),
    "two header lines": ("Wavelength,S1\nnm,CPS\n" + TABLE.replace(" ", ","), 0),
    "decimal commas and semicolons": (
        '"2Theta";"Counts"\n' + TABLE.replace(" ", ";").replace(".", ","),
        0,
    ),
    "decimal commas and blanks": (TABLE.replace(".", ","), 0),
    "decimal commas and tabs": ("Winkel\tZähler\n" + TABLE.replace(" ", "\t").replace(".", ","), 0),
    "decimal commas in quotes": (
        "".join(f'"{a}","{b}"\n' for a, b in map(str.split, TABLE.replace(".", ",").splitlines())),
        0,
    ),
    "exponents of Fortran": (TABLE.replace("480", "4.8D+02"), 0),
    "another minus sign": (TABLE.replace("20.02 ", "+20.02 ").replace("110", "110.0e0"), 0),
    "UTF-16": (("counts\r\n" + TABLE).encode("utf-16"), 0),
    "UTF-16, the other way": (b"\xfe\xff" + TABLE.encode("utf-16-be"), 0),
    "UTF-32": (TABLE.encode("utf-32"), 0),
    "Ocean Optics": (
        "OOIBase32 Version Data File\n++++++++++\nDate: 10-08-2003, 17:22:13\nUser: A\n"
        "Integration Time (msec): 100\nNumber of Pixels in File: 2048\nGraph Title:\n"
        ">>>>>Begin Spectral Data<<<<<\n" + TABLE + ">>>>>End Spectral Data<<<<<\n",
        1,
    ),
    "JASCO": (
        "TITLE\tA\nDATA TYPE\tINFRARED SPECTRUM\nDATE\t20/01/05\nRESOLUTION\t4\nDELTAX\t0.02\n"
        "XUNITS\t1/CM\nYUNITS\tABSORBANCE\nFIRSTX\t20\nNPOINTS\t4\nXYDATA\n"
        + TABLE.replace(" ", "\t")
        + "\n##### Extended Information\n[Comments]\nUser name\tA\n",
        1,
    ),
    "Cary": (
        "Sample1,,\nWavelength (nm),Abs,\n"
        + TABLE.replace(" ", ",").replace("\n", ",\n")
        + "\nSample1\nCollection Time: 1/5/2020 10:11:12 AM\nScan Rate (nm/min) 600.000\n",
        1,
    ),
    "PANalytical": (
        "[Measurement conditions]\nSample identification,A\nK-Alpha1 wavelength,1.54060\n"
        "Scan range,20.0,20.06\nTime per step,10\n\n[Scan points]\nAngle,Intensity\n"
        + TABLE.replace(" ", ","),
        0,
    ),
    "PerkinElmer": (
        "PE IR       SPECTRUM    ASCII\n   1.60\n  -1\nA.sp\n20/01/05\n10:11:12.00\n#HDR\n"
        "      60\n#GR\nCM-1\n%T\n 20.06\n -0.02\n       4\n#DATA\n" + TABLE.replace(" ", "\t"),
        0,
    ),
    "Shimadzu": (
        '"A - RawData"\n"Wavelength nm.","Abs."\n' + TABLE.replace(" ", ","),
        0,
    ),
    "errors as a third column": (
        "20.00 110 10.5\n20.02 120.5 11.0\n20.04 480 21.9\n20.06 130 11.4\n",
        1,
    ),
    "few counts and their errors": (
        "".join(f"{line} {float(line.split()[1]) ** 0.5 * 7:.3f}\n" for line in TABLE.splitlines()),
        1,
    ),
    "a third column that is called error": (
        "x,y,error\n20.00,110,100\n20.02,120.5,1\n20.04,480,400\n20.06,130,3\n",
        1,
    ),
    "an error called sigma": (
        "2theta I sigma(I)\n20.00 110 100\n20.02 120.5 1\n20.04 480 400\n20.06 130 3\n",
        1,
    ),
    "an error called yerr": (
        "x\ty\tyerr\n20.00\t110\t100\n20.02\t120.5\t1\n20.04\t480\t400\n20.06\t130\t3\n",
        1,
    ),
    "a title of three words above errors": (
        "Raman quartz sample\n20.00 110 1\n20.02 120.5 1\n20.04 480 1\n20.06 130 1\n",
        1,
    ),
    "repeated rows": (TABLE.replace("20.04 480\n", "20.04 480\n" * 3), 1),
    "equal x": (TABLE.replace("20.04 480\n", "20.04 490\n20.04 470\n"), 1),
    "equal x at the beginning": ("20.00 100\n20.00 120\n" + TABLE[10:], 1),
    "repeated rows among equal x": (
        TABLE.replace("20.04 480\n", "20.04 490\n20.04 490\n20.04 470\n"),
        2,
    ),
    "a row of numbers in the header": (
        "1024 2\nnm counts\n" + "".join(f"{x} 0\n" for x in range(10, 20)) + TABLE,
        1,
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_text_of_instruments_is_read_as_the_table_that_it_holds(kind, measured):
    content, notes = KINDS[kind]
    measurement = read_measurement(measured(content))
    np.testing.assert_array_equal(measurement.x[-4:], [20, 20.02, 20.04, 20.06])
    np.testing.assert_array_equal(measurement.y[-4:], [110, 120.5, 480, 130])
    assert len(measurement.x) == 4 + 10 * (kind == "a row of numbers in the header")
    assert len(measurement.notes) == notes, measurement.notes


def test_the_number_of_points_in_a_header_is_held_against_the_rows(measured):
    for count, notes in ("4", ()), ("many", ()), ("9", ("NPOINTS is 9, but the table has 4 rows",)):
        text = f"TITLE\tA\nNPOINTS\t{count}\nXYDATA\n" + TABLE.replace(" ", "\t")
        assert read_measurement(measured(text)).notes == notes


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("Wavelength (nm),Abs\n1,2\n2,3\n", ("nm", "Abs", "")),
        ("Wavelength,S1\nnm,CPS\n1,2\n2,3\n", ("nm", "CPS", "")),
        ("Raman shift/cm-1,Intensity [a.u.]\n1,2\n2,3\n", ("cm-1", "a.u.", "")),
        ("Raman shift (cm−1),I\n1,2\n2,3\n", ("cm−1", "", "")),
        ("cm-1,%T\n1,2\n2,3\n", ("cm-1", "%T", "")),
        ("x,y (at 532 nm)\n1,2\n2,3\n", ("", "", "")),
        ("q (nm^-1),I\n1,2\n2,3\n", ("nm^-1", "", "")),
        ("Q [1/nm],I [counts]\n1,2\n2,3\n", ("1/nm", "counts", "")),
        ("Q (Å⁻¹),I\n1,2\n2,3\n", ("Å⁻¹", "", "")),
        ("Q (1/A),I\n1,2\n2,3\n", ("1/A", "", "")),
        ("2theta (rad),I\n1,2\n2,3\n", ("rad", "", "")),
        (
            "TITLE\tA b\nXUNITS\t1/CM\nYUNITS\tABSORBANCE\n1\t2\n2\t3\n",
            ("1/CM", "ABSORBANCE", "A b"),
        ),
        (RRUFF, ("", "", "Quartz")),
        (COMMA, ("", "", "")),
    ],
)
def test_units_and_title_are_those_of_the_header(text, units, measured):
    assert read_measurement(measured(text))[2:5] == units


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_headers_may_be_utf_8_or_latin_1(encoding, measured):
    header = "2θ" if encoding != "latin-1" else "größe …"
    content = f"{header}, µ\n1, 2\n2, 3\n".replace("…", "\x85").encode(encoding)
    x, y, *_ = read_measurement(measured(content))
    assert (x.tolist(), y.tolist()) == ([1, 2], [2, 3])


BROKEN = {
    "nothing": ("", ["0 points", "2 or more"]),
    "words": ("a text\nwithout numbers\n", ["line 2", "'without numbers'", "two numbers"]),
    "one point": ("1 2\n", ["1 points", "2 or more"]),
    "one column": ("1\n2\n", ["line 1", "'1'", "two numbers"]),
    "three columns": ("1 2 3\n", ["line 1", "'1 2 3'", "two numbers"]),
    "missing value": ("1,2\n2,\n", ["line 2", "'2,'", "two numbers"]),
    "damaged number": ("1 2\n2 3\n3 4x\n", ["line 3", "'3 4x'"]),
    "damaged first number": ("1o 2\n2 3\n3 4\n", ["line 1", "'1o 2'"]),
    "NaN": ("1 2\n2 nan\n3 4\n", ["line 2", "nan"]),
    "a mean beyond floating point": (
        "1 1.7e308\n1 1.6e308\n2 3\n",
        ["beyond floating point", "finite numbers"],
    ),
    "infinity": ("1 2\n2 3\n3 1e999\n", ["line 3", "inf"]),
    "infinity of C on Windows": ("1 2\n2 1.#INF\n3 4\n", ["line 2", "'2 1.#INF'"]),
    "NaN of C on Windows": ("1;2\n2;-1.#IND00\n3;4\n", ["line 2", "'2;-1.#IND00'"]),
    "NaN of C on Windows, with a comma": ("1;2,5\n2;1,#QNAN\n3;4,5\n", ["line 2", "'2;1,#QNAN'"]),
    "infinity of C on Windows, rounded": ("1\t2\n2\t1.#J\n3\t4\n", ["line 2", "1.#J"]),
    "infinity of C on Windows at the top": ("1 1.#INF\n2 3\n3 4\n", ["line 1", "'1 1.#INF'"]),
    "infinity of C on Windows at the end": ("1 2\n2 3\n1.#INF 4\n", ["line 3", "'1.#INF 4'"]),
    "NaN of newer C on Windows at the top": ("1 -nan(ind)\n2 3\n3 4\n", ["line 1", "-nan(ind)"]),
    **{
        f"x without y at the top, {row!r}": (f"x;y\n{row}\n103;4\n104;7\n", ["line 2", repr(row)])
        for row in (
            *("102;", "102 ;", "102;NULL", "102;#N/A", "102;n.d.", "102;n.a.", "102;OVFL"),
            *("102;-", '102;""', "102;#ERREUR!", "90;NULL"),
        )
    },
    "x without y at the top, in tabs": ("x\ty\n102\t\n103\t4\n104\t7\n", ["line 2", "x without y"]),
    "x without y at the top, with blanks": ("102 NULL\n103 4\n104 7\n", ["line 1", "x without y"]),
    "x without y at the top, falling": ("105;\n104;4\n103;7\n", ["line 1", "'105;'"]),
    "x without y at the top, one row missing": ("101;\n103;4\n104;7\n", ["line 1", "'101;'"]),
    "x without y at the top, with a comma": ("102,5;\n103,0;4\n103,5;7\n", ["line 1", "'102,5;'"]),
    "two rows without y at the top": ("101;\n102;#N/A\n103;4\n104;7\n", ["line 2", "'102;#N/A'"]),
    "y without x": ("103;4\n104;7\n;99\n106;2\n", ["line 3", "';99'", "y without x"]),
    "y without x at the end": ("103;4\n104;7\n ; 9,9;\n", ["line 3", "y without x"]),
    "y without x, but with an error": ("3;40;6\n4;70;8\n;60;7\n6;20;4\n", ["line 3", "';60;7'"]),
    "a cell without a value": ("1;2\n2;#N/A\n3;4\n", ["line 2", "'2;#N/A'"]),
    "a cell without x": ("1;2\n#N/A;3\n3;4\n", ["line 2", "'#N/A;3'"]),
    "a cell without error": ("1 20 4\n2 21 #DIV/0!\n3 19 4\n", ["line 2", "#DIV/0!"]),
    "equal x only": ("2 3\n2 4\n2 3\n", ["1 points", "2 or more"]),
    "x that turns": ("1 2\n3 3\n2 4\n", ["line 3", "x 2 after 3", "only rises or only falls"]),
    "RRUFF without end": (RRUFF[:130], ["line 9", "two numbers"]),
    "binary": (b"\x89PNG\r\n\x1a\n\x00\x00", ["byte 6", "0x1a", "UTF-8 or Latin-1"]),
    "UTF-16 without mark": ("1 2\n2 3\n".encode("utf-16-le"), ["byte 1", "0x00", "UTF-8"]),
    "half of UTF-16": (b"\xff\xfe1\0 \0002", ["damaged UTF-16"]),
    "four columns": ("100\t1\t2\t3\n101\t7\t8\t9\n", ["line 1", "4 columns"]),
    "a third column that is another spectrum": (
        "100 30 28\n101 70 81\n102 45 40\n",
        ["line 1", "3 columns", "not an error of y"],
    ),
    "a third column below 0": ("1 90 2\n2 95 -2\n3 91 2\n", ["3 columns"]),
    "a third column with another name": (
        "wavelength,S1,S2\n610,140,11\n611,141,12\n612,180,13\n",
        ["line 2", "3 columns"],
    ),
    "a third column that is called signal": (
        "angle,background,signal\n1,50,5\n2,70,7\n3,51,5\n",
        ["line 2", "3 columns"],
    ),
    "a column that numbers the rows": (
        ",Wavenumber,Intensity\n0,100,3\n1,101,7\n2,102,4\n",
        ["line 2", "3 columns", "the first numbers the rows", "keep columns 2 and 3"],
    ),
    "numbered rows without x": (
        ",Intensity\n0,3\n1,7\n2,4\n",
        ["line 2", "2 columns", "the first numbers the rows", "x is missing"],
    ),
    "numbered rows and errors": (
        "1 9 30 5\n2 8 70 8\n",
        ["4 columns, of which the first numbers the rows: keep those of x and y, accepted"],
    ),
    "several columns that may be x": (
        "Pixel;Wavelength;Wavenumber;Raw data\n0;510.0;20000.0;104\n1;510.1;19999.0;75\n",
        ["rows: keep those of x and y, of 1 Pixel, 2 Wavelength, 3 Wavenumber, 4 Raw data, acc"],
    ),
    "many columns": (
        ",".join("abcdefghijklmn") + "\n" + 2 * (13 * "1," + "2\n"),
        ["12 l and 2 more"],
    ),
    "columns that vary": ("1 2\n2 3\n3 4 5\n", ["line 3", "3 columns after 2"]),
    "a second table": (
        "nm counts\n1 2\n2 3\nnm counts of the background\n1 2\n2 3\n",
        ["line 4", "second header line in line 4"],
    ),
    "a first row with a word": ("20 110 a\n21 120\n22 480\n", ["line 1", "'20 110 a'"]),
    "a row without y between others": ("1 2\n2\n3 4\n", ["line 2", "'2'"]),
    "no value": ("1 2\n2 ?\n3 4\n", ["line 2", "'2 ?'"]),
    "no value in the first row": ("nm counts\n1 -\n2 3\n3 4\n", ["line 2", "'1 -'"]),
    "commas that may group thousands": (
        "100\t987\n101\t1,234\n102\t990\n",
        ["line 2", "decimals or thousands", "decimal points"],
    ),
    "decimal points and commas": ("1.5;2,5\n1.6;2,6\n", ["line 2", "'1.6;2,6'"]),
    "thousands beside points": ("20.00 1,234\n20.02 1,250\n", ["line 2", "'20.02 1,250'"]),
    "a number with an underscore": ("1 2\n2 1_0\n3 4\n", ["line 2", "'2 1_0'"]),
    "an open comment": ("/* a\n1 2\n2 3\n", ["line 1", "comment /*", "*/"]),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_files_are_refused_with_place_value_and_what_is_accepted(kind, measured):
    content, words = BROKEN[kind]
    assert_measurement_refused(measured(content), words)


@pytest.mark.parametrize("name", ["missing.txt", "file/below.txt", "."])
def test_missing_files_and_folders_are_refused(name, tmp_path):
    (tmp_path / "file").write_text(COMMA)
    with pytest.raises(InputError, match=r"does not exist|is a folder"):
        read_measurement(tmp_path / name)


def rows_of_counts(columns, start=10.0, step=0.02, counts=53):
    """Return a file of DBWS or FullProf: start, step and end, then counts in rows."""
    rows = [range(100 + i, 100 + min(i + columns, counts)) for i in range(0, counts, columns)]
    lines = ["".join(f"{count:8d}" for count in row) for row in rows]
    first = f"{start:8.2f}{step:8.2f}{start + step * (counts - 1):8.2f} quartz"
    return "\n".join([first, *lines, ""]).encode()


CIF = b"data_quartz\nloop_\n_pd_meas_2theta_scan\n_pd_meas_counts_total\n1 2\n2 3\n"
ZIP = b"PK\x03\x04" + 26 * b"\0"
FOREIGN = {
    "Bruker RAW": [b"RAW1.01\0", b"RAW4.00\0", b"RAW2\0", b"RAW \0"],
    "Renishaw WDF": [b"WDF1\0\2\0\0"],
    "Galactic SPC": [b"\x80\x4b\0" + 600 * b"\1", b"\0\x4d\0" + 600 * b"\1"],
    "Bruker OPUS": [b"\x0a\x0a\xfe\xfe\0"],
    "OMNIC SPA": [b"Spectral Data File\r\n\0"],
    "PerkinElmer SP": [b"PEPE2D constant interval\0"],
    "JEOL JDF": [b"JEOL.NMR\1\0"],
    "Bruker BRML": [ZIP + b"Experiment0/RawData0.xml"],
    "Rigaku RASX": [ZIP + b"Data0/Profile0.txt"],
    "Excel workbook": [ZIP + b"xl/workbook.xml"],
    "zip archive": [ZIP],
    "HDF5": [b"\x89HDF\r\n\x1a\n\0"],
    "PDF": [b"%PDF-1.7\n1 0 obj\n"],
    "web page": [b"<!DOCTYPE html>\n<html>1 2\n</html>", b"\n<HTML>\n"],
    "XML with the root mzML": [b'<?xml version="1.0"?>\n<!-- a --><mzML>1 2\n2 3\n</mzML>'],
    "JSON": [b'{"x": [1, 2]}', b"[[1, 2], [2, 3]]"],
    "Sietronics CPI": [b"SIETRONICS XRD SCAN\n10.00\n70.00\n0.02\nCu\n1.54\nSCANDATA\n110\n120\n"],
    "Philips UDF": [b"SampleIdent,quartz,/\nScanStepSize, 0.020,/\nRawScan\n    110,    120\n/\n"],
    "CIF": [CIF, b"#----\n# a database\n#\n\n" + CIF, b"# by a program\r\n" + CIF],
    "DBWS or FullProf": [rows_of_counts(8), rows_of_counts(10), b"! Co\n" + rows_of_counts(10)],
    "GSAS": [b"a title\nBANK 1 4 4 CONST 2000 2 0 0 FXYE\n2000 110 10\n2002 120 11\n"],
}


@pytest.mark.parametrize("name", FOREIGN)
def test_formats_that_are_not_read_are_named_with_what_to_export(name, measured):
    for content in FOREIGN[name]:
        with pytest.raises(
            InputError, match=rf"is .*{name}.*, which is not read, accepted: (its export|the file)"
        ):
            read_measurement(measured(content))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ((b"11.04", b"11.10"), "no row of numbers|columns"),  # other counts than there are
        ((b" quartz", b" 1 2 3 4 5"), "8 columns"),  # a row, too
        ((b"0.02", b"0.00"), "no row of numbers|columns"),
        ((b"     152", b"     1x2"), "no row of numbers|columns"),
    ],
)
def test_other_rows_of_numbers_are_not_called_dbws(measured, change, words):
    content = rows_of_counts(8)
    assert change[0] in content
    with pytest.raises(InputError, match=words) as error:
        read_measurement(measured(content.replace(*change)))
    assert "DBWS" not in str(error.value)


def test_text_that_begins_like_a_binary_format_is_read(measured):
    x, *_ = read_measurement(measured("RAW data\n" + TABLE))
    assert len(x) == 4


@pytest.mark.parametrize(
    ("rows", "y"),
    [
        ("200;980\n201;1.250\n202;13.400\n", None),
        ("200 980\n201 1.250.000\n202 5\n", None),
        ("200;980\n201;1.25\n202;13.400\n", [980, 1.25, 13.4]),
        ("200;0\n201;1.250\n202;13.400\n", [0, 1.25, 13.4]),
        ("200;1980\n201;1.250\n202;13.400\n", [1980, 1.25, 13.4]),
        ("200;980.000\n201;1.250\n202;13.400\n", [980, 1.25, 13.4]),
    ],
)
def test_points_between_thousands_are_not_taken_for_decimals(rows, y, measured):
    path = measured(rows)
    if y is None:
        with pytest.raises(InputError, match=r"line 2 is .*201"):
            read_measurement(path)
    else:
        np.testing.assert_array_equal(read_measurement(path)[1], y)


def test_rows_among_many_other_lines_are_found_in_linear_time(measured, monkeypatch):
    looked_at = []
    rows_of = text_columns.rows_of
    monkeypatch.setattr(text_columns, "rows_of", lambda p: looked_at.append(len(p)) or rows_of(p))
    lines = "".join(f"{number} 5\ntext\n" for number in range(500))
    with pytest.raises(InputError):
        read_measurement(measured(lines))
    assert sum(looked_at) <= 2 * 1000


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("90;\n101;4\n102;5\n", "line 1, '90;', stands among header lines and is not read"),
        ("1024,,\n20,5,\n21,6,\n", "line 1, '1024,,', stands among header lines and is not read"),
        ("90;glass\n101;4\n102;5\n", "line 1, '90;glass', stands"),
        ("100;saturated\n101;4\n102;5\n", "line 1, '100;saturated', stands"),
        ("100 mA\n101 4\n102 5\n", "line 1, '100 mA', stands"),
        ("3 none\nx y\n101 4\n102 5\n", "line 1, '3 none', stands"),
        ("101 4\n102 1.# first\n", ""),
        ("80;NULL\nx;y\n101;4\n102;5\n", "line 1, '80;NULL', stands"),
        ("80 NULL\nx y\n101 4\n102 5\n", "line 1, '80 NULL', stands"),
        ("100\n101 4\n102 5\n", "line 1, '100', stands"),
        (";0\n101;4\n102;5\n", "line 1, ';0', stands"),  # as pandas names a column
        ("\t0\n101\t4\n102\t5\n", r"line 1, '\t0', stands"),
        (
            "x;y\n;98\n;99\n101;4\n102;5\n",
            "2 lines, such as line 2, ';98', stand among",
        ),
        ("2\n101 4\n102 5\n", ""),  # the number of rows
        ("x\n532;nm\n533;4\n534;5\n", ""),
        ("532 nm\n533 4\n534 5\n", ""),
        ("532 scans\n101 4\n102 5\n", ""),
        ("101;4\n;102;5\n103;6\n", ""),  # a row that was made a comment
        ("101;4\n; 3 scans\n;;\n103;6\n", ""),
        ("101 4\n;20\n103 6\n", ""),
        ("101;4\n103;6\nthe end\n;20\n", "what follows the table from line 3 on is not read"),
        ("101;4\n103;6\n/*\n;20\n*/\n", ""),
    ],
)
def test_lines_above_a_table_that_may_be_rows_of_it_are_told(text, note, measured):
    measurement = read_measurement(measured(text))
    assert len(measurement.x) == 2
    assert len(measurement.notes) == bool(note), measurement.notes
    assert note in "".join(measurement.notes)


LONG = 200_000  # signs, over which a search that is not linear takes minutes
READ = """
import sys
from benchmark.measurement import kind_of_y, same_unit
from benchmark.measurement_files import read_measurement
read = read_measurement(sys.argv[1])
print(len(read.x), kind_of_y(read.y_unit), same_unit(read.x_unit, "nm"))
"""


@pytest.mark.parametrize(
    "header",
    [
        *("Title" + LONG * "\t", "TITLE=" + LONG * " ", LONG * "\t" + "Title"),
        *("Title" + LONG * ",", "Title" + LONG * " ", "Title" + LONG * "="),
        *("Title: " + LONG * "/*", LONG // 4 * "/**/", "YUNITS=" + LONG * "%"),
        *("x;y " + LONG * "/" + " b", "x;y " + LONG * "(", "x;y " + LONG // 4 * "log "),
        *("YUNITS=t" + LONG * " " + "b", "XUNITS=" + LONG * "(", "XUNITS=" + LONG * "["),
        "YUNITS=" + LONG // 4 * "log ",
    ],
    ids=lambda header: f"{header[:12].strip()!r}",
)
def test_header_lines_of_any_length_are_read_at_once(header, measured):
    path = measured(f"{header}\n100;5\n101;7\n102;6\n")
    command = [sys.executable, "-c", READ, path]
    read = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, timeout=20)
    assert read.stdout.startswith("3 "), read.stderr


def test_files_beyond_all_measure_are_refused(measured, monkeypatch):
    monkeypatch.setattr("benchmark.measurement_files.MOST_BYTES", 20)
    with pytest.raises(InputError, match="larger than 20 bytes"):
        read_measurement(measured(TABLE))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1/CM", "cm-1", True),
        ("cm−1", "1/cm", True),
        ("cm^–1", "1/cm", True),
        ("Wavenumbers (cm-1)", "1/cm", True),
        ("\N{MICRO SIGN}m", "\N{GREEK SMALL LETTER MU}m", True),
        ("Wavelength (\N{MICRO SIGN}m)", "um", True),
        ("MICROMETERS", "\N{MICRO SIGN}m", True),
        ("", "nm", True),
        ("NANOMETERS", "nm", True),
        ("ARBITRARY UNITS", "a.u.", True),
        ("Raman shift", "cm-1", True),
        ("2THETA", "deg", True),
        ("2-theta", "DEGREES", True),
        ("degrees 2-theta", "2θ", True),
        ("°2θ", "2theta (deg)", True),
        ("Pos. [°2Th.]", "2θ / °", True),
        ("2theta (rad)", "2theta", False),
        ("q (nm^-1)", "1/nm", True),
        ("Q [Å⁻¹]", "1/Å", True),
        ("d (Å)", "angstrom", True),
        ("1/nm", "1/Å", False),
        ("nm⁻¹", "nm", False),
        ("q (nm⁻¹)", "deg", False),
        ("theta", "2theta", False),
        ("Raman shift (nm)", "Raman shift", False),
        ("nm", "cm-1", False),
        ("ABSORBANCE", "TRANSMITTANCE", False),
    ],
)
def test_units_are_the_same_however_they_are_written(one, other, same):
    assert same_unit(one, other) is same
    assert same_unit(other, one) is same


@pytest.mark.parametrize(
    ("one", "other", "differ"),
    [
        ("ABSORBANCE", "TRANSMITTANCE", True),
        ("Intensity (a.u.)", "Transmittance (a.u.)", True),
        ("counts", "%T", True),
        ("Abs", "R (%)", True),
        ("log(1/R)", "Absolute reflectance", True),
        ("Absorbance", "counts", False),
        ("TRANSMITTANCE", "% reflectance", False),
        ("ABSORBANCE", "Absorbance (ATR, log 1/reflectance)", False),
        ("TRANSMITTANCE", "", False),
        ("TRANSMITTANCE", "ARBITRARY UNITS", False),
        ("%", "counts", False),
    ],
)
def test_only_units_that_clearly_point_up_and_down_are_opposite(one, other, differ):
    assert opposite(one, other) is differ
    assert opposite(other, one) is differ


def test_a_row_of_the_header_is_one_only_before_ten_times_as_many_rows(measured):
    rows = [f"{n} {n % 3}\n" for n in range(20, 30)]
    header = "1 2\ncounts follow\n"
    assert len(read_measurement(measured(header + "".join(rows))).x) == 10
    with pytest.raises(InputError, match="second header line in line 2"):
        read_measurement(measured(header + "".join(rows[:9])))


def test_a_third_column_that_is_the_root_of_some_counts_is_no_error_of_y(measured):
    errors = [1, 1.41, 1.73, 1, 1.41, 1.73, 1, 5, 5, 5]  # of seven in ten
    y = [1, 2, 3, 1, 2, 3, 1, 2, 3, 1]
    text = "".join(f"{20 + n} {a} {b}\n" for n, (a, b) in enumerate(zip(y, errors, strict=True)))
    with pytest.raises(InputError, match="the third is not an error of y"):
        read_measurement(measured(text))


def test_errors_are_below_half_of_large_y(measured):
    for share, accepted in (0.45, True), (0.6, False):
        rows = [(10, 9), (12, 3), (11, 1), (13, 2), (14, 5), (15, 11)]
        text = "".join(
            f"{20 + n} {y} {share * y if y > 12 else e:g}\n" for n, (y, e) in enumerate(rows)
        )
        if accepted:
            assert "third column" in read_measurement(measured(text)).notes[0]
        else:
            with pytest.raises(InputError, match="the third is not an error of y"):
                read_measurement(measured(text))


@pytest.mark.parametrize("first", [1, 20])  # of x, which may be a number of rows
def test_an_error_of_0_is_one(measured, first):
    y = [9, 0, 4, 16, 1, 25]
    text = "".join(f"{first + n} {counts} {np.sqrt(counts):g}\n" for n, counts in enumerate(y))
    measurement = read_measurement(measured(text))
    assert measurement.y.tolist() == y
    assert measurement.notes == ("the third column is taken for errors of y and not read",)


def test_two_counts_show_no_errors(measured):
    with pytest.raises(InputError, match="the third is not an error of y"):
        read_measurement(measured("20 3 5\n21 0 2\n22 3 5\n"))


@pytest.mark.parametrize(
    "header",
    ["d (Å);2Theta (deg);Irel", "s;Raman shift (cm-1);Intensity", "no\twavenumber\tintensity", ""],
)
def test_a_second_x_is_not_taken_for_y(measured, header):
    separator = "\t" if "\t" in header else ";"
    rows = [separator.join(f"{n}" for n in (5 + k, 400 + k / 2, k % 7 / 9)) for k in range(40)]
    with pytest.raises(InputError, match="3 columns, of which the third is not an error of y"):
        read_measurement(measured("\n".join([header, *rows])))


@pytest.mark.parametrize("header", ["532 nm", "785 cm-1"])
def test_a_number_with_its_unit_is_no_name_of_two_columns(measured, header):
    rows = "".join(f"{x} {x % 7}\n" for x in range(400, 440))
    assert read_measurement(measured(f"{header}\n{rows}")).y_unit == ""


def test_from_twenty_points_on_x_may_be_their_number(measured):
    for points, notes in (19, 0), (20, 1):
        text = "".join(f"{x};{1 + x % 7}\n" for x in range(points))
        assert len(read_measurement(measured(text)).notes) == notes


def test_energy_is_a_name_of_x(measured):
    rows = "".join(f"{x};{1 + x % 7}\n" for x in range(50))
    assert read_measurement(measured(f"energy;I\n{rows}")).notes == ()


@pytest.mark.parametrize("name", ["Theta", "theta (deg)", "θ [°]", "THETA/°", "Omega", "omega_deg"])
def test_x_that_the_header_calls_theta_or_omega_is_told(measured, name):
    notes = read_measurement(measured(f"{name};Counts\n{TABLE.replace(' ', ';')}")).notes
    assert notes == (f"x is {name}, as the header says, and not 2theta",)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "2-Theta",
            "2Theta",
            "TwoTheta",
            "Two Theta",
            "two-theta (deg)",
            "2θ",
            "°2Theta",
            "2 Theta",
        ),
        *("Angle", "Theta-2Theta", "Omega/2Theta", "Theta/Theta", "omega (1/cm)", "Theta2", "tth"),
    ],
)
def test_x_that_may_be_2theta_or_no_angle_is_not_called_theta(measured, name):
    assert read_measurement(measured(f"{name};Counts\n{TABLE.replace(' ', ';')}")).notes == ()


def test_commas_that_may_all_stand_between_thousands_are_told(measured):
    note = "commas are taken for decimal signs, though all may mark thousands"
    for y, notes in ("50", (note,)), ("0,512", ()), ("50,25", ()):
        rows = "".join(f"{x},{100 + x}\t{y}\n" for x in range(1, 9))
        read = read_measurement(measured(rows))
        assert (read.x[0], read.notes) == (1.101, notes)


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        *(("Transmittance (%)", "Transmittance (%)"), ("Transmission", "Transmission")),
        *(("T (%)", "T (%)"), ("Reflectance (a.u.)", "Reflectance (a.u.)")),
        *(("Absorbance (a.u.)", "Absorbance (a.u.)"), ("%T", "%T"), ("Intensity (a.u.)", "a.u.")),
    ],
)
def test_a_name_of_y_tells_where_bands_point_if_its_unit_does_not(measured, name, unit):
    rows = "".join(f"{400 + 2 * i},{i % 7}\n" for i in range(30))
    assert read_measurement(measured(f"Wavenumber (cm-1),{name}\n{rows}")).y_unit == unit


@pytest.mark.parametrize(
    ("comment", "unit"),
    [
        *(("# Raman shift (cm-1) Intensity (a.u.)", ""), ("# shift (cm-1), counts", "cm-1")),
        *(("# 2theta(deg) I", "deg"), ("! wavelength/nm\tI", "nm"), ("'nm counts", "nm")),
        *(
            ("# sample = 3, (nm)", ""),
            ("# nm", ""),
            ("# 2theta (deg), counts\n# by hand, 2021", ""),
        ),
        *(("# nm, counts\n\n", "nm"), ("# theta e", "")),
    ],
)
def test_a_comment_just_above_the_table_may_name_its_columns(measured, comment, unit):
    read = read_measurement(measured(f"{comment}\n{TABLE}"))
    assert read.x_unit == unit
    assert [note for note in read.notes if "theta" in note] == (
        ["x is theta, as the header says, and not 2theta"] if "# theta" in comment else []
    )


def test_names_of_columns_that_numpy_writes_are_read(tmp_path):
    table = np.column_stack([np.arange(10, 20, 0.5), np.arange(20.0) ** 2])
    np.savetxt(tmp_path / "a.csv", table, delimiter=",", header="2theta (deg), Absorbance")
    read = read_measurement(tmp_path / "a.csv")
    assert (read.x_unit, read.y_unit) == ("deg", "Absorbance")
    np.savetxt(tmp_path / "b.txt", np.column_stack([table, table[:, 1]]), header="x y esd")
    assert read_measurement(tmp_path / "b.txt").notes == (
        "the third column is taken for errors of y and not read",
    )
