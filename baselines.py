"""Classify the spectra of a dataset without training, by similarity to patterns or to spectra.

    python baselines.py
    python baselines.py --dataset datasets/quick

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

They learn nothing from spectra. They know the class file and, unlike the networks, the width of
test peaks and how far peaks may shift. Each method leaves in its folder `results/NAME/METHOD/` the
predicted classes, SPLIT_predictions.npy, for the validation split and every test split, and
baseline.json with misclassifications, time, settings and the dataset's hashes. evaluate.py shows
them beside the networks.
"""

import sys
import time
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
from tqdm import tqdm

from benchmark.artefacts import names_of_those_on
from benchmark.baseline_folder import Baseline, write_baseline
from benchmark.command_line import require, require_folder, run_script
from benchmark.dataset_folder import hash_and_check, read_classes, read_dataset
from benchmark.files import replace_file
from benchmark.ideal_observer import IdealObserver
from benchmark.run_folder import Count, counts_text, predictions_name
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
from spectra_from_config import splits_of, vary_rows

# Files
DATASET: Annotated[str, "Dataset folder whose spectra to classify."] = "datasets/dataset500"
CONFIG: Annotated[
    str | None, "Its class file; by default the one of that name in dataset_configs/."
] = None
RESULTS: Annotated[
    str | None, "Folder for the methods' folders; by default results/ and the dataset's name."
] = None

# Methods
SMOOTHING: Annotated[float, "Width sigma of smoothed_cosine's Gaussian, in datapoints."] = 50
MAX_LAG: Annotated[int, "Largest shift of cross_correlation to either side, in datapoints."] = 50
DETECTION_HEIGHT: Annotated[float, "Lowest peak that search_match detects, maximum 1."] = 0.01

NEED_CLASS_FILE = (
    *("cosine", "smoothed_cosine", "cross_correlation", "search_match"),
    "ideal_observer",
)
SETTINGS = "smoothing", "max_lag", "detection_height"

CHUNK = 2_000_000  # numbers classified at once: spectra times the larger of datapoints and classes


def main(settings):
    dataset = read_dataset(settings.dataset)
    config, recorded = settings.config, (dataset.card or {}).get("class_file")
    if recorded:
        check_methods(settings, dataset.datapoints)
        config = config or Path("dataset_configs", recorded["name"])
    class_file, variation = read_classes(dataset.card or {}, config)
    results = Path(settings.results or Path("results", dataset.name))
    require_folder("RESULTS", results)
    hashes = hash_and_check(dataset)
    for name, judge_all in judges_of(dataset, class_file, variation, settings).items():
        began = time.perf_counter()
        counts = judge_all(results / name)
        baseline = Baseline(
            folder=results / name,
            method=name,
            seconds=round(time.perf_counter() - began, 3),
            misclassified=counts,
            dataset={"name": dataset.name, "sha256": hashes},
            settings={name: getattr(settings, name) for name in SETTINGS},
        )
        write_baseline(baseline)
        print(f"{name}: {baseline.seconds:.1f} s; {counts_text(counts)}")


def check_methods(settings, datapoints):
    """Raise InputError unless the constants of the methods fit spectra of so many datapoints."""
    height, smoothing, lag = settings.detection_height, settings.smoothing, settings.max_lag
    require(0 < height < 1, "DETECTION_HEIGHT", height, "a number above 0 and below 1")
    require(
        0.1 <= smoothing <= datapoints, "SMOOTHING", smoothing, f"0.1 to {datapoints} datapoints"
    )
    require(0 <= lag <= datapoints, "MAX_LAG", lag, f"0 to {datapoints} datapoints")


