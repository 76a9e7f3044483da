import os

import numpy as np
import pytest
from conftest import assert_one_sentence
from hypothesis import given
from hypothesis import strategies as st

import measured_spectra
from benchmark.command_line import parse_flags
from benchmark.figure_style import save
from measured_spectra import busiest_excerpt, draw_spectra

RRUFF = "##NAMES=Quartz\n\n100.0000, 3.0\n101.0000, 7.5\n102.5000, 1\n104.0000, 2.0\n##END=\n"
COMMA = "100,3\n101,7.5\n102.5,1\n104,2\n"
JCAMP = (
    "##TITLE= t\n##JCAMP-DX= 4.24\n##FIRSTX= 400\n##LASTX= 409\n##NPOINTS= 10\n"
    "##XYDATA=(X++(Y..Y))\n400AJJ%jjjjjj\n##END=\n"
)


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
    files = [long, measured(RRUFF, "quartz.txt"), measured(JCAMP, "t.jdx")]
    save, figure = tmp_path / "new" / "x_measured.npy", tmp_path / "figures" / "all.pdf"
    process = run("measured_spectra.py", "--measured", *files, "--save", save, "--figure", figure)
    *sparse, ranges = process.stderr.splitlines()
    assert len(sparse) == 2
    assert f"{files[1]}: points are up to 1.5 apart, 1875 datapoints, as from 101" in sparse[0]
    assert f"{files[2]}: points are up to 1 apart" in sparse[1]
    assert f"{files[0]} goes from 200 to 2000 and {files[1]} from 100 to 104, so the" in ranges
    assert "RANGE makes it the same" in ranges
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
    process = run("measured_spectra.py", *flags, 1, 8, cwd=tmp_path)
    assert_one_sentence(process, 2, b, "4 to 8", "RANGE, 1 to 8")
    assert_one_sentence(run("measured_spectra.py", *flags, 8, 4), 2, "RANGE", "8 4")


def test_figure_shows_at_most_20_spectra(measured, run, tmp_path):
    files = [measured(COMMA)] * 21
    process = run("measured_spectra.py", "--measured", *files, "--datapoints", 50, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert process.stdout.endswith("measured.png and .pdf: the first 20 of 21 spectra\n")


def test_figure_of_the_same_spectra_has_the_same_bytes(tmp_path):
    spectra = np.random.default_rng(0).random((2, 1500), np.float32)
    for name in "first", "second":
        save(draw_spectra(["a", "b"], [(0, 9)] * 2, spectra), tmp_path, name)
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


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("x.npy", ["--save", "x.npy"]),
        ("a.pdf", ["--figure", "a.png"]),
        ("a.png", ["--figure", "a.pdf"]),
    ],
)
def test_measurements_are_not_written_over(name, flags, measured, run, tmp_path):
    path = measured(COMMA, name)
    process = run("measured_spectra.py", "--measured", name, *flags, cwd=tmp_path)
    assert_one_sentence(process, 2, f"is {name}, which is read, too")
    assert path.read_text() == COMMA


def test_notes_of_a_file_are_warnings_that_name_it(measured, run, tmp_path):
    a = measured("1 0\n2 3\n2 5\n3 1\n", "a")
    process = run("measured_spectra.py", "--measured", a, "--datapoints", 9, cwd=tmp_path)
    assert_one_sentence(process, 0, f"warning: {a}: ", "averaged")
    process = run("measured_spectra.py", "--measured", a, "--datapoints", 2, cwd=tmp_path)
    assert process.stderr.count(f"warning: {a}: ") == 2
    assert "DATAPOINTS of 3 would resolve" in process.stderr


