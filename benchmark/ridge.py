"""A ridge classifier on whole-number features: closed form, its strength chosen by validation.

One linear function per class is fitted, by least squares with a penalty on its weights, to 1 for
the spectra of the class and -1 for all others; the class with the largest value is the answer.
Features are centred and divided by their norm, so the strengths mean the same for any of them;
those that are the same for all training spectra count for nothing. Source of the strengths:
Dempster, Schmidt and Webb (2021), doi 10.1145/3447548.3467231, who choose among them by
cross-validation.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.linalg.blas import dsyrk
from tqdm import tqdm

STRENGTHS = tuple(np.logspace(3, -3, 10).tolist())  # the strongest first
BLOCK = 1000  # spectra whose features are held at once
DECIMALS = 6  # of the values that are compared: threads change what lies behind them


class Ridge(NamedTuple):
    """A trained classifier."""

    weights: np.ndarray  # float64 (features, classes), of the features as they are
    offsets: np.ndarray  # float64 (classes,)
    strength: float


class Sums(NamedTuple):
    """What the normal equations need of the training spectra, `origin` subtracted from each.

    All are sums of whole numbers, exact as long as they stay below 2 ** 53.
    """

    origin: np.ndarray  # float64 (features,)
    products: np.ndarray  # float64 (features, features), of which the lower triangle counts
    per_class: np.ndarray  # float64 (classes, features)


def train_ridge(features_of, train, val, classes):
    """Train a Ridge with each strength, and return the best on the validation spectra.

    features_of: function from spectra (n, datapoints) to whole numbers (n, features); train, val:
    spectra and labels. The best has the least mean squared deviation of its values from 1 and -1,
    which is what it is fitted by, too: counts of misclassified spectra often are equal, and blind
    to how near an answer was to another. With more training spectra than features the normal
    equations are solved, otherwise their kernel form, which is as large as there are spectra.
    """
    (x, y), (x_val, y_val) = train, val
    y = np.asarray(y, np.int64)
    features = features_of(np.asarray(x[:1])).shape[1]
    solutions = by_normal_equations if len(x) > features else by_kernel
    judged = np.concatenate([features_of(x_val[rows]) for rows in blocks_of(x_val)])
    wanted = targets_of(np.asarray(y_val, np.int64), classes)
    best, least = None, np.inf
    for ridge in solutions(features_of, x, y, classes):
        deviation = round(np.mean((values_of(judged, ridge) - wanted) ** 2), DECIMALS)
        if deviation < least:
            best, least = ridge, deviation
    return best


def targets_of(labels, classes):
    """Return 1 for the class of each spectrum and -1 for the others, (spectra, classes)."""
    return np.where(labels[:, None] == np.arange(classes), 1.0, -1.0)


def values_of(features, ridge):
    """Return the value of each class for each spectrum, float64 (spectra, classes)."""
    return np.concatenate(
        [
            features[rows].astype(np.float64) @ ridge.weights + ridge.offsets
            for rows in blocks_of(features)
        ]
    )


def answer(features, ridge):
    """Return the class of each spectrum, int64 (spectra,); features: (spectra, features)."""
    return np.round(values_of(features, ridge), DECIMALS).argmax(axis=1)


def blocks_of(rows):
    return [slice(first, first + BLOCK) for first in range(0, len(rows), BLOCK)]


def by_normal_equations(features_of, x, y, classes):
    """Yield a Ridge for each strength; memory: two matrices features times features."""
    sums = sum_features(features_of, x, y, classes)
    spectra, counts = len(x), np.bincount(y, minlength=classes)
    total = sums.per_class.sum(axis=0)
    mean, matrix = total / spectra, sums.products
    scale = scale_of(np.diag(matrix) - total * mean, constant=np.diag(matrix) == 0)
    for column, values in enumerate(matrix.T):  # in place, without a third matrix
        values -= total * mean[column]
        values *= scale * scale[column]
    targets = 2 * sums.per_class.T - total[:, None] - mean[:, None] * (2 * counts - spectra)
    targets *= scale[:, None]
    for strength in tqdm(STRENGTHS, "solving", leave=False, disable=None):
        weights = solve(matrix, strength, targets)
        yield ridge_of(weights, scale, sums.origin + mean, counts, strength)


def sum_features(features_of, x, y, classes):
    """Return the Sums over spectra x (spectra, datapoints) of classes y, int64 (spectra,)."""
    origin = features_of(np.asarray(x[:1]))[0].astype(np.float64)
    products = np.zeros((len(origin), len(origin)), order="F")
    per_class = np.zeros((classes, len(origin)))
    for rows in tqdm(blocks_of(x), "training", leave=False, disable=None):
        features = features_of(x[rows]) - origin
        products = dsyrk(1.0, features.T, beta=1.0, c=products, lower=True, overwrite_c=True)
        per_class += (np.arange(classes)[:, None] == y[rows]).astype(np.float64) @ features
    return Sums(origin, products, per_class)


def by_kernel(features_of, x, y, classes):
    """Yield a Ridge for each strength; memory: two matrices spectra times spectra, and features."""
    blocks = tqdm(blocks_of(x), "training", leave=False, disable=None)
    features = np.concatenate([features_of(x[rows]) for rows in blocks]).astype(np.float64)
    spectra, counts = len(x), np.bincount(y, minlength=classes)
    constant = (features == features[0]).all(axis=0)
    mean = features.mean(axis=0)
    features -= mean
    scale = scale_of(np.einsum("sf,sf->f", features, features), constant)
    features *= scale
    matrix = dsyrk(1.0, features.T, trans=True, lower=True)
    targets = targets_of(y, classes) - (2 * counts / spectra - 1)
    for strength in tqdm(STRENGTHS, "solving", leave=False, disable=None):
        weights = features.T @ solve(matrix, strength, targets)
        yield ridge_of(weights, scale, mean, counts, strength)


def scale_of(squares, constant):
    """Return what features are multiplied with to have norm 1, 0 for constant ones."""
    return np.where(constant, 0, 1 / np.sqrt(np.where(constant, 1, squares)))


def solve(matrix, strength, targets):
    """Solve (matrix + strength on its diagonal) weights = targets; matrix: its lower triangle."""
    factor = matrix.copy(order="F")
    factor[np.diag_indices_from(factor)] += strength
    factor = cho_factor(factor, lower=True, overwrite_a=True, check_finite=False)
    return cho_solve(factor, targets, check_finite=False)


def ridge_of(weights, scale, mean, counts, strength):
    """Return the Ridge whose weights are for centred features of norm 1."""
    weights = weights * scale[:, None]
    return Ridge(weights, 2 * counts / counts.sum() - 1 - mean @ weights, strength)
