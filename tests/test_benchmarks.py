"""The timings of `make benchmarks` run, at a small size; how long they take is not tested."""

import re
import subprocess
import sys
from types import SimpleNamespace

import keras
import pytest
import training_benchmarks
from conftest import PROJECT

from benchmark.tensorflow_startup import set_precision


def test_the_makefile_runs_both():
    makefile = (PROJECT / "Makefile").read_text()
    for script in "tests/benchmarks.py", "tests/training_benchmarks.py":
        assert f"\t$(RUN) {script}\n" in makefile


def test_training_steps_are_timed(run, monkeypatch):
    """Measured in this process, which spares the start of TensorFlow for each measurement."""

    def measure(kind, settings, network, **environment):
        keras.utils.set_random_seed(0)  # deterministic operations want one
        one = SimpleNamespace(**vars(settings) | {"networks": (network,)})
        return list(training_benchmarks.KINDS[kind](one))

    monkeypatch.setattr(training_benchmarks, "measure", measure)
    monkeypatch.setattr(training_benchmarks, "MATRIX", 512)
    flags = "--datapoints", 100, "--classes", 4, "--batch-size", 4, "--worker-epochs", 1
    process = run("tests/training_benchmarks.py", "--networks", "vgg", *flags)
    set_precision("float32", on_gpu=False)  # for the tests that follow in this process
    assert process.returncode == 0, process.stderr
    lines = process.stdout.splitlines()
    assert re.fullmatch(
        r"vgg +\d+ +\d+ +\d+ +\d+\.\d\d +\d+\.\d\d +\d+% +\d+ +\d+\.\d\d", lines[-5]
    )
    assert lines[-4].startswith("geometric means")
    assert [line.split(":")[0] for line in lines[-2:]] == ["1 workers", "2 workers"]


def test_a_measurement_runs_in_a_process_of_its_own():
    command = [sys.executable, "tests/training_benchmarks.py", "--measure", "operations"]
    command += ["--networks", "vgg", "--datapoints", "100"]
    process = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert float(process.stdout.splitlines()[-1]) > 1e6


@pytest.mark.parametrize("rounds", [2])
def test_rendering_is_timed(run, rounds):
    flags = "--classes", 6, "--rounds", rounds, "--artefact-spectra", 2
    process = run("tests/benchmarks.py", *flags)
    assert process.returncode == 0, process.stderr
    assert f"6 classes, 468 spectra, medians of {rounds} rounds" in process.stdout
    assert process.stdout.count("times as fast") == 4
    assert "every artefact, 3000 spectra of 1000 datapoints" in process.stdout