def test_narrow_lines_keep_their_heights_in_the_saved_spectra(measured, run, tmp_path):
    y = np.zeros(30_001)
    y[[4444, 15_003, 23_332]] = [1, 0.52, 0.7]
    text = "".join(f"{i / 100:.2f}\t{height}\n" for i, height in enumerate(y))
    flags = "--measured", measured(text), "--save", tmp_path / "x.npy"
    process = run("measured_spectra.py", *flags, cwd=tmp_path)
    assert_one_sentence(process, 0, "DATAPOINTS of 30001")
    (spectrum,) = np.load(tmp_path / "x.npy")
    np.testing.assert_allclose(np.sort(spectrum)[-4:], [0, 0.52, 0.7, 1], rtol=1e-6)


def test_files_in_different_units_are_warned_of(measured, run, tmp_path):
    files = [
        measured(f"x ({x}),y ({y})\n1,2\n2,5\n3,2\n", name)
        for name, x, y in (
            ("a", "cm-1", "counts"),
            ("b", "1/CM", "Counts"),
            ("c", "nm", "counts"),
            ("d", "nm", "absorbance"),
        )
    ]
    files.append(measured("1,2\n2,5\n3,2\n", "e"))
    for names, stderr in (
        (files[:2] + files[4:], ""),
        (
            files[:3],
            f"warning: {files[0]} has x in cm-1 and {files[2]} in nm, which are not converted\n",
        ),
        (
            files[2:],
            f"warning: {files[2]} has y in counts and {files[3]} in absorbance, which are "
            "not converted\n",
        ),
    ):
        process = run("measured_spectra.py", "--measured", *names, "--datapoints", 20, cwd=tmp_path)
        assert (process.returncode, process.stderr) == (0, stderr)


def test_files_of_different_wavelengths_are_told(measured, run, tmp_path):
    files = [
        measured(f"_FILEVERSION=2\n_WL1={wavelength}\n_2THETACOUNTS\n10 1\n20 5\n30 2\n", name)
        for wavelength, name in ((1.5406, "copper.uxd"), (1.78897, "cobalt.uxd"))
    ]
    flags = "--measured", *files, "--datapoints", 3
    told = f": 1.5406 in 1 file, {files[0]}; 1.78897 in 1 file, {files[1]}"
    assert_one_sentence(run("measured_spectra.py", *flags, cwd=tmp_path), 0, told)


@pytest.mark.parametrize("header", ["", "pixel;intensity\n"])
def test_numbers_of_points_that_pass_for_x_are_told(measured, run, tmp_path, header):
    rows = "".join(f"{x};{1 + x % 7}\n" for x in range(50))
    flags = "--datapoints", 50, "--measured"
    process = run("measured_spectra.py", *flags, measured(header + rows), cwd=tmp_path)
    assert_one_sentence(process, 0, "x counts 0, 1 and so on, as the numbers of points do")
    process = run("measured_spectra.py", *flags, measured("2theta;I\n" + rows), cwd=tmp_path)
    assert process.stderr == ""


def test_block_chooses_among_the_spectra_of_a_file(measured, run, tmp_path):
    two = measured(JCAMP + JCAMP.replace("= 409", "= 418").replace("= t", "= film"), "two.jdx")
    flags = "--measured", two, measured(COMMA)
    assert_one_sentence(run("measured_spectra.py", *flags, cwd=tmp_path), 2, two, "1 't', 2 'film'")
    process = run("measured_spectra.py", *flags, "--block", "film", cwd=tmp_path)
    assert process.returncode == 0
    assert f"{two}: 10 points from 400 to 418" in process.stdout


def test_all_unreadable_files_are_named_with_their_reasons(measured, run, tmp_path):
    bad = [measured("1 2 3 4\n", "four"), tmp_path / "missing", measured("1 5\n2 5\n", "flat")]
    flags = "--measured", bad[0], measured(COMMA), *bad[1:], "--save", "x.npy"
    process = run("measured_spectra.py", *flags, cwd=tmp_path)
    assert_one_sentence(process, 2, "3 of 4 files", *bad, "4 columns", "does not exist", "y goes")
    assert not (tmp_path / "x.npy").exists()
    assert not (tmp_path / "figures").exists()


