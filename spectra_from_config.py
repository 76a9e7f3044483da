"""Render the training, validation and test spectra of a class file.

    python spectra_from_config.py
    python spectra_from_config.py --config dataset_configs/quick.json

A spectrum is a sum of Gaussians, one per peak, divided by its maximum. Training and validation
spectra vary at random: every peak on its own in position and height, every spectrum in peak width.
Test spectra vary in nine fixed ways per class, in two splits: `test` changes heights as the paper's
text says, `test_wide` ten times as much. A class file may give classes test variants of their own.

Real measurements have more to them. Peak shapes, widths that grow along the axis, strain, common
shifts, texture, foreign peaks, backgrounds, noise and spikes can be switched on for training and
validation spectra; test spectra stay those of the paper, and robustness.py judges networks on
others. benchmark/artefacts.py says what each does, in which order, and what others use:

    python spectra_from_config.py --noise 0 0.02 --background 0.05 0.2 --strain 0.01

The folder `datasets/NAME/` receives

    x_train.npy  y_train.npy  x_val.npy  y_val.npy  x_test.npy  y_test.npy
    x_test_wide.npy  y_test_wide.npy  dataset.json

with spectra as float32 (spectra, datapoints), class indices as int64 (spectra,), and in
dataset.json every parameter and the SHA-256 of every file.

Source: Schuetzke, Szymanski and Reischl, "A universal synthetic dataset for machine learning on
spectroscopic data" (2022), section on the dataset.
"""

import shlex
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np

from benchmark.artefacts import (
    NEEDED,
    Artefacts,
    RandomSource,
    names_of_those_on,
    only_those_on,
    render_with_artefacts,
    without_effect,
)
from benchmark.block_writer import write_spectra
from benchmark.class_file import named_fields, peak_statistics, read_class_file
from benchmark.command_line import parse_flags, require_folder, run_script, warn
from benchmark.data_card import BESIDE_SPLITS, array_names, describe_array, versions
from benchmark.dataset_folder import dataset_path, verify
from benchmark.dataset_writer import replace_arrays, temporary
from benchmark.earlier_dataset import (
    checksum_of_same,
    refuse_other_dataset,
    refuse_other_kind,
    refuse_own_arrays,
    refuse_to_relabel,
)
from benchmark.files import one_writer, sha256_of, write_array
from benchmark.machine import available_cores
from benchmark.overlap import summarise_splits
from benchmark.rendering import render, stack
from benchmark.variants import change_heights, count_copies, variants_of
from benchmark.variation import Variation, check_variation, record_of_variation, with_wide_test
from benchmark.workers import MOST_WORKERS, check_processes

# Files
CONFIG: Annotated[str, "Class file to render."] = "dataset_configs/dataset500.json"
OUTPUT: Annotated[
    str | None, "Dataset folder to write; by default datasets/ and the class file's name."
] = None

# Training and validation spectra
N_TRAIN: Annotated[int, "Training spectra per class."] = 50
N_VAL: Annotated[int, "Validation spectra per class."] = 10
MAX_SHIFT: Annotated[int, "Largest shift of a peak to either side, in datapoints."] = 50
MAX_HEIGHT_CHANGE: Annotated[
    float, "Largest height change up or down, as a fraction of the highest peak."
] = 0.05
KERNEL_RANGE: Annotated[
    tuple[float, float], "Smallest and largest Gaussian width sigma, in datapoints."
] = (2, 5)
VARY_HIGHEST: Annotated[bool, "Vary the height of a class's highest peak, too."] = True

# Artefacts of training and validation spectra (meaning, order and sources: benchmark/artefacts.py)
PEAK_SHAPE: Annotated[Literal["gaussian", "lorentzian", "pseudo_voigt"], "Shape of peaks."] = (
    "gaussian"
)
LORENTZIAN_SHARE: Annotated[tuple[float, float], "Lorentzian share of pseudo_voigt peaks."] = (0, 1)
WIDTH_TREND: Annotated[
    tuple[float, float], "Growth of sigma from one end of the axis to the other, as a fraction."
] = (0, 0)
STRAIN: Annotated[float, "Largest scaling of all positions up or down, as a fraction."] = 0
COMMON_SHIFT: Annotated[float, "Largest shift of all peaks together, in datapoints."] = 0
TEXTURE: Annotated[
    tuple[float, float], "Largest fraction of its height that a peak loses by texture."
] = (0, 0)
FOREIGN_PEAKS: Annotated[
    tuple[int, int], "Fewest and most foreign peaks, which belong to no class."
] = (0, 0)
FOREIGN_HEIGHTS: Annotated[
    tuple[float, float],
    "Smallest and largest height of foreign peaks, as a fraction of the highest peak.",
] = (0.1, 0.5)
BACKGROUND: Annotated[
    tuple[float, float], "Height of a smooth background, as a fraction of the maximum."
] = (0, 0)
HUMP: Annotated[
    tuple[float, float], "Height of one broad Gaussian hump, as a fraction of the maximum."
] = (0, 0)
COUNTS: Annotated[
    tuple[float, float] | None, "Counts at the maximum, which give counting noise; none by default."
] = None
SPIKES: Annotated[tuple[int, int], "Fewest and most spikes, each of one datapoint."] = (0, 0)
SPIKE_HEIGHTS: Annotated[
    tuple[float, float], "Smallest and largest height of spikes, as a fraction of the maximum."
] = (0.2, 1)
NOISE: Annotated[
    tuple[float, float], "Standard deviation of Gaussian noise, as a fraction of the maximum."
] = (0, 0)

