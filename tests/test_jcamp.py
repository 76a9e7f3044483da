import re
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
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


def test_units_and_title_are_those_of_the_block(measured):
    text = jcamp(FORMS["DIF"], XUNITS="1/CM", YUNITS="ABSORBANCE")
    assert read_measurement(measured(text))[2:] == ("1/CM", "ABSORBANCE", "t", ())


# Twelve points at 400 to 411, the highest at 409, on lines of four
LINES = "400 1 1 1 1\n404 1 1 1 1\n408 1 9 1 1"
CONSISTENT = {
    "nothing but FIRSTX and LASTX": {},
    "DELTAX": {"DELTAX": 1},
    "DELTAX without its sign": {
        "DELTAX": 1,
        "firstx": 411,
        "lastx": 400,
        "table": "411 1 1 1 1\n407 1 1 1 1\n403 1 9 1 1",
    },
    "DELTAX that was rounded": {"DELTAX": "0.9999", "lastx": 410.999},
    "lines that were rounded": {"firstx": 400.2, "lastx": 411.2},
    "lines with other offsets": {"table": LINES.replace("40", "70")},
    "lines in other units": {"XFACTOR": 0.5, "table": "800 1 1 1 1\n808 1 1 1 1\n816 1 9 1 1"},
    "lines with few digits": {
        "firstx": 98.4,
        "lastx": 109.4,
        "table": "98.4 1 1 1 1\n102 1 1 1 1\n106 1 9 1 1",
    },
    "lines that count down": {
        "firstx": 822,
        "lastx": 800,
        "XFACTOR": 2,
        "table": "11 1 1 1 1\n7 1 1 1 1\n3 1 9 1 1",
    },
    "checks": {"table": "400A%%%\n403A%%%%\n407A%Qq%\n411A"},
    "x of the point after the check": {"table": "400A%%%\n404A%%%%\n408A%Qq%\n412A"},
    "x of the point after the check, with decimals": {
        "table": "400.0A%%%\n404.0A%%%%\n408.0A%Qq%\n412.0A"
    },
}


def steps(**changes):
    changes = {"table": LINES, "npoints": 12, "lastx": 411} | changes
    return jcamp(changes.pop("table"), **changes)


@pytest.mark.parametrize("kind", CONSISTENT)
def test_x_that_fit_are_those_of_firstx_and_lastx(kind, measured):
    fields = CONSISTENT[kind]
    x, y, *_, notes = read_measurement(measured(steps(**fields)))
    ends = sorted([fields.get("firstx", 400), fields.get("lastx", 411)])
    np.testing.assert_array_equal(x, np.linspace(*ends, 12))
    assert len(y) == 12
    assert notes == ()


CONTRADICTORY = {
    "LASTX of a longer table": ({"DELTAX": 1, "lastx": 419}, "DELTAX is 1, which is taken"),
    "LASTX of one more point": ({"DELTAX": 1, "lastx": 412}, "DELTAX is 1, which is taken"),
    "LASTX without DELTAX": ({"lastx": 419}, "the lines have 1, which is taken"),
    "FIRSTX of a longer table": (
        {"firstx": 411, "lastx": 390, "table": "411 1 1 9 1\n407 1 1 1 1\n403 1 1 1 1"},
        "the lines have -1, which is taken",
    ),
    "LASTX and a single line": (
        {"DELTAX": 1, "lastx": 419, "table": "400 1 1 1 1 1 1 1 1 1 9 1 1"},
        "DELTAX is 1, which is taken",
    ),
    "DELTAX alone": ({"DELTAX": 2}, "DELTAX is 2"),
    "lines that XFACTOR was applied to": ({"XFACTOR": 0.5}, "XFACTOR is 0.5"),
    "lines that count points": (
        {"table": "0 1 1 1 1\n4 1 1 1 1\n8 1 9 1 1", "lastx": 433, "firstx": 382},
        "the number of their first point",
    ),
    "lines that count points from 1": (
        {"table": "1 1 1 1 1\n5 1 1 1 1\n9 1 9 1 1", "lastx": 433, "firstx": 389, "DELTAX": 4},
        "the number of their first point",
    ),
    "lines that count points down": (
        {"table": "12 1 1 1 1\n8 1 1 1 1\n4 1 9 1 1", "lastx": 389, "firstx": 433},
        "the number of their first point",
    ),
}


