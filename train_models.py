"""Train networks on a dataset folder, every network and seed under the same protocol.

    python train_models.py
    python train_models.py --dataset datasets/quick --batch-size 16 --epochs 25 --seeds 0 1 2
    python train_models.py --task 7          # only one run of the matrix, for job arrays
    python train_models.py --estimate        # how long it may take here
    python train_models.py --status          # what is finished, running, waiting or failed
    python train_models.py --compare results/a/vgg-seed0 results/b/vgg-seed0

The protocol is that of Schuetzke, Szymanski and Reischl (2022): Adam, the learning rate halved
when the validation loss stops falling, early stopping with the best weights restored. All
operations are deterministic, and for one seed every network sees the same spectra in the same
order. Each run leaves in its folder `results/NAME/MODEL-seedN/`

    history.csv            loss, accuracy and learning rate per epoch
    model.keras            the best weights
    SPLIT_predictions.npy  predicted class per spectrum, for val and every test split
    SPLIT_confidences.npy  probability the network gives that class
    run.json               protocol, dataset, environment, epochs, time, misclassifications
    tensorboard/           the history for `tensorboard --logdir results`

A run that was killed goes on from its last checkpoint, to the same bits as if nothing had happened.
`--workers 2` shares the runs among two processes. Any number of processes that are started with the
same command share them, too, on one machine or on several with common files. A finished run is not
trained again. Test splits that the dataset folder has gained since are predicted with its saved
weights.
"""

import math
import sys
import time
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from tqdm import tqdm

from benchmark.checkpoint import Checkpoint, Terminated
from benchmark.command_line import InputError, require, require_folder, run_script, warn
from benchmark.dataset_folder import (
    hash_and_check,
    name_of,
    read_dataset,
    refuse_overwritten,
    results_path,
    warn_of_own_splits,
)
from benchmark.files import remove_abandoned, replace_file, write_array
from benchmark.networks import build, check_names, network_builders, read_network, warn_of_memory
from benchmark.run_comparison import compare
from benchmark.run_folder import (
    CHECKPOINT,
    FAILURE,
    RUN_RECORD,
    TENSORBOARD,
    WEIGHTS,
    Count,
    Run,
    check_protocol,
    confidences_name,
    predictions_name,
    protocol_of,
    read_run,
    record_of,
    write_history,
    write_run,
)
from benchmark.run_identity import (
    changed_splits,
    check_beside_others,
    check_definition,
    finished_run,
    identities_of,
    matrix_of,
    record_and_splits,
    refuse_other_runs,
)
from benchmark.run_sharing import print_status, share, status_of_workers
from benchmark.saved_networks import (
    definition_of,
    hash_of_weights,
    load_weights,
    save_network,
    unfinished,
    warn_of_loading,
)
from benchmark.tensorflow_startup import gpu_required, release_memory, start_tensorflow
from benchmark.training_time import estimate
from benchmark.workers import check_processes, divided, run_workers, tell_epoch

# Files
DATASET: Annotated[str, "Dataset folder with x_train.npy and so on."] = "datasets/dataset500"
RESULTS: Annotated[
    str | None, "Folder for the run folders; by default results/ and the dataset folder's name."
] = None

# Matrix of runs
MODELS: Annotated[
    tuple[str, ...],
    "Networks to train, by their names in model_implementations; cnn2:hidden_activation=relu sets "
    "an argument of the builder.",
] = ("cnn2", "cnn3", "cnn6", "vgg", "cnn_bn", "resnet", "inc3", "inc6")
SEEDS: Annotated[tuple[int, ...], "Seeds; each network is trained with each."] = (0, 1, 2, 3, 4)
TASK: Annotated[
    int | None,
    "Train only this run, counted from 0: all networks with the first seed, then with the next.",
] = None
STATUS: Annotated[bool, "Print the state of every run; train nothing."] = False
ESTIMATE: Annotated[bool, "Time a few steps, say how long training may take; train nothing."] = (
    False
)
COMPARE: Annotated[
    tuple[str, str] | None, "Say whether two run folders are identical; train nothing."
] = None

