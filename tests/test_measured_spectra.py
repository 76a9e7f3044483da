import re
from itertools import pairwise

import numpy as np
import pytest
from conftest import assert_one_sentence
from hypothesis import given
from hypothesis import strategies as st

from benchmark.command_line import InputError
from benchmark.figure_style import save
from benchmark.jcamp import decode_ordinates
from benchmark.measurement_files import read_measurement
from measured_spectra import busiest_excerpt, draw_spectra, resample

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
XYPOINTS = """##TITLE= unequal steps $$ and a comment
##JCAMP-DX= 4.24
##XFACTOR= 0.5
##YFACTOR= 0.5
##NPOINTS= 4
##XYPOINTS= (XY..XY)
200, 6; 202, 15 $$ two
205 2  208 4
##END=
"""

# One spectrum in all forms, as McDonald and Wilks show them in their Table VII.
ORDINATES = [1, 2, 3, 3, 2, 1, 0, -1, -2, -3]
FORMS = {
    "AFFN": "400 1 2 3 3 2 1 0 -1 -2 -3",
    "AFFN, several lines": "400 1.0 2.0E0 3\n403, 3, 2, 1\n\n406 .0E+00 -1.0E0 -0.02E+2\n409 -3",
    "PAC": "400 1+2+3+3+2+1+0-1-2-3",
    "PAC without blank": "400+1+2+3+3+2+1+0-1-2-3",
    "SQZ": "400ABCCBA@abc",
    "SQZ with DUP": "400ABCTBA@abc",
    "DIF": "400AJJ%jjjjjj",
    "DIF, several lines": "400AJJ\n402C%jjj\n406@jjj\n409c",
    "DIF with DUP": "400AJT%jX",
    "DIF with DUP, several lines": "400AJT\n402C%jU\n406@jU\n409c",
    "DIF and SQZ mixed": "400AJTC\n404Bj\n405Ajab\n409c",
    "DIF, SQZ and DUP in a line": "400AJCT\n404Bj@\n407abc",
    "DIF, PAC and DUP in a line": "400AJ+3T\n404Bj+0\n407-1-2-3",
    "DUP of a check": "400AJJ\n402CTjX\n409c",
}

# Another example of theirs, in milliseconds and nanoamperes.
CURRENT_LINES = "4@VKT%TLkj%J%KLJ%njKjL%kL%jJULJ%kLK1%lLMNPNPRLJ0QTOJ1P\n56A28"
CURRENT = (
    "0 0 0 0 2 4 4 4 7 5 4 4 5 5 7 10 11 11 6 5 7 6 9 9 7 10 10 9 10 11 12 15 16 16 14 17 38 38 35 "
    "38 42 47 54 59 66 75 78 88 96 104 110 121 128"
)


def jcamp(table, npoints=10, form="XYDATA=(X++(Y..Y))", firstx=400, lastx=409, **fields):
    fields = {"FIRSTX": firstx, "LASTX": lastx, "NPOINTS": npoints} | fields
    lines = [f"##{name}= {value}" for name, value in fields.items() if value is not None]
    return "\n".join(["##TITLE= t", "##JCAMP-DX= 4.24", *lines, f"##{form}", table, "##END=\n"])