# Test spectra
TEST_SHIFT: Annotated[int, "Shift of all peaks of a test spectrum, in datapoints."] = 25
TEST_HEIGHT_CHANGE: Annotated[float, "Height change of all but the highest peak in `test`."] = 0.02
WIDE_TEST_HEIGHT_CHANGE: Annotated[
    float, "Height change of all but the highest peak in `test_wide`."
] = 0.2
WIDE_TEST: Annotated[
    bool | None, "Render `test_wide`; by default unless classes have test variants of their own."
] = None
TEST_KERNEL: Annotated[float, "Gaussian width sigma of test spectra, in datapoints."] = 2

# Run
SEED: Annotated[int, "Seed of the random streams, one per split and class."] = 2022
WORKERS: Annotated[int | None, "Processes that render; by default one per processor core."] = None
VERIFY: Annotated[
    bool, "Check the dataset folder against dataset.json and measured.json; render nothing."
] = False

RENDERED_SPLITS = "train", "val", "test", "test_wide"


def main(settings):
    folder = Path(settings.output or dataset_path(Path(settings.config).stem))
    if settings.verify:
        return verify(folder)
    constants = vars(settings)
    artefacts = Artefacts(**{name: constants[name] for name in Artefacts._fields})
    for name in without_effect(artefacts):
        warn(f"{name.upper()} has no effect without {NEEDED[name]}")
    numbers = {name: constants[name] for name in Variation._fields if name in constants}
    variation = Variation(**numbers, artefacts=artefacts)
    workers = settings.workers
    if workers is None:
        workers = min(available_cores(), MOST_WORKERS)
    card = render_dataset(
        settings.config,
        folder,
        variation,
        workers=workers,
        keep_others=settings.output is None,
    )
    for split in card["splits"]:
        print(f"{split:10}{card['files'][f'x_{split}.npy']['shape'][0]:>8} spectra")
    warn_of_overlap(card["overlap"], card.get("overlap_ignores"), settings)
    print(f"{folder}: checksum {card['checksum']}")
    return None


class Split(NamedTuple):
    """How the spectra of a split come about; they are ordered by class."""

    per_class: list  # the number of spectra of each class
    vary: Callable  # of positions, heights, label and spectra (a range); see `vary_at_random`
    artefacts: Artefacts | None = None  # beside that variation
    seed: int = 0  # of their random streams
    number: int = 0  # of the split, in the keys of random streams


def splits_of(class_file, variation):
    """Return name -> Split of all splits, in the order in which they are written."""
    artefacts, seed = variation.artefacts, variation.seed
    splits = {}
    for name, spectra in ("train", variation.n_train), ("val", variation.n_val):
        number = RENDERED_SPLITS.index(name)
        vary = partial(vary_at_random, stream=number, variation=variation)
        splits[name] = Split([spectra] * class_file.classes, vary, artefacts, seed, number)
    for name, variants in variants_of(class_file, variation).items():
        vary = partial(vary_for_test, variants=variants, kernel=variation.test_kernel)
        number = RENDERED_SPLITS.index(name)
        splits[name] = Split(list(map(len, variants)), vary, None, seed, number)
    return splits


def labels_of(split):
    """Return the class of each spectrum of a Split, int64 (spectra,)."""
    return np.repeat(np.arange(len(split.per_class), dtype=np.int64), split.per_class)


