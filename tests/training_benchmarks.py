"""Time a training step of the eight networks, with Keras' defaults and as train_models.py sets it.

    python tests/training_benchmarks.py
    python tests/training_benchmarks.py --networks vgg cnn2

Every measurement runs in a process of its own, in turn: plain `model.fit`; the same without oneDNN,
which is TensorFlow's default on processors without AVX-512 VNNI; `train_models.fit`; and the latter
with PRECISION bfloat16. `share of peak` counts two operations per multiply-add, forward and
backward, against the fastest float32 matrix product of the same cores. Last, the same matrix of
runs is trained by one and by two worker processes on all cores.
"""

import math
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import geometric_mean, median
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Annotated

import numpy as np

PROJECT = Path(__file__).parent.parent
sys.path.insert(0, str(PROJECT))

from benchmark.command_line import parse_flags, run_script  # noqa: E402
from benchmark.machine import has_bfloat16  # noqa: E402
from benchmark.tensorflow_startup import start_tensorflow  # noqa: E402

# Size
NETWORKS: Annotated[tuple[str, ...], "Networks to time."] = (
    *("cnn2", "cnn3", "cnn6", "vgg", "cnn_bn", "resnet", "inc3", "inc6"),
)
DATAPOINTS: Annotated[int, "Datapoints per spectrum."] = 5000
CLASSES: Annotated[int, "Number of classes."] = 500
BATCH_SIZE: Annotated[int, "Spectra per training step."] = 128

# Measurement
STEPS: Annotated[int, "Steps per measurement, of which the first two are not counted."] = 6
ROUNDS: Annotated[int, "Measurements of each kind."] = 1
WORKER_EPOCHS: Annotated[int, "Epochs of the runs that workers share."] = 10
PRECISION: Annotated[str, "Precision of the one measurement of MEASURE."] = "float32"
MEASURE: Annotated[str | None, "Only this kind, of the one network; prints its numbers."] = None

MATRIX = 4096  # rows and columns of the matrix product


def main(settings):
    if settings.measure:
        print(*KINDS[settings.measure](settings))
        return
    time_steps(settings)
    time_workers(settings)


def time_steps(settings):
    """Print the milliseconds of a step of each network, however it is trained."""
    (peak,) = measure("matrix_product_peak", settings, settings.networks[0])
    print(f"matrix product: {peak / 1e9:.0f} GFLOP/s; milliseconds per step, medians")
    print(
        f"{'':8}{'Keras':>8}{'no oneDNN':>12}{'ours':>8}{'ratios':>14}{'share of peak':>16}"
        f"{'bfloat16':>10}{'ratio':>8}"
    )
    if has_bfloat16() is False:
        print("(this processor has no bfloat16 instructions)")
    with_bfloat16 = SimpleNamespace(**vars(settings) | {"precision": "bfloat16"})
    ratios = []
    for network in settings.networks:
        plain, without, ours, short = [], [], [], []
        for _ in range(settings.rounds):
            plain += measure("with_keras_defaults", settings, network)
            without += measure("with_keras_defaults", settings, network, TF_ENABLE_ONEDNN_OPTS="0")
            ours += measure("as_we_train", settings, network)
            short += measure("as_we_train", with_bfloat16, network)
        plain, without, ours, short = map(median, (plain, without, ours, short))
        (operations,) = measure("operations", settings, network)
        ratios.append((plain / ours, without / ours, ours / short))
        print(
            f"{network:8}{1000 * plain:8.0f}{1000 * without:12.0f}{1000 * ours:8.0f}"
            f"{plain / ours:8.2f}{without / ours:6.2f}{operations / ours / peak:16.0%}"
            f"{1000 * short:10.0f}{ours / short:8.2f}",
            flush=True,
        )
    means = (f"{geometric_mean(column):.2f}" for column in zip(*ratios, strict=True))
    print("geometric means", *means)


def time_workers(settings):
    """Print how many runs an hour one and two workers train, in turn, with a thread for each core.

    The runs are of the first two networks, with two seeds each.
    """
    models = settings.networks[:2]
    print(
        f"runs of {settings.worker_epochs} epochs an hour, {' and '.join(models)}, two seeds each"
    )
    with TemporaryDirectory() as folder:
        write_dataset(folder, settings)
        for workers in 1, 2:
            seconds = []
            for number in range(settings.rounds):
                results = Path(folder, f"results{workers}-{number}")
                flags = ["--dataset", folder, "--results", results, "--models", *models]
                flags += ["--seeds", 0, 1, "--epochs", settings.worker_epochs]
                flags += ["--batch-size", settings.batch_size, "--workers", workers]
                command = [sys.executable, PROJECT / "train_models.py", *flags]
                start = time.perf_counter()
                subprocess.run(list(map(str, command)), check=True, capture_output=True)
                seconds.append(time.perf_counter() - start)
            print(f"{workers} workers: {3600 * 2 * len(models) / median(seconds):.1f}", flush=True)


