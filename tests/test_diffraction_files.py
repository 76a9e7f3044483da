import re

import numpy as np
import pytest
from conftest import assert_measurement_refused

import measured_spectra
from benchmark.command_line import InputError, parse_flags
from benchmark.measurement import Measurement
from benchmark.measurement_files import read_measurement, warn_of_different_wavelengths

X = [20.0, 20.02, 20.04, 20.06, 20.08]
Y = [110, 120, 480, 130, 112]
COUNTS = "110 120 480 130 112"
ENDS = "<startPosition>20.00</startPosition><endPosition>20.08</endPosition>"
LIST = "<listPositions>20.00 20.02 20.04 20.06 20.08</listPositions>"
INTENSITIES = f'<intensities unit="counts">{COUNTS}</intensities>'


def scan(positions=ENDS, data=INTENSITIES, axis="2Theta", more="", attributes=""):
    return (
        f'<scan scanAxis="Gonio"{attributes}><dataPoints>'
        f'<positions axis="{axis}" unit="deg">{positions}</positions>{more}'
        f"<commonCountingTime>1.0</commonCountingTime>{data}</dataPoints></scan>"
    )


def xrdml(*scans, version="1.5"):
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<xrdMeasurements '
        f'xmlns="http://www.xrdml.com/XRDMeasurement/{version}"><sample><id>quartz</id></sample>'
        f"<xrdMeasurement>{''.join(scans)}</xrdMeasurement></xrdMeasurements>\n"
    )


OMEGA = f'<positions axis="Omega" unit="deg">{ENDS.replace("20.0", "10.0")}</positions>'
TWO_THETA = f'<positions axis="2Theta" unit="deg">{ENDS}</positions>'
FIXED = '<positions axis="Chi" unit="deg"><commonPosition>0</commonPosition></positions>'
FACTORS = "<beamAttenuationFactors>1 1 188 1 1</beamAttenuationFactors>"

TWO_RANGES = """_SAMPLE='x'
_DRIVE='COUPLED'
_STEPSIZE=0.1
_START=10
_STEPCOUNT=3
_COUNTS
1 2 3
_DRIVE='COUPLED'
_STEPSIZE=0.2
_2THETA=40
_COUNTS
4 5 6 7
"""

UXD = """; (Data for Range number 1)
_FILEVERSION=2
_SAMPLE='quartz'
_DRIVE='COUPLED'
_STEPTIME=1.000000
_STEPSIZE=0.020000
_STEPCOUNT=5
_START=20.000000
_COUNTS
   110   120   480
   130   112
"""
UXD_PAIRS = "_FILEVERSION = 2\n_SAMPLE = 'quartz'\n_STEPCOUNT = 5\n_2THETACOUNTS\n" + "".join(
    f"  {x:.4f}   {y}\n" for x, y in zip(X, Y, strict=True)
)
RAS = (
    '*RAS_DATA_START\n*RAS_HEADER_START\n*FILE_SAMPLE "quartz"\n*FILE_COMMENT "first"\n'
    '*MEAS_SCAN_AXIS_X "TwoThetaTheta"\n*MEAS_SCAN_UNIT_X "deg"\n*MEAS_SCAN_UNIT_Y "counts"\n'
    "*RAS_HEADER_END\n*RAS_INT_START\n"
    + "".join(f"{x:.4f} {y:.4f} 1.0000\n" for x, y in zip(X, Y, strict=True))
    + "*RAS_INT_END\n*RAS_DATA_END\n"
)