@pytest.fixture
def measured(tmp_path):
    """Write a measurement; returns its path."""

    def write(content, name="measured"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize(
    "text",
    [
        RRUFF,
        COMMA,
        SEMICOLON,
        TAB,
        BLANKS,
        DESCENDING,
        XYPOINTS,
        RRUFF.replace("##END=", ""),
        "\ufeff" + COMMA,
    ],
)
def test_text_is_recognised_by_its_content(text, measured):
    for name in "spectrum.dat", "spectrum.jdx":
        x, y = read_measurement(measured(text, name))
        assert (x.dtype, y.dtype) == (np.float64, np.float64)
        np.testing.assert_array_equal(x, X)
        np.testing.assert_array_equal(y, Y)


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_of_jcamp_dx_hold_the_same_spectrum(form, measured):
    x, y = read_measurement(measured(jcamp(FORMS[form], YFACTOR=0.5)))
    np.testing.assert_array_equal(x, np.arange(400, 410))
    np.testing.assert_array_equal(y, np.array(ORDINATES) / 2)


def test_example_of_the_standard_is_decoded(measured):
    text = jcamp(CURRENT_LINES, npoints=53, firstx=4, lastx=56, YFACTOR=0.1)
    x, y = read_measurement(measured(text))
    np.testing.assert_array_equal(x, np.arange(4, 57))
    np.testing.assert_allclose(y, np.array(CURRENT.split(), float) / 10)


def test_falling_abscissa_is_turned_round(measured):
    x, y = read_measurement(measured(jcamp(FORMS["DIF"], firstx=409, lastx=400)))
    np.testing.assert_array_equal(x, np.arange(400, 410))
    np.testing.assert_array_equal(y, ORDINATES[::-1])


@pytest.mark.parametrize(
    ("line", "ordinates"),
    [
        ("0@ABCDEFGHIabcdefghi", [*range(10), *range(-1, -10, -1)]),
        ("0@%JKLMNOPQR", [0, *np.cumsum(range(10))]),
        ("0@jklmnopqr", [0, *-np.cumsum(range(1, 10))]),
        ("0@SATBUCVDWEXFYGZHs", [y for y in range(9) for _ in range(y + 1)]),
    ],
)
def test_every_first_digit_of_a_form_is_known(line, ordinates):
    assert decode_ordinates("file", [(1, line)], len(ordinates)) == ordinates


def test_repetitions_may_have_several_digits(measured):
    _, y = read_measurement(measured(jcamp("400A5JS2\n412B7S0", npoints=22)))
    np.testing.assert_array_equal(y, [*range(15, 28), *[27] * 9])


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("JCAMP-DX", "jcamp_dx").replace("XYDATA", "Xy Data"),
        lambda text: text.replace("(X++(Y..Y))", " ( x++ ( y..y ) )   $$ a comment"),
        lambda text: text.replace("##FIRSTX", "$$ a comment\n##NOTE= two\nlines 1 2 3\n##FIRSTX"),
        lambda text: text.replace("409", "4.09E+02").replace("400", "400.", 1),
        lambda text: text.replace("\n", "\r\n") + "\x1a",
        lambda text: text.replace("\n", "\r"),
        lambda text: "##TITLE= all\n##DATA TYPE= LINK\n##YFACTOR= 3\n" + text + "##END=\n",
    ],
)
def test_ways_of_writing_jcamp_dx_make_no_difference(change, measured):
    x, y = read_measurement(measured(change(jcamp(FORMS["DIF with DUP"]))))
    np.testing.assert_array_equal(x, np.arange(400, 410))
    np.testing.assert_array_equal(y, ORDINATES)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_headers_may_be_utf_8_or_latin_1(encoding, measured):
    header = "2θ" if encoding != "latin-1" else "größe …"
    content = f"{header}, µ\n1, 2\n2, 3\n".replace("…", "\x85").encode(encoding)
    x, y = read_measurement(measured(content))
    assert (x.tolist(), y.tolist()) == ([1, 2], [2, 3])


def compressed(value, digits_of_0_to_9, negative_digits_of_1_to_9):
    first, *others = str(abs(value))
    if value < 0:
        return negative_digits_of_1_to_9[int(first) - 1] + "".join(others)
    return digits_of_0_to_9[int(first)] + "".join(others)


def squeezed(value):
    return compressed(value, "@ABCDEFGHI", "abcdefghi")


def difference(value):
    return compressed(value, "%JKLMNOPQR", "jklmnopqr")


def with_repetitions(numbers):
    """Write runs of equal numbers once, with their length in the form DUP."""
    text, i = "", 0
    while i < len(numbers):
        run = 1
        while i + run < len(numbers) and numbers[i + run] == numbers[i]:
            run += 1
        first, *others = str(run)
        text += numbers[i] + ("STUVWXYZs"[int(first) - 1] + "".join(others) if run > 1 else "")
        i += run
    return text


