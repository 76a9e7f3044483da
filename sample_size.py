"""Find out how many training spectra per class are enough, for one class file or several.

    python sample_size.py --config dataset_configs/quick.json --max-shift 2 --test-shift 1
    python sample_size.py --config dataset_configs/few.json dataset_configs/many.json --workers 2
    python sample_size.py --status
    python sample_size.py --task 7          # only one run, for job arrays

For each class file and each number in N_TRAIN, spectra are rendered into `datasets/NAME-nN/`, and
every network is trained on them with every seed, in the folders
`results/sample_size/own/NAME-nN/MODEL-seedN/`. A class keeps its spectra when more are rendered, so
each training set holds all smaller ones, and validation and test spectra are the same for all.
Flags of spectra_from_config.py and of train_models.py that say how to render and to train are
accepted and passed on. Without them spectra vary as the paper's do, not as those in
`datasets/NAME/`; a warning names what differs. baselines.py lets methods that learn without a
network join. Then stand in `results/sample_size/own/`

    table.md, table.csv    misclassified spectra for each class file, network and number of spectra;
                           table.md also says how spectra vary
    curves.csv             for each network and split the fit error = a n^(-b) + c, and the n that
                           reaches an accuracy of TARGET
    figures/               sample_size.png and .pdf: error of SPLIT against spectra per class

Whatever was killed goes on with the same command, to the same bits, as runs of train_models.py do;
`--workers`, several processes at once and `--task` share the runs as there. Whoever runs single
tasks calls the script without `--task` at last: it trains what is left and writes the tables.

**Steps, not epochs.** Early stopping and the learning rate wait for a number of epochs without
improvement. Trained as usual, a network would have 2 steps in an epoch of 2 spectra of 100 classes,
157 in one of 200, and be stopped after 50 steps in one case, 3925 in the other: too few to train
anything, so the curve would show the patience and not the spectra. Therefore an epoch has the same
number of steps whatever the size of the training set: it goes through a small set several times
(PASSES of train_models.py: the largest of N_TRAIN divided by n, to the nearest whole number, each
pass in a new order). So it is for numbers that divide the largest, as those of N_TRAIN do; others
have up to a third more steps or fewer, such as 150 beside 200. Patience, the most epochs, the steps
between two validations and the size of the batches then mean the same for all, and only the number
of different spectra differs. Waiting more epochs instead would give the same patience, but a
validation after every few steps, which takes longer than the training and lets small sets choose
their best epoch among more of them.
So the largest of N_TRAIN is part of the protocol: smaller numbers may be added to a study later,
named beside the others, a larger one needs another RESULTS folder.
"""

import sys
from pathlib import Path
from typing import Annotated, NamedTuple

import baselines
import spectra_from_config
import train_models
from benchmark.baseline_folder import BASELINE_RECORD, LEARN, read_baseline
from benchmark.class_file import ClassFile, read_class_file
from benchmark.command_line import (
    LARGEST,
    InputError,
    Settings,
    parse_flags,
    require,
    require_folder,
    run_script,
    warn,
)
from benchmark.data_card import array_names
from benchmark.dataset_folder import read_dataset, recorded_hashes
from benchmark.earlier_dataset import rendered_from, warn_of_other_variation
from benchmark.figure_style import save
from benchmark.files import one_writer, replace_file
from benchmark.machine import available_cores
from benchmark.run_folder import (
    RUN_RECORD,
    Identity,
    Protocol,
    folders_with,
    protocol_of,
    record_of,
)
from benchmark.run_identity import changed_splits, finished_run, matrix_of
from benchmark.run_sharing import holder, run_lock, state_of, status_of_workers
from benchmark.sample_size_figure import draw
from benchmark.sample_sizes import curves_csv, curves_of, origin_text, points_of, report, table_csv
from benchmark.variation import Variation, check_variation, variation_of, with_wide_test
from benchmark.workers import MOST_WORKERS, divided, run_workers

# Files
CONFIG: Annotated[tuple[str, ...], "Class files to render, of different names."] = (
    "dataset_configs/dataset500.json",
)
DATASETS: Annotated[str, "Folder for the dataset folders NAME-nN."] = "datasets"
RESULTS: Annotated[str, "Folder for the results folders NAME-nN, table and figure."] = (
    "results/sample_size/own"
)

