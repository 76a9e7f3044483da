"""Define artificial spectral classes and write them to a class file.

A class is a pattern of peaks: positions in datapoints and heights relative to the highest peak.
The defaults reproduce the class file of Schuetzke, Szymanski and Reischl, "A universal synthetic
dataset for machine learning on spectroscopic data" (2022), byte for byte.

    python dataset_config_generator.py
    python dataset_config_generator.py --classes 100 --seed 1 --output dataset_configs/mine.json

This file also holds what all scripts share: the class file reader, command-line flags, errors in
one sentence, and files that are replaced as a whole or not at all.
"""

import argparse
import hashlib
import json
import os
import secrets
import signal
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from types import NoneType, SimpleNamespace, UnionType
from typing import Annotated, Literal, NamedTuple, get_args, get_origin, get_type_hints

import numpy as np

# Spectra
DATAPOINTS: Annotated[int, "Datapoints per spectrum."] = 5000
BOUNDARY: Annotated[int, "No peak lies closer than this many datapoints to either end."] = 100

# Classes
CLASSES: Annotated[int, "Number of classes."] = 500
MIN_PEAKS: Annotated[int, "Fewest peaks of a class."] = 2
MAX_PEAKS: Annotated[int, "Most peaks of a class."] = 10
MIN_HEIGHT: Annotated[int, "Lowest height drawn, before division by the highest."] = 0
MAX_HEIGHT: Annotated[int, "Largest height drawn, before division by the highest."] = 100
PEAK_COUNT_DISTRIBUTION: Annotated[
    Literal["uniform", "gamma"],
    "Distribution of the peak count: 'uniform', or 'gamma', which favours few peaks.",
] = "uniform"
AVOID_OVERLAP: Annotated[
    bool, "Redraw classes that variation could turn into an earlier one (see class_overlap.py)."
] = False

# Run
SEED: Annotated[int, "Seed of the random generator."] = 2022
OUTPUT: Annotated[str, "Class file to write."] = "dataset_configs/dataset500.json"

# Peaks beyond MIN_PEAKS when the count is gamma-distributed (doi 10.1038/s41524-023-01055-y).
GAMMA_SHAPE = 1.2
GAMMA_SCALE = 1.2

TRIES = 1000  # draws of one class before AVOID_OVERLAP gives up
LARGEST = 10**9  # of all whole numbers that are lengths, counts or heights


def main(settings):
    parameters = dict(vars(settings))
    output = Path(parameters.pop("output"))
    config = draw_classes(**parameters)
    content = json.dumps(config).encode()
    if str(output) == OUTPUT and output.exists() and output.read_bytes() != content:
        raise InputError(
            f"{output} holds other classes; choose another OUTPUT, or delete it to replace it"
        )
    with replace_file(output) as file:
        file.write(content)
    peaks = sum(len(spectrum["peak_positions"]) for spectrum in config["spectra"].values())
    print(f"{output}: {settings.classes} classes, {peaks} peaks")
    print(f"sha256 {hashlib.sha256(content).hexdigest()}")