@st.composite
def tables(draw):
    """Draw ordinates and encode them, line by line, in a form drawn for each line."""
    ordinate = st.one_of(st.integers(-3, 3), st.integers(-(10**9), 10**9))
    runs = draw(st.lists(st.tuples(ordinate, st.integers(1, 25)), min_size=1, max_size=8))
    ordinates = [y for y, length in runs for _ in range(length)]
    lines, start, check = [], 0, False
    while start < len(ordinates):
        stop = draw(st.integers(start + 1, len(ordinates)))
        values = ordinates[start - check : stop]
        form = draw(st.sampled_from(["AFFN", "PAC", "SQZ", "DIF"]))
        x = f"{400 + start - check}"
        if form == "AFFN":
            lines.append(" ".join([x, *map(str, values)]))
        elif form == "PAC":
            lines.append(x + "".join(f"{y:+d}" for y in values))
        elif form == "SQZ":
            lines.append(x + with_repetitions([squeezed(y) for y in values]))
        else:
            steps = [difference(b - a) for a, b in pairwise(values)]
            lines.append(x + squeezed(values[0]) + with_repetitions(steps))
        check = form == "DIF" and len(values) > 1
        start = stop
    if check and draw(st.booleans()):
        lines.append(f"{400 + len(ordinates)}{squeezed(ordinates[-1])}")
    return ordinates, lines


@given(tables())
def test_what_is_encoded_in_any_mixture_of_forms_is_decoded(table):
    ordinates, lines = table
    assert decode_ordinates("file", list(enumerate(lines)), len(ordinates)) == ordinates


@given(st.text("0123456789@ABCIabciJRjr%STs+-.E ,?\n", max_size=60), st.integers(2, 20))
def test_any_table_is_decoded_or_refused_in_a_sentence(text, count):
    rows = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    try:
        assert np.isfinite(decode_ordinates("file", rows, count)).all()
    except InputError as error:
        assert re.match(r"file: line \d+ ", str(error))


