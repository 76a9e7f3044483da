"""Train networks on a dataset folder, every network and seed under the same protocol.

    python train_models.py
    python train_models.py --dataset datasets/quick --models cnn2 vgg --seeds 0 1
    python train_models.py --task 7          # only one run of the matrix, for job arrays
    python train_models.py --status          # what is finished, running, waiting or failed
    python train_models.py --compare results/a/vgg-seed0 results/b/vgg-seed0

The protocol is that of Schuetzke, Szymanski and Reischl (2022): Adam, the learning rate halved
when the validation loss stops falling, early stopping with the best weights restored. All
operations are deterministic, and for one seed every network sees the same samples in the same
order. Each run leaves in its folder `results/NAME/MODEL-seedN/`

    history.csv            loss, accuracy and learning rate per epoch
    model.keras            the best weights
    SPLIT_predictions.npy  predicted class per spectrum, for val and every test split
    SPLIT_confidences.npy  probability the network gives that class
    run.json               protocol, dataset, environment, epochs, time, misclassifications
    tensorboard/           the history for `tensorboard --logdir results`

A run that was killed goes on from its last checkpoint, to the same bits as if nothing had happened.
Any number of processes may be started with the same command: they share the runs. A finished run
is not trained again; test splits that the dataset folder has gained since are predicted with its
saved weights.
"""

import csv
import ctypes
import fcntl
import gc
import hashlib
import inspect
import io
import json
import math
import os
import platform
import signal
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from contextlib import contextmanager, suppress
from importlib.metadata import version
from importlib.util import find_spec
from itertools import zip_longest
from pathlib import Path
from typing import Annotated

import numpy as np
from tqdm import tqdm

from dataset_config_generator import InputError, replace_file, require, require_folder, run_script
from evaluate import counts_text, read_run
from spectra_from_config import available_cores, name_of, names_of, read_dataset, sha256_of

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
TASK: Annotated[
    int | None,
    "Train only this run, counted from 0: all networks with the first seed, then with the next.",
] = None
STATUS: Annotated[bool, "Print the state of every run, train nothing."] = False
COMPARE: Annotated[
    tuple[str, str] | None, "Say whether two run folders are identical, train nothing."
] = None

# Protocol
BATCH_SIZE: Annotated[int, "Spectra per training step."] = 128
EPOCHS: Annotated[int, "Most epochs of a run."] = 500
LEARNING_RATE: Annotated[float, "Adam's learning rate at the start."] = 3e-4
LR_FACTOR: Annotated[float, "Factor on the learning rate when the validation loss stalls."] = 0.5
LR_PATIENCE: Annotated[int, "Epochs without improvement before the rate is reduced."] = 10
STOP_PATIENCE: Annotated[int, "Epochs without improvement before training stops."] = 25
MIN_DELTA: Annotated[float, "Smallest fall of the validation loss that is an improvement."] = 1e-4

# Machine
CHECKPOINT_MINUTES: Annotated[float, "Minutes of training between two checkpoints."] = 10
THREADS: Annotated[int | None, "Processor threads; by default one per core."] = None
REQUIRE_GPU: Annotated[
    bool, "Refuse to train without a GPU; the environment variable REQUIRE_GPU sets the default."
] = os.environ.get("REQUIRE_GPU", "0") not in ("", "0")

MOST_THREADS = 1024
PLATEAU_COUNTERS = "best", "wait", "cooldown_counter"
STOPPING_COUNTERS = "best", "wait", "best_epoch"
FAILURE = "failed.txt"
CHECKPOINT = "checkpoint.npz"

PROTOCOL = (
    "batch_size",
    "epochs",
    "learning_rate",
    "lr_factor",
    "lr_patience",
    "stop_patience",
    "min_delta",
)