@pytest.mark.parametrize("kind", CONTRADICTORY)
def test_contradictory_x_are_noted_and_follow_the_lines_and_deltax(kind, measured):
    fields, note = CONTRADICTORY[kind]
    x, y, *_, notes = read_measurement(measured(steps(**fields)))
    assert len(notes) == 1
    assert note in notes[0]
    first, last = (fields.get(name, x) for name, x in (("firstx", 400), ("lastx", 411)))
    peak = first + 9 * (last - first) / 11 if "count" in kind else 409
    assert x[y.argmax()] == pytest.approx(peak)


@pytest.mark.parametrize(
    "fields",
    [
        {"DELTAX": 2, "lastx": 433},  # the lines contradict both
        {"DELTAX": 1.7273, "lastx": 419},
        {"table": LINES.replace("408", "412")},  # a line is missing
        {"lastx": 419, "table": LINES.replace("40", "80")},
        {"DELTAX": 3, "lastx": 433},  # all three
    ],
)
def test_x_that_contradict_each_other_beyond_doubt_are_refused(fields, measured):
    with pytest.raises(InputError, match=r"FIRSTX, LASTX and NPOINTS give steps of .* lines"):
        read_measurement(measured(steps(**fields)))


@pytest.mark.parametrize(
    "fields",
    [
        {"npoints": 13},
        {"npoints": 11},
        {"npoints": 13, "DELTAX": 1},
        {"npoints": 13, "DELTAX": 1, "table": "400 1 1 1 1 1 1 1 1 1 9 1 1"},
    ],
)
def test_npoints_that_x_disproves_is_noted(fields, measured):
    x, y, *_, notes = read_measurement(measured(steps(**fields)))
    np.testing.assert_array_equal(x, np.arange(400, 412))
    assert x[y.argmax()] == 409
    assert f"NPOINTS is {fields['npoints']}" in notes[0]


@pytest.mark.parametrize(
    "fields",
    [
        {"npoints": 13, "lastx": 412},  # the last point is missing
        {"npoints": 13, "lastx": 412, "DELTAX": 1},
        {"npoints": 13, "table": "400 1 1 1 1 1 1 1 1 1 9 1 1"},  # nothing tells
        {"npoints": 13, "DELTAX": 2},
    ],
)
def test_npoints_that_x_does_not_disprove_is_believed(fields, measured):
    with pytest.raises(InputError, match="NPOINTS is 13, but the file holds 12 points"):
        read_measurement(measured(steps(**fields)))


def test_npoints_of_pairs_is_disproved_by_lastx(measured):
    text = XYPOINTS.replace("NPOINTS= 4", "NPOINTS= 5\n##LASTX= 104")
    assert "NPOINTS is 5" in read_measurement(measured(text)).notes[0]
    with pytest.raises(InputError, match="NPOINTS is 5"):
        read_measurement(measured(text.replace("LASTX= 104", "LASTX= 105")))


def test_differences_without_checks_are_read_if_the_points_are_as_many_as_said(measured):
    table = "400AJJ\n403B%jjj\n408cJJ"
    _, y, *_, notes = read_measurement(measured(jcamp(table, npoints=11, lastx=410)))
    assert y.tolist() == [1, 2, 3, 2, 2, 1, 0, -1, -3, -2, -1]
    assert "do not repeat" in notes[0]
    with pytest.raises(InputError, match="line 8 begins with y 2, accepted: 3"):
        read_measurement(measured(jcamp(table, npoints=10)))


def test_the_last_check_may_be_missing(measured):
    _, y, *_, notes = read_measurement(measured(jcamp("400AJJ\n402C%jjj\n406@jjj")))
    assert (y.tolist(), notes) == (ORDINATES, ())


@pytest.mark.parametrize("form", ["(X++(Y..Y)", "(X++(Y..Y", "X++(Y..Y))", "(X++(Y..Y)), XYDATA"])
def test_forms_that_are_not_closed_are_read(form, measured):
    x, y, *_, notes = read_measurement(measured(jcamp(FORMS["DIF"], form=f"XYDATA={form}")))
    assert (x.tolist(), y.tolist()) == (list(range(400, 410)), ORDINATES)
    assert len(notes) == (form.count("(") != form.count(")"))


