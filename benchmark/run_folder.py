"""The run folder: names of its files, the record run.json and what it may hold."""

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmark.command_line import LARGEST, InputError, require
from benchmark.files import (
    are_names,
    is_number,
    is_whole,
    open_array,
    read_json,
    replace_file,
    write_json,
)
from benchmark.table_formats import as_csv, mean_text

WRITER = "train_models.py"
RUN_RECORD = "run.json"
HISTORY = "history.csv"
WEIGHTS = "model.keras"
CHECKPOINT = "checkpoint.npz"
FAILURE = "failed.txt"
TENSORBOARD = "tensorboard"


def run_name(model, seed):
    """Return the name of a run folder; a colon in it would trouble other systems and Docker."""
    return f"{model.replace(':', '+')}-seed{seed}"


def predictions_name(split):
    return f"{split}_predictions.npy"


def confidences_name(split):
    return f"{split}_confidences.npy"


def folders_with(results, *names):
    """Return the folders in a results folder that hold a file of one of the names, sorted."""
    return sorted({path.parent for name in names for path in results.glob(f"*/{name}")})


class Protocol(NamedTuple):
    """How networks are trained; the fields are constants of train_models.py."""

    batch_size: int
    epochs: int
    learning_rate: float
    lr_factor: float
    lr_patience: int
    stop_patience: int
    min_delta: float
    precision: str = "float32"  # what follows is as here in runs that do not record it
    passes: int = 1


def protocol_of(settings):
    """Return the Protocol that the settings of train_models.py give, a namespace."""
    return Protocol(**{name: getattr(settings, name) for name in Protocol._fields})


def check_protocol(protocol):
    """Raise InputError for a value that is not accepted."""
    for name in "batch_size", "epochs", "lr_patience", "stop_patience", "passes":
        value = getattr(protocol, name)
        accepted = f"a whole number from 1 to {LARGEST}"
        require(1 <= value <= LARGEST, name.upper(), value, accepted)
    rate, factor, delta = protocol.learning_rate, protocol.lr_factor, protocol.min_delta
    require(0 < rate < np.inf, "LEARNING_RATE", rate, "a number above 0")
    require(0 < factor < 1, "LR_FACTOR", factor, "a number above 0 and below 1")
    require(0 <= delta < np.inf, "MIN_DELTA", delta, "0 or more")


def differing_constants(one, other):
    """Return (constant, value in `one`, value in `other`) for all that differ in two Protocols."""
    pairs = zip(Protocol._fields, one, other, strict=True)
    return [(name.upper(), own, theirs) for name, own, theirs in pairs if own != theirs]


class DatasetRecord(NamedTuple):
    """What run.json says of the dataset."""

    name: str
    datapoints: int
    classes: int
    class_file: dict | None  # name and sha256; None for your own arrays
    variation: dict | None  # the fields of a Variation
    sha256: dict  # array file -> hash
    class_names: list | None = None  # in the order of the class indices


class Identity(NamedTuple):
    """What makes a run the one that is wanted."""

    model: str
    seed: int
    protocol: Protocol
    dataset: DatasetRecord
    definition: dict | None = None  # of the network, `networks.definition_of`; None: not known


class Count(NamedTuple):
    """How many spectra of a split were misclassified."""

    misclassified: float  # a whole number, unless answers were tied
    spectra: int
    unanswered: int = 0  # not counted as misclassified
    tied: int = 0  # several answers were equally good, of which each counts for its share


class Run(NamedTuple):
    """A finished run: the content of its run.json, and its folder."""

    folder: Path
    model: str
    seed: int
    protocol: Protocol
    dataset: DatasetRecord
    weights: int  # their number
    epochs: int
    best_epoch: int  # from 1 on
    seconds: float
    environments: list  # of dicts, one for each machine or version that trained a part
    weights_sha256: str  # of the best ones
    misclassified: dict  # split -> Count
    definition: dict | None = None  # of the network; runs of older versions have none


def record_of(dataset, hashes):
    """Return the DatasetRecord of a Dataset; hashes: array file -> SHA-256."""
    card = dataset.card or {}
    return DatasetRecord(
        name=dataset.name,
        datapoints=dataset.datapoints,
        classes=dataset.classes,
        class_file=card.get("class_file"),
        variation=card.get("variation"),
        sha256=hashes,
        class_names=dataset.class_names,
    )


