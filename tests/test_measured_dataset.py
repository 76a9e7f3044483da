"""Datasets of measured spectra: what a user may rely on when files become a dataset folder."""

import hashlib
import importlib.machinery
import json
import os
import shutil
import sys
import types
import zipfile
from itertools import cycle
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import SMALL, assert_one_sentence

import evaluate
import measured_dataset
import spectra_from_config
from benchmark import VERSION, dataset_folder, measured_folder, measurement_sources
from benchmark.command_line import InputError, parse_flags
from benchmark.data_card import main_split
from benchmark.dataset_folder import hash_and_check, read_dataset, warn_of_own_splits
from benchmark.measured_collection import summarise as summarise_excluded
from benchmark.measured_samples import Exclusion, Form, Unusable, check_usable
from benchmark.measurement import Measurement
from benchmark.measurement_files import read_measurement
from benchmark.measurement_sources import Source
from benchmark.misclassifications import Misclassification, summarise
from benchmark.resampling import resample
from benchmark.run_folder import record_of
from benchmark.sample_labels import (
    Label,
    LabelTable,
    match_labels,
    read_labels,
    rruff_label,
    split_samples,
    warn_of_alike,
)

X = np.arange(0, 121.0)
RANGE = "--range", 10, 110, "--datapoints", 51
CENTRES = {"Calcite": 30, "Gypsum": 55, "Quartz": 80}


def spectrum(centre, variation=0.0, x=X):
    y = np.exp(-(((x - centre - variation) / 3) ** 2)) + 0.2 * np.exp(-(((x - 95) / 4) ** 2))
    return "".join(f"{a:.3f}, {b:.6f}\n" for a, b in zip(x, 100 * y, strict=True))


def rruff(mineral, sample, number):
    return f"{mineral}__{sample}__Raman__532__0__unoriented__Raman_Data_Processed__{number}.txt"


def sample_of(mineral, number):
    return f"R{ord(mineral[0])}000{number}"


def write_samples(folder, samples=5, minerals=tuple(CENTRES)):
    """Write two spectra of each sample under names as RRUFF has them."""
    folder.mkdir(exist_ok=True)
    for mineral in minerals:
        centre = CENTRES.get(mineral, 40 + len(mineral))
        for s in range(samples):
            for n in range(2):
                name = rruff(mineral, sample_of(mineral, s), 10 * s + n)
                (folder / name).write_text(spectrum(centre, 0.1 * s + 0.01 * n))
    return folder


@pytest.fixture
def files(tmp_path):
    return write_samples(tmp_path / "raman")


def make(output, *flags):
    """Run the script in this process with small spectra; returns the content of dataset.json."""
    flags = [*RANGE, *flags, *(("--output", output) if output else ())]
    measured_dataset.main(parse_flags(measured_dataset, list(map(str, flags))))
    return json.loads((output / "dataset.json").read_text()) if output else None


def rows_of(card):
    return card["measured"]["rows"]


def samples_in(card):
    """Return split -> class -> set of samples."""
    found = {}
    for split, rows in rows_of(card).items():
        for row in rows:
            found.setdefault(split, {}).setdefault(row["class"], set()).add(row["sample"])
    return found


def arrays_of(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.npy")}


def zipped(path, contents):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


# The split


@pytest.mark.parametrize("seed", range(3))
def test_no_sample_is_in_two_splits_and_every_class_is_in_each(files, tmp_path, seed):
    card = make(tmp_path / "out", "--measured", files, "--seed", seed)
    samples = samples_in(card)
    assert list(samples) == ["train", "val", "test"]
    for mineral in CENTRES:
        per_split = [samples[split][mineral] for split in samples]
        assert list(map(len, per_split)) == [3, 1, 1]
        assert len(set().union(*per_split)) == 5
    assert sum(map(len, rows_of(card).values())) == 30


def test_files_elsewhere_do_not_change_the_split_of_a_class(files, tmp_path):
    before = samples_in(make(tmp_path / "before", "--measured", files))
    write_samples(files, samples=9, minerals=("Albite", "Zircon"))
    again = rruff("Quartz", sample_of("Quartz", 1), 77)
    (files / again).write_text(spectrum(80, 0.77))
    after = samples_in(make(tmp_path / "after", "--measured", files))
    for split, classes in before.items():
        for mineral, samples in classes.items():
            assert after[split][mineral] == samples


def test_the_seed_decides_which_samples_are_tested():
    samples = [Label("Quartz", f"R0{number}") for number in range(40)]
    first, same, other = (split_samples(samples[::step], seed, 0.2, 0.2)
                          for step, seed in ((1, 0), (-1, 0), (1, 1)))  # fmt: skip
    assert first == same
    assert first != other
    assert sorted(first.values()).count("test") == sorted(first.values()).count("val") == 8


@pytest.mark.parametrize("count", range(3, 12))
@pytest.mark.parametrize("share", [0.01, 0.2, 0.49])
def test_each_split_has_a_sample_of_every_class(count, share):
    samples = [Label("Quartz", str(number)) for number in range(count)]
    split = list(split_samples(samples, 0, share, share).values())
    assert all(split.count(name) >= 1 for name in ("train", "val", "test"))
    for shares in (0.9, 0.01), (0.01, 0.9):
        assert set(split_samples(samples, 0, *shares).values()) == {"train", "val", "test"}


def test_shares_are_of_the_samples_and_rounded():
    samples = [Label("Quartz", str(number)) for number in range(9)]
    split = list(split_samples(samples, 0, val_share=0.2, test_share=0.3).values())
    assert [split.count(name) for name in ("train", "val", "test")] == [4, 2, 3]


def test_each_share_goes_to_the_split_of_its_name(files, tmp_path):
    card = make(tmp_path / "out", "--measured", files, "--val-share", 0.4, "--test-share", 0.2)
    quartz = [len(classes["Quartz"]) for classes in samples_in(card).values()]
    assert quartz == [2, 2, 1]  # train, val, test


def test_the_split_of_a_sample_is_fixed_for_all_time():
    samples = [Label("Quartz", f"R04003{number}") for number in range(6)]
    split = {label.sample[-1]: name for label, name in split_samples(samples, 0, 0.2, 0.3).items()}
    assert split == dict(
        zip("012345", ["train", "val", "train", "train", "test", "test"], strict=True)
    )
    gypsum = [label._replace(class_name="Gypsum") for label in samples]
    of_gypsum = split_samples(gypsum, 0, 0.2, 0.3)
    assert {label.sample[-1]: name for label, name in of_gypsum.items()} != split


# The folder


def test_rows_are_the_spectra_of_their_files(files, tmp_path):
    folder = tmp_path / "out"
    card = make(folder, "--measured", files, "--unit", "1/cm")
    assert card["class_names"] == sorted(CENTRES)
    assert card["versions"]["benchmark"] == VERSION
    assert (card["unit"], card["range"]) == ("1/cm", [10, 110])
    dataset = read_dataset(folder)
    assert dataset.class_names == card["class_names"]
    for split, (x, y) in dataset.splits.items():
        assert (x.dtype, y.dtype, x.shape[1]) == (np.float32, np.int64, 51)
        rows = rows_of(card)[split]
        assert rows == sorted(rows, key=lambda row: (row["class"], row["sample"], row["file"]))
        for spectrum, label, row in zip(x, y, rows, strict=True):
            assert card["class_names"][label] == row["class"]
            measured = read_measurement(tmp_path / row["file"])
            assert np.array_equal(spectrum, resample(measured.x, measured.y, 51, (10, 110)))
            assert (spectrum.min(), spectrum.max()) == (0, 1)
    assert record_of(dataset, hash_and_check(dataset)).class_names == card["class_names"]


def test_files_of_one_name_have_an_order_of_their_own(files, tmp_path):
    paths = [tmp_path / folder / rruff("Quartz", "R800005", 1) for folder in ("one", "two")]
    for path, centre in zip(paths, (60, 61), strict=True):
        path.parent.mkdir()
        path.write_text(spectrum(centre))
    make(tmp_path / "a", "--measured", files, *paths)
    make(tmp_path / "b", "--measured", files, *reversed(paths))
    assert arrays_of(tmp_path / "a") == arrays_of(tmp_path / "b")


def test_files_folders_and_archives_give_the_same_bytes(files, tmp_path):
    make(tmp_path / "folder", "--measured", files)
    single = sorted(files.iterdir(), reverse=True)
    make(tmp_path / "single", "--measured", *single)
    contents = {f"raman/{path.name}": path.read_bytes() for path in single}
    make(tmp_path / "zip", "--measured", zipped(tmp_path / "a.zip", contents))
    make(tmp_path / "again", "--measured", files)
    first = arrays_of(tmp_path / "folder")
    for other in "single", "zip", "again":
        assert arrays_of(tmp_path / other) == first
    card = "dataset.json"
    assert (tmp_path / "again" / card).read_bytes() == (tmp_path / "folder" / card).read_bytes()


def test_the_hash_of_the_files_depends_on_their_contents_alone(files, tmp_path):
    hashes = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in files.iterdir())
    expected = hashlib.sha256("\n".join(hashes).encode()).hexdigest()
    for seed in 0, 1:  # in other splits
        card = make(tmp_path / "out", "--measured", files, "--seed", seed)
        assert card["measured"]["files_sha256"] == expected


