"""Train networks on a dataset folder, every network and seed under the same protocol.

    python train_models.py
    python train_models.py --dataset datasets/quick --models cnn2 vgg --seeds 0 1

The protocol is that of Schuetzke, Szymanski and Reischl (2022): Adam, the learning rate halved
when the validation loss stops falling, early stopping with the best weights restored. All
operations are deterministic, and for one seed every network sees the same samples in the same
order. Each run leaves in its folder `results/NAME/MODEL-seedN/`

    history.csv            loss, accuracy and learning rate per epoch
    model.keras            the best weights
    SPLIT_predictions.npy  predicted class per spectrum, for val and every test split
    run.json               protocol, dataset, versions, device, epochs, time, misclassifications

A finished run is not trained again; test splits that the dataset folder has gained since are
predicted with its saved weights.
"""

import csv
import gc
import inspect
import io
import json
import math
import os
import platform
import sys
import tempfile
import time
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import numpy as np
from tqdm import tqdm

from dataset_config_generator import InputError, replace_file, require, run_script
from evaluate import read_run
from spectra_from_config import names_of, read_dataset, sha256_of

# Files
DATASET: Annotated[str, "Dataset folder with x_train.npy and so on."] = "datasets/dataset500"
RESULTS: Annotated[
    str | None, "Folder for the run folders; by default results/ and the dataset folder's name."
] = None

# Matrix of runs
MODELS: Annotated[
    tuple[str, ...], "Networks to train, by their names in model_implementations."
] = (
    "cnn2",
    "cnn3",
    "cnn6",
    "vgg",
    "cnn_bn",
    "resnet",
    "inc3",
    "inc6",
)
SEEDS: Annotated[tuple[int, ...], "Seeds; each network is trained once with each."] = (
    0,
    1,
    2,
    3,
    4,
)

# Protocol
BATCH_SIZE: Annotated[int, "Spectra per training step."] = 128
EPOCHS: Annotated[int, "Most epochs of a run."] = 500
LEARNING_RATE: Annotated[float, "Adam's learning rate at the start."] = 3e-4
LR_FACTOR: Annotated[float, "Factor on the learning rate when the validation loss stalls."] = 0.5
LR_PATIENCE: Annotated[int, "Epochs without improvement before the rate is reduced."] = 10
STOP_PATIENCE: Annotated[int, "Epochs without improvement before training stops."] = 25
MIN_DELTA: Annotated[float, "Smallest fall of the validation loss that is an improvement."] = 1e-4


def main(settings):
    protocol = {
        "batch_size": settings.batch_size,
        "epochs": settings.epochs,
        "learning_rate": settings.learning_rate,
        "lr_factor": settings.lr_factor,
        "lr_patience": settings.lr_patience,
        "stop_patience": settings.stop_patience,
        "min_delta": settings.min_delta,
    }
    check_protocol(protocol, settings.seeds)
    dataset = read_dataset(settings.dataset)
    hashes = hash_and_check(dataset, settings.dataset)
    results = Path(settings.results or Path("results", dataset.name))
    start_tensorflow()
    builders = available_networks()
    for name in settings.models:
        require(name in builders, "MODELS", name, ", ".join(builders))
    matrix = [(name, seed) for seed in settings.seeds for name in settings.models]
    with tqdm(matrix, "runs", unit="run", disable=None) as runs:
        for name, seed in runs:
            folder = results / f"{name}-seed{seed}"
            run = train_run(folder, builders[name], seed, dataset, hashes, protocol)
            runs.write(summary(folder, run))


def check_protocol(protocol, seeds):
    for name in "batch_size", "epochs", "lr_patience", "stop_patience":
        require(protocol[name] >= 1, name.upper(), protocol[name], "a whole number from 1 on")
    rate, factor, delta = (protocol[k] for k in ("learning_rate", "lr_factor", "min_delta"))
    require(0 < rate < np.inf, "LEARNING_RATE", rate, "a number above 0")
    require(0 < factor < 1, "LR_FACTOR", factor, "a number above 0 and below 1")
    require(0 <= delta < np.inf, "MIN_DELTA", delta, "0 or more")
    for seed in seeds:
        require(0 <= seed < 2**32, "SEEDS", seed, "0 to 4294967295")