def main(settings):
    if settings.compare:
        return compare(*map(Path, settings.compare))
    protocol = {name: getattr(settings, name) for name in PROTOCOL}
    check_settings(settings)
    results = Path(settings.results or Path("results", name_of(settings.dataset)))
    require_folder("RESULTS", results)
    matrix = {
        results / f"{model}-seed{seed}": (model, seed)
        for seed in settings.seeds
        for model in settings.models
    }
    if settings.status:
        return print_status(matrix)
    if settings.task is not None:
        last = len(matrix) - 1
        require(0 <= settings.task <= last, "TASK", settings.task, f"0 to {last}")
        matrix = dict([list(matrix.items())[settings.task]])
    dataset = read_dataset(settings.dataset)
    hashes = hash_and_check(dataset, settings.dataset)
    wanted = {"protocol": protocol, "dataset": {"sha256": hashes}}
    for folder in matrix:
        finished_run(folder, wanted)  # refuses what does not belong together
    environment = start_tensorflow(settings.threads, settings.require_gpu)
    builders = available_networks()
    for name in settings.models:
        require(name in builders, "MODELS", name, ", ".join(builders))

    def train(folder):
        name, seed = matrix[folder]
        return train_run(
            folder,
            name,
            builders[name],
            seed,
            dataset,
            hashes,
            protocol,
            environment,
            settings.checkpoint_minutes,
        )

    try:
        return share(matrix, train)
    except Terminated as terminated:
        print("stopped after a checkpoint; the same command goes on from it", file=sys.stderr)
        return 128 + terminated.number


def check_settings(settings):
    for name in "batch_size", "epochs", "lr_patience", "stop_patience":
        value = getattr(settings, name)
        require(value >= 1, name.upper(), value, "a whole number from 1 on")
    rate, factor, delta = settings.learning_rate, settings.lr_factor, settings.min_delta
    require(0 < rate < np.inf, "LEARNING_RATE", rate, "a number above 0")
    require(0 < factor < 1, "LR_FACTOR", factor, "a number above 0 and below 1")
    require(0 <= delta < np.inf, "MIN_DELTA", delta, "0 or more")
    for seed in settings.seeds:
        require(0 <= seed < 2**32, "SEEDS", seed, "0 to 4294967295")
    minutes, threads = settings.checkpoint_minutes, settings.threads
    require(minutes >= 0, "CHECKPOINT_MINUTES", minutes, "0 or more")
    valid = threads is None or 1 <= threads <= MOST_THREADS
    require(valid, "THREADS", threads, f"a whole number from 1 to {MOST_THREADS}")


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


def start_tensorflow(threads=None, require_gpu=False):
    """Import TensorFlow with deterministic operations and without its start-up messages.

    Returns the environment that the bits of a result depend on, as run.json records it.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    threads = threads or available_cores()
    load_cusolver()
    with silent_stderr():
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")
        tf.config.experimental.enable_op_determinism()
        # The paper's GPU has no TensorFloat-32, which newer ones would use in place of float32.
        tf.config.experimental.enable_tensor_float_32_execution(False)
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        gpus = tf.config.list_physical_devices("GPU")
        if gpus:
            tf.config.set_visible_devices(gpus[0], "GPU")
            tf.config.experimental.set_memory_growth(gpus[0], True)
        tf.config.list_logical_devices()
    if gpus:
        device = tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
    elif require_gpu:
        raise OSError(
            "REQUIRE_GPU is set, but TensorFlow finds no GPU; check the NVIDIA driver (nvidia-smi "
            "lists the GPU), the CUDA libraries (pip install tensorflow[and-cuda]) and, in a "
            "container, the NVIDIA container toolkit and the option --gpus all"
        )
    else:
        device = processor()
    return {
        "device": device,
        "threads": threads,
        "onednn": True,
        "python": platform.python_version(),
        **{package: version(package) for package in ("numpy", "tensorflow", "keras")},
    }


def load_cusolver():
    """Load the CUDA library that TensorFlow 2.21 does not look for where its wheel puts it.

    Without libcusolver TensorFlow passes over the GPU and says so only in its log.
    """
    package = find_spec("nvidia")
    for folder in package.submodule_search_locations if package else ():
        for library in Path(folder).glob("cusolver/lib/libcusolver.so.*"):
            with suppress(OSError):  # REQUIRE_GPU tells whether TensorFlow does without it
                ctypes.CDLL(str(library))


def processor():
    """Return name and vector instructions of the processor, by which libraries choose code."""
    name = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    extensions = np.show_config(mode="dicts")["SIMD Extensions"]
    return ", ".join(["CPU", name, *extensions.get("found", extensions["baseline"])[-1:]])


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


def share(matrix, train):
    """Call `train(folder)` for each run that no other process trains; returns the exit status.

    Any number of processes may do this at once, on one machine or on several with common files. A
    run is locked while it is trained; the system gives back the lock of a process that died, and
    runs found locked are looked at again after each round.
    """
    status, failed, waiting = 0, [], list(matrix)
    failures = {folder: time_of_failure(folder) for folder in matrix}
    with tqdm(total=len(matrix), desc="runs", unit="run", disable=None) as progress:
        while waiting:
            locked = []
            for folder in waiting:
                with lock(folder) as mine:
                    if not mine:
                        locked.append(folder)
                        continue
                    if time_of_failure(folder) not in (None, failures[folder]):
                        failed.append(folder)  # in another process
                        continue
                    try:
                        run = train(folder)
                    except BrokenPipeError:  # nobody reads what this process prints
                        raise
                    except Exception as error:
                        reason = note_failure(folder, error)
                        progress.write(f"{folder}: failed: {reason}", file=sys.stderr)
                        failed.append(folder)
                        status = max(status, 2 if isinstance(error, InputError) else 1)
                    else:
                        progress.write(summary(folder, run))
                progress.update()
            if len(locked) == len(waiting):
                break
            waiting = locked
    for folder in waiting:
        print(f"{folder}: being trained by {holder(folder)}", file=sys.stderr)
    if failed and len(matrix) > 1:
        print(f"{len(failed)} of {len(matrix)} runs failed; --status says why", file=sys.stderr)
    if len(matrix) == 1 and waiting:  # a task of a job array must not pass for finished
        return 1
    return max(status, 1 if failed else 0)


@contextmanager
def lock(folder):
    """Try to lock a run folder; yields whether that succeeded."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "a+") as file:
        mine = take(file, fcntl.LOCK_EX)
        if mine:
            file.truncate(0)
            file.write(f"{platform.node()}, process {os.getpid()}")
            file.flush()
        try:
            yield mine
        finally:
            if mine:
                file.truncate(0)


