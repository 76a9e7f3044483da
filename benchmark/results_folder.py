"""A results folder: the finished runs and methods in it, and those that come with the project."""

import sys
from pathlib import Path

from benchmark.baseline_folder import BASELINE_RECORD
from benchmark.command_line import InputError
from benchmark.published_results import PUBLISHED
from benchmark.run_folder import (
    CHECKPOINT,
    FAILURE,
    HISTORY,
    RUN_RECORD,
    folders_with,
    predictions_name,
    read_run,
)
from benchmark.run_identity import array_that_differs, differently_defined
from benchmark.run_sharing import LOCK
from benchmark.table_formats import one_line

SHIPPED_MARK = " (shipped)"  # ends the names of networks that come with the project, not the user's


def read_results(folder):
    """Read all finished runs below a results folder, ordered by network and seed.

    Returns a list of Run. Raises InputError if there is none, or if runs differ in dataset or
    protocol: their numbers do not belong into one table. Names the runs and methods that are not
    finished.
    """
    if not folder.is_dir():
        fault = "is a file" if folder.exists() else "does not exist"
        raise InputError(f"results folder {folder} {fault}; train_models.py writes one")
    folders = folders_with(folder, RUN_RECORD)
    if not folders:
        raise InputError(f"{folder} holds no finished run (MODEL-seedN/{RUN_RECORD})")
    finished = {*folders, *folders_with(folder, BASELINE_RECORD)}
    begun = folders_with(folder, HISTORY, FAILURE, CHECKPOINT, LOCK, predictions_name("*"))
    unfinished = [one_line(path.name) for path in begun if path not in finished]
    if unfinished:
        print(f"left out, as they are not finished: {', '.join(unfinished)}", file=sys.stderr)
    runs = [read_run(path) for path in folders]
    for run in runs:
        check_comparable(run, runs[0])
    check_seeds(runs)
    return sorted(runs, key=rank)


def add_shipped(runs, folders):
    """Add the runs of other results folders to one's own, as networks of their own.

    runs: list of Run; folders: the results folders that come with the project, of which those of
    the same training and validation spectra are taken. Returns a list of Run, ordered by network
    and seed, a network of one's own before the shipped one. Says which cannot be compared.
    """
    added = []
    known = {run.folder.resolve() for run in runs}
    for folder in map(Path, folders):
        shipped = [read_run(path) for path in folders_with(folder, RUN_RECORD)]
        shipped = [run for run in shipped if same_dataset(run, runs[0])]
        shipped = [run for run in shipped if run.folder.resolve() not in known]
        known |= {run.folder.resolve() for run in shipped}
        try:
            for run in shipped:
                check_comparable(run, runs[0])
        except InputError as error:
            print(f"{folder} is not shown beside these runs: {error}", file=sys.stderr)
            continue
        added += [run._replace(model=f"{run.model}{SHIPPED_MARK}") for run in shipped]
    check_seeds(added)
    return sorted([*runs, *added], key=rank)


def by_network(runs):
    """Return network -> its runs, in the order in which they come."""
    networks = {}
    for run in runs:
        networks.setdefault(run.model, []).append(run)
    return networks


def same_dataset(run, other):
    """Tell whether two runs learned from the same spectra."""
    return array_that_differs(run.dataset.sha256, other.dataset.sha256) is None


def rank(run):
    """Return what runs are sorted by: the order of the paper, further networks behind it."""
    order = list(PUBLISHED["paper"].networks)
    model = run.model.removesuffix(SHIPPED_MARK)
    name = model.partition(":")[0]
    place = order.index(name) if name in order else len(order)
    return place, model, run.model != model, run.seed


def check_comparable(run, other):
    """Raise InputError if two runs differ in protocol, dataset or splits, or one has no spectra."""
    paths = f"{run.folder} and {other.folder}"
    if run.protocol != other.protocol:
        raise InputError(f"{paths} were trained under different protocols")
    hashes, other_hashes = run.dataset.sha256, other.dataset.sha256
    for name in sorted(hashes.keys() | other_hashes.keys()):
        if hashes.get(name) == other_hashes.get(name):
            continue
        without, with_it = (run, other) if name not in hashes else (other, run)
        if name not in without.dataset.sha256 and name[2:].startswith("test"):
            raise InputError(
                f"{without.folder} has not judged {name[2:].removesuffix('.npy')}, as "
                f"{with_it.folder} has; run train_models.py again for all networks and seeds"
            )
        raise InputError(f"{paths} differ in the dataset file {name}")
    names = [one.dataset.class_names for one in (run, other) if one.dataset.class_names]
    if len(names) == 2 and names[0] != names[1]:
        raise InputError(f"{paths} have different names of classes; run train_models.py again")
    if run.misclassified.keys() != other.misclassified.keys():
        raise InputError(f"{paths} were judged on different splits")
    for split, count in run.misclassified.items():
        expected = other.misclassified[split].spectra
        if count.spectra != expected:
            raise InputError(
                f"{paths} were judged on {count.spectra} and {expected} spectra of {split}"
            )
        if count.spectra == 0:
            raise InputError(
                f"{run.folder} was judged on 0 spectra of {split}, accepted: 1 or more"
            )


def check_seeds(runs):
    """Raise InputError if what counts as the seeds of one network is not that.

    Copies of a run would pass for seeds that all agree, and one network under two names for two.
    """
    seeds, weights, definitions, networks = {}, {}, {}, {}
    for run in runs:
        twin = seeds.setdefault((run.model, run.seed), run)
        if twin is not run:
            raise InputError(
                f"{twin.folder} and {run.folder} both hold {run.model} with seed {run.seed}, "
                f"accepted: one of them"
            )
        copy = weights.setdefault(run.weights_sha256, run)
        if copy is not run:
            raise InputError(
                f"{copy.folder} and {run.folder} have the same weights, so one is a copy or of the "
                f"same network under another name; accepted: one of them"
            )
        same = definitions.setdefault(str(run.definition), run) if run.definition else run
        if same.model != run.model:
            raise InputError(
                f"{same.folder} and {run.folder}: {same.model} and {run.model} are one network "
                f"under two names, accepted: one of them"
            )
        other = networks.setdefault(run.model, run)
        if differently_defined(run, other):
            raise InputError(
                f"{other.folder} and {run.folder} are of different definitions of {run.model}, "
                f"accepted: a name of its own for each"
            )
        if other.weights != run.weights:
            raise InputError(
                f"{other.folder} and {run.folder} are not the same network: they have "
                f"{other.weights} and {run.weights} weights"
            )
