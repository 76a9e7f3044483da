"""Classify the spectra of a dataset without a network.

    python baselines.py
    python baselines.py --dataset datasets/quick
    python baselines.py --methods cosine minirocket

Six methods give the networks something to be compared with. One needs nothing but the dataset:

    nearest_spectrum   the class of the training spectrum with the largest cosine similarity

The others know the class file, and are left out for spectra that were not rendered from one:

    cosine             cosine similarity of spectrum and ideal pattern
    smoothed_cosine    the same after smoothing both with a Gaussian, so that shifted peaks overlap
    cross_correlation  the largest cosine similarity over all common shifts of the peaks
    search_match       peaks are detected and assigned to those of each class, as crystallographers
                       search a database; the class whose peaks fit best wins
    ideal_observer     is told the exact peaks of each spectrum, and answers with the class under
                       whose training variation they are most likely: on `val` no classifier can do
                       better on average; left out where training spectra have artefacts, of which
                       it knows nothing

These five use no training spectra. Unlike the networks, they know the class file and the width of
test peaks. search_match and ideal_observer are told how far peaks may shift; cross_correlation
tries shifts of up to MAX_LAG and smoothed_cosine smooths by SMOOTHING, both by default the
MAX_SHIFT that the dataset was rendered with. A seventh takes minutes and is judged if METHODS names
it:

    minirocket         learns from the training spectra: a ridge classifier on counts of positive
                       values of 84 fixed kernels' convolutions (MiniRocket; Dempster, Schmidt and
                       Webb 2021, doi 10.1145/3447548.3467231), its penalty chosen by `val`

Each method leaves in its folder `results/NAME/METHOD/` the
predicted classes, SPLIT_predictions.npy, for the validation split and every test split, and
baseline.json with misclassifications, time, settings and the dataset's hashes. evaluate.py shows
them beside the networks.

`minirocket` needs two matrices of MINIROCKET_FEATURES squared numbers (1.6 GB) and about 6 ms of a
processor core per spectrum of 5000 datapoints; both fall with the number of features.
"""

import sys
import time
from functools import partial
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from tqdm import tqdm

from benchmark.artefacts import names_of_those_on
from benchmark.baseline_folder import (
    COMPARE,
    KNOWN,
    LEARN,
    NEED_CLASS_FILE,
    USES,
    Baseline,
    settings_told,
    write_baseline,
)
from benchmark.command_line import InputError, Settings, require, require_folder, run_script
from benchmark.dataset_folder import (
    hash_and_check,
    read_classes,
    read_dataset,
    results_path,
    warn_of_own_splits,
)
from benchmark.files import is_whole
from benchmark.ideal_observer import IdealObserver
from benchmark.minirocket import KERNELS, count_above, fit_features
from benchmark.published_results import PAPER_VARIATION
from benchmark.ridge import answer, train_ridge
from benchmark.run_folder import RUN_RECORD, Count, counts_text, folders_with, read_run
from benchmark.run_identity import array_that_differs
from benchmark.search_match import search_match
from benchmark.similarity import (
    cross_correlation,
    ideal_patterns,
    most_similar,
    nearest_spectrum,
    normalise,
    smoothed_templates,
    stick_patterns,
)
from benchmark.variation import variation_of
from spectra_from_config import splits_of, vary_rows

# Files
DATASET: Annotated[str, "Dataset folder whose spectra to classify."] = "datasets/dataset500"
CONFIG: Annotated[
    str | None, "Class file of the dataset; by default the one of its name in dataset_configs/."
] = None
RESULTS: Annotated[
    str | None, "Folder for the methods' folders; by default results/ and the dataset's name."
] = None

# Methods
METHODS: Annotated[tuple[str, ...], "Methods to judge; minirocket may be added."] = (
    "nearest_spectrum",
    "cosine",
    "smoothed_cosine",
    "cross_correlation",
    "search_match",
    "ideal_observer",
)
SMOOTHING: Annotated[
    float | None,
    "Width sigma of smoothed_cosine's Gaussian, in datapoints; by default the dataset's MAX_SHIFT.",
] = None
MAX_LAG: Annotated[
    int | None,
    "Largest shift of cross_correlation to either side, in datapoints; by default the dataset's "
    "MAX_SHIFT.",
] = None
DETECTION_HEIGHT: Annotated[
    float, "Height of the lowest peak that search_match detects, as a fraction of the maximum."
] = 0.01
MINIROCKET_FEATURES: Annotated[
    int, "Largest number of features of minirocket, a multiple of 84."
] = 10_000

SETTINGS = [name for used in USES.values() for name in used]

