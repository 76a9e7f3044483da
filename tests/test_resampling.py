import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.command_line import InputError
from benchmark.resampling import covers, dense_points, doubts, losses, resample, widest_gap


def gaussians(x, positions, heights, width):
    return sum(
        height * np.exp(-(((x - position) / width) ** 2) / 2)
        for position, height in zip(positions, heights, strict=True)
    )


def by_hand(x, y, datapoints, first, last):
    """Find the highest measured or interpolated y of each datapoint, one after the other."""
    step = (last - first) / (datapoints - 1)
    spectrum = []
    for i in range(datapoints):
        at = first + i * step
        values = [np.interp(at, x, y)]
        for j, (a, b) in enumerate(zip(x, y, strict=True)):
            neighbours = [abs(a - x[k]) for k in (j - 1, j + 1) if 0 <= k < len(x)]
            if first <= a <= last and abs(a - at) < step / 2 and min(neighbours) < step:
                values.append(b)
        spectrum.append(max(values))
    spectrum = np.array(spectrum) - min(spectrum)
    return spectrum / spectrum.max()


def test_points_half_way_belong_to_the_next_datapoint_however_x_is_written():
    x = np.arange(5, 90.001, 0.02)
    y = np.random.default_rng(0).random(len(x))
    grid = np.arange(5, 90.001, 0.04)
    as_text = np.array([float(f"{value:.2f}") for value in x])
    for written in x, as_text, np.linspace(5, 90, len(x)):
        _, datapoints = dense_points(written, grid)
        assert np.unique(np.bincount(datapoints)[1:], return_counts=True)[0].tolist() == [2]
        assert (resample(written, y, len(grid)) == resample(as_text, y, len(grid))).all()


def test_a_range_may_begin_one_step_before_the_measurement_whatever_the_step():
    for step in 0.1, 0.02, 0.3:
        for n in range(400):
            x = np.round(np.arange(10) * step + 5 + n * step, 6)
            assert covers(x, round(5 + (n - 1) * step, 6), x[-1])
            assert not covers(x, 5 + (n - 1.01) * step, x[-1])


def test_codes_for_missing_values_and_saturated_detectors_are_told():
    x = np.linspace(200, 1200, 1000)
    y = np.round(gaussians(x, [400, 700], [100, 60], width=20), 1) + 5
    assert losses(x, y, 1000) == []
    gap = np.where(abs(x - 900) < 1, -9999, y)
    assert "the lowest y, -9999, lies further below all others than" in losses(x, gap, 1000)[0]
    assert losses(x, gap, 1000, limits=(200, 800)) == []
    (note,) = losses(np.array([0.0, 1500.0]), np.array([1.0, 2.0]), 1000, limits=(200, 800))
    assert "interpolated" in note  # no point lies within
    (note,) = losses(x, np.minimum(y, 80), 1000)
    assert "the highest y, 80, stands at 30 neighbouring points" in note


POSITIONS, HEIGHTS = [12.3, 40.07, 77.77], [1.0, 0.52, 0.7]


def test_lines_narrower_than_a_datapoint_keep_their_heights():
    x = np.linspace(0, 100, 131_001)
    y = gaussians(x, POSITIONS, HEIGHTS, width=0.002)
    spectrum = resample(x, y, 5000)
    for position, height in zip(POSITIONS, HEIGHTS, strict=True):
        around = round(position / 100 * 4999)
        assert spectrum[around - 1 : around + 2].max() == pytest.approx(height, rel=0.02)
    assert np.count_nonzero(spectrum > 0.1) <= 6


def test_lines_that_point_down_keep_their_depths_beside_those_that_point_up():
    x = np.linspace(0, 100, 50_001)
    y = 0.9 - gaussians(x, POSITIONS, [0.8, 0.4, -0.1], width=0.004) + 0.001 * np.sin(50 * x)
    spectrum = resample(x, y, 1000)
    depths = [spectrum[round(p / 100 * 999) + np.arange(-1, 2)] for p in POSITIONS]
    level = np.median(spectrum)
    assert depths[0].min() == 0
    assert depths[1].min() == pytest.approx(level - 0.4 / 0.9, abs=0.01)
    assert depths[2].max() == 1
    assert level == pytest.approx(0.8 / 0.9, abs=0.01)


@pytest.mark.parametrize(("depth", "expected"), [(0.14, 0.9), (0.16, 0.64)])
def test_the_lowest_counts_only_where_it_is_further_from_the_level_than_noise(depth, expected):
    x = np.linspace(0, 300, 3001)
    y = np.where(x < 150, 0.2, 0.8)  # the level is that around, not that of the whole spectrum
    y[200], y[400] = 1, 0
    y[2199], y[2202] = 0.8 + 0.1, 0.8 - depth  # noise is 0.05 of the height, which is 1
    assert resample(x, y, 301)[220] == pytest.approx(expected)


def test_noise_is_a_share_of_the_height_that_narrow_lines_have():
    y = np.full(3001, 0.2)
    y[204], y[1502] = 1.2, 0.16  # a line between datapoints, and a dip of less than 0.05 of it
    expected = np.zeros(301)
    expected[20] = 1
    np.testing.assert_allclose(resample(np.linspace(0, 300, 3001), y, 301), expected, atol=1e-6)


