"""Whether networks keep their order: on results whose answer is known, and on those shipped."""

import csv
import itertools
import json
import math
import shutil

import numpy as np
import pytest
from conftest import PROJECT, assert_one_sentence
from scipy import stats
from test_figures import assert_nothing_clipped_or_small, styles_of

import rank_correlation
from benchmark import significance
from benchmark.command_line import InputError, parse_flags
from benchmark.data_card import main_split
from benchmark.published_results import PUBLISHED
from benchmark.results_folder import read_results
from rank_correlation import (
    Correlation,
    Side,
    check_divisions,
    correlate,
    matched,
    mean_shares,
    numbers_of_seeds,
    published_side,
    same_runs,
    shared_networks,
    shares_drawn,
    side_of,
    spearman,
)

SHIPPED = PROJECT / "results" / "shipped" / "dataset500"
MINERALS = PROJECT / "results" / "rruff"
NAMES = "cnn2", "cnn3", "cnn6", "vgg", "resnet"


def side(counts, name="side"):
    """Return a Side of one folder; counts: for each network those of its seeds, of 100 spectra."""
    shares = {n: [np.array(c) / 100] for n, c in zip(NAMES, counts, strict=True)}
    return side_with(name, shares)


def side_with(name, shares):
    """Return a Side of these shares, of which nothing else is asked."""
    return Side(name=name, shares=shares, repeats="", split="", run_ids=(), protocol=None)


def correlation(first, second, resamples=200, seed=0):
    return correlate(*matched(first, second), resamples, seed)


def test_the_same_order_gives_1_and_the_reverse_minus_1():
    rising = side([[1], [2], [30], [40], [50]])
    found = correlation(rising, side([[3], [5], [6], [8], [9]]))
    assert (found.rho, found.low, found.high) == pytest.approx((1, 1, 1))
    # Of the 120 pairings of five networks only two correlate as much: the same order, the reverse.
    assert found.p_value == pytest.approx(2 / math.factorial(5))
    assert correlation(rising, side([[9], [8], [6], [5], [3]])).rho == pytest.approx(-1)


def test_equal_shares_have_equal_ranks_as_in_scipy():
    first, second = [4, 4, 1, 9, 6], [3, 7, 7, 8, 1]
    found = correlation(side([[c] for c in first]), side([[c] for c in second]))
    assert found.rho == pytest.approx(stats.spearmanr(first, second).statistic)


@pytest.mark.parametrize(
    ("a", "b", "share"),
    [
        ([1, 1, 1, 2], [1, 1, 1, 2], 1 / 4),
        ([1, 1, 2], [1, 1, 2], 1 / 3),
        ([1, 1, 1, 1, 1, 2], [1, 1, 1, 1, 2, 3], 1 / 6),
        ([1, 2, 3, 4], [2, 1, 3, 4], None),
        ([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6], 2 / 720),
        ([1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 5, 4, 7, 6], None),
    ],
)
def test_the_p_value_is_the_share_of_all_pairings_also_with_ties(a, b, share):
    rho, p_value = significance.rank_correlation(a, b)
    pairings = [stats.spearmanr(a, other).statistic for other in itertools.permutations(b)]
    assert p_value == pytest.approx(np.mean(np.abs(pairings) >= abs(rho) - 1e-9))
    assert share is None or p_value == pytest.approx(share)


def test_each_folder_counts_alike_however_many_seeds_it_has():
    folders = [np.array([0.1, 0.3]), np.array([0.5])]
    assert mean_shares([folders]) == pytest.approx([(0.2 + 0.5) / 2])


def test_seeds_that_exchange_the_order_widen_the_range():
    second = side([[1], [2], [3], [4], [5]])
    sure = correlation(side([[1, 1], [2, 2], [3, 3], [4, 4], [5, 5]]), second)
    unsure = correlation(side([[0, 2], [0, 4], [0, 6], [0, 8], [0, 10]]), second)
    assert sure.low == sure.high == pytest.approx(1)
    assert unsure.rho == pytest.approx(1)
    assert unsure.low < 0.5