def hash_and_check(dataset, folder):
    """Return the SHA-256 of each array file; refuse files that changed or hold no finite numbers.

    Warns once if spectra are not divided by their maximum.
    """
    hashes = {}
    scaled = True
    for split, (x, _) in dataset.splits.items():
        for name in names_of(split):
            hashes[name] = sha256_of(Path(folder, name))
            recorded = dataset.card["files"].get(name) if dataset.card else None
            if recorded and recorded["sha256"] != hashes[name]:
                raise InputError(
                    f"{folder}/{name} is not the file that dataset.json records (SHA-256 differs); "
                    f"render again, or delete dataset.json if these arrays are your own"
                )
        for first in range(0, len(x), 1000):
            maxima = x[first : first + 1000].max(axis=1)
            if not np.isfinite(x[first : first + 1000]).all():
                raise InputError(
                    f"{folder}/x_{split}.npy holds NaN or infinity in spectra {first} to "
                    f"{first + len(maxima) - 1}, accepted: finite numbers"
                )
            scaled = scaled and np.allclose(maxima, 1, atol=1e-3)
    if not scaled:
        print(
            f"warning: {folder} holds spectra whose maximum is not 1; the protocol expects each "
            f"spectrum divided by its maximum",
            file=sys.stderr,
        )
    return hashes


def start_tensorflow():
    """Import TensorFlow with deterministic operations and without its start-up messages."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with silent_stderr():
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")
        tf.config.experimental.enable_op_determinism()
        tf.config.list_logical_devices()


@contextmanager
def silent_stderr():
    """Hold back what libraries write to file descriptor 2; show it if an exception leaves."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(stderr, held.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def available_networks():
    """Return the functions imported in model_implementations/__init__.py by name."""
    import model_implementations

    return dict(inspect.getmembers(model_implementations, inspect.isfunction))


def sample_order(seed, epoch, spectra):
    """Return the order, int64 (spectra,), in which an epoch (from 0) goes through the samples.

    It depends on nothing else, so networks of the same seed see the same batches at each step.
    """
    sequence = np.random.SeedSequence(seed, spawn_key=(epoch,))
    return np.random.default_rng(sequence).permutation(spectra)


def train_run(folder, builder, seed, dataset, hashes, protocol):
    """Train one network with one seed, or take up its finished run.

    Returns the content of run.json, which is written last: a folder that has it is finished.
    """
    import keras

    run = finished_run(folder, hashes, protocol)
    if run is None:
        keras.backend.clear_session()
        gc.collect()
        keras.utils.set_random_seed(seed)
        model = build(builder, dataset, protocol["learning_rate"])
        start = time.perf_counter()
        history, best_epoch = fit(model, dataset, seed, protocol, f"{builder.__name__} seed {seed}")
        run = {
            "model": builder.__name__,
            "seed": seed,
            "protocol": protocol,
            "dataset": describe(dataset, hashes),
            "parameters": model.count_params(),
            "epochs": len(history["loss"]),
            "best_epoch": best_epoch,
            "seconds": round(time.perf_counter() - start, 3),
            "misclassified": {},
            "device": device(),
            "versions": {
                "python": platform.python_version(),
                **{package: version(package) for package in ("numpy", "tensorflow", "keras")},
            },
        }
        folder.mkdir(parents=True, exist_ok=True)
        write_history(folder / "history.csv", history)
        model.save(folder / ".model.tmp.keras")
        (folder / ".model.tmp.keras").replace(folder / "model.keras")
        unjudged = [split for split in dataset.splits if split != "train"]
    else:
        unjudged = [
            split
            for split in dataset.splits
            if any(run["dataset"]["sha256"].get(f) != hashes[f] for f in names_of(split))
        ]
        if not unjudged:
            return run
        model = keras.models.load_model(folder / "model.keras")
        run["dataset"] = describe(dataset, hashes)

    for split in unjudged:
        x, y = dataset.splits[split]
        spectra = batches(x, y, dataset.classes, protocol["batch_size"])
        predictions = model.predict(spectra, verbose=0).argmax(axis=1).astype(np.int64)
        run["misclassified"][split] = {
            "spectra": len(y),
            "misclassified": int(np.count_nonzero(predictions != y)),
        }
        with replace_file(folder / f"{split}_predictions.npy") as file:
            np.save(file, predictions)
    with replace_file(folder / "run.json") as file:
        file.write(json.dumps(run, indent=2).encode() + b"\n")
    return run


