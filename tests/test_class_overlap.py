import json
from itertools import chain, repeat
from typing import NamedTuple

import numpy as np
import pytest
from conftest import PROJECT, SMALL, assert_one_sentence, variation
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmark.artefacts import Artefacts
from benchmark.class_file import ClassFile, read_class_file
from benchmark.command_line import InputError
from benchmark.files import sha256_of
from benchmark.ideal_observer import IdealObserver
from benchmark.overlap import Limits, find_overlaps, summarise
from benchmark.variants import change_heights, nine_variants
from dataset_config_generator import distinct_classes, draw_classes
from spectra_from_config import render_dataset

ROUNDING = 1e-9


class Reach(NamedTuple):
    """Largest changes of training peaks, and those of the nine test variants."""

    max_shift: int = 50
    max_height_change: float = 0.05
    test_shift: int = 25
    test_height_change: float = 0.02
    vary_highest: bool = True

    def limits(self, classes):
        variants = nine_variants(self.test_shift, self.test_height_change)
        return Limits(
            self.max_shift, self.max_height_change, [variants] * classes, self.vary_highest
        )


def overlaps(positions, heights, reach):
    return find_overlaps(ClassFile(5000, positions, heights, "", {}), reach.limits(len(heights)))


def variants_by_definition(positions, heights, limits):
    """The nine test variants as lists of visible (position, relative height)."""
    for change in 0, limits.test_height_change, -limits.test_height_change:
        varied = [h if h == 1 else max(h + change, 0) for h in heights]
        for shift in 0, -limits.test_shift, limits.test_shift:
            yield [
                (p + shift, h / max(varied))
                for p, h in zip(positions, varied, strict=True)
                if h > 0
            ]


def can_produce(variant, free, limits):
    """Try every way to give each visible peak a peak of B to itself; the rest of B must vanish."""
    if not variant:
        return all(h <= limits.max_height_change + ROUNDING for _, h in free)
    (position, height), *others = variant
    return any(
        abs(position - p) <= limits.max_shift
        and abs(height - h)
        <= (0 if h == 1 and not limits.vary_highest else limits.max_height_change) + ROUNDING
        and can_produce(others, free[:i] + free[i + 1 :], limits)
        for i, (p, h) in enumerate(free)
    )


def overlaps_by_definition(positions, heights, limits):
    found = {}
    classes = [list(zip(p, h, strict=True)) for p, h in zip(positions, heights, strict=True)]
    for a in range(len(classes)):
        variants = list(variants_by_definition(positions[a], heights[a], limits))
        for b in range(len(classes)):
            if a != b:
                confused = [v for v in range(9) if can_produce(variants[v], classes[b], limits)]
                if confused:
                    found[a, b] = tuple(confused)
    return found


@st.composite
def crowded_classes(draw):
    """Few positions and heights, so that classes overlap, share positions and have faint peaks."""
    height = st.sampled_from([0, 0.02, 0.05, 0.051, 0.1, 0.5, 0.52, 0.55, 0.9, 0.95, 0.999, 1])
    positions, heights = [], []
    for _ in range(draw(st.integers(2, 6))):
        peaks = draw(st.integers(1, 4))
        position = st.integers(0, 12)
        positions.append(np.array(draw(st.lists(position, min_size=peaks, max_size=peaks))))
        drawn = draw(st.lists(height, min_size=peaks - 1, max_size=peaks - 1))
        heights.append(np.array(draw(st.permutations([*drawn, 1])), np.float64))
    return positions, heights


# The second has two highest peaks, of which one meets a peak of 0.95.
TWO_HIGHEST = [np.array([95, 97]), np.array([81, 88])], [np.array([0.95, 1]), np.array([1.0, 1])]
# As binary fractions, 0.941 is less than 1 - 0.059.
ROUNDED = [np.array([0, 9])] * 2, [np.array([1.0, 0.95]), np.array([0.941, 1])]