def draw_classes(
    datapoints=DATAPOINTS,
    boundary=BOUNDARY,
    classes=CLASSES,
    min_peaks=MIN_PEAKS,
    max_peaks=MAX_PEAKS,
    min_height=MIN_HEIGHT,
    max_height=MAX_HEIGHT,
    peak_count_distribution=PEAK_COUNT_DISTRIBUTION,
    avoid_overlap=AVOID_OVERLAP,
    seed=SEED,
):
    """Draw the peak positions and heights of all classes.

    Parameters are those of the constants of the same name at the top of this file; lengths are in
    datapoints, `min_height` and `max_height` are whole numbers and both included.

    Returns the content of a class file as a dict: the parameters, and under "spectra" for each
    class ("0", "1", ...) its "peak_positions" (ints, ascending) and "peak_heights" (floats, the
    highest is 1, three decimals).

    Raises InputError if the parameters contradict each other, or if `avoid_overlap` cannot be met.

    Source: the paper's dataset section (2022) for "uniform"; "gamma" follows the authors' second
    paper, npj Computational Materials 9 (2023), doi 10.1038/s41524-023-01055-y.
    """
    require(classes >= 1, "CLASSES", classes, "a whole number from 1 on")
    require(boundary >= 0, "BOUNDARY", boundary, "0 or more datapoints")
    require(
        datapoints > 2 * boundary,
        "DATAPOINTS",
        datapoints,
        f"more than twice BOUNDARY, which is {boundary}",
    )
    require(min_peaks >= 1, "MIN_PEAKS", min_peaks, "a whole number from 1 on")
    require(
        max_peaks >= min_peaks, "MAX_PEAKS", max_peaks, f"at least MIN_PEAKS, which is {min_peaks}"
    )
    require(min_height >= 0, "MIN_HEIGHT", min_height, "0 or more")
    require(
        max_height >= max(min_height, 1),
        "MAX_HEIGHT",
        max_height,
        f"at least 1 and at least MIN_HEIGHT, which is {min_height}",
    )
    require(
        peak_count_distribution in ("uniform", "gamma"),
        "PEAK_COUNT_DISTRIBUTION",
        peak_count_distribution,
        "'uniform' or 'gamma'",
    )
    require(seed >= 0, "SEED", seed, "0 or more")
    for name, value in (
        ("DATAPOINTS", datapoints),
        ("CLASSES", classes),
        ("MAX_PEAKS", max_peaks),
        ("MAX_HEIGHT", max_height),
    ):
        require(value <= LARGEST, name, value, f"at most {LARGEST}")
    rng = np.random.default_rng(seed)

    def draw_class():
        if peak_count_distribution == "gamma":
            peaks = round(rng.gamma(GAMMA_SHAPE, GAMMA_SCALE) + min_peaks)
        else:
            peaks = rng.integers(min_peaks, max_peaks, endpoint=True)
        positions = rng.integers(boundary, datapoints - boundary, peaks)[:max_peaks]
        heights = rng.integers(min_height, max_height, peaks, endpoint=True)[:max_peaks]
        while not heights.any():  # has no highest peak to be relative to
            heights = rng.integers(min_height, max_height, peaks, endpoint=True)[:max_peaks]
        heights = np.round(heights / heights.max(), 3)
        order = np.argsort(positions, kind="stable")
        return positions[order], heights[order]

    drawn = (
        distinct_classes(draw_class, classes, max_peaks)
        if avoid_overlap
        else [draw_class() for _ in range(classes)]
    )
    spectra = {
        str(label): {"peak_positions": positions.tolist(), "peak_heights": heights.tolist()}
        for label, (positions, heights) in enumerate(drawn)
    }
    return {
        "datapoints": datapoints,
        "boundary": boundary,
        "classes": classes,
        "min_peaks": min_peaks,
        "max_peaks": max_peaks,
        "max_height": max_height,
        "spectra": spectra,
    }


def distinct_classes(draw_class, classes, max_peaks):
    """Draw classes, each again and again until it overlaps no earlier one.

    Overlap is meant as in class_overlap.py, with the variation limits of spectra_from_config.py
    and of both its test splits.
    """
    from class_overlap import Limits, overlaps_any, tabulate
    from spectra_from_config import WIDE_TEST_HEIGHT_CHANGE

    both = Limits(), Limits(test_height_change=WIDE_TEST_HEIGHT_CHANGE)
    drawn = []
    positions, heights = tabulate(
        [np.array([], int)] * classes, [np.array([])] * classes, max_peaks
    )
    for label in range(classes):
        for _ in range(TRIES):
            new = draw_class()
            earlier = positions[:label], heights[:label]
            if not any(overlaps_any(*new, earlier, limits) for limits in both):
                break
        else:
            raise InputError(
                f"CLASSES is {classes}, but the spectrum is too short for so many: class {label} "
                f"still overlaps an earlier one after {TRIES} tries"
            )
        drawn.append(new)
        for table, row in zip((positions, heights), tabulate(*zip(new), max_peaks), strict=True):
            table[label] = row[0]
    return drawn