# Study
N_TRAIN: Annotated[tuple[int, ...], "Training spectra per class."] = (2, 5, 10, 20, 50, 100, 200)
MODELS: Annotated[tuple[str, ...], "Networks to train."] = ("cnn2", "cnn6", "vgg", "cnn_bn")
SEEDS: Annotated[tuple[int, ...], "Seeds; each network is trained with each."] = (0, 1, 2)
METHODS: Annotated[
    tuple[str, ...], "Methods of baselines.py that learn from the training spectra, or none."
] = ("minirocket",)
SPLIT: Annotated[str, "Split whose errors the figure and the report show."] = "test"
TARGET: Annotated[float, "Accuracy to reach; the report says with how many spectra."] = 0.99

# Runs
TASK: Annotated[
    int | None,
    "Train only this run, counted from 0: per class file and number of spectra all networks with "
    "the first seed, then with the next, then the methods.",
] = None
STATUS: Annotated[bool, "Print the state of every run, train nothing."] = False
WORKERS: Annotated[int, "Processes that share the runs, and the processor's cores."] = 1
WORKER: Annotated[int | None, "Which of several processes this is; set by WORKERS."] = None

# Flags of other scripts that are passed on to them
VARIED = [name for name in Variation._fields if name not in ("n_train", "artefacts")]
NUMBERS = "n_train", "n_val", "seed", "wide_test"  # how many and which spectra, not how they vary
TRAINING = {*Protocol._fields, "checkpoint_minutes", "threads", "require_gpu"} - {"passes"}
PASSED_ON = {
    spectra_from_config: {name.upper() for name in VARIED},
    train_models: {name.upper() for name in TRAINING},
}


class TrainingSet(NamedTuple):
    """One class file with one number of training spectra per class."""

    config: Path
    class_file: ClassFile
    variation: Variation
    protocol: Protocol
    dataset: Path
    results: Path


def main(settings):
    check_settings(settings)
    sets = training_sets(settings)
    folders = [task.folder for chosen in sets for task in networks_of(settings, chosen)]
    if settings.worker is None:
        warn_of_datasets(settings, sets)
    if settings.status:
        return print_states(settings, sets)
    if settings.task is not None:
        return run_task(settings, sets)
    if settings.worker is None:
        render_missing(sets, settings)
        check_split(settings.split, sets)
    if settings.workers > 1:
        script = sys.modules[__name__]
        received, statuses = run_workers(script, settings, *divided(settings, len(folders)))
        status = status_of_workers(folders, received, statuses)
    else:
        status = run_all(settings, sets)
    if settings.worker is None and status < 128:
        write_tables(settings, sets)
    return status


def check_settings(settings):
    names = [Path(config).stem for config in settings.config]
    accepted = "class files of different names"
    require(len(set(names)) == len(names), "CONFIG", " ".join(settings.config), accepted)
    for number in settings.n_train:
        accepted = f"whole numbers from 1 to {LARGEST}"
        require(1 <= number <= LARGEST, "N_TRAIN", number, accepted)
    numbers = " ".join(map(str, settings.n_train))
    require(len(set(settings.n_train)) == len(settings.n_train), "N_TRAIN", numbers, "each once")
    for name in "models", "seeds", "methods":
        given = getattr(settings, name)
        shown = " ".join(map(str, given))
        require(len(set(given)) == len(given), name.upper(), shown, "each once")
    for name in methods_of(settings):
        accepted = f"{', '.join(LEARN)}, or none and nothing else"
        require(name in LEARN, "METHODS", name, accepted)
    require(0 < settings.target < 1, "TARGET", settings.target, "a number above 0 and below 1")
    require_folder("DATASETS", settings.datasets)
    require_folder("RESULTS", settings.results)
    train_models.check_settings(training_settings(settings, passes=1, workers=settings.workers))


def check_split(split, sets):
    for chosen in sets:  # class files with test variants have no test_wide
        splits = judged_splits(read_dataset(chosen.dataset))
        accepted = f"{', '.join(splits)} (the splits of {chosen.dataset})"
        require(split in splits, "SPLIT", split, accepted)


def judged_splits(dataset):
    """Return the names of the rendered splits but train.

    A further test split that somebody puts there is judged by train_models.py, not here.
    """
    recorded = recorded_hashes(dataset)
    rendered = [name for name in dataset.splits if array_names(name)[0] in recorded]
    return [name for name in rendered if name != "train"]


def methods_of(settings):
    return () if settings.methods == ("none",) else settings.methods


def training_sets(settings):
    """Return a TrainingSet for each class file and number of spectra, in ascending order."""
    largest = max(settings.n_train)
    limits = {name: getattr(settings, name) for name in VARIED}
    sets = []
    for config in map(Path, settings.config):
        class_file = read_class_file(config)
        for number in sorted(settings.n_train):
            variation = with_wide_test(Variation(n_train=number, **limits), class_file)
            check_variation(class_file, config, variation)
            wanted = training_settings(settings, passes=passes_of(number, largest))
            name = f"{config.stem}-n{number}"
            chosen = TrainingSet(
                config=config,
                class_file=class_file,
                variation=variation,
                protocol=protocol_of(wanted),
                dataset=Path(settings.datasets, name),
                results=Path(settings.results, name),
            )
            sets.append(chosen)
    return sets