# Protocol
BATCH_SIZE: Annotated[int, "Spectra per training step."] = 128
EPOCHS: Annotated[int, "Largest number of epochs of a run."] = 500
LEARNING_RATE: Annotated[float, "Adam's learning rate at the start."] = 3e-4
LR_FACTOR: Annotated[
    float, "Factor that reduces the learning rate when the validation loss stalls."
] = 0.5
LR_PATIENCE: Annotated[int, "Epochs without improvement before the rate is reduced."] = 10
STOP_PATIENCE: Annotated[int, "Epochs without improvement before training stops."] = 25
MIN_DELTA: Annotated[float, "Smallest fall of the validation loss that is an improvement."] = 1e-4
PRECISION: Annotated[
    Literal["float32", "bfloat16", "tensorfloat32"],
    "Numbers that networks compute with; tensorfloat32 needs a GPU.",
] = "float32"
PASSES: Annotated[int, "Times that an epoch goes through the training spectra."] = 1

# Machine
CHECKPOINT_MINUTES: Annotated[float, "Minutes of training between two checkpoints."] = 10
WORKERS: Annotated[int, "Processes that share the runs, and the processor's cores."] = 1
THREADS: Annotated[
    int | None, "Processor threads of each process; by default all cores, divided by WORKERS."
] = None
REQUIRE_GPU: Annotated[
    bool | None,
    "Refuse to train without a GPU; by default what the environment variable REQUIRE_GPU says.",
] = None
WORKER: Annotated[int | None, "Which of several processes this is; set by WORKERS."] = None


def main(settings):
    refuse_together(settings)
    if settings.compare:
        return compare(*map(Path, settings.compare))
    check_settings(settings)
    protocol = protocol_of(settings)
    results = Path(settings.results or results_path(name_of(settings.dataset)))
    require_folder("RESULTS", results)
    matrix = matrix_of(
        models=settings.models, seeds=settings.seeds, results=results, task=settings.task
    )
    workers, threads = divided(settings, len(matrix))
    if settings.status:
        record, splits = record_and_splits(settings.dataset)
        identities = identities_of(matrix, protocol, record)
        return print_status(identities, splits, first=settings.task or 0)
    if settings.workers > 1 and not settings.estimate:
        received, statuses = run_workers(sys.modules[__name__], settings, workers, threads)
        return status_of_workers([task.folder for task in matrix], received, statuses)
    return train_matrix(settings, protocol, results, matrix, workers, threads)


def refuse_together(settings):
    """Raise InputError if more than one of the flags that train nothing is given."""
    wanted = settings.status, settings.estimate, settings.compare is not None
    names = [n for n, on in zip(("STATUS", "ESTIMATE", "COMPARE"), wanted, strict=True) if on]
    if len(names) > 1:
        raise InputError(f"{' and '.join(names)} are given, accepted: one of them")


def check_settings(settings):
    check_protocol(protocol_of(settings))
    check_names(settings.models)
    for seed in settings.seeds:
        require(0 <= seed < 2**32, "SEEDS", seed, "0 to 4294967295")
    minutes = settings.checkpoint_minutes
    require(minutes >= 0, "CHECKPOINT_MINUTES", minutes, "0 or more")
    check_processes(settings.workers, settings.threads)


