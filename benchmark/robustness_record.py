"""What robustness.py records of a network or method: how it judged each artefact and severity."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmark.command_line import InputError
from benchmark.files import is_number, is_whole, read_json, write_json
from benchmark.severities import LADDER

WRITER = "robustness.py"
FOLDER = "robustness"
RECORD = "counts.json"
CLEAN = "none"  # the artefact of spectra without one


class Judged(NamedTuple):
    """How many test spectra with an artefact were misclassified."""

    artefact: str  # that of a Rung, or CLEAN
    severity: float
    settings: dict  # what `artefacts.those_on` returns

    @property
    def test(self):
        """What was judged: artefact, severity and settings."""
        return self[:3]

    misclassified: int


class Record(NamedTuple):
    """The content of a counts.json."""

    network: str  # or method
    seed: int | None  # None for methods without training
    depends_on: dict  # weights, settings and classes; a record of others is not gone on with
    spectra: int  # in each test
    judged: list  # of Judged, in the order of the ladder

    def is_complete(self, tests):
        """Tell whether these are judged, and nothing else; tests: list of `Judged.test`."""
        return [judged.test for judged in self.judged] == tests

    def accuracies(self):
        """Return artefact -> accuracies, float64 (severities,), and that of clean spectra."""
        accuracies = {}
        for judged in self.judged:
            right = 1 - judged.misclassified / self.spectra
            accuracies.setdefault(judged.artefact, []).append(right)
        return {artefact: np.array(values) for artefact, values in accuracies.items()}

    def mean_accuracy(self):
        """Return the mean over all artefacts and severities; clean spectra do not count."""
        accuracies = self.accuracies()
        return float(np.mean([accuracies[rung.artefact].mean() for rung in LADDER]))


def write_record(folder, record):
    content = record._asdict()
    content["judged"] = [judged._asdict() for judged in record.judged]
    write_json(Path(folder, RECORD), content)


def read_record(folder):
    """Read counts.json of a folder; None without one. Raises InputError naming the field."""
    path = Path(folder, RECORD)
    try:
        content = read_json(path, WRITER)
    except FileNotFoundError:
        return None
    for reason in faults_of(content):
        raise InputError(f"{path} is not what {WRITER} writes: {reason}; delete it to judge again")
    judged = [Judged(**entry) for entry in content.pop("judged")]
    return Record(**content, judged=[with_tuples(each) for each in judged])


def with_tuples(judged):
    """Return a Judged with the ranges of its settings as tuples, which JSON makes lists."""
    settings = {n: tuple(v) if isinstance(v, list) else v for n, v in judged.settings.items()}
    return judged._replace(settings=settings)


def faults_of(content):
    if content.keys() != set(Record._fields):
        yield f"it does not hold {', '.join(Record._fields)}"
        return
    if not isinstance(content["network"], str):
        yield f"network is {content['network']!r}"
    if content["seed"] is not None and not is_whole(content["seed"], 0, 2**32 - 1):
        yield f"seed is {content['seed']!r}"
    if not isinstance(content["depends_on"], dict):
        yield f"depends_on is {content['depends_on']!r}"
    if not is_whole(content["spectra"], 1, 2**63):
        yield f"spectra is {content['spectra']!r}"
    elif not isinstance(content["judged"], list):
        yield f"judged is {content['judged']!r}"
    else:
        for entry in content["judged"]:
            if not is_judged(entry, content["spectra"]):
                yield f"judged holds {entry!r}"


def is_judged(entry, spectra):
    if not isinstance(entry, dict) or entry.keys() != set(Judged._fields):
        return False
    texts = isinstance(entry["artefact"], str) and isinstance(entry["settings"], dict)
    numbers = is_number(entry["severity"], 0) and is_whole(entry["misclassified"], 0, spectra)
    return texts and numbers
