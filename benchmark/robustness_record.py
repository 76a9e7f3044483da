"""What robustness.py records of a network or method: how it judged each artefact and severity."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmark.artefacts import Artefacts, those_on
from benchmark.command_line import InputError
from benchmark.files import is_number, is_whole, read_json, write_json
from benchmark.severities import LADDER
from benchmark.variation import fits_artefact, read_artefacts

WRITER = "robustness.py"
FOLDER = "robustness"
RECORD = "counts.json"
CLEAN = "none"  # the artefact of spectra without one


class Test(NamedTuple):
    """Test spectra with one artefact at one severity."""

    artefact: str  # that of a Rung, or CLEAN
    severity: float
    artefacts: Artefacts | None  # None for the clean spectra


class Judged(NamedTuple):
    """How many spectra of a test were misclassified."""

    test: Test
    misclassified: int


class Record(NamedTuple):
    """The content of a counts.json."""

    network: str  # or method
    seed: int | None  # None for methods without training
    depends_on: dict  # weights, settings and classes; a record of others is not gone on with
    spectra: int  # in each test
    judged: list  # of Judged, in the order of the ladder

    def is_complete(self, tests):
        """Tell whether these are judged, and nothing else; tests: list of Test."""
        return [judged.test for judged in self.judged] == tests

    def accuracies(self):
        """Return artefact -> accuracies, float64 (severities,), and that of clean spectra."""
        accuracies = {}
        for judged in self.judged:
            right = 1 - judged.misclassified / self.spectra
            accuracies.setdefault(judged.test.artefact, []).append(right)
        return {artefact: np.array(values) for artefact, values in accuracies.items()}

    def mean_accuracy(self):
        """Return the mean over all artefacts and severities; clean spectra do not count."""
        accuracies = self.accuracies()
        return float(np.mean([accuracies[rung.artefact].mean() for rung in LADDER]))


def write_record(folder, record):
    content = record._asdict()
    content["judged"] = [
        {
            "artefact": judged.test.artefact,
            "severity": judged.test.severity,
            "settings": those_on(judged.test.artefacts),
            "misclassified": judged.misclassified,
        }
        for judged in record.judged
    ]
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
    return Record(**content | {"judged": [read_judged(entry) for entry in content["judged"]]})


def read_judged(entry):
    artefacts = None if entry["artefact"] == CLEAN else read_artefacts(entry["settings"])
    test = Test(entry["artefact"], entry["severity"], artefacts)
    return Judged(test, entry["misclassified"])


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
    """Tell whether this is what JSON files hold of a Judged."""
    names = {"artefact", "severity", "settings", "misclassified"}
    if not isinstance(entry, dict) or entry.keys() != names:
        return False
    settings = entry["settings"]
    if not isinstance(settings, dict) or not settings.keys() <= set(Artefacts._fields):
        return False
    fit = all(fits_artefact(value, name) for name, value in settings.items())
    numbers = is_number(entry["severity"], 0) and is_whole(entry["misclassified"], 0, spectra)
    return isinstance(entry["artefact"], str) and fit and numbers