@settings(max_examples=300, deadline=None)
@given(
    crowded_classes(),
    st.builds(
        Reach,
        max_shift=st.integers(0, 4),
        max_height_change=st.sampled_from([0, 0.05, 0.1]),
        test_shift=st.integers(0, 3),
        test_height_change=st.sampled_from([0, 0.02, 0.2]),
        vary_highest=st.booleans(),
    ),
)
@example(ROUNDED, Reach(0, 0.059, test_shift=0, test_height_change=0))
@example(TWO_HIGHEST, Reach(14, 0.1, test_shift=0, test_height_change=0, vary_highest=False))
def test_overlaps_are_those_of_the_definition_over_all_pairs(classes, limits):
    expected = overlaps_by_definition(*classes, limits)
    found = {}
    for overlap in overlaps(*classes, limits):
        assert overlap.class_a < overlap.class_b
        for key, variants in (
            ((overlap.class_a, overlap.class_b), overlap.variants_a),
            ((overlap.class_b, overlap.class_a), overlap.variants_b),
        ):
            if variants:
                found[key] = variants
    assert found == expected
    ambiguous = {(a, v) for (a, _), variants in expected.items() for v in variants}
    assert summarise(overlaps(*classes, limits))["ambiguous_test_spectra"] == len(ambiguous)


@pytest.mark.parametrize("compared", [2_000_000, 30])  # pairs of peaks at once
def test_pruning_loses_no_pair_of_the_papers_kind(compared, monkeypatch):
    monkeypatch.setattr("benchmark.overlap.COMPARED", compared)
    config = draw_classes(datapoints=700, classes=60, max_peaks=3, seed=1)["spectra"].values()
    positions = [np.array(s["peak_positions"]) for s in config]
    heights = [np.array(s["peak_heights"]) for s in config]
    expected = overlaps_by_definition(positions, heights, Reach())
    pairs = {(o.class_a, o.class_b) for o in overlaps(positions, heights, Reach())}
    assert pairs == {tuple(sorted(pair)) for pair in expected}
    assert pairs


def test_the_papers_class_file_has_one_overlapping_pair():
    class_file = read_class_file(PROJECT / "dataset_configs/dataset500.json")
    (overlap,) = find_overlaps(class_file, Reach().limits(500))
    assert (overlap.class_a, overlap.class_b) == (217, 257)
    assert len(overlap.variants_a) + len(overlap.variants_b) == 8
    assert "1096" in overlap.decided_by


def test_avoid_overlap_redraws_until_no_classes_overlap():
    options = {"datapoints": 700, "classes": 60, "max_peaks": 3, "seed": 1}
    plain = draw_classes(**options)
    config = draw_classes(**options, avoid_overlap=True)
    spectra = config["spectra"].values()
    positions = [np.array(s["peak_positions"]) for s in spectra]
    heights = [np.array(s["peak_heights"]) for s in spectra]
    for change in 0.02, 0.2:  # of both test splits
        limits = Reach(test_height_change=change)
        assert overlaps_by_definition(positions, heights, limits) == {}
    assert config == draw_classes(**options, avoid_overlap=True)
    assert config["spectra"]["0"] == plain["spectra"]["0"]
    assert config != plain


ALONE = np.array([1000]), np.array([1.0])
WITH_FAINT_PEAK = np.array([1000, 2000]), np.array([1.0, 0.05])  # which training may lose
WITH_SMALL_PEAK = np.array([1000, 2000]), np.array([1.0, 0.2])  # which only test_wide may lose
ELSEWHERE = np.array([3000]), np.array([1.0])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (ALONE, WITH_FAINT_PEAK),
        (WITH_FAINT_PEAK, ALONE),
        (ALONE, WITH_SMALL_PEAK),
        (WITH_SMALL_PEAK, ALONE),
    ],
)
def test_a_class_is_redrawn_whichever_of_two_can_be_taken_for_the_other(first, second):
    drawn = iter([first, second, second, ELSEWHERE])
    found = distinct_classes(lambda: next(drawn), classes=2, max_peaks=2)
    assert [positions[-1] for positions, _ in found] == [first[0][-1], 3000]