def measure(kind, settings, network, **environment):
    """Run one measurement in a process of its own; returns its numbers."""
    flags = ["--measure", kind, "--networks", network, "--steps", settings.steps]
    flags += ["--precision", settings.precision]
    flags += ["--datapoints", settings.datapoints, "--classes", settings.classes]
    process = subprocess.run(
        [sys.executable, __file__, *map(str, flags), "--batch-size", str(settings.batch_size)],
        check=True,
        capture_output=True,
        text=True,
        env={"TF_CPP_MIN_LOG_LEVEL": "2"} | os.environ | environment,
    )
    return [float(value) for value in process.stdout.splitlines()[-1].split()]


def random_arrays(spectra, settings):
    rng = np.random.default_rng(0)
    x = rng.random((spectra, settings.datapoints), np.float32)
    return x / x.max(axis=1, keepdims=True), np.arange(spectra) % settings.classes


def write_dataset(folder, settings):
    sizes = ("train", settings.steps * settings.batch_size), ("val", settings.classes)
    for split, spectra in sizes:
        for axis, array in zip("xy", random_arrays(spectra, settings), strict=True):
            np.save(Path(folder, f"{axis}_{split}.npy"), array)


def network_of(settings):
    import model_implementations

    build = getattr(model_implementations, settings.networks[0])
    return build(input_size=settings.datapoints, classes=settings.classes)


def with_keras_defaults(settings):
    """Return the seconds of each step of plain `model.fit`, the first ones left out."""
    import keras

    x, y = random_arrays(settings.steps * settings.batch_size, settings)
    stamps = []
    record = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: stamps.append(time.perf_counter())
    )
    one_hot = keras.utils.to_categorical(y, settings.classes)
    model = network_of(settings)
    model.fit(x, one_hot, batch_size=settings.batch_size, verbose=0, callbacks=[record])
    return np.diff(stamps)[1:]


def as_we_train(settings):
    """Return the seconds of each step of `train_models.fit`, input from files included."""
    import train_models
    from benchmark.dataset_folder import read_dataset
    from benchmark.run_folder import Identity, protocol_of, record_of

    environment = start_tensorflow(precision=settings.precision)
    protocol = protocol_of(parse_flags(train_models, []))._replace(
        epochs=1, batch_size=settings.batch_size, precision=settings.precision
    )
    with TemporaryDirectory() as folder:
        write_dataset(folder, settings)
        dataset = read_dataset(folder)
        identity = Identity(settings.networks[0], 0, protocol, record_of(dataset, {}))
        model = network_of(settings)
        stamps = []
        model.make_train_function()
        step = model.train_function

        def timed(batches):
            result = step(batches)
            stamps.append(time.perf_counter())
            return result

        model.train_function = timed
        model.make_train_function = lambda: timed
        train_models.fit(model, dataset, Path(folder), identity, environment, 1000)
    return np.diff(stamps)[1:]


def operations(settings):
    """Return the operations of a step: forward, for the weights' gradient, and the inputs'."""
    import keras

    multiply_adds = 0
    for layer in network_of(settings).layers:
        if isinstance(layer, keras.layers.Conv1D):
            first = layer.input.shape[2] == 1  # the spectrum itself needs no gradient
            forward = layer.output.shape[1] * math.prod(layer.kernel.shape)
        elif isinstance(layer, keras.layers.Dense):
            first, forward = False, math.prod(layer.kernel.shape)
        else:
            continue
        multiply_adds += forward * (2 if first else 3)
    return [2 * settings.batch_size * multiply_adds]


def matrix_product_peak(settings):
    """Return the most float32 operations per second of a large matrix product."""
    start_tensorflow()
    import tensorflow as tf

    a = tf.random.stateless_normal((MATRIX, MATRIX), (0, 0))
    seconds = []
    for _ in range(8):
        start = time.perf_counter()
        tf.linalg.matmul(a, a).numpy()
        seconds.append(time.perf_counter() - start)
    return [2 * MATRIX**3 / min(seconds)]


KINDS = {f.__name__: f for f in (with_keras_defaults, as_we_train, operations, matrix_product_peak)}


if __name__ == "__main__":
    run_script(sys.modules[__name__], main)
