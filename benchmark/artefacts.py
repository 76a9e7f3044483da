"""Artefacts: what real measurements do to spectra and the paper leaves out. All are off by default.

Training and validation spectra have them where a dataset is rendered with them; test splits never.
They come in this order, onto the peaks as the paper varies them (position, height, width):

1.  TEXTURE: each height is multiplied by 1 - t u. u, from 0 to 1, belongs to a peak of a class in
    all splits; t is drawn per spectrum. So heights change together, as in a powder whose grains
    have a preferred orientation (March and Dollase).
2.  STRAIN, COMMON_SHIFT: positions x, counted from datapoint 0, become x (1 + e) + s. They
    are no whole numbers any more, and a peak is evaluated where it is. What leaves the axis is
    lost.
3.  FOREIGN_PEAKS: peaks of no class, anywhere on the axis, as high as FOREIGN_HEIGHTS say, relative
    to the highest peak of the ideal pattern.
4.  WIDTH_TREND: a peak at x is sigma (1 + w x / last datapoint) wide.
5.  PEAK_SHAPE, LORENTZIAN_SHARE: see `benchmark.profiles`. The sum is divided by its maximum.
6.  BACKGROUND: a sum of the Chebyshev polynomials 1 to k, k from 2 to 4, with coefficients from -1
    to 1, moved to minimum 0 and scaled to maximum b. HUMP: a Gaussian of height b, centred anywhere
    on the axis and 0.1 to 0.3 axes wide (sigma). b is a fraction of the maximum of the peaks.
7.  COUNTS: each intensity becomes a Poisson number of counts, of which the highest peak has so many
    on average, without the background under it.
8.  SPIKES: some datapoints rise by SPIKE_HEIGHTS, as cosmic rays leave them in Raman spectra.
9.  NOISE: Gaussian noise whose standard deviation is a fraction of the maximum of the peaks.
10. With BACKGROUND, HUMP, COUNTS or NOISE, the minimum is subtracted, as it is from measured
    spectra; then the spectrum is divided by its maximum.

Whatever is given as a range is drawn per spectrum, uniform, whole numbers with both ends;
FOREIGN_HEIGHTS and SPIKE_HEIGHTS are drawn for each peak and spike. STRAIN and COMMON_SHIFT are
drawn from minus to plus their value.

Each artefact draws from a random stream of its own per class and split, PCG64 of the seed sequence
(SEED, (split, class, number of the artefact)); texture's u come from (SEED, (class,)). So switching
one on, or adding classes or spectra, leaves all other random numbers as they were. NOISE and COUNTS
take no fixed amount of numbers; those of spectrum i of a class begin (i + 1) times STRIDE numbers
after the start. They are made by numpy's Generator, and may change with numpy's version.

What others use: XRD-AutoAnalyzer (doi 10.1021/acs.chemmater.1c01071) strains by 3 to 4 %, shifts by
0.5 of 70 degrees, changes heights by texture of 50 to 60 %, adds noise of 0.25 % and up to 70 % of
an impurity; python-powder-diffraction (doi 10.1107/S2052252521002402) strains by 1 to 4 %, has
texture of 40 to 60 %, Chebyshev backgrounds of up to 10 %, noise of amplitude 0.5 to 1.5 %, whose
standard deviation is about a sixth of that; SimXRD has shifts of 0.1 degrees, backgrounds of 5 %,
noise uniform up to 2 %; RamanSPy has noise of 0.1, baselines of amplitude 2 and spikes of 5 on
spectra whose maximum is about 2.
"""

from typing import NamedTuple

import numpy as np

from benchmark.command_line import LARGEST, InputError
from benchmark.profiles import Peaks, gaussian_samples, sum_of_peaks
from benchmark.rendering import reuse