def vary_at_random(positions, heights, label, spectra, stream, variation):
    """Vary a class as training and validation spectra vary.

    positions, heights: arrays (peaks,) of the ideal pattern; spectra: which of the class's spectra,
    a range. Every spectrum draws one row of uniform numbers from the random stream of (seed,
    stream, label): its width, then a shift for each peak (a whole number, both ends included), then
    a height change for each peak. So a class keeps its spectra when classes, or spectra per class,
    are added.

    Returns positions (spectra, peaks), heights (spectra, peaks) and widths sigma (spectra,).
    """
    peaks = len(positions)
    sequence = np.random.SeedSequence(variation.seed, spawn_key=(stream, label))
    generator = np.random.PCG64(sequence).advance(spectra.start * (1 + 2 * peaks))
    uniform = np.random.Generator(generator).random((len(spectra), 1 + 2 * peaks))
    narrow, wide = variation.kernel_range
    sigmas = narrow + (wide - narrow) * uniform[:, 0]
    shifts = np.floor((2 * variation.max_shift + 1) * uniform[:, 1 : 1 + peaks])
    shifts = shifts.astype(np.int64) - variation.max_shift
    changes = variation.max_height_change * (2 * uniform[:, 1 + peaks :] - 1)
    if not variation.vary_highest:
        changes[:, heights == 1] = 0
    return positions + shifts, np.maximum(heights + changes, 0), sigmas


def vary_for_test(positions, heights, label, spectra, variants, kernel):
    """Vary a class as test spectra vary: all peaks shift together, the highest keeps its height.

    variants: per class a list of Variant, of which `spectra`, a range, tells which to return.
    Arguments and results are shaped as those of `vary_at_random`.
    """
    shifts, changes = np.transpose(variants[label][spectra.start : spectra.stop])
    shifted = positions + shifts[:, None].astype(np.int64)
    return shifted, change_heights(heights, changes[:, None]), np.full(len(spectra), float(kernel))


def vary_rows(class_file, split, rows):
    """Vary classes to give some spectra of a split; rows: a range. Returns what `stack` does."""
    varied = []
    for label, spectra in pieces_of(split, rows):
        pattern = class_file.positions[label], class_file.heights[label]
        varied.append(split.vary(*pattern, label=label, spectra=spectra))
    return stack(varied)


def pieces_of(split, rows):
    """Return a list of (class, range of its spectra) that are these rows, a range, of a split."""
    firsts = np.cumsum([0, *split.per_class]).tolist()  # row of each class's first spectrum
    pieces = []
    for label in range(bisect_right(firsts, rows.start) - 1, bisect_left(firsts, rows.stop)):
        first, end = firsts[label : label + 2]
        pieces.append((label, range(max(rows.start - first, 0), min(rows.stop, end) - first)))
    return pieces


def render_dataset(config, output, variation, workers=1, keep_others=False):
    """Render all splits of a class file into the dataset folder `output`.

    variation: a Variation of benchmark/variation.py; workers: number of processes; keep_others:
    refuse to replace a dataset of other classes or another variation. Files of the same names in
    the folder are replaced once all new ones are complete.

    Returns the content of dataset.json. Raises InputError for a bad class file or variation, and if
    the folder holds arrays that were not rendered.
    """
    class_file = read_class_file(config)
    variation = with_wide_test(variation, class_file)
    variation = variation._replace(artefacts=only_those_on(variation.artefacts))
    check_variation(class_file, config, variation)
    check_processes(workers, threads=None)
    folder = Path(output)
    require_folder("OUTPUT", folder)
    folder.mkdir(parents=True, exist_ok=True)
    splits = splits_of(class_file, variation)
    warn_of_copies(class_file, variants_of(class_file, variation))
    if class_file.classes == 1:
        warn(f"{config} has one class, and train_models.py needs two or more to tell apart")
    names = [name for split in splits for name in array_names(split)]
    outdated = [name for split in RENDERED_SPLITS for name in array_names(split)]
    outdated = [name for name in outdated if name not in names]  # of an earlier dataset
    with one_writer(folder):
        refuse_own_arrays(folder, [*names, *outdated])
        refuse_other_kind(folder, measured=False)
        written = [*names, *outdated, *(array_names(split)[0] for split in BESIDE_SPLITS.values())]
        refuse_to_relabel(folder, written, partial(is_of, class_file))
        if keep_others:
            refuse_other_dataset(folder, class_file, variation)
        before = checksum_of_same(folder, class_file, variation)

        def write():
            files, overlap = write_arrays(folder, class_file, variation, splits, workers)
            described = describe_classes(config, class_file, variation, overlap)
            written = {"splits": list(splits), "files": files, "versions": versions()}
            return {"complete": True, **described, **written}

        card = replace_arrays(folder, names, outdated, write)
        if before not in (None, card["checksum"]):
            warn(
                f"{folder} held other spectra of the same parameters, with the checksum "
                f"{before}, written by another version of this software or of "
                f"numpy; results on those and on these are not comparable"
            )
        return card