@pytest.mark.parametrize(
    "text",
    [
        xrdml(scan()),
        xrdml(scan(LIST)),
        xrdml(scan(more=OMEGA)),
        xrdml(scan(ENDS.replace("20.0", "10.0"), axis="Omega", more=TWO_THETA)),
        xrdml(scan(), version="2.1").replace("intensities", "counts"),
        xrdml(scan()).replace(' xmlns="http://www.xrdml.com/XRDMeasurement/1.5"', ""),
        xrdml(scan(data=INTENSITIES + FACTORS)),
        xrdml(scan(attributes=' status="Completed"')),
        xrdml(scan()).encode("utf-16"),
        UXD,
        UXD.replace("_COUNTS", "_2THETA=1\n_COUNTS").replace("_START=", "_2THETA=1\n_START="),
        UXD.replace("_START", "_START=20\n_START"),
        UXD.replace("_DRIVE='COUPLED'\n", "").replace("_COUNTS", "_DRIVE='COUPLED'\n_COUNTS"),
        UXD.replace("\n   130", " ; a comment\n   130"),
        UXD_PAIRS,
        RAS,
        RAS.replace(" 1.0000", ""),
        RAS.replace(" 1.0000", "", 1),
        RAS.replace("TwoThetaTheta", "2Theta/Theta"),
        RAS.replace("\n", "\r\n"),
    ],
)
def test_files_of_diffractometers_are_read(text, measured):
    measurement = read_measurement(measured(text))
    np.testing.assert_allclose(measurement.x, X, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(measurement.y, Y)
    assert measurement.x.dtype == measurement.y.dtype == np.float64
    assert measurement[2:] == ("deg", "counts", "quartz", None, ())


def test_counts_are_multiplied_by_the_attenuation_and_intensities_are_not(measured):
    text = xrdml(scan(data=INTENSITIES + FACTORS))
    np.testing.assert_array_equal(read_measurement(measured(text)).y, Y)
    counts = read_measurement(measured(text.replace("intensities", "counts")))
    np.testing.assert_array_equal(counts.y, [110, 120, 480 * 188, 130, 112])
    assert "1 to 188" in counts.notes[0]


COBALT = '<usedWavelength intended="K-Alpha"><kAlpha1 unit="Angstrom">1.78897</kAlpha1>'
COBALT += '<kAlpha2 unit="Angstrom">1.79285</kAlpha2><kBeta>1.62079</kBeta></usedWavelength><scan '


def of_cobalt():
    """Return a file of each form that states the wavelength."""
    return (
        xrdml(scan()).replace("<scan ", COBALT),
        UXD.replace("_STEPTIME", "_WL1=1.78897 ; Co\n_STEPTIME"),
        RAS.replace("*MEAS_SCAN_AXIS", '*HW_XG_WAVE_LENGTH_ALPHA1 "1.78897"\n*MEAS_SCAN_AXIS'),
    )


def test_the_wavelength_is_read_and_changes_nothing_else(measured):
    for text in of_cobalt():
        measurement = read_measurement(measured(text))
        assert measurement.wavelength == 1.78897
        np.testing.assert_allclose(measurement.x, X, rtol=0, atol=1e-12)
        np.testing.assert_array_equal(measurement.y, Y)
        assert measurement.notes == ()
        for none in "0.000", "", "unknown":
            silent = text.replace("1.78897", none)
            assert read_measurement(measured(silent)).wavelength is None
    beta = of_cobalt()[0].replace("K-Alpha", "K-Beta")
    assert read_measurement(measured(beta)).wavelength == 1.62079


def test_the_wavelength_is_that_of_the_scan_which_is_read(measured):
    one, other = of_cobalt()[0], of_cobalt()[0].replace("1.78897", "1.540598")
    (second,) = re.findall("<xrdMeasurement>.*</xrdMeasurement>", other)
    path = measured(one.replace("</xrdMeasurements>", f"{second}</xrdMeasurements>"))
    found = [read_measurement(path, block).wavelength for block in ("1", "2")]
    assert found == [1.78897, 1.540598]


def test_different_wavelengths_are_warned_of(measured, tmp_path, capsys):
    cobalt, (copper, mean) = of_cobalt()[0], ("1.540598", "1.5418")  # of which is no other than
    texts = cobalt.replace("1.78897", copper), cobalt.replace("1.78897", mean), UXD, *of_cobalt()
    paths = [str(measured(text, f"{i}.xy")) for i, text in enumerate(texts)]
    flags = "--figure", str(tmp_path / "figure.png"), "--measured"
    measured_spectra.main(parse_flags(measured_spectra, [*flags, *paths[:3]]))
    assert "state different" not in capsys.readouterr().err
    measured_spectra.main(parse_flags(measured_spectra, [*flags, *paths]))
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "state different" in line]
    assert line == (
        f"warning: files state different wavelengths (angstrom), and 2theta is not converted: "
        f"1.5406 in 2 files, such as {paths[0]}; 1.78897 in 3 files, such as {paths[3]}"
    )
    measured_spectra.main(parse_flags(measured_spectra, [*flags, paths[0], paths[4]]))
    assert f"1.5406 in 1 file, {paths[0]}; 1.78897 in 1 file, {paths[4]}" in capsys.readouterr().err


def test_of_many_wavelengths_eight_are_listed(capsys):
    measurements = [Measurement(X, Y, wavelength=wavelength) for wavelength in range(1, 12)]
    warn_of_different_wavelengths(list("abcdefghijk"), measurements)
    assert capsys.readouterr().err.endswith("; 8 in 1 file, h; 3 more\n")