def warn_of_datasets(settings, sets):
    """Warn of datasets of the same class files whose spectra vary otherwise than the study's."""
    for chosen in {chosen.config: chosen for chosen in sets}.values():
        folder = Path(settings.datasets, chosen.config.stem)
        _, rendered = rendered_from(folder, chosen.class_file)
        if rendered:
            how_many = {name: getattr(rendered, name) for name in NUMBERS}
            warn_of_other_variation(folder, rendered, chosen.variation._replace(**how_many))


def passes_of(number, largest):
    """Return how often an epoch goes through a training set, see the top of this file."""
    return max(1, round(largest / number))


def training_settings(settings, **changes):
    """Return the settings of train_models.py, those that this script passes on included."""
    own = {"models": settings.models, "seeds": settings.seeds, "worker": settings.worker}
    own |= {"workers": 1, "status": False, "task": None, "compare": None, "estimate": False}
    own |= {name: getattr(settings, name) for name in TRAINING}
    return Settings(**vars(parse_flags(train_models, [])) | own | changes)


def networks_of(settings, chosen):
    """Return a Task for each network and seed of a training set, as train_models.py orders them."""
    return matrix_of(models=settings.models, seeds=settings.seeds, results=chosen.results)


def render_missing(sets, settings):
    """Render the training sets that are not there yet, one process at a time."""
    Path(settings.results).mkdir(parents=True, exist_ok=True)
    with one_writer(Path(settings.results)):
        for chosen in sets:
            if is_rendered(chosen):
                continue
            card = spectra_from_config.render_dataset(
                chosen.config,
                chosen.dataset,
                chosen.variation,
                workers=min(available_cores(), MOST_WORKERS),
            )
            number = chosen.variation.n_train
            print(f"{chosen.dataset}: {number} training spectra per class, {card['checksum']}")


def is_rendered(chosen):
    """Tell whether the dataset folder holds this training set.

    Raises InputError if it holds another one.
    """
    try:
        card = read_dataset(chosen.dataset).card
    except InputError:  # it is not there, or was left unfinished
        return False
    if card is None:  # arrays of somebody's own, which rendering refuses to replace
        return False
    rendered = card.get("class_file") or {}  # measured spectra have none
    same = rendered.get("sha256") == chosen.class_file.sha256
    if not same or variation_of(card) != chosen.variation:
        raise InputError(
            f"{chosen.dataset} holds spectra of other classes, or that vary otherwise; choose "
            f"another DATASETS folder, or delete it"
        )
    return True


def run_all(settings, sets):
    """Train all networks and judge all methods that are not finished; returns the exit status."""
    status = 0
    for chosen in sets:
        status = max(status, train_networks(settings, chosen))
        if status >= 128:  # a signal has come
            break
        status = max(status, judge_baselines(settings, chosen))
    return status