def take(file, kind):
    for pause in 0.1, 0:  # `print_status` holds a lock for a moment to see whether it is free
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(pause)
        else:
            return True
    return False


def holder(folder):
    """Return who trains a run, None if nobody does."""
    try:
        with open(folder / ".lock") as file:
            return None if take(file, fcntl.LOCK_SH) else file.read() or "another process"
    except FileNotFoundError:
        return None


def time_of_failure(folder):
    """Return when the run's last failure was noted, None if there is none."""
    path = folder / FAILURE
    return path.stat().st_mtime_ns if path.exists() else None


def note_failure(folder, error):
    """Write reason and traceback into the run folder; returns the reason, one line."""
    reason = str(error).strip().splitlines()[0] if str(error).strip() else "no message"
    if not isinstance(error, InputError):
        reason = f"{type(error).__name__}: {reason}"
    trace = "".join(traceback.format_exception(error))
    with replace_file(folder / FAILURE) as file:
        file.write(f"{reason}\n\n{trace}".encode())
    return reason


def compare(folder_a, folder_b):
    """Print whether two finished runs are identical, and if not where they part; 0 if they are."""
    folders = folder_a, folder_b
    for folder in folders:
        for name in "run.json", "history.csv":
            if not (folder / name).exists():
                raise InputError(f"{folder} holds no finished run ({name} is missing)")
    runs = [flatten(read_run(folder)) for folder in folders]
    differences = []
    histories = [(folder / "history.csv").read_text().splitlines() for folder in folders]
    for epoch, rows in enumerate(zip_longest(*histories)):
        if rows[0] != rows[1]:
            differences.append(f"history: they differ from epoch {epoch} on")
            break
    if runs[0].get("weights_sha256") != runs[1].get("weights_sha256"):
        differences.append("weights: they differ")
    names = {path.name for folder in folders for path in folder.glob("*.npy")}
    for name in sorted(names):
        contents = [(f / name).read_bytes() if (f / name).exists() else None for f in folders]
        if None in contents:
            differences.append(f"{name}: only in {folders[contents[0] is None]}")
        elif contents[0] != contents[1]:
            differences.append(f"{name}: they differ")
    settings = [
        f"{name}: {runs[0].get(name)} and {runs[1].get(name)}"
        for name in sorted(runs[0].keys() | runs[1].keys())
        if name.partition(".")[0] in ("model", "seed", "protocol", "dataset", "environments")
        and runs[0].get(name) != runs[1].get(name)
    ]
    if not differences:
        print(f"{folder_a} and {folder_b} are identical: history, weights and predictions")
    for line in differences:
        print(line)
    for line in settings:
        print(f"recorded setting {line}")
    if differences and not settings:
        print("all recorded settings are the same")
    return 1 if differences else 0