SHAPES = "gaussian", "lorentzian", "pseudo_voigt"
LOWEST_ORDER, HIGHEST_ORDER = 2, 4  # of the background's polynomials
HUMP_WIDTHS = 0.1, 0.3  # sigma, as a fraction of the axis
FEWEST_COUNTS = 10  # with fewer, a spectrum may have none at all
STRIDE = 2**40  # random numbers between two spectra: more than any spectrum takes


class Artefacts(NamedTuple):
    """How far each artefact goes: the constants of spectra_from_config.py of the same names.

    Ranges are (lowest, highest); as here, all artefacts are off.
    """

    peak_shape: str = "gaussian"
    lorentzian_share: tuple[float, float] = (0, 1)  # of pseudo_voigt
    width_trend: tuple[float, float] = (0, 0)  # growth of sigma along the axis, as a fraction
    strain: float = 0  # largest, as a fraction of the position
    common_shift: float = 0  # largest, in datapoints
    texture: tuple[float, float] = (0, 0)  # largest fall of a height, as a fraction of it
    foreign_peaks: tuple[int, int] = (0, 0)  # their number
    foreign_heights: tuple[float, float] = (0.1, 0.5)
    background: tuple[float, float] = (0, 0)  # height, maximum 1
    hump: tuple[float, float] = (0, 0)  # height, maximum 1
    counts: tuple[float, float] | None = None  # at the maximum
    spikes: tuple[int, int] = (0, 0)  # their number
    spike_heights: tuple[float, float] = (0.2, 1)
    noise: tuple[float, float] = (0, 0)  # standard deviation, maximum 1


OFF = Artefacts()
BELONGS_TO = {"foreign_heights": "foreign_peaks", "spike_heights": "spikes"}
NEEDED = {  # detail of an artefact -> what it has no effect without
    "lorentzian_share": "PEAK_SHAPE pseudo_voigt",
    **{name: needed.upper() for name, needed in BELONGS_TO.items()},
}
MOVES_BASELINE = "background", "hump", "counts", "noise"

# The number of an artefact's random stream; a new artefact takes a new one.
STREAMS = {
    "lorentzian_share": 0,
    "width_trend": 1,
    "strain": 2,
    "common_shift": 3,
    "texture": 4,
    "foreign_peaks": 5,
    "background": 6,
    "hump": 7,
    "counts": 8,
    "spikes": 9,
    "noise": 10,
}


class RandomSource(NamedTuple):
    """Some spectra of a split, and where their random numbers come from."""

    seed: int
    split: int  # its number
    pieces: list  # of (class, range of its spectra), which follow each other


def is_on(artefacts, name):
    """Tell whether an artefact, named by its field, is on."""
    if name == "lorentzian_share":
        return artefacts.peak_shape == "pseudo_voigt"
    name = BELONGS_TO.get(name, name)
    return getattr(artefacts, name) != getattr(OFF, name)


def without_effect(artefacts):
    """Return those fields that were changed, but belong to an artefact that is off."""
    changed = [name for name in NEEDED if getattr(artefacts, name) != getattr(OFF, name)]
    return [name for name in changed if not is_on(artefacts, name)]


def those_on(artefacts):
    """Return field -> value of what is on, {} for None: all that dataset.json records."""
    if artefacts is None:
        return {}
    return {name: v for name, v in artefacts._asdict().items() if is_on(artefacts, name)}


def names_of_those_on(artefacts):
    return [name for name in those_on(artefacts) if name not in NEEDED]


def one_by_one(artefacts):
    """Return name -> Artefacts in which only this one is on, as it is in `artefacts`."""
    on = those_on(artefacts)
    details = {name: value for name, value in on.items() if name in NEEDED}
    return {
        name: only_those_on(Artefacts(**{name: value} | details))
        for name, value in on.items()
        if name not in NEEDED
    }


def only_those_on(artefacts):
    """Return Artefacts in which what has no effect is as in OFF; None if nothing is on."""
    on = those_on(artefacts)
    return Artefacts(**on) if on else None