NARROWEST = 0.1  # datapoints: a Gaussian of this width is a single datapoint, and changes nothing
MOST_FEATURES = 100_000
CHUNK = 2_000_000  # numbers classified at once: spectra times the larger of datapoints and classes


class Answers(NamedTuple):
    """What a method says of the spectra of a split."""

    classes: np.ndarray  # int64 (spectra,), -1 where there is no answer
    count: Count


def main(settings):
    for name in settings.methods:
        require(name in KNOWN, "METHODS", name, ", ".join(KNOWN))
    check_features(settings.minirocket_features)
    dataset = read_dataset(settings.dataset)
    card = dataset.card or {}
    class_file = None
    variation = variation_of(card) if card.get("class_file") else None
    numbers = numbers_used(settings, variation)
    settings = Settings(**vars(settings) | numbers)
    if set(settings.methods) & set(NEED_CLASS_FILE):
        if variation:
            check_methods(settings.methods, settings, dataset.datapoints)
        class_file, variation = read_classes(card, settings.config)
    results = Path(settings.results or results_path(dataset.name))
    require_folder("RESULTS", results)
    hashes = hash_and_check(dataset)
    warn_of_own_splits(dataset)
    refuse_other_runs(results, dataset, hashes)
    for name, judge_all in judges_of(dataset, class_file, variation, settings).items():
        if name not in settings.methods:
            continue
        began = time.perf_counter()
        answers = judge_all()
        baseline = Baseline(
            folder=results / name,
            method=name,
            seconds=round(time.perf_counter() - began, 3),
            misclassified={split: answered.count for split, answered in answers.items()},
            dataset={"name": dataset.name, "sha256": hashes},
            settings=numbers,
        )
        write_baseline(baseline, {split: answered.classes for split, answered in answers.items()})
        told = [f"{baseline.seconds:.1f} s", counts_text(baseline.misclassified)]
        print(f"{name}: {'; '.join(told + settings_told(baseline))}")


def numbers_used(settings, variation):
    """Return name -> number of the SETTINGS; SMOOTHING and MAX_LAG that are None are MAX_SHIFT.

    variation: Variation of the dataset, None if it was not rendered: then MAX_SHIFT is the paper's.
    Where peaks do not shift, smoothing changes nothing.
    """
    numbers = {name: getattr(settings, name) for name in SETTINGS}
    shift = (variation or PAPER_VARIATION).max_shift
    for name, number in ("smoothing", max(shift, NARROWEST)), ("max_lag", shift):
        if numbers[name] is None:
            numbers[name] = number
    return numbers


def refuse_other_runs(results, dataset, hashes):
    """Raise InputError if networks in the results folder learned from another dataset."""
    for folder in folders_with(results, RUN_RECORD):
        name = array_that_differs(read_run(folder).dataset.sha256, hashes)
        if name:
            raise InputError(
                f"{folder} was trained with another {name} than that of {dataset.folder}; choose "
                f"another RESULTS folder"
            )


def check_features(features):
    accepted = f"{KERNELS} to {MOST_FEATURES}"
    valid = is_whole(features, KERNELS, MOST_FEATURES)
    require(valid, "MINIROCKET_FEATURES", features, accepted)


def check_methods(methods, settings, datapoints):
    """Raise InputError unless the constants of methods that know the class file fit the spectra."""
    height, smoothing, lag = settings.detection_height, settings.smoothing, settings.max_lag
    if "search_match" in methods:
        require(0 < height < 1, "DETECTION_HEIGHT", height, "a number above 0 and below 1")
    if "smoothed_cosine" in methods:
        accepted = f"{NARROWEST} to {datapoints} datapoints"
        require(NARROWEST <= smoothing <= datapoints, "SMOOTHING", smoothing, accepted)
    if "cross_correlation" in methods:
        accepted = f"a whole number from 0 to {datapoints}, in datapoints"
        require(is_whole(lag, 0, datapoints), "MAX_LAG", lag, accepted)


def judges_of(dataset, class_file, variation, settings):
    """Return name -> function that lets a method answer for a Dataset, see `judge`."""
    judges = {name: partial(judge_learned, name, dataset, settings) for name in LEARN}
    if class_file is None:
        left_out = [name for name in settings.methods if name in NEED_CLASS_FILE]
        if left_out:
            print(
                f"left out, as {dataset.folder} was not rendered from a class file: "
                f"{', '.join(left_out)}",
                file=sys.stderr,
            )
        return judges
    for name in COMPARE:
        if name in settings.methods:
            classify = classifier_of(name, class_file, variation, settings)
            judges[name] = partial(judge, name, classify, dataset)
    if not variation.artefacts:
        judges["ideal_observer"] = partial(judge_ideal_observer, class_file, variation, dataset)
    elif "ideal_observer" in settings.methods:
        print(
            f"ideal_observer is left out: it does not know how likely "
            f"{', '.join(names_of_those_on(variation.artefacts))} make a spectrum",
            file=sys.stderr,
        )
    return judges


