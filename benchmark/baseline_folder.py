"""The folder of a method without training: its predictions and its record baseline.json."""

from pathlib import Path
from typing import NamedTuple

from benchmark.command_line import InputError
from benchmark.data_card import array_names
from benchmark.files import is_number, read_json, replace_file, write_array, write_json
from benchmark.run_folder import (
    Count,
    counts_record,
    faults_of_counts,
    folders_with,
    predictions_name,
)

WRITER = "baselines.py"
BASELINE_RECORD = "baseline.json"

# Methods
COMPARE = "cosine", "smoothed_cosine", "cross_correlation", "search_match"  # with ideal patterns
NEED_CLASS_FILE = *COMPARE, "ideal_observer"
LEARN = "nearest_spectrum", "minirocket"
KNOWN = *LEARN, *NEED_CLASS_FILE


class Baseline(NamedTuple):
    """What a method did: the content of its baseline.json, and its folder."""

    folder: Path
    method: str
    seconds: float
    misclassified: dict  # split -> Count
    dataset: dict  # name, and sha256: array file -> hash
    settings: dict


USES = {  # method -> the settings of baselines.py that its answers depend on
    "smoothed_cosine": ("smoothing",),
    "cross_correlation": ("max_lag",),
    "search_match": ("detection_height",),
    "minirocket": ("minirocket_features",),
}


def write_baseline(baseline, predictions):
    """Write predictions, split -> int64 (spectra,), then baseline.json: all is there if it is.

    An earlier record goes first, as it counts other predictions.
    """
    (baseline.folder / BASELINE_RECORD).unlink(missing_ok=True)
    for split, classes in predictions.items():
        with replace_file(baseline.folder / predictions_name(split)) as file:
            write_array(file, classes)
    record = baseline._asdict()
    del record["folder"]
    record["misclassified"] = counts_record(baseline.misclassified)
    write_json(baseline.folder / BASELINE_RECORD, record)


def settings_told(baseline):
    """Return "NAME number" for each recorded setting that the method's answers depend on."""
    used = [name for name in USES.get(baseline.method, ()) if name in baseline.settings]
    return [f"{name.upper()} {baseline.settings[name]:g}" for name in used]


def read_baselines(results, run):
    """Read what baselines.py left below a results folder, ordered by name.

    Returns a list of Baseline. Raises InputError if one was judged on other data than `run`, a Run.
    """
    return [
        read_baseline(folder, run.dataset.sha256, run.misclassified)
        for folder in folders_with(results, BASELINE_RECORD)
    ]


def read_baseline(folder, networks_saw, splits):
    """Read the record of a method. Raises InputError if it was judged on other data.

    networks_saw: array file -> SHA-256, of what the networks learned from and were judged on;
    splits: those that the method has to have judged.
    """
    path = folder / BASELINE_RECORD
    record = read_json(path, WRITER)
    for reason in faults_of(record, folder.name):
        raise InputError(f"{path} is not what {WRITER} writes: {reason}; run it again")
    hashes = record["dataset"]["sha256"]
    for split in splits:
        if split not in record["misclassified"]:
            raise InputError(f"{path} has not judged {split}; run {WRITER} again")
    for split in "train", *splits:
        what = "learned from" if split == "train" else "was judged on"
        for name in array_names(split):
            if hashes.get(name) != networks_saw.get(name):
                raise InputError(
                    f"{path} {what} another {name} than the networks; run {WRITER} again"
                )
    return Baseline(
        folder=folder,
        method=folder.name,
        seconds=record["seconds"],
        misclassified={split: Count(**c) for split, c in record["misclassified"].items()},
        dataset=record["dataset"],
        settings=record.get("settings", {}),
    )


def faults_of(record, method):
    if record.get("method") != method:
        yield f"method is {record.get('method')!r}, not {method}, the name of its folder"
    if not is_number(record.get("seconds"), 0):
        yield f"seconds is {record.get('seconds')!r}"
    settings = record.get("settings", {})
    if not isinstance(settings, dict) or not all(is_number(n, 0) for n in settings.values()):
        yield f"settings is {settings!r}"
    dataset = record.get("dataset")
    if not isinstance(dataset, dict) or not isinstance(dataset.get("sha256"), dict):
        yield "sha256 of its dataset is missing"
    counts = record.get("misclassified")
    if not isinstance(counts, dict):
        yield "misclassified is missing"
    else:
        yield from faults_of_counts(counts)
