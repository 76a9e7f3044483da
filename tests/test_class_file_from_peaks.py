import importlib.machinery
import json
import shlex
import sys
import types
import zipfile

import numpy as np
import pytest
from conftest import assert_one_sentence

import class_file_from_peaks
import dataset_config_generator
import spectra_from_config
from benchmark.advised_variation import Advice, advice_for
from benchmark.class_file import read_class_file
from benchmark.command_line import InputError, parse_flags
from benchmark.files import sha256_of
from benchmark.peak_detection import (
    DetectedPeaks,
    Detection,
    Scatter,
    background_under,
    class_peaks,
    cut_off,
    detect,
    detect_all,
    deviations,
    lines_in_two,
    mean_spectrum,
    scatter_of,
)
from benchmark.peak_patterns import Grid
from benchmark.rendering import render

TABLE = "class,position,height\nquartz,400,50\nquartz,206,20\nquartz,464,200\ncalcite,1086,7\n"
JCAMP = (
    "##TITLE= {name}\n##JCAMP-DX= 4.24\n##DATA TYPE= RAMAN PEAK TABLE\n##XUNITS= {unit}\n"
    "##YUNITS= ARBITRARY UNITS\n##XFACTOR= 0.5\n##YFACTOR= 1\n##NPOINTS= {count}\n"
    "##PEAK TABLE= {form}\n{peaks}\n##END=\n"
)


def jcamp(name="calcite", unit="1/CM", form="(XY..XY)", peaks="1424, 2; 2172, 8", count=2):
    return JCAMP.format(name=name, unit=unit, form=form, peaks=peaks, count=count)


@pytest.fixture
def make(tmp_path, monkeypatch, capsys):
    """Make a class file as the command line does; returns its content, output and errors."""
    monkeypatch.chdir(tmp_path)

    def run_main(*flags):
        capsys.readouterr()
        settings = parse_flags(class_file_from_peaks, list(map(str, flags)))
        class_file_from_peaks.main(settings)
        return json.loads((tmp_path / settings.output).read_bytes()), *capsys.readouterr()

    return run_main


def refused(make, *flags):
    """Return the sentence with which flags are refused; no class file is written."""
    with pytest.raises(InputError) as error:
        make("--output", "refused.json", *flags)
    assert not class_file_from_peaks.Path("refused.json").exists()
    return str(error.value)


def of_wavelengths(*wavelengths):
    """Return a table with a peak of class a for each wavelength."""
    rows = [f"a,{500 + 100 * i},1,{wavelength}\n" for i, wavelength in enumerate(wavelengths)]
    return "class,position,height,wavelength\n" + "".join(rows)


def from_table(path, *flags):
    paths = path if isinstance(path, list) else [path]
    return "--peaks", *paths, "--range", 200, 1200, "--datapoints", 1001, *flags


def write_samples(folder, seed=0, sigma=6, jitter=2, samples=4, spectra=2, slope=0):
    """Write measurements named as RRUFF's of two classes; returns the folder.

    Both have peaks of width sigma at 400 and 700 (height 0.5), `beta` one at 900 too, with each
    peak of each sample shifted by up to `jitter`, on a background that falls by `slope`.
    """
    folder.mkdir()
    rng = np.random.default_rng(seed)
    x = np.arange(100, 1300, 1.0)
    for name, peaks in ("alpha", {400: 1, 700: 0.5}), ("beta", {400: 1, 700: 0.5, 900: 0.3}):
        for sample in range(samples):
            sample_name = f"{'RX'[name == 'beta']}{sample:06}"
            shifted = {at + rng.integers(-jitter, jitter + 1): high for at, high in peaks.items()}
            for number in range(spectra):
                y = 40 + rng.random() - 900 * slope * (x - 100) / 1200
                for at, high in shifted.items():
                    y = y + 900 * high * np.exp(-(((x - at) / sigma) ** 2) / 2)
                text = "".join(f"{a:.1f}, {b:.4f}\n" for a, b in zip(x, y, strict=True))
                file = f"{name}__{sample_name}__Raman__532__0__unoriented__Data__{number}.txt"
                (folder / file).write_text(text)
    return folder


def test_table_in_any_order_becomes_a_class_file_that_the_reader_accepts(make, measured, tmp_path):
    config, output, errors = make(*from_table(measured(TABLE), "--unit", "1/cm"))
    assert config["spectra"] == {
        "0": {"name": "calcite", "peak_positions": [886], "peak_heights": [1.0]},
        "1": {
            "name": "quartz",
            "peak_positions": [200, 264],
            "peak_heights": [0.25, 1.0],
        },
    }
    class_file = read_class_file(tmp_path / "dataset_configs" / "measured.json")
    assert class_file.names == ["calcite", "quartz"]
    assert (class_file.unit, class_file.range) == ("1/cm", (200, 1200))
    assert class_file.datapoints == 1001
    assert "class quartz: left out" in errors
    assert "206 (height 0.1)" in errors
    assert output.startswith("dataset_configs/measured.json: 2 classes, 3 peaks, 1 to 2 per class")


@pytest.mark.parametrize("separator", [",", ";", "\t", " ", "  "])
def test_table_of_any_separator_and_column_order_is_the_same(make, measured, separator):
    rows = [row.split(",") for row in TABLE.splitlines()]
    text = "\r\n".join(separator.join([high, at, "x", name]) for name, at, high in rows)
    expected, *_ = make(*from_table(measured(TABLE)))
    assert make(*from_table(measured("\ufeff" + text, "other")))[0] == expected


@pytest.mark.parametrize(("separator", "sign"), [(",", "."), (";", "."), (";", ",")])
def test_wavelength_of_a_table_stands_in_the_class_file(make, measured, separator, sign):
    table = of_wavelengths("", "1.5406", "1.5418") + "b,300,1,1.541\n"
    table = table.replace(",", separator).replace(".", sign)
    assert make(*from_table(measured(table)))[0]["wavelength"] == 1.5406


def test_empty_column_of_wavelengths_says_nothing(make, measured):
    table = of_wavelengths("", "") + "b,300,1,\n"
    assert "wavelength" not in make(*from_table(measured(table)))[0]


@pytest.mark.parametrize("separator", [";", "\t", " "])
def test_decimal_commas_are_read_where_no_commas_separate(make, measured, separator):
    table = "class,position,height\na,500.2,1\na,700.8,0.25\nb,300,2\n"
    expected, *_ = make(*from_table(measured(table)))
    german = table.replace(",", separator).replace(".", ",")
    config, _, errors = make(*from_table(measured(german, "german")))
    assert config == expected
    assert "thousands" not in errors