@given(st.integers(80, 300), st.integers(0, 2**32 - 1))
def test_a_datapoint_is_the_highest_of_the_points_nearest_to_it(datapoints, seed):
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.choice([0.01, 0.1, 0.5, 2], 300) * rng.uniform(0.5, 1.5, 300))
    y = np.zeros(300)
    y[rng.choice(300, 6, replace=False)] = rng.uniform(0.1, 1, 6)
    expected = by_hand(x, y, datapoints, x[0], x[-1])
    np.testing.assert_allclose(resample(x, y, datapoints), expected, atol=1e-6)


def test_dense_and_sparse_regions_are_resampled_by_their_own_density():
    x = np.concatenate([np.linspace(0, 10, 2001), np.linspace(12, 40, 15)])
    y = np.zeros(len(x))
    y[[333, 1234]] = [1, 0.6]  # single points between datapoints 1 apart
    y[-8] = 0.8  # x = 26, between neighbours at 24 and 28
    spectrum = resample(x, y, 41)
    expected = np.zeros(41)
    expected[[2, 6, 25, 26, 27]] = [1, 0.6, 0.4, 0.8, 0.4]
    np.testing.assert_allclose(spectrum, expected, atol=1e-6)
    np.testing.assert_allclose(spectrum, by_hand(x, y, 41, 0, 40), atol=1e-6)


@pytest.mark.parametrize("datapoints", [300, 301, 5000])
def test_datapoints_closer_than_measured_points_are_interpolated_linearly(datapoints):
    rng = np.random.default_rng(0)
    x = np.linspace(100.3, 1412.7, 300)
    y = rng.normal(size=300)
    plain = np.interp(np.linspace(x[0], x[-1], datapoints), x, y)
    plain = ((plain - plain.min()) / (plain.max() - plain.min())).astype(np.float32)
    np.testing.assert_array_equal(resample(x, y, datapoints), plain)


def test_points_outside_of_the_range_do_not_count():
    x = np.linspace(0, 10, 1001)
    y = np.where((x < 1.99) | (x > 8.01), 100.0, x)
    np.testing.assert_allclose(resample(x, y, 4, (2.0, 8.0)), [0, 1 / 3, 2 / 3, 1], atol=0.2)


@pytest.mark.parametrize(
    ("limits", "notes", "spectrum"),
    [
        ((9.0, 12.0), ["x begins at 10: datapoints from 9 on take the first y, 3"], [0, 0, 1, 0.5]),
        ((11.0, 14.0), ["x ends at 13: datapoints up to 14 take the last y, 4"], [1, 1 / 3, 0, 0]),
        ((9.0, 14.0), ["x begins", "x ends"], [0, 0, 1, 0.5, 0.25, 0.25]),
        ((10.0, 13.0), [], [0, 1, 0.5, 0.25]),
    ],
)
def test_an_end_missed_by_a_measured_step_takes_the_last_y_and_that_is_noted(
    limits, notes, spectrum
):
    x, y = np.arange(10.0, 14.0), np.array([3.0, 7.0, 5.0, 4.0])
    found = losses(x, y, len(spectrum), limits)
    assert len(found) == len(notes)
    for note, start in zip(found, notes, strict=True):
        assert note.startswith(start)
    np.testing.assert_allclose(resample(x, y, len(spectrum), limits), spectrum, atol=1e-6)


@pytest.mark.parametrize("limits", [(8.9, 12.0), (11.0, 14.1), (20.0, 30.0), (0.0, 5.0)])
def test_an_end_missed_by_more_is_refused(limits):
    with pytest.raises(InputError, match=r"x goes from 10 to 13, accepted: all of RANGE, \S+ to"):
        resample(np.arange(10.0, 14.0), np.array([3.0, 7.0, 5.0, 4.0]), 4, limits)


def test_lines_narrower_than_a_datapoint_are_noted_with_datapoints_that_resolve_them():
    x = np.linspace(0, 100, 131_001)
    y = gaussians(x, POSITIONS, HEIGHTS, width=0.005)
    (note,) = losses(x, y, 5000)
    needed = int(note.split("DATAPOINTS of ")[1].split()[0])
    width = 0.005 * 2 * np.sqrt(2 * np.log(2))
    assert 100 / (width / 2) <= needed <= 1.3 * 100 / (width / 2)
    assert losses(x, y, needed) == []


@pytest.mark.parametrize(("height", "noted"), [(0.15, False), (0.25, True)])
def test_narrow_lines_are_noted_from_a_fifth_of_the_height_on(height, noted):
    x = np.linspace(0, 100, 10_001)
    y = gaussians(x, [30], [1], width=2) + gaussians(x, [70], [height], width=0.02)
    assert bool(losses(x, y, 500)) == noted