def flatten(value, name=""):
    """Turn nested dicts and lists into one dict, {"a": {"b": 1}} into {"a.b": 1}."""
    if isinstance(value, list):
        value = dict(enumerate(value))
    if not isinstance(value, dict):
        return {name: value}
    nested = (flatten(v, f"{name}.{k}" if name else str(k)) for k, v in value.items())
    return {k: v for part in nested for k, v in part.items()}


def print_status(matrix):
    """Print for each run whether it is finished, running, waiting or failed."""
    counts = {}
    for number, folder in enumerate(matrix):
        state, detail = state_of(folder)
        counts[state] = counts.get(state, 0) + 1
        print(f"{number:4}  {folder.name:16}  {state:9}{'  ' * bool(detail)}{detail}")
    print(", ".join(f"{count} {state}" for state, count in counts.items()))


def state_of(folder):
    """Return the state of a run in one word, and a few words on it."""
    failed = (folder / FAILURE).exists()  # in a finished run, a further test split did
    if (folder / "run.json").exists() and not failed:
        run = read_run(folder)
        return "finished", f"{run['epochs']} epochs in {run['seconds'] / 60:.1f} min"
    epochs = 0
    if (folder / "history.csv").exists():
        epochs = len((folder / "history.csv").read_text().splitlines()) - 1
    done = f"{epochs} epochs done"
    who = holder(folder)
    if who:
        return "running", f"on {who}, {done}"
    if failed:
        return "failed", (folder / FAILURE).read_text().partition("\n")[0]
    return "waiting", done if epochs else ""


def train_run(
    folder,
    name,
    builder,
    seed,
    dataset,
    hashes,
    protocol,
    environment,
    checkpoint_minutes=CHECKPOINT_MINUTES,
):
    """Train one network with one seed, go on from its checkpoint, or take up its finished run.

    name: that of the network in model_implementations, which need not be that of the builder.

    The caller holds the folder's lock. Returns the content of run.json, which is written last: a
    folder that has it is finished.
    """
    import keras

    for pattern in ".*.tmp", ".*.tmp.keras":  # of a process that was killed
        for path in folder.glob(pattern):
            path.unlink()
    (folder / FAILURE).unlink(missing_ok=True)
    identity = {
        "model": name,
        "seed": seed,
        "protocol": protocol,
        "dataset": describe(dataset, hashes),
    }
    run = finished_run(folder, identity)
    if run is None:
        folder.mkdir(parents=True, exist_ok=True)
        release_memory()
        keras.utils.set_random_seed(seed)
        model = build(name, builder, dataset, protocol["learning_rate"])
        fitted = fit(model, dataset, folder, identity, environment, checkpoint_minutes)
        run = {
            **identity,
            "parameters": model.count_params(),
            **fitted,
            "weights_sha256": hash_of_weights(model),
            "misclassified": {},
        }
        model.save(folder / ".model.tmp.keras")
        (folder / ".model.tmp.keras").replace(folder / "model.keras")
        unjudged = [split for split in dataset.splits if split != "train"]
    else:
        unjudged = [
            split
            for split in dataset.splits
            if any(run["dataset"]["sha256"].get(f) != hashes[f] for f in names_of(split))
        ]
        gone = run["misclassified"].keys() - dataset.splits.keys()
        if not unjudged and not gone:
            (folder / CHECKPOINT).unlink(missing_ok=True)
            return run
        if unjudged:
            model = build(name, builder, dataset, protocol["learning_rate"])
            load_weights(model, folder / "model.keras", run.get("weights_sha256"), unjudged)
        run["dataset"] = identity["dataset"]
        for split in gone:
            del run["misclassified"][split]

    for split in unjudged:
        x, y = dataset.splits[split]
        spectra = batches(x, y, dataset.classes, protocol["batch_size"])
        probabilities = model.predict(spectra, verbose=0)
        predictions = probabilities.argmax(axis=1).astype(np.int64)
        run["misclassified"][split] = {
            "spectra": len(y),
            "misclassified": int(np.count_nonzero(predictions != y)),
        }
        with replace_file(folder / f"{split}_predictions.npy") as file:
            np.save(file, predictions)
        with replace_file(folder / f"{split}_confidences.npy") as file:
            np.save(file, probabilities.max(axis=1).astype(np.float32))
    with replace_file(folder / "run.json") as file:
        file.write(json.dumps(run, indent=2).encode() + b"\n")
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return run