def test_a_class_is_held_against_all_earlier_ones():
    drawn = iter([ALONE, ELSEWHERE, WITH_FAINT_PEAK, WITH_SMALL_PEAK, (ALONE[0] + 500, ALONE[1])])
    assert len(distinct_classes(lambda: next(drawn), classes=3, max_peaks=2)) == 3
    assert list(drawn) == []


def test_a_class_is_drawn_at_most_a_thousand_times(monkeypatch):
    def is_faint_and_not_the_first(positions, heights, earlier, limits):
        return len(earlier.positions) > 0 and len(positions) == 2

    monkeypatch.setattr("dataset_config_generator.overlaps_any", is_faint_and_not_the_first)
    drawn = chain([ALONE], repeat(WITH_FAINT_PEAK, 999), [ELSEWHERE])
    assert len(distinct_classes(lambda: next(drawn), classes=2, max_peaks=2)) == 2
    drawn = chain([ALONE], repeat(WITH_FAINT_PEAK))
    with pytest.raises(InputError, match="class 1 still overlaps an earlier one after 1000 tries"):
        distinct_classes(lambda: next(drawn), classes=2, max_peaks=2)


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (
            ([100, 300, 500], [1, 0.5, 0.3]),
            ([103, 301, 502], [1, 0.53, 0.31]),
            "all peaks match, least alike 300 (height 0.5) of class 0 and 301 (height 0.53) of"
            " class 1",
        ),
        (
            ([100, 300], [1, 0.5]),
            ([103, 301, 400, 450], [1, 0.53, 0.04, 0.02]),
            "they match but for vanishing peaks: 400 (height 0.04) of class 1, 450 (height 0.02) of"
            " class 1",
        ),
        (
            ([100, 300, 400], [1, 0.5, 0.02]),  # of which test variants may lose one
            ([103, 301], [1, 0.53]),
            "they match but for vanishing peaks: 400 (height 0.02) of class 0",
        ),
        (
            ([100, 300, 400], [1, 0.5, 0.04]),  # can be taken for the second, not the other way
            ([103, 301], [1, 0.53]),
            "they match but for vanishing peaks: 400 (height 0.04) of class 0",
        ),
        (
            ([100, 300, 400], [1, 0.5, 0.02]),  # the first variant, the ideal pattern, loses none
            ([103, 301, 402], [1, 0.5, 0.03]),
            "all peaks match, least alike 400 (height 0.02) of class 0 and 402 (height 0.03) of"
            " class 1",
        ),
    ],
)
def test_the_peaks_on_which_an_overlap_hangs_are_named(first, second, words):
    positions, heights = (list(map(np.array, part)) for part in zip(first, second, strict=True))
    (overlap,) = overlaps(positions, heights, Reach())
    assert overlap.decided_by == words


def test_avoid_overlap_leaves_distinct_classes_as_they_are(run, tmp_path):
    options = {"datapoints": 5000, "classes": 20, "seed": 3}
    assert draw_classes(**options, avoid_overlap=True) == draw_classes(**options)


def test_too_many_classes_for_the_spectrum_end_in_one_sentence(run, tmp_path):
    flags = ["--datapoints", 300, "--classes", 400, "--max-peaks", 2, "--avoid-overlap"]
    output = tmp_path / "out.json"
    process = run("dataset_config_generator.py", *flags, "--output", output)
    assert_one_sentence(process, 2, "CLASSES", "400", "too short", "1000 tries")
    assert not output.exists()


