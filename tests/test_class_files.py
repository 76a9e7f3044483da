import hashlib
import json
import os
import resource
import subprocess

import numpy as np
import pytest
from conftest import PROJECT, assert_one_sentence
from hypothesis import given
from hypothesis import strategies as st

from benchmark.class_file import named_fields, read_class_file
from benchmark.command_line import InputError
from dataset_config_generator import draw_classes

PAPER_SHA256 = "bcc9a40767e77841aeb0750bb2f6029311c0d632e030edf262834c7ad01ae0a6"


def test_defaults_write_the_papers_class_file_byte_for_byte(run, tmp_path):
    process = run("dataset_config_generator.py", "--output", tmp_path / "dataset500.json")
    assert process.returncode == 0, process.stderr
    written = json.loads((tmp_path / "dataset500.json").read_text())["spectra"].values()
    peaks = sum(len(spectrum["peak_positions"]) for spectrum in written)
    first, last = process.stdout.splitlines()
    assert first == f"{tmp_path / 'dataset500.json'}: 500 classes, {peaks} peaks"
    assert last == f"sha256 {PAPER_SHA256}"
    assert process.stderr == ""
    written = (tmp_path / "dataset500.json").read_bytes()
    assert hashlib.sha256(written).hexdigest() == PAPER_SHA256
    assert (PROJECT / "dataset_configs/dataset500.json").read_bytes() == written


def test_committed_quick_class_file_is_what_make_benchmark_writes():
    quick = draw_classes(datapoints=500, boundary=50, classes=8, max_peaks=3)
    assert (PROJECT / "dataset_configs/quick.json").read_text() == json.dumps(quick)
    makefile = " ".join((PROJECT / "Makefile").read_text().replace("\\\n", " ").split())
    flags = "--datapoints 500 --boundary 50 --classes 8 --max-peaks 3"
    assert f"{flags} --output dataset_configs/quick.json $(RUN)" in makefile


@given(data=st.data())
def test_every_class_keeps_the_limits(data):
    boundary = data.draw(st.integers(0, 20))
    datapoints = data.draw(st.integers(2 * boundary + 1, 2 * boundary + 60))
    min_peaks = data.draw(st.integers(1, 5))
    max_peaks = data.draw(st.integers(min_peaks, 8))
    max_height = data.draw(st.integers(1, 100))
    min_height = data.draw(st.integers(0, max_height))
    config = draw_classes(
        datapoints,
        boundary,
        data.draw(st.integers(1, 8)),
        min_peaks,
        max_peaks,
        min_height,
        max_height,
        data.draw(st.sampled_from(["uniform", "gamma"])),
        False,
        data.draw(st.integers(0, 2**32)),
    )
    assert list(config) == [
        "datapoints",
        "boundary",
        "classes",
        "min_peaks",
        "max_peaks",
        "max_height",
        "spectra",
    ]
    for spectrum in config["spectra"].values():
        positions, heights = spectrum["peak_positions"], spectrum["peak_heights"]
        assert min_peaks <= len(positions) == len(heights) <= max_peaks
        assert positions == sorted(positions)
        assert all(boundary <= p < datapoints - boundary for p in positions)
        assert max(heights) == 1
        assert all(h == round(h, 3) and min_height / max_height - 5e-4 <= h for h in heights)


def test_peaks_reach_every_allowed_position_count_and_height():
    config = draw_classes(10, 2, 400, 1, 3, 0, 4, seed=5)
    spectra = config["spectra"].values()
    assert {p for s in spectra for p in s["peak_positions"]} == set(range(2, 8))
    assert {len(s["peak_positions"]) for s in spectra} == {1, 2, 3}
    assert {0, 0.25, 0.333, 0.5, 0.667, 0.75, 1} == {h for s in spectra for h in s["peak_heights"]}