def test_folders_that_disagree_widen_the_range_and_are_drawn_for_all_networks_alike():
    shares = {n: [np.array([k / 100]), np.array([(6 - k) / 200])] for k, n in enumerate(NAMES, 1)}
    found = correlation(side_with("two folders", shares), side([[1], [2], [3], [4], [5]]))
    # The first folder outweighs the second. A draw of folders gives its order or the reverse,
    # nothing in between, as it would if networks drew different folders.
    assert (found.rho, found.low, found.high) == pytest.approx((1, -1, 1))


def test_as_many_folders_and_seeds_are_drawn_as_there_are():
    rng = np.random.default_rng(0)
    two_folders = [[np.array([0.0]), np.array([1.0])]]
    two_seeds = [[np.array([0.0, 1.0])]]
    for shares in two_folders, two_seeds:
        means = [shares_drawn(shares, rng).item() for _ in range(2000)]
        # Both draws 0, one of each, both 1: as binomial numbers are.
        assert np.mean(np.array(means) == 0.5) == pytest.approx(1 / 2, abs=0.05)
        assert np.mean(np.array(means) == 1.0) == pytest.approx(1 / 4, abs=0.05)


def test_the_range_holds_95_of_100_draws():
    rng = np.random.default_rng(1)
    names = list(map(str, range(12)))
    first = side_with("first", {name: [rng.random(5) + int(name) / 12] for name in names})
    second = side_with("second", {name: [np.array([float(name)])] for name in names})
    found = correlation(first, second, resamples=2000)
    shares = list(first.shares.values())
    draws = np.array([spearman(shares_drawn(shares, rng), range(12)) for _ in range(2000)])
    inside = np.mean((draws >= found.low) & (draws <= found.high))
    assert inside == pytest.approx(0.95, abs=0.02)


def test_the_same_seed_gives_the_same_range():
    first = side([[1, 5], [2, 3], [3, 9], [4, 4], [5, 1]])
    second = side([[1], [2], [3], [4], [5]])
    assert correlation(first, second, seed=3) == correlation(first, second, seed=3)


def test_networks_on_one_side_only_are_named_and_arguments_count_where_there_are_several(capsys):
    first = side_with("a", dict.fromkeys(["cnn2:dropout=0.5", "vgg", "cnn3", "own", "inc3"]))
    second = side_with("b", dict.fromkeys(["cnn2", "vgg", "vgg:dropout=0.5", "cnn3", "inc6"]))
    assert shared_networks(first, second) == {
        "cnn2": ("cnn2:dropout=0.5", "cnn2"),
        "vgg": ("vgg", "vgg"),
        "cnn3": ("cnn3", "cnn3"),
    }
    warned = capsys.readouterr().err.splitlines()
    assert warned == [
        "warning: cnn2:dropout=0.5 of a is compared with cnn2 of b",
        "warning: left out, as only a has them: own, inc3",
        "warning: left out, as only b has them: vgg:dropout=0.5, inc6",
    ]


def test_a_network_with_the_same_arguments_comes_before_one_with_others(capsys):
    names = "cnn2", "cnn2:x=1", "inc3", "inc3:x=1", "vgg", "cnn3:x=1"
    first = side_with("a", dict.fromkeys(names))
    second = side_with("b", dict.fromkeys(["cnn2:x=2", "inc3:x=1", "vgg", "cnn3"]))
    assert shared_networks(first, second) == {
        "inc3:x=1": ("inc3:x=1", "inc3:x=1"),
        "vgg": ("vgg", "vgg"),
        "cnn3": ("cnn3:x=1", "cnn3"),
    }
    assert "only a has them: cnn2, cnn2:x=1, inc3\n" in capsys.readouterr().err