class ClassFile(NamedTuple):
    """The classes of a class file, as `read_class_file` returns them."""

    datapoints: int
    positions: list  # per class: int64 array (peaks,), in datapoints
    heights: list  # per class: float64 array (peaks,), relative to the highest peak
    sha256: str


def read_class_file(path):
    """Read and check a class file.

    Required are "datapoints", "classes" and "spectra"; "boundary", "min_peaks" and "max_peaks" are
    held against the spectra where the file has them.

    Returns a ClassFile. Raises InputError naming the file, the class, the field, the value and
    what is accepted.
    """
    try:
        content = Path(path).read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(
            f"class file {path} does not exist; dataset_config_generator.py writes one"
        ) from None
    try:
        config = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no class file: not valid JSON ({error})") from None
    if not isinstance(config, dict):
        raise InputError(f"{path} is no class file: expected a JSON object, found a list or value")

    def whole_number(field, lowest, default=None):
        value = config.get(field, default)
        if not is_whole(value) or not lowest <= value <= LARGEST:
            raise InputError(f"{path}: {field} is {value!r}, accepted: a whole number >= {lowest}")
        return value

    datapoints = whole_number("datapoints", 1)
    classes = whole_number("classes", 1)
    boundary = whole_number("boundary", 0, default=0)
    min_peaks = whole_number("min_peaks", 1, default=1)
    max_peaks = whole_number("max_peaks", 1, default=LARGEST)
    spectra = config.get("spectra")
    if not isinstance(spectra, dict) or list(spectra) != [str(i) for i in range(classes)]:
        raise InputError(
            f'{path}: spectra must map "0", "1", ... to one pattern for each of the {classes} '
            f"classes, in this order"
        )
    positions, heights = [], []
    for label, spectrum in spectra.items():
        where = f"{path}: class {label}"
        if not isinstance(spectrum, dict):
            raise InputError(f"{where} is {spectrum!r}, accepted: an object with peak_positions")
        for field in ("peak_positions", "peak_heights"):
            if not isinstance(spectrum.get(field), list):
                raise InputError(f"{where}: {field} is {spectrum.get(field)!r}, accepted: a list")
        xs, hs = spectrum["peak_positions"], spectrum["peak_heights"]
        if len(xs) != len(hs):
            raise InputError(f"{where} has {len(xs)} peak_positions but {len(hs)} peak_heights")
        if not min_peaks <= len(xs) <= max_peaks:
            most = "any number" if max_peaks == LARGEST else max_peaks
            raise InputError(f"{where} has {len(xs)} peaks, accepted: {min_peaks} to {most}")
        for x in xs:
            if not is_whole(x) or not boundary <= x < datapoints - boundary:
                raise InputError(
                    f"{where}: peak position {x!r}, accepted: whole numbers from {boundary} to "
                    f"{datapoints - boundary - 1}"
                )
        for h in hs:
            if not (is_whole(h) or isinstance(h, float)) or not 0 <= h <= 1:
                raise InputError(f"{where}: peak height {h!r}, accepted: numbers from 0 to 1")
        if max(hs) != 1:
            raise InputError(
                f"{where}: the highest peak has height {max(hs)}, accepted: 1 (heights are "
                f"relative to it)"
            )
        positions.append(np.array(xs, np.int64))
        heights.append(np.array(hs, np.float64))
    return ClassFile(datapoints, positions, heights, hashlib.sha256(content).hexdigest())


def is_whole(value):
    return isinstance(value, int) and not isinstance(value, bool)


class InputError(ValueError):
    """Bad input, told in one sentence: what is wrong, where, and what is accepted."""


def require(condition, name, value, accepted):
    if not condition:
        raise InputError(f"{name} is {value}, accepted: {accepted}")