def test_gamma_draws_the_follow_ups_peak_counts():
    rng = np.random.default_rng(2022)
    first = round(rng.gamma(1.2, 1.2) + 2)
    config = draw_classes(classes=3000, min_height=1, peak_count_distribution="gamma")
    counts = [len(s["peak_positions"]) for s in config["spectra"].values()]
    assert counts[0] == first
    reference = np.random.default_rng(1).gamma(1.2, 1.2, 100_000) + 2
    expected = np.minimum(np.round(reference), 10)
    for peaks in range(2, 11):
        assert counts.count(peaks) / 3000 == pytest.approx(np.mean(expected == peaks), abs=0.03)


def test_a_class_without_any_height_is_drawn_again():
    config = draw_classes(classes=50, min_peaks=1, max_peaks=1, min_height=0, max_height=1)
    assert all(s["peak_heights"] == [1.0] for s in config["spectra"].values())


def test_reader_returns_what_the_generator_wrote():
    config = draw_classes()
    read = read_class_file(PROJECT / "dataset_configs/dataset500.json")
    assert read.sha256 == PAPER_SHA256
    assert read.datapoints == 5000
    for label in range(500):
        spectrum = config["spectra"][str(label)]
        assert read.positions[label].tolist() == spectrum["peak_positions"]
        assert read.heights[label].tolist() == spectrum["peak_heights"]


def change(field, value):
    return lambda config: config["spectra"]["2"].update({field: value})


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (change("peak_positions", [19, 50]), ["class 2", "peak position 19", "20 to 99"]),
        (change("peak_positions", [50, 100]), ["class 2", "peak position 100", "20 to 99"]),
        (change("peak_positions", [50, 60.5]), ["class 2", "60.5", "whole numbers"]),
        (change("peak_positions", [50, True]), ["class 2", "True", "whole numbers"]),
        (change("peak_positions", "50"), ["class 2", "peak_positions", "a list"]),
        (change("peak_positions", [50]), ["class 2", "1 peak_positions", "2 peak_heights"]),
        (change("peak_heights", [float("nan"), 1]), ["class 2", "peak height nan", "0 to 1"]),
        (change("peak_heights", [-0.1, 1]), ["class 2", "peak height -0.1", "0 to 1"]),
        (change("peak_heights", [1, 1.2]), ["class 2", "peak height 1.2", "0 to 1"]),
        (change("peak_heights", [0.5, None]), ["class 2", "peak height None", "0 to 1"]),
        (change("test_variants", [[0, 0], [-51, 0]]), ["class 2", "shifts by -51", "0 to 119"]),
        (change("test_variants", [[60, 0]]), ["class 2", "shifts by 60", "0 to 119"]),
        (change("samples", "R040031"), ["class 2", "samples is 'R040031'", "a list of texts"]),
        (change("samples", [40031]), ["class 2", "samples is [40031]", "a list of texts"]),
        (change("test_variants", []), ["class 2", "test_variants is []", "[shift, height change]"]),
        (change("test_variants", {"0": 1}), ["class 2", "test_variants", "a list of"]),
        (change("test_variants", [[1.5, 0]]), ["class 2", "test variant [1.5, 0]", "whole number"]),
        (change("test_variants", [[1, 2]]), ["class 2", "test variant [1, 2]", "-1 to 1"]),
        (change("test_variants", [[1]]), ["class 2", "test variant [1]", "[shift, height change]"]),
        (change("test_variants", [[0, float("nan")]]), ["class 2", "nan", "-1 to 1"]),
        (change("test_variants", [[True, 0]]), ["class 2", "test variant [True, 0]"]),
        (change("name", ""), ["class 0", "the name None", "a text for each class"]),
        (lambda c: [s.update(name="a") for s in c["spectra"].values()], ["classes 0 and 1", "'a'"]),
        (lambda c: c.update(unit=5), ["unit is 5", "a text"]),
        (lambda c: c.update(range=[5, 5]), ["range is [5, 5]", "the smaller one first"]),
        (lambda c: c.update(range=[1]), ["range is [1]", "two numbers"]),
        (lambda c: c.update(wavelength=0), ["wavelength is 0", "above 0, in angstrom"]),
        (lambda c: c.update(wavelength="Cu"), ["wavelength is 'Cu'", "above 0, in angstrom"]),
        (lambda c: c.update(range=[1, float("inf")]), ["range is [1, inf]", "two numbers"]),
        (change("peak_heights", [0.5, 0.9]), ["class 2", "highest peak", "0.9", "1"]),
        (lambda c: c["spectra"].update({"2": []}), ["class 2", "[]", "object"]),
        (lambda c: c["spectra"].pop("3"), ["spectra", "4 classes"]),
        (
            lambda c: c.update(spectra=dict(reversed(c["spectra"].items()))),
            ["spectra", "in this order"],
        ),
        (
            lambda c: [
                s.update(name=n) for s, n in zip(c["spectra"].values(), "ab c", strict=True)
            ],
            ["class 2", "the name ' '", "a text for each class"],
        ),
        (lambda c: c.pop("datapoints"), ["datapoints", "None", "whole number"]),
        (lambda c: c.update(classes="4"), ["classes", "'4'", "whole number"]),
        (lambda c: c.update(datapoints=10**30), ["datapoints", "whole number"]),
        (lambda c: c.update(max_peaks=1), ["class 0", "peaks", "2 to 1"]),
    ],
)
def test_reader_names_file_class_field_value_and_what_is_accepted(class_file, damage, words):
    path, write = class_file
    config = json.loads(path.read_text())
    config["spectra"]["2"] = {"peak_positions": [50, 60], "peak_heights": [0.5, 1.0]}
    path.write_text(json.dumps(config))
    write(lambda c: (c.update(config), damage(c)))
    with pytest.raises(InputError) as error:
        read_class_file(path)
    for word in [str(path), *words]:
        assert word in str(error.value)


