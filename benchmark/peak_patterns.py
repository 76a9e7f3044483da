"""Peaks of real classes brought onto the datapoints of a class file."""

from typing import NamedTuple

import numpy as np

from benchmark.command_line import InputError, warn
from benchmark.resampling import nearest_datapoint

MOST_NAMED = 8  # peaks in a message


class Grid(NamedTuple):
    """The datapoints of a spectrum, and what they stand for."""

    datapoints: int
    range: tuple[float, float] | None  # x of the first and the last one; None if nobody says

    @property
    def ends(self):
        """x of the first and the last datapoint: their numbers, if nobody says."""
        return self.range or (0, self.datapoints - 1)

    @property
    def step(self):
        """By how much x grows from one datapoint to the next."""
        first, last = self.ends
        return (last - first) / (self.datapoints - 1)

    def x_at(self, datapoint):
        """Return x of a datapoint, which may lie between two; array or number."""
        return self.ends[0] + datapoint * self.step

    def datapoint_at(self, x):
        """Return the datapoint, as a float, that stands for x; array or number."""
        return (x - self.ends[0]) / self.step


class PeakLimits(NamedTuple):
    """Which peaks of a class stay."""

    boundary: int  # fewest datapoints between a peak and either end
    min_height: float  # relative to the highest
    max_peaks: int


def pattern_of(name, x, heights, grid, limits):
    """Bring the peaks of a class into the form of a class file.

    name: of the class, for messages; x (peaks,): in the unit of the Grid's range; heights (peaks,):
    0 or more and not all 0, of any scale; limits: PeakLimits. Peaks on one datapoint become one, as
    high as both together, as Gaussians that are summed. Of too many, the highest stay.

    Returns positions, int64 (peaks,), ascending and each once, and heights, float64, relative to
    the highest, three decimals. What is left out or joined is named on standard error. Raises
    InputError if nothing is left.
    """
    datapoint = nearest_datapoint(np.clip(grid.datapoint_at(x), -1, grid.datapoints))
    heights = heights / heights.max()
    last = grid.datapoints - 1 - limits.boundary
    inside = (datapoint >= limits.boundary) & (datapoint <= last) & (heights > 0)
    where = f"{limits.boundary} datapoints (BOUNDARY) or more within RANGE"
    if not inside.any():
        raise InputError(
            f"class {name} has no peak that lies {where}, accepted: one or more; its peaks are "
            f"{described(x, heights)}"
        )
    if not inside.all():
        highest = ", the highest of the class among them" if heights[~inside].max() == 1 else ""
        peaks = described(x[~inside], heights[~inside])
        warn(f"class {name}: left out, as they do not lie {where}{highest}: {peaks}")
    positions, index = np.unique(datapoint[inside], return_inverse=True)
    joined = np.bincount(index, heights[inside])
    several = positions[np.bincount(index) > 1]
    if len(several):
        warn(
            f"class {name}: joined, as they fall on one datapoint: peaks at "
            f"{described(grid.x_at(several))}"
        )
    joined /= joined.max()
    rounded = np.round(joined, 3)
    stay = (joined >= limits.min_height) & (rounded > 0)
    stay[np.argsort(-joined, kind="stable")[limits.max_peaks :]] = False
    if not stay.all():
        peaks = described(grid.x_at(positions[~stay]), joined[~stay])
        warn(f"class {name}: left out by MIN_HEIGHT and MAX_PEAKS: {peaks}")
    return positions[stay], rounded[stay]


def described(x, heights=None):
    """Return a list of peaks for a message."""
    peaks = [f"{at:.6g}" for at in x[:MOST_NAMED]]
    if heights is not None:
        peaks = [f"{at} (height {height:.2g})" for at, height in zip(peaks, heights, strict=False)]
    more = f" and {len(x) - MOST_NAMED} more" if len(x) > MOST_NAMED else ""
    return ", ".join(peaks) + more