def test_commas_that_all_may_mark_thousands_are_told(make, measured):
    table = "class;position;height\na;300,250;1\nb;500,500;2\n"
    _, _, errors = make(*from_table(measured(table)))
    assert "commas are taken for decimal signs, though all may mark thousands" in errors


def test_blanks_separate_where_the_header_has_nothing_else(make, measured):
    blanks = measured(' class position  height \r\na\t500 1\r\n\r\n"b II"   300 2 \r\n')
    config, *_ = make(*from_table(blanks))
    assert [spectrum["name"] for spectrum in config["spectra"].values()] == ["a", "b II"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_header_alone_decides_on_the_separator(make, measured, end):
    rows = "class,position,height", "a;b;c;d;e;f;g;h,500,1", "b,300,2", ""
    config, _, _ = make(*from_table(measured(end.join(rows))))
    assert [spectrum["name"] for spectrum in config["spectra"].values()] == ["a;b;c;d;e;f;g;h", "b"]


def test_a_name_is_one_class_however_its_letters_are_composed(make, measured):
    composed, decomposed = "Kr\N{LATIN SMALL LETTER O WITH DIAERESIS}hn", "Kro\u0308hn"
    config, *_ = make(
        *from_table(measured(f"class,position,height\n{composed},500,1\n{decomposed},700,2\n"))
    )
    (spectrum,) = config["spectra"].values()
    assert spectrum["name"] == composed
    assert len(spectrum["peak_positions"]) == 2


def test_boundary_decides_which_peaks_near_the_ends_stay(make, measured):
    config, _, errors = make(*from_table(measured(TABLE), "--boundary", 6))
    assert config["spectra"]["1"]["peak_positions"] == [6, 200, 264]
    assert config["boundary"] == 6
    assert "left out" not in errors
    assert "MAX_SHIFT is 6, not 10" in errors
    config, _, errors = make(*from_table(measured(TABLE), "--boundary", 7))
    assert config["spectra"]["1"]["peak_positions"] == [200, 264]
    assert "206" in errors


def test_limits_themselves_are_accepted(make, measured):
    peaks = (299, 9), (300, 9), (500, 100), (600, 2), (700, 1.9), (1100, 9), (1101, 9)
    rows = "".join(f"quartz,{position},{height}\n" for position, height in peaks)
    table = measured("class,position,height\n" + rows, "peaks.csv")
    config, _, _ = make(*from_table(table, "--boundary", 100, "--min-height", 0.02))
    assert config["spectra"]["0"]["peak_positions"] == [100, 300, 400, 900]


def test_heights_are_relative_to_the_highest_peak_that_stays(make, measured):
    table = measured("class,position,height\na,100,90\na,500,30\na,600,15\nb,300,2\n")
    config, _, errors = make(*from_table(table))
    assert config["spectra"]["0"]["peak_heights"] == [1.0, 0.5]
    assert "the highest of the class among them: 100 (height 1)" in errors


def test_peaks_on_one_datapoint_become_one_as_high_as_both(make, measured):
    table = measured("class,position,height\na,500.2,1\na,499.8,2\na,700,6\nb,300,2\n")
    config, _, errors = make(*from_table(table))
    assert config["spectra"]["0"] == {
        "name": "a",
        "peak_positions": [300, 500],
        "peak_heights": [0.5, 1.0],
    }
    assert "class a: joined, as they fall on one datapoint: peaks at 500" in errors


def test_peaks_that_three_decimals_make_0_are_left_out(make, measured):
    table = measured("class,position,height\na,464,10000\na,405,5\na,500,5.1\nb,300,2\n")
    config, _, errors = make(*from_table(table, "--min-height", 0.0001))
    assert config["spectra"]["0"]["peak_heights"] == [1.0, 0.001]
    assert "left out by MIN_HEIGHT and MAX_PEAKS: 405" in errors


def test_lowest_peaks_are_left_out_and_named(make, measured):
    table = measured("class,position,height\na,500,1\na,600,.5\na,700,.6\na,800,.01\nb,300,2\n")
    config, _, errors = make(*from_table(table, "--max-peaks", 2))
    assert config["spectra"]["0"]["peak_positions"] == [300, 500]
    assert "600 (height 0.5), 800 (height 0.01)" in errors


def test_jcamp_peak_tables_give_the_same_as_a_csv_table(make, measured):
    table = measured("class,position,height\ncalcite,1086,8\ncalcite,712,2\nquartz,464,1\n")
    expected, *_ = make(*from_table(table, "--unit", "1/CM"))
    blocks = measured(jcamp() + jcamp("quartz", peaks="928, 3", count=1), "both.jdx")
    assert make(*from_table(blocks))[0] == expected
    one = measured(jcamp(), "one.jdx")
    other = measured("class,position,height,unit\nquartz,464,1,cm-1\n", "other.csv")
    assert make(*from_table([one, other]))[0] == expected


def test_heights_of_jcamp_are_read_with_yfactor(make, measured):
    path = measured(jcamp().replace("YFACTOR= 1", "YFACTOR= -1"), "peaks.jdx")
    message = refused(make, *from_table(path))
    assert "has the height -2, accepted: 0 or more" in message


def test_labels_of_a_peak_table_that_stand_there_twice_or_too_late_are_told(make, measured):
    expected, *_ = make(*from_table(measured(jcamp(), "plain.jdx")))
    twice = (
        jcamp()
        .replace("##XFACTOR", "##XFACTOR= 2\n##XFACTOR")
        .replace("##END", "##NPOINTS= 9\n##END")
    )
    config, _, errors = make(*from_table(measured(twice, "twice.jdx")))
    assert config == expected
    assert "XFACTOR is '2' and, in line 7, '0.5', which is taken" in errors
    assert "NPOINTS is '9' in line 12, after the table" in errors


def test_without_measurements_the_flags_are_the_papers_for_these_datapoints(make, measured):
    _, output, errors = make(*from_table(measured(TABLE)))
    assert "--max-shift 10 " in output
    assert "--kernel-range 2 5" in output
    assert "the variation below is the paper's" in errors
    assert "1 datapoint is 1 on the x axis, and MAX_SHIFT 10 is 10 on the x axis, for" in errors


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("class,position\na,500\n", ("lacks the column height", "class, position, height")),
        ("", ("lacks the columns class, position, height",)),
        ("class,position,height\n", ("no peaks",)),
        ("class,position,height\na,500,1,5\n", ("line 2", "4 cells", "accepted: 3")),
        ("class,position,height,height\na,500,1,5\n", ("column height twice",)),
        ("class,position,height,unit,unit\na,500,1,nm,um\n", ("column unit twice",)),
        ('class,position,height,note\na,500,1,"b\nc,600,2,d\n', ("not CSV",)),
        ('class,position,height\na,500,"1\n' + 9000 * "b,600,100000000\n", ("not CSV",)),
        ("class,position,height\na,500,1\na,5 OO,1\n", ("line 3", "position", "'5 OO'")),
        ('class,position,height\na,500,"1,5"\n', ("line 2", "height", "'1,5'", "decimal point")),
        ("class,position,height\na,500\n", ("line 2", "height", "''")),
        ("class,position,height\na,500,980\na,600,1.250\n", ("height 1.250", "thousands")),
        ("class;position;height\na;500,5;1.5\n", ("1.5 and 500,5", "decimal commas, not both")),
        ("class;position;height\na;300,250;1\nb;500;2\n", ("300,250, whose comma", "thousands")),
        ("class;position;height\na;1.500,5;1\n", ("line 2", "'1.500,5', accepted: a number")),
        ("class position height\na II 500 1\n", ("line 2", "4 cells", "needs quotes")),
        ("class position height\na,500,1\n", ("line 2", "1 cell, accepted: 3", "holds a blank")),
        ("class position height\na 500\n", ("line 2", "2 cells, accepted: 3")),
        ("class,position,height\na,500,nan\n", ("line 2", "height", "'nan'")),
        ("class,position,height\n,500,1\n", ("line 2", "no class")),
        ("class,position,height\na\u202eb,500,1\n", ("'a\\u202eb'", "control")),
        ("class,position,height\na,500,-1\n", ("class a", "500", "-1", "0 or more")),
        ("class,position,height\na,500,0\n", ("class a", "0", "highest")),
        ("class,position,height,unit\na,5,1,nm\na,6,1,um\n", ("line 3", "class a", "nm", "um")),
        ("class,position,height,unit\na,500,1,nm\nb,600,1,um\n", ("class b", "nm", "um")),
        (of_wavelengths("1.5406", "1.79"), ("line 3", "1.79", "angstrom", "all rows")),
        (of_wavelengths("-1.5406", ""), ("line 2", "-1.5406", "above 0")),
        (of_wavelengths("", "Cu"), ("line 3", "wavelength", "'Cu'")),
        (
            of_wavelengths("1.5406", "1.5418") + "b,600,1,1.79\n",
            ("class b", "1.79", "accepted: 1.5406", "class a", "not converted"),
        ),
        ("class,position,height\na,5,1\nb,6,1\n", ("RANGE is 200 1200", "from 5 to 6")),
        ("class,position,height\na,500,1\nb,6,1\n", ("class b", "no peak", "6 (height 1)")),
        (jcamp(peaks="", count=0), ("PEAK TABLE of calcite", "no peaks")),
        (jcamp(peaks="1424, abc"), ("line 10", "'1424, abc'", "pairs")),
        (jcamp(count=3), ("NPOINTS is 3", "2 peaks")),
        (jcamp(count=2, peaks="1424, 5"), ("NPOINTS is 2", "1 peaks")),
        (jcamp(form="(XYW..XYW)"), ("(XYW..XYW)", "(XY..XY)")),
        (jcamp(peaks="1424, -2; 2172, 8"), ("712", "-2", "0 or more")),
        (jcamp().replace("ARBITRARY UNITS", "TRANSMITTANCE"), ("YUNITS", "TRANSMITTANCE")),
        (jcamp(name=""), ("TITLE",)),
        (jcamp().replace("PEAK TABLE= (", "XYDATA= ("), ("no PEAK TABLE",)),
        (jcamp() + jcamp(unit="NM"), ("class calcite", "1/CM", "NM", "one unit")),
        (jcamp() + jcamp(), ("class calcite", "again", "one table")),
        ("# COD\n\ndata_1\nloop_\n_atom_site_label\nSi1\n", ("CIF", "measured_data.md")),
    ],
)
def test_bad_peak_tables_are_refused_in_one_sentence(make, measured, content, words):
    message = refused(make, *from_table(measured(content, "bad")))
    for word in words:
        assert word in message