def judges_of(dataset, class_file, variation, settings):
    """Return name -> function that judges a Dataset and saves answers in a folder, see `judge`."""
    training, labels = dataset.splits["train"]
    nearest = partial(nearest_spectrum, training=training, labels=np.array(labels, np.int64))
    judges = {"nearest_spectrum": partial(judge, "nearest_spectrum", nearest, dataset)}
    if class_file is None:
        print(
            f"left out, as {dataset.folder} is of no class file: {', '.join(NEED_CLASS_FILE)}",
            file=sys.stderr,
        )
        return judges
    for name, classify in methods(class_file, variation, settings).items():
        judges[name] = partial(judge, name, classify, dataset)
    if variation.artefacts:
        print(
            f"ideal_observer is left out: it does not know how likely "
            f"{', '.join(names_of_those_on(variation.artefacts))} make a spectrum",
            file=sys.stderr,
        )
    else:
        judges["ideal_observer"] = partial(judge_ideal_observer, class_file, variation, dataset)
    return judges


def methods(class_file, variation, settings):
    """Return name -> function from spectra (n, datapoints) to class indices (n,)."""
    kernel = variation.test_kernel
    ideal = ideal_patterns(class_file, kernel)
    return {
        "cosine": partial(most_similar, templates=normalise(ideal)),
        "smoothed_cosine": partial(
            most_similar, templates=smoothed_templates(ideal, settings.smoothing)
        ),
        "cross_correlation": partial(
            cross_correlation,
            sticks=stick_patterns(class_file, kernel),
            kernel=kernel,
            max_lag=settings.max_lag,
        ),
        "search_match": partial(
            search_match,
            class_file=class_file,
            max_shift=variation.max_shift,
            detection_height=settings.detection_height,
        ),
    }


def judge(name, classify, dataset, folder):
    """Classify all splits but the training split and save the answers; returns split -> Count."""
    rows = max(1, CHUNK // max(dataset.datapoints, dataset.classes))
    misclassified = {}
    for split, (x, y) in dataset.splits.items():
        if split == "train":
            continue
        chunks = tqdm(range(0, len(x), rows), f"{name}, {split}", leave=False, disable=None)
        predictions = np.concatenate([classify(np.array(x[i : i + rows])) for i in chunks])
        misclassified[split] = Count(int(np.count_nonzero(predictions != y)), len(y))
        with replace_file(folder / predictions_name(split)) as file:
            np.save(file, predictions)
    return misclassified


def judge_ideal_observer(class_file, variation, dataset, folder):
    """Let the ideal observer answer for all but the training split; returns split -> Count.

    It is told the visible peaks of each spectrum, which are drawn again from the random streams; of
    test splits that were not rendered it knows none, and has no answer.
    """
    observer = IdealObserver(class_file, variation)
    rendered = splits_of(class_file, variation)
    misclassified = {}
    for name, (_, labels) in dataset.splits.items():
        if name == "train":
            continue
        answers = [()] * len(labels)  # of spectra whose peaks nobody knows
        if name in rendered:
            positions, heights, _ = vary_rows(class_file, rendered[name], range(len(labels)))
            peaks = zip(positions, heights, strict=True)
            title = f"ideal_observer, {name}"
            progress = tqdm(peaks, title, len(labels), leave=False, disable=None)
            answers = [observer.answer(*spectrum).classes for spectrum in progress]
        misclassified[name] = count_answers(answers, labels)
        with replace_file(folder / predictions_name(name)) as file:
            np.save(file, np.array([classes[0] if classes else -1 for classes in answers]))
    return misclassified


def count_answers(answers, labels):
    """Return the Count of answers, each a tuple of the classes that are equally good."""
    wrong = sum(
        1 - (label in classes) / len(classes)
        for classes, label in zip(answers, labels.tolist(), strict=True)
        if classes
    )
    wrong = round(wrong, 6)
    return Count(
        misclassified=int(wrong) if wrong == int(wrong) else wrong,
        spectra=len(labels),
        unanswered=sum(not classes for classes in answers),
        tied=sum(len(classes) > 1 for classes in answers),
    )


if __name__ == "__main__":
    run_script(sys.modules[__name__], main)