def test_counting_times_that_differ_are_told(measured):
    for times, notes in ("1 1 1 1 1", 0), ("1 1 1 10 10", 1):
        listed = f'<countingTimes unit="seconds">{times}</countingTimes>'
        common = "<commonCountingTime>1.0</commonCountingTime>"
        found = read_measurement(measured(xrdml(scan().replace(common, listed))))
        np.testing.assert_array_equal(found.y, Y)
        assert len(found.notes) == notes
    assert "counted for 1 to 10 seconds each" in found.notes[0]


SAID = '*MEAS_DATA_COUNT "{}"\n*MEAS_SCAN_START "{}"\n*MEAS_SCAN_STOP "{}"\n*RAS_HEADER_END'


def ras(count="5", start="20.0000", stop="20.0800", text=RAS):
    return text.replace("*RAS_HEADER_END", SAID.format(count, start, stop))


TRUNCATED = RAS[: RAS.index("20.0800 112")]


@pytest.mark.parametrize(
    "text",
    [
        ras(),
        ras("", "", ""),
        ras("0"),
        ras("5.0", "20.08", "20"),  # x may fall
        ras(start="19.98"),  # as where the first point is the end of the first step
        ras(text=RAS.replace("*RAS_INT_END\n*RAS_DATA_END\n", "")),  # edited, but complete
    ],
)
def test_scans_of_ras_that_are_as_their_header_says_are_read_without_a_note(text, measured):
    assert read_measurement(measured(text)).notes == ()


def test_the_counts_of_a_scan_of_ras_are_not_those_of_the_next(measured):
    path = measured(ras() + RAS.replace("20.0800 112.0000 1.0000\n", ""))
    scans = [read_measurement(path, block) for block in ("1", "2")]
    assert [(len(scan.x), scan.notes) for scan in scans] == [(5, ()), (4, ())]


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (
            TRUNCATED,
            "no *RAS_INT_END follows the scan, whose last points may be missing",
        ),
        (
            ras(stop="90.0"),
            "*MEAS_SCAN_START and *MEAS_SCAN_STOP are 20 and 90, but the scan goes from 20 to 20",
        ),
        (ras("4001"), "*MEAS_DATA_COUNT is 4001, but the scan holds 5 points"),  # stopped early
        (ras("4"), "*MEAS_DATA_COUNT is 4, but the scan holds 5 points"),
        (ras(start="19.95"), "are 19.95 and 20.08, but the scan goes from 20 to 20.08"),
        (ras(start="10"), "MEAS_SCAN_STOP are 10 and 20.08, but the scan goes"),
        (
            xrdml(scan(more="<countingTimes>1 1 1 1</countingTimes>")),
            "countingTimes are 4, but intensities 5",
        ),
        (xrdml(scan(attributes=' status="Aborted"')), "Aborted"),
        (xrdml(scan(axis="Omega", more=FIXED)), "x is Omega"),
        (UXD.replace("COUPLED", "THETA"), "x is THETA"),
        (RAS.replace("TwoThetaTheta", "Omega"), "x is Omega"),
        (
            UXD.replace("_START", "_START=10\n_START"),
            "_START is 10 and, in line 9, 20.000000, which is taken",
        ),
        (RAS.replace("480.0000 1.0000", "480.0000 7.5000"), "from 1 to 7.5, is not applied"),
        (
            UXD_PAIRS.replace("5", "6", 1).replace("_2THETACOUNTS", "_2THETACOUNTS\n20 110"),
            "dropped",
        ),
    ],
)
def test_what_was_decided_about_a_scan_is_noted(text, note, measured):
    (found,) = read_measurement(measured(text)).notes
    assert note in found


def test_counts_per_second_keep_their_unit(measured):
    assert read_measurement(measured(UXD.replace("_COUNTS", "_CPS"))).y_unit == "cps"


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        (
            xrdml(scan(), scan(data=INTENSITIES.replace("480", "490"))),
            ["2Theta 20.00 to 20.08"] * 2,
        ),
        (
            UXD + UXD.replace("480", "490"),
            ["COUPLED from 20"] * 2,
        ),
        (RAS + RAS.replace("480", "490").replace("first", "again"), ["first", "again"]),
    ],
)
def test_of_several_scans_one_is_chosen(text, titles, measured):
    path = measured(text)
    with pytest.raises(InputError, match=r"holds 2 (scans|ranges)") as error:
        read_measurement(path)
    assert "BLOCK" in str(error.value)
    for title in titles:
        assert title in str(error.value)
    assert read_measurement(path, block="1").y[2] == 480
    assert read_measurement(path, block="2").y[2] == 490
    with pytest.raises(
        InputError, match=r"BLOCK is '3', accepted: the number or title of one of 2"
    ):
        read_measurement(path, block="3")