def test_empty_cells_behind_the_header_do_no_harm(make, measured):
    plain, trailing = measured(TABLE, "plain"), measured(TABLE.replace("\n", ",,\n"), "trailing")
    header = trailing.read_text().replace("height,,", "height", 1)
    trailing.write_text(header)
    assert make(*from_table(trailing))[0] == make(*from_table(plain))[0]


def test_the_table_itself_is_not_written_over(make, measured, tmp_path):
    path = measured(TABLE)
    (tmp_path / "link.csv").symlink_to(path)
    for output in path, tmp_path / "link.csv":
        with pytest.raises(InputError, match=r"OUTPUT is .*, which is read, too"):
            make(*from_table(path), "--output", output)
    assert path.read_text() == TABLE


def test_unit_that_differs_from_the_files_is_refused(make, measured):
    message = refused(make, *from_table(measured(jcamp()), "--unit", "nm"))
    assert "class calcite" in message
    assert "1/CM" in message
    assert "nm, as UNIT says" in message


def test_settings_that_contradict_each_other_are_refused(make, measured):
    table = measured(TABLE)
    assert "neither PEAKS nor MEASURED" in refused(make)
    assert "both PEAKS and MEASURED" in refused(make, "--peaks", table, "--measured", table)
    assert "RANGE is None" in refused(make, "--peaks", table)
    assert "LABELS" in refused(make, *from_table(table, "--labels", table))
    assert "RANGE is 9 5" in refused(make, "--peaks", table, "--range", 9, 5)
    for flags in ("--prominence", 0), ("--min-height", 1), ("--max-peaks", 0), ("--boundary", -1):
        message = refused(make, *from_table(table, *flags))
        assert flags[0].removeprefix("--").replace("-", "_").upper() in message


