import tempfile
import tracemalloc

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from test_jcamp import FORMS, ORDINATES, XYPOINTS, jcamp

from benchmark.command_line import InputError
from benchmark.measurement_files import read_measurement

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
    "LASTX that was rounded": {
        "lastx": 411.05,
        "table": "400.000 1 1 1 1\n404.000 1 1 1 1\n408.000 1 9 1 1",
    },
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
    "checks, with decimals": {"table": "400.0A%%%\n403.0A%%%%\n407.0A%Qq%\n411.0A"},
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


@st.composite
def tables_with_rounded_x(draw):
    """Draw a table of equal steps whose x, XFACTOR and DELTAX are rounded in some usual way."""
    points = draw(st.integers(30, 400))
    step = draw(st.sampled_from([-1, 1])) * draw(st.floats(0.01, 5))
    first = draw(st.floats(10, 4000))
    x = first + step * np.arange(points)
    scale = draw(st.sampled_from([1, 0.5, 0.01, abs(step)]))
    xfactor = draw(st.sampled_from([f"{scale:.7g}", f"{scale:.9f}"]))
    written = draw(
        st.sampled_from(["{:.0f}", "{:.1f}", "{:.4f}", "{:.6g}", "{:.8g}", "{!r}", "{:.5E}"])
    )
    each = draw(st.integers(3, 12))
    offset = draw(st.sampled_from([0, 0, 117 * scale]))
    rows = [
        written.format(float((x[k] + offset) / scale)) + " 1" * len(x[k : k + each])
        for k in range(0, points, each)
    ]
    delta = draw(st.sampled_from([None, f"{step:.4g}", f"{abs(step):.6f}", f"{step:.10g}"]))
    fields = {"firstx": f"{x[0]:.8g}", "lastx": f"{x[-1]:.8g}", "XFACTOR": xfactor, "DELTAX": delta}
    return points, step, "\n".join(rows), fields


def read_text(text):
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(text)
        file.flush()
        return read_measurement(file.name)


@given(tables_with_rounded_x())
def test_x_rounded_in_any_usual_way_are_no_contradiction(table):
    points, _, rows, fields = table
    measurement = read_text(jcamp(rows, npoints=points, **fields))
    assert measurement.notes == ()
    ends = sorted(float(fields[name]) for name in ("firstx", "lastx"))
    np.testing.assert_allclose(measurement.x, np.linspace(*ends, points), atol=1e-9)


@given(tables_with_rounded_x(), st.integers(4, 50), st.booleans())
def test_lastx_of_a_longer_table_is_never_taken_silently(table, longer, has_delta):
    points, step, rows, fields = table
    assume(has_delta or longer * abs(step) > 4)  # more than the rounding of x
    last = float(fields["lastx"]) + longer * step
    delta = f"{step:.8g}" if has_delta else None
    text = jcamp(rows, npoints=points, **fields | {"lastx": f"{last:.8g}", "DELTAX": delta})
    try:
        measurement = read_text(text)
    except InputError as error:
        assert "LASTX" in str(error)
    else:
        strays = abs(np.ptp(measurement.x) - abs(step) * (points - 1)) / abs(step)
        assert measurement.notes or strays < 1


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
        {
            "npoints": 13,
            "DELTAX": 0.955,
            "table": "400 1 1 1 1 1 1 1 1 1 9 1 1",
        },  # nearer to 11 / 12
        {"npoints": 13, "table": "400 1 1\n402 1 1 1 1 1 1 1 9 1 1"},  # the lines fit either
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
    down_to_0 = text.replace("LASTX= 104", "LASTX= 0").replace("200, 6; 202, 15", "6, 6; 4, 15")
    down_to_0 = down_to_0.replace("205 2  208 4", "2 2  0 4")
    assert read_measurement(measured(down_to_0)).x.tolist() == [0, 1, 2, 3]


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
        lambda text: text.replace("VAR_DIM= 6, 6", "VAR_DIM= 9, 9").replace(
            "N=1\n", "N=1\n##NPOINTS= 6\n"
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


def test_labels_of_a_page_are_not_those_of_the_next(measured):
    own = "N=1\n##FIRST= 6000, 1, 0, 1\n##LAST= 5500, 2, 0, 2\n"
    path = measured(
        NTUPLES.replace("I..I", "R..R").replace("/IMAG", "/OTHER").replace("N=1\n", own)
    )
    for page, first in ("1", 5500), ("2", 2500):
        x = read_measurement(path, page).x
        np.testing.assert_array_equal(x, np.arange(first, first + 501, 100))


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
        InputError, match="holds 2 tables: 1 't', 2 'Film 2'; accepted: 1, or, where a script has"
    ):
        read_measurement(path)
    for block, last, title in ("1", 409, "t"), ("2", 418, "Film 2"), (" film 2", 418, "Film 2"):
        measurement = read_measurement(path, block)
        assert (measurement.x[-1], measurement.title) == (last, title)
    for block in "3", "0", "film":
        with pytest.raises(InputError, match=f"BLOCK is '{block}', accepted: the number or title"):
            read_measurement(path, block)