def test_reader_refuses_files_that_are_no_class_files(tmp_path):
    (tmp_path / "cut.json").write_bytes((PROJECT / "dataset_configs/quick.json").read_bytes()[:500])
    (tmp_path / "list.json").write_text("[1, 2]")
    (tmp_path / "nested.json").write_text(100_000 * "[")
    (tmp_path / "picture.json").write_bytes(b"\x89PNG\r\n\x1a\n\xff")
    for name in "cut.json", "list.json", "nested.json", "picture.json", "absent.json":
        with pytest.raises(InputError, match=name):
            read_class_file(tmp_path / name)


def test_shape_and_scale_of_the_gamma_distribution_can_be_chosen(run, tmp_path):
    changed = "--classes", 2000, "--max-peaks", 100, "--gamma-shape", 9, "--gamma-scale", 0.5
    flags = *changed, "--output", tmp_path / "c.json"
    process = run("dataset_config_generator.py", *flags, "--peak-count-distribution", "gamma")
    assert process.stderr == ""
    spectra = json.loads((tmp_path / "c.json").read_text())["spectra"].values()
    counts = np.array([len(spectrum["peak_positions"]) for spectrum in spectra])
    assert counts.mean() == pytest.approx(2 + 9 * 0.5, abs=0.15)  # MIN_PEAKS and the mean
    assert counts.std() == pytest.approx(np.sqrt(9 * 0.5**2 + 1 / 12), abs=0.1)
    for changed in ("--gamma-shape", 9), ("--gamma-scale", 0.5):
        uniform = *changed, "--classes", 2, "--output", tmp_path / "uniform.json"
        process = run("dataset_config_generator.py", *uniform)
        assert_one_sentence(process, 0, "GAMMA_SHAPE", "no effect")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--classes", "0"], ["CLASSES", "0", "from 1 on"]),
        (["--classes", "many"], ["--classes", "'many'", "whole number"]),
        (["--datapoints", "200"], ["DATAPOINTS", "200", "BOUNDARY"]),
        (["--max-peaks", "1"], ["MAX_PEAKS", "1", "MIN_PEAKS"]),
        (["--max-height", "0"], ["MAX_HEIGHT", "0"]),
        (["--seed", "-1"], ["SEED", "-1"]),
        (["--datapoints", str(10**20)], ["DATAPOINTS", str(10**20), "at most"]),
        (["--max-height", str(10**20)], ["MAX_HEIGHT", str(10**20), "at most"]),
        (["--peak-count-distribution", "beta"], ["beta", "uniform", "gamma"]),
        (["--gamma-shape", 0], ["GAMMA_SHAPE is 0.0", "above 0"]),
        (["--gamma-scale", "nan"], ["GAMMA_SCALE is nan", "above 0"]),
        (["--gamma-scale", 1001], ["GAMMA_SCALE is 1001", "at most 1000"]),
        (["--clases", "3"], ["--clases"]),
    ],
)
def test_wrong_flags_end_in_one_sentence(run, tmp_path, flags, words):
    output = tmp_path / "out.json"
    process = run("dataset_config_generator.py", "--output", output, *flags)
    assert_one_sentence(process, 2, *words)
    assert not output.exists()