def test_detected_peaks_have_the_position_height_and_width_of_their_gaussians():
    heights = np.array([[0.4, 1.0, 0.3, 0.02]])
    positions = np.array([[100, 250, 340, 410]])
    spectrum = render(positions, heights, np.array([5.0]), 500)[0]
    peaks = detect(spectrum, Detection(prominence=0.04, min_height=0.02))
    assert peaks.positions.tolist() == [100, 250, 340]
    np.testing.assert_allclose(peaks.heights, [0.4, 1, 0.3], atol=1e-3)
    np.testing.assert_allclose(peaks.widths, 5, atol=0.05)
    peaks = detect(spectrum, Detection(prominence=0.04, min_height=0.02, max_peaks=2))
    assert peaks.positions.tolist() == [100, 250]


def test_of_too_many_detected_peaks_the_most_prominent_stay_not_the_highest():
    peaks = np.array([[100, 112, 250]]), np.array([[1, 0.9, 0.6]])
    spectrum = render(*peaks, np.array([5.0]), 400)[0]  # the second rises by 0.3 from the first
    found = detect(spectrum, Detection(prominence=0.04, min_height=0.02, max_peaks=2))
    np.testing.assert_allclose(found.positions, [100, 250], atol=1)


@pytest.mark.parametrize(("position", "height"), [(110, 0.3), (90, 0.3), (100, 0.7)])
def test_a_peak_up_to_two_of_its_widths_away_is_that_of_the_class(position, height):
    pattern = peaks([100, 300], [0.5, 1.0], widths=9)

    def found(at):
        # relative to what is not a peak of the class
        return deviations(peaks([at, 300], [0.8 * height, 0.8], widths=5, tails=1.5), pattern)

    np.testing.assert_allclose(
        found(position),
        [[5, 5], [abs(position - 100), 0], [0.2, 0], [1.5, 1.5]],
        atol=1e-12,
    )
    assert found(111).widths.shape == (1,)


def peaks(positions, heights, widths, tails=np.nan):
    shape = len(positions)
    return DetectedPeaks(
        np.array(positions), np.array(heights), np.full(shape, widths), np.full(shape, tails)
    )


def test_a_measured_peak_is_that_of_one_peak_of_the_class():
    pattern = peaks([100, 106, 300], [0.5, 0.4, 1.0], widths=3)
    merged = peaks([104, 300], [0.5, 1.0], widths=5)
    np.testing.assert_allclose(
        deviations(merged, pattern)[:3], [[5, 5], [2, 0], [0.1, 0]], atol=1e-12
    )
    shifted = peaks([105, 111, 300], [0.5, 0.4, 1.0], widths=5)
    np.testing.assert_allclose(
        deviations(shifted, pattern)[:3], [[5, 5, 5], [5, 5, 0], [0, 0, 0]], atol=1e-12
    )


def test_peaks_that_the_class_file_lacks_are_named(make, tmp_path):
    folder = write_samples(tmp_path / "files", jitter=0)
    flags = "--measured", folder, "--datapoints", 801, "--unit", "1/cm"
    cut, output, errors = make(*flags, "--range", 400, 1200)
    assert [spectrum["peak_heights"][0] for spectrum in cut["spectra"].values()] == [1, 1]
    assert "alpha at 400, beta at 400" in errors
    assert "--max-height-change 0.0" in output  # though single spectra are scaled by what was cut
    _, _, errors = make(*flags, "--range", 200, 1200, "--max-peaks", 2, "--output", "b.json")
    assert errors == "warning: peaks left out by MAX_PEAKS 2: 1 of beta\n"


@pytest.mark.parametrize(
    ("samples", "numbers"),
    [
        ([[100, 300], [101, 300], [108, 300]], [0]),  # one line that lies elsewhere in a sample
        ([[100, 108, 300], [100, 108, 300], [108, 300]], []),  # two lines, of which one may lack
        ([[100, 300], [101, 300], [130, 300]], []),  # too far away for one line
        ([[300], [300], [300], [100], [108]], []),  # most spectra have neither
    ],
)
def test_a_line_that_lies_elsewhere_in_some_samples_is_two_in_the_class_file(samples, numbers):
    x = np.arange(400)
    spectra = [sum(np.exp(-(((x - at) / 2) ** 2) / 2) for at in lines) for lines in samples]
    spectra = np.array([spectrum / spectrum.max() for spectrum in spectra])
    pattern = class_peaks("a", mean_spectrum(spectra, range(len(spectra))), Detection(0.05, 0.05))
    detected = detect_all(spectra, Detection(0.05, 0.05))
    assert lines_in_two(detected, pattern).tolist() == numbers


def test_a_line_that_no_spectrum_has_is_not_one_with_its_neighbour():
    pattern = peaks([100, 106, 300], [1, 0.2, 0.5], widths=2)
    detected = [peaks([100, 300], [1, 0.5], widths=2)] * 3
    assert lines_in_two(detected, pattern).tolist() == []


@pytest.mark.parametrize("widths", [[1, 4], [4, 1]])
@pytest.mark.parametrize(("apart", "numbers"), [(12, [0]), (13, [])])
def test_lines_are_near_by_the_geometric_mean_of_their_widths(widths, apart, numbers):
    pattern = peaks([100, 100 + apart], [1, 1], widths)
    detected = [peaks([100], [1], widths=1), peaks([100 + apart], [1], widths=1)]
    assert lines_in_two(detected, pattern).tolist() == numbers


def test_lines_in_two_are_told(make, tmp_path):
    files = write_samples(tmp_path / "files", sigma=1.5, jitter=4, samples=3)
    flags = "--measured", files, "--range", 200, 1200, "--datapoints", 1001
    config, _, errors = make(*flags)
    (told,) = (line for line in errors.splitlines() if "no spectrum has both" in line)
    name, _, lines = told.partition("has both: ")[2].split(", ")[0].partition(" at ")
    (of_class,) = (s for s in config["spectra"].values() if s["name"] == name)
    assert {float(x) - 200 for x in lines.split(" and ")} <= set(of_class["peak_positions"])


def test_scatter_is_of_classes_with_two_samples_and_widths_and_tails_are_of_all():
    spectra = render(np.array([[100, 200]] * 3), np.array([[1, 0.5]] * 3), np.full(3, 5.0), 300)
    detected = detect_all(spectra, Detection(0.04, 0.02, max_peaks=1))
    classes = [(detected, np.array(["a", "a", "b"])), (detected, np.array(["c", "c", "c"]))]
    pattern = peaks([100, 200], [1, 0.5], widths=5)
    found = scatter_of(classes, [pattern] * 2)
    assert (found.spectra, found.samples, found.expected) == (3, 2, 6)
    assert len(found.shifts) == len(found.height_changes) == 6
    assert len(found.widths) == len(found.tails) == 12
    assert len(found.spectrum_widths) == 6


