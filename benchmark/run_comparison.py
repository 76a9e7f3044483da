"""Comparing two finished runs: whether they are identical, and if not where they part."""

from itertools import zip_longest

from benchmark.command_line import InputError
from benchmark.run_folder import HISTORY, RUN_RECORD, confidences_name, predictions_name, read_run

SETTINGS = "model", "seed", "protocol", "dataset", "environments", "definition"


def compare(folder_a, folder_b):
    """Print whether two finished runs are identical, and if not where they part; 0 if they are."""
    folders = folder_a, folder_b
    runs = [read_run(folder) for folder in folders]
    for folder in folders:
        if not (folder / HISTORY).exists():
            raise InputError(f"{folder} holds no finished run ({HISTORY} is missing)")
    differences = [
        *difference_of_histories(folders),
        *difference_of_records(runs),
        *difference_of_predictions(folders, runs),
    ]
    if not differences:
        print(
            f"{folder_a} and {folder_b} are identical: history, predictions, and weights as "
            f"{RUN_RECORD} records them"
        )
    for line in differences:
        print(line)
    settings = difference_of_settings(runs)
    for line in settings:
        print(f"recorded setting {line}")
    if differences and not settings:
        print("all recorded settings are the same")
    return 1 if differences else 0


def difference_of_histories(folders):
    histories = [(folder / HISTORY).read_bytes().splitlines() for folder in folders]
    for epoch, rows in enumerate(zip_longest(*histories)):
        if rows[0] != rows[1]:
            yield f"history: they differ from epoch {epoch} on"
            return


def difference_of_records(runs):
    if runs[0].weights_sha256 != runs[1].weights_sha256:
        yield "weights: they differ"
    for name in "epochs", "best_epoch", "misclassified":
        if getattr(runs[0], name) != getattr(runs[1], name):
            yield f"{name}: run.json records different ones"


def difference_of_predictions(folders, runs):
    names = {path.name for folder in folders for path in folder.glob("*.npy")}
    splits = {split for run in runs for split in run.misclassified}
    names |= {name(split) for split in splits for name in (predictions_name, confidences_name)}
    for name in sorted(names):
        contents = [(f / name).read_bytes() if (f / name).exists() else None for f in folders]
        if contents == [None, None]:
            yield f"{name}: in neither folder"
        elif None in contents:
            yield f"{name}: only in {folders[contents[0] is None]}"
        elif contents[0] != contents[1]:
            yield f"{name}: they differ"


def difference_of_settings(runs):
    names = [name for name in SETTINGS if all(getattr(run, name) is not None for run in runs)]
    flat = [flatten({name: getattr(run, name) for name in names}) for run in runs]
    return [
        f"{name}: {flat[0].get(name)} and {flat[1].get(name)}"
        for name in sorted(flat[0].keys() | flat[1].keys())
        if flat[0].get(name) != flat[1].get(name)
    ]


def flatten(value, name=""):
    """Turn nested records, dicts and lists into one dict, {"a": {"b": 1}} into {"a.b": 1}."""
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, list):
        value = dict(enumerate(value))
    if not isinstance(value, dict):
        return {name: value}
    nested = (flatten(v, f"{name}.{k}" if name else str(k)) for k, v in value.items())
    return {k: v for part in nested for k, v in part.items()}