def test_script_prints_pairs_and_totals_and_saves_json(run, class_file, tmp_path):
    path, write = class_file

    def twin(config):
        config["spectra"]["0"] = {"peak_positions": [40, 70], "peak_heights": [1.0, 0.5]}
        config["spectra"]["1"] = {"peak_positions": [42, 50, 71], "peak_heights": [1.0, 0.03, 0.5]}

    write(twin)
    process = run("class_overlap.py", "--config", path, "--json", path)
    assert_one_sentence(process, 2, "JSON", path, "which is read, too")
    flags = ["--max-shift", 4, "--test-shift", 2, "--json", tmp_path / "overlap.json"]
    process = run("class_overlap.py", "--config", path, *flags)
    assert process.returncode == 0, process.stderr
    first, *_, last = process.stdout.splitlines()
    assert first.startswith("classes 0 and 1: 9 of 18 test variants; ")
    assert "50 (height 0.03) of class 1" in first
    assert last == (
        f"{path}: 1 overlapping pair among 4 classes, 9 of 36 test spectra ambiguous, with "
        f"MAX_SHIFT 4, MAX_HEIGHT_CHANGE 0.05, TEST_SHIFT 2, TEST_HEIGHT_CHANGE 0.02, VARY_HIGHEST "
        f"True, OWN_VARIANTS True"
    )
    saved = json.loads((tmp_path / "overlap.json").read_text())
    assert saved["ambiguous_test_spectra"] == 9
    (pair,) = saved["pairs"]
    assert (pair["class_a"], pair["class_b"], pair["variants"]) == (0, 1, 9)
    assert saved["class_file"] == {"name": path.name, "sha256": sha256_of(path)}
    assert run("class_overlap.py", "--config", path, *flags).returncode == 0  # the same once more
    other = path.with_name("other.json")
    other.write_bytes(path.read_bytes())
    process = run("class_overlap.py", "--config", path, "--json", other)
    assert_one_sentence(process, 2, "JSON", other, "holds something else")
    assert other.read_bytes() == path.read_bytes()


def test_classes_are_called_by_their_names(run, class_file):
    path, write = class_file

    def twins(config):
        for label, spectrum in config["spectra"].items():
            spectrum["name"] = f"mineral {label}"
        for label in "01":
            config["spectra"][label] |= {"peak_positions": [40, 70], "peak_heights": [1.0, 0.5]}

    write(twins)
    process = run("class_overlap.py", "--config", path, "--max-shift", 4, "--test-shift", 2)
    first, *_ = process.stdout.splitlines()
    assert first.startswith("classes mineral 0 and mineral 1: 18 of 18 test variants; ")
    assert "of class mineral 0 and" in first
    assert first.endswith("of class mineral 1")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--max-shift", "-1"], ["MAX_SHIFT", "-1"]),
        (["--max-shift", str(10**30)], ["MAX_SHIFT", str(10**30), "0 to"]),
        (["--test-height-change", "1"], ["TEST_HEIGHT_CHANGE", "1.0"]),
        (["--config", "absent.json"], ["absent.json"]),
    ],
)
def test_wrong_flags_end_in_one_sentence(run, class_file, flags, words):
    process = run("class_overlap.py", "--config", class_file[0], *flags)
    assert_one_sentence(process, 2, *words)


def test_own_variants_count_unless_they_are_not_to(run, class_file):
    path, write = class_file

    def twins(config):
        config["spectra"]["1"] = dict(config["spectra"]["0"])
        config["spectra"]["0"]["test_variants"] = [[0, 0]]

    write(twins)
    flags = "--config", path, "--max-shift", 4, "--test-shift", 2
    found = run("class_overlap.py", *flags).stdout
    assert "classes 0 and 1: 10 of 10 test variants; " in found
    assert "of 28 test spectra ambiguous" in found
    assert (
        "of 36 test spectra ambiguous"
        in run("class_overlap.py", *flags, "--no-own-variants").stdout
    )


def test_json_does_not_replace_what_shares_a_key_with_it(run, class_file, dataset):
    card = dataset / "dataset.json"
    before = card.read_bytes()
    process = run("class_overlap.py", "--config", class_file[0], "--json", card)
    assert_one_sentence(process, 2, "JSON", card, "holds something else")
    assert card.read_bytes() == before