def test_of_the_same_runs_the_same_are_drawn_on_both_sides(run, tmp_path):
    rng = np.random.default_rng(0)
    shares = {name: [rng.random(5), rng.random(5)] for name in NAMES}
    both = (
        side_with("a", shares),
        side_with("b", {n: [2 * s for s in f] for n, f in shares.items()}),
    )
    assert correlate(*both, 200, 0, paired=True)[2:] == pytest.approx((1, 1))
    assert correlate(*both, 200, 0)[2] < 0.9
    split0, split1 = (str(MINERALS / name) for name in ("split0", "split1"))
    flags = "--output", str(tmp_path / "out"), "--first", split0, split1, "--second"
    process = run("rank_correlation.py", *flags, split0)
    assert process.returncode == 2
    assert "SECOND is split0, test, with runs of FIRST" in process.stderr
    process = run("rank_correlation.py", *flags, split1, split0, "--second-split", "val")
    assert process.returncode == 2
    assert "the same folders and another split" in process.stderr
    assert (
        run("rank_correlation.py", *flags, split0, split1, "--second-split", "val").returncode == 0
    )


@pytest.mark.parametrize("same", [True, False])
def test_draws_their_seed_and_whether_runs_are_the_same_are_passed_on(monkeypatch, tmp_path, same):
    def read(constant, names, split):
        runs = "runs" if same else names[0]
        counts = side([[1], [2], [3], [4], [5]])
        return counts._replace(split=split, run_ids=(runs,), protocol=PUBLISHED["paper"].protocol)

    found = Correlation(rho=1, p_value=0.01, low=1, high=1)
    asked = []
    monkeypatch.setattr(rank_correlation, "side_of", read)
    monkeypatch.setattr(
        rank_correlation, "correlate", lambda *sides, **given: asked.append(given) or found
    )
    monkeypatch.setattr(rank_correlation, "save", lambda *_: None)
    flags = "--first a --second b --first-split val --second-split test --resamples 123 --seed 7"
    arguments = [*flags.split(), "--output", str(tmp_path)]
    rank_correlation.main(parse_flags(rank_correlation, arguments))
    assert asked == [{"resamples": 123, "seed": 7, "paired": same}]


def test_sides_are_held_against_each_other_by_what_identifies_their_runs():
    first = side_with("a", {})._replace(split="test", run_ids=("hash 0", "hash 1"))
    assert same_runs([first, first._replace(split="val")])
    assert not same_runs([first, first._replace(run_ids=("paper",))])
    with pytest.raises(InputError, match="SECOND is a, with runs of FIRST"):
        same_runs([first, first._replace(run_ids=("hash 1", "hash 0"), split="val")])


def test_networks_without_an_order_are_refused():
    with pytest.raises(InputError, match="equal: all networks misclassify the same share"):
        correlation(side([[1], [2], [3], [4], [5]]), side([[2]] * 5, "equal"))


def test_shipped_runs_against_the_papers_table(run, tmp_path):
    flags = "--first", str(SHIPPED), "--second", "paper", "--output", str(tmp_path)
    printed = run("rank_correlation.py", *flags).stdout
    with open(SHIPPED / "table.csv") as file:
        rows = [row for row in csv.DictReader(file) if row["seeds"]]
    ours = [float(row["test_wide_mean"]) for row in rows]
    theirs = [float(row["published_misclassified"].split()[0]) for row in rows]
    expected = stats.spearmanr(ours, theirs).statistic
    assert f"Spearman's rank correlation of {len(rows)} networks: {expected:.2f}," in printed
    for row, published in zip(rows, theirs, strict=True):
        (line,) = [line for line in printed.splitlines() if line.startswith(f"{row['network']} ")]
        shares = float(row["test_wide_mean"]) / 45, published / 45
        assert line.split() == [row["network"], f"{shares[0]:.2f}", "%", f"{shares[1]:.2f}", "%"]
    assert (tmp_path / "rank_correlation.md").exists()
    for ending in "png", "pdf":
        assert (tmp_path / "figures" / f"rank_correlation.{ending}").exists()