def test_the_default_folder_has_the_name_of_the_first_of_the_files(tmp_path):
    (tmp_path / "my.data").mkdir()
    (tmp_path / "raman.zip").touch()
    for name, found in ("my.data", "my.data"), ("raman.zip", "raman"):
        assert measured_dataset.name_of_first([str(tmp_path / name), "other"]) == found


def test_what_fails_while_writing_leaves_the_old_dataset(files, tmp_path, monkeypatch):
    folder = tmp_path / "out"
    make(folder, "--measured", files)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(path):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(measured_folder, "sha256_of", full)
    with pytest.raises(OSError, match="No space"):
        make(folder, "--measured", files, "--seed", 1)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_what_is_no_measured_dataset_is_not_replaced(files, dataset, tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"raman, which holds .*txt and no dataset.json"):
        make(files, "--measured", files)
    with pytest.raises(InputError, match=r"holds rendered spectra of spectra_from_config.py"):
        make(dataset, "--measured", files)
    folder = tmp_path / "out"
    make(folder, "--measured", files)
    with pytest.raises(InputError, match=r"holds measured spectra of measured_dataset.py"):
        spectra_from_config.render_dataset(tmp_path / "small.json", folder, SMALL)
    np.save(folder / "y_val.npy", np.zeros(3))
    with pytest.raises(InputError, match=r"y_val.npy is not replaced"):
        make(folder, "--measured", files)
    monkeypatch.chdir(tmp_path)
    flags = [*map(str, RANGE), "--measured", str(files)]
    measured_dataset.main(parse_flags(measured_dataset, flags))
    assert (tmp_path / "datasets" / "raman" / "dataset.json").exists()
    with pytest.raises(InputError, match="was written with SEED 0, not 1"):
        measured_dataset.main(parse_flags(measured_dataset, [*flags, "--seed", "1"]))


def test_own_test_splits_keep_their_classes(files, tmp_path):
    folder = tmp_path / "out"
    make(folder, "--measured", files)
    for axis in "xy":
        np.save(folder / f"{axis}_test_mine.npy", np.load(folder / f"{axis}_test.npy"))
    make(folder, "--measured", files, "--seed", 1)  # the same classes
    before = arrays_of(folder)
    write_samples(files, samples=9, minerals=("Albite",))
    with pytest.raises(InputError, match=r"x_test_mine.npy was labelled for other classes"):
        make(folder, "--measured", files)
    assert arrays_of(folder) == before


# Labels


TABLE = "file,class,sample\n"


def test_a_file_that_the_table_names_counts_whatever_its_name(files, tmp_path):
    rows = []
    for path in sorted(files.iterdir()):
        name = f".{path.name}" if path.name.startswith("Calcite") else path.name
        path.rename(files / name)
        rows.append(f"{name},{','.join(path.name.split('__')[:2])}\n")
    (files / ".DS_Store").write_bytes(b"\0")  # which it does not name
    table = tmp_path / "labels.csv"
    table.write_text(TABLE + "".join(rows))
    card = make(tmp_path / "out", "--measured", files, "--labels", table)
    assert card["class_names"] == list(CENTRES)
    assert [row["file"] for row in card["measured"]["excluded"]] == ["raman/.DS_Store"]


def test_a_table_gives_class_and_sample(tmp_path):
    folder, lines = tmp_path / "mine", []
    (folder / "a").mkdir(parents=True)
    for number in range(12):
        mineral = "αβ | $x$" if number % 2 else "Quartz, smoky"
        name = ("a/scan {}.dat" if number < 6 else "{}.csv").format(number)
        (folder / name).write_text(spectrum(30 + 20 * (number % 2), 0.05 * number))
        lines.append(f'x;{name.replace("/", chr(92))};"{mineral}"; S{number // 4}{number % 2}\n')
    (tmp_path / "labels.csv").write_text("remark;File;CLASS;sample\n" + "".join(lines), "utf-8-sig")
    card = make(tmp_path / "out", "--measured", folder, "--labels", tmp_path / "labels.csv")
    assert card["class_names"] == ["Quartz, smoky", "αβ | $x$"]
    assert sorted(map(len, rows_of(card).values())) == [4, 4, 4]
    assert card["measured"]["excluded"] == []
    assert card["measured"]["labels"]["name"] == "labels.csv"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file,class\na,b\n", "lacks the column sample .it has file, class., accepted"),
        ("", "lacks the columns file, class, sample .it has none."),
        (TABLE, "holds no line but its header, accepted"),
        (TABLE + "a,Q\N{NO-BREAK SPACE}z,S\n", "line 2: class is .*plain blanks"),
        (TABLE + "a,Q,S1\nb,R,S1\n", "line 3: sample S1 has class R, but Q in line 2, accepted"),
        (TABLE + "a,Q,S1\na,Q,S1\n", "line 3: file a stands in line 2, too"),
        (TABLE + "a,Q\n", "line 2: sample is ''"),
        (TABLE + "a,Quartz, smoky,S\n", "line 2 has 4 cells, accepted: 3"),
        (TABLE + "a,,S\n", "line 2: class is ''"),
        (TABLE + "a,Q\x1b[31m,S\n", r"line 2: class is 'Q\\x1b"),
        ("file,class,sample,class\n", "has the column class twice"),
        (TABLE + 'a,"Q,S\n', "not CSV"),
        (b"file,class,sample\na,Q\xe4,S\n", "no text in UTF-8"),
    ],
)
def test_a_table_with_a_fault_is_refused(files, tmp_path, text, words):
    path = tmp_path / "labels.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=words) as error:
        make(tmp_path / "out", "--measured", files, "--labels", path)
    assert "labels.csv" in str(error.value)
    with pytest.raises(InputError, match="accepted: an existing CSV table"):
        make(tmp_path / "out", "--measured", files, "--labels", path / "inner")
    assert not (tmp_path / "out").exists()