def test_lines_of_single_points_need_as_many_datapoints_as_there_are_points():
    y = np.zeros(10_001)
    y[[2000, 5000]] = 1
    (note,) = losses(np.linspace(0, 1, 10_001), y, 500)
    assert "DATAPOINTS of 10001 would" in note


@pytest.mark.parametrize(
    ("points", "datapoints", "width"), [(3000, 5000, 0.001), (131_001, 5000, 0.05)]
)
def test_nothing_is_noted_where_datapoints_are_closer_than_points_or_lines_are_wide(
    points, datapoints, width
):
    x = np.linspace(0, 100, points)
    y = gaussians(x, POSITIONS, HEIGHTS, width) + 1e-3 * np.sin(1e4 * x)
    assert losses(x, y, datapoints) == []


def test_spectra_are_interpolated_at_equal_distances_from_0_to_1():
    spectrum = resample(np.array([0.0, 1.0, 4.0]), np.array([-5.0, 5.0, -3.0]), 5)
    assert spectrum.dtype == np.float32
    np.testing.assert_allclose(spectrum, [0, 1, (22 / 3) / 10, (14 / 3) / 10, 0.2], rtol=1e-6)


@pytest.mark.parametrize("y", [[2.0, 2.0, 2.0], [-1e308, -1e308, 1e308]])
def test_spectra_that_do_not_vary_or_vary_beyond_floating_point_are_refused(y):
    with pytest.raises(InputError, match=r"y goes from \S+ to \S+ over 2 datapoints, accepted"):
        resample(np.arange(3.0), np.array(y), 2)


def test_the_level_is_the_median_of_51_datapoints():
    x = np.linspace(0, 300, 3001)  # ten points for each datapoint
    y = np.where(abs(x - 150) < 10, 0.5, 1.0)  # a dip of 20 datapoints: the level is above it
    y[0], y[1502], y[1498] = 0, 0.6, 0.4
    assert resample(x, y, 301)[150] == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("x", "limits", "beyond"),
    [([0, 1, 2, 4], (0, 5.5), (0, 6.5)), ([0, 2, 3, 4], (-1.5, 4), (-2.5, 4))],
)
def test_the_step_at_an_end_decides_how_far_it_may_be_missed(x, limits, beyond):
    measured = np.array(x, float), np.array([1.0, 3, 2, 1])
    resample(*measured, 5, limits)
    with pytest.raises(InputError, match="accepted: all of RANGE"):
        resample(*measured, 5, beyond)


def test_three_points_are_saturated_and_frequent_values_no_codes():
    y = np.arange(100.0) % 50
    for points, notes in (2, 0), (3, 1):
        full = y.copy()
        full[10 : 10 + points] = 60
        assert len(doubts(full)) == notes
    assert doubts(np.r_[np.full(5, -9999), y]) and not doubts(np.r_[np.full(50, -9999), y])
    assert doubts(np.r_[np.full(9, -9999), y[:91]])
    assert not doubts(np.r_[np.full(10, -9999), y[:90]])  # a tenth of the points


def test_a_lowest_y_nearer_than_the_others_span_is_no_code():
    y = np.arange(100.0) % 50
    assert not doubts(np.r_[-40, y]) and doubts(np.r_[-60, y])


def test_a_single_point_far_above_all_lines_is_told_and_a_line_is_not():
    x = np.linspace(200, 1200, 1000)
    y = gaussians(x, [400, 700], [100, 60], width=3) + 5
    spike, line = y.copy(), gaussians(x, [600.3], [900], width=1) + y
    spike[500] = 900
    assert doubts(y) == doubts(line) == []
    (told,) = doubts(spike)
    assert "900, is a single point more than 3 times as high as all other lines" in told
    spike[500] = 290  # less than three times the highest line above the background
    assert doubts(spike) == []
    transmittance = np.round(100 - gaussians(x, [400, 700], [60, 40], width=3), 1)
    transmittance[800] = 100.1
    assert doubts(transmittance) == []
    at_the_end = np.r_[y[1:], 900]
    assert len(doubts(at_the_end)) == 1
    spike[499:502] = 400, 900, 400  # points that belong to it are no lines beside it
    assert len(doubts(spike)) == 1
    spike[501] = 500  # more than half as high: a line
    assert doubts(spike) == []


def test_spikes_are_told_from_a_hundred_points_on():
    y = np.tile([0.0, 1.0], 50)
    y[30] = 50
    assert len(doubts(y)) == 1 and doubts(y[1:]) == []


def test_gaps_of_more_than_ten_datapoints_are_noted():
    x, y = np.arange(0, 101, 10.0), np.tile([0.0, 1.0], 6)[:11]
    assert losses(x, y, 101) == []
    (note,) = losses(np.delete(x, 5), np.delete(y, 5), 101)
    assert note.startswith("points are up to 20 apart, 20 datapoints, as from 40 to 60: between")


def test_a_gap_lies_between_measured_points_and_within_the_limits():
    x = np.array([2.0, 3, 5, 9])
    assert widest_gap(x, 0, 7) == (3, 5)
    assert widest_gap(x, 0, 20) == (5, 9)
    assert widest_gap(x, 2.5, 3.2) == (2.5, 3)