def test_a_network_that_is_not_in_all_folders_is_named(run, tmp_path):
    two = tmp_path / "two"
    shutil.copytree(MINERALS / "split1", two, ignore=shutil.ignore_patterns("vgg-*"))
    flags = "--first", str(MINERALS / "split0"), str(two), "--output", str(tmp_path / "out")
    process = run("rank_correlation.py", *flags)
    assert "warning: vgg is left out, as it is in 1 of 2 folders of FIRST" in process.stderr
    assert process.returncode == 0
    assert "vgg" not in process.stdout


def test_a_folder_counts_once(run, tmp_path):
    split0 = str(MINERALS / "split0")
    copy = shutil.copytree(MINERALS / "split0", tmp_path / "copy")
    for again in split0, f"{split0}/", str(copy):
        process = run("rank_correlation.py", "--first", split0, again, "--output", str(tmp_path))
        assert_one_sentence(process, 2, "FIRST", split0, again, "each division once")


@pytest.mark.parametrize(
    ("part", "changes", "words"),
    [
        ("protocol", {"batch_size": 32}, "protocol"),
        ("dataset", {"class_file": {"name": "a.json", "sha256": "a"}}, "class file"),
        ("dataset", {"class_names": [f"other {n}" for n in range(47)]}, "classes"),
    ],
)
def test_folders_of_different_kinds_are_not_averaged(run, tmp_path, part, changes, words):
    other = shutil.copytree(MINERALS / "split1", tmp_path / "other")
    for path in other.glob("*/run.json"):
        record = json.loads(path.read_text())
        record[part] |= changes
        path.write_text(json.dumps(record))
    flags = "--first", str(MINERALS / "split0"), str(other), "--output", str(tmp_path / "out")
    process = run("rank_correlation.py", *flags)
    assert_one_sentence(process, 2, "FIRST", str(other), f"differ in {words}", "accepted")
    assert not (tmp_path / "out").exists()


def test_networks_with_equally_many_errors_are_tied_whatever_their_seeds():
    tied = [20, 23, 23], [16, 25, 25]  # of 162
    assert np.mean(np.array(tied[0]) / 162) != np.mean(np.array(tied[1]) / 162)  # by rounding
    for first, second in tied, tied[::-1]:
        own, other = side_of_162([first, second, [90]]), side_of_162([[1], [2], [3]])
        assert correlate(own, other, 100, 0).rho == pytest.approx(np.sqrt(0.75))
    with pytest.raises(InputError, match="the same share"):
        correlate(side_of_162([*tied, [22]]), side_of_162([[1], [2], [3]]), 100, 0)
    means = [np.mean(np.array(counts) / 162) for counts in (*tied, [90])]
    assert significance.rank_correlation(means, [1, 2, 3])[0] == pytest.approx(np.sqrt(0.75))


def side_of_162(counts):
    shares = {name: [np.array(seeds) / 162] for name, seeds in zip("abc", counts, strict=True)}
    return side_with("side", shares)


def test_the_figure_has_a_point_per_network_and_a_tick_per_seed():
    first, second = side([[1, 3], [2, 4], [3], [4], [5]]), side([[1], [2], [3], [4], [5]])
    figure = rank_correlation.draw(*matched(first, second), correlation(first, second))
    (panel,) = figure.axes
    points = [line.get_xydata()[0].tolist() for line in panel.lines if line.get_marker() != "|"]
    ticks = [line.get_xydata()[0].tolist() for line in panel.lines if line.get_marker() == "|"]
    assert points == pytest.approx(np.array([[2, 1], [3, 2], [3, 3], [4, 4], [5, 5]]))
    assert ticks == pytest.approx(np.array([[1, 1], [3, 1], [2, 2], [4, 2]]))
    styles = styles_of(figure)
    assert list(styles) == [*NAMES, "one seed"]
    marks = [style[-1] for style in styles.values()]
    assert len(set(marks)) == len(marks)


def test_many_networks_with_long_names_leave_room_for_the_figure():
    names = [f"resnet:batch_norm_momentum=0.9{number}" for number in range(40)]
    one = side_with("one", {name: [np.array([0.1 * n])] for n, name in enumerate(names)})
    figure = rank_correlation.draw(one, one, Correlation(1, 1, 1, 1))
    assert_nothing_clipped_or_small(figure)
    assert figure.axes[0].get_position().width > 0.8


