"""Rendering is interrupted in every way: a folder never holds a mixture that a reader accepts."""

import errno
import fcntl
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import PROJECT, assert_one_sentence, variation

import spectra_from_config
from benchmark import block_writer
from benchmark.command_line import InputError
from benchmark.dataset_folder import read_dataset
from benchmark.files import sha256_of
from spectra_from_config import render_dataset

SHIFTS = ["--max-shift", "5", "--test-shift", "3"]


def command(config, folder, seed, *flags):
    script = [sys.executable, PROJECT / "spectra_from_config.py", "--config", config]
    return [*map(str, script), "--output", str(folder), "--seed", str(seed), *SHIFTS, *flags]


def checksum_of_intact(folder):
    """Return the checksum of a dataset after holding every file against dataset.json."""
    card = read_dataset(folder).card
    for name, entry in card["files"].items():
        assert sha256_of(folder / name) == entry["sha256"]
    return card["checksum"]


def expected_checksum(config, folder, seed, **changes):
    small = variation(max_shift=5, test_shift=3, seed=seed, **changes)
    return render_dataset(config, folder, small)["checksum"]


def test_a_render_killed_at_50_random_moments_leaves_old_or_new_or_unfinished(class_file, tmp_path):
    config, folder = class_file[0], tmp_path / "data"
    size = ["--n-train", "20000", "--workers", "2"]
    start = time.perf_counter()
    subprocess.run(command(config, folder, 0, *size), check=True, capture_output=True)
    duration = time.perf_counter() - start
    valid = {checksum_of_intact(folder)}
    moments = random.Random(0)
    seed = killed = 0
    while killed < 50:
        seed += 1
        process = subprocess.Popen(
            command(config, folder, seed, *size),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(moments.uniform(0.1, duration))
        process.kill()
        if process.wait() == -signal.SIGKILL:
            killed += 1
        else:  # faster than the first one: this moment was too late
            assert process.returncode == 0
            duration *= 0.95
        try:
            checksum = checksum_of_intact(folder)
        except InputError as error:
            assert "unfinished" in str(error)
            subprocess.run(command(config, folder, seed, *size), check=True, capture_output=True)
            checksum = checksum_of_intact(folder)
        if checksum not in valid:  # then it is the new one, complete
            assert read_dataset(folder).card["variation"]["seed"] == seed
            valid.add(checksum)
    subprocess.run(command(config, folder, seed + 1, *size), check=True, capture_output=True)
    checksum_of_intact(folder)
    assert not list(folder.glob("*.tmp"))


def test_ctrl_c_while_a_process_is_started_is_told_in_a_word(class_file, tmp_path):
    """Python drops a KeyboardInterrupt that is raised in a function that fork calls."""
    config, folder = class_file[0], tmp_path / "data"
    old = expected_checksum(config, folder, 1)
    code = """
import os, signal, sys, time
import spectra_from_config
from benchmark.command_line import run_script
def press():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.1)
os.register_at_fork(after_in_parent=press)
run_script(spectra_from_config, spectra_from_config.main)
"""
    _, _, *flags = command(config, folder, 2, "--n-train", "2000", "--workers", "2")
    process = subprocess.run(
        [sys.executable, "-c", code, *flags],
        cwd=PROJECT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 130
    assert process.stderr == "spectra_from_config.py: error: interrupted\n"
    assert checksum_of_intact(folder) == old
    assert not list(folder.glob("*.tmp"))


@pytest.mark.parametrize("renames", range(10))
def test_a_render_killed_between_two_renames_is_recognised_and_completed(
    class_file, tmp_path, renames
):
    config, folder = class_file[0], tmp_path / "data"
    new = expected_checksum(config, tmp_path / "new", 2)
    old = expected_checksum(config, folder, 1)
    killed = f"""
import os, pathlib, sys
sys.path.insert(0, "tests")
from conftest import variation
import spectra_from_config
rename, left = pathlib.Path.replace, {renames}
def replace(self, target):
    global left
    if not left:
        os.kill(os.getpid(), 9)
    left -= 1
    return rename(self, target)
pathlib.Path.replace = replace
config, folder = sys.argv[1:]
small = variation(max_shift=5, test_shift=3, seed=2)
spectra_from_config.render_dataset(config, folder, small)
"""
    arguments = [sys.executable, "-c", killed, str(config), str(folder)]
    process = subprocess.run(arguments, cwd=PROJECT, check=False)
    assert process.returncode == -9
    if renames == 0:
        assert checksum_of_intact(folder) == old
    else:
        with pytest.raises(InputError, match="unfinished"):
            read_dataset(folder)
    assert expected_checksum(config, folder, 2) == new
    assert checksum_of_intact(folder) == new
    assert not list(folder.glob("*.tmp"))


def test_a_full_disk_is_one_sentence_and_the_old_dataset_stays(run, class_file, tmp_path):
    config, folder = class_file[0], tmp_path / "data"
    old = expected_checksum(config, folder, 1)
    process = run(
        *command(config, folder, 2, "--n-train", "5000")[1:],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)),
    )
    assert_one_sentence(process, 1, "x_train.npy.tmp", "File too large", "bytes needed")
    assert checksum_of_intact(folder) == old
    assert not list(folder.glob("*.tmp"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_small_disk_that_runs_full_keeps_the_old_dataset(run, class_file, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], check=False
    ).returncode:
        pytest.skip("this system does not let root mount a tmpfs")
    try:
        old = expected_checksum(class_file[0], disk / "data", 1)
        process = run(*command(class_file[0], disk / "data", 2, "--n-train", "2000")[1:])
        assert_one_sentence(process, 1, "x_train.npy.tmp", "No space left on device")
        assert checksum_of_intact(disk / "data") == old
        assert not list((disk / "data").glob("*.tmp"))
    finally:
        subprocess.run(["umount", disk], check=True)


def test_an_error_that_names_no_file_names_the_folder(class_file, tmp_path, monkeypatch):
    def write(file, array):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(spectra_from_config, "write_array", write)
    with pytest.raises(OSError, match="No space left on device") as error:
        expected_checksum(class_file[0], tmp_path / "data", 1)
    assert error.value.filename == str(tmp_path / "data")
    assert not list((tmp_path / "data").glob("*.tmp"))


def test_a_killed_worker_is_one_sentence(class_file, tmp_path, monkeypatch):
    def killed(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(block_writer, "write_blocks", killed)
    with pytest.raises(OSError, match="a rendering process ended with status -9") as error:
        expected_checksum(class_file[0], tmp_path / "data", 1)
    assert error.value.strerror


def children_of(process):
    """Return the numbers of the running child processes, as Linux lists them."""
    tasks = Path(f"/proc/{process.pid}/task")
    return [int(n) for task in tasks.iterdir() for n in (task / "children").read_text().split()]


def running(number):
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are read from /proc")
@pytest.mark.parametrize("spectra", [400_000, 8_000])
def test_rendering_processes_end_with_a_killed_parent(class_file, tmp_path, spectra):
    """Many small blocks: neither do they render everything, nor wait for a reader for ever."""
    code = f"""
from benchmark import block_writer
block_writer.BLOCK = 1  # one spectrum
from conftest import variation
from spectra_from_config import render_dataset
small = variation(n_train={spectra}, max_shift=5, test_shift=3)
render_dataset({str(class_file[0])!r}, {str(tmp_path / "data")!r}, small, workers=3)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": f"{PROJECT}:{PROJECT / 'tests'}"},
    )
    workers = []
    while len(workers) < 3 and process.poll() is None:
        workers = children_of(process)
        time.sleep(0.01)
    time.sleep(0.3)  # in the middle of the work
    process.send_signal(signal.SIGSTOP)  # it reads no more messages, as if it were busy
    time.sleep(0.3)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 10
    while any(map(running, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(running, workers))
    with open(tmp_path / "data" / ".lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # free for the next render


def test_two_renders_into_one_folder_leave_one_of_both_datasets(class_file, tmp_path):
    config, folder = class_file[0], tmp_path / "data"
    seeds = 1, 2
    size = {"n_train": 2000}
    both = {expected_checksum(config, tmp_path / str(seed), seed, **size) for seed in seeds}
    for _ in range(3):
        processes = [
            subprocess.Popen(
                command(config, folder, seed, "--n-train", "2000"),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for seed in seeds
        ]
        assert [process.wait() for process in processes] == [0, 0]
        assert checksum_of_intact(folder) in both
        assert not list(folder.glob("*.tmp"))


def test_same_bytes_for_any_number_of_workers(class_file, tmp_path):
    printed = set()
    for workers in 1, 2, 5:
        flags = ["--n-train", "3000", "--workers", str(workers)]
        process = subprocess.run(
            command(class_file[0], tmp_path / str(workers), 1, *flags),
            check=True,
            capture_output=True,
            text=True,
        )
        printed.add(process.stdout.split()[-1])
        assert checksum_of_intact(tmp_path / str(workers)) in printed
    assert len(printed) == 1


def test_verify_tells_intact_from_altered_files(run, class_file, tmp_path):
    folder = tmp_path / "data"
    checksum = expected_checksum(class_file[0], folder, 1)
    process = run(*command(class_file[0], folder, 1, "--verify")[1:])
    assert process.returncode == 0, process.stderr
    assert checksum in process.stdout
    x = np.load(folder / "x_test.npy", mmap_mode="r+")
    x[3, 50] += 0.001
    x.flush()
    process = run(*command(class_file[0], folder, 1, "--verify")[1:])
    assert_one_sentence(process, 2, "x_test.npy", "dataset.json")