def test_an_output_that_is_a_folder_ends_in_one_sentence(run, tmp_path):
    for output in ".", tmp_path:
        process = run("dataset_config_generator.py", "--output", output, cwd=tmp_path)
        assert_one_sentence(process, 2, "is a folder, accepted: the name of a file")
    assert not list(tmp_path.iterdir())


def test_other_classes_do_not_replace_the_papers_class_file_unasked(run, tmp_path):
    script = "dataset_config_generator.py"
    assert run(script, cwd=tmp_path).returncode == 0
    assert run(script, cwd=tmp_path).returncode == 0  # the same bytes once more
    process = run(script, "--seed", 1, cwd=tmp_path)
    assert_one_sentence(process, 2, "dataset500.json holds other classes", "OUTPUT")
    content = (tmp_path / "dataset_configs/dataset500.json").read_bytes()
    assert hashlib.sha256(content).hexdigest() == PAPER_SHA256
    output = tmp_path / "mine.json"
    for seed in 1, 2:  # a name one has chosen is written again
        assert run(script, "--seed", seed, "--output", output).returncode == 0


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda c: c["spectra"]["1"].update(name="quartz"), "classes with name"),
        (lambda c: c["spectra"]["1"].update(test_variants=[[0, 0]]), "classes with test_variants"),
        (lambda c: c.update(unit="1/cm"), "classes with unit"),
        (lambda c: c.clear(), "something else than classes"),
        (lambda c: c.update(spectra=[1]), "something else than classes"),
    ],
)
def test_what_cannot_be_made_again_is_not_replaced(run, class_file, change, found):
    path, write = class_file
    write(change)
    before = path.read_bytes()
    process = run("dataset_config_generator.py", "--classes", 2, "--output", path)
    assert_one_sentence(process, 2, path, f"holds {found}; choose another OUTPUT")
    assert path.read_bytes() == before


def test_classes_written_by_hand_are_not_replaced(run, class_file):
    path, _ = class_file
    by_hand = json.dumps(json.loads(path.read_text()), indent=4)
    path.write_text(by_hand)
    process = run("dataset_config_generator.py", "--classes", 2, "--output", path)
    assert_one_sentence(process, 2, path, "holds classes written or changed by hand")
    assert path.read_text() == by_hand


@pytest.mark.parametrize("content", [b"# Notes", b"[1]", b"\xff"])
def test_files_of_another_kind_are_not_replaced(run, tmp_path, content):
    (tmp_path / "notes.md").write_bytes(content)
    process = run("dataset_config_generator.py", "--output", tmp_path / "notes.md")
    assert_one_sentence(process, 2, "notes.md holds something else than classes")
    assert (tmp_path / "notes.md").read_bytes() == content
    (tmp_path / "notes.md").write_bytes(b"")  # as `mktemp` makes one: nothing is lost
    assert run("dataset_config_generator.py", "--output", tmp_path / "notes.md").returncode == 0