@pytest.mark.parametrize(
    "flags, words",
    [
        ([], ["FIRST is None"]),
        (["--first", "nowhere"], ["nowhere does not exist"]),
        (["--first", "paper", "--resamples", "10"], ["RESAMPLES is 10"]),
        (
            ["--first", str(SHIPPED), "--first-split", "tset"],
            ["FIRST_SPLIT is tset", "val, test, test_wide"],
        ),
        (
            ["--first", "paper", "--second", "paper"],
            ["SECOND is published (paper), test_wide, with runs of FIRST"],
        ),
        (
            ["--first", str(SHIPPED), "--second", f"{SHIPPED}/../{SHIPPED.name}"],
            ["SECOND is dataset500, test_wide, with runs of FIRST", "another split"],
        ),
        (
            ["--first", "paper", "--second-split", "val"],
            ["SECOND_SPLIT is val", "followup", "test"],
        ),
    ],
)
def test_bad_input_gets_one_sentence(run, tmp_path, flags, words):
    process = run("rank_correlation.py", *flags, "--output", str(tmp_path))
    assert_one_sentence(process, 2, *words)
    assert not list(tmp_path.iterdir())


def test_copies_of_runs_are_not_compared_with_themselves(run, tmp_path):
    shutil.copytree(MINERALS / "split0", tmp_path / "copy", ignore=lambda *_: ["figures"])
    shutil.rmtree(tmp_path / "copy" / "cnn2-seed0")
    flags = "--first", MINERALS / "split0", "--second", tmp_path / "copy"
    process = run("rank_correlation.py", *flags, "--output", tmp_path / "out")
    assert_one_sentence(process, 2, "SECOND is copy, test, with runs of FIRST")


def test_other_protocols_are_told(run, tmp_path):
    flags = "--first", MINERALS / "split0", "--second", "paper"
    process = run("rank_correlation.py", *flags, "--output", tmp_path)
    told = "warning: split0, test was trained otherwise than published (paper), test_wide: "
    assert f"{told}BATCH_SIZE 16, not 128\n" in process.stderr


def test_a_split_is_not_compared_with_itself_through_a_link(run, tmp_path):
    (tmp_path / "link").symlink_to(SHIPPED)
    flags = "--first", str(SHIPPED), "--second", str(tmp_path / "link")
    process = run("rank_correlation.py", *flags, "--output", str(tmp_path / "out"))
    assert_one_sentence(process, 2, "SECOND is link, test_wide, with runs of FIRST")


@pytest.mark.parametrize(
    ("splits", "meant"),
    [
        (["val", "test", "test_wide"], "test_wide"),
        (["val", "test", "test_measured", "test_measured_val", "test_wide"], "test_measured"),
        (["val", "test", "test_measured_val"], "test"),
        (["val"], "val"),
    ],
)
def test_results_are_about_the_test_split_whatever_the_order(splits, meant):
    assert main_split(splits) == main_split(["val", *splits[:0:-1]]) == meant


def test_a_file_in_the_place_of_the_folder_is_refused(run, tmp_path):
    path = tmp_path / "file"
    path.write_text("kept")
    process = run("rank_correlation.py", "--first", "paper", "--output", str(path))
    assert_one_sentence(process, 2, f"OUTPUT is {path}, accepted: a folder, not a file")
    assert path.read_text() == "kept"


def test_two_networks_have_no_order():
    assert significance.rank_correlation([1, 2], [1, 2]) == (None, None)
    first, second = (
        side_with(n, {"vgg": [np.array([0.1])], "cnn2": [np.array([0.2])]}) for n in "ab"
    )
    with pytest.raises(
        InputError, match=r"2 networks are on both sides \(a; b\), accepted: 3 or more"
    ):
        matched(first, second)