def describe_classes(config, class_file, variation, overlap):
    """Return what dataset.json records of the classes, how their spectra vary, and their overlap.

    overlap: test split -> what `overlap.summarise` counts in it.
    """
    ignored = names_of_those_on(variation.artefacts)
    return {
        "class_file": {"name": Path(config).name, "sha256": class_file.sha256},
        "variation": record_of_variation(variation),
        "datapoints": class_file.datapoints,
        "classes": class_file.classes,
        **named_fields(class_file),
        "peaks": peak_statistics(class_file),
        "overlap": overlap,
        **({"overlap_ignores": ignored} if ignored else {}),
    }


def is_of(class_file, card):
    """Tell whether a data card, a dict, is of the classes of a ClassFile."""
    return (card.get("class_file") or {}).get("sha256") == class_file.sha256


def write_arrays(folder, class_file, variation, splits, workers):
    """Write spectra and labels of all splits beside their places; splits: name -> Split.

    Returns what dataset.json records of the files, and of overlapping classes.
    """
    paths, spectra = {}, {}
    for name, split in splits.items():
        paths[name], labels_path = (temporary(folder, array) for array in array_names(name))
        spectra[name] = sum(split.per_class)
        with open(labels_path, "wb") as file:
            write_array(file, labels_of(split))
    hashes, overlap = write_spectra(
        paths,
        spectra,
        class_file.datapoints,
        partial(render_rows, class_file=class_file, splits=splits),
        workers,
        meanwhile=partial(summarise_splits, class_file, variation),
    )
    files = {}
    for array in (array for name in splits for array in array_names(name)):
        path = temporary(folder, array)
        files[array] = describe_array(path, hashes.get(path) or sha256_of(path))
    return files, overlap


def render_rows(name, rows, buffers, class_file, splits):
    """Render some spectra of a split, float32 (rows, datapoints); buffers: see `render`.

    splits: name -> Split.
    """
    split, datapoints = splits[name], class_file.datapoints
    varied = vary_rows(class_file, split, rows)
    if split.artefacts is None:
        return render(*varied, datapoints, buffers)
    source = RandomSource(split.seed, split.number, pieces_of(split, rows))
    return render_with_artefacts(varied, split.artefacts, source, datapoints, buffers)


def warn_of_overlap(overlap, ignored, settings):
    if alike := [split for split, found in overlap.items() if found["pairs"]]:
        counts = (
            f"{found['ambiguous_test_spectra']} spectra of {split}"
            for split, found in overlap.items()
            if split in alike
        )
        listed = f"those of {alike[0]}" if len(overlap) > 1 else "them"
        warn(
            f"classes overlap, at least {' and '.join(counts)} are ambiguous; "
            f"{command_of_overlap(settings, alike[0])} lists {listed}"
        )
    tell_of_ignored(ignored)


def tell_of_ignored(artefacts):
    """Say which artefacts of training spectra overlap does not know; names, [] or None for none."""
    if artefacts:
        print(
            f"overlap of classes does not take into account {', '.join(artefacts)}: more classes "
            f"may be alike in the training spectra",
            file=sys.stderr,
        )


def command_of_overlap(settings, split):
    """Return the command that lists the overlapping classes of a test split.

    Its flags are those that are not the constants of this script, which both scripts share.
    """
    values, flags = dict(vars(settings)), []
    constants = vars(parse_flags(sys.modules[__name__], []))
    if split == "test_wide":
        values["test_height_change"] = settings.wide_test_height_change
        if settings.wide_test:  # asked for, as the class file may have test variants of its own
            flags.append("--no-own-variants")
    if settings.vary_highest != constants["vary_highest"]:
        flags.append("--vary-highest" if settings.vary_highest else "--no-vary-highest")
    for name in "config", "max_shift", "max_height_change", "test_shift", "test_height_change":
        if values[name] != constants[name]:
            flags += [f"--{name.replace('_', '-')}", str(values[name])]
    return shlex.join(["class_overlap.py", *flags])


def warn_of_copies(class_file, variants):
    """Warn if a class has equal test spectra; variants: split -> per class a list of Variant."""
    told = []
    for split, of_classes in variants.items():
        if copies := count_copies(of_classes, class_file.heights):
            told.append(f"{copies} of {sum(map(len, of_classes))} spectra of {split}")
    if told:
        warn(
            f"{' and '.join(told)} are copies of others, as variation does not change them: a copy "
            f"tells nothing new, but counts as one more spectrum"
        )


if __name__ == "__main__":
    run_script(sys.modules[__name__], main)
