"""Render the training, validation and test spectra of a class file.

    python spectra_from_config.py
    python spectra_from_config.py --config dataset_configs/quick.json --n-train 100

A spectrum is a sum of Gaussians, one per peak, divided by its maximum. Training and validation
spectra vary at random: every peak on its own in position and height, every spectrum in peak width.
Test spectra vary in nine fixed ways per class, in two splits: `test` changes heights by what the
paper's text says, `test_wide` ten times as much. The folder `datasets/NAME/` receives

    x_train.npy  y_train.npy  x_val.npy  y_val.npy  x_test.npy  y_test.npy
    x_test_wide.npy  y_test_wide.npy  dataset.json

with spectra as float32 (spectra, datapoints), class indices as int64 (spectra,), and in
dataset.json every parameter and the SHA-256 of every file.

Source: Schuetzke, Szymanski and Reischl, "A universal synthetic dataset for machine learning on
spectroscopic data" (2022), section on the dataset.
"""

import hashlib
import json
import platform
import sys
from functools import partial
from itertools import product
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from tqdm import tqdm

from dataset_config_generator import InputError, read_class_file, replace_file, require, run_script

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

# Test spectra
TEST_SHIFT: Annotated[int, "Shift of all peaks of a test spectrum, in datapoints."] = 25
TEST_HEIGHT_CHANGE: Annotated[float, "Height change of all but the highest peak in `test`."] = 0.02
WIDE_TEST_HEIGHT_CHANGE: Annotated[
    float, "Height change of all but the highest peak in `test_wide`."
] = 0.2
TEST_KERNEL: Annotated[float, "Gaussian width sigma of test spectra, in datapoints."] = 2

# Run
SEED: Annotated[int, "Seed of the random streams, one per split and class."] = 2022

TRUNCATE = 4  # a Gaussian ends this many sigma from its centre
TEST_VARIANTS = 9  # per class: three height changes times three shifts
BLOCK = 1_000_000  # datapoints rendered at once, few enough to stay in the processor's cache


def main(settings):
    parameters = dict(vars(settings))
    config = parameters.pop("config")
    output = parameters.pop("output") or Path("datasets", Path(config).stem)
    card = render_dataset(config, output, **parameters)
    for split in card["splits"]:
        print(f"{split:10}{card['files'][f'x_{split}.npy']['shape'][0]:>8} spectra")
    print(f"{output}: checksum {card['checksum']}")