TWO_TABLES = """##TITLE= t
##JCAMP-DX= 4.24
##XUNITS= 1/CM
##YUNITS= ABSORBANCE
##FIRSTX= 100
##LASTX= 103
##NPOINTS= 4
##XYDATA= (X++(Y..Y))
100 1 2
102 3 4
##FIRSTX= 500
##LASTX= 503
##YUNITS= TRANSMITTANCE
##YFACTOR= 2
##XYDATA= (X++(Y..Y))
500 5 6
502 7 8
##OWNER= somebody
##END=
"""


def test_a_table_takes_the_labels_before_it_and_none_after_it(measured):
    path = measured(TWO_TABLES)
    with pytest.raises(InputError, match="holds 2 tables: 1 't', 2 't'"):
        read_measurement(path)
    first, second = read_measurement(path, "1"), read_measurement(path, "2")
    assert (first.x.tolist(), first.y.tolist()) == ([100, 101, 102, 103], [1, 2, 3, 4])
    assert (second.x.tolist(), second.y.tolist()) == ([500, 501, 502, 503], [10, 12, 14, 16])
    assert first[2:] == ("1/CM", "ABSORBANCE", "t", None, ())
    assert second[2:] == ("1/CM", "TRANSMITTANCE", "t", None, ())


def test_a_peak_table_and_a_spectrum_of_one_block_have_their_own_points(measured):
    peaks = "##NPOINTS= 2\n##PEAK TABLE= (XY..XY)\n401,2 403,4\n"
    before = jcamp(FORMS["DIF"]).replace("##FIRSTX", peaks + "##FIRSTX")
    after = jcamp(FORMS["DIF"]).replace("##END", peaks + "##END")
    for text in before, after:
        x, y, *_, notes = read_measurement(measured(text))
        assert (x.tolist(), y.tolist()) == (list(range(400, 410)), ORDINATES)
        assert notes == ("a table of peaks in the same file is not read",)


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (
            ("##LASTX", "##LASTX= 418\n##LASTX"),
            "LASTX is '418' and, in line 5, '409', which is tak",
        ),
        (("##NPO", "##YFACTOR= 2\n##yfactor= 1\n##NPO"), "YFACTOR is '2' and, in line 6, '1'"),
        (("##END", "##YFACTOR= 2\n##END"), "YFACTOR is '2' in line 8, after the table, and is not"),
        (("##END=\n", "##YUNITS= %T\n"), "YUNITS is '%T' in line 8, after the table"),
        (("##LASTX", "##LASTX= 409.0\n##LASTX"), ""),
        (("##END", "##LASTX= 409\n##OWNER= a\n##MAXY= 3\n##END"), ""),
        (("##LASTX", "##OWNER= a\n##OWNER= b\n##= a\n##= b\n##LASTX"), ""),
        (("##END=\n", "##END=\n##YFACTOR= 2\n"), ""),
    ],
)
def test_labels_that_stand_there_twice_or_too_late_are_told(change, note, measured):
    _, y, *_, notes = read_measurement(measured(jcamp(FORMS["DIF"]).replace(*change)))
    assert y.tolist() == ORDINATES
    assert len(notes) == bool(note)
    assert note in "".join(notes)


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
        (jcamp(FORMS["DIF"], **{"DATA TYPE": "NMR FID"}), "NMR FID, which is not a spectrum yet"),
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


@pytest.mark.parametrize("fields", [{"YFACTOR": 1e308}, {"lastx": 1e308, "firstx": -1e308}])
def test_x_and_y_beyond_floating_point_are_refused(fields, measured):
    with pytest.raises(InputError, match="beyond floating point"):
        read_measurement(measured(jcamp("400 1 2 300", npoints=3, **fields)))


