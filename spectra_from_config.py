"""Render the training, validation and test spectra of a class file.

    python spectra_from_config.py
    python spectra_from_config.py --config dataset_configs/quick.json --max-shift 2 --test-shift 1

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

import errno
import fcntl
import hashlib
import json
import math
import mmap
import multiprocessing
import os
import platform
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import cycle, product
from pathlib import Path
from queue import SimpleQueue
from typing import Annotated, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from tqdm import tqdm

from dataset_config_generator import (
    LARGEST,
    InputError,
    read_class_file,
    replace_file,
    require,
    require_folder,
    run_script,
)

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
WORKERS: Annotated[int | None, "Processes that render; by default one per processor core."] = None
VERIFY: Annotated[bool, "Check the dataset folder against dataset.json, render nothing."] = False

SPECTRUM_TYPE = np.dtype("<f4")
TRUNCATE = 4  # a Gaussian ends this many sigma from its centre
HASH_PIECE = 2**26  # bytes
OVERLAP_CLASSES = 5000  # with more, overlap is left to class_overlap.py: pairs grow quadratically
TEST_VARIANTS = 9  # per class: three height changes times three shifts
BLOCK = 500_000  # datapoints rendered at once, few enough to stay in the processor's cache


def main(settings):
    parameters = dict(vars(settings))
    config = parameters.pop("config")
    output = Path(parameters.pop("output") or Path("datasets", Path(config).stem))
    if parameters.pop("verify"):
        return verify(output)
    if parameters["workers"] is None:
        parameters["workers"] = available_cores()
    card = render_dataset(config, output, **parameters)
    for split in card["splits"]:
        print(f"{split:10}{card['files'][f'x_{split}.npy']['shape'][0]:>8} spectra")
    if card["overlap"] is None:
        message = f"not looked for among more than {OVERLAP_CLASSES}; class_overlap.py does"
        print(f"overlapping classes: {message}", file=sys.stderr)
    elif any(overlap["pairs"] for overlap in card["overlap"].values()):
        counts = (
            f"{overlap['ambiguous_test_spectra']} spectra of {split}"
            for split, overlap in card["overlap"].items()
        )
        print(
            f"warning: classes overlap, {' and '.join(counts)} are ambiguous; class_overlap.py "
            f"lists them",
            file=sys.stderr,
        )
    print(f"{output}: checksum {card['checksum']}")
    return None


def available_cores():
    if hasattr(os, "sched_getaffinity"):  # what a container or a cluster's scheduler grants
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def verify(folder):
    """Hold the hashes of all files against dataset.json; print the first that differs."""
    card = read_dataset(folder).card
    if card is None:
        raise InputError(f"{folder} has no dataset.json to verify it against")
    for name, entry in tqdm(card["files"].items(), "verifying", unit="file", disable=None):
        if sha256_of(folder / name) != entry["sha256"]:
            raise InputError(f"{folder}/{name} is not the file that dataset.json records")
    print(f"{folder}: {len(card['files'])} files intact, checksum {checksum(card['files'])}")


class Parameters(NamedTuple):
    """What a dataset depends on beside its class file; see the constants of the same names."""

    n_train: int = N_TRAIN
    n_val: int = N_VAL
    max_shift: int = MAX_SHIFT
    max_height_change: float = MAX_HEIGHT_CHANGE
    kernel_range: tuple[float, float] = KERNEL_RANGE
    test_shift: int = TEST_SHIFT
    test_height_change: float = TEST_HEIGHT_CHANGE
    wide_test_height_change: float = WIDE_TEST_HEIGHT_CHANGE
    test_kernel: float = TEST_KERNEL
    seed: int = SEED


def render_dataset(config, output, workers=1, **parameters):
    """Render all splits of a class file into the dataset folder `output`.

    workers: number of processes; parameters: those of `Parameters`. Files of the same names in the
    folder are replaced once all new ones are complete.

    Returns the content of dataset.json. Raises InputError for a bad class file or parameter, and if
    the folder holds arrays that were not rendered.
    """
    parameters = Parameters(**parameters)
    class_file = read_class_file(config)
    check_parameters(class_file, config, parameters)
    require(workers >= 1, "WORKERS", workers, "a whole number from 1 on")
    folder = Path(output)
    require_folder("OUTPUT", folder)
    folder.mkdir(parents=True, exist_ok=True)
    splits = variations(parameters)
    with one_writer(folder):
        refuse_own_arrays(folder, splits)
        try:
            blocks = plan(folder, class_file, splits)
            with (
                rendering(class_file, blocks, workers) as written,
                hashing(blocks) as (progressed, hashes),
            ):
                for block in tqdm(written, "rendering", len(blocks), unit="block", disable=None):
                    progressed(block)
                overlap = summarise_overlap(class_file, parameters)
            files = {}
            for name in (name for split in splits for name in names_of(split)):
                path = temporary(folder, name)
                sha256 = hashes[path].result() if path in hashes else sha256_of(path)
                files[name] = describe(path, sha256)
            card = {
                "complete": True,
                "class_file": {"name": Path(config).name, "sha256": class_file.sha256},
                "parameters": parameters._asdict(),
                "datapoints": class_file.datapoints,
                "classes": len(class_file.positions),
                "peaks": peak_statistics(class_file),
                "overlap": overlap,
                "splits": list(splits),
                "files": files,
                "checksum": checksum(files),
                "versions": {"python": platform.python_version(), "numpy": np.__version__},
            }
            # While the new files take their places, dataset.json says that they do not all fit.
            write_card(folder, {"complete": False})
            for name in files:
                temporary(folder, name).replace(folder / name)
            write_card(folder, card)
        except OSError as error:  # numpy's name no file
            error.filename = error.filename or str(folder)
            raise
        finally:
            for pattern in "*.npy.tmp", ".dataset.json.*.tmp":  # also of a render that was killed
                for path in folder.glob(pattern):
                    path.unlink()
    return card


def refuse_own_arrays(folder, splits):
    """Raise InputError rather than replace arrays without dataset.json, which somebody made."""
    names = [name for split in splits for name in names_of(split) if (folder / name).exists()]
    if names and not (folder / "dataset.json").exists():
        raise InputError(
            f"{folder}/{names[0]} is not replaced, as no dataset.json says that it was rendered; "
            f"choose another OUTPUT folder, or move your arrays away"
        )


def variations(parameters):
    """Return for each split the spectra per class and the function that varies a class."""
    p = parameters
    vary = partial(
        vary_at_random,
        max_shift=p.max_shift,
        max_height_change=p.max_height_change,
        kernel_range=p.kernel_range,
        seed=p.seed,
    )
    vary_test = partial(vary_for_test, shift=p.test_shift, kernel=p.test_kernel)
    return {
        "train": (p.n_train, partial(vary, spectra=p.n_train, stream=0)),
        "val": (p.n_val, partial(vary, spectra=p.n_val, stream=1)),
        "test": (TEST_VARIANTS, partial(vary_test, height_change=p.test_height_change)),
        "test_wide": (TEST_VARIANTS, partial(vary_test, height_change=p.wide_test_height_change)),
    }


def temporary(folder, name):
    return folder / f"{name}.tmp"


@contextmanager
def one_writer(folder):
    """Hold the folder's lock, which the system gives back when the process and its workers end."""
    with open(folder / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for another process that renders into {folder}", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def names_of(split):
    return f"x_{split}.npy", f"y_{split}.npy"


class Block(NamedTuple):
    """Some classes of a split, rendered at once, and their place in its file."""

    path: Path
    start: int  # first byte
    end: int  # byte after the last
    labels: range
    variation: Callable  # see `vary_at_random`


def plan(folder, class_file, splits):
    """Create the array files, write the labels, and divide the spectra into blocks.

    splits: name -> (spectra per class, function that varies a class, see `vary_at_random`).
    Returns a list of Block, file by file, in the order of their places.
    """
    classes, datapoints = len(class_file.positions), class_file.datapoints
    blocks = []
    for split, (per_class, variation) in splits.items():
        path, labels_path = (temporary(folder, name) for name in names_of(split))
        with open(labels_path, "wb") as file:
            np.save(file, np.repeat(np.arange(classes, dtype=np.int64), per_class))
        shape = classes * per_class, datapoints
        bytes_per_class = per_class * datapoints * SPECTRUM_TYPE.itemsize
        with open(path, "wb") as file:
            header = {"descr": SPECTRUM_TYPE.str, "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            offset = file.tell()
            # Reserved now, the disk cannot run full later, and ext4 renames without a pause.
            reserve(file, path, offset + classes * bytes_per_class)
        step = max(1, BLOCK // (per_class * datapoints))
        for first in range(0, classes, step):
            labels = range(first, min(first + step, classes))
            start, end = (offset + i * bytes_per_class for i in (labels.start, labels.stop))
            blocks.append(Block(path, start, end, labels, variation))
    return blocks


def reserve(file, path, size):
    """Allocate the file's space on disk. Raises OSError naming the path if there is too little."""
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:  # macOS
            file.truncate(size)
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror} ({size} bytes needed)", str(path)) from None


@contextmanager
def rendering(class_file, blocks, workers):
    """Write blocks in several processes. Yields an iterator over the blocks as they are written.

    It keeps their order, and raises the error that prevented one. A process whose parent was
    killed ends after its block.
    """
    started = []
    workers = min(workers, len(blocks))
    for worker in range(workers):
        receiver, sender = multiprocessing.Pipe(duplex=False)
        share = blocks[worker::workers]
        process = multiprocessing.Process(target=write_blocks, args=(class_file, share, sender))
        process.start()
        sender.close()
        started.append((process, receiver))

    def written():
        for block, (process, receiver) in zip(blocks, cycle(started)):
            try:
                error = receiver.recv()
            except EOFError:
                process.join()
                reason = f"a rendering process ended with status {process.exitcode}"
                error = OSError(errno.EIO, reason)
            if error is not None:
                raise error
            yield block

    try:
        yield written()
    finally:
        for process, receiver in started:
            receiver.close()
            process.join()


def write_blocks(class_file, blocks, sender):
    """Render blocks and write each to its place; after each one, send None or the error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the first process's business
    buffers = {}
    for block in blocks:
        error = None
        try:
            variants = draw_block(class_file, block.labels, block.variation)
            rest = memoryview(render(*variants, class_file.datapoints, buffers)).cast("B")
            with open(block.path, "r+b", buffering=0) as file:
                file.seek(block.start)
                while rest:
                    rest = rest[file.write(rest) :]
        except OSError as problem:
            error = OSError(problem.errno, problem.strerror, str(block.path))
        except MemoryError as problem:
            error = problem
        try:
            sender.send(error)
        except BrokenPipeError:
            return
        if error is not None:
            return


@contextmanager
def hashing(blocks):
    """Hash files while they are written: SHA-256 takes longer than rendering.

    Yields a function to call with each block once it is written, and a dict from path to the
    future of the hash.
    """
    ends = {block.path: SimpleQueue() for block in blocks}
    with ThreadPoolExecutor(2) as threads:
        try:
            yield (
                lambda block: ends[block.path].put(block.end),
                {
                    path: threads.submit(sha256_of, path, iter(q.get, None))
                    for path, q in ends.items()
                },
            )
        finally:
            for queue in ends.values():
                queue.put(None)


def describe(path, sha256):
    """Return what dataset.json records of an array file."""
    array = np.load(path, mmap_mode="r")
    return {
        "shape": list(array.shape),
        "dtype": str(array.dtype),
        "bytes": path.stat().st_size,
        "sha256": sha256,
    }


def sha256_of(path, ends=None):
    """Hash a file, mapped into memory piece by piece: that spares copying it.

    ends: for a file that is being written, up to which byte it is complete, again and again.
    """
    sha256 = hashlib.sha256()
    with open(path, "rb") as file:
        if ends is None:
            size = os.fstat(file.fileno()).st_size
            ends = [*range(HASH_PIECE, size, HASH_PIECE), size]
        start = 0
        for end in ends:
            page = start - start % mmap.ALLOCATIONGRANULARITY
            with (
                mmap.mmap(file.fileno(), end - page, access=mmap.ACCESS_READ, offset=page) as piece,
                memoryview(piece)[start - page :] as rest,
            ):
                sha256.update(rest)
            start = end
    return sha256.hexdigest()


def summarise_overlap(class_file, parameters):
    """Count overlapping classes and ambiguous spectra of both test splits, for dataset.json.

    Returns None, without counting, for more than OVERLAP_CLASSES classes.
    """
    if len(class_file.positions) > OVERLAP_CLASSES:
        return None
    from class_overlap import Limits, find_overlaps, summarise

    p = parameters
    return {
        split: summarise(
            find_overlaps(
                class_file.positions,
                class_file.heights,
                Limits(p.max_shift, p.max_height_change, p.test_shift, change),
            )
        )
        for split, change in (
            ("test", p.test_height_change),
            ("test_wide", p.wide_test_height_change),
        )
    }


def peak_statistics(class_file):
    counts = [len(positions) for positions in class_file.positions]
    positions = np.concatenate(class_file.positions)
    heights = np.concatenate(class_file.heights)
    return {
        "total": sum(counts),
        "per_class": {"min": min(counts), "mean": sum(counts) / len(counts), "max": max(counts)},
        "position": {"min": int(positions.min()), "max": int(positions.max())},
        "height": {"min": heights.min(), "mean": round(heights.mean(), 6), "max": heights.max()},
    }


def check_parameters(class_file, config, parameters):
    p = parameters
    for name in "n_train", "n_val":
        spectra = getattr(p, name)
        accepted = f"a whole number from 1 to {LARGEST}"
        require(1 <= spectra <= LARGEST, name.upper(), spectra, accepted)
    lowest = min(positions.min() for positions in class_file.positions)
    highest = max(positions.max() for positions in class_file.positions)
    room = min(lowest, class_file.datapoints - 1 - highest)
    accepted = f"0 to {room}, because {config} has a peak that close to an end of the spectrum"
    for name in "max_shift", "test_shift":
        shift = getattr(p, name)
        require(0 <= shift <= room, name.upper(), shift, accepted)
    for name in "max_height_change", "test_height_change", "wide_test_height_change":
        change = getattr(p, name)
        require(0 <= change < 1, name.upper(), change, "0 or more and less than 1")
    narrow, wide = p.kernel_range
    # Below 0.1 a Gaussian is a single datapoint, and at last no number.
    accepted = f"0.1 to {class_file.datapoints}"
    valid = 0.1 <= narrow <= wide <= class_file.datapoints
    require(valid, "KERNEL_RANGE", f"{narrow} {wide}", f"{accepted}, the smaller width first")
    valid = 0.1 <= p.test_kernel <= class_file.datapoints
    require(valid, "TEST_KERNEL", p.test_kernel, accepted)
    require(p.seed >= 0, "SEED", p.seed, "0 or more")


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


def render(positions, heights, sigmas, datapoints, buffers=None):
    """Render spectra as sums of Gaussians, each spectrum divided by its maximum.

    positions (spectra, peaks): integers in [0, datapoints); heights (spectra, peaks): 0 or more,
    and not all 0; sigmas (spectra,): above 0, in datapoints. A Gaussian is evaluated on the
    datapoint grid and ends at radius int(4 sigma + 0.5), as in scipy.ndimage.gaussian_filter1d
    (mode="constant", truncate=4) of the stick pattern.

    Returns float32 (spectra, datapoints). With `buffers`, a dict that the caller keeps, the
    memory of the last call is used again and its result overwritten.
    """
    buffers = {} if buffers is None else buffers
    kernels = gaussian_kernels(sigmas)
    width = kernels.shape[1]
    margin = width // 2
    spectra = reuse(buffers, "sums", (len(positions), datapoints + 2 * margin))
    spectra.fill(0)
    # Only the datapoints near a peak are touched: windows[i, p] is what a peak of spectrum i at
    # position p covers. One peak per spectrum at a time, so that no window is hit twice at once.
    windows = sliding_window_view(spectra, width, axis=1, writeable=True)
    heights = heights.astype(np.float32)
    for j in range(heights.shape[1]):
        rows = np.flatnonzero(heights[:, j])
        windows[rows, positions[rows, j]] += kernels[rows] * heights[rows, j, None]
    maxima = spectra.max(axis=1, keepdims=True)
    normalised = reuse(buffers, "normalised", (len(positions), datapoints))
    return np.divide(spectra[:, margin : margin + datapoints], maxima, out=normalised)


def reuse(buffers, name, shape):
    """Return an array in memory that was used before: fresh pages cost more than the rendering."""
    size = math.prod(shape)
    if name not in buffers or buffers[name].size < size:
        buffers[name] = np.empty(size, np.float32)
    return buffers[name][:size].reshape(shape)


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
    the spectra are the same bytes everywhere. Relative error below 1e-11 for x up to 32, that is
    sigma from 0.125 on; narrower Gaussians are single datapoints.
    """
    t = x / -1024
    power = 1 + t * (1 + t / 2 * (1 + t / 3 * (1 + t / 4 * (1 + t / 5 * (1 + t / 6)))))
    for _ in range(10):
        power = power * power
    return power


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
    if read_card(folder) != card:
        raise InputError(f"{folder} was rendered anew while it was being opened; try again")
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
    return Dataset(name_of(folder), datapoints, classes, splits, card)


def name_of(folder):
    """Return the name of a dataset folder as the user knows it: of a link, not of its target."""
    return Path(os.path.abspath(folder)).name  # noqa: PTH100, as resolve() follows links


def read_card(folder):
    """Return dataset.json of a folder, or None without one, after a look at the files' sizes."""
    path = folder / "dataset.json"
    if not path.exists():
        return None
    try:
        card = json.loads(path.read_bytes())
        complete = card["complete"]
        files = card["files"] if complete else {}
        sizes = {name: entry["bytes"] for name, entry in files.items()}
        texts = [entry["sha256"] for entry in files.values()]
        texts += [card["class_file"]["name"]] if complete else []
        if not all(isinstance(text, str) for text in texts):
            raise TypeError
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
        array = np.load(path, mmap_mode="r")
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except (ValueError, EOFError) as error:
        raise InputError(f"{path} is truncated or no .npy file ({error})") from None
    if not isinstance(array, np.ndarray):
        array.close()
        raise InputError(f"{path} is an archive of arrays, accepted: a .npy file, one array")
    return array


if __name__ == "__main__":
    run_script(sys.modules[__name__], main)