def test_advice_covers_nine_of_ten_peaks_and_gives_as_many_spectra_as_the_paper():
    eleven = np.arange(11)
    scatter = Scatter(
        spectra=11,
        samples=3,
        expected=11,
        widths=np.full(11, 50.0),
        spectrum_widths=1.0 + eleven,
        shifts=1.1 * eleven,
        height_changes=eleven / 100,
        tails=np.array([1.5]),
    )
    for classes, n_train, n_val in (10, 500, 100), (100, 250, 50), (1000, 50, 10):
        assert advice_for(classes, datapoints=1000, scatter=scatter) == Advice(
            n_train=n_train,
            n_val=n_val,
            max_shift=10,  # 9.9 is the shift that nine of ten do not exceed
            max_height_change=0.09,
            kernel_range=(2, 10),
            test_shift=5,
            test_kernel=6,
            peak_shape="pseudo_voigt",
        )


@pytest.mark.parametrize(("shifts", "test_shift"), [(0, 0), (1, 1), (2, 1), (7, 3)])
def test_test_spectra_shift_where_peaks_do(shifts, test_shift):
    five = np.full(5, 1.0)
    scatter = Scatter(5, 3, 5, five, five, five * shifts, height_changes=five / 10, tails=five[:0])
    assert advice_for(1, datapoints=1000, scatter=scatter).test_shift == test_shift


@pytest.mark.parametrize(
    ("datapoints", "shifts"), [(dataset_config_generator.DATAPOINTS, (50, 25)), (100, (1, 1))]
)
def test_shifts_that_nothing_tells_are_the_papers_in_proportion_to_the_datapoints(
    datapoints, shifts
):
    advice = advice_for(1, datapoints)
    assert (advice.max_shift, advice.test_shift) == shifts


@pytest.mark.parametrize(
    ("peak_shape", "tails", "advised"),
    [
        ("gaussian", 2**0.5, None),
        ("pseudo_voigt", 1.525, "pseudo_voigt"),  # half Lorentzian, half Gaussian
        ("lorentzian", 3**0.5, "pseudo_voigt"),
    ],
)
def test_the_shape_of_the_peaks_is_advised_by_their_tails(peak_shape, tails, advised):
    x, share = np.arange(2000), {"gaussian": 0, "pseudo_voigt": 0.5, "lorentzian": 1}[peak_shape]
    classes, patterns = [], []
    for position, sigma in (900, 3), (1000, 8), (1100, 15):
        d = (x - position) / (sigma * (2 * np.log(2)) ** 0.5)
        spectrum = share / (1 + d**2) + (1 - share) * 2 ** -(d**2)
        detected = detect_all([spectrum, spectrum], Detection(0.04, 0.02))
        classes.append((detected, np.array(["a", "b"])))
        patterns.append(peaks([position], [1.0], widths=sigma))
    scatter = scatter_of(classes, patterns)
    np.testing.assert_allclose(scatter.tails, [tails] * 6, rtol=0.01)
    assert advice_for(1, datapoints=2000, scatter=scatter).peak_shape == advised


def test_peaks_on_the_flank_of_others_and_peaks_too_sharp_tell_no_shape():
    x = np.arange(400)
    flank = np.exp(-(((x - 100) / 20) ** 2)) + 0.3 * np.exp(-(((x - 130) / 4) ** 2))
    assert np.isfinite(detect(flank, Detection(0.04, 0.02)).tails).tolist() == [True, False]
    assert np.isnan(detect(1.0 * (x == 100), Detection(0.04, 0.02)).tails).all()


def test_a_mean_that_is_constant_has_no_peak_and_no_warning():
    with np.errstate(all="raise"):
        mean = mean_spectrum(np.array([[0, 0.5, 1], [1, 0.5, 0]]), ["a", "b"])
    assert mean.tolist() == [0, 0, 0]
    with pytest.raises(InputError, match="no peak is found in class quartz"):
        class_peaks("quartz", mean, Detection(0.04, 0.02))


def test_a_sample_counts_once_in_the_mean_however_often_it_was_measured():
    once, often = np.array([0, 1, 0.0]), np.array([1, 0, 0.5])
    mean = mean_spectrum(np.array([once, often, often, often]), ["a", "b", "b", "b"])
    np.testing.assert_allclose(mean, [1, 1, 0], atol=1e-12)


def test_measurements_give_peaks_and_the_scatter_of_their_samples(make, tmp_path):
    folder = write_samples(tmp_path / "files")
    flags = "--measured", folder, "--range", 200, 1200, "--datapoints", 1001
    config, output, errors = make(*flags, "--unit", "1/cm")
    names = [spectrum["name"] for spectrum in config["spectra"].values()]
    assert names == ["alpha", "beta"]
    for spectrum, (ideal, heights) in zip(
        config["spectra"].values(),
        (([200, 500], [1, 0.5]), ([200, 500, 700], [1, 0.5, 0.3])),
        strict=True,
    ):
        np.testing.assert_allclose(spectrum["peak_positions"], ideal, atol=3)
        np.testing.assert_allclose(spectrum["peak_heights"], heights, atol=0.1)
    assert "in 16 spectra of 8 samples, 40 of 40 peaks of their classes are found (100%)" in output
    advised = shlex.split(output.splitlines()[-1])
    assert advised[:3] == ["python", "spectra_from_config.py", "--config"]
    settings = parse_flags(spectra_from_config, advised[2:])
    assert 1 <= settings.max_shift <= 5
    assert settings.kernel_range == pytest.approx((6, 6), abs=0.3)
    assert settings.max_height_change < 0.2
    assert settings.n_train == 500
    assert errors == ""


@pytest.fixture
def drawn(keep_figures):
    return keep_figures(class_file_from_peaks)


def test_the_figure_shows_the_peaks_of_the_class_file_in_the_mean_spectra(make, tmp_path, drawn):
    folder = write_samples(tmp_path / "files")
    flags = "--measured", folder, "--range", 200, 1200, "--datapoints", 1001, "--unit", "1/cm"
    config, output, _ = make(*flags, "--figure", "new/peaks.png")
    assert output.splitlines()[-2] == "new/peaks.png and .pdf: all of 2 classes"
    assert (tmp_path / "new/peaks.pdf").read_bytes().startswith(b"%PDF")
    assert (config, output.splitlines()[-1]) == (make(*flags)[0], output.splitlines()[-1])
    panels = [axes for axes in drawn[0].axes if axes.axison]
    assert [axes.get_title(loc="left") for axes in panels] == ["alpha", "beta"]
    for axes, spectrum in zip(panels, config["spectra"].values(), strict=True):
        mean, peaks = axes.get_lines()
        assert len(mean.get_xdata()) == 1001
        positions = np.array(spectrum["peak_positions"])
        np.testing.assert_allclose(peaks.get_xdata(), 200 + positions)
        np.testing.assert_allclose(peaks.get_ydata(), mean.get_ydata()[positions], atol=1e-3)
        sticks = [stick[:, 1].tolist() for stick in axes.collections[0].get_segments()]
        assert sticks == [[0, height] for height in spectrum["peak_heights"]]
    assert drawn[0].get_supxlabel() == "x (1/cm)"


