"""Rendering: spectra as sums of Gaussians, one per peak, divided by their maximum."""

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

TRUNCATE = 4  # a Gaussian ends this many sigma from its centre


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


def stack(varied):
    """Put the spectra of several classes into one array each of positions, heights and widths.

    varied: a list of positions (spectra, peaks), heights (spectra, peaks) and widths (spectra,).
    Rows with fewer peaks than others are filled up with peaks of height 0.
    """
    shape = sum(len(p) for p, _, _ in varied), max(p.shape[1] for p, _, _ in varied)
    positions, heights = np.zeros(shape, np.int64), np.zeros(shape)
    row = 0
    for class_positions, class_heights, _ in varied:
        spectra, peaks = class_positions.shape
        positions[row : row + spectra, :peaks] = class_positions
        heights[row : row + spectra, :peaks] = class_heights
        row += spectra
    return positions, heights, np.concatenate([sigmas for _, _, sigmas in varied])
