"""Resampling: bringing a measurement to datapoints at equal distances, with narrow lines kept."""

import numpy as np
from scipy.ndimage import median_filter

from benchmark.command_line import InputError

LEVEL = 51  # datapoints whose median is the level around a datapoint
SMALL = 0.05  # of the height of a spectrum: what noise may be
LINE = 0.2  # of the height of a spectrum: what is a line, not noise
ROUNDING = 1e-6  # of a distance: what decimals may have lost
FEW = 0.1  # of the points: those without a value
SATURATED = 3  # neighbouring points at the highest y
SPIKE = 3  # times as high as all other lines is a single point that may be no line
FULLY_MEASURED = 100  # points or more, which draw a line with several
WIDEST_GAP = 10  # datapoints that may lie between neighbouring measured points


def resample(x, y, datapoints, limits=None):
    """Bring a measurement into the form of the synthetic spectra.

    x, y: arrays (points,), x rising, of any unit; limits: x of the first and the last datapoint, by
    default those of the measurement. Returns a float32 array (datapoints,) at equal distances of x,
    with minimum 0 and maximum 1; see `at_datapoints`.

    Raises InputError if the measurement does not cover the limits but for one step of its own, or
    if y does not vary over these datapoints, or varies beyond floating point.
    """
    first, last = limits or (x[0], x[-1])
    if not (covers(x, first, last) and first < last):
        raise InputError(
            f"x goes from {x[0]:g} to {x[-1]:g}, accepted: all of RANGE, {first:g} to {last:g}"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        spectrum, _ = at_datapoints(x, y, np.linspace(first, last, datapoints))
        lowest, highest = spectrum.min(), spectrum.max()
        height = highest - lowest
        if not 0 < height < np.inf:
            raise InputError(
                f"y goes from {lowest:g} to {highest:g} over {datapoints} datapoints, accepted: a "
                f"finite difference above 0"
            )
        return ((spectrum - lowest) / height).astype(np.float32)


def covers(x, first, last):
    """Tell whether a measurement, x rising, covers these limits but for one step of its own."""
    steps = (1 + ROUNDING) * (x[1] - x[0]), (1 + ROUNDING) * (x[-1] - x[-2])
    return x[0] - first <= steps[0] and last - x[-1] <= steps[1]


def nearest_datapoint(places):
    """Return the datapoints nearest to places in datapoints, int64; from the middle on the next.

    So neighbouring places one datapoint apart never fall on one, as rounding to even would have it.
    """
    return np.floor(places + (0.5 + ROUNDING)).astype(np.int64)


def widest_gap(x, first, last):
    """Return x of both sides of the widest gap of a measurement, x rising, within these limits."""
    first, last = max(x[0], first), min(x[-1], last)
    inside = np.concatenate(([first], x[(x > first) & (x < last)], [last]))
    left = int(np.argmax(np.diff(inside)))
    return inside[left], inside[left + 1]


def at_datapoints(x, y, grid):
    """Return y at the datapoints of an equidistant grid, and the level around each.

    Where measured points are further apart than datapoints, y is interpolated linearly; before the
    first and after the last it is theirs. Where they are closer, a datapoint stands for those
    nearer to it than to any other. It takes the highest of them and of the interpolated y, unless
    the lowest is further from the level around, the median of LEVEL datapoints, by more than noise.
    A mean would keep areas instead; but lines narrower than a datapoint would lose height, by as
    much as they are narrower and by how they lie to the datapoints.
    """
    interpolated = np.interp(grid, x, y)
    level = median_filter(interpolated, LEVEL)
    points, datapoint = dense_points(x, grid)
    highest, lowest = interpolated.copy(), interpolated.copy()
    np.maximum.at(highest, datapoint, y[points])
    np.minimum.at(lowest, datapoint, y[points])
    noise = SMALL * (highest.max() - lowest.min())
    points_down = (level - lowest) - (highest - level) > noise
    return np.where(points_down, lowest, highest), level


def dense_points(x, grid):
    """Return the indices of measured points that are closer than datapoints, and of the latter."""
    step = (grid[-1] - grid[0]) / (len(grid) - 1)
    closer = np.diff(x) < step * (1 - ROUNDING)  # not by rounding alone
    closer = np.append(closer, False) | np.insert(closer, 0, False)
    points = np.flatnonzero(closer & (x >= grid[0]) & (x <= grid[-1]))
    return points, nearest_datapoint((x[points] - grid[0]) / step)


def losses(x, y, datapoints, limits=None):
    """Return a sentence for each way in which datapoints may not be what was to be measured."""
    first, last = limits or (x[0], x[-1])
    notes = doubts(y[(x >= first) & (x <= last)])
    if first < x[0]:
        notes.append(
            f"x begins at {x[0]:g}: datapoints from {first:g} on take the first y, {y[0]:g}"
        )
    if last > x[-1]:
        notes.append(f"x ends at {x[-1]:g}: datapoints up to {last:g} take the last y, {y[-1]:g}")
    left, right = widest_gap(x, first, last)
    step = (last - first) / (datapoints - 1)
    if right - left > WIDEST_GAP * step:
        notes.append(
            f"points are up to {right - left:g} apart, {(right - left) / step:.0f} datapoints, as "
            f"from {left:g} to {right:g}: between them y is interpolated"
        )
    with np.errstate(all="ignore"):
        enough = datapoints_for_lines(x, y, np.linspace(first, last, datapoints))
    if enough:
        notes.append(
            f"lines are narrower than the distance of {datapoints} datapoints: their heights are "
            f"kept, their widths are not; DATAPOINTS of {enough} would resolve them"
        )
    return notes


def doubts(y):
    """Return a sentence for what in y (points,) is hardly measured: codes, spikes, saturation."""
    notes, values = [], np.unique(y)
    if len(values) < 2:
        return []
    rare = np.mean(y == values[0]) < FEW
    if rare and len(values) > 2 and values[1] - values[0] > values[-1] - values[1]:
        notes.append(
            f"the lowest y, {values[0]:g}, lies further below all others than these span: it may "
            f"be a code for a missing value"
        )
    edges = np.flatnonzero(np.diff(y == values[-1], prepend=False, append=False))  # of runs
    longest = (edges[1::2] - edges[::2]).max(initial=0)
    if longest >= SATURATED:
        notes.append(
            f"the highest y, {values[-1]:g}, stands at {longest} neighbouring points, as where a "
            f"detector is saturated"
        )
    if is_spike(y):
        notes.append(
            f"the highest y, {values[-1]:g}, is a single point more than {SPIKE} times as high as "
            f"all other lines: it may be a spike, as of a cosmic ray"
        )
    return notes


def is_spike(y):
    """Tell whether the highest y is a single point far above all others, over the median."""
    heights = y - np.median(y)
    top = int(np.argmax(heights))
    beside = [heights[i] for i in (top - 1, top + 1) if 0 <= i < len(y)]
    others = np.delete(heights, range(max(top - 1, 0), min(top + 2, len(y))))
    alone = max(beside) < heights[top] / 2
    high = heights[top] > np.ptp(y) / 2  # not so where bands point down
    return len(y) >= FULLY_MEASURED and alone and high and SPIKE * others.max() < heights[top]


def datapoints_for_lines(x, y, grid):
    """Return how many datapoints make two of the narrowest line, None if no line is below one.

    Lines are the points that stand for a datapoint and lie further from the level around than LINE
    of the spectrum's height; their width is that at half their height.
    """
    spectrum, level = at_datapoints(x, y, grid)
    points, datapoint = dense_points(x, grid)
    height = np.abs(spectrum - level)[datapoint]
    is_line = (y[points] == spectrum[datapoint]) & (height > LINE * np.ptp(spectrum))
    tops, levels = points[is_line], level[datapoint[is_line]]

    def narrower_than(width):
        half = (y[tops] - levels) / 2
        ends = [np.interp(x[tops] + side, x, y) - levels for side in (-width / 2, width / 2)]
        return bool(((ends[0] / half < 1) & (ends[1] / half < 1)).any())

    span = grid[-1] - grid[0]
    step = span / (len(grid) - 1)
    if not len(tops) or not narrower_than(step):
        return None
    closest = np.diff(x).min()
    while step > closest and narrower_than(2 * step):
        step *= 0.9
    return int(np.ceil(span / max(step, closest) - 1e-6)) + 1