def render_dataset(
    config,
    output,
    n_train=N_TRAIN,
    n_val=N_VAL,
    max_shift=MAX_SHIFT,
    max_height_change=MAX_HEIGHT_CHANGE,
    kernel_range=KERNEL_RANGE,
    test_shift=TEST_SHIFT,
    test_height_change=TEST_HEIGHT_CHANGE,
    wide_test_height_change=WIDE_TEST_HEIGHT_CHANGE,
    test_kernel=TEST_KERNEL,
    seed=SEED,
):
    """Render all splits of a class file into the dataset folder `output`.

    Parameters are those of the constants of the same name at the top of this file. Files of the
    same names in the folder are replaced once all new ones are complete.

    Returns the content of dataset.json. Raises InputError for a bad class file or parameter.
    """
    parameters = {k: v for k, v in locals().items() if k not in ("config", "output")}
    class_file = read_class_file(config)
    check_parameters(class_file, config, **parameters)
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)

    vary = partial(
        vary_at_random,
        max_shift=max_shift,
        max_height_change=max_height_change,
        kernel_range=kernel_range,
        seed=seed,
    )
    vary_test = partial(vary_for_test, shift=test_shift, kernel=test_kernel)
    splits = {
        "train": (n_train, partial(vary, spectra=n_train, stream=0)),
        "val": (n_val, partial(vary, spectra=n_val, stream=1)),
        "test": (TEST_VARIANTS, partial(vary_test, height_change=test_height_change)),
        "test_wide": (TEST_VARIANTS, partial(vary_test, height_change=wide_test_height_change)),
    }
    classes = len(class_file.positions)
    for split, (per_class, variation) in splits.items():
        x = np.lib.format.open_memmap(
            folder / f"x_{split}.npy.tmp",
            mode="w+",
            dtype=np.float32,
            shape=(classes * per_class, class_file.datapoints),
        )
        block = max(1, BLOCK // (per_class * class_file.datapoints))
        for first in tqdm(range(0, classes, block), f"rendering {split}", disable=None):
            labels = range(first, min(first + block, classes))
            rows = slice(labels.start * per_class, labels.stop * per_class)
            render(*draw_block(class_file, labels, variation), class_file.datapoints, out=x[rows])
        x.flush()
        with open(folder / f"y_{split}.npy.tmp", "wb") as file:
            np.save(file, np.repeat(np.arange(classes, dtype=np.int64), per_class))
    files = {
        f"{axis}_{split}.npy": describe_array(folder / f"{axis}_{split}.npy.tmp")
        for split in splits
        for axis in "xy"
    }
    card = {
        "complete": True,
        "class_file": {"name": Path(config).name, "sha256": class_file.sha256},
        "parameters": parameters,
        "datapoints": class_file.datapoints,
        "classes": classes,
        "splits": list(splits),
        "files": files,
        "checksum": checksum(files),
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
    }
    # While the new files take their places, dataset.json says that the folder is not complete.
    write_card(folder, {"complete": False})
    for name in files:
        (folder / f"{name}.tmp").replace(folder / name)
    write_card(folder, card)
    return card


def check_parameters(
    class_file,
    config,
    *,
    n_train,
    n_val,
    max_shift,
    max_height_change,
    kernel_range,
    test_shift,
    test_height_change,
    wide_test_height_change,
    test_kernel,
    seed,
):
    require(n_train >= 1, "N_TRAIN", n_train, "a whole number from 1 on")
    require(n_val >= 1, "N_VAL", n_val, "a whole number from 1 on")
    lowest = min(positions.min() for positions in class_file.positions)
    highest = max(positions.max() for positions in class_file.positions)
    room = min(lowest, class_file.datapoints - 1 - highest)
    for name, shift in ("MAX_SHIFT", max_shift), ("TEST_SHIFT", test_shift):
        accepted = f"0 to {room}, because {config} has a peak that close to an end of the spectrum"
        require(0 <= shift <= room, name, shift, accepted)
    for name, change in (
        ("MAX_HEIGHT_CHANGE", max_height_change),
        ("TEST_HEIGHT_CHANGE", test_height_change),
        ("WIDE_TEST_HEIGHT_CHANGE", wide_test_height_change),
    ):
        require(0 <= change < 1, name, change, "0 or more and less than 1")
    narrow, wide = kernel_range
    require(
        0 < narrow <= wide < np.inf,
        "KERNEL_RANGE",
        kernel_range,
        "two widths above 0, the smaller first",
    )
    require(0 < test_kernel < np.inf, "TEST_KERNEL", test_kernel, "a width above 0")
    require(seed >= 0, "SEED", seed, "0 or more")


def vary_at_random(
    positions, heights, label, spectra, stream, max_shift, max_height_change, kernel_range, seed
):
    """Vary a class as training and validation spectra vary.

    positions, heights: arrays (peaks,) of the ideal pattern. Every spectrum draws one row of
    uniform numbers from the random stream of (seed, stream, label): its width, then a shift for
    each peak (a whole number, both ends included), then a height change for each peak. So a
    class keeps its spectra when classes, or spectra per class, are added.

    Returns positions (spectra, peaks), heights (spectra, peaks) and widths sigma (spectra,).
    """
    sequence = np.random.SeedSequence(seed, spawn_key=(stream, label))
    peaks = len(positions)
    uniform = np.random.Generator(np.random.PCG64(sequence)).random((spectra, 1 + 2 * peaks))
    narrow, wide = kernel_range
    sigmas = narrow + (wide - narrow) * uniform[:, 0]
    shifts = np.floor((2 * max_shift + 1) * uniform[:, 1 : 1 + peaks]) - max_shift
    changes = max_height_change * (2 * uniform[:, 1 + peaks :] - 1)
    return positions + shifts.astype(np.int64), np.maximum(heights + changes, 0), sigmas


def vary_for_test(positions, heights, label, shift, height_change, kernel):
    """Vary a class as test spectra vary, in nine fixed ways of which the first is the ideal.

    Height changes {0, +, -} of all but the highest peak are outermost, shifts {0, -, +} of all
    peaks innermost. Arguments and results are shaped as those of `vary_at_random`.
    """
    changes, shifts = np.transpose(
        list(product((0, height_change, -height_change), (0, -shift, shift)))
    )
    varied = np.maximum(heights + changes[:, None], 0)
    return (
        positions + shifts[:, None].astype(np.int64),
        np.where(heights < 1, varied, heights),
        np.full(TEST_VARIANTS, kernel, np.float64),
    )


def draw_block(class_file, labels, variation):
    """Vary several classes; rows with fewer peaks than others are filled up with height 0."""
    drawn = [variation(class_file.positions[i], class_file.heights[i], i) for i in labels]
    shape = sum(len(p) for p, _, _ in drawn), max(p.shape[1] for p, _, _ in drawn)
    positions, heights = np.zeros(shape, np.int64), np.zeros(shape)
    row = 0
    for class_positions, class_heights, _ in drawn:
        spectra, peaks = class_positions.shape
        positions[row : row + spectra, :peaks] = class_positions
        heights[row : row + spectra, :peaks] = class_heights
        row += spectra
    return positions, heights, np.concatenate([sigmas for _, _, sigmas in drawn])


def render(positions, heights, sigmas, datapoints, out=None):
    """Render spectra as sums of Gaussians, each spectrum divided by its maximum.

    positions (spectra, peaks): integers in [0, datapoints); heights (spectra, peaks): 0 or more,
    and not all 0; sigmas (spectra,): above 0, in datapoints. A Gaussian is evaluated on the
    datapoint grid and ends at radius int(4 sigma + 0.5), as in scipy.ndimage.gaussian_filter1d
    (mode="constant", truncate=4) of the stick pattern.

    Returns float32 (spectra, datapoints), in `out` if given.
    """
    kernels = gaussian_kernels(sigmas)
    width = kernels.shape[1]
    margin = width // 2
    spectra = np.zeros((len(positions), datapoints + 2 * margin), np.float32)
    # Only the datapoints near a peak are touched: windows[i, p] is what a peak of spectrum i at
    # position p covers. One peak per spectrum at a time, so that no window is hit twice at once.
    windows = sliding_window_view(spectra, width, axis=1, writeable=True)
    heights = heights.astype(np.float32)
    peaks = [(np.flatnonzero(heights[:, j]), j) for j in range(heights.shape[1])]
    for rows, j in peaks:
        windows[rows, positions[rows, j]] += kernels[rows] * heights[rows, j, None]
    maxima = np.zeros(len(spectra), np.float32)
    for rows, j in peaks:
        highest = windows[rows, positions[rows, j]].max(axis=1)
        maxima[rows] = np.maximum(maxima[rows], highest)
    return np.divide(spectra[:, margin : margin + datapoints], maxima[:, None], out=out)


def gaussian_kernels(sigmas):
    """Sample exp(-d^2 / (2 sigma^2)) for whole numbers d, 0 beyond radius int(4 sigma + 0.5).

    Returns float32 (len(sigmas), 2 * largest radius + 1). From q = exp(-1 / (2 sigma^2)) follow
    all samples q^(d^2) by multiplication.
    """
    radii = (TRUNCATE * sigmas + 0.5).astype(np.int64)
    largest = radii.max()
    ratio = exp_of_negative(0.5 / sigmas**2)
    step = ratio**2
    right = np.ones((largest + 1, len(sigmas)))
    for d in range(1, largest + 1):
        right[d] = right[d - 1] * ratio
        ratio *= step
    right[np.arange(largest + 1)[:, None] > radii] = 0
    return np.concatenate([right[:0:-1], right]).T.astype(np.float32, order="C")


def exp_of_negative(x):
    """exp(-x) from additions and multiplications alone.

    numpy's exp differs in the last bit between processors; these operations do not, and with them
    the spectra are the same bytes everywhere. Relative error below 1e-12 for x up to 50.
    """
    t = x / -1024
    power = 1 + t * (1 + t / 2 * (1 + t / 3 * (1 + t / 4 * (1 + t / 5 * (1 + t / 6)))))
    for _ in range(10):
        power = power * power
    return power


def describe_array(path):
    """Return shape, dtype, size and SHA-256 of a .npy file, for dataset.json."""
    array = np.load(path, mmap_mode="r")
    with open(path, "rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "shape": list(array.shape),
        "dtype": str(array.dtype),
        "bytes": path.stat().st_size,
        "sha256": sha256,
    }


def checksum(files):
    """SHA-256 over all files: what `LC_ALL=C sha256sum *.npy | sha256sum` prints in the folder."""
    lines = (f"{files[name]['sha256']}  {name}\n" for name in sorted(files))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def write_card(folder, card):
    with replace_file(folder / "dataset.json") as file:
        file.write(json.dumps(card, indent=2).encode() + b"\n")


class Dataset(NamedTuple):
    """A dataset folder, as `read_dataset` returns it."""

    name: str
    datapoints: int
    classes: int
    splits: dict  # name: (spectra (n, datapoints), labels (n,)), memory-mapped
    card: dict | None  # content of dataset.json; None for arrays of one's own


def read_dataset(folder):
    """Open the arrays of a dataset folder and check that they fit together.

    Needed are x_train.npy, y_train.npy, x_val.npy and y_val.npy; every x_test*.npy with its labels
    is a test split. Spectra are real numbers (spectra, datapoints), labels are class indices
    (spectra,). If the folder holds a dataset.json, the files have the sizes it records.

    Returns a Dataset with "train" first, "val" second. Raises InputError naming the file and what
    is accepted.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(
            f"dataset folder {folder} does not exist; spectra_from_config.py writes one"
        )
    card = read_card(folder)
    tests = sorted(path.stem.removeprefix("x_") for path in folder.glob("x_test*.npy"))
    splits = {}
    for name in ["train", "val", *tests]:
        x, y = (open_array(folder / f"{axis}_{name}.npy") for axis in "xy")
        if x.ndim != 2 or x.dtype.kind not in "fiu" or 0 in x.shape:
            raise InputError(
                f"{folder}/x_{name}.npy has shape {x.shape} and type {x.dtype}, accepted: real "
                f"numbers (spectra, datapoints)"
            )
        if y.ndim != 1 or y.dtype.kind not in "iu":
            raise InputError(
                f"{folder}/y_{name}.npy has shape {y.shape} and type {y.dtype}, accepted: class "
                f"indices (spectra,) as integers"
            )
        if len(x) != len(y):
            raise InputError(f"{folder}: x_{name}.npy has {len(x)} spectra, y_{name}.npy {len(y)}")
        splits[name] = x, y
    x_train, y_train = splits["train"]
    datapoints = x_train.shape[1]
    classes = int(y_train.max()) + 1
    for name, (x, y) in splits.items():
        if x.shape[1] != datapoints:
            raise InputError(
                f"{folder}/x_{name}.npy has {x.shape[1]} datapoints, accepted: {datapoints}, as in "
                f"x_train.npy"
            )
        if y.min() < 0 or y.max() >= classes:
            wrong = y.min() if y.min() < 0 else y.max()
            raise InputError(
                f"{folder}/y_{name}.npy holds the label {wrong}, accepted: 0 to {classes - 1}, the "
                f"classes of y_train.npy"
            )
    return Dataset(folder.resolve().name, datapoints, classes, splits, card)


def read_card(folder):
    """Return dataset.json of a folder, or None without one, after a look at the files' sizes."""
    path = folder / "dataset.json"
    if not path.exists():
        return None
    try:
        card = json.loads(path.read_bytes())
        complete = card["complete"]
        sizes = {name: entry["bytes"] for name, entry in card["files"].items()} if complete else {}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise InputError(
            f"{path} is not what spectra_from_config.py writes; render again"
        ) from None
    if not complete:
        raise InputError(f"{folder} was left unfinished; run spectra_from_config.py again")
    for name, size in sizes.items():
        found = (folder / name).stat().st_size if (folder / name).exists() else "missing"
        if found != size:
            raise InputError(
                f"{folder}/{name} is {found} where dataset.json records {size} bytes; render "
                f"again, or delete dataset.json if these arrays are your own"
            )
    return card


def open_array(path):
    try:
        return np.load(path, mmap_mode="r")
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except (ValueError, EOFError) as error:
        raise InputError(f"{path} is truncated or no .npy file ({error})") from None


if __name__ == "__main__":
    run_script(sys.modules[__name__], main)
