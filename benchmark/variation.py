"""The variation of a dataset: what rendering depends on beside the class file, and its record."""

from typing import NamedTuple

from benchmark.artefacts import Artefacts, check_artefacts, faults_of_artefacts, those_on
from benchmark.command_line import LARGEST, InputError, require
from benchmark.files import is_number, is_whole

WRITER = "spectra_from_config.py"


class Variation(NamedTuple):
    """What a rendered dataset depends on beside its class file.

    The fields are the constants of spectra_from_config.py of the same names.
    """

    n_train: int
    n_val: int
    max_shift: int
    max_height_change: float
    kernel_range: tuple[float, float]
    test_shift: int
    test_height_change: float
    wide_test_height_change: float
    test_kernel: float
    seed: int
    vary_highest: bool = True  # what follows is as here in datasets that do not record it
    wide_test: bool = True
    artefacts: Artefacts | None = None  # of training and validation spectra; None: all are off


def with_wide_test(variation, class_file):
    """Decide where WIDE_TEST is None: `test_wide` is for classes without own variants."""
    if variation.wide_test is None:
        return variation._replace(wide_test=not class_file.test_variants)
    return variation


def check_variation(class_file, config, variation):
    """Raise InputError for a value that is not accepted; config: the class file's name."""
    for name in "n_train", "n_val":
        spectra = getattr(variation, name)
        accepted = f"a whole number from 1 to {LARGEST}"
        require(1 <= spectra <= LARGEST, name.upper(), spectra, accepted)
    lowest = min(positions.min() for positions in class_file.positions)
    highest = max(positions.max() for positions in class_file.positions)
    room = min(lowest, class_file.datapoints - 1 - highest)
    accepted = f"0 to {room}, because {config} has a peak that close to an end of the spectrum"
    for name in "max_shift", "test_shift":
        shift = getattr(variation, name)
        require(0 <= shift <= room, name.upper(), shift, accepted)
    for name in "max_height_change", "test_height_change", "wide_test_height_change":
        change = getattr(variation, name)
        require(0 <= change < 1, name.upper(), change, "0 or more and less than 1")
    narrow, wide = variation.kernel_range
    # Below 0.1 a Gaussian is a single datapoint, and at last not a number.
    accepted = f"0.1 to {class_file.datapoints}"
    valid = 0.1 <= narrow <= wide <= class_file.datapoints
    require(valid, "KERNEL_RANGE", f"{narrow} {wide}", f"{accepted}, the smaller width first")
    valid = 0.1 <= variation.test_kernel <= class_file.datapoints
    require(valid, "TEST_KERNEL", variation.test_kernel, accepted)
    seed = variation.seed
    require(0 <= seed < 2**63, "SEED", seed, "0 or more, below 2 to the power 63")
    if variation.artefacts:
        check_artefacts(variation.artefacts, class_file, config, variation)


def faults_of_variation(recorded):
    fields, optional = set(Variation._fields), Variation._field_defaults.keys()
    if not isinstance(recorded, dict) or not fields - optional <= recorded.keys() <= fields:
        yield f"variation does not hold {', '.join(Variation._fields)}"
        return
    numbers = dict(recorded)
    yield from faults_of_recorded_artefacts(numbers.pop("artefacts", None))
    for name in "vary_highest", "wide_test":
        value = numbers.pop(name, True)
        if not isinstance(value, bool):
            yield f"{name} is {value}"
    widths = numbers.pop("kernel_range")
    valid = isinstance(widths, list) and len(widths) == 2
    if not valid or not all(is_number(width, 0.1, LARGEST) for width in widths):
        yield f"kernel_range is {widths}"
    for name, value in numbers.items():
        if not fits_number(value, name):
            yield f"{name} is {value}"


def fits_number(value, name):
    """Tell whether a value of a JSON file may be this field of Variation."""
    if name in ("n_train", "n_val"):
        return is_whole(value, 1)
    if name in ("max_shift", "test_shift"):
        return is_whole(value, 0)
    if name == "seed":
        return is_whole(value, 0, 2**63 - 1)
    if name == "test_kernel":
        return is_number(value, 0.1, LARGEST)
    return is_number(value, 0) and value < 1  # a change of heights


def faults_of_recorded_artefacts(recorded):
    if recorded is None:
        return
    if not isinstance(recorded, dict) or not recorded.keys() <= set(Artefacts._fields):
        yield f"artefacts are {recorded}"
        return
    wrong = [name for name, value in recorded.items() if not fits_artefact(value, name)]
    for name in wrong:
        yield f"{name} is {recorded[name]}"
    if not wrong:
        for name, value, accepted in faults_of_artefacts(read_artefacts(recorded)):
            yield f"{name} is {value}, accepted: {accepted}"


def fits_artefact(value, name):
    """Tell whether a value of a JSON file has the type of this field of Artefacts."""
    kind = Artefacts.__annotations__[name]
    if kind in (str, float):
        return isinstance(value, str) if kind is str else is_number(value, 0)
    whole = kind == tuple[int, int]
    accepts = is_whole if whole else is_number
    return isinstance(value, list) and len(value) == 2 and all(accepts(end, 0) for end in value)


def variation_of(card):
    """Return the Variation that a dataset.json, or a run's description of it, records.

    Raises InputError if it does not hold one.
    """
    recorded = card.get("variation")
    for reason in faults_of_variation(recorded):
        raise InputError(f"the dataset is not one that {WRITER} renders: {reason}")
    return Variation(**recorded)._replace(
        kernel_range=tuple(recorded["kernel_range"]),
        artefacts=read_artefacts(recorded.get("artefacts")),
    )


def read_artefacts(recorded):
    """Return the Artefacts that JSON records; None for None."""
    if recorded is None:
        return None
    return Artefacts(
        **{name: tuple(v) if isinstance(v, list) else v for name, v in recorded.items()}
    )


def record_of_variation(variation):
    """Return what JSON files hold of a Variation; of its artefacts, only what is on."""
    record = variation._asdict()
    artefacts = those_on(record.pop("artefacts"))
    return record | ({"artefacts": artefacts} if artefacts else {})


def constants_text(values):
    """Return "NAME value, NAME value"; values: constant, in lower case -> its value."""
    return ", ".join(f"{name.upper()} {value_text(value)}" for name, value in values.items())


def value_text(value):
    """Return the value of a constant as its flag takes it; 2 and 2.0 read the same."""
    if isinstance(value, tuple):
        return " ".join(map(value_text, value))
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def differences(before, now):
    """Yield (field, one value, other value) for whatever differs between two Variations."""
    for name in Variation._fields:
        if name != "artefacts" and getattr(before, name) != getattr(now, name):
            yield name, getattr(before, name), getattr(now, name)
    one, other = (variation.artefacts or Artefacts() for variation in (before, now))
    for name in Artefacts._fields:
        if getattr(one, name) != getattr(other, name):
            yield name, getattr(one, name), getattr(other, name)