def test_a_negative_seed_is_refused(run, tmp_path):
    process = run("rank_correlation.py", "--first", "paper", "--seed", -1, "--output", tmp_path)
    assert_one_sentence(process, 2, "SEED is -1", "0 or more")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"classes": 46}, "number of classes"),
        ({"datapoints": 999}, "datapoints"),
        ({"variation": {"seed": 0, "n_train": 60}}, "variation"),
    ],
)
def test_divisions_have_the_same_classes_datapoints_and_variation(changes, words):
    run = read_results(MINERALS / "split0")[0]
    runs = []
    for seed in range(2):
        own = {"x_train.npy": str(seed)}, {"seed": seed, "n_train": 50}
        dataset = run.dataset._replace(class_names=None, sha256=own[0], variation=own[1])
        runs.append(run._replace(dataset=dataset))
    check_divisions("FIRST", ["a", "b"], [[runs[0]], [runs[1]]])  # seeds may differ
    other = runs[1]._replace(dataset=runs[1].dataset._replace(**changes))
    with pytest.raises(InputError, match=f"FIRST is a and b, which differ in {words}, accepted"):
        check_divisions("FIRST", ["a", "b"], [[runs[0]], [other]])


def test_the_table_has_the_best_network_of_first_at_its_top():
    first, second = side([[5], [4], [3], [2], [1]]), side([[1], [2], [3], [4], [5]])
    _, lines = rank_correlation.shares_table(*matched(first, second))
    assert [network for network, *_ in lines] == list(NAMES[::-1])


def test_ticks_of_several_folders_are_their_means_over_seeds():
    shares = {n: [np.array([0.01, 0.03]), np.array([0.06])] for n in NAMES}
    second = side([[1], [2], [3], [4], [5]])
    figure = rank_correlation.draw(
        *matched(side_with("two", shares), second), Correlation(0, 1, -1, 1)
    )
    ticks = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_marker() == "|"]
    assert ticks == pytest.approx([2, 6] * 5)


def test_several_folders_are_called_by_the_folder_that_holds_them():
    assert side_of("FIRST", (str(MINERALS / "split0"),), None).name == "split0, test"
    both = [str(MINERALS / f"split{n}") for n in range(2)]
    assert side_of("FIRST", both, None).name == "rruff, test"


def test_numbers_of_seeds_are_a_range():
    assert numbers_of_seeds({"vgg": [np.zeros(2)], "cnn2": [np.zeros(3), np.zeros(1)]}) == "1–3"


def test_single_published_runs_are_drawn_from():
    checked = 0
    for published in PUBLISHED.values():
        shares = published_side(published).shares
        for name, network in published.networks.items():
            if network.runs:
                assert shares[name][0] * published.spectra == pytest.approx(network.runs)
                checked += 1
    assert checked


def test_sentence_title_and_file_hold_correlation_range_and_p_value(run, tmp_path):
    found = Correlation(rho=0.5, p_value=0.03, low=-0.1, high=0.9)
    sentence = rank_correlation.sentence_of(found, 5)
    assert ": 0.50, p = 0.03 for networks paired at random; -0.10 to 0.90 in 95 % of" in sentence
    sides = matched(side([[1], [2], [3], [4], [5]]), side([[1], [2], [3], [4], [5]]))
    assert rank_correlation.draw(*sides, found).axes[0].get_title() == (
        "rank correlation 0.50, in 95 % of draws −0.10 to 0.90"
    )
    process = run(
        "rank_correlation.py", "--first", SHIPPED, "--second", "paper", "--output", tmp_path
    )
    *_, sentence, _ = process.stdout.splitlines()
    assert (tmp_path / "rank_correlation.md").read_text().endswith(f"\n\n{sentence}\n")


def test_each_axis_has_the_name_of_its_side():
    sides = side([[1], [2], [3], [4], [5]], "one"), side([[1], [2], [3], [4], [5]], "two")
    (panel,) = rank_correlation.draw(*sides, rank_correlation.Correlation(1, 1, 1, 1)).axes
    assert (panel.get_xlabel(), panel.get_ylabel()) == (
        "misclassified / %: one",
        "misclassified / %: two",
    )
