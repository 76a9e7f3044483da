"""Time the rendering of the paper's dataset against a loop over single spectra.

    make benchmarks

Runs, in turn and several times: (1) one spectrum at a time through gaussian_filter1d and
numpy.save, as published scripts do it; (2) our rendering and writing alone; (3) our script as a
whole process, with start, overlap check and hashes; (4) numpy.save of the same arrays, already in
memory. Prints medians and the ratios to (1). Then the same script with every artefact switched on,
on spectra of 1000 datapoints.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from typing import Annotated

import numpy as np
from scipy.ndimage import gaussian_filter1d

PROJECT = Path(__file__).parent.parent
sys.path.insert(0, str(PROJECT))

from conftest import variation  # noqa: E402

from benchmark.block_writer import lay_out, rendering  # noqa: E402
from benchmark.class_file import read_class_file  # noqa: E402
from benchmark.command_line import run_script  # noqa: E402
from benchmark.machine import available_cores  # noqa: E402
from dataset_config_generator import draw_classes  # noqa: E402
from spectra_from_config import render_rows, splits_of  # noqa: E402

CLASSES: Annotated[tuple[int, ...], "Numbers of classes to render."] = (500, 2000)
ARTEFACT_SPECTRA: Annotated[
    int, "Training spectra per class of the 100 to render with every artefact."
] = 1000
ROUNDS: Annotated[int, "Rounds, in each of which every task runs once."] = 5
TASK: Annotated[str | None, "Only this task, on CONFIG and into FOLDER; prints its seconds."] = None
CONFIG: Annotated[str | None, "Class file of the one task."] = None
FOLDER: Annotated[str | None, "Folder of the one task."] = None

EVERY_ARTEFACT = (
    *("--peak-shape", "pseudo_voigt", "--width-trend", "0", "1", "--strain", "0.02"),
    *("--common-shift", "10", "--texture", "0", "0.5", "--noise", "0", "0.02"),
    *("--foreign-peaks", "0", "3", "--foreign-heights", "0.05", "0.4", "--counts", "300", "10000"),
    *("--background", "0", "0.2", "--hump", "0", "0.2", "--spikes", "0", "3"),
    *("--spike-heights", "0.2", "1"),
)


def one_by_one(class_file, folder):
    """Render and save all splits, one spectrum at a time, in float64."""
    rng = np.random.default_rng(0)
    ideals = list(zip(class_file.positions, class_file.heights, strict=True))
    for split, spectra in {"train": 50, "val": 10}.items():
        x = np.zeros((len(ideals) * spectra, class_file.datapoints))
        for row in range(len(x)):
            positions, heights = ideals[row // spectra]
            sticks = np.zeros(class_file.datapoints)
            for position, height in zip(positions, heights, strict=True):
                changed = max(0.0, rng.uniform(height - 0.05, height + 0.05))
                sticks[rng.integers(position - 50, position + 51)] = changed
            x[row] = gaussian_filter1d(sticks, rng.uniform(2, 5), mode="constant")
        np.save(folder / f"{split}.npy", x)
    for change in 0.02, 0.2:
        x = np.zeros((len(ideals) * 9, class_file.datapoints))
        variants = product(ideals, (0, change, -change), (0, -25, 25))
        for row, ((positions, heights), up, shift) in enumerate(variants):
            sticks = np.zeros(class_file.datapoints)
            sticks[positions + shift] = np.where(heights < 1, np.maximum(heights + up, 0), heights)
            x[row] = gaussian_filter1d(sticks, 2, mode="constant")
        np.save(folder / f"test{change}.npy", x)


def render_and_write(class_file, folder):
    """Our rendering and writing, without overlap check and hashes."""
    splits = splits_of(class_file, variation())
    blocks = []
    for name, split in splits.items():
        path = folder / f"{name}.npy"
        blocks += lay_out(name, path, sum(split.per_class), class_file.datapoints)
    render = partial(render_rows, class_file=class_file, splits=splits)
    with rendering(render, blocks, available_cores()) as written:
        for _ in written:
            pass


def save(class_file, folder):
    """Only write: numpy.save of arrays already in memory."""
    classes = len(class_file.positions)
    arrays = [np.ones((classes * n, class_file.datapoints), np.float32) for n in (50, 10, 9, 9)]
    start = time.perf_counter()
    for i, x in enumerate(arrays):
        np.save(folder / f"{i}.npy", x)
    return time.perf_counter() - start


TASKS = {
    "one spectrum at a time": one_by_one,
    "ours, rendering and writing": render_and_write,
    "ours, whole process": None,
    "numpy.save of arrays in memory": save,
}


def run(task, config, folder):
    """Run one task in a process of its own, into an empty folder with the disk at rest.

    Returns its seconds.
    """
    if TASKS[task]:
        flags = [__file__, "--task", task, "--config", config, "--folder", folder]
        printed, _ = run_into(folder, flags)
        return float(printed)
    return rendering_seconds(config, folder)


def rendering_seconds(config, folder, *flags):
    """Return the seconds of spectra_from_config.py as a whole process."""
    script = PROJECT / "spectra_from_config.py"
    _, seconds = run_into(folder, [script, "--config", config, "--output", folder, *flags])
    return seconds


def run_into(folder, command):
    """Run Python with a command; returns what it prints and its seconds."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    os.sync()
    start = time.perf_counter()
    process = subprocess.run([sys.executable, *command], check=True, capture_output=True)
    return process.stdout, time.perf_counter() - start


def compare(classes, rounds, folder):
    config = folder / "classes.json"
    config.write_text(json.dumps(draw_classes(classes=classes)))
    seconds = {task: [] for task in TASKS}
    for _ in range(rounds):
        for task, times in seconds.items():
            times.append(run(task, config, folder / task.replace(" ", "_")))
    print(f"{classes} classes, {78 * classes} spectra, medians of {rounds} rounds")
    slowest = median(seconds["one spectrum at a time"])
    for task, times in seconds.items():
        print(
            f"  {task:32}{median(times):7.2f} s ({min(times):.2f} to {max(times):.2f}), "
            f"{slowest / median(times):5.1f} times as fast"
        )


def time_artefacts(n_train, rounds, folder):
    """Print the seconds of whole processes that render with every artefact."""
    config = PROJECT / "dataset_configs" / "ladder100.json"
    flags = "--n-train", str(n_train), "--max-shift", "10", "--test-shift", "5", *EVERY_ARTEFACT
    times = [rendering_seconds(config, folder / "artefacts", *flags) for _ in range(rounds)]
    spectra = 100 * (n_train + 10 + 9 + 9)
    print(
        f"every artefact, {spectra} spectra of 1000 datapoints, whole process: "
        f"{median(times):.1f} s ({min(times):.1f} to {max(times):.1f})"
    )


def main(settings):
    if settings.task:
        class_file = read_class_file(settings.config)
        start = time.perf_counter()
        seconds = TASKS[settings.task](class_file, Path(settings.folder))
        print(seconds or time.perf_counter() - start)
        return
    for classes in settings.classes:
        with tempfile.TemporaryDirectory() as folder:
            compare(classes, settings.rounds, Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        time_artefacts(settings.artefact_spectra, settings.rounds, Path(folder))


if __name__ == "__main__":
    run_script(sys.modules[__name__], main)