def test_a_highest_peak_that_does_not_vary_fits_only_one_as_high(run, tmp_path):
    classes = [([100, 300], [1, 0.97]), ([100, 300], [0.955, 1])]
    spectra = {str(n): {"peak_positions": x, "peak_heights": h} for n, (x, h) in enumerate(classes)}
    path = tmp_path / "two.json"
    path.write_text(json.dumps({"datapoints": 400, "classes": 2, "spectra": spectra}))
    flags = "--config", path, "--max-shift", 5, "--test-shift", 2, "--json", tmp_path / "a.json"
    found = run("class_overlap.py", *flags)
    assert "1 overlapping pair among 2 classes, 15 of 18" in found.stdout
    assert json.loads((tmp_path / "a.json").read_text())["limits"]["vary_highest"] is True
    found = run("class_overlap.py", *flags, "--no-vary-highest")
    assert "0 overlapping pairs among 2 classes, 0 of 18" in found.stdout
    assert json.loads((tmp_path / "a.json").read_text())["limits"]["vary_highest"] is False
    variants = nine_variants(2, 0.02)
    fixed = variation(max_shift=5, test_shift=2, vary_highest=False)
    observer = IdealObserver(read_class_file(path), fixed)
    for label, other in (0, 1), (1, 0):
        x, h = map(np.array, classes[label])
        for shift, change in variants:
            varied = change_heights(h, change)
            assert observer.likelihood(other, x + shift, varied / varied.max())[1] == 0


def test_limits_that_are_not_those_of_the_dataset_are_warned_of(run, class_file, tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "datasets").symlink_to(tmp_path)  # of which small is the dataset
    given = {"cwd": tmp_path / "here"}
    flags = "class_overlap.py", "--config", class_file[0]
    assert run(*flags, **given).stderr == ""  # nothing was rendered
    render_dataset(class_file[0], tmp_path / "small", SMALL)
    warning = (
        "warning: this is not about the spectra in datasets/small, which were rendered from the "
        "same class file with MAX_SHIFT 5, not 50; TEST_SHIFT 3, not 25\n"
    )
    assert run(*flags, **given).stderr == warning
    flags = *flags, "--max-shift", 5, "--test-shift", 3
    for asked in (), ("--test-height-change", 0.2), ("--no-own-variants",):  # of either split
        assert run(*flags, *asked, **given).stderr == ""
    assert (
        "with TEST_HEIGHT_CHANGE 0.02, not 0.1\n"
        in run(*flags, "--test-height-change", 0.1, **given).stderr
    )
    render_dataset(class_file[0], tmp_path / "small", SMALL._replace(wide_test=False))
    wide = run(*flags, "--test-height-change", 0.2, **given)  # asks about a split it lacks
    assert "with TEST_HEIGHT_CHANGE 0.02, not 0.2\n" in wide.stderr
    noisy = SMALL._replace(artefacts=Artefacts(noise=(0, 0.02), strain=0.01))
    render_dataset(class_file[0], tmp_path / "small", noisy)
    told = "overlap of classes does not take into account strain, noise: more classes may be alike"
    assert told in run(*flags, **given).stderr
    class_file[1](lambda config: config.update(unit="nm"))  # other classes, for all one knows
    assert run("class_overlap.py", "--config", class_file[0], **given).stderr == ""


def test_json_records_the_limits(run, class_file, tmp_path):
    limits = {
        "max_shift": 4,
        "max_height_change": 0.04,
        "test_shift": 2,
        "test_height_change": 0.03,
    }
    flags = [part for name, v in limits.items() for part in (f"--{name.replace('_', '-')}", v)]
    flags += "--no-own-variants", "--json", tmp_path / "a.json"
    (tmp_path / "a.json").touch()  # an empty file, as mktemp makes it
    run("class_overlap.py", "--config", class_file[0], *flags)
    limits |= {"vary_highest": True, "own_variants": False}
    assert json.loads((tmp_path / "a.json").read_text())["limits"] == limits