def train_matrix(settings, protocol, results, matrix, workers, threads):
    """Train the runs of a matrix, or estimate how long that takes; returns the exit status.

    matrix: list of Task; workers: processes that share the runs, this among them; threads: of this
    process.
    """
    dataset = read_dataset(settings.dataset)
    require_gpu = gpu_required(settings.require_gpu)
    environment = start_tensorflow(threads, require_gpu, settings.precision)
    builders = network_builders()
    networks = [read_network(name, builders) for name in settings.models]
    networks = {network.name: network for network in networks}
    record = record_of(dataset, hash_and_check(dataset))
    warn_of_own_splits(dataset)
    identities = identities_of(matrix, protocol, record)
    refuse_other_runs(results, identities, protocol, record)
    if settings.estimate:
        folders = [(folder, identity.model) for folder, identity in identities.items()]
        return estimate(networks.values(), dataset, protocol, folders, workers)
    for name, network in networks.items():
        folders = [folder for folder, identity in identities.items() if identity.model == name]
        build_model = partial(build, network, dataset, protocol.learning_rate)
        refuse_changed_network(name, folders, build_model)

    def train(folder):
        identity = identities[folder]
        network = networks[identity.model]
        return complete_run(
            folder=folder,
            identity=identity,
            build_model=partial(build, network, dataset, protocol.learning_rate),
            dataset=dataset,
            environment=environment,
            checkpoint_minutes=settings.checkpoint_minutes,
        )

    try:
        return share(identities, train, alone=settings.worker is None)
    except Terminated as terminated:
        print("stopped after a checkpoint; the same command goes on from it", file=sys.stderr)
        return 128 + terminated.number


def refuse_changed_network(name, folders, build_model):
    """Raise InputError if a network is another one now than in its finished runs.

    folders: of the network's runs; build_model: function that returns the compiled network.
    """
    import keras

    runs = [read_run(folder) for folder in folders if (folder / RUN_RECORD).exists()]
    runs = [run for run in runs if run.model == name and run.definition]
    if any(run.definition["keras"] == keras.__version__ for run in runs):
        release_memory()
        keras.utils.set_random_seed(runs[0].seed)
        definition = definition_of(build_model())
        for run in runs:
            check_definition(run.folder, run, run._replace(definition=definition))


def complete_run(folder, identity, build_model, dataset, environment, checkpoint_minutes):
    """Train one network with one seed, go on from its checkpoint, or take up its finished run.

    build_model: function that returns the compiled network. The caller holds the folder's lock.
    Returns the Run, whose run.json is written last: a folder that has it is finished.
    """
    refuse_overwritten(dataset, identity.dataset.sha256)
    remove_abandoned(folder / CHECKPOINT)
    unfinished(folder / WEIGHTS).unlink(missing_ok=True)
    (folder / FAILURE).unlink(missing_ok=True)
    run = finished_run(folder, identity)
    if run is None:
        run, model = train_run(
            folder=folder,
            identity=identity,
            build_model=build_model,
            dataset=dataset,
            environment=environment,
            checkpoint_minutes=checkpoint_minutes,
        )
        unjudged = [split for split in dataset.splits if split != "train"]
    else:
        unjudged = changed_splits(run, identity.dataset.sha256, dataset.splits)
        if unjudged:
            release_memory()
            model = build_model()
            check_definition(folder, run, identity._replace(definition=definition_of(model)))
            load_weights(model, folder / WEIGHTS, run.weights_sha256, unjudged)
    gone = [split for split in run.misclassified if split not in dataset.splits]
    if gone:
        warn(f"{folder}: {', '.join(gone)} is no longer in {dataset.folder}, so its counts go")
    counts = dict(run.misclassified)
    for split in unjudged:
        counts[split] = judge(model, split, dataset, folder, identity.protocol.batch_size)
    counts = {split: counts[split] for split in dataset.splits if split in counts}
    refuse_overwritten(dataset, identity.dataset.sha256)
    completed = run._replace(dataset=identity.dataset, misclassified=counts)
    if completed != run:
        write_run(completed)
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return completed


def train_run(folder, identity, build_model, dataset, environment, checkpoint_minutes):
    """Train a network and save its best weights.

    Returns the Run, which has judged no split yet, and the model with these weights.
    """
    import keras

    folder.mkdir(parents=True, exist_ok=True)
    release_memory()
    keras.utils.set_random_seed(identity.seed)
    model = build_model()
    identity = identity._replace(definition=definition_of(model))
    check_beside_others(folder, identity)
    warn_of_memory(model, identity.model, identity.protocol.batch_size)
    warn_of_loading(model, identity.model)
    progress, best_epoch = fit(model, dataset, folder, identity, environment, checkpoint_minutes)
    save_network(model, folder / WEIGHTS)
    run = Run(
        folder=folder,
        **identity._asdict(),
        weights=model.count_params(),
        epochs=progress.epoch,
        best_epoch=best_epoch,
        seconds=round(progress.seconds, 3),
        environments=progress.environments,
        weights_sha256=hash_of_weights(model),
        misclassified={},
    )
    return run, model