def test_a_scan_may_be_chosen_by_its_title(measured):
    path = measured(RAS + RAS.replace("480", "490").replace("first", "again"))
    assert read_measurement(path, block="twothetatheta again").y[2] == 490


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (xrdml(scan())[:300], ["damaged or no XRDML"]),
        (xrdml(), ["0 scans"]),
        (xrdml(scan(data="")), ["no intensities or counts"]),
        (
            xrdml(scan(data=INTENSITIES.replace("480", "4x0"))),
            ["intensities is '110 120 4x0 130 112'"],
        ),
        (xrdml(scan(data=INTENSITIES.replace("480", "nan"))), ["intensities", "numbers"]),
        (xrdml(scan(LIST.replace("20.00 ", ""))), ["listPositions are 4", "intensities 5"]),
        (xrdml(scan(LIST.replace("20.06", "20.00"))), ["point 4", "rises"]),
        (xrdml(scan(ENDS.replace("endPosition", "end"))), ["endPosition is ''", "numbers"]),
        (xrdml(scan("<commonPosition>20</commonPosition>")), ["no positions that move"]),
        (
            xrdml(
                scan(data=INTENSITIES.replace("intensities", "counts") + FACTORS.replace("188", ""))
            ),
            ["beamAttenuationFactors are 4", "5 counts"],
        ),
        ('<!DOCTYPE a [<!ENTITY b "c">]>' + xrdml(scan())[39:], ["document type"]),
        (UXD.replace("130   112", "130"), ["_STEPCOUNT is 5", "4 points"]),
        (UXD.replace("_STEPSIZE", "_STEPS"), ["_STEPSIZE is missing"]),
        (UXD.replace("_START=20.000000", ""), ["_START is ?"]),
        (UXD.replace("480", "48o"), ["line 10", "'110   120   48o'", "counts"]),
        (UXD_PAIRS.replace("480", ""), ["line 7", "2 numbers"]),
        (UXD[:150], ["UXD without data"]),
        (RAS.replace("480.0000", "480.0.0"), ["line 12", "x, y and a factor"]),
        (ras(text=TRUNCATED), ["*MEAS_DATA_COUNT is 5, but the scan holds 4 points"]),
        (
            ras("4001", text=RAS.replace("*RAS_INT_END\n*RAS_DATA_END\n", "")),
            ["*MEAS_DATA_COUNT is 4001, but the scan holds 5 points", "no *RAS_INT_END"],
        ),
        (ras("many"), ["*MEAS_DATA_COUNT is many, accepted: a number"]),
        (RAS[:150], ["RAS without data"]),
    ],
)
def test_damaged_files_of_diffractometers_are_refused(text, words, measured):
    assert_measurement_refused(measured(text), words)


def test_2theta_is_x_whatever_the_scan_axis(measured):
    text = xrdml(scan(more=OMEGA)).replace('scanAxis="Gonio"', 'scanAxis="Omega"')
    np.testing.assert_allclose(read_measurement(measured(text)).x, X)


def test_a_scan_of_the_detector_alone_is_2theta(measured):
    assert read_measurement(measured(UXD.replace("COUPLED", "DETECTOR"))).notes == ()


def test_the_title_is_the_id_of_the_sample_or_else_its_name(measured):
    named = xrdml(scan()).replace("<id>quartz</id>", "<id>quartz</id><name>other</name>")
    assert read_measurement(measured(named)).title == "quartz"
    assert read_measurement(measured(named.replace("<id>quartz</id>", "<id/>"))).title == "other"


def test_a_range_of_uxd_takes_nothing_of_the_one_before_it(measured):
    path = measured(TWO_RANGES)
    second = read_measurement(path, block="2")
    np.testing.assert_allclose(second.x, [40, 40.2, 40.4, 40.6])
    assert read_measurement(path, block="1").x.tolist() == pytest.approx([10, 10.1, 10.2])
    without_step = TWO_RANGES.replace("_STEPSIZE=0.2\n", "")
    with pytest.raises(InputError, match="STEPSIZE is missing"):
        read_measurement(measured(without_step), block="2")
    with pytest.raises(InputError, match="is UXD without data"):
        read_measurement(
            measured("_FILEVERSION=2\n_DRIVE='COUPLED'\n_START=1\n_COUNTSTIME\n1 1\n2 1\n")
        )


def test_any_scan_that_is_not_completed_is_noted(measured):
    for status in "Aborted", "InProgress", "Not finished":
        (note,) = read_measurement(measured(xrdml(scan(attributes=f' status="{status}"')))).notes
        assert note == f"the scan is {status}, not Completed"
