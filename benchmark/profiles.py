"""Peak profiles at any position: sums of Gaussians and Lorentzians, evaluated where the peaks are.

A Gaussian with standard deviation sigma is exp(-d^2 / (2 sigma^2)) at distance d from its peak. A
Lorentzian is 1 / (1 + (d / g)^2) with g = sigma sqrt(2 ln 2), so that both are half as high as
their peak at the same distance: all shapes have the full width at half maximum of the Gaussian. A
pseudo-Voigt profile is a weighted mean of the two. Where tails end:

- a Gaussian int(4 sigma + 0.5) datapoints from the datapoint next to its peak, as in
  `rendering.render`, where it is 3e-4 of the peak;
- a Lorentzian where what it adds is below TAIL, 1e-4, of the height of the peak: for a peak that is
  all Lorentzian, at 118 sigma.

Only additions, multiplications and divisions are used, which give the same bits everywhere.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from benchmark.rendering import TRUNCATE, exp_of_negative, reuse

TAIL = 1e-4  # of the height of a peak
HALF_WIDTH = math.sqrt(2 * math.log(2))  # of a Gaussian at half its height, in sigma


class Peaks(NamedTuple):
    """The peaks of some spectra; those of height 0 are none."""

    positions: np.ndarray  # float64 (spectra, peaks), in datapoints; may lie outside the axis
    heights: np.ndarray  # float64 (spectra, peaks), 0 or more
    sigmas: np.ndarray  # float64 (spectra, peaks), 0.1 or more, in datapoints
    shares: np.ndarray  # float64 (spectra,), how much of each peak is Lorentzian, 0 to 1


def sum_of_peaks(peaks, datapoints, buffers):
    """Return the sums of all peaks, float32 (spectra, datapoints).

    buffers: see `rendering.render`; the result is in one of them.
    """
    shares = peaks.shares[:, None]
    sums = sum_of_gaussians(
        peaks._replace(heights=peaks.heights * (1 - shares)), datapoints, buffers
    )
    if shares.any():
        add_lorentzians(sums, peaks, buffers)
    return sums


def sum_of_gaussians(peaks, datapoints, buffers):
    """Return the sums of Gaussians as high as the peaks, whose shares are not looked at."""
    nearest = np.floor(peaks.positions + 0.5).astype(np.int64)
    kernels = shifted_gaussian_kernels(peaks.positions - nearest, peaks.sigmas)
    width = kernels.shape[2]
    reach = width // 2
    # Peaks up to `reach` outside the axis have a tail on it, so margins are two reaches wide; the
    # peak next to datapoint n covers window n + reach.
    padded = reuse(buffers, "gaussians", (len(nearest), datapoints + 4 * reach))
    padded.fill(0)
    windows = sliding_window_view(padded, width, axis=1, writeable=True)
    on_axis = (nearest >= -reach) & (nearest < datapoints + reach)
    heights = np.where(on_axis, peaks.heights, 0).astype(np.float32)
    for j in range(heights.shape[1]):  # see `rendering.render`
        rows = np.flatnonzero(heights[:, j])
        windows[rows, nearest[rows, j] + reach] += kernels[rows, j] * heights[rows, j, None]
    return padded[:, 2 * reach : 2 * reach + datapoints]


def shifted_gaussian_kernels(fractions, sigmas):
    """Sample Gaussians at whole distances from the datapoint next to their peak.

    fractions (spectra, peaks): position of the peak beyond that datapoint, -0.5 to 0.5; sigmas
    (spectra, peaks). Returns float32 (spectra, peaks, 2 * largest radius + 1).
    """
    shape = fractions.shape
    fractions, sigmas = fractions.ravel(), sigmas.ravel()
    radii = (TRUNCATE * sigmas + 0.5).astype(np.int64)
    halves = [gaussian_samples(side * fractions, sigmas, radii) for side in (-1, 1)]
    kernels = np.concatenate([halves[0][:0:-1], halves[1]]).T.astype(np.float32, order="C")
    return kernels.reshape(*shape, -1)


def gaussian_samples(centres, sigmas, radii):
    """Sample q^((d - centre)^2), q = exp(-1 / (2 sigma^2)), for d from 0 on; 0 beyond the radius.

    centres, sigmas, radii (peaks,): in datapoints; no centre is more than 10 sigma above 0. From
    one d to the next, samples are multiplied by q^(2 (d - centre) + 1), and that by q^2.

    Returns float64 (largest radius + 1, peaks).
    """
    exponents = 0.5 / sigmas**2
    ratio, step = exp_of_negative(exponents * (1 - 2 * centres)), exp_of_negative(2 * exponents)
    samples = np.empty((radii.max() + 1, len(sigmas)))
    samples[0] = exp_of_negative(exponents * centres**2)
    for d in range(1, len(samples)):
        np.multiply(samples[d - 1], ratio, out=samples[d])
        ratio *= step
    samples[np.arange(len(samples))[:, None] > radii] = 0
    return samples


def add_lorentzians(sums, peaks, buffers):
    """Add the Lorentzian shares of all peaks to float32 (spectra, datapoints).

    Their tails cover hundreds of datapoints, so each is evaluated on the whole axis.
    """
    axis = np.arange(sums.shape[1], dtype=np.float32)
    nearest = np.floor(peaks.positions + 0.5)  # float32 holds whole differences, not small ones
    fractions = (peaks.positions - nearest).astype(np.float32)
    nearest = nearest.astype(np.float32)
    inverse_widths = (1 / (HALF_WIDTH * peaks.sigmas)).astype(np.float32)
    parts = (peaks.heights * peaks.shares[:, None]).astype(np.float32)
    ends = (TAIL * peaks.heights).astype(np.float32)
    profile, kept = (reuse(buffers, name, sums.shape) for name in ("profile", "kept"))
    for j in range(parts.shape[1]):
        column = slice(j, j + 1)
        np.subtract(axis, nearest[:, column], out=profile)
        profile -= fractions[:, column]
        profile *= inverse_widths[:, column]
        profile *= profile
        profile += 1
        np.divide(parts[:, column], profile, out=profile)
        np.greater_equal(profile, ends[:, column], out=kept)
        profile *= kept
        sums += profile
