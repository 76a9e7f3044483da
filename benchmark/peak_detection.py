"""Peaks of measured spectra: detecting them, and how wide they are and how far they scatter."""

import math
from typing import NamedTuple

import numpy as np
from scipy.ndimage import grey_opening
from scipy.signal import find_peaks, peak_widths

from benchmark.command_line import InputError
from benchmark.peak_matching import match_nearest

FWHM = 2 * math.sqrt(2 * math.log(2))  # full width at half maximum of a Gaussian of sigma 1
# Two equal Gaussians merge into one peak when they are no more than 2 sigma apart, so a peak that
# is further than 2 sigma from that of its class is another one.
SAME_PEAK = 2
# Peaks of a class may be one line if they are no further apart, in sigma, and if so many of its
# spectra have one of them.
NEIGHBOURS, NEARLY_ALL = 3 * SAME_PEAK, 0.8
# How much wider a peak is at a quarter of its height than at half of it: a Gaussian, a Lorentzian.
GAUSSIAN_TAILS, LORENTZIAN_TAILS = math.sqrt(2), math.sqrt(3)
FREE = 0.9  # of its height, by which a peak rises that has its tails to itself
SHARPEST = 1  # sigma in datapoints, below which three or four of them cannot tell a shape
# A background goes on where overlapping peaks and their tails come to an end: over an eighth of the
# datapoints, which holds for the hump of a glass in X-ray diffraction, too, and over 40 sigma.
STRETCH, STRETCH_SIGMAS = 1 / 8, 40


class Detection(NamedTuple):
    """What counts as a peak of a spectrum that goes from 0 to 1."""

    prominence: float
    min_height: float
    max_peaks: int | None = None  # the most prominent ones; None for all


class DetectedPeaks(NamedTuple):
    """Peaks of one spectrum, ordered by position."""

    positions: np.ndarray  # int64 (peaks,), in datapoints
    heights: np.ndarray  # float64 (peaks,)
    widths: np.ndarray  # float64 (peaks,), sigma in datapoints
    tails: np.ndarray  # float64 (peaks,), width at a quarter of the height by that at half; or NaN


class Deviations(NamedTuple):
    """Those peaks of a class that a spectrum has, and how they differ from the class's own."""

    widths: np.ndarray  # float64 (found,), sigma in datapoints
    shifts: np.ndarray  # float64 (found,), in datapoints, 0 or more
    height_changes: np.ndarray  # float64 (found,), relative to the highest peak, 0 or more
    tails: np.ndarray  # float64 (found,), as in DetectedPeaks


class Scatter(NamedTuple):
    """How wide peaks of measured spectra are, and how they differ from those of their classes."""

    spectra: int  # of classes of two or more samples, as all counts, shifts and height changes
    samples: int
    expected: int  # peaks of the classes, once for each of their spectra
    widths: np.ndarray  # float64 (peaks of all classes,), sigma in datapoints
    spectrum_widths: np.ndarray  # float64 (spectra with such peaks,), the median of each
    shifts: np.ndarray  # float64 (found,), in datapoints, 0 or more
    height_changes: np.ndarray  # float64 (found,), relative to the highest peak, 0 or more
    tails: np.ndarray  # float64 (free peaks of all classes,), as in DetectedPeaks


def detect(spectrum, detection):
    """Return the DetectedPeaks of a spectrum (datapoints,) that goes from 0 to 1.

    A width is that of the Gaussian as wide as the peak is at half its prominence. Tails are those
    of peaks that rise by FREE of their height and are no sharper than SHARPEST; others have NaN.
    """
    spectrum = np.asarray(spectrum, np.float64)
    found, properties = find_peaks(
        spectrum, height=detection.min_height, prominence=detection.prominence
    )
    most_prominent = np.argsort(-properties["prominences"], kind="stable")
    stay = np.sort(most_prominent[: detection.max_peaks])
    found, prominences = found[stay], properties["prominences"][stay]
    heights = spectrum[found]
    at_half, at_quarter = (peak_widths(spectrum, found, rel_height=r)[0] for r in (0.5, 0.75))
    widths = at_half / FWHM
    free = (prominences >= FREE * heights) & (widths >= SHARPEST)
    return DetectedPeaks(found, heights, widths, tails=np.where(free, at_quarter / at_half, np.nan))


def detect_all(spectra, detection):
    """Return the DetectedPeaks of each spectrum, all of them whatever the Detection's max_peaks."""
    detection = detection._replace(max_peaks=None)
    return [detect(spectrum, detection) for spectrum in spectra]


def background_under(spectrum, peaks):
    """Return the highest background on which one of the peaks stands, float from 0 to 1.

    spectrum (datapoints,), from 0 to 1; peaks: its DetectedPeaks, one or more. The background is
    what the spectrum does not fall below over a long stretch, so it is rather too low.
    """
    stretch = max(STRETCH * len(spectrum), STRETCH_SIGMAS * np.median(peaks.widths))
    level = grey_opening(spectrum, math.ceil(stretch), mode="constant")
    return float(level[peaks.positions].max())


