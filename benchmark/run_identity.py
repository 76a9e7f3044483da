"""What a run has to be, and what must match between runs: network, seed, protocol and spectra."""

from pathlib import Path
from typing import NamedTuple

from benchmark.command_line import InputError, require
from benchmark.data_card import array_names
from benchmark.dataset_folder import read_dataset, recorded_hashes
from benchmark.networks import canonical_names
from benchmark.run_folder import (
    RUN_RECORD,
    Identity,
    differing_constants,
    folders_with,
    read_run,
    record_of,
    run_name,
)


class Task(NamedTuple):
    """A run of the matrix of networks and seeds, which TASK names by its place."""

    folder: Path  # the run folder
    model: str  # canonical name of the network
    seed: int


def matrix_of(models, seeds, results, task=None):
    """Return a list of Task: all runs, or the one that TASK names.

    models, seeds: as MODELS and SEEDS name them; results: Path of the results folder.
    """
    networks, seeds = dict.fromkeys(canonical_names(models)), dict.fromkeys(seeds)  # each once
    matrix = [
        Task(results / run_name(name, seed), name, seed) for seed in seeds for name in networks
    ]
    if task is None:
        return matrix
    last = len(matrix) - 1
    require(0 <= task <= last, "TASK", task, f"0 to {last}")
    return [matrix[task]]


def identities_of(matrix, protocol, record):
    """Return run folder -> Identity; matrix: list of Task; record: DatasetRecord."""
    return {task.folder: Identity(task.model, task.seed, protocol, record) for task in matrix}


def record_and_splits(folder):
    """Return the DatasetRecord that a dataset folder's card gives, and the splits to judge; quick.

    Without a card the record is None, without a dataset there are no splits.
    """
    try:
        dataset = read_dataset(folder)
    except InputError:
        return None, []
    record = dataset.card and record_of(dataset, recorded_hashes(dataset))
    return record, [split for split in dataset.splits if split != "train"]


def refuse_other_runs(results, identities, protocol, record):
    """Raise InputError if a results folder holds runs of other data or another protocol."""
    for folder, identity in identities.items():
        finished_run(folder, identity)
    for folder in folders_with(results, RUN_RECORD):  # other networks and seeds, too
        if folder not in identities:
            run = read_run(folder)
            check_same(folder, run, Identity(run.model, run.seed, protocol, record))


def finished_run(folder, wanted):
    """Return the Run of a folder, None if it is not finished.

    Raises InputError if it is not the one that is wanted, see `check_same`.
    """
    if not (folder / RUN_RECORD).exists():
        return None
    run = read_run(folder)
    check_same(folder, run, wanted)
    return run


def changed_splits(run, hashes, splits):
    """Return the splits that the run has not judged, or whose files have changed since."""
    return [
        split
        for split in splits
        if any(run.dataset.sha256.get(name) != hashes[name] for name in array_names(split))
    ]


def check_same(folder, found, wanted):
    """Raise InputError if a run or checkpoint is of another network, seed, protocol or dataset.

    found: a Run or Identity; wanted: an Identity, whose dataset may be None: then any will do.
    """
    for name in "model", "seed":
        before, now = getattr(found, name), getattr(wanted, name)
        if before != now:
            raise InputError(
                f"{folder} holds a run with {name} {before}, not {now}; rename or delete it"
            )
    for name, before, now in differing_constants(found.protocol, wanted.protocol):
        raise InputError(
            f"{folder} was trained with {name} {before}, not {now}; choose another RESULTS folder "
            f"or delete this run"
        )
    check_definition(folder, found, wanted)
    if wanted.dataset is None:
        return
    name = array_that_differs(found.dataset.sha256, wanted.dataset.sha256)
    if name:
        raise InputError(
            f"{folder} was trained on another {name} (SHA-256 differs); choose another RESULTS "
            f"folder or delete this run"
        )


def differently_defined(one, other):
    """Tell whether two Runs or Identities are known to be of different definitions of a network.

    Those of different versions of Keras, which may write them otherwise, are not compared.
    """
    one, other = one.definition, other.definition
    known = one is not None and other is not None and one["keras"] == other["keras"]
    return known and one != other


def check_definition(folder, found, wanted):
    """Raise InputError if a network is defined otherwise now than when it was trained.

    found, wanted: a Run or Identity each.
    """
    if differently_defined(found, wanted):
        raise InputError(
            f"{folder} was trained with another definition of {found.model} than "
            f"model_implementations has now; give the changed network a name of its own, or delete "
            f"this run"
        )


def check_beside_others(folder, identity):
    """Raise InputError if another run of the results folder is of a changed network.

    Also if a network with another name has the same definition: it would be trained twice.
    """
    for other in folders_with(folder.parent, RUN_RECORD):
        run = read_run(other)
        if run.model == identity.model:
            check_definition(other, run, identity)
        elif run.definition and run.definition == identity.definition:
            raise InputError(
                f"{identity.model} is the network of {other}, {run.model}, under another name, "
                f"accepted: one of them"
            )


def array_that_differs(hashes, others):
    """Return the first array of training and validation that is another one, None if none is."""
    names = *array_names("train"), *array_names("val")
    return next((name for name in names if hashes.get(name) != others.get(name)), None)
