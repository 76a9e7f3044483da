"""Fixed convolutional kernels: counts of positive convolution values, as features of spectra.

The method is MiniRocket (Dempster, Schmidt and Webb, "MiniRocket: A Very Fast (Almost)
Deterministic Transform for Time Series Classification", KDD 2021, doi 10.1145/3447548.3467231). A
spectrum is convolved with 84 fixed kernels at up to 32 dilations; a feature is the share of
convolution values above a bias. The biases are quantiles of the convolutions of training spectra,
which are drawn at random: nothing else in it is. A linear classifier, see `ridge`, is trained on
about 10,000 of them.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from benchmark.machine import available_cores

TAPS = 9  # of a kernel: weight 2 at three of them, -1 at the others
KERNELS = math.comb(TAPS, 3)
DILATIONS = 32  # at most
GOLDEN = (math.sqrt(5) + 1) / 2
SEED = 0  # of the spectra that biases are taken from
BLOCK = 80_000  # datapoints convolved at once, few enough to stay in the processor's cache


class Features(NamedTuple):
    """What `count_above` needs to know; features are ordered by dilation, then kernel."""

    dilations: list  # datapoints between the taps of a kernel, ascending
    per_kernel: list  # how many features each kernel has at each dilation
    biases: np.ndarray  # float32 (features,)


def fit_features(spectra, features):
    """Choose dilations and biases by training spectra, (spectra, datapoints); returns Features.

    features: their largest number, 84 or more. Every kernel at every dilation draws one spectrum;
    its biases are those quantiles of that spectrum's convolution, zeros padded, that come next in
    the sequence of the multiples of the golden ratio, modulo 1.
    """
    dilations, per_kernel = dilations_of(spectra.shape[1], features // KERNELS)
    quantiles = np.arange(1, 1 + KERNELS * sum(per_kernel)) * GOLDEN % 1
    drawn = np.random.default_rng(SEED).integers(len(spectra), size=(len(dilations), KERNELS))
    biases = []
    for dilation, count, rows in zip(dilations, per_kernel, drawn, strict=True):
        examples = np.array([spectra[row] for row in rows], np.float32)
        for kernel, convolved in enumerate(convolutions(examples, dilation)):
            chosen = quantiles[len(biases) : len(biases) + count]
            biases += np.quantile(convolved[kernel].astype(np.float64), chosen).tolist()
    return Features(dilations, per_kernel, np.array(biases, np.float32))


def dilations_of(datapoints, per_kernel):
    """Return the dilations, ascending, and how many of a kernel's features each of them has.

    Their exponents to the base of 2 lie evenly from 0 to the one whose kernel is as long as the
    spectrum. Dilations that are the same once rounded down share their features; what the division
    leaves goes to the smallest, one feature each.
    """
    largest = max(1, (datapoints - 1) / (TAPS - 1))
    number = min(DILATIONS, per_kernel)
    exact = np.logspace(0, np.log2(largest), number, base=2)
    exact = np.floor(exact + 1e-9)  # 2 ** 3 may be a little less than 8
    dilations, shared = np.unique(exact.astype(int), return_counts=True)
    counts = shared * per_kernel // number
    counts[: per_kernel - counts.sum()] += 1
    return dilations.tolist(), counts.tolist()


def count_above(spectra, features):
    """Return how many convolution values of each spectrum lie above each bias: the features.

    spectra: (spectra, datapoints); features: Features. Kernels and dilations take turns with zero
    padding, which keeps the length, and without, where a kernel has to fit into the spectrum. What
    divides the counts to shares is the same for all spectra, so they are left whole numbers, exact
    in whatever order they are summed.

    Returns uint32 (spectra, features). It does not depend on the number of threads.
    """
    step = max(1, BLOCK // spectra.shape[1])
    blocks = [spectra[first : first + step] for first in range(0, len(spectra), step)]
    with ThreadPoolExecutor(available_cores()) as threads:
        counts = list(threads.map(lambda block: count_block(block, features), blocks))
    return np.concatenate(counts)


def count_block(spectra, features):
    """Return `count_above` of spectra few enough to stay in the processor's cache."""
    spectra = np.asarray(spectra, np.float32)
    datapoints = spectra.shape[1]
    counts = np.empty((len(features.biases), len(spectra)), np.uint32)
    feature = 0
    for number, (dilation, per_kernel) in enumerate(
        zip(features.dilations, features.per_kernel, strict=True)
    ):
        margin = dilation * (TAPS // 2)
        fits = datapoints > 2 * margin
        for kernel, convolved in enumerate(convolutions(spectra, dilation)):
            if fits and (number + kernel) % 2:
                convolved = convolved[:, margin : datapoints - margin]
            counted = {}  # spectra that are zero nearly everywhere give the same bias many times
            for bias in features.biases[feature : feature + per_kernel].tolist():
                if bias not in counted:
                    # One bit for each value: 1.3 times as fast as to add up bytes.
                    above = np.packbits(convolved > np.float32(bias), axis=1)
                    counted[bias] = np.bitwise_count(above).sum(axis=1, dtype=np.uint32)
                counts[feature] = counted[bias]
                feature += 1
    return counts.T


def convolutions(spectra, dilation):
    """Yield spectra convolved with each of the 84 kernels, float32 (spectra, datapoints).

    Datapoints beyond the ends are zeros. A kernel is -1 at all taps and 3 more at three of them, so
    the kernels share their sums. An array holds its values until the next one is asked for.
    """
    taps = np.zeros((TAPS, *spectra.shape), np.float32)
    for tap, moved in enumerate(taps):
        distance = (tap - TAPS // 2) * dilation
        if distance < 0:
            moved[:, -distance:] = spectra[:, :distance]
        else:
            moved[:, : max(0, spectra.shape[1] - distance)] = spectra[:, distance:]
    every = np.zeros_like(taps[0])
    for moved in taps:
        every -= moved
    taps *= 3
    one, two, three = (np.empty_like(every) for _ in range(3))
    for i in range(TAPS - 2):
        np.add(every, taps[i], out=one)
        for j in range(i + 1, TAPS - 1):
            np.add(one, taps[j], out=two)
            for k in range(j + 1, TAPS):
                yield np.add(two, taps[k], out=three)
