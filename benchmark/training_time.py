"""How long the training of networks may take on this machine, from a few steps of each."""

import math
import time
from pathlib import Path

import numpy as np

from benchmark.networks import build
from benchmark.run_folder import RUN_RECORD
from benchmark.tensorflow_startup import release_memory

STEPS = 2  # timed per network, after a first one that builds the graph
FORWARD = 1 / 3  # of a training step's work is the way forward, which is all that validation does
EPOCHS = 30, 120  # that runs of the paper's dataset took before they stopped


def estimate(networks, dataset, protocol, folders, workers):
    """Print what training will do and about how long it takes.

    networks: list of Network; dataset: Dataset; folders: (run folder, model) of all runs; workers:
    processes that share them. Steps are timed with random spectra and the threads of this process.
    """
    spectra, validation = (len(dataset.splits[split][0]) for split in ("train", "val"))
    left = [model for folder, model in folders if not Path(folder, RUN_RECORD).exists()]
    steps = math.ceil(protocol.passes * spectra / protocol.batch_size)
    print(
        f"{len(left)} of {len(folders)} runs are to be trained: {spectra} spectra of "
        f"{dataset.datapoints} datapoints, {steps} steps an epoch, at most {protocol.epochs} epochs"
    )
    steps += FORWARD * math.ceil(validation / protocol.batch_size)
    seconds_of_an_epoch = 0
    for network in networks:
        runs = left.count(network.name)
        if runs:
            seconds = seconds_of_step(network, dataset, protocol)
            seconds_of_an_epoch += runs * steps * seconds
            text = f"{1000 * seconds:.0f} ms a step, {duration(steps * seconds)} an epoch"
            print(f"{network.name}: {text}; runs: {runs}", flush=True)
    if left:
        at_once = min(workers, len(left))
        durations = [
            f"{duration(seconds_of_an_epoch * epochs / at_once)} if a run takes {epochs} epochs"
            for epochs in sorted({min(epochs, protocol.epochs) for epochs in EPOCHS})
        ]
        print(f"in all about {', '.join(durations)} (WORKERS {at_once})")


def seconds_of_step(network, dataset, protocol):
    """Return the seconds of the fastest of a few training steps with random spectra."""
    import keras

    rng = np.random.default_rng(0)
    size = min(protocol.batch_size, protocol.passes * len(dataset.splits["train"][0]))
    spectra = rng.random((size, dataset.datapoints), np.float32)
    labels = rng.integers(dataset.classes, size=size)
    one_hot = keras.utils.to_categorical(labels, dataset.classes)
    release_memory()
    model = build(network, dataset, protocol.learning_rate)
    seconds = []
    for _ in range(1 + STEPS):
        began = time.perf_counter()
        model.train_on_batch(spectra, one_hot)
        seconds.append(time.perf_counter() - began)
    return min(seconds[1:])


def duration(seconds):
    """Return a duration in the unit that suits it, such as "2.5 hours"."""
    for unit, length in ("days", 86400), ("hours", 3600), ("minutes", 60):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} seconds"