def run_task(settings, sets):
    """Do the task of the number TASK alone; returns the exit status."""
    networks = len(networks_of(settings, sets[0]))
    per_set = networks + bool(methods_of(settings))
    last = len(sets) * per_set - 1
    require(0 <= settings.task <= last, "TASK", settings.task, f"0 to {last}")
    chosen, task = sets[settings.task // per_set], settings.task % per_set
    render_missing([chosen], settings)
    if task < networks:
        return train_networks(settings, chosen, task)
    return judge_baselines(settings, chosen)


def train_networks(settings, chosen, task=None):
    """Train what is not finished, only the task of that number if one is given."""
    runs = list(runs_of(settings, chosen).values())
    if all(runs if task is None else [runs[task]]):
        return 0  # without starting TensorFlow
    folders = {"dataset": str(chosen.dataset), "results": str(chosen.results)}
    wanted = training_settings(settings, passes=chosen.protocol.passes, task=task, **folders)
    return train_models.main(wanted)


def runs_of(settings, chosen):
    """Return (model, seed) -> Run, None if it is not finished or lacks a split.

    Raises InputError if a run is of another protocol or dataset.
    """
    dataset = read_dataset(chosen.dataset)
    record = record_of(dataset, recorded_hashes(dataset))
    splits = judged_splits(dataset)
    runs = {}
    for folder, model, seed in networks_of(settings, chosen):
        run = finished_run(folder, Identity(model, seed, chosen.protocol, record))
        usable = run and not changed_splits(run, record.sha256, splits)
        runs[model, seed] = only(splits, run) if usable else None
    return runs


def only(splits, judged):
    """Return a Run or Baseline with nothing but these splits."""
    return judged._replace(misclassified={name: judged.misclassified[name] for name in splits})


def judge_baselines(settings, chosen):
    """Let the methods learn from a training set, unless they have; returns the exit status."""
    status = 0
    for name in methods_of(settings):
        folder = chosen.results / name
        with run_lock(folder) as mine:
            if judged_baseline(folder, chosen):
                continue
            if not mine:
                print(f"{folder}: being judged by {holder(folder)}", file=sys.stderr)
                status = max(status, 1)
                continue
            own = {"dataset": str(chosen.dataset), "config": str(chosen.config)}
            own |= {"results": str(chosen.results), "methods": (name,)}
            wanted = Settings(**vars(parse_flags(baselines, [])) | own)
            status = max(status, baselines.main(wanted) or 0)
    return status


def judged_baseline(folder, chosen):
    """Return the Baseline that has learned from this training set with the constants of today.

    None if there is none, or a damaged one: it is to be judged again.
    """
    if not (folder / BASELINE_RECORD).exists():
        return None
    dataset = read_dataset(chosen.dataset)
    splits = judged_splits(dataset)
    try:
        baseline = read_baseline(folder, recorded_hashes(dataset), splits)
    except InputError:
        return None
    features = baseline.settings.get("minirocket_features")
    if folder.name == "minirocket" and features != baselines.MINIROCKET_FEATURES:
        return None
    return only(splits, baseline)


def print_states(settings, sets):
    """Print the state of every run, with the number by which TASK names it."""
    number = 0
    for chosen in sets:
        rendered = is_rendered(chosen)  # or ends with the sentence that training would
        for folder, model, seed in networks_of(settings, chosen):
            identity = Identity(model, seed, chosen.protocol, dataset=None)
            print(f"{number:4}  {folder}  {'  '.join(state_of(folder, identity))}")
            number += 1
        for name in methods_of(settings):
            folder = chosen.results / name
            judged = rendered and judged_baseline(folder, chosen)
            state = "finished" if judged else "running" if holder(folder) else "waiting"
            print(f"{number:4}  {folder}  {state}")
        number += bool(methods_of(settings))


def tell_of_others(settings, named):
    """Say which finished runs and methods of the study are in no table.

    named: the folders of the runs and methods that the settings ask for.
    """
    finished = [
        folder
        for results in Path(settings.results).glob("*-n*")
        for folder in folders_with(results, RUN_RECORD, BASELINE_RECORD)
    ]
    others = sorted(set(finished) - set(named))
    if others:
        warn(
            f"not in the tables, as CONFIG, N_TRAIN, MODELS, SEEDS and METHODS do not name them: "
            f"{len(others)} finished runs, the first of them {others[0]}"
        )


def write_tables(settings, sets):
    """Write tables and figure of all that is finished, and say what is not."""
    points, missing, named, origins = [], [], [], {}
    for chosen in sets:
        runs = runs_of(settings, chosen)
        named += [task.folder for task in networks_of(settings, chosen)]
        missing += [chosen.results / f"{m} seed {s}" for (m, s), run in runs.items() if not run]
        finished = [run for run in runs.values() if run]
        folders = [chosen.results / name for name in methods_of(settings)]
        named += folders
        judged = {folder: judged_baseline(folder, chosen) for folder in folders}
        missing += [folder for folder, baseline in judged.items() if not baseline]
        found = [baseline for baseline in judged.values() if baseline]
        name, sha256 = chosen.config.name, chosen.class_file.sha256
        origins[chosen.config.stem] = origin_text(name, sha256, chosen.variation)
        points += points_of(chosen.config.stem, chosen.variation.n_train, finished, found)
    if missing:
        print(
            f"not in the tables, as not finished: {len(missing)} runs, the first of them "
            f"{missing[0]}",
            file=sys.stderr,
        )
    tell_of_others(settings, named)
    if not points:
        return
    curves = curves_of(points, settings.target)
    text = report(points, curves, settings.split, settings.target, origins)
    contents = {"table.md": text, "table.csv": table_csv(points), "curves.csv": curves_csv(curves)}
    for name, content in contents.items():
        with replace_file(Path(settings.results, name)) as file:
            file.write(content.encode())
    print(text, end="")
    figure = draw(points, curves, settings.split, settings.target)
    save(figure, Path(settings.results, "figures"), "sample_size")


if __name__ == "__main__":
    run_script(sys.modules[__name__], main)