def test_a_table_may_name_files_as_other_systems_do(tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text(TABLE + "./a/1.txt,Q,S\nb\\2.txt,Q,S\n", "utf-8-sig")  # as of Excel
    assert list(read_labels(table).labels) == ["a/1.txt", "b/2.txt"]
    table.write_text(TABLE + "e\u0301.txt,Coope\u0301rite,S\n", "utf-8")  # as of macOS
    assert read_labels(table).labels == {"é.txt": Label("Coopérite", "S")}


def test_names_that_tell_files_not_apart_are_refused(tmp_path):
    for folder in "a", "b":
        (tmp_path / "in" / folder).mkdir(parents=True)
        (tmp_path / "in" / folder / "1.txt").write_text(spectrum(30))
    path = tmp_path / "labels.csv"
    path.write_text(TABLE + "1.txt,Q,S\n")
    with pytest.raises(InputError, match=r"file 1.txt may be in/a/1.txt or in/b/1.txt"):
        make(tmp_path / "out", "--measured", tmp_path / "in", "--labels", path)
    path.write_text(TABLE + "a/1.txt,Q,S\nin/a/1.txt,Q,S\n")
    with pytest.raises(InputError, match=r"in/a/1.txt has two lines"):
        make(tmp_path / "out", "--measured", tmp_path / "in", "--labels", path)


def test_folders_of_one_name_are_told_apart_by_what_is_above_them(files, tmp_path):
    for day in "mon", "tue":
        (tmp_path / day).mkdir()
        write_samples(tmp_path / day / "raman")
    (tmp_path / "tue" / "raman" / rruff("Quartz", "R900001", 1)).write_text(spectrum(80, 0.7))
    folders = [tmp_path / day / "raman" for day in ("mon", "tue")]
    card = make(tmp_path / "out", "--measured", *folders, folders[0])
    used = [row["file"] for rows in rows_of(card).values() for row in rows]
    assert sum(name.startswith("mon/raman/") for name in used) == 30
    name = f"tue/raman/{rruff('Quartz', 'R900001', 1)}"
    assert [file for file in used if file.startswith("tue/")] == [name]
    reasons = [e["reason"] for e in card["measured"]["excluded"]]
    assert len(reasons) == 30
    assert all(r.startswith("the same x and y as mon/raman/") for r in reasons)


def test_linked_folders_are_read_and_loops_and_pipes_do_no_harm(files, tmp_path):
    far = write_samples(tmp_path / "far", minerals=("Albite",))
    (files / "near").symlink_to(far)
    (files / "loop").symlink_to(files)
    (far / "back").symlink_to(files)
    os.mkfifo(files / rruff("Quartz", "R900001", 1))
    card = make(tmp_path / "out", "--measured", files)
    assert card["class_names"] == ["Albite", *sorted(CENTRES)]
    (excluded,) = card["measured"]["excluded"]
    assert excluded["reason"].endswith("is a pipe or device, accepted: files")


def test_pipes_and_devices_are_refused_as_measurements(run, files, tmp_path):
    pipe, link = tmp_path / "pipe", tmp_path / rruff("Quartz", "R900001", 1)
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for script in "measured_dataset.py", "class_file_from_peaks.py":
        for path in pipe, link:
            flags = ["--measured", files, path, *RANGE, "--output", tmp_path / "out.json"]
            process = run(script, *flags, timeout=60)
            assert_one_sentence(process, 2, f"MEASURED is {path}, which is a pipe or device, accep")


def test_labels_from_a_pipe_are_recorded_as_what_was_read(tmp_path):
    table = TABLE + "".join(f"{number}.txt,Quartz,{number}\n" for number in range(9))
    (tmp_path / "labels.csv").write_text(table)
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as file:
        file.write(table)
    read = read_labels(f"/dev/fd/{reading}")
    os.close(reading)
    assert read[1:] == read_labels(tmp_path / "labels.csv")[1:]
    assert len(read.labels) == 9


def test_a_hidden_folder_is_read_if_it_is_named(files, tmp_path):
    hidden = files.rename(tmp_path / ".raman")
    (hidden / ".DS_Store").write_text("x")
    card = make(tmp_path / "out", "--measured", hidden)
    assert [e["file"] for e in card["measured"]["excluded"]] == [".raman/.DS_Store"]


def test_what_was_averaged_in_files_is_told(files, tmp_path, capsys):
    name = rruff("Quartz", "R900001", 1)
    (files / name).write_text(spectrum(80) + "121, 0\n121, 5\n")
    card = make(tmp_path / "out", "--measured", files)
    (noted,) = [row for rows in rows_of(card).values() for row in rows if "notes" in row]
    assert f"noted: 1 file read with assumptions, raman/{name}: 1 x stand there more than" in (
        capsys.readouterr().err
    )
    assert noted["file"] == f"raman/{name}"


def test_lines_and_files_without_partner_are_listed(files, tmp_path):
    names = sorted(path.name for path in files.iterdir())
    lines = [f"{name},{name.split('__')[0]},{name.split('__')[1]}\n" for name in names[1:]]
    (tmp_path / "labels.csv").write_text(TABLE + "".join(lines) + "gone.txt,Quartz,S\n")
    card = make(tmp_path / "out", "--measured", files, "--labels", tmp_path / "labels.csv")
    excluded = {e["file"]: e["reason"] for e in card["measured"]["excluded"]}
    assert excluded == {
        f"raman/{names[0]}": "labels.csv does not name it",
        "gone.txt": "labels.csv names it, but no file has this name",
    }


def test_parts_of_a_sample_are_one_sample(files, tmp_path):
    parts = "R900001_a", "R900001_b", "R900001.3", "R900001-4", "R900001perptofibers"
    for number, part in enumerate(parts):
        (files / rruff("Quartz", part, number)).write_text(spectrum(80, 0.5 + 0.01 * number))
    card = make(tmp_path / "out", "--measured", files)
    rows = {split: [row["sample"] for row in rows_of(card)[split]] for split in rows_of(card)}
    assert sorted(split.count("R900001") for split in rows.values()) == [0, 0, 5]


@pytest.mark.parametrize(
    ("sample", "label"),
    [
        ("R040031", "R040031"),
        ("X050162.3", "X050162"),
        ("R040031-2", "R040031"),
        ("R0400311", None),  # another number, not a part of R040031
        ("R04003", None),
        ("RR040031", None),
    ],
)
def test_a_sample_of_rruff_is_a_letter_and_six_digits(sample, label):
    found = rruff_label(rruff("Quartz", sample, 1))
    assert found == (Label("Quartz", label) if label else None)
    assert rruff_label("Quartz__R040031.txt") is None  # RRUFF says how it was measured, too


# What is left out


EXCLUDED = {
    "short": (spectrum(30, x=np.arange(30, 121.0)), "not covering RANGE", "from 30 to 120"),
    "few": (spectrum(30, x=np.arange(0, 121.0, 30)), "with too few points", "30 apart"),
    "gap": (spectrum(30, x=np.r_[0:50.0, 90:121]), "with too few points", "41 apart"),
    "flat": ("".join(f"{x} 5\n" for x in X), "without a difference in y", "from 5 to 5"),
    "binary": (b"\x01\x02\x00\x03" * 50, "not readable", "is not a text"),
    "empty": ("", "not readable", ""),
    "prose": ("A letter about minerals.\n", "not readable", ""),
    "unit": ("Raman shift (nm), y\n" + spectrum(30), "in another unit", "nm, accepted: 1/cm"),
}


@pytest.mark.parametrize("name", EXCLUDED)
def test_what_cannot_be_used_is_listed_with_its_reason(files, tmp_path, capsys, name):
    content, kind, words = EXCLUDED[name]
    path = files / rruff("Quartz", "R900009", name)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    card = make(tmp_path / "out", "--measured", files, "--unit", "1/cm")
    (excluded,) = card["measured"]["excluded"]
    assert excluded["file"] == f"raman/{path.name}"
    assert excluded["kind"] == kind
    assert words in excluded["reason"] and path.name not in excluded["reason"]
    error = capsys.readouterr().err
    assert f"left out: 1 file {kind}, raman/{path.name}: {excluded['reason']}" in error


@pytest.mark.parametrize(
    ("x", "gap"),
    [
        ([*range(0, 51, 10), *range(51, 101)], None),  # ten datapoints are accepted
        ([*range(0, 50, 10), 51, *range(52, 101)], 11),
        ([-1, *range(11, 101)], 11),  # from the first datapoint on
        ([*range(90), 101], 11),  # to the last one
    ],
)
def test_points_may_be_ten_datapoints_apart(x, gap):
    measurement = Measurement(np.array(x, float), np.arange(len(x)))
    form = Form(range=(0, 100), datapoints=101, unit=None, background="none")
    if gap is None:
        check_usable(measurement, form)
    else:
        with pytest.raises(Unusable, match=f"up to {gap} apart, accepted: 10, 10 datapoints"):
            check_usable(measurement, form)


def test_the_same_y_at_other_x_is_another_spectrum(files, tmp_path):
    (files / rruff("Quartz", "R800003", 1)).write_text(spectrum(60, x=X))
    lines = [line.split(", ") for line in spectrum(60, x=X).splitlines()]
    moved = "".join(f"{float(x) - 0.5:.3f}, {y}\n" for x, y in lines)
    (files / rruff("Quartz", "R800004", 1)).write_text(moved)
    card = make(tmp_path / "out", "--measured", files)
    assert card["measured"]["excluded"] == []


def test_the_same_content_is_used_once_and_never_for_two_classes(files, tmp_path):
    copy = spectrum(CENTRES["Calcite"], 0.1 * 1)  # of its sample 1, under another header
    (files / rruff("Calcite", "R670009", 1)).write_text("##OWNER=somebody\n" + copy)
    twin = spectrum(40)
    for mineral, sample in ("Gypsum", "R800001"), ("Quartz", "R800002"):
        (files / rruff(mineral, sample, 5)).write_text(twin)
    card = make(tmp_path / "out", "--measured", files)
    reasons = {e["file"]: e["reason"] for e in card["measured"]["excluded"]}
    assert reasons == {
        f"raman/{rruff('Calcite', 'R670009', 1)}": "the same x and y as "
        f"raman/{rruff('Calcite', sample_of('Calcite', 1), 10)}",
        f"raman/{rruff('Gypsum', 'R800001', 5)}": "the same x and y as "
        f"raman/{rruff('Quartz', 'R800002', 5)}, which is of class Quartz",
        f"raman/{rruff('Quartz', 'R800002', 5)}": "the same x and y as "
        f"raman/{rruff('Gypsum', 'R800001', 5)}, which is of class Gypsum",
    }


def test_a_sample_under_two_minerals_and_a_rare_class_are_left_out(files, tmp_path, capsys):
    for mineral in "Gypsum", "Quartz":
        (files / rruff(mineral, "R700000", 1)).write_text(spectrum(CENTRES[mineral], 0.9))
    write_samples(files, samples=2, minerals=("Rarite,1,2",))
    for number, mineral in enumerate(("Lostite", "Gypsum")):
        (files / rruff(mineral, "R790000", 1)).write_text(spectrum(CENTRES["Gypsum"], 0.8 + number))
    card = make(tmp_path / "out", "--measured", files)
    assert card["class_names"] == sorted(CENTRES)
    used = {row["sample"] for rows in rows_of(card).values() for row in rows}
    assert "R700000" not in used
    kinds = [e["kind"] for e in card["measured"]["excluded"]]
    assert kinds.count("of a sample that has two classes") == 4
    assert kinds.count("of a class with fewer than MIN_SAMPLES samples") == 4
    error = capsys.readouterr().err
    assert "sample R700000 is Gypsum and Quartz" in error
    assert [line for line in error.splitlines() if line.startswith("left out: class")] == [
        "left out: class Lostite has no usable file",
        "left out: class Rarite,1,2 has 2 samples",
    ]


def test_a_single_class_is_no_dataset(tmp_path):
    files = write_samples(tmp_path / "raman", minerals=("Quartz",))
    with pytest.raises(InputError, match=r"fewer than two classes have 3 usable samples .*: none"):
        make(tmp_path / "out", "--measured", files)
    assert not (tmp_path / "out").exists()


def test_what_is_left_out_most_often_is_told_first():
    excluded = [
        Exclusion("a", "of one kind", "why"),
        *(Exclusion(file, "of another", f"as {file}") for file in "bc"),
    ]
    assert summarise_excluded(excluded) == [
        "2 files of another, such as b: as b",
        "1 file of one kind, a: why",
    ]


def test_a_range_in_the_wrong_unit_is_told_in_one_sentence(run, files, tmp_path):
    flags = "--range", 83333, 1000000, "--output", tmp_path / "out"
    process = run("measured_dataset.py", "--measured", files, *flags)
    words = "30 files not covering RANGE", "x goes from 0 to 120", "all of RANGE, 83333 to 1e+06"
    assert_one_sentence(process, 2, *words)
    assert not (tmp_path / "out").exists()


def test_files_in_different_units_are_refused_unless_one_is_meant(files, tmp_path):
    for path in files.glob("Quartz*"):
        path.write_text("wavelength (nm), y\n" + path.read_text())
    for path in files.glob("Calcite*"):
        path.write_text("Raman shift (cm-1), y\n" + path.read_text())
    with pytest.raises(InputError, match=r"x in cm-1 and .*Quartz.* in nm, accepted: one unit"):
        make(tmp_path / "out", "--measured", files)
    card = make(tmp_path / "out", "--measured", files, "--unit", "1/cm")
    assert card["class_names"] == ["Calcite", "Gypsum"]


def state_wavelengths(files, *wavelengths):
    """Make the files UXD files of these wavelengths in turn, by their names."""
    for path, wavelength in zip(sorted(files.glob("*")), cycle(wavelengths)):
        rows = path.read_text().replace(",", " ")
        path.write_text(f"_FILEVERSION=2\n_WL1={wavelength}\n_2THETACOUNTS\n{rows}")


def test_a_wavelength_that_all_files_state_is_recorded(files, tmp_path, capsys):
    state_wavelengths(files, 1.5406, 1.5418)
    assert make(tmp_path / "out", "--measured", files)["wavelength"] == 1.5406
    assert "wavelength" not in capsys.readouterr().err


def test_another_wavelength_than_that_of_the_peaks_is_told(files, reference, capsys):
    state_wavelengths(files, 1.78897)
    make(None, "--measured", files, "--beside", reference(unit="deg", wavelength=1.5406))
    name = sorted(files.glob("*"))[0].name
    assert (
        f"30 of 30 spectra were measured with another wavelength than the peaks of the class file, "
        f"such as raman/{name} with 1.78897 instead of 1.5406 angstrom"
    ) in capsys.readouterr().err
    for wavelength in 1.78897, None:  # the same, and that of a class file which does not state it
        make(None, "--measured", files, "--beside", reference(unit="deg", wavelength=wavelength))
        assert "wavelength" not in capsys.readouterr().err


def test_different_wavelengths_are_told(files, tmp_path, capsys):
    state_wavelengths(files, *[1.5406] * 20, *[1.78897] * 10)  # Quartz is the last
    card = make(tmp_path / "out", "--measured", files)
    (line,) = capsys.readouterr().err.splitlines()
    assert "different wavelengths (angstrom), and 2theta is not converted: 1.5406 in 20 " in line
    assert "; 1.78897 in 10 files, such as raman/Quartz" in line
    assert "wavelength" not in json.dumps(card)


def state_y(files, **units):
    """Write the units of y into the files of these minerals."""
    for mineral, unit in units.items():
        for path in files.glob(f"{mineral}*"):
            path.write_text(f"##YUNITS={unit}\n{path.read_text()}")
    return "--measured", files


def test_bands_that_point_up_and_down_are_not_mixed(files, tmp_path):
    flags = state_y(files, Calcite="ABSORBANCE", Quartz="TRANSMITTANCE")
    with pytest.raises(InputError, match=r"Calcite.* y in ABSORBANCE and .*Quartz.* TRANSMITTANCE"):
        make(tmp_path / "out", *flags)
    assert not (tmp_path / "out").exists()


def test_the_unit_of_y_is_recorded_where_files_agree(files, tmp_path, capsys):
    assert "y_unit" not in make(tmp_path / "none", "--measured", files)
    flags = state_y(files, Calcite="Absorbance", Quartz="ABS", Gypsum="ARBITRARY UNITS")
    card = make(tmp_path / "out", *flags)
    assert card["y_unit"] == "Absorbance"
    assert capsys.readouterr().err == ""
    path = tmp_path / "out/dataset.json"
    path.write_text(json.dumps(card | {"y_unit": 3}))
    with pytest.raises(InputError, match=r"dataset.json is not what .*: y_unit is 3"):
        read_dataset(tmp_path / "out")


@pytest.mark.parametrize(
    ("units", "recorded", "words"),
    [
        ({"Calcite": "counts", "Quartz": "ABSORBANCE"}, None, "in ABSORBANCE, which are not conv"),
        ({"Calcite": "%T"}, "%T", "10 of 30 spectra state the unit of y, %T, which is taken for"),
        ({"Calcite": "counts", "Quartz": "cps"}, "counts", None),
    ],
)
def test_other_units_of_y_are_told(files, tmp_path, capsys, units, recorded, words):
    assert make(tmp_path / "out", *state_y(files, **units)).get("y_unit") == recorded
    errors = capsys.readouterr().err
    assert (words in errors) if words else errors == ""


# Archives


def test_other_things_in_an_archive_are_listed_and_nothing_is_unpacked(files, tmp_path, capsys):
    contents = {f"raman/{path.name}": path.read_bytes() for path in files.iterdir()}
    others = {
        "raman/": b"",
        ".": b"",
        "raman/notes.pdf": b"%PDF-1.4\n",
        f"__MACOSX/raman/._{rruff('Quartz', 'R200001', 11)}": b"\x00\x05\x16\x07",
        f"__MACOSX/{rruff('Quartz', 'R944444', 1)}": spectrum(80, 0.64),
        "raman/.DS_Store": b"\x00\x00\x00\x01Bud1",
        f"../../{rruff('Quartz', 'R911111', 1)}": spectrum(80, 0.61),
        f"/abs/{rruff('Quartz', 'R922222', 1)}": spectrum(80, 0.62),
        f"raman/{rruff('Qu' + chr(27) + '[31martz', 'R933333', 1)}": spectrum(80, 0.63),
    }
    path = zipped(tmp_path / "a.zip", contents | others)
    before = set(tmp_path.rglob("*"))
    card = make(tmp_path / "out", "--measured", path)
    made = {path.relative_to(tmp_path).parts[0] for path in set(tmp_path.rglob("*")) - before}
    assert made == {"out"}
    assert not (tmp_path.parent / rruff("Quartz", "R911111", 1)).exists()
    kinds = {e["file"].removeprefix("a.zip/"): e["kind"] for e in card["measured"]["excluded"]}
    assert len(kinds) == 6  # with the one whose name would colour a terminal
    assert kinds["raman/notes.pdf"] == kinds["."] == "without class and sample"
    assert kinds["raman/.DS_Store"] == "made by the operating system beside measurements"
    assert card["class_names"] == sorted(CENTRES)
    used = [row["sample"] for rows in rows_of(card).values() for row in rows]
    assert {"R911111", "R922222"} <= set(used)
    assert "\x1b" not in capsys.readouterr().err


def test_an_encrypted_or_damaged_member_is_left_out(files, tmp_path):
    contents = {path.name: path.read_bytes() for path in files.iterdir()}
    path = tmp_path / "a.zip"
    zipped(path, contents)
    with zipfile.ZipFile(path) as archive:
        first, second = archive.infolist()[:2]
    content = bytearray(path.read_bytes())
    content[first.header_offset + 40 + len(first.filename)] ^= 0xFF  # in its packed bytes
    entry = content.rindex(second.filename.encode()) - 46  # of the central directory
    content[entry + 8] |= 1  # encrypted
    path.write_bytes(content)
    card = make(tmp_path / "out", "--measured", path)
    reasons = {e["file"]: e["reason"] for e in card["measured"]["excluded"]}
    assert reasons.keys() == {f"a.zip/{first.filename}", f"a.zip/{second.filename}"}
    assert "damaged in its archive" in reasons[f"a.zip/{first.filename}"]
    assert "encrypted" in reasons[f"a.zip/{second.filename}"]


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_members_damaged_in_any_packing_are_left_out(files, tmp_path, packing):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", packing) as archive:
        for file in files.iterdir():
            archive.write(file, file.name)
        first = archive.infolist()[0]
    content = bytearray(path.read_bytes())
    middle = first.header_offset + 30 + len(first.filename) + first.compress_size // 2
    content[middle : middle + 20] = bytes(20)
    path.write_bytes(content)
    card = make(tmp_path / "out", "--measured", path)
    (excluded,) = card["measured"]["excluded"]
    assert excluded["file"] == f"a.zip/{first.filename}"
    assert "is damaged in its archive" in excluded["reason"]


class OfMacOs(zipfile.ZipInfo):
    """A member whose name is UTF-8 without saying so."""

    def _encodeFilenameFlags(self):
        return self.filename.encode(), self.flag_bits


def test_names_in_archives_may_be_those_of_other_systems(files, tmp_path):
    names = {"Calcite": "Kröhnkite"}
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number, file in enumerate(sorted(files.iterdir())):
            mineral, rest = file.name.split("__", 1)
            name = f"{'ab'[number % 2]}\\{names.get(mineral, mineral)}__{rest}"
            archive.writestr(OfMacOs(name), file.read_bytes())
    card = make(tmp_path / "out", "--measured", path)
    assert card["class_names"] == ["Gypsum", names["Calcite"], "Quartz"]
    assert card["measured"]["excluded"] == []


def test_archives_in_a_folder_are_named(files, tmp_path):
    zipped(files / "more.zip", {"a.txt": spectrum(30)})
    card = make(tmp_path / "out", "--measured", files)
    (excluded,) = card["measured"]["excluded"]
    assert excluded["file"] == "raman/more.zip"
    assert excluded["reason"].startswith("unpack it, or, if it is a zip archive")


def test_a_zip_bomb_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(measurement_sources, "read_member", None)
    path = zipped(tmp_path / "bomb.zip", {rruff("Quartz", "R000001", 1): bytes(10**8)})
    with pytest.raises(InputError, match=r"bomb.zip unpacks to 100000000 bytes, \d+ times its"):
        make(tmp_path / "out", "--measured", path)


def test_a_folder_or_archive_without_files_is_refused(tmp_path):
    (tmp_path / "empty" / "inner").mkdir(parents=True)
    for path in tmp_path / "empty", zipped(tmp_path / "empty.zip", {"inner/": b""}):
        with pytest.raises(InputError, match=f"{path.name} holds no file"):
            make(tmp_path / "out", "--measured", path)
    with pytest.raises(InputError, match="gone, which does not exist"):
        make(tmp_path / "out", "--measured", tmp_path / "gone")
    (tmp_path / "cut.zip").write_bytes(zipped(tmp_path / "b.zip", {"a": "b"}).read_bytes()[:-30])
    with pytest.raises(InputError, match=r"cut.zip is a damaged zip archive"):
        make(tmp_path / "out", "--measured", tmp_path / "cut.zip")


# Settings


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--range", "5", "5"], "RANGE is 5 5"),
        (["--range", "nan", "5"], "RANGE is nan 5"),
        (["--datapoints", "1"], "DATAPOINTS is 1"),
        (["--min-samples", "2"], "MIN_SAMPLES is 2, accepted: 3"),
        (["--val-share", "0"], "VAL_SHARE is 0"),
        (["--test-share", "0.5", "--val-share", "0.5"], r"VAL_SHARE \+ TEST_SHARE is 1"),
        (["--seed", "-1"], "SEED is -1"),
        (["--beside-val"], "BESIDE_VAL is True"),
        (["--beside", "x"], "OUTPUT is"),
    ],
)
def test_a_setting_out_of_its_limits_is_refused(files, tmp_path, flags, words):
    with pytest.raises(InputError, match=words):
        make(tmp_path / "out", "--measured", files, *flags)