def test_the_figure_of_peak_tables_shows_48_classes_at_most_and_says_so(make, measured, drawn):
    table = "class,position,height\n" + "".join(
        f"c{i:02},500,1\nc{i:02},600,2\n" for i in range(49)
    )
    _, output, _ = make(*from_table(measured(table)), "--figure", "peaks.pdf")
    assert "peaks.png and .pdf: the first 48 of 49 classes\n" in output
    panels = [axes for axes in drawn[0].axes if axes.axison]
    assert [len(axes.get_lines()) for axes in panels] == [1] * 48  # no mean spectrum
    np.testing.assert_allclose(panels[0].get_lines()[0].get_xdata(), [500, 600])


def test_a_figure_that_would_replace_the_table_is_refused(make, measured):
    path = measured(TABLE, "peaks.pdf")
    message = refused(make, *from_table(path, "--figure", path.with_suffix(".png")))
    assert f"FIGURE is {path}, which is read" in message
    message = refused(make, *from_table(path, "--figure", "a.svg"))
    assert "FIGURE is a.svg, accepted: a name ending in .png or .pdf" in message


def test_one_spectrum_of_a_class_tells_widths_and_shape_but_no_shifts(make, tmp_path):
    folder = write_samples(tmp_path / "files", sigma=9, samples=1, spectra=1)
    flags = "--measured", folder, "--range", 200, 1200, "--datapoints", 2001, "--unit", "1/cm"
    _, output, errors = make(*flags)
    settings = parse_flags(spectra_from_config, shlex.split(output.splitlines()[-1])[2:])
    assert (*settings.kernel_range, settings.test_kernel) == pytest.approx((18, 18, 18), abs=0.3)
    assert (settings.max_shift, settings.max_height_change) == (20, 0.05)  # the paper's
    assert "in 2 spectra of classes of one sample:\n    width sigma" in output
    assert "no class has several samples to tell how far its peaks scatter" in errors
    assert "1 datapoint is 0.5 1/cm, and MAX_SHIFT 20 is 10 1/cm, for each peak" in errors


def test_classes_of_one_sample_add_widths_to_those_of_several(make, tmp_path):
    folder = write_samples(tmp_path / "files")
    for path in folder.glob("beta__*"):
        if "X000000" not in path.name:
            path.unlink()
    flags = "--measured", folder, "--range", 200, 1200, "--datapoints", 1001, "--unit", "1/cm"
    _, output, errors = make(*flags)
    assert "in 8 spectra of 4 samples, 16 of 16 peaks" in output
    assert "median width of a spectrum, of all classes: median" in output
    assert errors == ""


def test_the_background_of_the_measurements_is_kept(make, measured_dataset):
    config, _, _ = make("--measured", measured_dataset)
    assert "background" not in config
    card = json.loads((measured_dataset / "dataset.json").read_text())
    card["measured"]["parameters"]["background"] = "arpls"
    (measured_dataset / "dataset.json").write_text(json.dumps(card))
    config, _, _ = make("--measured", measured_dataset, "--output", "other.json")
    assert config["background"] == "arpls"


def test_the_wavelength_of_the_measurements_is_kept(make, measured_dataset, tmp_path):
    card = json.loads((measured_dataset / "dataset.json").read_text())
    (measured_dataset / "dataset.json").write_text(json.dumps(card | {"wavelength": 1.5406}))
    config, _, _ = make("--measured", measured_dataset)
    assert config["wavelength"] == 1.5406
    for path in (tmp_path / "files").iterdir():
        rows = path.read_text().replace(",", " ")
        path.write_text(f"_FILEVERSION=2\n_WL1=1.78897\n_2THETACOUNTS\n{rows}")
    flags = "--measured", tmp_path / "files", "--range", 200, 1200, "--datapoints", 500
    config, _, _ = make(*flags, "--output", "other.json")
    assert config["wavelength"] == 1.78897


@pytest.fixture
def line_as_background(monkeypatch):
    """Replace pybaselines, which tests do not need: its background is the line between the ends."""
    fake = types.ModuleType("pybaselines")
    line = lambda y: (np.linspace(y[0], y[-1], len(y)), {})  # noqa: E731
    fake.Baseline = lambda: types.SimpleNamespace(arpls=line)
    fake.__spec__ = importlib.machinery.ModuleSpec("pybaselines", None)
    monkeypatch.setitem(sys.modules, "pybaselines", fake)


def test_peaks_on_a_background_are_told_and_background_subtracts_it(
    make, tmp_path, line_as_background
):
    folder = write_samples(tmp_path / "files", jitter=0, slope=0.5)
    flags = "--measured", folder, "--range", 200, 1200, "--datapoints", 1001, "--unit", "1/cm"
    config, _, errors = make(*flags)
    assert config["spectra"]["0"]["peak_heights"] == pytest.approx([1, 0.53], abs=0.01)
    assert "peaks stand on a background" in errors
    assert "peaks: alpha 0.24, beta 0.24 of the highest peak; BACKGROUND arpls" in errors
    config, _, errors = make(*flags, "--background", "arpls", "--output", "without.json")
    assert config["spectra"]["1"]["peak_heights"] == pytest.approx([1, 0.5, 0.3], abs=0.01)
    assert config["background"] == "arpls"
    assert errors == ""


def test_only_files_have_their_background_subtracted(make, measured_dataset, line_as_background):
    flags = "--measured", measured_dataset, "--background", "arpls"
    assert "BACKGROUND is arpls, accepted: none, as measured_dataset.py" in refused(make, *flags)
    path = measured_dataset / "dataset.json"
    path.write_text(path.read_text().replace('"background": "none"', '"background": "arpls"'))
    assert make(*flags)[0]["background"] == "arpls"
    table = from_table(write_table(measured_dataset), "--background", "arpls")
    assert "BACKGROUND is arpls, accepted: none with PEAKS" in refused(make, *table)