def faults_of_artefacts(artefacts):
    """Yield (field, value, what is accepted) for each value that is not.

    artefacts: an Artefacts, whose values are of the right types.
    """
    peak_shape, strain, shift = artefacts.peak_shape, artefacts.strain, artefacts.common_shift
    if peak_shape not in SHAPES:
        yield "peak_shape", peak_shape, ", ".join(SHAPES)
    if not 0 <= strain <= 0.5:
        yield "strain", strain, "0 to 0.5"
    if not 0 <= shift <= LARGEST:
        yield "common_shift", shift, f"0 to {LARGEST} datapoints"
    limits = {
        "lorentzian_share": (0, 1),
        "width_trend": (0, 100),
        "texture": (0, 0.99),
        "foreign_peaks": (0, 1000),
        "foreign_heights": (0.001, 1000),
        "background": (0, 1000),
        "hump": (0, 1000),
        "spikes": (0, 1000),
        "spike_heights": (0.001, 1000),
        "noise": (0, 1000),
        "counts": (FEWEST_COUNTS, LARGEST),
    }
    for name, (lowest, highest) in limits.items():
        value = getattr(artefacts, name)
        if value is not None and not lowest <= value[0] <= value[1] <= highest:
            written = " ".join(f"{end:g}" for end in value)
            yield name, written, f"{lowest:g} to {highest:g}, the smaller one first"


def check_artefacts(artefacts, class_file, config, variation):
    """Raise InputError for a value that is not accepted, or classes that may leave the axis.

    config: name of the class file, for the message.
    """
    for name, value, accepted in faults_of_artefacts(artefacts):
        raise InputError(f"{name.upper()} is {value}, accepted: {accepted}")
    label = class_that_may_leave(artefacts, class_file, variation)
    if label is not None:
        raise InputError(
            f"STRAIN {artefacts.strain:g} and COMMON_SHIFT {artefacts.common_shift:g} can move all "
            f"peaks of class {label} of {config} off the axis, accepted: less, so that one stays "
            f"on its {class_file.datapoints} datapoints"
        )


def class_that_may_leave(artefacts, class_file, variation):
    """Return the first class whose training spectra may be empty, None without one."""
    shift = variation.max_shift
    for label, (positions, heights) in enumerate(
        zip(class_file.positions, class_file.heights, strict=True)
    ):
        certain = positions[heights > variation.max_height_change]
        if may_leave(artefacts, certain - shift, certain + shift, class_file.datapoints):
            return label
    return None


def may_leave(artefacts, lowest, highest, datapoints):
    """Tell whether all peaks can leave the axis; each lies from lowest to highest (peaks,)."""
    lowest = lowest * (1 - artefacts.strain) - artefacts.common_shift
    highest = highest * (1 + artefacts.strain) + artefacts.common_shift
    return not ((lowest >= 0) & (highest <= datapoints - 1)).any()


def render_with_artefacts(varied, artefacts, source, datapoints, buffers=None):
    """Render spectra with artefacts, each with minimum 0 or more and divided by its maximum.

    varied: positions (spectra, peaks), heights (spectra, peaks) and widths sigma (spectra,), as for
    `rendering.render`; artefacts: Artefacts; source: RandomSource; buffers: see `rendering.render`.
    Returns float32 (spectra, datapoints).
    """
    buffers = {} if buffers is None else buffers
    peaks = changed_peaks(*varied, artefacts, source, datapoints)
    sums = sum_of_peaks(peaks, datapoints, buffers)
    spectra = reuse(buffers, "normalised", sums.shape)
    maxima = sums.max(axis=1, keepdims=True)
    maxima[maxima == 0] = 1  # nothing is left on the axis
    np.divide(sums, maxima, out=spectra)
    if is_on(artefacts, "background"):
        spectra += backgrounds(artefacts, source, datapoints, buffers)
    if is_on(artefacts, "hump"):
        spectra += humps(artefacts, source, datapoints)
    if is_on(artefacts, "counts"):
        replace_by_counts(spectra, artefacts, source)
    if is_on(artefacts, "spikes"):
        add_spikes(spectra, artefacts, source)
    if is_on(artefacts, "noise"):
        add_noise(spectra, artefacts, source)
    if any(is_on(artefacts, name) for name in MOVES_BASELINE):
        spectra -= spectra.min(axis=1, keepdims=True)
    maxima = spectra.max(axis=1, keepdims=True)
    maxima[maxima == 0] = 1  # nor is there a count
    spectra /= maxima
    return spectra


