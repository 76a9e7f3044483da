"""Several processes from one command: they share the runs, stop together and go on together."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import PROJECT, SMALL, assert_one_sentence, small_classes
from hypothesis import given
from hypothesis import strategies as st

import benchmark.workers
import train_models
from benchmark import machine, networks
from benchmark.command_line import flags_of, parse_flags
from benchmark.run_comparison import compare
from benchmark.run_folder import read_run
from benchmark.run_sharing import note_failure, status_of_workers
from spectra_from_config import render_dataset

NETWORKS = "vgg", "cnn2", "vgg:hidden_activation=relu"
FOLDERS = "vgg-seed0", "cnn2-seed0", "vgg+hidden_activation=relu-seed0"
LONG = "--epochs", 40, "--stop-patience", 40


def command(dataset, results, *flags):
    script = [sys.executable, PROJECT / "train_models.py", "--dataset", dataset]
    flags = ["--results", results, "--models", *NETWORKS, "--seeds", 0, "--batch-size", 4, *flags]
    return list(map(str, [*script, *flags]))


def start(flags, **options):
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(flags, **streams | options)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workers")
    (folder / "small.json").write_text(json.dumps(small_classes()))
    render_dataset(folder / "small.json", folder / "small", SMALL)
    return folder / "small"


@pytest.fixture(scope="module")
def alone(dataset):
    """Results of one process with one thread."""
    results = dataset.parent / "alone"
    flags = command(dataset, results, *LONG, "--threads", 1)
    subprocess.run(flags, check=True, capture_output=True)
    return results


def assert_same(alone, results, capsys):
    for name in FOLDERS:
        capsys.readouterr()
        assert compare(alone / name, results / name) == 0, name


def workers_of(process):
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(number) for number in children.read_text().split()]


def wait_for_epochs(process, lines):
    """Read lines of the log until two networks have told of an epoch."""
    begun = set()
    while len(begun) < 2:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        lines.append(line)
        begun |= set(re.findall(r"^(\S+) seed 0, epoch", line))


def test_two_workers_are_stopped_and_go_on_to_the_bits_of_one_process(
    dataset, alone, tmp_path, capsys
):
    flags = command(dataset, tmp_path / "two", *LONG, "--workers", 2, "--threads", 1)
    process, lines = start(flags), []
    wait_for_epochs(process, lines)
    process.terminate()
    _, errors = process.communicate(timeout=100)
    assert process.returncode == 128 + signal.SIGTERM
    assert errors.splitlines() == ["stopped after a checkpoint; the same command goes on from it"]
    assert len(list((tmp_path / "two").glob("*/checkpoint.npz"))) == 2
    finished = subprocess.run(flags, check=True, capture_output=True, text=True)
    assert finished.stderr == ""
    assert_same(alone, tmp_path / "two", capsys)
    results = [line for line in finished.stdout.splitlines() if " epochs in " in line]
    assert len(results) == len(set(results)) == 3


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are read from /proc")
def test_a_killed_worker_does_not_stop_the_others(dataset, alone, tmp_path, capsys):
    flags = command(dataset, tmp_path / "two", *LONG, "--workers", 2, "--threads", 1)
    process, lines = start(flags), []
    wait_for_epochs(process, lines)
    os.kill(workers_of(process)[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=300)
    assert "worker 1 was ended by SIGKILL; its run goes on later" in errors
    if process.returncode:  # the other had ended its runs before
        assert "the same command goes on" in errors
        subprocess.run(flags, check=True, capture_output=True)
    assert_same(alone, tmp_path / "two", capsys)


def test_ctrl_c_in_a_terminal_reaches_every_worker_once(dataset, tmp_path):
    """The terminal shows a line per worker, and no line twice."""
    flags = command(dataset, tmp_path / "two", *LONG, "--workers", 2, "--threads", 1)
    pid, terminal = pty.fork()
    if pid == 0:
        termios.tcsetwinsize(0, (24, 150))
        os.execv(flags[0], flags)
    shown = b""
    while not (b"worker 1: " in shown and b"worker 2: " in shown):
        shown += os.read(terminal, 10_000)
    os.write(terminal, b"\x03")
    try:
        while more := os.read(terminal, 10_000):
            shown += more
    except OSError:  # the terminal is gone with its last process
        pass
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 128 + signal.SIGINT
    assert shown.count(b"stopped after a checkpoint") == 1
    assert len(list((tmp_path / "two").glob("*/checkpoint.npz"))) == 2


def test_failures_are_told_once_and_other_runs_are_finished(dataset, tmp_path):
    flags = command(dataset, tmp_path, "--epochs", 1, "--workers", 2, "--learning-rate", 1e30)
    process = subprocess.run(flags, check=False, capture_output=True, text=True)
    assert process.returncode == 1
    assert process.stderr.count("failed: ArithmeticError") == 3
    assert process.stderr.count("3 of 3 runs failed; --status says why") == 1


def test_bad_input_is_told_once(run, dataset, tmp_path):
    flags = command(dataset, tmp_path, "--workers", 2)[2:]
    process = run("train_models.py", *flags, "--models", "vgg:dropout=much")
    assert_one_sentence(process, 2, "dropout=")
    for workers in 0, 1000:
        process = run("train_models.py", *flags, "--workers", workers)
        assert_one_sentence(process, 2, "WORKERS", workers)


def test_threads_are_divided_among_the_workers(dataset, tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(
        train_models, "run_workers", lambda *given: started.append(given) or (1, [])
    )
    monkeypatch.setattr(benchmark.workers, "available_cores", lambda: 8)
    for flags, workers, threads in (
        (["--workers", "3"], 3, 2),
        (["--workers", "9"], 5, 1),
        (["--workers", "3", "--threads", "7"], 3, 7),
    ):
        arguments = ["--dataset", str(dataset), "--results", str(tmp_path), "--models", "vgg"]
        train_models.main(parse_flags(train_models, [*arguments, *flags]))
        assert started[-1][-2:] == (workers, threads)


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("max 100000", 6), ("250000 100000", 2), ("50000 100000", 1), ("6400000 100000", 6)],
)
def test_a_container_may_grant_a_share_of_the_cores(tmp_path, monkeypatch, quota, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(6)))
    (tmp_path / "cpu.max").write_text(f"{quota}\n")
    monkeypatch.setattr(machine, "CPU_QUOTA", tmp_path / "cpu.max")
    assert machine.available_cores() == cores
    monkeypatch.setattr(machine, "CPU_QUOTA", tmp_path / "absent")
    assert machine.available_cores() == 6


@given(
    st.lists(st.sampled_from(["cnn2", "-x", "vgg:dropout=0.5"]), min_size=1, max_size=3),
    st.lists(st.integers(-5, 2**31), min_size=1, max_size=3),
    st.floats(allow_nan=False),
    st.sampled_from([None, "a b", "-5", "--seeds"]),
    st.booleans(),
)
def test_flags_of_settings_give_the_settings(models, seeds, rate, results, status):
    changed = {
        "models": tuple(m for m in models if not m.startswith("-")) or ("cnn2",),
        "seeds": tuple(seeds),
        "learning_rate": rate,
        "results": results,
        "status": status,
    }
    settings = SimpleNamespace(**vars(parse_flags(train_models, [])) | changed)
    assert parse_flags(train_models, flags_of(train_models, settings)) == settings


def test_a_run_that_needs_more_memory_than_there_is_is_warned_of(
    dataset, tmp_path, monkeypatch, capsys, tensorflow
):
    monkeypatch.setattr(networks, "available_memory", lambda: 10**8)
    flags = ["--models", "vgg", "--seeds", "0", "--epochs", "1"]
    arguments = ["--dataset", str(dataset), "--results", str(tmp_path), *flags]
    assert train_models.main(parse_flags(train_models, arguments)) == 0
    warned = capsys.readouterr().err
    assert re.search(r"vgg needs about 0\.\d GB of memory, of which 0\.1 are free", warned)
    assert read_run(tmp_path / "vgg-seed0").epochs == 1


def test_a_killed_command_leaves_no_worker_for_ever(dataset, tmp_path):
    """Nobody reads what the workers print: they write a checkpoint and end."""
    flags = command(dataset, tmp_path / "two", "--epochs", 400, "--stop-patience", 400)
    process, lines = start([*flags, "--workers", "2", "--threads", "1"]), []
    wait_for_epochs(process, lines)
    workers = workers_of(process)
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert len(list((tmp_path / "two").glob("*/checkpoint.npz"))) == 2


@pytest.mark.parametrize(("statuses", "goes_on"), [([1, 0], True), ([2, 0], False)])
def test_the_same_command_goes_on_unless_its_input_is_refused(tmp_path, capsys, statuses, goes_on):
    assert status_of_workers([tmp_path / "vgg-seed0"], None, statuses) == max(statuses)
    assert ("goes on" in capsys.readouterr().err) == goes_on


def test_a_worker_that_was_killed_leaves_status_1_and_failures_are_counted_apart(tmp_path, capsys):
    folders = [tmp_path / f"vgg-seed{seed}" for seed in range(3)]
    note_failure(folders[0], ValueError("reason"))
    assert status_of_workers(folders, None, [-9, 0]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "1 of 3 runs failed; --status says why",
        "2 of 3 runs are not finished; the same command goes on",
    ]
    assert status_of_workers(folders, signal.SIGTERM, [0, 0]) == 128 + signal.SIGTERM
    assert status_of_workers(folders[:1], None, [1]) == 1
    assert "are not finished" not in capsys.readouterr().err


def test_a_log_tells_how_an_epoch_went(capsys):
    losses = {"loss": 0.5, "accuracy": 0.1, "val_loss": 0.25, "val_accuracy": 0.75}
    log = SimpleNamespace(disable=True)
    benchmark.workers.tell_epoch(log, "vgg seed 0", 3, losses | {"learning_rate": 3e-4}, 3700)
    assert capsys.readouterr().out == (
        "vgg seed 0, epoch 3: loss 0.5, val_loss 0.25, val_accuracy 0.7500, learning rate 0.0003, "
        "stops in 1:01:40 or later\n"
    )