def release_memory():
    """Give back the memory of the network trained last.

    Keras' optimisers sum gradients over devices by a function with a gradient of its own, which
    TensorFlow registers for ever, and with it the graph of the whole network. 2.21 has no public
    way to take it back.
    """
    import keras
    from tensorflow.python.framework.ops import gradient_registry

    for name in list(gradient_registry.list()):
        if name.startswith("CustomGradient-"):
            del gradient_registry._registry[name]
    keras.backend.clear_session()
    gc.collect()


def finished_run(folder, wanted):
    """Return run.json of a run, None if it is not finished.

    Raises InputError if it is not the one that is wanted, see `check_same`.
    """
    if not (folder / "run.json").exists():
        return None
    run = read_run(folder)
    check_same(folder, run, wanted)
    return run


def check_same(folder, found, wanted):
    """Raise InputError if a run or checkpoint is of another network, seed, protocol or dataset.

    Both hold what begins run.json; what is wanted may lack network and seed.
    """
    for name in "model", "seed":
        if name in wanted and found[name] != wanted[name]:
            raise InputError(
                f"{folder} holds a run with {name} {found[name]}, not {wanted[name]}; rename or "
                f"delete it"
            )
    for name, value in wanted["protocol"].items():
        if found["protocol"].get(name) != value:
            raise InputError(
                f"{folder} was trained with {name.upper()} {found['protocol'].get(name)}, not "
                f"{value}; choose another RESULTS folder or delete this run"
            )
    for name in (*names_of("train"), *names_of("val")):
        if found["dataset"]["sha256"].get(name) != wanted["dataset"]["sha256"][name]:
            raise InputError(
                f"{folder} was trained on another {name} (SHA-256 differs); choose another RESULTS "
                f"folder or delete this run"
            )


def hash_of_weights(model):
    sha256 = hashlib.sha256()
    for weight in model.get_weights():
        sha256.update(np.ascontiguousarray(weight))
    return sha256.hexdigest()


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


def build(name, builder, dataset, learning_rate):
    import keras

    try:
        model = builder(input_size=dataset.datapoints, classes=dataset.classes, lr=learning_rate)
    except ValueError as error:
        raise InputError(
            f"{name} cannot be built for spectra of {dataset.datapoints} datapoints: "
            f"{str(error).splitlines()[0]}"
        ) from error
    try:
        keras.saving.serialize_keras_object(model)
    except NotImplementedError as error:  # better now than after the training
        raise InputError(f"{name} cannot be saved: {str(error).splitlines()[0]}") from error
    return model


def load_weights(model, path, sha256, splits):
    """Load the saved weights of a finished run, which must be those that run.json records."""
    if not path.exists():
        raise InputError(f"{path} is needed to judge {', '.join(splits)}, but it is missing")
    model.optimizer.build(model.trainable_variables)  # its state is in the file, too
    try:
        with warnings.catch_warnings(action="ignore"):  # of what the hash tells, too
            model.load_weights(path)
        if hash_of_weights(model) != sha256:
            raise ValueError("SHA-256 differs")
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path} does not hold the weights that run.json records "
            f"({' '.join(str(error).split())}); delete this run to train it again"
        ) from error


class Terminated(BaseException):
    """A signal asked the process to end; what a checkpoint keeps is safe."""

    def __init__(self, number):
        super().__init__(number)
        self.number = number