def write_run(run):
    """Write run.json, which makes the folder a finished run."""
    record = run._asdict()
    del record["folder"]
    record["protocol"] = run.protocol._asdict()
    record["dataset"] = {
        name: value
        for name, value in run.dataset._asdict().items()
        if name != "class_names" or value is not None
    }
    record["misclassified"] = counts_record(run.misclassified)
    if run.definition is None:
        del record["definition"]
    write_json(run.folder / RUN_RECORD, record)


def read_run(folder):
    """Read and check run.json of a finished run. Raises InputError naming the field."""
    path = Path(folder, RUN_RECORD)
    try:
        record = read_json(path, WRITER)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{folder} holds no finished run ({RUN_RECORD} is missing)") from None
    for reason in faults_of(record):
        raise InputError(f"{path} is not what {WRITER} writes: {reason}; delete it to train again")
    return Run(
        folder=Path(folder),
        **{name: record.get(name) for name in Run._fields if name != "folder"}
        | {
            "protocol": Protocol(**record["protocol"]),
            "dataset": DatasetRecord(*(record["dataset"].get(f) for f in DatasetRecord._fields)),
            "misclassified": {
                split: Count(**count) for split, count in record["misclassified"].items()
            },
        },
    )


def faults_of(record):
    """Yield what is wrong with the fields of a run.json, the first one first."""
    if not isinstance(record.get("model"), str):
        yield f"model is {record.get('model')!r}"
    if not is_whole(record.get("seed"), 0, 2**32 - 1):
        yield f"seed is {record.get('seed')!r}"
    yield from faults_of_protocol(record.get("protocol"))
    yield from faults_of_dataset(record.get("dataset"))
    for field in "weights", "epochs":
        if not is_whole(record.get(field), 1, 2**63):
            yield f"{field} is {record.get(field)!r}, accepted: 1 or more"
    if not is_whole(record.get("best_epoch"), 1, record.get("epochs", 0)):
        yield f"best_epoch is {record.get('best_epoch')!r}, accepted: 1 to its epochs"
    if not is_number(record.get("seconds"), 1e-9):
        yield f"seconds is {record.get('seconds')!r}, accepted: more than 0"
    environments = record.get("environments")
    if not isinstance(environments, list) or not all(map(is_environment, environments)):
        yield "environments is not a list of objects that hold texts and numbers"
    if not isinstance(record.get("weights_sha256"), str):
        yield f"weights_sha256 is {record.get('weights_sha256')!r}"
    counts = record.get("misclassified")
    if not isinstance(counts, dict) or not counts:
        yield "misclassified is missing"
    else:
        yield from faults_of_counts(counts)
        for split, count in counts.items():
            if len(count) > 2:  # which only methods without a network have
                yield f"misclassified {split} is {count}, accepted: misclassified and spectra"
    definition = record.get("definition")
    if definition is not None and not is_definition(definition):
        yield f"definition is {definition!r}, accepted: keras and sha256"


def is_environment(recorded):
    def is_plain(value):
        return value is None or isinstance(value, int | float) or is_text(value)

    return isinstance(recorded, dict) and all(map(is_plain, recorded.values()))


def is_text(value):
    """Tell whether a value of a JSON file is a text that any file can hold."""
    return isinstance(value, str) and value.isprintable()


def is_definition(recorded):
    same = isinstance(recorded, dict) and recorded.keys() == {"keras", "sha256"}
    return same and all(isinstance(value, str) for value in recorded.values())


def faults_of_protocol(protocol):
    fields, optional = set(Protocol._fields), Protocol._field_defaults.keys()
    if not isinstance(protocol, dict) or not fields - optional <= protocol.keys() <= fields:
        yield f"protocol does not hold {', '.join(Protocol._fields)}"
        return
    for name, value in protocol.items():
        kind = Protocol.__annotations__[name]
        if kind is str:
            valid = is_text(value)
        else:
            valid = is_whole(value, 1) if kind is int else is_number(value, 0)
        if not valid:
            yield f"{name} of its protocol is {value!r}"


