"""How similar spectra are to those that networks were trained on, which these cannot tell."""

from typing import NamedTuple

import numpy as np

BLOCK = 2_000_000  # numbers of training spectra compared at once
KNOWN_SPECTRA = 1000  # spectra of known classes whose similarity is looked at
UNUSUAL = 1  # percent of them that are less similar than what is warned of


class Nearest(NamedTuple):
    """The most similar training spectrum of each spectrum."""

    rows: np.ndarray  # int64 (n,)
    cosines: np.ndarray  # float32 (n,), at most 1


def nearest_rows(spectra, training):
    """Return the Nearest of spectra (n, datapoints) among training spectra (m, datapoints).

    training: may be mapped into memory, as it is read in blocks. Of equally similar ones the first
    counts; spectra of zeros are similar to none, with cosine 0.
    """
    spectra = unit_norm(spectra)
    rows, cosines = np.zeros(len(spectra), np.int64), np.full(len(spectra), -np.inf, np.float32)
    step = max(1, BLOCK // training.shape[1])
    for first in range(0, len(training), step):
        similarity = spectra @ unit_norm(training[first : first + step]).T
        nearest = similarity.argmax(axis=1)
        found = similarity[np.arange(len(spectra)), nearest]
        nearer = found > cosines
        rows[nearer], cosines[nearer] = first + nearest[nearer], found[nearer]
    return Nearest(rows, np.minimum(cosines, 1))


def unit_norm(spectra):
    spectra = np.array(spectra, np.float32)
    norms = np.linalg.norm(spectra, axis=1, keepdims=True)
    return np.divide(spectra, norms, out=spectra, where=norms > 0)


def least_usual_cosine(known, training):
    """Return the cosine to the nearest training spectrum that UNUSUAL percent of `known` are below.

    known (n, datapoints): spectra of known classes; of more than KNOWN_SPECTRA as many at equal
    distances are taken, so that all classes are among them.
    """
    rows = np.unique(np.linspace(0, len(known) - 1, KNOWN_SPECTRA).astype(int))
    return float(np.percentile(nearest_rows(known[rows], training).cosines, UNUSUAL))