def classifier_of(method, class_file, variation, settings):
    """Return the function from spectra (n, datapoints) to class indices (n,) of one of COMPARE.

    settings: with numbers for all SETTINGS, see `numbers_used`.
    """
    kernel = variation.test_kernel
    if method == "search_match":
        return partial(
            search_match,
            class_file=class_file,
            max_shift=variation.max_shift,
            detection_height=settings.detection_height,
        )
    if method == "cross_correlation":
        sticks = stick_patterns(class_file, kernel)
        return partial(cross_correlation, sticks=sticks, kernel=kernel, max_lag=settings.max_lag)
    ideal = ideal_patterns(class_file, kernel)
    if method == "smoothed_cosine":
        return partial(most_similar, templates=smoothed_templates(ideal, settings.smoothing))
    return partial(most_similar, templates=normalise(ideal))


def spectra_at_once(datapoints, classes):
    """Return how many spectra are classified at once, so as to bound memory."""
    return max(1, CHUNK // max(datapoints, classes))


def judge(name, classify, dataset):
    """Classify all splits but the training split; returns split -> Answers."""
    rows = spectra_at_once(dataset.datapoints, dataset.classes)
    answers = {}
    for split, (x, y) in dataset.splits.items():
        if split == "train":
            continue
        chunks = tqdm(range(0, len(x), rows), f"{name}, {split}", leave=False, disable=None)
        predictions = np.concatenate([classify(np.array(x[i : i + rows])) for i in chunks])
        count = Count(int(np.count_nonzero(predictions != y)), len(y))
        answers[split] = Answers(predictions, count)
    return answers


def judge_ideal_observer(class_file, variation, dataset):
    """Let the ideal observer answer for all but the training split; returns split -> Answers.

    It is told the visible peaks of each spectrum, which are drawn again from the random streams; of
    test splits that were not rendered it knows none, and has no answer.
    """
    observer = IdealObserver(class_file, variation)
    rendered = splits_of(class_file, variation)
    answers = {}
    for name, (_, labels) in dataset.splits.items():
        if name == "train":
            continue
        best = [()] * len(labels)  # of spectra whose peaks nobody knows
        if name in rendered:
            positions, heights, _ = vary_rows(class_file, rendered[name], range(len(labels)))
            peaks = zip(positions, heights, strict=True)
            title = f"ideal_observer, {name}"
            progress = tqdm(peaks, title, len(labels), leave=False, disable=None)
            best = [observer.answer(*spectrum).classes for spectrum in progress]
        first = np.array([classes[0] if classes else -1 for classes in best])
        answers[name] = Answers(first, count_answers(best, labels))
    return answers


def judge_learned(method, dataset, settings):
    """Let one of LEARN learn from the training spectra and answer; returns split -> Answers."""
    train, val = dataset.splits["train"], dataset.splits["val"]
    classify = learned_classifier(method, train, val, dataset.classes, settings)
    return judge(method, classify, dataset)


def learned_classifier(method, train, val, classes, settings):
    """Return the function from spectra (n, datapoints) to class indices (n,) of one of LEARN.

    train, val: spectra (n, datapoints) and labels (n,). Validation spectra choose the strength of
    minirocket's ridge classifier, and nothing else.
    """
    training, labels = train
    if method == "nearest_spectrum":
        return partial(nearest_spectrum, training=training, labels=np.array(labels, np.int64))
    fitted = fit_features(training, settings.minirocket_features)
    features_of = partial(count_above, features=fitted)
    ridge = train_ridge(features_of, train, val, classes)
    return lambda spectra: answer(features_of(spectra), ridge)


def count_answers(best, labels):
    """Return the Count of answers; best: for each spectrum a tuple of equally good classes."""
    wrong = sum(
        1 - (label in classes) / len(classes)
        for classes, label in zip(best, labels.tolist(), strict=True)
        if classes
    )
    wrong = round(wrong, 6)
    return Count(
        misclassified=int(wrong) if wrong == int(wrong) else wrong,
        spectra=len(labels),
        unanswered=sum(not classes for classes in best),
        tied=sum(len(classes) > 1 for classes in best),
    )


if __name__ == "__main__":
    run_script(sys.modules[__name__], main)