def changed_peaks(positions, heights, sigmas, artefacts, source, datapoints):
    """Apply what changes peaks; returns Peaks. Arguments: see `render_with_artefacts`."""
    positions, last = positions.astype(np.float64), datapoints - 1
    if is_on(artefacts, "texture"):
        falls = between(artefacts.texture, uniform(source, "texture", 1))
        heights = heights * (1 - falls * texture_factors(source, heights.shape[1]))
    if is_on(artefacts, "strain"):
        positions *= 1 + artefacts.strain * (2 * uniform(source, "strain", 1) - 1)
    if is_on(artefacts, "common_shift"):
        positions += artefacts.common_shift * (2 * uniform(source, "common_shift", 1) - 1)
    if is_on(artefacts, "foreign_peaks"):
        drawn, foreign_heights = scattered(
            source, "foreign_peaks", artefacts.foreign_peaks, artefacts.foreign_heights
        )
        positions = np.concatenate([positions, last * drawn], axis=1)
        heights = np.concatenate([heights, foreign_heights], axis=1)
    growth = np.zeros((len(positions), 1))
    if is_on(artefacts, "width_trend"):
        growth = between(artefacts.width_trend, uniform(source, "width_trend", 1))
    sigmas = sigmas[:, None] * (1 + growth * np.clip(positions, 0, last) / max(1, last))
    shares = np.full(len(positions), float(artefacts.peak_shape == "lorentzian"))
    if is_on(artefacts, "lorentzian_share"):
        shares = between(artefacts.lorentzian_share, uniform(source, "lorentzian_share", 1))[:, 0]
    return Peaks(positions, heights, sigmas, shares)


def random_stream(source, artefact, label):
    key = source.split, label, STREAMS[artefact]
    return np.random.PCG64(np.random.SeedSequence(source.seed, spawn_key=key))


def uniform(source, artefact, numbers):
    """Draw so many uniform numbers from 0 to 1 for each spectrum, float64 (spectra, numbers)."""
    drawn = []
    for label, spectra in source.pieces:
        stream = random_stream(source, artefact, label).advance(spectra.start * numbers)
        drawn.append(np.random.Generator(stream).random((len(spectra), numbers)))
    return np.concatenate(drawn)


def between(ends, uniform_numbers):
    return ends[0] + (ends[1] - ends[0]) * uniform_numbers


def whole_between(ends, uniform_numbers):
    """Return whole numbers within a range, both ends included and all equally likely."""
    return ends[0] + np.floor((ends[1] - ends[0] + 1) * uniform_numbers).astype(np.int64)


def scattered(source, artefact, numbers, heights):
    """Draw some places on the axis, and heights; numbers: fewest and most of them.

    Returns places from 0 to 1 and heights, float64 (spectra, most); a height is 0 where a spectrum
    has fewer.
    """
    most = numbers[1]
    drawn = uniform(source, artefact, 1 + 2 * most)
    present = np.arange(most) < whole_between(numbers, drawn[:, :1])
    return drawn[:, 1 : 1 + most], np.where(present, between(heights, drawn[:, 1 + most :]), 0)