def judge(model, split, dataset, folder, batch_size):
    """Predict the classes of a split and save them; returns the Count of misclassified spectra."""
    x, y = dataset.splits[split]
    predictions, confidences = np.zeros(len(y), np.int64), np.zeros(len(y), np.float32)
    for first in range(0, len(y), batch_size):
        rows = slice(first, first + batch_size)
        probabilities = model.predict_on_batch(np.asarray(x[rows], np.float32))
        predictions[rows] = probabilities.argmax(axis=1)
        confidences[rows] = probabilities.max(axis=1)
    for name, array in (
        (predictions_name(split), predictions),
        (confidences_name(split), confidences),
    ):
        with replace_file(folder / name) as file:
            write_array(file, array)
    return Count(misclassified=int(np.count_nonzero(predictions != y)), spectra=len(y))


def fit(model, dataset, folder, identity, environment, checkpoint_minutes):
    """Train a compiled model under the protocol and restore its best weights.

    Takes up the folder's checkpoint if there is one, writes one every `checkpoint_minutes` and when
    a signal asks the process to end, and writes history.csv after each epoch. The loop is our own,
    since Keras' fit can neither go on within an epoch nor keep what its callbacks count.

    Returns the Progress at the end and the best epoch, counted from 1.
    """
    protocol, (x, y) = identity.protocol, dataset.splits["train"]
    plateau, stopping, _ = callbacks = callbacks_of(protocol, folder)
    for callback in callbacks:
        callback.set_model(model)
        callback.on_train_begin()
    model.stop_training = False
    # Built by the first training step, the optimiser would leave graphs behind for ever.
    model.optimizer.build(model.trainable_variables)
    model.make_train_function()
    validation = batches(*dataset.splits["val"], dataset.classes, protocol.batch_size)
    model.evaluate(validation.take(1), verbose=0)  # creates the metrics
    checkpoint = Checkpoint(folder, identity, model, plateau, stopping, checkpoint_minutes)
    checkpoint.resume()
    progress = checkpoint.progress
    if environment not in progress.environments:
        progress.environments.append(environment)

    def rows_left():
        order = order_of_spectra(
            seed=identity.seed, epoch=progress.epoch, spectra=len(x), passes=protocol.passes
        )
        return order[progress.step * protocol.batch_size :]

    training = batches(x, y, dataset.classes, protocol.batch_size, rows_left)
    steps = math.ceil(protocol.passes * len(x) / protocol.batch_size)
    title = f"{identity.model} seed {identity.seed}"
    with (
        checkpoint.saved_when_stopped(),
        tqdm(desc=title, total=steps, unit="step", leave=False, disable=None) as bar,
    ):
        while progress.epoch < protocol.epochs and not model.stop_training:
            began = time.monotonic()
            train_steps(model, training, steps, checkpoint, bar)
            losses = progress.training | validate(model, validation, checkpoint)
            end_epoch(callbacks, progress, losses, folder)
            try:
                refuse_overwritten(dataset, identity.dataset.sha256)
            except InputError:
                (folder / CHECKPOINT).unlink(missing_ok=True)  # it saw other spectra
                raise
            seconds = time.monotonic() - began  # of an epoch, or of what was left of it
            left = min(protocol.stop_patience - stopping.wait, protocol.epochs - progress.epoch)
            tell_epoch(bar, title, progress.epoch, losses, seconds_left=seconds * left)
    for callback in callbacks:
        callback.on_train_end()  # restores the best weights
    progress.seconds = checkpoint.seconds()
    return progress, stopping.best_epoch + 1