def test_background_subtraction_asks_for_its_library(files, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pybaselines", None)  # as if it were not installed
    with pytest.raises(InputError, match="BACKGROUND is arpls, which needs pybaselines: run pip"):
        make(tmp_path / "out", "--measured", files, "--background", "arpls")


def test_a_dataset_of_other_classes_is_not_replaced_unless_it_is_named(
    files, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    make(None, "--measured", files)
    before = arrays_of(tmp_path / "datasets/raman")
    assert before
    for path in files.glob("Quartz*"):
        path.unlink()
    with pytest.raises(InputError, match="raman holds spectra of other classes; choose another"):
        make(None, "--measured", files)
    assert arrays_of(tmp_path / "datasets/raman") == before
    make(tmp_path / "datasets/raman", "--measured", files)
    assert arrays_of(tmp_path / "datasets/raman") != before


def test_the_background_is_subtracted_before_spectra_are_divided_by_their_maximum(
    files, tmp_path, monkeypatch
):
    slope = np.linspace(0, 0.5, 51)
    fake = types.ModuleType("pybaselines")
    fake.__version__ = "1"
    fake.Baseline = lambda: types.SimpleNamespace(arpls=lambda y: (slope, {}))
    monkeypatch.setitem(sys.modules, "pybaselines", fake)
    fake.__spec__ = importlib.machinery.ModuleSpec("pybaselines", None)
    make(tmp_path / "plain", "--measured", files)
    card = make(tmp_path / "out", "--measured", files, "--background", "arpls")
    assert card["measured"]["pybaselines"] == "1"
    plain, x = (np.load(tmp_path / name / "x_test.npy") for name in ("plain", "out"))
    expected = plain - slope
    expected -= expected.min(axis=1, keepdims=True)
    expected /= expected.max(axis=1, keepdims=True)
    np.testing.assert_allclose(x, expected, atol=1e-6)


def test_copies_on_another_scale_in_two_splits_are_told(files, tmp_path, capsys):
    for path in sorted(files.glob("Quartz*")):
        y = np.loadtxt(path, delimiter=",")[:, 1]
        mineral, sample, *rest = path.name.split("__")
        copy = "__".join([mineral, sample.replace("R", "X"), *rest])
        (files / copy).write_text("".join(f"{x}, {v / 7:.9f}\n" for x, v in zip(X, y, strict=True)))
    make(tmp_path / "out", "--measured", files)
    errors = capsys.readouterr().err
    assert "are in test, too, but for their scale, such as raman/Quartz__" in errors
    assert "give spectra of one specimen the same sample name" in errors
    shutil.rmtree(files)
    make(tmp_path / "out2", "--measured", write_samples(files))
    assert "scale" not in capsys.readouterr().err


def test_names_that_differ_only_in_how_they_are_written_are_told(files, tmp_path, capsys):
    write_samples(files, minerals=("Halite",))
    for path in sorted(files.glob("Halite*")):
        path.rename(path.with_name(path.name.replace("Halite", "quartz")))
    table = tmp_path / "labels.csv"
    lines = [
        f"{path.name},{path.name[:1]},{path.name[:1]}{'' if n % 2 else ' '}{n // 2}"
        for n, path in enumerate(sorted(files.glob("[CGQ]*")))
    ]
    make(tmp_path / "out", "--measured", files)
    assert "warning: classes Quartz and quartz differ only in" in capsys.readouterr().err
    table.write_text("\n".join(["file,class,sample", *lines]))
    make(tmp_path / "out2", "--measured", files, "--labels", table)
    assert "warning: samples C 0 and C0 differ only in how" in capsys.readouterr().err
    warn_of_alike("classes", ["H2O", "H₂O", "H3O"])
    assert capsys.readouterr().err.count("differ only") == 1


def test_a_unit_that_only_some_files_state_is_told(files, tmp_path, capsys):
    first = min(files.iterdir())
    first.write_text("Wavelength (nm), Intensity\n" + first.read_text())
    assert make(tmp_path / "out", "--measured", files)["unit"] == "nm"
    assert "1 of 30 spectra state the unit of x, nm, which is taken for all" in (
        capsys.readouterr().err
    )
    make(tmp_path / "out", "--measured", files, "--unit", "nm")
    assert "unit" not in capsys.readouterr().err


def test_what_was_made_of_the_files_is_not_read_as_one_of_them(files, capsys):
    card = make(files / "out", "--measured", files)
    assert make(files / "out", "--measured", files) == card
    assert "left out" not in capsys.readouterr().err


# Beside a rendered dataset


@pytest.fixture
def reference(tmp_path):
    """Render a dataset of classes that carry names, in another order; returns its folder."""
    names = "Quartz", "Calcite", "Halite", "Gypsum"
    peaks = [(CENTRES.get(name, 70) - 10) // 2 for name in names]
    config = {"datapoints": 51, "classes": 4, "unit": "1/cm", "range": [10, 110]}
    config["spectra"] = {
        str(label): {"name": name, "peak_positions": [peak, 42], "peak_heights": [1, 0.2]}
        for label, (name, peak) in enumerate(zip(names, peaks, strict=True))
    }

    def render(**changes):
        (tmp_path / "reference.json").write_text(json.dumps(config | changes))
        small = SMALL._replace(max_shift=2, test_shift=1)
        spectra_from_config.render_dataset(tmp_path / "reference.json", tmp_path / "ref", small)
        return tmp_path / "ref"

    render()
    return render


def test_measured_test_spectra_stand_beside_synthetic_ones(files, reference, tmp_path, capsys):
    folder = reference()
    rendered = arrays_of(folder)
    full = tmp_path / "full"
    make(full, "--measured", files, "--seed", 3)
    flags = "--measured", files, "--seed", 3, "--beside", folder
    make(None, *flags, "--beside-val")
    assert "no measured spectrum of Halite" in capsys.readouterr().err
    dataset = read_dataset(folder)
    assert list(dataset.splits)[2:] == ["test", "test_measured", "test_measured_val", "test_wide"]
    for split in "test", "val":
        x, y = dataset.splits[{"test": "test_measured", "val": "test_measured_val"}[split]]
        assert np.array_equal(x, np.load(full / f"x_{split}.npy"))
        names = read_dataset(full).class_names
        named = [names[label] for label in np.load(full / f"y_{split}.npy")]
        assert [dataset.class_names[label] for label in y] == named
    assert main_split(dataset.splits) == "test_measured"
    capsys.readouterr()
    hash_and_check(dataset)
    warn_of_own_splits(dataset)
    assert capsys.readouterr().err == ""
    make(None, *flags)
    assert "test_measured_val" not in read_dataset(folder).splits
    assert arrays_of(folder).items() >= rendered.items()


def test_samples_that_the_peaks_were_taken_from_are_not_tested(files, reference, tmp_path):
    samples = samples_in(make(tmp_path / "full", "--measured", files))
    reference()
    spectra = json.loads((tmp_path / "reference.json").read_text())["spectra"]
    for pattern in spectra.values():
        pattern["samples"] = sorted(samples["train"].get(pattern["name"], ()))
    folder = reference(spectra=spectra)
    make(None, "--measured", files, "--beside", folder, "--beside-val")
    before = arrays_of(folder)
    with pytest.raises(InputError, match=r"of 6 spectra for test_measured are of samples that the"):
        make(None, "--measured", files, "--beside", folder, "--seed", 1)
    assert arrays_of(folder) == before


def test_samples_that_the_peaks_were_taken_from_are_refused_in_every_split():
    rendered = {"class_names": ["Quartz", "Opal"], "samples": [["1"], []]}

    def refuse(test, val):
        splits = {"test_measured": [test], "test_measured_val": [val]}
        spectra = {
            split: [SimpleNamespace(label=label) for label in labels]
            for split, labels in splits.items()
        }
        measured_dataset.refuse_known_samples(spectra, rendered)

    known, other = Label("Quartz", "1"), Label("Opal", "1")  # of another class
    refuse(other, other)
    with pytest.raises(InputError, match="1 of 1 spectra for test_measured are of samples"):
        refuse(known, other)
    with pytest.raises(InputError, match="1 of 1 spectra for test_measured_val are of samples"):
        refuse(other, known)


def test_samples_of_the_peaks_that_are_not_found_are_told(files, reference, tmp_path, capsys):
    samples = samples_in(make(tmp_path / "full", "--measured", files))
    reference()
    spectra = json.loads((tmp_path / "reference.json").read_text())["spectra"]
    for pattern in spectra.values():
        pattern["samples"] = [f"lab {s}" for s in samples["train"].get(pattern["name"], ())]
    folder = reference(spectra=spectra)
    make(None, "--measured", files, "--beside", folder)
    errors = capsys.readouterr().err
    assert "9 of 9 samples that the peaks of the class file were taken from are not among" in errors
    assert "such as lab R67000" in errors


def test_another_background_than_that_of_the_peaks_is_refused(files, reference):
    folder = reference(background="arpls")
    assert json.loads((folder / "dataset.json").read_text())["background"] == "arpls"
    with pytest.raises(InputError, match="BACKGROUND is none, accepted: arpls, as the peaks of"):
        make(None, "--measured", files, "--beside", folder)
    with pytest.raises(InputError, match="background is 3, accepted: a text"):
        reference(background=3)


def test_measured_splits_are_verified_with_the_rendered_ones(files, reference, capsys):
    folder = reference()
    make(None, "--measured", files, "--beside", folder)
    capsys.readouterr()
    make(None, "--beside", folder, "--verify")
    output = capsys.readouterr().out
    assert f"{folder}: 8 files intact" in output
    assert f"{folder}: 2 files of measured.json intact" in output
    x = np.load(folder / "x_test_measured.npy")
    x[0, 0] += 0.5
    np.save(folder / "x_test_measured.npy", x)
    with pytest.raises(InputError, match=r"x_test_measured.npy is not the file that measured.json"):
        make(None, "--beside", folder, "--verify")


def test_measured_splits_that_are_replaced_while_they_are_opened_are_told(
    files, reference, monkeypatch
):
    folder = reference()
    make(None, "--measured", files, "--beside", folder)
    open_split = dataset_folder.open_split

    def replaced_before(folder, split):
        if split == "test_measured":
            make(None, "--measured", files, "--beside", folder, "--seed", 1)
        return open_split(folder, split)

    monkeypatch.setattr(dataset_folder, "open_split", replaced_before)
    with pytest.raises(InputError, match="was written anew while it was being opened"):
        read_dataset(folder)


def test_a_split_of_an_earlier_call_is_not_removed_in_silence(files, reference, capsys):
    folder = reference()
    make(None, "--measured", files, "--beside", folder, "--beside-val")
    assert "earlier" not in capsys.readouterr().err
    make(None, "--measured", files, "--beside", folder)
    assert "x_test_measured_val.npy, y_test_measured_val.npy of an earlier call are removed" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("range", "5 9"),
        ("unit", 3),
        ("wavelength", 0),
        ("wavelength", "Cu"),
        ("samples", {"0": []}),
        ("samples", [[1]] * 4),
        ("samples", [["R1"]]),
        ("class_names", 3),
        ("class_names", ["Quartz"]),
    ],
)
def test_a_damaged_data_card_beside_is_refused_by_its_field(files, reference, field, value):
    folder = reference()
    path = folder / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    with pytest.raises(InputError, match=f"dataset.json is not what .*: {field}"):
        make(None, "--measured", files, "--beside", folder)


def test_a_record_of_measured_splits_without_its_class_file_is_refused(files, reference):
    folder = reference()
    make(None, "--measured", files, "--beside", folder)
    path = folder / "measured.json"
    record = json.loads(path.read_text())
    for name in "class_file", "measured":
        path.write_text(json.dumps({key: record[key] for key in record if key != name}))
        with pytest.raises(InputError, match=r"measured.json is not what .*class_file"):
            hash_and_check(read_dataset(folder))


def test_a_class_that_the_synthetic_dataset_lacks_is_listed(files, reference, capsys):
    folder = reference()
    write_samples(files, minerals=("Albite",))
    (files / rruff("Albite", "R790000", 1)).write_text("no spectrum")
    make(None, "--measured", files, "--beside", folder)
    assert "no usable file" not in capsys.readouterr().err  # there are three
    record = json.loads((folder / "measured.json").read_text())
    reasons = {e["reason"] for e in record["measured"]["excluded"]}
    assert "class Albite" in reasons
    assert read_dataset(folder).splits["test_measured"][1].max() == 3


def test_spectra_that_do_not_belong_beside_a_dataset_are_refused(
    files, reference, dataset, own_arrays, tmp_path
):
    folder = reference()
    flags = "--measured", files, "--beside"
    with pytest.raises(InputError, match="RANGE is 20 110, accepted: 10 110"):
        make(None, *flags, folder, "--range", 20, 110)
    with pytest.raises(InputError, match="DATAPOINTS is 50, accepted: 51"):
        make(None, *flags, folder, "--datapoints", 50)
    with pytest.raises(InputError, match="UNIT is nm, accepted: 1/cm"):
        make(None, *flags, folder, "--unit", "nm")
    with pytest.raises(InputError, match="has no class_names and no range"):
        make(None, *flags, dataset)
    with pytest.raises(InputError, match="has no class_file and no class_names"):
        make(None, *flags, own_arrays)
    with pytest.raises(InputError, match=r"BESIDE is .*gone, accepted"):
        make(None, *flags, tmp_path / "gone")
    np.save(folder / "x_test_measured.npy", np.zeros((1, 51)))
    with pytest.raises(InputError, match=r"x_test_measured.npy is not replaced, as no measured"):
        make(None, *flags, folder)
    (folder / "x_test_measured.npy").unlink()
    for path in list(files.iterdir()):
        path.rename(path.with_name("un" + path.name))
    with pytest.raises(InputError, match="BESIDE has none of the measured classes: it names Qu"):
        make(None, *flags, folder)


@pytest.mark.parametrize("spelling", ["quartz", "Qu artz", "Quart-z", "QUART_Z"])
def test_a_class_that_is_only_spelled_otherwise_is_named(files, reference, capsys, spelling):
    folder = reference()
    for path in list(files.glob("Quartz*")):
        path.rename(path.with_name(path.name.replace("Quartz", spelling)))
    make(None, "--measured", files, "--beside", folder)
    sentence = f"no measured spectrum of Quartz ({spelling} is spelled otherwise), Halite\n"
    assert sentence in capsys.readouterr().err


def test_classes_that_are_all_spelled_otherwise_are_named_in_pairs(files, reference):
    for path in list(files.iterdir()):
        path.rename(path.with_name(path.name.replace(*("Gypsum", "gypsum")).replace("C", "Kc")))
    for path in list(files.glob("Quartz*")):
        path.unlink()
    with pytest.raises(InputError, match="names Gypsum and so on, the measurements gypsum and so"):
        make(None, "--measured", files, "--beside", reference())


def test_measured_spectra_labelled_for_another_class_file_are_not_judged(files, reference):
    folder = reference()
    make(None, "--measured", files, "--beside", folder)
    reference(boundary=1)
    with pytest.raises(InputError, match=r"labelled for another class file.*measured_dataset.py"):
        read_dataset(folder)
    make(None, "--measured", files, "--beside", folder)
    assert "test_measured" in read_dataset(folder).splits
    with open(folder / "x_test_measured.npy", "r+b") as file:
        file.seek(-4, 2)
        file.write(b"\1\2\3\4")
    with pytest.raises(InputError, match=r"x_test_measured.npy is not the file that measured"):
        hash_and_check(read_dataset(folder))


# Names of classes


def test_a_folder_of_ones_own_may_name_its_classes(own_arrays):
    assert read_dataset(own_arrays).class_names is None
    (own_arrays / "class_names.json").write_text('["Quartz", "Calcite", "α|β"]')
    assert read_dataset(own_arrays).class_names == ["Quartz", "Calcite", "α|β"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[", "not valid JSON"),
        ('{"0": "a"}', "holds no list of names, accepted: one for each of the 3 classes"),
        ('["a", "b"]', "holds 2 names, accepted: one for each of the 3 classes"),
        ('["a", "b", "a"]', "classes 0 and 2 have the same name 'a'"),
        ('["a", " ", "c"]', "class 1 has the name ' '"),
        ("[null, null, null]", "holds null"),
    ],
)
def test_names_that_do_not_fit_the_classes_are_refused(own_arrays, text, words):
    (own_arrays / "class_names.json").write_text(text)
    with pytest.raises(InputError, match=words) as error:
        read_dataset(own_arrays)
    assert "class_names.json" in str(error.value)


def test_other_names_than_those_of_the_data_card_are_refused(files, tmp_path):
    make(tmp_path / "out", "--measured", files)
    (tmp_path / "out" / "class_names.json").write_text('["a", "b", "c"]')
    with pytest.raises(InputError, match=r"names other classes than dataset.json"):
        read_dataset(tmp_path / "out")


def test_misclassifications_are_told_with_names():
    found = [Misclassification("vgg", 0, "test", 7, 0, 1, "", 0.5, "")]
    names = ["Quartz, | smoky", "Calcite"]
    runs = [types.SimpleNamespace(model="vgg")]
    assert r"| Quartz, \| smoky | 1 | 1 | Calcite |" in summarise(found, runs, names)
    assert "| 0 | 1 | 1 | 1 |" in summarise(found, runs)
    evaluation = evaluate.Evaluation(**dict.fromkeys(evaluate.Evaluation._fields))
    evaluation = evaluation._replace(misclassified=found, class_names=names)
    header, line = evaluate.misclassified_csv(evaluation).splitlines()
    assert header.endswith("reason,true_name,predicted_name")
    assert line == 'vgg,0,test,7,0,1,,0.5,,"Quartz, | smoky",Calcite'
    assert evaluate.misclassified_csv(evaluation._replace(class_names=None)).count("name") == 0


def test_rows_are_ordered_by_class_sample_and_file(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    table = ["file,class,sample"]
    for name, centre in CENTRES.items():
        for s in range(8):
            file = f"{name}{9 - s}.txt"
            (folder / file).write_text(spectrum(centre, 0.1 * s))
            table.append(f"{file},{name},{name}{s}")
    (tmp_path / "labels.csv").write_text("\n".join(table))
    card = make(tmp_path / "out", "--measured", folder, "--labels", tmp_path / "labels.csv")
    for rows in rows_of(card).values():
        assert rows == sorted(rows, key=lambda row: (row["class"], row["sample"], row["file"]))


def test_spectra_in_another_unit_than_the_rendered_ones_are_left_out(files, reference):
    for path in files.iterdir():
        path.write_text("wavelength (nm), counts\n" + path.read_text())
    with pytest.raises(InputError, match=r"in another unit.*nm, accepted: 1/cm"):
        make(None, "--measured", files, "--beside", reference())


def test_bands_that_point_down_are_left_out_beside_rendered_ones(files, reference, capsys):
    flags = state_y(files, Calcite="TRANSMITTANCE", Quartz="ABSORBANCE")
    make(None, *flags, "--beside", reference())
    errors = capsys.readouterr().err
    assert "left out: 10 files in another unit, such as " in errors
    assert "y is in TRANSMITTANCE, accepted: absorbance or intensity" in errors


def test_a_dataset_of_other_parameters_is_not_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = write_samples(tmp_path / "raman")
    make(None, "--measured", files)
    for flags in ("--range", 20, 110), ("--datapoints", 50), ("--val-share", 0.3), ("--unit", "nm"):
        name = flags[0][2:].upper().replace("-", "_")
        with pytest.raises(InputError, match=f"was written with {name} "):
            make(None, "--measured", files, *flags)


def test_a_file_of_just_that_name_comes_before_those_in_folders():
    sources = [Source(name, bytes) for name in ("a.txt", "x/a.txt")]
    labels = {"a.txt": Label("Q", "1"), "x/a.txt": Label("R", "2")}
    matched, _ = match_labels(LabelTable("t", "", labels), sources)
    assert matched == labels


def test_likeness_is_not_sameness(capsys):
    one, other = np.zeros(100), np.zeros(100)
    one[10] = other[10] = 1
    other[50] = 0.005  # 1 - cosine is 1.2e-5
    train, test = (SimpleNamespace(values=values, file="f") for values in (one, other))
    measured_dataset.tell_of_twins({"train": [train], "test": [test]})
    assert capsys.readouterr().err == ""
