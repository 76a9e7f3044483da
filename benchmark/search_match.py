"""Search-match: peaks are detected and assigned to those of each class; the best fit wins.

Crystallographers search databases of diffraction patterns in this way.
"""

import numpy as np
from scipy.signal import find_peaks

from benchmark.overlap import tabulate
from benchmark.peak_matching import match_peaks

# Charges, beside heights and their differences in relative intensity
SHIFT_CHARGE = 1e-4  # per datapoint
HIDDEN_CHARGE = 0.1  # per height of a peak that another may hide


def search_match(spectra, class_file, max_shift, detection_height):
    """Return the class whose peaks fit best to the detected peaks of each spectrum.

    Peaks may be matched up to `max_shift` datapoints apart. A class is charged with the height
    differences of assigned peaks, with the heights of peaks left over on either side, and, to
    decide between equals, a little for shifts. Peaks of a class that shifts can bring together may
    appear as one, as high as their sum; the others of them then are left over at a low charge.
    """
    positions, heights = tabulate(class_file.positions, class_file.heights)
    # Absent peaks are near nothing and have height 0: left over at no charge.
    positions = np.where(np.isnan(heights), -4 * max_shift - class_file.datapoints, positions)
    heights = np.nan_to_num(heights)
    near = np.abs(positions[:, :, None] - positions[:, None, :]) <= 2 * max_shift
    others = near & ~np.eye(near.shape[1], dtype=bool)
    summed = heights + np.where(others, heights[:, None, :], 0).sum(axis=2)
    predictions = np.empty(len(spectra), np.int64)
    for row, spectrum in enumerate(spectra):
        found, properties = find_peaks(np.pad(spectrum, 1), height=detection_height)
        found -= 1  # padded, as peaks may stand at the ends
        detected = properties["peak_heights"]
        shifts = np.abs(found[:, None] - positions[:, None, :])
        excess = detected[:, None] - np.clip(detected[:, None], heights[:, None], summed[:, None])
        charges = np.abs(excess) + SHIFT_CHARGE * shifts
        charges[shifts > max_shift] = np.inf
        hidden = (shifts <= max_shift).any(axis=1) & (summed > heights)
        left_over = np.where(hidden, HIDDEN_CHARGE * heights, heights)
        # No assignment charges a class less than the best that each peak could have by itself.
        least = np.maximum(
            np.minimum(charges.min(axis=2), detected).sum(axis=1),
            np.minimum(charges.min(axis=1, initial=np.inf), left_over).sum(axis=1),
        )
        best = np.inf
        for label in np.argsort(least, kind="stable"):
            if least[label] >= best:
                break
            _, charge = match_peaks(charges[label], alone_a=detected, alone_b=left_over[label])
            if charge < best:
                best, predictions[row] = charge, label
    return predictions
