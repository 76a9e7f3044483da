"""Classify the spectra of a dataset without a network, most methods by the classes' ideal patterns.

    python baselines.py
    python baselines.py --dataset datasets/quick
    python baselines.py --methods cosine minirocket

Six methods give the networks something to be compared with:

    cosine             cosine similarity of spectrum and ideal pattern
    smoothed_cosine    the same after smoothing both with a Gaussian, so that shifted peaks overlap
    cross_correlation  the largest cosine similarity over all common shifts of the peaks
    search_match       peaks are detected and assigned to those of each class, as crystallographers
                       search a database; the class whose peaks fit best wins
    ideal_observer     is told the exact peaks of each spectrum, and answers with the class under
                       whose training variation they are most likely: on `val` no classifier can do
                       better on average
    minirocket         learns from the training spectra: a ridge classifier on counts of positive
                       values of 84 fixed kernels' convolutions (MiniRocket; Dempster, Schmidt and
                       Webb 2021, doi 10.1145/3447548.3467231), its penalty chosen by `val`

The others learn nothing from spectra. They know the class file and, unlike the networks, the width
of test peaks and how far peaks may shift. Each leaves in its folder `results/NAME/METHOD/` the
predicted classes, SPLIT_predictions.npy, for the validation split and every test split, and
baseline.json with misclassifications, time, settings and the dataset's hashes. evaluate.py shows
them beside the networks.

`minirocket` needs two matrices of MINIROCKET_FEATURES squared numbers (1.6 GB) and about 13 ms of a
processor core per spectrum of 5000 datapoints; both fall with the number of features.
"""

import sys
import time
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks
from scipy.sparse import csr_array
from tqdm import tqdm

from benchmark.baseline_folder import Baseline, write_baseline
from benchmark.command_line import InputError, require, require_folder, run_script
from benchmark.dataset_folder import hash_and_check, read_classes, read_dataset
from benchmark.files import replace_file
from benchmark.ideal_observer import IdealObserver
from benchmark.minirocket import KERNELS, count_positive, fit_features
from benchmark.overlap import tabulate
from benchmark.peak_matching import match_peaks
from benchmark.rendering import render
from benchmark.ridge import answer, train_ridge
from benchmark.run_folder import Count, counts_text, predictions_name
from spectra_from_config import splits_of, stack, vary_rows

# Files
DATASET: Annotated[str, "Dataset folder that spectra_from_config.py wrote."] = "datasets/dataset500"
CONFIG: Annotated[
    str | None, "Its class file; by default the one of that name in dataset_configs/."
] = None
RESULTS: Annotated[
    str | None, "Folder for the methods' folders; by default results/ and the dataset's name."
] = None

# Methods
METHODS: Annotated[tuple[str, ...], "Methods to judge."] = (
    *("cosine", "smoothed_cosine", "cross_correlation", "search_match", "ideal_observer"),
    "minirocket",
)
SMOOTHING: Annotated[float, "Width sigma of smoothed_cosine's Gaussian, in datapoints."] = 50
MAX_LAG: Annotated[int, "Largest shift of cross_correlation to either side, in datapoints."] = 50
DETECTION_HEIGHT: Annotated[float, "Lowest peak that search_match detects, maximum 1."] = 0.01
MINIROCKET_FEATURES: Annotated[int, "Features of minirocket at most, a multiple of 84."] = 10_000

# Charges of search_match, beside heights and their differences in relative intensity
SHIFT_CHARGE = 1e-4  # per datapoint
HIDDEN_CHARGE = 0.1  # per height of a peak that another may hide

KNOWN = METHODS
SETTINGS = "smoothing", "max_lag", "detection_height", "minirocket_features"

MOST_FEATURES = 100_000
CHUNK = 2_000_000  # numbers classified at once: spectra times the larger of datapoints and classes


def main(settings):
    height = settings.detection_height
    require(0 < height < 1, "DETECTION_HEIGHT", height, "a number above 0 and below 1")
    for name in settings.methods:
        require(name in KNOWN, "METHODS", name, ", ".join(KNOWN))
    features = settings.minirocket_features
    accepted = f"{KERNELS} to {MOST_FEATURES}"
    require(KERNELS <= features <= MOST_FEATURES, "MINIROCKET_FEATURES", features, accepted)
    dataset = read_dataset(settings.dataset)
    if dataset.card is None and settings.methods != ("minirocket",):
        raise InputError(
            f"{settings.dataset} has no dataset.json, so the classes of its spectra are unknown"
        )
    smoothing, lag, most = settings.smoothing, settings.max_lag, dataset.datapoints
    require(0.1 <= smoothing <= most, "SMOOTHING", smoothing, f"0.1 to {most} datapoints")
    require(0 <= lag <= most, "MAX_LAG", lag, f"0 to {most} datapoints")
    results = Path(settings.results or Path("results", dataset.name))
    require_folder("RESULTS", results)
    hashes = hash_and_check(dataset)
    recorded = {name: getattr(settings, name) for name in SETTINGS}
    judges = {"minirocket": partial(judge_minirocket, dataset, features)}
    if settings.methods != ("minirocket",):
        judges = judges_by_classes(dataset, settings) | judges
    for name, judge_all in judges.items():
        if name not in settings.methods:
            continue
        began = time.perf_counter()
        counts = judge_all(results / name)
        baseline = Baseline(
            folder=results / name,
            method=name,
            seconds=round(time.perf_counter() - began, 3),
            misclassified=counts,
            dataset={"name": dataset.name, "sha256": hashes},
            settings=recorded,
        )
        write_baseline(baseline)
        print(f"{name}: {baseline.seconds:.1f} s; {counts_text(counts)}")


