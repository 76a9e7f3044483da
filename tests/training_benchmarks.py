"""Time a training step of the eight networks, with Keras' defaults and as train_models.py sets it.

    python tests/training_benchmarks.py [NETWORK ...]

Every measurement runs in a process of its own, at full size (5000 datapoints, 500 classes, batches
of 128), in turn: plain `model.fit`; the same without oneDNN, which is TensorFlow's default on
processors without AVX-512 VNNI; and `train_models.fit`. `share of peak` counts two operations per
multiply-add, forward and backward, against the fastest matrix product of the same cores.
"""

import math
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import geometric_mean, median
from tempfile import TemporaryDirectory

import numpy as np

PROJECT = Path(__file__).parent.parent
sys.path.insert(0, str(PROJECT))

from benchmark.tensorflow_startup import start_tensorflow  # noqa: E402

NETWORKS = ("cnn2", "cnn3", "cnn6", "vgg", "cnn_bn", "resnet", "inc3", "inc6")
DATAPOINTS, CLASSES, BATCH = 5000, 500, 128
STEPS = 6  # at least 5, so that 3 differences between them are timed
ROUNDS = 1


def random_arrays(spectra):
    rng = np.random.default_rng(0)
    x = rng.random((spectra, DATAPOINTS), np.float32)
    return x / x.max(axis=1, keepdims=True), np.arange(spectra) % CLASSES


def with_keras_defaults(network):
    """Return the seconds of each step of plain `model.fit`, the first ones left out."""
    import keras

    import model_implementations

    x, y = random_arrays(STEPS * BATCH)
    model = getattr(model_implementations, network)()
    stamps = []
    record = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: stamps.append(time.perf_counter())
    )
    one_hot = keras.utils.to_categorical(y, CLASSES)
    model.fit(x, one_hot, batch_size=BATCH, verbose=0, callbacks=[record])
    return np.diff(stamps)[1:]


def as_we_train(network):
    """Return the seconds of each step of `train_models.fit`, input from files included."""
    import train_models
    from benchmark.command_line import parse_flags
    from benchmark.dataset_folder import read_dataset
    from benchmark.networks import build, network_builders
    from benchmark.run_folder import Identity, Protocol, record_of

    environment = start_tensorflow()
    settings = vars(parse_flags(train_models, []))
    protocol = Protocol(**{name: settings[name] for name in Protocol._fields})._replace(epochs=1)
    with TemporaryDirectory() as folder:
        for split, spectra in ("train", STEPS * BATCH), ("val", CLASSES):
            for axis, array in zip("xy", random_arrays(spectra), strict=True):
                np.save(Path(folder, f"{axis}_{split}.npy"), array)
        dataset = read_dataset(folder)
        identity = Identity(network, 0, protocol, record_of(dataset, {}))
        model = build(network, network_builders()[network], dataset, protocol.learning_rate)
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


def multiply_adds(network):
    """Multiply-adds of a step: forward, for the weights' gradient, and for the inputs'."""
    import keras

    import model_implementations

    model = getattr(model_implementations, network)()
    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv1D):
            first = layer.input.shape[2] == 1  # the spectrum itself needs no gradient
            forward = layer.output.shape[1] * math.prod(layer.kernel.shape)
        elif isinstance(layer, keras.layers.Dense):
            first, forward = False, math.prod(layer.kernel.shape)
        else:
            continue
        total += forward * (2 if first else 3)
    return BATCH * total


def matrix_product_peak(network):
    """Return the most float32 operations per second of a large matrix product."""
    start_tensorflow()
    import tensorflow as tf

    a = tf.random.stateless_normal((4096, 4096), (0, 0))
    seconds = []
    for _ in range(8):
        start = time.perf_counter()
        tf.linalg.matmul(a, a).numpy()
        seconds.append(time.perf_counter() - start)
    return [2 * 4096**3 / min(seconds)]


KINDS = {f.__name__: f for f in (with_keras_defaults, as_we_train, matrix_product_peak)}


def measure(kind, network, **environment):
    process = subprocess.run(
        [sys.executable, __file__, "--one", kind, network],
        check=True,
        capture_output=True,
        text=True,
        env={"TF_CPP_MIN_LOG_LEVEL": "2"} | os.environ | environment,
    )
    return [float(value) for value in process.stdout.splitlines()[-1].split()]


def main():
    if sys.argv[1:2] == ["--one"]:
        _, _, kind, network = sys.argv
        print(*KINDS[kind](network))
        return
    (peak,) = measure("matrix_product_peak", "none")
    print(f"matrix product: {peak / 1e9:.0f} GFLOP/s; milliseconds per step, medians")
    print(f"{'':8}{'Keras':>8}{'no oneDNN':>12}{'ours':>8}{'ratios':>14}{'share of peak':>16}")
    ratios = []
    for network in sys.argv[1:] or NETWORKS:
        seconds = [[], [], []]
        for _ in range(ROUNDS):
            seconds[0] += measure("with_keras_defaults", network)
            seconds[1] += measure("with_keras_defaults", network, TF_ENABLE_ONEDNN_OPTS="0")
            seconds[2] += measure("as_we_train", network)
        plain, without, ours = map(median, seconds)
        ratios.append((plain / ours, without / ours))
        share = 2 * multiply_adds(network) / ours / peak
        print(
            f"{network:8}{1000 * plain:8.0f}{1000 * without:12.0f}{1000 * ours:8.0f}"
            f"{plain / ours:8.2f}{without / ours:6.2f}{share:16.0%}",
            flush=True,
        )
    print(
        "geometric means", *(f"{geometric_mean(ratio):.2f}" for ratio in zip(*ratios, strict=True))
    )


if __name__ == "__main__":
    main()