BROKEN = {
    "nothing": ("", ["0 points", "2 or more"]),
    "words": ("a text\nwithout numbers\n", ["line 2", "'without numbers'", "two numbers"]),
    "one point": ("1 2\n", ["1 points", "2 or more"]),
    "one column": ("1\n2\n", ["line 1", "'1'", "two numbers"]),
    "three columns": ("1 2 3\n", ["line 1", "'1 2 3'", "two numbers"]),
    "missing value": ("1,2\n2,\n", ["line 2", "'2,'", "two numbers"]),
    "decimal commas": ("1,5;2,5\n", ["line 1", "'1,5;2,5'", "decimal points"]),
    "damaged number": ("1 2\n2 3\n3 4x\n", ["line 3", "'3 4x'"]),
    "damaged first number": ("1o 2\n2 3\n3 4\n", ["line 1", "'1o 2'"]),
    "two headers": ("x y\nnm counts\n1 2\n2 3\n", ["line 2", "'nm counts'"]),
    "NaN": ("1 2\n2 nan\n3 4\n", ["line 2", "nan"]),
    "infinity": ("1 2\n2 3\n3 1e999\n", ["line 3", "inf"]),
    "equal x": ("1 2\n2 3\n2 4\n", ["line 3", "x 2 after 2"]),
    "x that turns": ("1 2\n3 3\n2 4\n", ["line 3", "x 2 after 3", "only rises or only falls"]),
    "RRUFF without end": (RRUFF[:130], ["line 9", "two numbers"]),
    "binary": (b"\x89PNG\r\n\x1a\n\x00\x00", ["byte 6", "0x1a", "UTF-8 or Latin-1"]),
    "UTF-16": ("1 2\n2 3\n".encode("utf-16"), ["byte 3", "0x00", "UTF-8"]),
    "too few points": (jcamp(FORMS["AFFN"], npoints=11), ["NPOINTS is 11", "10 points"]),
    "too many points": (jcamp(FORMS["DIF"], npoints=9), ["NPOINTS is 9", "10 points"]),
    "truncated": (jcamp(FORMS["DIF, several lines"])[:-25], ["NPOINTS is 10", "3 points"]),
    "truncated pairs": (XYPOINTS.replace("205 2  208 4\n", ""), ["NPOINTS is 4", "2 points"]),
    "half a pair": (XYPOINTS.replace("205 2  208 4", "205 2 208"), ["line 8", "pairs"]),
    "pairs that turn": (XYPOINTS.replace("208", "203"), ["line 8", "x 203 after 205"]),
    "pair that is none": (XYPOINTS.replace("202, 15", "202, ?"), ["line 7", "?", "pairs"]),
    "wrong check": (
        jcamp("400AJJ\n402D%jjjjjjj"),
        ["line 8", "begins with y 4", "accepted: 3"],
    ),
    "missing line": (
        jcamp("400AJJ\n406@jjj\n409c", npoints=6),
        ["line 8", "begins with y 0", "accepted: 3"],
    ),
    "missing y": (jcamp("400 1 2 ? 3"), ["line 7", "'?'", "DIF"]),
    "NaN in a table": (jcamp("400 1 2 nan 3"), ["line 7", "nan", "finite"]),
    "x alone": (jcamp("400\n401 2"), ["line 7", "'400'", "one or more y"]),
    "difference of nothing": (jcamp("400JJ"), ["line 7", "'400JJ'", "no difference"]),
    "repetition of nothing": (jcamp("400TA"), ["line 7", "'400TA'", "no repetition"]),
    "line without x": (jcamp("ABC"), ["line 7", "'ABC'", "a plain x"]),
    "endless repetition": (jcamp("400As99999999999"), ["line 7", "NPOINTS is 10"]),
    "no NPOINTS": (jcamp("400ABC", npoints=None), ["NPOINTS is missing", "a number"]),
    "NPOINTS of words": (jcamp("400ABC", npoints="many"), ["NPOINTS is many", "a number"]),
    "repeated beyond all measure": (
        jcamp("400As" + 18 * "9", npoints=1e300),
        ["NPOINTS is 1e+300", "2 to 10000000"],
    ),
    "half a point": (jcamp("400ABC", npoints=2.5), ["NPOINTS is 2.5", "a whole number"]),
    "no FIRSTX": (jcamp("400ABC", firstx=None), ["FIRSTX is missing"]),
    "FIRSTX and LASTX alike": (jcamp("400ABC", lastx=400), ["LASTX is 400", "FIRSTX"]),
    "YFACTOR 0": (jcamp(FORMS["DIF"], YFACTOR=0), ["YFACTOR is 0", "any number but 0"]),
    "YFACTOR with comma": (jcamp(FORMS["DIF"], YFACTOR="0,1"), ["YFACTOR is 0,1", "a number"]),
    "unknown form": (
        jcamp("400ABC", form="XYDATA=(X++(R..R))"),
        ["XYDATA", "(X++(R..R))", "(X++(Y..Y)) or (XY..XY)"],
    ),
    "peak table": (jcamp("1,2 3,4", form="PEAK TABLE=(XY..XY)"), ["0 tables", "peak tables"]),
    "two spectra": (jcamp(FORMS["DIF"]) * 2, ["2 tables", "accepted: 1"]),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_files_are_refused_with_place_value_and_what_is_accepted(kind, measured):
    content, words = BROKEN[kind]
    path = measured(content)
    with pytest.raises(InputError) as error:
        read_measurement(path)
    message = str(error.value)
    assert "\n" not in message
    for word in [str(path), *words]:
        assert word in message


@pytest.mark.parametrize("name", ["missing.txt", "file/below.txt", "."])
def test_missing_files_and_folders_are_refused(name, tmp_path):
    (tmp_path / "file").write_text(COMMA)
    with pytest.raises(InputError, match=r"does not exist|is a folder"):
        read_measurement(tmp_path / name)


def test_spectra_are_interpolated_at_equal_distances_from_0_to_1():
    spectrum = resample(np.array([0.0, 1.0, 4.0]), np.array([-5.0, 5.0, -3.0]), 5)
    assert spectrum.dtype == np.float32
    np.testing.assert_allclose(spectrum, [0, 1, (22 / 3) / 10, (14 / 3) / 10, 0.2], rtol=1e-6)


@pytest.mark.parametrize("y", [[2.0, 2.0, 2.0], [1.0, 7.0, 1.0], [-1e308, 0.0, 1e308]])
def test_spectra_that_do_not_vary_or_vary_beyond_floating_point_are_refused(y):
    with pytest.raises(InputError, match=r"y goes from \S+ to \S+ over 2 datapoints, accepted"):
        resample(np.arange(3.0), np.array(y), 2)


@given(st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_excerpt_has_the_largest_variance_of_all(datapoints, seed):
    spectrum = np.random.default_rng(seed).random(40).astype(np.float32)
    excerpt = busiest_excerpt(spectrum, datapoints)
    length = min(datapoints, 40)
    assert excerpt.stop - excerpt.start == length
    variances = [np.var(spectrum[i : i + length], dtype=float) for i in range(40 - length + 1)]
    assert np.isclose(np.var(spectrum[excerpt], dtype=float), max(variances))


def test_command_line_writes_spectra_and_both_figures(measured, run, tmp_path):
    rng = np.random.default_rng(0)
    x = np.linspace(2000, 200, 3000)
    y = rng.random(3000) + 90 * np.exp(-(((x - 600) / 4) ** 2))
    long = measured("".join(f"{a}\t{b}\n" for a, b in zip(x, y, strict=True)), "a $b_$.txt")
    files = [long, measured(RRUFF, "quartz.txt"), measured(jcamp(FORMS["DIF"]), "t.jdx")]
    save, figure = tmp_path / "new" / "x_measured.npy", tmp_path / "figures" / "all.pdf"
    process = run("measured_spectra.py", "--measured", *files, "--save", save, "--figure", figure)
    assert_one_sentence(process, 0, "200 to 2000", "100 to 104", "RANGE")
    assert process.stdout.splitlines() == [
        f"{files[0]}: 3000 points from 200 to 2000",
        f"{files[1]}: 4 points from 100 to 104",
        f"{files[2]}: 10 points from 400 to 409",
        f"{save}: 3 spectra of 5000 datapoints",
        f"{figure.with_suffix('.png')} and .pdf: all of 3 spectra",
    ]
    spectra = np.load(save)
    assert (spectra.dtype, spectra.shape) == (np.float32, (3, 5000))
    assert (spectra.min(axis=1) == 0).all()
    assert (spectra.max(axis=1) == 1).all()
    assert abs(int(spectra[0].argmax()) - 4999 * 400 / 1800) < 10
    names = sorted(path.name for path in figure.parent.iterdir())
    assert names == ["all.pdf", "all.png"]
    assert figure.with_suffix(".png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    pdf = figure.read_bytes()
    assert pdf.startswith(b"%PDF-")
    assert pdf.rstrip().endswith(b"%%EOF")
    assert b"/Type3" not in pdf
    assert b"/CIDFontType2" in pdf


def test_over_a_common_range_a_datapoint_is_the_same_x(measured, run, tmp_path):
    a, b = measured("1 0\n5 0\n6 1\n7 0\n9 0\n", "a"), measured("4 0\n6 1\n8 0\n", "b")
    flags = "--measured", a, b, "--datapoints", 5, "--save", "x.npy", "--range"
    process = run("measured_spectra.py", *flags, 4, 8, cwd=tmp_path)
    assert (process.returncode, process.stderr) == (0, "")
    expected = [[0, 0, 1, 0, 0], [0, 0.5, 1, 0.5, 0]]
    np.testing.assert_allclose(np.load(tmp_path / "x.npy"), expected)
    process = run("measured_spectra.py", *flags, 3, 8, cwd=tmp_path)
    assert_one_sentence(process, 2, b, "4 to 8", "RANGE, 3 to 8")
    assert_one_sentence(run("measured_spectra.py", *flags, 8, 4), 2, "RANGE", "8 4")


def test_figure_shows_at_most_20_spectra(measured, run, tmp_path):
    files = [measured(COMMA)] * 21
    process = run("measured_spectra.py", "--measured", *files, "--datapoints", 50, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert process.stdout.endswith("measured.png and .pdf: the first 20 of 21 spectra\n")


def test_figure_of_the_same_spectra_has_the_same_bytes(tmp_path):
    spectra = np.random.default_rng(0).random((2, 1500), np.float32)
    for name in "first", "second":
        save(draw_spectra(["a", "b"], spectra), tmp_path, name)
    for suffix in ".png", ".pdf":
        first, second = (tmp_path / f"{name}{suffix}" for name in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()
        assert b"/CreationDate" not in first.read_bytes()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([], ["--measured"]),
        (["--measured", "missing.txt"], ["missing.txt", "does not exist"]),
        (["--measured", "good", "flat"], ["flat", "y goes from 5 to 5"]),
        (["--measured", "good", "--datapoints", 1], ["DATAPOINTS is 1", "accepted: 2 to"]),
        (["--measured", "good", "--figure", "a.svg"], ["FIGURE is a.svg", ".png or .pdf"]),
        (["--measured", "good", "--save", "good"], ["SAVE is good", ".npy"]),
    ],
)
def test_bad_input_ends_in_one_sentence_and_writes_nothing(flags, words, measured, run, tmp_path):
    measured(COMMA, "good")
    measured("1 5\n2 5\n", "flat")
    process = run("measured_spectra.py", *flags, cwd=tmp_path)
    assert_one_sentence(process, 2, *words)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["flat", "good"]
    assert (tmp_path / "good").read_text() == COMMA
