import gc
import importlib
import io
import json
import os
import signal
import subprocess
import sys
import traceback
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

import hypothesis
import numpy as np
import pytest

import dataset_config_generator
import spectra_from_config
from benchmark import command_line, figure_style
from benchmark.command_line import InputError, parse_flags
from benchmark.dataset_folder import read_dataset, recorded_hashes
from benchmark.measurement_files import read_measurement
from benchmark.published_results import PUBLISHED
from benchmark.run_folder import Count, Run, record_of, write_run
from benchmark.tensorflow_startup import start_tensorflow
from benchmark.variation import Variation

os.environ.pop("PYTHONUNBUFFERED", None)  # most users' output is buffered
hypothesis.settings.register_profile("any machine", deadline=None)  # a busy one would miss it
hypothesis.settings.load_profile("any machine")
signal.signal(signal.SIGINT, signal.default_int_handler)  # which background jobs ignore
PROJECT = Path(dataset_config_generator.__file__).parent


def variation(**changes):
    """Return a Variation: the constants of spectra_from_config.py, but for these."""
    constants = vars(parse_flags(spectra_from_config, []))
    constants["wide_test"] = True  # as for class files without test variants
    numbers = {name: constants[name] for name in Variation._fields if name in constants}
    return Variation(**numbers | changes)


SMALL = variation(n_train=6, n_val=2, max_shift=5, test_shift=3)  # fits the small class file


# Files that take more than half a minute, the longest first.
LONG = (
    *("test_resuming.py", "test_workers.py", "test_networks.py", "test_training.py"),
    *("test_benchmarks.py", "test_precision.py", "test_figures.py", "test_robustness.py"),
    *("test_interruptions.py", "test_spectra.py"),
)


def pytest_collection_modifyitems(items):
    """Put the longest files first: begun last, one of them would keep a single process at work."""
    order = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: order.get(item.path.name, len(LONG)))


@pytest.fixture(scope="session")
def tensorflow():
    """Start TensorFlow as training does; its threads cannot be set once a network is built."""
    start_tensorflow()
    gc.freeze()  # spares each training the search for garbage in TensorFlow's modules: 1 s


@pytest.fixture
def run():
    """Run a script as a user does; returns the finished process with its output as text.

    Training has a process of its own. So has what takes options of a process; all else runs in
    this one, which need not import numpy and matplotlib each time: that halves the time of tests.
    """

    def run_script(script, *flags, **options):
        command = [sys.executable, str(PROJECT / script), *map(str, flags)]
        if Path(script).name == "train_models.py" or options.keys() - {"cwd"}:
            return subprocess.run(command, capture_output=True, text=True, check=False, **options)
        return run_here(command, **options)

    return run_script


def run_here(command, cwd="."):
    """Run a script as `subprocess.run` does, but in this process."""
    _, path, *flags = command
    output, errors = io.StringIO(), io.StringIO()
    with (
        chdir(cwd),
        mock.patch.object(sys, "argv", [path, *flags]),
        redirect_stdout(output),
        redirect_stderr(errors),
    ):
        try:
            script = importlib.import_module(Path(path).stem)
            command_line.run_script(script, script.main)
        except SystemExit as end:
            status = end.code or 0
        except BaseException:
            traceback.print_exc()
            status = 1
    return subprocess.CompletedProcess(command, status, output.getvalue(), errors.getvalue())


@pytest.fixture
def keep_figures(monkeypatch):
    """Return a function that keeps the figures a script saves, in the list that it returns."""

    def keep(script):
        figures = []

        def save_and_keep(figure, folder, name):
            figures.append(figure)
            return figure_style.save(figure, folder, name)

        monkeypatch.setattr(script, "save", save_and_keep)
        return figures

    return keep


@pytest.fixture
def measured(tmp_path):
    """Write a measurement; returns its path."""

    def write(content, name="measured"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def small_classes():
    """Return the content of a small valid class file."""
    return dataset_config_generator.draw_classes(
        datapoints=120, boundary=20, classes=4, max_peaks=3, min_height=10
    )


@pytest.fixture
def class_file(tmp_path):
    """Write a small valid class file; returns its path and a function that changes its content."""
    path = tmp_path / "small.json"
    config = small_classes()

    def write(change=lambda config: None):
        change(config)
        path.write_text(json.dumps(config))
        return path

    write()
    return path, write


@pytest.fixture
def dataset(class_file, tmp_path):
    """Render a small dataset; returns its folder."""
    folder = tmp_path / "small"
    spectra_from_config.render_dataset(class_file[0], folder, SMALL)
    return folder


@pytest.fixture
def own_arrays(tmp_path):
    """Write arrays of one's own, without dataset.json and test split; returns their folder."""
    folder = tmp_path / "own"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for split, spectra in ("train", 40), ("val", 10):
        x = rng.random((spectra, 30))
        np.save(folder / f"x_{split}.npy", x / x.max(axis=1, keepdims=True))
        np.save(folder / f"y_{split}.npy", np.arange(spectra) % 3)
    return folder


def write_finished_run(folder, dataset, **changes):
    """Write the record of a run that made no mistake on a dataset folder; returns its Run."""
    read = read_dataset(dataset)
    finished = Run(
        folder=folder,
        model="vgg",
        seed=0,
        protocol=PUBLISHED["paper"].protocol,
        dataset=record_of(read, recorded_hashes(read)),
        weights=1,
        epochs=1,
        best_epoch=1,
        seconds=1.0,
        environments=[{}],
        weights_sha256="0" * 64,
        misclassified={split: Count(0, len(y)) for split, (_, y) in read.splits.items()},
    )
    finished = finished._replace(**changes)
    folder.mkdir(parents=True, exist_ok=True)
    write_run(finished)
    return finished


def assert_measurement_refused(path, words):
    """Reading the file ends in one line that names it and holds all words."""
    with pytest.raises(InputError) as error:
        read_measurement(path)
    message = str(error.value)
    assert "\n" not in message
    for word in [str(path), *words]:
        assert word in message


def assert_one_sentence(process, status, *words):
    """The process failed with `status` and one line on standard error that holds all words."""
    assert process.returncode == status, process.stderr
    lines = process.stderr.strip().splitlines()
    assert len(lines) == 1, process.stderr
    for word in words:
        assert str(word) in lines[0]