def test_a_link_stays_one_and_a_pipe_is_written_to(run, class_file, tmp_path):
    path, _ = class_file
    link = tmp_path / "link.json"
    link.symlink_to(path)
    assert run("dataset_config_generator.py", "--classes", 2, "--output", link).returncode == 0
    assert link.is_symlink()
    assert json.loads(path.read_text())["classes"] == 2
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
        assert run("dataset_config_generator.py", "--classes", 2, "--output", pipe).returncode == 0
        assert reader.stdout.read() == path.read_bytes()
    assert pipe.is_fifo()


def test_a_full_disk_keeps_the_old_file_and_leaves_nothing_half_written(run, class_file):
    path, _ = class_file
    before = path.read_bytes()
    process = run(
        "dataset_config_generator.py",
        *["--output", path],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
    )
    assert_one_sentence(process, 1, "File too large")
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_the_follow_ups_class_file_is_what_the_generator_draws_but_for_six_classes():
    config = json.loads((PROJECT / "dataset_configs/followup500.json").read_text())
    own = {
        label: spectrum.pop("test_variants")
        for label, spectrum in config["spectra"].items()
        if "test_variants" in spectrum
    }
    drawn = draw_classes(min_height=1, peak_count_distribution="gamma")
    assert json.dumps(config) == json.dumps(drawn)
    assert sum(len(s["peak_positions"]) for s in drawn["spectra"].values()) == 1749
    limits = {"8": (17, 0.04), "318": (17, 0.04)} | dict.fromkeys(
        ["164", "281", "219", "347"], (30, 0.025)
    )
    assert own == {
        label: [[s, c] for c in (0, change, -change) for s in (0, -shift, shift)]
        for label, (shift, change) in limits.items()
    }


def test_the_challenge_set_has_nine_triplets_with_six_test_spectra_each():
    read = read_class_file(PROJECT / "dataset_configs/challenge27.json")
    assert (read.classes, read.datapoints) == (27, 5000)
    assert [len(read.test_variants[label]) for label in range(27)] == [6] * 27
    assert sum(map(len, read.positions)) == 67
    first, last = read.test_variants[9], read.test_variants[26]
    assert first == [(s, c) for c in (0, 0.03, -0.03) for s in (0, 30)]
    assert last == [(s, c) for c in (0, -0.03) for s in (0, -30, 30)]
    for triplet in range(9):  # the classes of a triplet are hard to tell apart
        tallest = [
            int(read.positions[label][read.heights[label].argmax()])
            for label in range(3 * triplet, 3 * triplet + 3)
        ]
        assert max(tallest) - min(tallest) <= 6


def test_names_unit_and_range_are_read(class_file):
    path, write = class_file
    assert read_class_file(path)[-4:] == (None, None, None, None)

    def named(config):
        config |= {"unit": "1/cm", "range": [200, 1200.5], "wavelength": 1.5406}
        for label, spectrum in config["spectra"].items():
            spectrum["name"] = f"mineral {label}"

    write(named)
    read = read_class_file(path)
    assert read.names == [f"mineral {label}" for label in range(4)]
    assert (read.unit, read.range, read.wavelength) == ("1/cm", (200, 1200.5), 1.5406)
    assert named_fields(read)["wavelength"] == 1.5406
    assert (read.place(0), read.place(119)) == ("200 1/cm", "1200.5 1/cm")
    assert read._replace(datapoints=1).place(0) == "0"  # of which the range says nothing


def test_peaks_may_be_anywhere_and_of_any_number_where_no_limit_is_recorded(tmp_path):
    pattern = {"peak_positions": list(range(40)), "peak_heights": [1] * 40}
    config = {"datapoints": 40, "classes": 1, "spectra": {"0": pattern}}
    (tmp_path / "own.json").write_text(json.dumps(config))
    assert read_class_file(tmp_path / "own.json").positions[0].tolist() == list(range(40))


def test_a_class_file_from_a_pipe_has_the_hash_of_its_content(class_file, tmp_path):
    content = class_file[0].read_bytes()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["tee", pipe], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as tee:
        tee.stdin.write(content)
        tee.stdin.close()
        assert read_class_file(pipe).sha256 == hashlib.sha256(content).hexdigest()
