"""The timings of `make benchmarks` run, at a small size; how long they take is not tested."""

import re

import pytest
from conftest import PROJECT


def test_the_makefile_runs_both():
    makefile = (PROJECT / "Makefile").read_text()
    for script in "tests/benchmarks.py", "tests/training_benchmarks.py":
        assert f"\t$(RUN) {script}\n" in makefile


def test_training_steps_are_timed(run):
    flags = "--networks", "vgg", "--datapoints", 100, "--classes", 4, "--batch-size", 4
    process = run("tests/training_benchmarks.py", *flags)
    assert process.returncode == 0, process.stderr
    lines = process.stdout.splitlines()
    assert re.fullmatch(r"vgg +\d+ +\d+ +\d+ +\d+\.\d\d +\d+\.\d\d +\d+%", lines[2])
    assert lines[3].startswith("geometric means")


@pytest.mark.parametrize("rounds", [2])
def test_rendering_is_timed(run, rounds):
    process = run("tests/benchmarks.py", "--classes", 6, "--rounds", rounds)
    assert process.returncode == 0, process.stderr
    assert f"6 classes, 468 spectra, medians of {rounds} rounds" in process.stdout
    assert process.stdout.count("times as fast") == 4