def require_folder(name, path):
    require(Path(path).is_dir() or not Path(path).exists(), name, path, "a folder, not a file")


def run_script(script, main):
    """Call `main` with the script's constants as the command line overrides them.

    `settings.peak_count` holds PEAK_COUNT, and so on. Errors end in one sentence on standard
    error: exit status 2 for bad input, 1 for failures of the environment such as a full disk.
    """
    if os.getpid() == 1:  # in a container, where the kernel keeps SIGTERM from the first process
        signal.signal(signal.SIGTERM, lambda number, frame: os._exit(128 + number))
    for stream in sys.stdout, sys.stderr:  # a terminal without, say, ± is no reason to fail
        stream.reconfigure(errors="replace")
    settings = parse_flags(script)
    try:
        status = main(settings)
        flush_output()
    except InputError as error:
        message, status = error, 2
    except MemoryError as error:
        message, status = f"out of memory: {error}", 1
    except OSError as error:
        message = error.strerror or error
        if error.filename is not None:
            message = f"{error.filename}: {message}"
        status = 1
    except KeyboardInterrupt:
        message, status = "interrupted", 130
    else:
        sys.exit(status)
    print(f"{Path(script.__file__).name}: error: {message}", file=sys.stderr)
    with suppress(OSError):
        flush_output()
    sys.exit(status)


def flush_output():
    """Write what standard output still holds; Python would do so later, and fail with a trace."""
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        error.filename = "standard output"
        raise


def parse_flags(script, arguments=None):
    """Return the annotated UPPER_CASE constants of a script module, overridden by its flags.

    A constant `NAME: Annotated[TYPE, "Sentence."] = VALUE` becomes the flag `--name`, typed, with
    the sentence as its help. Returns a namespace with lower-case names.
    """
    parser = OneSentenceParser(
        prog=Path(script.__file__).name,
        description=script.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for name, hint in get_type_hints(script, include_extras=True).items():
        if name.isupper() and get_origin(hint) is Annotated:
            kind, sentence = get_args(hint)
            default = getattr(script, name)
            shown = " ".join(map(str, default)) if isinstance(default, tuple) else default
            parser.add_argument(
                "--" + name.lower().replace("_", "-"),
                default=default,
                help=sentence if default is None else f"{sentence} [{shown}]",
                **flag_options(kind),
            )
    settings = parser.parse_args(arguments)
    return SimpleNamespace(
        **{k: tuple(v) if isinstance(v, list) else v for k, v in vars(settings).items()}
    )


class OneSentenceParser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"{self.prog}: error: {message} (--help lists the flags)\n")


def flag_options(kind):
    if get_origin(kind) is UnionType:
        (kind,) = (member for member in get_args(kind) if member is not NoneType)
    if kind is bool:
        return {"action": argparse.BooleanOptionalAction}
    if get_origin(kind) is Literal:
        return {"choices": get_args(kind)}
    if get_origin(kind) is tuple:
        item, last = get_args(kind)
        return flag_options(item) | {"nargs": "+" if last is Ellipsis else 2}
    what = {int: "a whole number", float: "a number", str: "text"}[kind]

    def convert(text):
        try:
            return kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not {what}") from None

    return {"type": convert, "metavar": kind.__name__.upper()}


@contextmanager
def replace_file(path):
    """Open a new binary file that takes the place of `path` once it is complete on disk.

    Whatever interrupts the writing, `path` holds its old content or all of the new one. A symbolic
    link stays one; a device or pipe, which nothing can replace, is written to.
    """
    path = Path(path)
    if path.is_symlink():
        path = path.resolve()
    if path.is_dir():
        raise InputError(f"{str(path)!r} is a folder, accepted: the name of a file")
    if path.exists() and not path.is_file():
        with open(path, "wb") as file:
            yield file
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


if __name__ == "__main__":
    run_script(sys.modules[__name__], main)
