"""What the papers publish: their datasets, and the results that ours stand beside.

published_results.json says for each dataset the SHA-256 of its class file and of its arrays as
spectra_from_config.py renders them with its default SEED, its variation, the protocol of the
trainings, the split that was judged and its number of spectra, and per network either every run or
"mean ± deviation" over five seeds.
"""

import json
from pathlib import Path
from statistics import mean, stdev
from typing import NamedTuple

from benchmark.run_folder import Protocol
from benchmark.variation import Variation, variation_of

PATH = Path(__file__).with_suffix(".json")
SEED = 2022  # default of spectra_from_config.py
OF_TESTS = "test_shift", "test_height_change", "wide_test_height_change"


class PublishedNetwork(NamedTuple):
    """Published results of a network on one split; what is not published is None."""

    runs: list | None = None  # misclassified spectra of every run
    misclassified: str | None = None  # "mean ± deviation", where single runs are not published
    val_mean: float | None = None  # misclassified validation spectra
    epochs: str | None = None
    best_epoch: float | None = None
    minutes: float | None = None

    def text(self):
        """Return the misclassified spectra as the table shows them."""
        if not self.runs:
            return self.misclassified
        average, deviation = self.mean_and_deviation()
        spread = f"{average:.1f} ± {deviation:.1f}"
        return f"{spread} ({min(self.runs):g}–{max(self.runs):g})"

    def cells(self):
        """Return column -> what the table shows; None for what is not published."""
        return {
            "misclassified": self.text(),
            "val": self.val_mean,
            "epochs": self.epochs,
            "best epoch": self.best_epoch,
            "minutes": self.minutes,
        }

    def mean_and_deviation(self):
        """Return both of the misclassified spectra, as published or of the single runs."""
        if self.runs is None:
            return tuple(map(float, self.misclassified.split("±")))
        return mean(self.runs), stdev(self.runs)

    def range(self):
        """Return mean minus and plus deviation, not below 0."""
        average, deviation = self.mean_and_deviation()
        return max(0, average - deviation), average + deviation


class Published(NamedTuple):
    """What is published of one dataset."""

    name: str  # "paper", "followup" or "challenge"
    source: str
    class_file: str  # SHA-256
    sha256: dict  # array file -> hash of what is rendered here with SEED
    variation: Variation
    protocol: Protocol  # that the networks were trained under
    split: str  # that the published numbers are held against
    spectra: int  # of that split
    networks: dict  # canonical name -> PublishedNetwork


def read_published():
    """Return name -> Published of all datasets in published_results.json."""
    published = {}
    for name, content in json.loads(PATH.read_bytes()).items():
        content["variation"] = variation_of({"variation": content["variation"] | {"seed": SEED}})
        content["protocol"] = Protocol(**content["protocol"])
        content["networks"] = {
            network: PublishedNetwork(**results) for network, results in content["networks"].items()
        }
        published[name] = Published(name=name, **content)
    return published


PUBLISHED = read_published()
PAPER_VARIATION = PUBLISHED["paper"].variation


def published_of(record):
    """Return the Published of a DatasetRecord, whatever the seed of its variation; None else."""
    if record.class_file is None or record.variation is None:
        return None
    for published in PUBLISHED.values():
        same_classes = record.class_file.get("sha256") == published.class_file
        if same_classes and varies_as(record, published):
            return published
    return None


def varies_as(record, published):
    """Tell whether the spectra of a DatasetRecord vary as the published ones, whatever the seed.

    Where classes have test variants of their own, constants of the test splits may change nothing:
    they may differ if the test spectra, which do not depend on the seed, are the same.
    """
    own = variation_of(record._asdict())._replace(seed=SEED)
    tests = [name for name in published.sha256 if name.startswith("x_test")]
    if all(record.sha256.get(name) == published.sha256[name] for name in tests):
        constants = {name: getattr(published.variation, name) for name in OF_TESTS}
        own = own._replace(**constants)
    return own == published.variation


def published_beside(run):
    """Return the Published that a Run can be held against; None if there is none.

    Its spectra and its protocol have to be those of the publication.
    """
    published = published_of(run.dataset)
    if published is None or run.protocol != published.protocol:
        return None
    return None if array_rendered_otherwise(run.dataset, published) else published


def array_rendered_otherwise(record, published):
    """Return the first array that is not what its seed gives, where that is known; None else."""
    if variation_of(record._asdict()).seed != SEED:
        return None
    hashes = published.sha256
    return next((name for name in hashes if record.sha256.get(name) != hashes[name]), None)