@contextmanager
def signals_noted():
    """Yield a function that raises Terminated if SIGTERM or Ctrl-C has come in the meantime."""
    received = []
    previous = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def note(number, frame):
        received.append(number)
        signal.signal(number, previous[number])  # a second one ends the process at once

    def check():
        if received:
            raise Terminated(received[0])

    for number in previous:
        signal.signal(number, note)
    try:
        yield check
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def fit(model, dataset, folder, identity, environment, checkpoint_minutes):
    """Train a compiled model under the protocol and restore its best weights.

    Takes up the folder's checkpoint if there is one, writes one every `checkpoint_minutes` and when
    a signal asks the process to end, and writes history.csv after each epoch.

    Returns what run.json says of it: epochs, best epoch (from 1 on), seconds and environments.
    """
    import keras

    protocol, seed = identity["protocol"], identity["seed"]
    x, y = dataset.splits["train"]
    steps = math.ceil(len(x) / protocol["batch_size"])
    validation = batches(*dataset.splits["val"], dataset.classes, protocol["batch_size"])
    plateau = keras.callbacks.ReduceLROnPlateau(
        factor=protocol["lr_factor"],
        patience=protocol["lr_patience"],
        min_delta=protocol["min_delta"],
    )
    stopping = keras.callbacks.EarlyStopping(
        patience=protocol["stop_patience"],
        min_delta=protocol["min_delta"],
        restore_best_weights=True,
    )
    board = keras.callbacks.TensorBoard(folder / "tensorboard", write_graph=False)
    callbacks = plateau, stopping, board
    for callback in callbacks:
        callback.set_model(model)
        callback.on_train_begin()
    model.stop_training = False
    # Built by the first training step, the optimiser would leave graphs behind for ever.
    model.optimizer.build(model.trainable_variables)
    model.make_train_function()
    state = {
        "epoch": 0,
        "step": 0,  # within the epoch
        "logs": None,  # training loss and accuracy of the epoch once its last step is done
        "history": {},
        "seconds": 0.0,
        "environments": [environment],
    }
    if (folder / CHECKPOINT).exists():
        model.evaluate(validation.take(1), verbose=0)  # builds the metrics
        state |= load_checkpoint(folder, identity, model, plateau, stopping)
        if environment not in state["environments"]:
            state["environments"].append(environment)
    rows = None

    def remaining_rows():
        return rows

    spectra = batches(x, y, dataset.classes, protocol["batch_size"], remaining_rows)
    began = saved = time.monotonic()
    earlier = state["seconds"]

    def save():
        state["seconds"] = earlier + time.monotonic() - began
        save_checkpoint(folder, identity, state, model, plateau, stopping)

    title = f"{identity['model']} seed {seed}"
    with (
        signals_noted() as check_signals,
        tqdm(desc=title, total=steps, unit="step", leave=False, disable=None) as progress,
    ):
        try:
            while state["epoch"] < protocol["epochs"] and not model.stop_training:
                begin, first_step = time.monotonic(), state["step"]
                progress.reset()
                progress.update(first_step)
                if first_step == 0:
                    model.reset_metrics()
                rows = sample_order(seed, state["epoch"], len(x))
                rows = rows[first_step * protocol["batch_size"] :]
                iterator = iter(spectra)
                for _ in range(first_step, steps):
                    model.train_function(iterator)
                    state["step"] += 1
                    progress.update()
                    check_signals()
                    if time.monotonic() - saved >= 60 * checkpoint_minutes:
                        save()
                        saved = time.monotonic()
                if state["logs"] is None:
                    logs = model.get_metrics_result()
                    state["logs"] = {name: float(value) for name, value in logs.items()}
                interruptible = keras.callbacks.LambdaCallback(
                    on_test_batch_end=lambda batch, logs=None: check_signals()
                )
                judged = model.evaluate(
                    validation, verbose=0, return_dict=True, callbacks=[interruptible]
                )
                logs = state["logs"] | {f"val_{name}": value for name, value in judged.items()}
                for callback in callbacks:
                    callback.on_epoch_end(state["epoch"], logs)
                for name, value in logs.items():
                    state["history"].setdefault(name, []).append(float(value))
                write_history(folder / "history.csv", state["history"])
                seconds = (time.monotonic() - begin) * steps / max(1, steps - first_step)
                epochs_left = min(
                    protocol["stop_patience"] - stopping.wait,
                    protocol["epochs"] - state["epoch"] - 1,
                )
                state |= {"epoch": state["epoch"] + 1, "step": 0, "logs": None}
                text = progress_of(state["epoch"], logs, seconds * epochs_left)
                if progress.disable:
                    print_progress(f"{title}, {text}")
                else:
                    progress.set_postfix_str(text)
            check_signals()
        except (Terminated, BrokenPipeError):
            save()
            raise
    for callback in callbacks:
        callback.on_train_end()  # restores the best weights
    return {
        "epochs": state["epoch"],
        "best_epoch": stopping.best_epoch + 1,
        "seconds": round(earlier + time.monotonic() - began, 3),
        "environments": state["environments"],
    }


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
    if order is None:
        steps = math.ceil(len(x) / batch_size)
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(steps))
    return dataset.prefetch(2)