def faults_of_dataset(dataset):
    if not isinstance(dataset, dict):
        yield "dataset is missing"
        return
    if not isinstance(dataset.get("name"), str):
        yield f"name of its dataset is {dataset.get('name')!r}"
    for field in "datapoints", "classes":
        if not is_whole(dataset.get(field), 1):
            yield f"{field} of its dataset are {dataset.get(field)!r}, accepted: 1 or more"
    if not isinstance(dataset.get("sha256"), dict):
        yield "sha256 of its dataset is missing"
    for field in "class_file", "variation":
        if not isinstance(dataset.get(field), dict | None):
            yield f"{field} of its dataset is {dataset.get(field)!r}"
    names = dataset.get("class_names")
    if names is not None and not are_names(names, dataset.get("classes")):
        yield "class_names of its dataset is not a list with a text for each class"


def counts_record(misclassified):
    """Return what JSON files hold of split -> Count: the fields that are not as usual."""
    return {
        split: {
            name: value
            for name, value in count._asdict().items()
            if value != Count._field_defaults.get(name)
        }
        for split, count in misclassified.items()
    }


def faults_of_counts(counts):
    for split, recorded in counts.items():
        if not is_count(recorded):
            yield f"misclassified {split} is {recorded}, no count out of spectra"


def is_count(recorded):
    """Tell whether this is what JSON files hold of a Count."""
    if not isinstance(recorded, dict) or not {"misclassified", "spectra"} <= recorded.keys():
        return False
    if not recorded.keys() <= set(Count._fields):
        return False
    count = Count(**recorded)
    if not is_whole(count.spectra, 0, 2**63):
        return False
    if not all(is_number(number, 0, count.spectra) for number in count):
        return False
    return count.tied > 0 or is_whole(count.misclassified, 0, count.spectra)


def counts_text(misclassified):
    """Say in a line how many spectra of each split were misclassified; split -> Count."""
    counts = (f"{split} {count_text(count)}" for split, count in misclassified.items())
    return f"misclassified: {', '.join(counts)}"


def count_text(count):
    text = f"{mean_text(count.misclassified)} of {count.spectra - count.unanswered}"
    return f"{text} answered" if count.unanswered else text


def read_predictions(folder, split, labels, classes, count):
    """Return the predicted classes of a split, integers (spectra,), -1 where there is no answer.

    labels (spectra,): the true classes; count: the Count of run.json or baseline.json, against
    which the predictions are held.
    """
    path = folder / predictions_name(split)
    predictions = open_array(path)
    if predictions.shape != labels.shape or predictions.dtype.kind not in "iu":
        fits = False
    else:
        wrong = np.count_nonzero((predictions != labels) & (predictions >= 0))
        fits = ((predictions >= -1) & (predictions < classes)).all()
        fits &= np.count_nonzero(predictions == -1) == count.unanswered
        fits &= abs(wrong - count.misclassified) <= count.tied
    if not fits:
        raise InputError(
            f"{path} does not hold the {len(labels)} predicted classes, integers from 0 to "
            f"{classes - 1}, {count.misclassified:.10g} of them wrong, that the JSON file "
            f"beside it records"
        )
    return predictions


def write_history(folder, history):
    """Write history.csv; history: column -> a number per epoch."""
    epochs = [
        {"epoch": epoch} | dict(zip(history, numbers, strict=True))
        for epoch, numbers in enumerate(zip(*history.values(), strict=True), 1)
    ]
    with replace_file(folder / HISTORY) as file:
        file.write(as_csv(["epoch", *history], epochs).encode())


def read_history(folder):
    """Read history.csv of a run folder; returns column -> array (epochs,)."""
    path = folder / HISTORY
    try:
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; without it there is no learning curve") from None
    except (UnicodeDecodeError, csv.Error):
        raise InputError(f"{path} is not the text that {WRITER} writes") from None
    if not rows:
        raise InputError(f"{path} holds no epoch")
    history = {}
    for column in "epoch", "loss", "val_loss", "learning_rate":
        try:
            history[column] = np.array([float(row[column]) for row in rows])
        except (KeyError, ValueError, TypeError):
            raise InputError(f"{path} lacks numbers in column {column!r}") from None
    return history
