"""Artefacts: each against an independent calculation, by its statistics, and by being off."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import PROJECT, SMALL, assert_one_sentence, variation
from scipy import stats
from scipy.special import eval_chebyt

import spectra_from_config
from benchmark import artefacts, block_writer
from benchmark.artefacts import (
    MOVES_BASELINE,
    NEEDED,
    OFF,
    STREAMS,
    Artefacts,
    RandomSource,
    add_noise,
    add_spikes,
    changed_peaks,
    class_that_may_leave,
    faults_of_artefacts,
    generators,
    one_by_one,
    only_those_on,
    render_with_artefacts,
    replace_by_counts,
    uniform,
)
from benchmark.class_figures import class_artefacts
from benchmark.class_file import ClassFile, read_class_file
from benchmark.command_line import InputError, parse_flags
from benchmark.dataset_folder import read_card
from benchmark.ideal_observer import IdealObserver
from benchmark.profiles import Peaks, sum_of_peaks
from benchmark.rendering import render
from benchmark.severities import LADDER
from benchmark.variation import variation_of
from spectra_from_config import render_dataset

ALL = Artefacts(
    peak_shape="pseudo_voigt",
    lorentzian_share=(0.2, 0.8),
    width_trend=(0, 1),
    strain=0.02,
    common_shift=4,
    texture=(0, 0.5),
    foreign_peaks=(0, 3),
    background=(0.05, 0.2),
    hump=(0.05, 0.2),
    counts=(200, 2000),
    spikes=(0, 3),
    noise=(0.001, 0.02),
)
DATAPOINTS = 400
POSITIONS, HEIGHTS = np.array([60, 150, 290]), np.array([0.4, 1, 0.7])


def varied(spectra, sigma=3.0, positions=POSITIONS, heights=HEIGHTS):
    shape = spectra, len(positions)
    return (
        np.broadcast_to(positions, shape),
        np.broadcast_to(heights, shape),
        np.full(spectra, sigma),
    )


def source(spectra, label=0):
    return RandomSource(seed=2022, split=0, pieces=[(label, range(spectra))])


def rendered(artefacts, spectra, **pattern):
    return render_with_artefacts(varied(spectra, **pattern), artefacts, source(spectra), DATAPOINTS)


def peaks_with(artefacts, spectra, **pattern):
    return changed_peaks(*varied(spectra, **pattern), artefacts, source(spectra), DATAPOINTS)


def pseudo_voigt(x, position, sigma, share):
    """By full width at half maximum, as textbooks write it."""
    width = sigma * np.sqrt(8 * np.log(2))
    lorentzian = (width / 2) ** 2 / ((x - position) ** 2 + (width / 2) ** 2)
    gaussian = np.sqrt(2 * np.pi) * sigma * stats.norm.pdf(x, position, sigma)
    return share * lorentzian + (1 - share) * gaussian


def assert_uniform(values, lowest, highest):
    assert stats.kstest(values, stats.uniform(lowest, highest - lowest).cdf).pvalue > 1e-3


@pytest.mark.parametrize("share", [0, 0.3, 1])
def test_profiles_are_pseudo_voigt_profiles_wherever_peaks_are(share):
    rng = np.random.default_rng(1)
    positions = rng.uniform(-30, 130, (40, 3))
    heights, sigmas = rng.uniform(0, 1, (40, 3)), rng.uniform(0.3, 8, (40, 3))
    peaks = Peaks(positions, heights, sigmas, np.full(40, float(share)))
    x = np.arange(100)
    expected = sum(
        heights[:, [j]] * pseudo_voigt(x, positions[:, [j]], sigmas[:, [j]], share)
        for j in range(3)
    )
    # Tails end: Gaussians below 4e-4 of each of the three peaks, Lorentzians below 1e-4.
    np.testing.assert_allclose(sum_of_peaks(peaks, 100, {}), expected, rtol=1e-5, atol=1.5e-3)


def test_tails_end_where_the_documentation_says():
    x = np.arange(2000)
    for share, atol in (0, 1e-6), (0.3, 2e-6), (1, 2e-6):
        peaks = Peaks(*np.full((3, 1, 1), [[[1000.25]], [[1]], [[3]]]), np.array([float(share)]))
        profile = sum_of_peaks(peaks, 2000, {})[0]
        lorentzian = share * pseudo_voigt(x, 1000.25, 3, 1)
        gaussian = (1 - share) * pseudo_voigt(x, 1000.25, 3, 0)
        expected = np.where(lorentzian >= 1e-4, lorentzian, 0)
        expected += np.where(np.abs(x - 1000) <= 12, gaussian, 0)
        np.testing.assert_allclose(profile, expected, rtol=1e-5, atol=atol)


@pytest.mark.parametrize("beyond", [11, 12, 13])
def test_the_last_datapoint_of_a_tail_is_seen_of_peaks_outside_of_the_axis(beyond):
    outside = np.array([[-beyond, 99 + beyond]], float)
    peaks = Peaks(outside, np.ones((1, 2)), np.full((1, 2), 3.0), np.zeros(1))
    ends = sum_of_peaks(peaks, 100, {})[0, [0, -1]]
    expected = np.exp(-(beyond**2) / 18) if beyond <= 12 else 0  # which is 4 sigma
    np.testing.assert_allclose(ends, expected, rtol=1e-5)


def test_all_shapes_have_the_same_full_width_at_half_maximum():
    half = 5.0 * np.sqrt(2 * np.log(2))
    for shape in "gaussian", "lorentzian", "pseudo_voigt":
        artefacts = Artefacts(peak_shape=shape, lorentzian_share=(0.4, 0.4))
        peaks = peaks_with(artefacts, 1, positions=[200], heights=[1], sigma=5.0)
        moved = peaks._replace(positions=peaks.positions - half)
        assert sum_of_peaks(moved, DATAPOINTS, {})[0, 200] == pytest.approx(0.5, abs=1e-4)


def test_without_artefacts_the_same_spectra_are_rendered():
    peaks = varied(20)
    np.testing.assert_allclose(rendered(OFF, 20), render(*peaks, DATAPOINTS), atol=2e-7)


def test_strain_and_common_shift_move_all_peaks_together_by_fractions():
    strained = peaks_with(Artefacts(strain=0.02), 5000).positions / POSITIONS - 1
    np.testing.assert_allclose(strained - strained[:, :1], 0, atol=1e-12)
    assert_uniform(strained[:, 0], -0.02, 0.02)
    shifts = peaks_with(Artefacts(common_shift=4.5), 5000).positions - POSITIONS
    np.testing.assert_allclose(shifts - shifts[:, :1], 0, atol=1e-9)
    assert_uniform(shifts[:, 0], -4.5, 4.5)
    both = peaks_with(Artefacts(strain=0.02, common_shift=4.5), 5000).positions
    np.testing.assert_allclose(both, POSITIONS * (1 + strained) + shifts)


def test_texture_lowers_each_peak_of_a_class_by_its_own_factor():
    heights = peaks_with(Artefacts(texture=(0.1, 0.6)), 5000).heights
    falls = 1 - heights / HEIGHTS
    u = falls[0] / falls[0].max()
    np.testing.assert_allclose(falls / falls.max(axis=1, keepdims=True), np.tile(u, (5000, 1)))
    other_split = source(3)._replace(split=3)
    again = changed_peaks(*varied(3), Artefacts(texture=(0.5, 0.5)), other_split, DATAPOINTS)
    factors = (1 - again.heights[0] / HEIGHTS) / 0.5
    assert ((factors >= 0) & (factors < 1)).all()
    np.testing.assert_allclose(factors / factors.max(), u)
    assert_uniform(falls.max(axis=1) / factors.max(), 0.1, 0.6)


def test_widths_grow_along_the_axis():
    peaks = peaks_with(Artefacts(width_trend=(0.5, 2)), 5000, sigma=3.0)
    growth = (peaks.sigmas / 3 - 1) / (POSITIONS / (DATAPOINTS - 1))
    np.testing.assert_allclose(growth - growth[:, :1], 0, atol=1e-12)
    assert_uniform(growth[:, 0], 0.5, 2)


def test_peaks_outside_of_the_axis_are_as_wide_as_those_at_its_ends():
    ends = Artefacts(width_trend=(2, 2), common_shift=50)
    peaks = peaks_with(ends, 100, positions=[0, DATAPOINTS - 1], heights=[1, 1], sigma=3.0)
    (first, last), (narrow, wide) = peaks.positions.T, peaks.sigmas.T
    assert (first < 0).any() and (last > DATAPOINTS - 1).any()
    assert (narrow[first < 0] == 3).all() and (wide[last > DATAPOINTS - 1] == 9).all()


def test_lorentzian_shares_fill_their_range():
    artefacts = Artefacts(peak_shape="pseudo_voigt", lorentzian_share=(0.2, 0.7))
    assert_uniform(peaks_with(artefacts, 5000).shares, 0.2, 0.7)
    assert (peaks_with(Artefacts(peak_shape="lorentzian"), 5).shares == 1).all()


def test_foreign_peaks_are_anywhere_as_many_and_as_high_as_they_may():
    artefacts = Artefacts(foreign_peaks=(1, 3), foreign_heights=(0.2, 0.6))
    peaks = peaks_with(artefacts, 6000)
    positions, heights = peaks.positions[:, 3:], peaks.heights[:, 3:]
    counts = np.bincount(np.count_nonzero(heights, axis=1))
    np.testing.assert_allclose(counts, [0, 2000, 2000, 2000], atol=200)
    assert_uniform(positions[heights > 0], 0, DATAPOINTS - 1)
    assert_uniform(heights[heights > 0], 0.2, 0.6)
    np.testing.assert_array_equal(peaks.heights[:, :3], np.tile(HEIGHTS, (6000, 1)))


def test_backgrounds_are_chebyshev_sums_of_order_2_to_4():
    clean = rendered(OFF, 300)
    curves = added(Artefacts(background=(0.1, 0.3)), clean)
    np.testing.assert_allclose(curves.min(axis=1), 0, atol=1e-6)
    assert_uniform(curves.max(axis=1), 0.1, 0.3)
    x = np.linspace(-1, 1, DATAPOINTS)
    orders = []
    for curve in curves:
        polynomials = np.stack([eval_chebyt(n, x) for n in range(5)], axis=1)
        coefficients, *_ = np.linalg.lstsq(polynomials, curve, rcond=None)
        np.testing.assert_allclose(polynomials @ coefficients, curve, atol=1e-5)
        orders.append(np.flatnonzero(np.abs(coefficients) > 1e-5).max())
    np.testing.assert_allclose(np.bincount(orders, minlength=5), [0, 0, 100, 100, 100], atol=30)


def added(artefacts, clean):
    """What an artefact adds before the spectrum is scaled again, but for the minimum taken off.

    It is read from the spectra themselves: scale and minimum are those that leave the curve smooth
    under the highest peak, whose part in the clean spectrum is known.
    """
    spectra = rendered(artefacts, len(clean)).astype(float)
    curves = []
    for spectrum, peaks in zip(spectra, clean.astype(float), strict=True):
        # s (spectrum) = peaks + curve: across the highest peak the curve is a parabola.
        near = slice(150 - 12, 150 + 13)
        t = np.arange(-12, 13) / 12
        unknown = np.stack([spectrum[near], -np.ones(25), -t, -(t**2), -(t**3)], axis=1)
        (scale, *_), *_ = np.linalg.lstsq(unknown, peaks[near], rcond=None)
        curve = scale * spectrum - peaks
        curves.append(curve - curve.min())
    return np.array(curves)


def test_humps_are_broad_gaussians():
    artefacts = Artefacts(hump=(0.2, 0.2))
    clean = rendered(OFF, 40)
    x = np.arange(DATAPOINTS)
    u = uniform(source(40), "hump", 3)
    for curve, (_, centre, width) in zip(added(artefacts, clean), u, strict=True):
        sigma = DATAPOINTS * (0.1 + 0.2 * width)
        expected = 0.2 * pseudo_voigt(x, (DATAPOINTS - 1) * centre, sigma, 0)
        np.testing.assert_allclose(curve, expected - expected.min(), atol=2e-3)


def test_counts_are_poisson_numbers():
    broad = {"positions": [200], "heights": [1], "sigma": 40.0}  # no count far away: minimum 0
    clean = rendered(OFF, 1, **broad)[0]
    spectra = rendered(Artefacts(counts=(400, 400)), 3000, **broad)
    # Each spectrum is whole counts, divided by its own largest number.
    smallest = np.array([np.diff(np.unique(spectrum)).min() for spectrum in spectra])
    counts = spectra / smallest[:, None]
    np.testing.assert_allclose(counts, np.round(counts), atol=0.05)
    counts = np.round(counts)
    for x in 200, 170, 150:
        column, expected = counts[:, x], 400 * clean[x]
        assert abs(column.mean() - expected) < 5 * (expected / 3000) ** 0.5 + 0.5
        assert column.var() / column.mean() == pytest.approx(1, abs=0.15)


def test_noise_is_gaussian_of_the_given_deviation_and_its_minimum_is_subtracted():
    flat = {"positions": [200], "heights": [1], "sigma": 1.0}
    spectra = rendered(Artefacts(noise=(0.01, 0.01)), 500, **flat).astype(float)
    assert (spectra.min(axis=1) == 0).all()
    assert (spectra.max(axis=1) == 1).all()
    apart = np.delete(spectra, np.s_[190:211], axis=1)
    level = np.median(apart, axis=1, keepdims=True)
    noise = (apart - level) / (1 - level)  # the peak is 1 above the level, but for its own noise
    assert noise.std() == pytest.approx(0.01, rel=0.03)
    residuals = (apart - apart.mean(axis=1, keepdims=True)) / apart.std(axis=1, keepdims=True)
    assert stats.kstest(residuals[:, ::5].ravel(), stats.norm.cdf).pvalue > 1e-3
    assert np.abs(np.corrcoef(residuals[:30])[np.triu_indices(30, 1)]).max() < 0.3


def test_spikes_are_single_datapoints():
    artefacts = Artefacts(spikes=(2, 2), spike_heights=(0.3, 0.5))
    clean, spectra = rendered(OFF, 2000), rendered(artefacts, 2000)
    quiet = np.s_[:, 175:265]  # no peak is there
    assert clean[quiet].max() == 0
    scales = np.median((spectra / np.maximum(clean, 0.1))[:, 145:156], axis=1, keepdims=True)
    spikes = (spectra / scales)[quiet]
    heights = spikes[spikes > 0]
    assert len(heights) == pytest.approx(2 * 2000 * 90 / DATAPOINTS, rel=0.15)
    assert np.count_nonzero(heights > 0.501) <= 5  # two on one datapoint
    assert_uniform(heights[heights <= 0.501], 0.3, 0.5)


@pytest.mark.parametrize("artefact", [name for name in OFF._fields if name not in NEEDED])
def test_minimum_is_0_or_more_and_maximum_1(artefact):
    spectra = rendered(one_by_one(ALL)[artefact], 50)
    assert spectra.dtype == np.float32
    assert (spectra.max(axis=1) == 1).all()
    assert (spectra.min(axis=1) == 0).all() or artefact not in MOVES_BASELINE
    assert not np.array_equal(spectra, rendered(OFF, 50))


@pytest.mark.parametrize("artefact", [name for name in OFF._fields if name not in NEEDED])
def test_switching_one_off_leaves_the_numbers_of_the_others(artefact):
    """Peaks, and what lies under and on them, are those of all artefacts but for this one."""
    without = ALL._replace(**{artefact: getattr(OFF, artefact)})
    with_all, without = peaks_with(ALL, 30), peaks_with(without, 30)
    own = slice(0, 3)
    unlike = {
        "strain": "positions",
        "common_shift": "positions",
        "texture": "heights",
        "foreign_peaks": "heights",
        "width_trend": "sigmas",
        "peak_shape": "shares",
    }.get(artefact)
    for field in "positions", "heights":
        if field != unlike:
            a, b = (getattr(peaks, field) for peaks in (with_all, without))
            foreign = np.s_[:, own if artefact == "foreign_peaks" else slice(None)]
            np.testing.assert_array_equal(a[foreign], b[foreign])
    if unlike != "shares":
        np.testing.assert_array_equal(with_all.shares, without.shares)
    if unlike is not None:
        a, b = (getattr(peaks, unlike) for peaks in (with_all, without))
        assert not np.array_equal(a, b)


def test_every_artefact_has_a_random_stream_of_its_own_per_class_and_split():
    draws = {
        uniform(RandomSource(2022, split, [(label, range(4))]), name, 2).tobytes()
        for name in STREAMS
        for split in range(3)
        for label in range(3)
    }
    assert len(draws) == 9 * len(STREAMS)
    for name in "counts", "noise":  # whose numbers are not those that say how strong they are
        draws |= {generator.random(8).tobytes() for generator in generators(source(3), name)}
    assert len(draws) == 9 * len(STREAMS) + 2 * 3
    assert set(STREAMS) == {*OFF._fields} - {"peak_shape", "foreign_heights", "spike_heights"}


def test_settings_of_the_script_are_those_of_artefacts_and_off():
    constants = vars(parse_flags(spectra_from_config, []))
    assert Artefacts(**{name: constants[name] for name in Artefacts._fields}) == OFF
    assert only_those_on(OFF) is None


def test_same_bytes_for_every_number_of_workers_and_block_size(class_file, tmp_path, monkeypatch):
    dirty = SMALL._replace(artefacts=ALL)
    sums = set()
    for number, (workers, block) in enumerate([(1, 500_000), (2, 1000), (3, 300)]):
        monkeypatch.setattr(block_writer, "BLOCK", block)
        card = render_dataset(class_file[0], tmp_path / str(number), dirty, workers=workers)
        sums.add(card["checksum"])
    assert len(sums) == 1


def test_same_bytes_on_every_processor(tmp_path):
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    optional = [f for f in __cpu_dispatch__ if __cpu_features__.get(f)]
    config = "--config", "dataset_configs/quick.json", "--max-shift", "2", "--test-shift", "1"
    flags = "--peak-shape pseudo_voigt --width-trend 0 1 --strain 0.02 --common-shift 1 --texture "
    flags += "0 0.5 --foreign-peaks 0 2 --background 0 0.2 --hump 0 0.2 --counts 100 1000 --spikes "
    flags += "0 2 --noise 0 0.05"
    sums = set()
    for number, disabled in enumerate(["", " ".join(optional)]):
        command = [sys.executable, "spectra_from_config.py", *config, *flags.split()]
        process = subprocess.run(
            [*command, "--output", str(tmp_path / str(number))],
            cwd=PROJECT,
            env=os.environ | {"NPY_DISABLE_CPU_FEATURES": disabled},
            capture_output=True,
            text=True,
            check=True,
        )
        sums.add(process.stdout.split()[-1])
    assert len(sums) == 1
    assert "overlap of classes does not take into account peak_shape" in process.stderr


def test_training_and_validation_spectra_have_artefacts_and_test_spectra_have_none(
    class_file, dataset, tmp_path
):
    render_dataset(class_file[0], tmp_path / "dirty", SMALL._replace(artefacts=ALL))
    for split in "train", "val", "test", "test_wide":
        clean, dirty = (np.load(f / f"x_{split}.npy") for f in (dataset, tmp_path / "dirty"))
        same = (clean == dirty).all(axis=1)
        assert same.all() if split.startswith("test") else not same.any()


def test_dataset_json_records_what_is_on_and_nothing_else(class_file, tmp_path):
    unused = Artefacts(noise=(0, 0.02), spike_heights=(1, 2), lorentzian_share=(0.5, 0.5))
    given = SMALL._replace(artefacts=unused)
    card = render_dataset(class_file[0], tmp_path / "noisy", given)
    assert card["variation"]["artefacts"] == {"noise": (0, 0.02)}
    assert card["overlap_ignores"] == ["noise"]
    read = read_card(tmp_path / "noisy")
    assert variation_of(read) == SMALL._replace(artefacts=Artefacts(noise=(0, 0.02)))
    render_dataset(class_file[0], tmp_path / "noisy", given, keep_others=True)
    with pytest.raises(InputError, match=r"NOISE \(0, 0.02\), not \(0, 0\)"):
        render_dataset(class_file[0], tmp_path / "noisy", SMALL, keep_others=True)
    clean = render_dataset(class_file[0], tmp_path / "clean", SMALL._replace(artefacts=OFF))
    assert "artefacts" not in clean["variation"]
    assert "overlap_ignores" not in clean


@pytest.mark.parametrize(
    "recorded",
    [{"noise": 3}, {"nois": [0, 1]}, {"noise": [1, 0]}, {"spikes": [0, 1.5]}, {"peak_shape": "x"}],
)
def test_damaged_records_are_refused(class_file, tmp_path, recorded):
    folder = tmp_path / "noisy"
    render_dataset(class_file[0], folder, SMALL._replace(artefacts=Artefacts(noise=(0, 0.02))))
    card = json.loads((folder / "dataset.json").read_text())
    card["variation"]["artefacts"] = recorded
    (folder / "dataset.json").write_text(json.dumps(card))
    with pytest.raises(InputError, match=r"dataset.json is not what spectra_from_config.py writes"):
        read_card(folder)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--noise", 0.1, 0], ["NOISE", "0.1 0", "smaller one first"]),
        (["--texture", 0, 1], ["TEXTURE", "0 1", "0.99"]),
        (["--counts", 1, 5], ["COUNTS", "1 5", "10 to"]),
        (["--strain", -1], ["STRAIN", "-1", "0 to 0.5"]),
        (["--common-shift", 100], ["COMMON_SHIFT 100", "class 0", "stays"]),
        (["--foreign-peaks", 0, 1.5], ["--foreign-peaks", "1.5"]),
        (["--peak-shape", "voigt"], ["--peak-shape", "pseudo_voigt"]),
    ],
)
def test_wrong_settings_end_in_one_sentence(run, class_file, tmp_path, flags, words):
    flags = ["--config", class_file[0], "--max-shift", 5, "--test-shift", 5, *flags]
    process = run("spectra_from_config.py", "--output", tmp_path / "out", *flags)
    assert_one_sentence(process, 2, *words)


@pytest.mark.parametrize(
    ("flags", "artefact", "needed"),
    [
        (["--lorentzian-share", 0.2, 0.8], ["--peak-shape", "pseudo_voigt"], "PEAK_SHAPE pseudo"),
        (["--foreign-heights", 0.2, 0.8], ["--foreign-peaks", 0, 1], "FOREIGN_PEAKS"),
        (["--spike-heights", 0.2, 0.8], ["--spikes", 0, 1], "SPIKES"),
    ],
)
def test_what_has_no_effect_is_told(run, class_file, tmp_path, flags, artefact, needed):
    script = "spectra_from_config.py", "--config", class_file[0], "--max-shift", 5
    script = *script, "--test-shift", 3, "--n-train", 1, "--n-val", 1, "--output"
    name = flags[0][2:].upper().replace("-", "_")
    told = run(*script, tmp_path / "without", *flags).stderr
    assert f"warning: {name} has no effect without {needed}" in told
    assert "no effect" not in run(*script, tmp_path / "with", *flags, *artefact).stderr


def test_peaks_may_leave_the_axis_and_spectra_stay_finite(class_file, tmp_path):
    wide = SMALL._replace(n_train=300, artefacts=Artefacts(strain=0.12, peak_shape="lorentzian"))
    render_dataset(class_file[0], tmp_path / "strained", wide)
    spectra = np.load(tmp_path / "strained/x_train.npy")
    assert np.isfinite(spectra).all()
    assert (spectra.max(axis=1) == 1).all()


def test_the_ideal_observer_refuses_spectra_with_artefacts(run, class_file, tmp_path):
    noisy = SMALL._replace(artefacts=Artefacts(noise=(0, 0.02)))
    with pytest.raises(InputError, match="does not apply"):
        IdealObserver(read_class_file(class_file[0]), noisy)
    render_dataset(class_file[0], tmp_path / "noisy", noisy)
    flags = "--dataset", tmp_path / "noisy", "--config", class_file[0], "--results", tmp_path / "r"
    process = run("baselines.py", *flags, "--smoothing", 3, "--max-lag", 5)
    assert process.returncode == 0, process.stderr
    assert "ideal_observer is left out: it does not know how likely noise" in process.stderr
    methods = sorted(path.name for path in (tmp_path / "r").iterdir())
    assert methods == [
        *("cosine", "cross_correlation", "nearest_spectrum", "search_match", "smoothed_cosine"),
    ]


def test_the_figure_shows_every_artefact_beside_the_ideal_pattern(class_file):
    classes = read_class_file(class_file[0])
    shown = [
        (rung.artefact, rung.settings(rung.severities[2], classes.datapoints), rung.local)
        for rung in LADDER
    ]
    figure = class_artefacts(classes, variation(), 0, shown)
    drawn = {panel.get_title(loc="left"): panel.lines for panel in figure.axes if panel.lines}
    assert list(drawn) == [rung.artefact for rung in LADDER]
    for ideal, dirty in drawn.values():
        assert len(ideal.get_ydata()) == len(dirty.get_ydata()) == classes.datapoints
        assert not np.array_equal(ideal.get_ydata(), dirty.get_ydata())


def test_a_spectrum_that_has_left_the_axis_is_empty():
    gone = varied(4, positions=[1000], heights=[1])
    for settings in Artefacts(strain=0.01), Artefacts(counts=(100, 100)):
        spectra = render_with_artefacts(gone, settings, source(4), DATAPOINTS)
        assert (spectra == 0).all()


@pytest.mark.parametrize(
    ("field", "lowest", "highest"),
    [
        ("lorentzian_share", 0, 1),
        ("width_trend", 0, 100),
        ("texture", 0, 0.99),
        ("foreign_peaks", 0, 1000),
        ("foreign_heights", 0.001, 1000),
        ("background", 0, 1000),
        ("hump", 0, 1000),
        ("spikes", 0, 1000),
        ("spike_heights", 0.001, 1000),
        ("noise", 0, 1000),
        ("counts", 10, 10**9),
    ],
)
def test_ranges_have_limits_that_are_named(field, lowest, highest):
    assert list(faults_of_artefacts(Artefacts(**{field: (lowest, highest)}))) == []
    for ends in (lowest - 1e-4, highest), (lowest, highest * 1.001), (highest, lowest):
        ((name, _, accepted),) = faults_of_artefacts(Artefacts(**{field: ends}))
        assert (name, accepted) == (field, f"{lowest:g} to {highest:g}, the smaller one first")


@pytest.mark.parametrize("name", ["strain", "common_shift", "noise"])
def test_not_a_number_is_refused(class_file, name):
    values = ["nan"] * (2 if name == "noise" else 1)
    flags = ["--config", str(class_file[0]), "--max-shift", "5", "--test-shift", "3"]
    flags += [f"--{name.replace('_', '-')}", *values]
    with pytest.raises(InputError, match=f"{name.upper()} is .*nan"):
        spectra_from_config.main(parse_flags(spectra_from_config, flags))


def test_strain_has_a_limit():
    assert list(faults_of_artefacts(Artefacts(strain=0.5))) == []
    ((name, *_),) = faults_of_artefacts(Artefacts(strain=0.51))
    assert name == "strain"


@pytest.mark.parametrize(
    ("position", "settings", "leaves"),
    [
        (10, {"common_shift": 5}, False),
        (10, {"common_shift": 5.1}, True),
        (89, {"common_shift": 5}, False),
        (89, {"common_shift": 5.1}, True),
        (89, {"strain": 0.05}, False),
        (89, {"strain": 0.06}, True),
        (89, {"strain": 0.03, "common_shift": 2}, False),
        (89, {"strain": 0.03, "common_shift": 3}, True),
    ],
)
def test_classes_that_may_leave_the_axis_are_found_at_both_ends(position, settings, leaves):
    """Peaks move by 5 datapoints of 100; the faint peak in the middle may vanish."""
    middle, other = np.array([50]), np.array([1.0])
    for faint, found in (0.05, 1 if leaves else None), (0.06, None):
        positions, heights = np.array([position, 50]), np.array([1, faint])
        classes = ClassFile(100, [middle, positions], [other, heights], "", {})
        limits = variation(max_shift=5, max_height_change=0.05)
        assert class_that_may_leave(Artefacts(**settings), classes, limits) == found


def test_spikes_are_on_all_datapoints_alike():
    spectra = np.zeros((4000, 4), np.float32)
    add_spikes(spectra, Artefacts(spikes=(1, 1)), source(4000))
    np.testing.assert_allclose(np.count_nonzero(spectra, axis=0), 1000, atol=120)


def test_spikes_on_one_datapoint_are_summed():
    spectra = np.zeros((5, 1), np.float32)
    add_spikes(spectra, Artefacts(spikes=(3, 3), spike_heights=(0.5, 0.5)), source(5))
    np.testing.assert_array_equal(spectra, 1.5)


def test_a_background_of_one_datapoint_is_none():
    peak = varied(5, positions=[0], heights=[1])
    artefacts = Artefacts(background=(0.1, 0.2))
    assert (render_with_artefacts(peak, artefacts, source(5), datapoints=1) == 0).all()


@pytest.mark.parametrize(
    "artefact", [n for n in OFF._fields if n not in (*NEEDED, *MOVES_BASELINE)]
)
def test_only_what_moves_the_baseline_has_the_minimum_subtracted(artefact):
    assert rendered(one_by_one(ALL)[artefact], 5, sigma=100.0).min() > 0


def test_random_numbers_of_noise_begin_where_the_documentation_says():
    sequence = np.random.SeedSequence(2022, spawn_key=(1, 7, STREAMS["noise"]))
    expected = [np.random.PCG64(sequence).advance((i + 1) * 2**40).random_raw(4) for i in (3, 4)]
    found = [
        g.bit_generator.random_raw(4)
        for g in generators(RandomSource(2022, 1, [(7, range(3, 5))]), "noise")
    ]
    np.testing.assert_array_equal(found, expected)


def test_streams_keep_their_numbers():
    names = "lorentzian_share width_trend strain common_shift texture foreign_peaks background hump"
    assert list(STREAMS) == [*names.split(), "counts", "spikes", "noise"]
    assert list(STREAMS.values()) == list(range(11))


def test_spectra_with_artefacts_keep_their_bytes(class_file, tmp_path):
    dirty = SMALL._replace(artefacts=ALL._replace(counts=None, noise=(0, 0)))
    card = render_dataset(class_file[0], tmp_path / "dirty", dirty)
    assert card["files"]["x_train.npy"]["sha256"][:16] == "64a24150f289e635"


def test_common_shifts_of_the_ladder_are_fractions_of_the_axis():
    (rung,) = [rung for rung in LADDER if rung.artefact == "common_shift"]
    shifts = [rung.settings(severity, 5000).common_shift for severity in rung.severities]
    assert shifts == pytest.approx([10, 25, 50, 75, 100])


def test_counts_are_drawn_from_their_range():
    spectra = np.ones((300, 4000), np.float32)
    replace_by_counts(spectra, Artefacts(counts=(100, 1000)), source(300))
    assert_uniform(1 / spectra.astype(float).var(axis=1), 100, 1000)


def test_noise_is_drawn_from_its_range():
    spectra = np.zeros((300, 4000), np.float32)
    add_noise(spectra, Artefacts(noise=(0.1, 0.5)), source(300))
    assert_uniform(spectra.std(axis=1), 0.1, 0.5)


def test_artefacts_come_in_their_order(monkeypatch):
    names = ["backgrounds", "humps", "replace_by_counts", "add_spikes", "add_noise"]
    order = []

    def telling(name, made):
        def tell(*arguments):
            order.append(name)
            return made(*arguments)

        return tell

    for name in names:
        monkeypatch.setattr(artefacts, name, telling(name, getattr(artefacts, name)))
    rendered(ALL, 2)
    assert order == names


@pytest.mark.parametrize("artefact", ["background", "hump", "counts", "noise"])
def test_the_minimum_is_subtracted(artefact):
    spectra = rendered(one_by_one(ALL)[artefact], 5, sigma=100.0)
    assert (spectra.min(axis=1) == 0).all()