NTUPLES = """##TITLE= A
##JCAMP-DX= 5.01
##DATA TYPE= NMR SPECTRUM
##DATA CLASS= NTUPLES
##NTUPLES= NMR SPECTRUM
##VAR_NAME= FREQUENCY, SPECTRUM/REAL, SPECTRUM/IMAG, PAGE NUMBER
##SYMBOL= X, R, I, N
##VAR_TYPE= INDEPENDENT, DEPENDENT, DEPENDENT, PAGE
##VAR_FORM= AFFN, ASDF, ASDF, AFFN
##VAR_DIM= 6, 6, 6, 2
##UNITS= HZ, ARBITRARY UNITS, ARBITRARY UNITS,
##FIRST= 3000, 1, 0, 1
##LAST= 2500, 2, 0, 2
##FACTOR= 100, 0.5, 1, 1
##PAGE= N=1
##DATA TABLE= (X++(R..R)), XYDATA
30 2 4 100
27 18 6 4
##PAGE= N=2
##DATA TABLE= (X++(I..I)), XYDATA
30 0 5 1
27 -7 -1 0
##END NTUPLES= NMR SPECTRUM
##END=
"""


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text,
        lambda text: text.replace("##VAR_DIM= 6, 6, 6, 2\n", "").replace(
            "N=1\n", "N=1\n##NPOINTS= 6\n"
        ),
        lambda text: (
            text.replace("PAGE= N=1", "PAGE= N=3")
            .replace("R..R", "I..I", 1)
            .replace("PAGE= N=2", "PAGE= N=1")
            .replace("I..I)), XYDATA\n30 0", "R..R)), XYDATA\n30 0")
            .replace("30 0 5 1\n27 -7 -1 0", "30 2 4 100\n27 18 6 4")
        ),
        lambda text: text.replace("30 2 4 100\n27 18 6 4", "30 BTTJ8%\n27 18 6 4").replace(
            "BTTJ8%", "2 4 100"
        ),
    ],
)
def test_of_ntuples_the_real_page_is_read(change, measured):
    measurement = read_measurement(measured(change(NTUPLES)))
    np.testing.assert_array_equal(measurement.x, np.arange(2500, 3001, 100))
    np.testing.assert_array_equal(measurement.y, [2, 3, 9, 50, 2, 1])
    assert measurement[2:5] == ("HZ", "ARBITRARY UNITS", "A")
    assert measurement.notes == ("the imaginary part in the same file is not read",)


def test_pages_of_pairs_are_read(measured):
    text = NTUPLES.replace("(X++(R..R)), XYDATA\n30 2 4 100", "(XR..XR), XYDATA\n30,2 29,4 28,100")
    text = text.replace("27 18 6 4", "27,18 26,6 25,4")
    x, y, *_ = read_measurement(measured(text))
    np.testing.assert_array_equal(x, np.arange(2500, 3001, 100))
    np.testing.assert_array_equal(y, [2, 3, 9, 50, 2, 1])


def test_ntuples_without_their_symbols_are_refused(measured):
    for change in ("X, R, I, N", "X, S, I, N"), ("##SYMBOL= X, R, I, N\n", ""):
        with pytest.raises(InputError, match=r"SYMBOL is .*, accepted: the variables X and R"):
            read_measurement(measured(NTUPLES.replace(*change)), "1")


def test_of_several_pages_one_is_chosen(measured):
    path = measured(NTUPLES.replace("I..I", "R..R").replace("/IMAG", "/OTHER"))
    with pytest.raises(InputError, match="holds 2 tables: 1 'A, page N=1', 2 'A, page N=2'"):
        read_measurement(path)
    assert read_measurement(path, "A, page N=2").y.max() == 2.5


def linked(*blocks):
    return (
        "##TITLE= all\n##DATA TYPE= LINK\n##BLOCKS= 3\n##YFACTOR= 7\n"
        + "".join(blocks)
        + "##END=\n"
    )