def test_many_unreadable_files_are_named_line_by_line(measured, run, tmp_path):
    bad = [measured("1 2 3 4\n", f"file{i}") for i in range(30)]
    process = run("measured_spectra.py", "--measured", *bad, cwd=tmp_path)
    assert process.returncode == 2
    *lines, last = process.stderr.splitlines()
    for path, line in zip(bad, lines, strict=True):
        assert line.startswith(f"warning: {path}: line 1 is '1 2 3 4', 4 columns")
    assert "error: 30 of 30 files cannot be read" in last


def test_unreadable_files_may_be_skipped(measured, run, tmp_path):
    bad = [measured("1 2 3 4\n", "four"), tmp_path / "missing"]
    flags = "--measured", bad[0], measured(COMMA), bad[1], "--save", "x.npy", "--skip-unreadable"
    flags += "--datapoints", 20
    process = run("measured_spectra.py", *flags, cwd=tmp_path)
    assert process.returncode == 0
    first, second, counted = process.stderr.splitlines()
    assert f"skipped: {bad[0]}: line 1" in first
    assert f"{bad[1]} does not exist" in second
    assert counted == "warning: 2 of 3 files are skipped"
    assert np.load(tmp_path / "x.npy").shape == (1, 20)
    process = run("measured_spectra.py", "--measured", *bad, "--skip-unreadable", cwd=tmp_path)
    assert_one_sentence(process, 2, "2 of 2 files", *bad)


@pytest.mark.parametrize(
    "name",
    [b"\xff\xfe.txt", b"a $x_{.txt", b"$$.txt", b"a\tb\n.txt", "2θ 钛 é.txt".encode(), b"x" * 250],
)
def test_any_file_name_may_stand_in_the_figure(name, tmp_path, run):
    path = tmp_path / os.fsdecode(name)
    path.write_text(COMMA)
    process = run("measured_spectra.py", "--measured", path, "--datapoints", 20, cwd=tmp_path)
    assert (process.returncode, process.stderr) == (0, "")
    assert (tmp_path / "figures" / "measured.png").exists()


@pytest.mark.parametrize(
    ("datapoints", "shown"), [(2, 2), (5, 2), (1000, 200), (5000, 1000), (9000, 1000)]
)
def test_the_excerpt_of_the_figure_is_a_fifth_and_at_most_1000_datapoints(datapoints, shown):
    spectrum = np.random.default_rng(0).random(datapoints)
    part = measured_spectra.draw_spectra(["a"], [(10, 80)], spectrum[None]).axes[1]
    assert len(part.lines[0].get_xdata()) == shown


@pytest.mark.parametrize("limits", [[], ["--range", "200", "1200"]])
def test_the_figure_shows_a_spectrum_over_its_x(tmp_path, monkeypatch, limits):
    x = np.linspace(139, 1513, 2000)
    y = np.exp(-((x - 464) ** 2) / 50)
    rows = "".join(f"{a:.3f}, {b:.5f}\n" for a, b in zip(x, y, strict=True))
    (tmp_path / "quartz.txt").write_text(f"Raman shift (cm-1), intensity\n{rows}")
    drawn = []
    monkeypatch.setattr(measured_spectra, "save", lambda figure, *_: drawn.append(figure))
    flags = ["--measured", str(tmp_path / "quartz.txt"), *limits]
    measured_spectra.main(parse_flags(measured_spectra, flags))
    whole, part = drawn[0].axes
    assert whole.get_xlim() == pytest.approx((200, 1200) if limits else (139, 1513))
    assert whole.get_title("left") == "quartz.txt, x in cm-1"
    for panel in whole, part:
        (line,) = panel.lines
        assert line.get_xdata()[line.get_ydata().argmax()] == pytest.approx(464, abs=1)


def test_twenty_spectra_fit_a_page():
    spectra = np.random.default_rng(0).random((20, 50))
    figure = measured_spectra.draw_spectra(["a"] * 20, [(0, 1)] * 20, spectra)
    assert figure.get_size_inches()[1] < 11