def test_lines_may_stray_by_a_quarter_of_a_step(measured):
    table = "400 1 1 1 1\n{} 1 1 1 1\n408 1 9 1 1"
    assert read_measurement(measured(steps(table=table.format(404.2)))).notes == ()
    with pytest.raises(InputError, match="accepted: equal steps from FIRSTX on"):
        read_measurement(measured(steps(table=table.format(404.4))))


def test_lines_that_all_begin_with_one_x_are_refused(measured):
    table = "400 1 1 1 1\n400 1 1 1 1\n400 1 9 1 1"
    with pytest.raises(InputError, match="x of the lines 0 from 400 on, accepted: equal steps"):
        read_measurement(measured(steps(table=table)))


def test_a_step_of_three_digits_is_taken_for_exact(measured):
    table = "400" + " 1" * 1000 + " 9"
    long = {"table": table, "npoints": 1001, "lastx": 1653}
    (note,) = read_measurement(measured(steps(**long, DELTAX="1.25"))).notes
    assert "DELTAX is 1.25, which is taken" in note
    assert read_measurement(measured(steps(**long | {"lastx": 1650.4}, DELTAX="1.250"))).notes == ()
    (note,) = read_measurement(measured(steps(**long | {"lastx": 525.3}, DELTAX="0.125"))).notes
    assert "DELTAX is 0.125, which is taken" in note  # the 0 before the point is no digit of it


@pytest.mark.parametrize(("lastx", "contradict"), [(4151.2, False), (4152.1, True)])
def test_deltax_differs_by_half_its_last_digit_at_most(lastx, contradict, measured):
    table = "400" + " 1" * 3000 + " 9"  # steps of 1.2504 and 1.2507
    fields = {"table": table, "npoints": 3001, "lastx": lastx, "DELTAX": "1.250"}
    notes = read_measurement(measured(steps(**fields))).notes
    assert len(notes) == contradict
    assert "DELTAX is 1.25, which is taken" in "".join(notes) or not contradict


def test_a_rounded_xfactor_is_no_contradiction(measured):
    first = [400 + 500 * k for k in range(4)]
    table = "\n".join(f"{x / 0.12346:.3f}" + 500 * " 1" for x in first)
    fields = {"table": table, "npoints": 2000, "lastx": 2399, "XFACTOR": "0.1235"}
    measurement = read_measurement(measured(steps(**fields)))
    assert measurement.notes == ()  # though x of the last line is half a step too large
    np.testing.assert_array_equal(measurement.x, np.arange(400, 2400))


def test_of_two_steps_that_fit_the_lines_the_one_that_fits_better_is_taken(measured):
    table = "400" + 100 * " 1" + "\n500" + 1100 * " 1"
    fields = {"table": table, "npoints": 1200, "lastx": 1599, "DELTAX": "1.002"}
    measurement = read_measurement(measured(steps(**fields)))
    np.testing.assert_array_equal(measurement.x, np.arange(400, 1600))
    assert "DELTAX is 1.002, but FIRSTX, LASTX and NPOINTS give" in measurement.notes[0]


def test_more_than_ten_million_points_are_refused(measured):
    with pytest.raises(InputError, match=r"accepted: a whole number from 2 to 10000000$"):
        read_measurement(measured(steps(npoints=10**7 + 1)))


def test_decimal_commas_do_not_double_the_points(measured):
    lines = [f"{400 + 10 * n} " + " ".join(f"0,{n + k + 10}" for k in range(10)) for n in range(5)]
    text = (
        "##TITLE= A\n##JCAMP-DX= 4.24\n##DATA TYPE= RAMAN SPECTRUM\n##XUNITS= 1/CM\n"
        "##YUNITS= COUNTS\n##FIRSTX= 400\n##LASTX= 449\n##NPOINTS= 50\n##XFACTOR= 1\n"
        "##YFACTOR= 1\n##XYDATA= (X++(Y..Y))\n{}\n##END=\n"
    )
    with pytest.raises(InputError, match="NPOINTS is 50, but the file holds 100 points"):
        read_measurement(measured(text.format("\n".join(lines))))
    points = read_measurement(measured(text.format("\n".join(lines).replace("0,", "0."))))
    assert points.x.tolist() == list(range(400, 450))


def test_labels_that_differ_in_capitals_and_blanks_are_the_same(measured):
    twice = "##YUNITS= Arbitrary  units\n##YUNITS= ARBITRARY UNITS\n##XYDATA"
    measurement = read_measurement(measured(steps().replace("##XYDATA", twice)))
    assert (measurement.y_unit, measurement.notes) == ("ARBITRARY UNITS", ())