def test_of_several_blocks_one_is_chosen_by_number_or_title(measured):
    other = jcamp(FORMS["DIF"], lastx=418).replace("TITLE= t", "TITLE= Film 2")
    path = measured(linked(jcamp(FORMS["DIF"]), other))
    with pytest.raises(
        InputError, match="holds 2 tables: 1 't', 2 'Film 2'; accepted: 1, or BLOCK"
    ):
        read_measurement(path)
    for block, last, title in ("1", 409, "t"), ("2", 418, "Film 2"), (" film 2", 418, "Film 2"):
        measurement = read_measurement(path, block)
        assert (measurement.x[-1], measurement.title) == (last, title)
    for block in "3", "0", "film":
        with pytest.raises(InputError, match=f"BLOCK is '{block}', accepted: the number or title"):
            read_measurement(path, block)


def test_a_title_that_two_blocks_share_chooses_none(measured):
    path = measured(linked(jcamp(FORMS["DIF"]), jcamp(FORMS["DIF"])))
    with pytest.raises(InputError, match="BLOCK is 't', accepted"):
        read_measurement(path, "t")


def test_many_blocks_are_listed_in_part(measured):
    with pytest.raises(InputError, match=r"holds 30 tables: 1 't', .* 8 't' and 22 more; accepted"):
        read_measurement(measured(linked(*[jcamp(FORMS["DIF"])] * 30)))


def test_the_one_spectrum_among_peak_tables_and_structures_is_read(measured):
    peaks = "##TITLE= p\n##DATA TYPE= NMR PEAK TABLE\n##PEAK TABLE= (XY..XY)\n1,2 3,4\n##END=\n"
    structure = "##TITLE= s\n##JCAMP-CS= 3.7\n##BLOCK_ID= 2\n##END=\n"
    path = measured(linked(peaks, structure, jcamp(FORMS["DIF"])))
    _, y, *_, notes = read_measurement(path)
    assert y.tolist() == ORDINATES
    assert notes == ("a table of peaks in the same file is not read",)


STICKS = (
    "##TITLE= A\n##JCAMP-DX= 4.24\n{}\n##NPOINTS= 4\n##{}=(XY..XY)\n27,39\n29,120\n46,9945\n75,80\n"
    "##END=\n"
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (STICKS.format("##DATA TYPE= MASS SPECTRUM", "XYDATA"), "mass spectrum"),
        (STICKS.format("##XUNITS= m/z", "XYPOINTS"), "mass spectrum"),
        (STICKS.format("##DATA TYPE= INFRARED SPECTRUM", "PEAK TABLE"), "table of peaks"),
        (STICKS.format("##DATA TYPE= NMR PEAK ASSIGNMENTS", "XYDATA"), "table of peaks"),
        (STICKS.format("##OWNER= a", "PEAK ASSIGNMENTS"), "table of peaks"),
        (jcamp(FORMS["DIF"], **{"DATA TYPE": "NMR FID"}), "NMR FID, which is no spectrum yet"),
        (NTUPLES.replace("NMR SPECTRUM", "MASS SPECTRUM"), "mass spectrum"),
        (NTUPLES.replace("/REAL", "/IMAGINARY"), "imaginary part"),
    ],
)
def test_what_is_no_continuous_spectrum_is_refused_with_the_reason(text, reason, measured):
    with pytest.raises(
        InputError, match=rf"0 tables .* but .*{reason}.*, accepted: 1 that is conti"
    ):
        read_measurement(measured(text))


def test_a_continuous_mass_spectrum_is_read(measured):
    text = jcamp(FORMS["DIF"], **{"DATA TYPE": "CONTINUOUS MASS SPECTRUM"})
    assert read_measurement(measured(text)).y.tolist() == ORDINATES


@pytest.mark.parametrize("table", ["400As9999\n" * 99, "400Bs9999J\n" * 99])
def test_repetitions_on_many_lines_do_not_fill_the_memory(table, measured):
    path = measured(jcamp(table, npoints=10**5))
    tracemalloc.start()
    with pytest.raises(InputError, match=r"NPOINTS is 100000|begins with y"):
        read_measurement(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4e7
