import re
from itertools import pairwise

import numpy as np
import pytest
from conftest import assert_measurement_refused
from hypothesis import given
from hypothesis import strategies as st

from benchmark.command_line import InputError
from benchmark.jcamp_table import decode_table
from benchmark.measurement_files import read_measurement

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


@pytest.mark.parametrize(
    ("first", "last", "x", "note"),
    [
        (100, 104, [100, 101, 102.5, 104], ""),
        (104, 100, [100, 101, 102.5, 104], ""),
        (200, 208, [200, 202, 205, 208], "XFACTOR is 0.5, but the x of the table fit without it"),
        (100, 999, [100, 101, 102.5, 104], "are 100 and 999, but x of the table goes from 100 to"),
    ],
)
def test_x_of_pairs_are_held_against_firstx_and_lastx(measured, first, last, x, note):
    ends = f"##FIRSTX= {first}\n##LASTX= {last}\n##XYPOINTS"
    found = read_measurement(measured(XYPOINTS.replace("##XYPOINTS", ends)))
    np.testing.assert_array_equal(found.x, x)
    assert len(found.notes) == bool(note)
    assert note in "".join(found.notes)


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


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_of_jcamp_dx_hold_the_same_spectrum(form, measured):
    x, y, *_ = read_measurement(measured(jcamp(FORMS[form], YFACTOR=0.5)))
    np.testing.assert_array_equal(x, np.arange(400, 410))
    np.testing.assert_array_equal(y, np.array(ORDINATES) / 2)


def test_pairs_are_read_with_both_factors(measured):
    for text in XYPOINTS, XYPOINTS.replace("XYPOINTS", "XYDATA"), XYPOINTS.replace(")\n", "\n"):
        x, y, *_ = read_measurement(measured(text))
        np.testing.assert_array_equal(x, [100, 101, 102.5, 104])
        np.testing.assert_array_equal(y, [3, 7.5, 1, 2])


def test_example_of_the_standard_is_decoded(measured):
    text = jcamp(CURRENT_LINES, npoints=53, firstx=4, lastx=56, YFACTOR=0.1)
    x, y, *_ = read_measurement(measured(text))
    np.testing.assert_array_equal(x, np.arange(4, 57))
    np.testing.assert_allclose(y, np.array(CURRENT.split(), float) / 10)


def test_falling_abscissa_is_turned_round(measured):
    x, y, *_ = read_measurement(measured(jcamp(FORMS["DIF"], firstx=409, lastx=400)))
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
    assert decode_table("file", [(1, line)], len(ordinates))[0] == ordinates


def test_repetitions_may_have_several_digits(measured):
    _, y, *_ = read_measurement(measured(jcamp("400A5JS2\n412B7S0", npoints=22)))
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
    x, y, *_ = read_measurement(measured(change(jcamp(FORMS["DIF with DUP"]))))
    np.testing.assert_array_equal(x, np.arange(400, 410))
    np.testing.assert_array_equal(y, ORDINATES)


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
    assert decode_table("file", list(enumerate(lines)), len(ordinates))[0] == ordinates


@given(st.text("0123456789@ABCIabciJRjr%STs+-.E ,?\n", max_size=60), st.integers(2, 20))
def test_any_table_is_decoded_or_refused_in_a_sentence(text, count):
    rows = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    try:
        assert np.isfinite(decode_table("file", rows, count)[0]).all()
    except InputError as error:
        assert re.match(r"file: line \d+ ", str(error))


BROKEN = {
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
    "difference of nothing": (jcamp("400JJ"), ["line 7", "'400JJ'", "neither a difference"]),
    "repetition of nothing": (jcamp("400TA"), ["line 7", "'400TA'", "nor a repetition"]),
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
def test_broken_jcamp_files_are_refused_with_place_value_and_what_is_accepted(kind, measured):
    content, words = BROKEN[kind]
    assert_measurement_refused(measured(content), words)


def test_units_and_title_are_those_of_the_block(measured):
    text = jcamp(FORMS["DIF"], XUNITS="1/CM", YUNITS="ABSORBANCE")
    assert read_measurement(measured(text))[2:] == ("1/CM", "ABSORBANCE", "t", None, ())


def test_ends_of_pairs_may_differ_by_a_thousandth(measured):
    for last, notes in (104.003, 0), (104.02, 1):
        ends = f"##FIRSTX= 100\n##LASTX= {last}\n##XYPOINTS"
        found = read_measurement(measured(XYPOINTS.replace("##XYPOINTS", ends)))
        assert len(found.notes) == notes