def cut_off(spectrum, detection):
    """Return the positions, 0 or the last, where a spectrum from 0 to 1 rises to its end.

    What rises there by as much as a peak does may be half of one, whose place nobody knows.
    """
    padded = np.pad(np.asarray(spectrum, np.float64), 1)
    found, _ = find_peaks(padded, height=detection.min_height, prominence=detection.prominence)
    return [position for position in (0, len(spectrum) - 1) if position + 1 in found]


def mean_spectrum(spectra, samples):
    """Return the mean of the means of the samples, float64 (datapoints,), again from 0 to 1.

    spectra (n, datapoints), each from 0 to 1; samples: of each spectrum. So a sample counts once,
    however often it was measured.
    """
    samples = np.asarray(samples)
    means = [np.mean(spectra[samples == s], axis=0, dtype=np.float64) for s in np.unique(samples)]
    mean = np.mean(means, axis=0)
    mean -= mean.min()
    return mean / (mean.max() or 1)


def class_peaks(name, spectrum, detection):
    """Return the DetectedPeaks of a class's mean spectrum, heights relative to the highest.

    Raises InputError naming the class, and what prominence would do, if there are none.
    """
    peaks = detect(spectrum, detection)
    if len(peaks.positions):
        return peaks._replace(heights=peaks.heights / peaks.heights.max())
    prominences = find_peaks(spectrum, prominence=0, height=detection.min_height)[1]["prominences"]
    highest = prominences.max(initial=0)
    enough = math.floor(1000 * highest) / 1000
    raise InputError(
        f"no peak is found in class {name} with PROMINENCE {detection.prominence:g} and MIN_HEIGHT "
        f"{detection.min_height:g}, accepted: "
        + (f"PROMINENCE up to {enough:g}" if enough else "another RANGE, or without this class")
    )


def scatter_of(classes, patterns):
    """Hold the peaks of single spectra against those of their class. Returns a Scatter.

    classes: per class the DetectedPeaks of its spectra, a list, and their samples (n,); patterns:
    per class its DetectedPeaks. Shifts and height changes are of classes of two or more samples
    only, as others are their own pattern; widths and tails are of all. A detected peak may be that
    of the class if it is no more than SAME_PEAK of its widths away; of those that may be, the
    nearest are taken, each once.
    """
    found, of_several, samples, expected = [], [], 0, 0
    for (detected, own_samples), pattern in zip(classes, patterns, strict=True):
        of_class = [deviations(peaks, pattern) for peaks in detected]
        found += of_class
        distinct = len(np.unique(own_samples))
        if distinct > 1:
            of_several += of_class
            samples += distinct
            expected += len(detected) * len(pattern.positions)
    tails = joined(of_spectrum.tails for of_spectrum in found)
    return Scatter(
        spectra=len(of_several),
        samples=samples,
        expected=expected,
        widths=joined(of_spectrum.widths for of_spectrum in found),
        spectrum_widths=np.array([np.median(f.widths) for f in found if len(f.widths)]),
        shifts=joined(of_spectrum.shifts for of_spectrum in of_several),
        height_changes=joined(of_spectrum.height_changes for of_spectrum in of_several),
        tails=tails[np.isfinite(tails)],
    )


def joined(arrays):
    """Return one float64 array of all, empty if there are none."""
    return np.concatenate([np.zeros(0), *arrays])


def deviations(peaks, pattern):
    """Return the Deviations of a spectrum's peaks from those of its class, DetectedPeaks each.

    Heights are relative to the highest peak, on both sides: the spectrum itself may be higher where
    a peak is cut off by its end.
    """
    partners = partners_of(pattern, peaks)
    found = np.flatnonzero(partners >= 0)
    partners = partners[found]
    heights = peaks.heights[partners] / peaks.heights.max(initial=0)
    return Deviations(
        widths=peaks.widths[partners],
        shifts=np.abs(peaks.positions[partners] - pattern.positions[found]),
        height_changes=np.abs(heights - pattern.heights[found]),
        tails=peaks.tails[partners],
    )


def partners_of(pattern, peaks):
    """Return for each peak of a pattern its number among the DetectedPeaks of a spectrum, or -1."""
    if not len(peaks.positions):
        return np.full(len(pattern.positions), -1)
    shifts = np.abs(peaks.positions - pattern.positions[:, None])
    near = shifts <= SAME_PEAK * peaks.widths
    return match_nearest(shifts / (1 + shifts.max()), possible=near)


def lines_in_two(detected, pattern):
    """Return the peaks of a class that may be one line with the next: their numbers, ascending.

    detected: DetectedPeaks of each spectrum of the class; pattern: those of their mean. In it, a
    line that lies elsewhere in some samples becomes two: near each other, both never in one
    spectrum, and one of them in nearly all.
    """
    found = np.array([partners_of(pattern, peaks) >= 0 for peaks in detected])
    first, second = found[:, :-1], found[:, 1:]
    apart = np.diff(pattern.positions) / np.sqrt(pattern.widths[:-1] * pattern.widths[1:])
    one = first.any(axis=0) & second.any(axis=0) & ~(first & second).any(axis=0)
    one &= ((first | second).mean(axis=0) >= NEARLY_ALL) & (apart <= NEIGHBOURS)
    return np.flatnonzero(one)