def test_backgrounds_are_told_from_overlapping_peaks():
    x = np.arange(1000)
    narrow = sum(np.exp(-(((x - at) / 3) ** 2) / 2) for at in (200, 210, 300, 306, 500))
    broad = sum(1 / (1 + ((x - at) / 10) ** 2) for at in (400, 425, 450, 475, 700))
    single = np.exp(-(((x - 500) / 100) ** 2) / 2)
    crowded = sum(np.exp(-(((x - at) / 1.5) ** 2) / 2) for at in (*range(400, 481, 4), 440))
    at_the_end = narrow + 0.8 * np.exp(-(((x - 980) / 40) ** 2) / 2)
    hump = 0.4 * np.exp(-(((x - 210) / 60) ** 2) / 2)

    def level(spectrum):
        spectrum = (spectrum - spectrum.min()) / np.ptp(spectrum)
        return background_under(spectrum, detect(spectrum, Detection(0.04, 0.02)))

    told = class_file_from_peaks.HIGH_BACKGROUND
    assert max(map(level, (narrow, broad, single, crowded, at_the_end))) < told
    assert told < level(narrow + hump) < 0.3
    assert told < level(narrow + x / 1000) < 0.4


def test_peaks_one_datapoint_apart_stay_two_wherever_they_lie(make, tmp_path):
    path = tmp_path / "peaks.csv"
    for place in 464.5, 465.5, 465.0:
        peaks = f"a,{place},100\na,{place + 1},60\n"
        path.write_text("class,position,height\n" + peaks)
        flags = "--range", 200, 1200, "--datapoints", 1001, "--unit", "1/cm", "--boundary", 0
        config, _, errors = make("--peaks", path, *flags)
        at = int(place - 199.5)
        assert config["spectra"]["0"]["peak_positions"] == [at, at + 1]
        assert "joined" not in errors


@pytest.mark.parametrize(
    "unit", ["TRANSMITTANCE (%)", "PERCENT TRANSMITTANCE", "% Transmission", "T (%)", "%R"]
)
def test_peaks_that_point_down_are_refused_however_their_unit_is_written(make, tmp_path, unit):
    path = tmp_path / "peaks.jdx"
    path.write_text(jcamp().replace("ARBITRARY UNITS", unit))
    message = refused(make, "--peaks", path, "--range", 200, 1200)
    assert f"YUNITS of calcite is {unit}, accepted: heights from 0 up" in message


def test_spectra_whose_bands_point_down_give_no_peaks(make, tmp_path, measured_dataset):
    files = tmp_path / "files"
    for path in files.glob("alpha*"):
        path.write_text("##YUNITS=%T\n" + path.read_text())
    message = refused(make, "--measured", files, "--range", 200, 1200)
    assert "10 files in another unit, such as files/alpha" in message
    assert "y is in %T, accepted: absorbance or intensity, as peaks point up" in message
    card = json.loads((measured_dataset / "dataset.json").read_text())
    (measured_dataset / "dataset.json").write_text(json.dumps(card | {"y_unit": "%T"}))
    message = refused(make, "--measured", measured_dataset)
    assert f"{measured_dataset} has y in %T, accepted: absorbance or intensity" in message


def test_classes_of_peak_tables_that_are_written_alike_are_told(make, tmp_path):
    path = tmp_path / "peaks.csv"
    path.write_text("class,position,height\nQuartz,400,1\nquartz,500,1\n")
    _, _, errors = make("--peaks", path, "--range", 200, 1200, "--unit", "1/cm")
    assert "classes Quartz and quartz differ only in how they are written" in errors


def test_printed_command_renders_the_class_file_without_further_help(make, tmp_path, capsys):
    _, output, _ = make(*from_table(write_table(tmp_path), "--output", "my classes.json"))
    command = shlex.split(output.splitlines()[-1])
    settings = parse_flags(spectra_from_config, command[2:])
    settings.n_train, settings.n_val, settings.workers = 3, 2, 1
    assert spectra_from_config.main(settings) is None
    names = json.loads((tmp_path / "datasets/my classes/dataset.json").read_bytes())["class_names"]
    assert names == ["calcite", "quartz"]


def write_table(folder):
    (folder / "peaks.csv").write_text(TABLE)
    return folder / "peaks.csv"


def test_of_a_dataset_folder_only_training_spectra_are_looked_at(make, measured_dataset):
    folder = measured_dataset
    before, output, _ = make("--measured", folder)
    card = json.loads((folder / "dataset.json").read_bytes())
    rows = card["measured"]["rows"]["train"]
    samples = {row["sample"] for row in rows}
    assert f"in {len(rows)} spectra of {len(samples)} samples" in output
    of_classes = [spectrum["samples"] for spectrum in before["spectra"].values()]
    assert sorted(sample for of_class in of_classes for sample in of_class) == sorted(samples)
    assert all(of_class == sorted(of_class) for of_class in of_classes)
    for split in "val", "test":
        x = np.load(folder / f"x_{split}.npy")
        np.save(folder / f"x_{split}.npy", x[:, ::-1])
        card["files"][f"x_{split}.npy"]["sha256"] = sha256_of(folder / f"x_{split}.npy")
    (folder / "dataset.json").write_text(json.dumps(card))
    assert make("--measured", folder)[0] == before
    assert [spectrum["name"] for spectrum in before["spectra"].values()] == ["alpha", "beta"]
    assert (before["unit"], before["range"], before["datapoints"]) == ("1/cm", [200, 1200], 500)
    message = refused(make, "--measured", folder, "--range", 0, 10)
    assert "RANGE is 0 10" in message
    assert "200 1200" in message
    assert "DATAPOINTS" in refused(make, "--measured", folder, "--datapoints", 100)


@pytest.fixture
def measured_dataset(tmp_path, monkeypatch):
    """Make a dataset folder of measurements; returns it."""
    import measured_dataset as script

    files = write_samples(tmp_path / "files", samples=5)
    folder = tmp_path / "datasets" / "samples"
    flags = "--measured", files, "--output", folder, "--unit", "1/cm", "--datapoints", 500
    script.main(parse_flags(script, list(map(str, flags))))
    return folder


def test_arrays_of_ones_own_give_classes_by_number_and_say_what_is_unknown(make, own_arrays):
    config, _, errors = make("--measured", own_arrays)
    assert [spectrum["name"] for spectrum in config["spectra"].values()] == ["0", "1", "2"]
    assert "unit" not in config
    assert "does not tell samples" in errors
    assert "unit is not known" in errors