def save_checkpoint(folder, identity, state, model, plateau, stopping):
    """Write all that the rest of the training depends on into one file, whole or not at all."""
    counters = {
        "plateau": {name: getattr(plateau, name) for name in PLATEAU_COUNTERS},
        "stopping": {name: getattr(stopping, name) for name in STOPPING_COUNTERS},
        "stopped": model.stop_training,
    }
    text = json.dumps({"identity": identity, "state": state, **counters})
    arrays = {f"variable{i}": v.numpy() for i, v in enumerate(changing_variables(model))}
    arrays |= {f"best{i}": weight for i, weight in enumerate(stopping.best_weights or [])}
    with replace_file(folder / CHECKPOINT) as file:
        np.savez(file, text=np.frombuffer(text.encode(), np.uint8), **arrays)


def load_checkpoint(folder, identity, model, plateau, stopping):
    """Restore what `save_checkpoint` wrote; returns the state.

    Raises InputError if the checkpoint is damaged or that of another protocol or dataset.
    """
    path = folder / CHECKPOINT
    try:
        with open(path, "rb") as file, np.load(file) as content:
            arrays = dict(content)
        kept = json.loads(arrays.pop("text").tobytes())
        check_same(folder, kept["identity"], identity)
        variables = changing_variables(model)
        for i, variable in enumerate(variables):
            variable.assign(arrays.pop(f"variable{i}"))
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path} is damaged or that of another network ({error}); delete it to train this run "
            f"from its start"
        ) from None
    stopping.best_weights = [arrays[f"best{i}"] for i in range(len(arrays))] or None
    for callback, counters in (plateau, kept["plateau"]), (stopping, kept["stopping"]):
        for name, value in counters.items():
            setattr(callback, name, value)
    model.stop_training = kept["stopped"]
    return kept["state"]


def changing_variables(model):
    """Return weights, dropout's random state, optimiser state and running metrics."""
    weights, metrics = model.weights, model.metrics_variables
    known = {id(variable) for variable in [*weights, *metrics]}
    random_states = [variable for variable in model.variables if id(variable) not in known]
    return [*weights, *random_states, *model.optimizer.variables, *metrics]


def progress_of(epoch, logs, seconds):
    """Describe an epoch, counted from 1; `seconds` are those until the earliest end of training."""
    loss, accuracy = logs["val_loss"], logs.get("val_accuracy", math.nan)
    left = tqdm.format_interval(seconds)
    return (
        f"epoch {epoch}: loss {logs['loss']:.4g}, val_loss {loss:.4g}, val_accuracy "
        f"{accuracy:.4f}, learning rate {logs['learning_rate']:.3g}, stops in {left} or later"
    )


def print_progress(text):
    try:
        print(text, flush=True)
    except OSError as error:  # a log on a full disk is like a pipe that nobody reads
        raise BrokenPipeError(error.errno, error.strerror, "standard output") from None


def write_history(path, history):
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["epoch", *history])
    table.writerows(zip(range(1, 1 + len(history["loss"])), *history.values(), strict=True))
    with replace_file(path) as file:
        file.write(text.getvalue().encode())


def summary(folder, run):
    counts = counts_text(run["misclassified"])
    return f"{folder}: {run['epochs']} epochs in {run['seconds']:.0f} s; {counts}"


if __name__ == "__main__":
    run_script(sys.modules[__name__], main)