def judges_by_classes(dataset, settings):
    """Return name -> function that judges all splits, of the methods that know the class file."""
    config = settings.config or Path("dataset_configs", dataset.card["class_file"]["name"])
    class_file, variation = read_classes(dataset.card, config)
    judges = {
        name: partial(judge, name, classify, dataset)
        for name, classify in methods(class_file, variation, settings).items()
    }
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


def judge_minirocket(dataset, features, folder):
    """Train MiniRocket on the training spectra and let it answer; returns split -> Count.

    Validation spectra choose the strength of the ridge classifier, and nothing else.
    """
    train, val = dataset.splits["train"], dataset.splits["val"]
    fitted = fit_features(train[0], features)
    features_of = partial(count_positive, features=fitted)
    ridge = train_ridge(features_of, train, val, dataset.classes, title="minirocket")
    return judge("minirocket", lambda spectra: answer(features_of(spectra), ridge), dataset, folder)


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


def ideal_patterns(class_file, kernel):
    """Render the ideal pattern of each class, float32 (classes, datapoints)."""
    patterns = zip(class_file.positions, class_file.heights, strict=True)
    unvaried = stack([(x[None], h[None], np.array([float(kernel)])) for x, h in patterns])
    return render(*unvaried, class_file.datapoints)


def normalise(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def smoothed_templates(ideal, sigma):
    """Return what `most_similar` needs to compare spectra and patterns that are both smoothed.

    Smoothing is symmetric, so smoothing the pattern twice serves for smoothing either once; the
    norm of the smoothed spectrum is the same for all classes.
    """
    smooth = partial(gaussian_filter1d, sigma=sigma, axis=1, mode="constant")
    once = smooth(ideal)
    return smooth(once) / np.linalg.norm(once, axis=1, keepdims=True)


def most_similar(spectra, templates):
    """Return for each spectrum (datapoints,) the template with the largest scalar product."""
    return (spectra @ templates.T).argmax(axis=1)


def stick_patterns(class_file, kernel):
    """Return the classes as sticks, a sparse float32 array (classes, datapoints).

    Heights are such that each stick pattern has norm 1 once it is smoothed with `kernel`.
    """
    labels = np.repeat(np.arange(len(class_file.positions)), list(map(len, class_file.positions)))
    heights, positions = np.concatenate(class_file.heights), np.concatenate(class_file.positions)
    shape = len(class_file.positions), class_file.datapoints
    sticks = csr_array((heights.astype(np.float32), (labels, positions)), shape)
    norms = np.linalg.norm(gaussian_filter1d(sticks.toarray(), kernel, mode="constant"), axis=1)
    return csr_array(sticks.multiply(1 / norms[:, None]))


def cross_correlation(spectra, sticks, kernel, max_lag):
    """Return the class whose pattern, shifted by up to `max_lag`, is most similar to the spectrum.

    A pattern is a sum of few Gaussians: its product with a spectrum is a sum of few values of the
    spectrum smoothed with that Gaussian, which is what makes this fast.
    """
    smoothed = gaussian_filter1d(spectra, kernel, axis=1, mode="constant").T
    padded = np.pad(smoothed, ((max_lag, max_lag), (0, 0)))
    best = np.full((sticks.shape[0], len(spectra)), -np.inf, np.float32)
    for lag in range(2 * max_lag + 1):
        np.maximum(best, sticks @ padded[lag : lag + sticks.shape[1]], out=best)
    return best.argmax(axis=0)


def search_match(spectra, class_file, max_shift, detection_height):
    """Return the class whose peaks fit best to the detected peaks of each spectrum.

    Peaks may be matched up to `max_shift` datapoints apart. A class is charged with the height
    differences of assigned peaks, with the heights of peaks left over on either side, and, to
    decide between equals, a little for shifts. Peaks of a class that shifts can bring together may
    appear as one, as high as their sum; the others of them then are left over at a low charge.
    """
    positions, heights = tabulate(class_file.positions, class_file.heights)
    # Absent peaks are near nothing and have height 0: left over at no charge.
    positions = np.where(np.isnan(heights), -4 * max_shift - class_file.datapoints, positions)
    heights = np.nan_to_num(heights)
    near = np.abs(positions[:, :, None] - positions[:, None, :]) <= 2 * max_shift
    others = near & ~np.eye(near.shape[1], dtype=bool)
    summed = heights + np.where(others, heights[:, None, :], 0).sum(axis=2)
    predictions = np.empty(len(spectra), np.int64)
    for row, spectrum in enumerate(spectra):
        found, properties = find_peaks(spectrum, height=detection_height)
        detected = properties["peak_heights"]
        shifts = np.abs(found[:, None] - positions[:, None, :])
        excess = detected[:, None] - np.clip(detected[:, None], heights[:, None], summed[:, None])
        charges = np.abs(excess) + SHIFT_CHARGE * shifts
        charges[shifts > max_shift] = np.inf
        hidden = (shifts <= max_shift).any(axis=1) & (summed > heights)
        left_over = np.where(hidden, HIDDEN_CHARGE * heights, heights)
        # No assignment charges a class less than the best that each peak could have by itself.
        least = np.maximum(
            np.minimum(charges.min(axis=2), detected).sum(axis=1),
            np.minimum(charges.min(axis=1, initial=np.inf), left_over).sum(axis=1),
        )
        best = np.inf
        for label in np.argsort(least, kind="stable"):
            if least[label] >= best:
                break
            _, charge = match_peaks(charges[label], alone_a=detected, alone_b=left_over[label])
            if charge < best:
                best, predictions[row] = charge, label
    return predictions


if __name__ == "__main__":
    run_script(sys.modules[__name__], main)