def test_arrays_that_are_not_what_the_data_card_records_are_refused(make, measured_dataset):
    path = measured_dataset / "x_train.npy"
    np.save(path, np.roll(np.load(path), 100, axis=1))
    assert "x_train.npy is not the file" in refused(make, "--measured", measured_dataset)


def test_spectra_without_a_number_are_refused(make, own_arrays):
    x = np.load(own_arrays / "x_train.npy")
    x[3, 5] = np.nan
    np.save(own_arrays / "x_train.npy", x)
    message = refused(make, "--measured", own_arrays)
    assert "x_train.npy" in message
    assert "3" in message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda card: card.update(measured=None), "measured has no"),
        (lambda card: card["measured"].update(parameters=[]), "parameters"),
        (lambda card: card["measured"].update(rows=None), "rows"),
        (lambda card: card["measured"]["rows"]["train"].pop(), "rows of train"),
        (lambda card: card["measured"]["rows"]["train"][0].pop("sample"), "rows of train"),
        (lambda card: card.update(range=[200]), r"range is \[200\]"),
        (lambda card: card.update(range=[1200, 200]), "range is"),
        (lambda card: card.update(range="200 1200"), "range is"),
        (lambda card: card.update(unit=5), "unit is 5"),
    ],
)
def test_a_damaged_data_card_is_refused_by_its_field(make, measured_dataset, change, words):
    card = json.loads((measured_dataset / "dataset.json").read_bytes())
    change(card)
    (measured_dataset / "dataset.json").write_text(json.dumps(card))
    with pytest.raises(InputError, match=f"dataset.json is not what .*{words}"):
        make("--measured", measured_dataset)


def test_rendered_dataset_is_refused_as_it_has_a_class_file(make, dataset):
    assert "was rendered from small.json" in refused(make, "--measured", dataset)


def test_class_without_a_peak_is_named_with_the_prominence_that_would_do():
    x = np.arange(300)
    spectrum = x / 299 + 0.1 * np.exp(-(((x - 100) / 5) ** 2) / 2)  # a small peak on a slope
    detection = Detection(prominence=0.2, min_height=0.02)
    with pytest.raises(InputError, match="class opal with PROMINENCE") as error:
        class_peaks("opal", spectrum, detection)
    enough = float(str(error.value).split()[-1])
    assert 0.05 < enough < 0.1
    peaks = class_peaks("opal", spectrum, detection._replace(prominence=enough))
    assert peaks.heights.tolist() == [1]
    np.testing.assert_allclose(peaks.positions, 100, atol=2)
    with pytest.raises(InputError, match="without this class"):
        class_peaks("opal", x / 299, detection)


def test_archives_and_labels_are_read_as_for_a_dataset_folder(make, tmp_path):
    folder = write_samples(tmp_path / "files")
    flags = "--range", 200, 1200, "--datapoints", 1001
    expected, *_ = make("--measured", folder, *flags)
    archive, table = tmp_path / "files.zip", ["file,class,sample"]
    with zipfile.ZipFile(archive, "w") as packed:
        for number, path in enumerate(sorted(folder.iterdir())):
            name, sample, *_ = path.name.split("__")
            packed.write(path, f"{number}.txt")
            table.append(f"{number}.txt,{name},{sample}")
        packed.writestr("notes.txt", "no measurement")
    labels = tmp_path / "labels.csv"
    labels.write_text("\n".join(table))
    config, _, errors = make("--measured", archive, "--labels", labels, *flags)
    assert config == expected
    assert "left out: 1 file without class and sample" in errors


def test_the_papers_class_file_is_not_replaced(make, measured, tmp_path):
    content = (class_file_from_peaks.Path(class_file_from_peaks.__file__).parent).joinpath(
        "dataset_configs", "dataset500.json"
    )
    output = tmp_path / "mine.json"
    output.write_bytes(content.read_bytes())
    with pytest.raises(InputError, match="of the dataset 'paper' of the papers"):
        make(*from_table(measured(TABLE), "--output", output))
    assert output.read_bytes() == content.read_bytes()


def test_same_input_gives_the_same_bytes_and_errors_end_in_one_line(make, measured, run, tmp_path):
    table, output = measured(TABLE), tmp_path / "classes.json"
    contents = []
    for _ in range(2):
        make(*from_table(table, "--output", output))
        contents.append(output.read_bytes())
        output.unlink()
    assert contents[0] == contents[1]
    process = run("class_file_from_peaks.py", *from_table(measured("class,height\n", "bad")))
    assert_one_sentence(process, 2, "bad", "lacks the column position")


def test_the_width_of_a_spectrum_is_the_median_of_its_peaks():
    x, positions, widths = np.arange(400), np.array([100, 200, 300]), np.array([4.0, 4, 10])
    spectrum = sum(
        np.exp(-(((x - p) / w) ** 2) / 2) for p, w in zip(positions, widths, strict=True)
    )
    pattern = peaks(positions, np.ones(3), widths)
    classes = [(detect_all([spectrum, spectrum], Detection(0.04, 0.02)), np.array(["a", "b"]))]
    found = scatter_of(classes, [pattern])
    np.testing.assert_allclose(found.spectrum_widths, [4, 4], atol=0.05)


def test_percentiles_stand_where_they_belong(capsys):
    values = np.arange(11.0)
    scatter = Scatter(5, 3, 11, values, values, values, values, values[:0])
    grid = Grid(1001, (200, 1200))
    classes = class_file_from_peaks.Classes(["a"], [], "1/cm", grid, scatter=scatter)
    config = {"spectra": {}, "min_peaks": 1, "max_peaks": 2, "classes": 1}
    class_file_from_peaks.tell(classes, config, "x", "0")
    assert "shift in datapoints: median 5, 10 % below 1, 10 % above 9\n" in capsys.readouterr().out


def test_height_changes_up_to_099_are_advised():
    one = np.ones(5)
    scatter = Scatter(5, 3, 5, one, one, one, one, tails=one[:0])
    assert advice_for(1, datapoints=100, scatter=scatter).max_height_change == 0.99


def test_spectra_that_rise_to_their_last_datapoint_are_told():
    rising = np.linspace(0, 1, 50)
    assert cut_off(rising, Detection(0.04, 0.02)) == [49]
    assert cut_off(rising[::-1], Detection(0.04, 0.02)) == [0]