def callbacks_of(protocol, folder):
    """Return Keras' callbacks for the learning rate, early stopping and TensorBoard."""
    from keras.callbacks import EarlyStopping, ReduceLROnPlateau, TensorBoard

    plateau = ReduceLROnPlateau(
        factor=protocol.lr_factor, patience=protocol.lr_patience, min_delta=protocol.min_delta
    )
    stopping = EarlyStopping(
        patience=protocol.stop_patience, min_delta=protocol.min_delta, restore_best_weights=True
    )
    return plateau, stopping, TensorBoard(folder / TENSORBOARD, write_graph=False)


def train_steps(model, training, steps, checkpoint, bar):
    """Make the steps that an epoch still lacks, and note its loss and accuracy."""
    progress = checkpoint.progress
    bar.reset()
    bar.update(progress.step)
    if progress.step == 0:
        model.reset_metrics()
    iterator = iter(training)
    while progress.step < steps:
        model.train_function(iterator)
        progress.step += 1
        bar.update()
        checkpoint.after_step()
    if progress.training is None:
        metrics = model.get_metrics_result()
        for name, value in metrics.items():
            if np.size(value) != 1:
                raise InputError(
                    f"the metric {name} returns {np.size(value)} numbers, accepted: one, as its "
                    f"mean over the classes"
                )
        progress.training = {name: float(value) for name, value in metrics.items()}


def validate(model, validation, checkpoint):
    """Return loss and accuracy over the validation spectra, as val_loss and val_accuracy."""
    from keras.callbacks import LambdaCallback

    stop = LambdaCallback(on_test_batch_end=lambda batch, logs=None: checkpoint.check_signals())
    judged = model.evaluate(validation, verbose=0, return_dict=True, callbacks=[stop])
    return {f"val_{name}": float(value) for name, value in judged.items()}


def end_epoch(callbacks, progress, losses, folder):
    """Let the callbacks judge an epoch and add it to the history.

    Raises ArithmeticError if its loss is not a number: such weights never recover.
    """
    for callback in callbacks:
        callback.on_epoch_end(progress.epoch, losses)  # adds the learning rate to the losses
    for name, value in losses.items():
        progress.history.setdefault(name, []).append(float(value))
    progress.epoch, progress.step, progress.training = progress.epoch + 1, 0, None
    write_history(folder, progress.history)
    for name in "loss", "val_loss":
        if not math.isfinite(losses[name]):
            raise ArithmeticError(
                f"{name} is {losses[name]} in epoch {progress.epoch}; a smaller LEARNING_RATE may "
                f"help"
            )


def order_of_spectra(seed, epoch, spectra, passes):
    """Return the order in which an epoch (from 0) goes through the training spectra.

    int64 (passes * spectra,): each pass is a new order of all. It depends on nothing else, so
    networks of the same seed see the same batches at each step.
    """
    orders = []
    for number in range(passes * epoch, passes * (epoch + 1)):
        sequence = np.random.SeedSequence(seed, spawn_key=(number,))
        orders.append(np.random.default_rng(sequence).permutation(spectra))
    return np.concatenate(orders)


def batches(x, y, classes, batch_size, rows=None):
    """Serve spectra and one-hot labels in batches.

    x (spectra, datapoints) may be memory-mapped: only the batches at hand are read. rows: function
    that returns the rows to serve and their order, asked anew each time; by default all of them.
    """
    import keras
    import tensorflow as tf

    def generate():
        order = np.arange(len(x)) if rows is None else rows()
        for first in range(0, len(order), batch_size):
            batch = order[first : first + batch_size]
            yield np.asarray(x[batch], np.float32), keras.utils.to_categorical(y[batch], classes)

    signature = (
        tf.TensorSpec((None, x.shape[1]), tf.float32),
        tf.TensorSpec((None, classes), tf.float32),
    )
    dataset = tf.data.Dataset.from_generator(generate, output_signature=signature)
    if rows is None:
        steps = math.ceil(len(x) / batch_size)
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(steps))
    return dataset.prefetch(2)


if __name__ == "__main__":
    run_script(sys.modules[__name__], main)