def texture_factors(source, peaks):
    """Return how much texture lowers each peak, from 0 to 1, float64 (spectra, peaks).

    They belong to the class: all spectra of it have the same, in all splits.
    """
    factors = []
    for label, spectra in source.pieces:
        sequence = np.random.SeedSequence(source.seed, spawn_key=(label,))
        own = np.random.Generator(np.random.PCG64(sequence)).random(peaks)
        factors.append(np.broadcast_to(own, (len(spectra), peaks)))
    return np.concatenate(factors)


def backgrounds(artefacts, source, datapoints, buffers):
    """Return smooth curves with minimum 0, float32 (spectra, datapoints)."""
    drawn = uniform(source, "background", 2 + HIGHEST_ORDER)
    orders = whole_between((LOWEST_ORDER, HIGHEST_ORDER), drawn[:, 1:2])
    coefficients = (2 * drawn[:, 2:] - 1) * (np.arange(1, 1 + HIGHEST_ORDER) <= orders)
    coefficients = coefficients.astype(np.float32)
    curves, term = (reuse(buffers, name, (len(drawn), datapoints)) for name in ("curves", "term"))
    curves.fill(0)
    for n, polynomial in enumerate(chebyshev_polynomials(datapoints)):
        # A matrix product would round differently on other machines.
        curves += np.multiply(coefficients[:, n : n + 1], polynomial, out=term)
    curves -= curves.min(axis=1, keepdims=True)
    highest = curves.max(axis=1, keepdims=True)
    highest[highest == 0] = 1
    curves *= between(artefacts.background, drawn[:, :1]).astype(np.float32) / highest
    return curves


def chebyshev_polynomials(datapoints):
    """Return T1 to T4 on the axis, from -1 to 1, float32 (4, datapoints)."""
    x = np.linspace(-1, 1, datapoints)
    return np.polynomial.chebyshev.chebvander(x, HIGHEST_ORDER).T[1:].astype(np.float32)


def humps(artefacts, source, datapoints):
    """Return one broad Gaussian per spectrum, float32 (spectra, datapoints)."""
    drawn = uniform(source, "hump", 3)
    height, centre, width = np.hsplit(drawn, 3)
    sigmas = datapoints * between(HUMP_WIDTHS, width)
    heights = between(artefacts.hump, height)[:, 0]
    ends = np.full(len(drawn), datapoints - 1)
    samples = gaussian_samples(((datapoints - 1) * centre)[:, 0], sigmas[:, 0], ends)
    return (samples * heights).T.astype(np.float32, order="C")


def generators(source, artefact):
    """Yield a numpy Generator for each spectrum; the next one makes the last one invalid."""
    for label, spectra in source.pieces:
        stream = random_stream(source, artefact, label)
        generator, start = np.random.Generator(stream), stream.state
        for spectrum in spectra:
            stream.state = start
            stream.advance((spectrum + 1) * STRIDE)  # before are the numbers of `uniform`
            yield generator


def replace_by_counts(spectra, artefacts, source):
    """Replace intensities by Poisson numbers of counts, relative to those at the maximum."""
    most = between(artefacts.counts, uniform(source, "counts", 1))[:, 0]
    for spectrum, at_maximum, generator in zip(
        spectra, most, generators(source, "counts"), strict=True
    ):
        spectrum[:] = generator.poisson(spectrum * at_maximum) / at_maximum


def add_spikes(spectra, artefacts, source):
    places, heights = scattered(source, "spikes", artefacts.spikes, artefacts.spike_heights)
    datapoints = np.floor(places * spectra.shape[1]).astype(np.int64)
    rows = np.broadcast_to(np.arange(len(spectra))[:, None], datapoints.shape)
    np.add.at(spectra, (rows, datapoints), heights.astype(np.float32))


def add_noise(spectra, artefacts, source):
    deviations = between(artefacts.noise, uniform(source, "noise", 1))[:, 0]
    for spectrum, deviation, generator in zip(
        spectra, deviations, generators(source, "noise"), strict=True
    ):
        spectrum += deviation * generator.standard_normal(len(spectrum))