def finished_run(folder, hashes, protocol):
    """Return run.json of a run, None if it is not finished.

    Raises InputError if it was trained on other data or under another protocol.
    """
    if not (folder / "run.json").exists():
        return None
    run = read_run(folder)
    for name, value in protocol.items():
        if run["protocol"].get(name) != value:
            raise InputError(
                f"{folder} was trained with {name.upper()} {run['protocol'].get(name)}, not "
                f"{value}; choose another RESULTS folder or delete this run"
            )
    for name in (*names_of("train"), *names_of("val")):
        if run["dataset"]["sha256"].get(name) != hashes[name]:
            raise InputError(
                f"{folder} was trained on another {name} (SHA-256 differs); choose another RESULTS "
                f"folder or delete this run"
            )
    return run


def describe(dataset, hashes):
    card = dataset.card or {}
    return {
        "name": dataset.name,
        "datapoints": dataset.datapoints,
        "classes": dataset.classes,
        "class_file": card.get("class_file"),
        "parameters": card.get("parameters"),
        "sha256": hashes,
    }


def device():
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
    return f"CPU, {platform.machine()}, {os.cpu_count()} cores"


def build(builder, dataset, learning_rate):
    try:
        return builder(input_size=dataset.datapoints, classes=dataset.classes, lr=learning_rate)
    except ValueError as error:
        raise InputError(
            f"{builder.__name__} cannot be built for spectra of {dataset.datapoints} datapoints: "
            f"{str(error).splitlines()[0]}"
        ) from error


def fit(model, dataset, seed, protocol, title):
    """Train a compiled model under the protocol and restore its best weights.

    Returns the history, a dict of lists with one value per epoch, and the best epoch, from 1 on.
    """
    from keras.callbacks import EarlyStopping, LambdaCallback, ReduceLROnPlateau

    x, y = dataset.splits["train"]
    epoch = 0

    def begin(number, logs=None):
        nonlocal epoch
        epoch = number

    def order():
        return sample_order(seed, epoch, len(x))

    stopping = EarlyStopping(
        patience=protocol["stop_patience"],
        min_delta=protocol["min_delta"],
        restore_best_weights=True,
    )
    progress = tqdm(desc=title, total=protocol["epochs"], unit="epoch", leave=False, disable=None)

    def end(number, logs):
        progress.set_postfix({name: f"{value:.3g}" for name, value in logs.items()})
        progress.update()

    with progress:
        history = model.fit(
            batches(x, y, dataset.classes, protocol["batch_size"], order),
            validation_data=batches(
                *dataset.splits["val"], dataset.classes, protocol["batch_size"]
            ),
            epochs=protocol["epochs"],
            verbose=0,
            shuffle=False,  # batches come in the order of sample_order
            callbacks=[
                LambdaCallback(on_epoch_begin=begin),
                ReduceLROnPlateau(
                    factor=protocol["lr_factor"],
                    patience=protocol["lr_patience"],
                    min_delta=protocol["min_delta"],
                ),
                stopping,
                LambdaCallback(on_epoch_end=end),
            ],
        )
    return history.history, stopping.best_epoch + 1


def batches(x, y, classes, batch_size, order=None):
    """Serve spectra and one-hot labels in batches, in the order that `order()` gives each time.

    x (spectra, datapoints) may be memory-mapped: only the batches at hand are read.
    """
    import tensorflow as tf

    def generate():
        rows = np.arange(len(x)) if order is None else order()
        for first in range(0, len(x), batch_size):
            batch = rows[first : first + batch_size]
            one_hot = np.zeros((len(batch), classes), np.float32)
            one_hot[np.arange(len(batch)), y[batch]] = 1
            yield np.asarray(x[batch], np.float32), one_hot

    signature = (
        tf.TensorSpec((None, x.shape[1]), tf.float32),
        tf.TensorSpec((None, classes), tf.float32),
    )
    dataset = tf.data.Dataset.from_generator(generate, output_signature=signature)
    steps = math.ceil(len(x) / batch_size)
    return dataset.apply(tf.data.experimental.assert_cardinality(steps)).prefetch(2)


def write_history(path, history):
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["epoch", *history])
    table.writerows(zip(range(1, 1 + len(history["loss"])), *history.values(), strict=True))
    with replace_file(path) as file:
        file.write(text.getvalue().encode())


def summary(folder, run):
    judged = ", ".join(
        f"{split} {count['misclassified']} of {count['spectra']}"
        for split, count in run["misclassified"].items()
    )
    return f"{folder}: {run['epochs']} epochs in {run['seconds']:.0f} s; misclassified: {judged}"


if __name__ == "__main__":
    run_script(sys.modules[__name__], main)
