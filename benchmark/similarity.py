"""Similarity: the class whose pattern, or the training spectrum, that a spectrum resembles most."""

import math
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.sparse import csr_array

from benchmark.rendering import render, stack

BLOCK = 2_000_000  # numbers of training spectra compared at once
KNOWN_SPECTRA = 1000  # spectra of known classes whose similarity is looked at
# A scalar product of 5000 datapoints in float32 differs by up to 4e-7 of itself, or of the norms if
# terms cancel, with the order of its terms, which depends on processor and place in the block.
ROUNDING = 1e-6


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
    return first_of_largest(spectra, templates)[0]


def first_of_largest(spectra, templates):
    """Return for each spectrum the first template whose product is as large as the largest.

    As large but for rounding, so that on every processor equally similar ones count as equal.
    spectra (n, datapoints), templates (m, datapoints). Returns rows, int64 (n,), their scalar
    products (n,), and by how much these may differ for rounding (n,).
    """
    products = spectra @ templates.T
    largest = products.max(axis=1)
    rounding = ROUNDING * np.abs(largest)
    if spectra.min() < 0 or templates.min() < 0:  # terms cancel: the sum may be less than each
        norms = np.linalg.norm(spectra, axis=1) * np.linalg.norm(templates, axis=1).max()
        rounding = ROUNDING * norms
    rows = first_within(products, rounding)
    return rows, products[np.arange(len(rows)), rows], rounding


def first_within(products, rounding):
    """Return the first column within rounding (n,) of the largest, for each row of (n, m)."""
    return (products >= (products.max(axis=1) - rounding)[:, None]).argmax(axis=1)


class Nearest(NamedTuple):
    """The most similar training spectrum of each spectrum."""

    rows: np.ndarray  # int64 (n,)
    cosines: np.ndarray  # float64 (n,), at most 1


def nearest_spectrum(spectra, training, labels):
    """Return the class of the training spectrum with the largest cosine similarity.

    labels: int array (m,), of the training spectra; else as `nearest_rows`.
    """
    return labels[nearest_rows(spectra, training).rows]


def nearest_rows(spectra, training):
    """Return the Nearest of spectra (n, datapoints) among training spectra (m, datapoints).

    training: may be mapped into memory, as it is read in blocks. Of equally similar ones the first
    counts. Spectra of zeros are similar to none.
    """
    spectra = over_largest(spectra)
    rows, best = np.zeros(len(spectra), np.int64), np.full(len(spectra), -np.inf, np.float32)
    step = max(1, BLOCK // training.shape[1])
    for first in range(0, len(training), step):
        block = over_largest(training[first : first + step])
        lengths = np.linalg.norm(block, axis=1, keepdims=True)
        np.divide(block, lengths, out=block, where=lengths > 0)
        nearest, found, rounding = first_of_largest(spectra, block)
        nearer = found - best > rounding
        best[nearer], rows[nearer] = found[nearer], first + nearest[nearer]
    pairs = zip(spectra, rows, strict=True)
    return Nearest(rows, np.array([cosine(spectrum, training[row]) for spectrum, row in pairs]))


def over_largest(spectra):
    """Return float32 spectra (n, datapoints) divided by their largest absolute value, if not 0.

    So squares stay within what float32 holds, whatever the scale.
    """
    spectra = np.array(spectra, np.float32)
    largest = np.abs(spectra).max(axis=1, keepdims=True)
    return np.divide(spectra, largest, out=spectra, where=largest > 0)


def cosine(a, b):
    """Return the cosine of the angle between two spectra (datapoints,), 0 if one is all zeros."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    norms = math.sqrt((a * a).sum() * (b * b).sum())
    return min(float((a * b).sum() / norms), 1.0) if norms else 0.0


def usual_cosines(known, training):
    """Return the cosines of spectra of known classes to the nearest training spectrum of each.

    known (n, datapoints): the spectra; of more than KNOWN_SPECTRA as many at equal distances are
    taken, so that all classes are among them.
    """
    rows = np.unique(np.linspace(0, len(known) - 1, KNOWN_SPECTRA).astype(int))
    return nearest_rows(known[rows], training).cosines


def stick_patterns(class_file, kernel):
    """Return the classes as sticks, a sparse float32 array (classes, datapoints).

    Heights are such that each stick pattern has norm 1 once it is smoothed with `kernel`.
    """
    labels = np.repeat(np.arange(class_file.classes), list(map(len, class_file.positions)))
    heights, positions = np.concatenate(class_file.heights), np.concatenate(class_file.positions)
    shape = class_file.classes, class_file.datapoints
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
    return first_within(best.T, ROUNDING * np.abs(best.max(axis=0)))
