"""Statistics on results whose answer is known."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmark import comparison_tables, significance
from benchmark.published_results import PUBLISHED


def wrong_spectra(counts, spectra=4500, first=0):
    """Return bool (seeds, spectra) with the given misclassifications per seed."""
    wrong = np.zeros((len(counts), spectra), bool)
    for row, count in zip(wrong, counts, strict=True):
        row[first : first + count] = True
    return wrong


def test_two_copies_of_one_network_cannot_be_told_apart():
    one = wrong_spectra([30, 34, 28])
    wrong = {"one": one, "copy": one, "worse": wrong_spectra([90, 95, 99])}
    comparisons = significance.compare_networks(wrong)
    copies = comparisons[0]
    assert (copies.a, copies.b, copies.difference) == ("one", "copy", 0)
    assert copies.low < 0 < copies.high
    assert (copies.welch, copies.mann_whitney, copies.mcnemar) == (1, 1, 1)
    for other in comparisons[1:]:
        assert other.welch < 0.05
        assert other.high < 0
        assert other.mcnemar < 1e-10
    letters = significance.groups(wrong, comparisons)
    assert letters == {"one": "a", "copy": "a", "worse": "b"}


def test_a_network_between_two_groups_belongs_to_both():
    wrong = {
        "best": wrong_spectra([10, 14, 12, 13]),
        "middle": wrong_spectra([11, 24, 16, 20]),
        "last": wrong_spectra([20, 24, 23, 22]),
    }
    letters = significance.groups(wrong, significance.compare_networks(wrong))
    assert letters == {"best": "a", "middle": "ab", "last": "b"}


def test_with_fewer_than_three_seeds_nothing_is_said():
    wrong = {"a": wrong_spectra([1, 2]), "b": wrong_spectra([90, 91, 92])}
    assert significance.compare_networks(wrong) == []
    assert significance.groups(wrong, []) == {"a": "", "b": ""}


def test_interval_and_p_values_are_those_of_welch_and_mann_whitney():
    a, b = [30, 41, 35, 33, 38], [22, 25, 31, 20, 27]
    wrong = {"a": wrong_spectra(a), "b": wrong_spectra(b)}
    (found,) = significance.compare_networks(wrong)
    variances = np.var(a, ddof=1) / 5, np.var(b, ddof=1) / 5
    freedom = sum(variances) ** 2 / sum(v**2 / 4 for v in variances)
    reach = stats.t.ppf(0.975, freedom) * sum(variances) ** 0.5
    assert found.difference == pytest.approx(np.mean(a) - np.mean(b))
    assert (found.low, found.high) == pytest.approx(
        (found.difference - reach, found.difference + reach)
    )
    t = found.difference / sum(variances) ** 0.5
    assert found.welch == pytest.approx(2 * stats.t.sf(abs(t), freedom))
    assert found.mann_whitney == pytest.approx(stats.mannwhitneyu(a, b, method="exact").pvalue)


def test_p_values_of_three_networks_are_holm_corrected():
    counts = {"a": [30, 41, 35], "b": [22, 25, 31], "c": [10, 12, 8]}
    wrong = {name: wrong_spectra(numbers) for name, numbers in counts.items()}
    found = significance.compare_networks(wrong)
    assert [(c.a, c.b) for c in found] == [("a", "b"), ("a", "c"), ("b", "c")]
    single = [significance.welch(counts[c.a], counts[c.b])[-1] for c in found]
    ab, ac, bc = single
    assert ac < bc < ab
    assert [c.welch for c in found] == pytest.approx([ab, 3 * ac, 2 * bc])
    # Of 20 ways to deal 3 + 3 counts, 2 are as extreme where no counts interleave.
    ab, _, _ = (significance.mann_whitney(counts[c.a], counts[c.b]) for c in found)
    assert [c.mann_whitney for c in found] == pytest.approx([max(ab, 0.3), 0.3, 0.3])


def test_mann_whitney_is_exact_where_counts_are_equal():
    assert significance.mann_whitney([1] * 3, [2] * 3) == pytest.approx(2 / 20)
    assert significance.mann_whitney([1] * 5, [2] * 5) == pytest.approx(2 / 252)
    many = range(9), range(5, 14)
    assert significance.mann_whitney(*many) == significance.mann_whitney(*many)


def test_mcnemar_counts_spectra_on_which_the_networks_differ():
    a, b = wrong_spectra([8]), wrong_spectra([5], first=6)  # 6 only a, 2 both, 3 only b
    p_value, favour_a, favour_b = significance.mcnemar(a, b)
    assert (favour_a, favour_b) == (3, 6)
    assert p_value == pytest.approx(stats.binomtest(6, 9).pvalue)


def test_mcnemar_compares_in_how_many_seeds_a_spectrum_is_misclassified():
    a = np.array([[1, 1, 0, 0, 1], [0, 1, 0, 0, 1], [0, 1, 0, 1, 1]], bool)  # 1 3 0 1 3
    b = np.array([[0, 1, 1, 0, 1], [1, 1, 0, 0, 0], [1, 1, 0, 0, 0]], bool)  # 2 3 1 0 1
    p_value, favour_a, favour_b = significance.mcnemar(a, b)
    assert (favour_a, favour_b) == (2, 2)
    assert p_value == 1


def copies_of_one_network(seeds_a, seeds_b, rng):
    """Draw the misclassified spectra of two copies, as likely in either and with any seed."""
    likely = rng.beta(0.05, 2, 4500)
    return {
        name: rng.random((seeds, len(likely))) < likely
        for name, seeds in (("one", seeds_a), ("copy", seeds_b))
    }


def test_mcnemar_does_not_tell_copies_of_one_network_apart():
    rng = np.random.default_rng(0)
    p_values = []
    for _ in range(100):
        (found,) = significance.compare_networks(copies_of_one_network(5, 5, rng))
        p_values.append(found.mcnemar)
    assert 1 <= np.count_nonzero(np.array(p_values) < 0.05) <= 8  # 5 are expected


def test_networks_with_different_numbers_of_seeds_are_not_compared_by_mcnemar():
    wrong = copies_of_one_network(5, 3, np.random.default_rng(0))
    comparisons = significance.compare_networks(wrong)
    (found,) = comparisons
    assert (found.mcnemar, found.favour_a, found.favour_b) == (None, None, None)
    assert found.welch == significance.welch(*(seeds.sum(axis=1) for seeds in wrong.values()))[-1]
    text = comparison_tables.comparisons_text(comparisons)
    assert "McNemar's test was not made for one − copy: it takes networks with equal" in text
    assert text.splitlines()[-1].endswith(" |  |  |")
    both = significance.compare_networks({"a": wrong["copy"], "b": wrong["copy"]})
    assert "was not made" not in comparison_tables.comparisons_text(both)
    letters = significance.groups(wrong, comparisons)
    assert "Not tested" not in comparison_tables.groups_text("test", letters, comparisons)


def test_only_the_tests_that_were_made_count_for_holm():
    counts = {"a": [8, 9, 7], "b": [50, 53, 58], "c": [20, 26, 24, 23]}
    wrong = {name: wrong_spectra(numbers) for name, numbers in counts.items()}
    ab, ac, bc = significance.compare_networks(wrong)
    assert (ac.mcnemar, bc.mcnemar) == (None, None)
    assert ab.mcnemar == significance.mcnemar(wrong["a"], wrong["b"])[0]
    assert ab.mcnemar < 1e-9
    single = significance.welch(counts["a"], counts["c"])[-1]
    assert ac.welch == pytest.approx(3 * single)


def test_a_network_without_spread_is_compared_without_a_warning(recwarn):
    found = significance.welch([4, 4, 4], [30, 32, 31])
    assert found[-1] < 0.01
    assert not recwarn.list


def test_letters_begin_with_the_best_network_in_whatever_order_they_come():
    wrong = {
        "worst": wrong_spectra([90, 95, 99]),
        "best": wrong_spectra([1, 2, 3]),
        "middle": wrong_spectra([40, 41, 42]),
    }
    letters = significance.groups(wrong, significance.compare_networks(wrong))
    assert letters == {"worst": "c", "best": "a", "middle": "b"}


def test_counts_without_any_spread_are_not_compared_by_welchs_test():
    never, always = wrong_spectra([0, 0, 0]), wrong_spectra([7, 7, 7])
    assert significance.welch([0, 0, 0], [7, 7, 7]) == (-7, None, None, None)
    wrong = {"never": never, "always": always, "between": wrong_spectra([3, 4, 3])}
    wrong["worse"] = wrong_spectra([90, 95, 99])
    comparisons = significance.compare_networks(wrong)
    first = comparisons[0]
    assert (first.a, first.b, first.welch, first.low, first.high) == (
        *("never", "always"),
        *(None, None, None),
    )
    assert first.mann_whitney == pytest.approx(0.6)  # 2 of 20 deals are as extreme, times six pairs
    letters = significance.groups(wrong, comparisons)
    assert letters == {"never": "a", "always": "a", "between": "b", "worse": "c"}
    said = comparison_tables.groups_text("test", letters, comparisons)
    assert "\nNot tested against each other: never, always. Each misclassifies" in said
    (row,) = (
        line
        for line in comparison_tables.comparisons_text(comparisons).splitlines()
        if "never − a" in line
    )
    assert row == "| never − always | -7.0 |  |  | 0.6 | 0.047 | 7 : 0 |"


def test_what_was_tested_is_not_said_to_be_untested():
    wrong = {"steady": wrong_spectra([7, 7, 7]), "other": wrong_spectra([8, 9, 8])}
    comparisons = significance.compare_networks(wrong)
    text = comparison_tables.groups_text(
        "test", significance.groups(wrong, comparisons), comparisons
    )
    assert "Not" not in text


def test_holm_by_hand():
    assert significance.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert significance.holm([0.9, 0.6]) == [1, 1]
    assert significance.holm([]) == []
    assert significance.holm([None, 0.03, None, 0.02]) == [None, 0.04, None, 0.04]
    assert significance.holm([None]) == [None]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_never_lowers_a_p_value_and_keeps_their_order(p_values):
    corrected = significance.holm(p_values)
    assert all(p <= c <= 1 for p, c in zip(p_values, corrected, strict=True))
    order = np.argsort(p_values)
    assert (np.diff(np.array(corrected)[order]) >= 0).all()


def test_p_values_of_mcnemar_are_holm_corrected():
    wrong = {
        "a": wrong_spectra([4, 4, 5]),
        "b": wrong_spectra([12, 13, 12]),
        "c": wrong_spectra([6, 7, 6], first=100),
    }
    found = significance.compare_networks(wrong)
    ab, ac, bc = (significance.mcnemar(wrong[c.a], wrong[c.b])[0] for c in found)
    assert ab < bc < ac
    assert [c.mcnemar for c in found] == pytest.approx([3 * ab, ac, max(2 * bc, 3 * ab)])


def comparison(a, b, welch):
    unknown = dict.fromkeys(significance.Comparison._fields)
    return significance.Comparison(**unknown | {"a": a, "b": b, "welch": welch})


def test_networks_differ_at_the_level_of_five_percent():
    wrong = {"best": wrong_spectra([1, 2, 3]), "next": wrong_spectra([5, 6, 7])}
    for p_value, letters in (0.049, "ab"), (0.05, "aa"), (0.2, "aa"), (None, "aa"):
        found = significance.groups(wrong, [comparison("best", "next", p_value)])
        assert "".join(found.values()) == letters


def test_letters_follow_the_mean_over_the_seeds():
    wrong = {"steady": wrong_spectra([20, 20, 21]), "seldom_bad": wrong_spectra([1, 2, 300])}
    letters = significance.groups(wrong, [comparison("steady", "seldom_bad", 0.01)])
    assert letters == {"steady": "a", "seldom_bad": "b"}


def test_letters_follow_the_mean_whatever_the_number_of_seeds():
    wrong = {"three_seeds": wrong_spectra([20, 21, 22]), "five_seeds": wrong_spectra([15] * 5)}
    letters = significance.groups(wrong, [comparison("three_seeds", "five_seeds", 0.01)])
    assert letters == {"three_seeds": "b", "five_seeds": "a"}


def networks_of(size):
    return {str(network): wrong_spectra([network, network + 1], 200) for network in range(size)}


def comparisons_where(networks, differ):
    return [
        comparison(a, b, 0.01 if different else 0.5)
        for (a, b), different in zip(combinations(networks, 2), differ, strict=True)
    ]


@given(st.integers(2, 7).flatmap(lambda n: st.tuples(st.just(n), pairs_of(n))))
def test_letters_are_all_largest_groups_of_alike_networks(case):
    size, differ = case
    networks = networks_of(size)
    comparisons = comparisons_where(networks, differ)
    different = {frozenset((c.a, c.b)) for c in comparisons if c.welch < 0.05}
    groups = [
        set(members)
        for count in range(1, size + 1)
        for members in combinations(networks, count)
        if not any(frozenset(pair) in different for pair in combinations(members, 2))
    ]
    largest = [group for group in groups if not any(group < other for other in groups)]
    largest.sort(key=lambda group: sorted(map(int, group)))
    expected = {
        name: "".join("abcdefghijkl"[i] for i, group in enumerate(largest) if name in group)
        for name in networks
    }
    assert significance.groups(networks, comparisons) == expected


def pairs_of(networks):
    pairs = networks * (networks - 1) // 2
    return st.lists(st.booleans(), min_size=pairs, max_size=pairs)


@pytest.mark.parametrize("share", [0, 0.9, 1])
def test_sixty_networks_share_letters_just_where_they_are_alike(share):
    networks = networks_of(60)
    differ = np.random.default_rng(0).random(1770) < share
    comparisons = comparisons_where(networks, differ)
    letters = significance.groups(networks, comparisons)
    for c in comparisons:
        assert bool(set(letters[c.a]) & set(letters[c.b])) == (c.welch >= 0.05)
    text = comparison_tables.groups_text("test", letters, comparisons)
    listed = [line[2] for line in text.splitlines() if line.startswith("- ")]
    assert listed == sorted(set("".join(letters.values())), key=significance.LETTERS.index)
    assert "No letters" not in text


def test_more_groups_than_letters_are_said_to_be_so():
    networks = networks_of(60)
    pairs = combinations(range(60), 2)  # 20 threes whose members differ: 3^20 groups
    comparisons = comparisons_where(networks, [a // 3 == b // 3 for a, b in pairs])
    letters = significance.groups(networks, comparisons)
    assert set(letters.values()) == {""}
    text = comparison_tables.groups_text("test", letters, comparisons)
    assert "No letters: the networks fall into more than 336 groups." in text
    assert "Not compared" not in text


def test_columns_of_the_comparisons_hold_what_their_headers_say():
    found = significance.Comparison("x", "y", 3.25, 1.5, 5, 0.011, 0.022, 0.033, 7, 4)
    *_, header, _, row = comparison_tables.comparisons_text([found]).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in (header, row)]
    assert dict(zip(*cells, strict=True)) == {
        "pair": "x − y",
        "difference": "+3.2",
        "95 % interval": "+1.5 to +5.0",
        "Welch": "0.011",
        "Mann-Whitney": "0.022",
        "McNemar": "0.033",
        "spectra in favour": "7 : 4",
    }
    text = comparison_tables.comparisons_text([found._replace(favour_a=0)])
    assert text.endswith("| 0 : 4 |\n")


def test_agreement_holds_our_counts_against_published_ones():
    alike = significance.agreement("cnn2", [35, 41, 33], [34, 39, 31, 50, 36])
    assert alike.difference == pytest.approx(109 / 3 - 38)
    assert alike.low < alike.difference < alike.high
    assert alike.mann_whitney == pytest.approx(
        stats.mannwhitneyu([35, 41, 33], [34, 39, 31, 50, 36], method="exact").pvalue
    )
    other = significance.agreement("cnn2", [60, 62, 61, 64, 70], [34, 39, 31, 50, 36])
    assert other.mann_whitney == pytest.approx(2 / 252)
    text = comparison_tables.agreement_text([alike, other], PUBLISHED["followup"])
    assert "| cnn2 | 35, 41, 33 | 34, 39, 31, 50, 36 | -1.7 |" in text
    assert "| 0.016 | differ |" in text  # 2 of 252, corrected for two networks
    assert [line.rsplit("|", 2)[1].strip() for line in text.splitlines()[-2:]] == [
        "not shown to differ",
        "differ",
    ]
    assert "p is at least 0.036 for 3 runs against 5, 0.0079 for 5 runs against 5, before" in text
    bound = comparison_tables.agreement_text(
        [alike._replace(mann_whitney=0.05)], PUBLISHED["followup"]
    )
    assert bound.endswith("| 0.05 | not shown to differ |\n")


def test_mann_whitney_is_exact_up_to_seven_seeds_of_each():
    assert significance.mann_whitney(range(7), range(7, 14)) == pytest.approx(2 / 3432)


def test_nine_networks_have_the_same_p_value_every_time():
    ranks = np.arange(9), np.array([3, 1, 2, 0, 4, 8, 6, 5, 7])
    first, *others = (significance.rank_correlation(*ranks) for _ in range(3))
    assert others == [first] * 2


def test_the_p_value_of_eight_networks_is_exact():
    a, b = np.arange(8), np.array([1, 0, 2, 4, 3, 5, 7, 6])
    _, p = significance.rank_correlation(a, b)
    assert p * 40320 == pytest.approx(round(p * 40320), abs=1e-6)


@pytest.mark.parametrize(("seeds", "pairs"), [(3, 1), (3, 28), (5, 1), (5, 28)])
def test_a_detectable_difference_is_found_as_often_as_said(seeds, pairs):
    draws = np.random.default_rng(0).normal(100, 5, (20000, 2, seeds))
    counts = draws.round().astype(int)
    wrong = {name: wrong_spectra(of) for name, of in zip("ab", counts[0], strict=True)}
    spread = np.sqrt(np.mean(counts[0].var(axis=1, ddof=1)))
    compared = [comparison("a", "b", 1)] * pairs
    (difference,) = significance.detectable_differences(wrong, compared).values()
    difference *= 5 / spread
    tests = stats.ttest_ind(draws[:, 0], draws[:, 1] + difference, axis=1, equal_var=False)
    assert np.mean(tests.pvalue < 0.05 / pairs) == pytest.approx(0.8, abs=0.01)


def test_more_pairs_leave_a_larger_difference_undetected():
    wrong = {name: wrong_spectra([30, 34, 28, 31, 33]) for name in "abc"}
    one_pair = [comparison("a", "b", 1)]
    few = significance.detectable_differences(wrong, one_pair)
    many = significance.detectable_differences(wrong, [*one_pair, comparison("a", "c", 1)])
    assert few[5] < many[5]
    text = comparison_tables.groups_text("test", {"a": "a", "b": "a"}, one_pair, few)
    assert f"a true difference of {few[5]:.2g} spectra (5 seeds) between two networks" in text
    assert "would be found here with a probability of 80 %" in text
    not_tested = [*one_pair, comparison("a", "c", None)]
    assert significance.detectable_differences(wrong, not_tested) == few


def test_a_detectable_difference_is_one_between_networks_of_so_many_seeds():
    five, three = wrong_spectra([30, 34, 28, 31, 33]), wrong_spectra([30, 34, 28])

    def detectable(**wrong):
        compared = [comparison(a, b, 1) for a, b in combinations(wrong, 2)]
        return significance.detectable_differences(wrong, compared)

    assert list(detectable(a=five, b=five, c=three)) == [5]
    assert list(detectable(a=five, b=three)) == [3]
    found = detectable(a=five, b=five, c=three, d=three)
    assert list(found) == [5, 3]
    assert found[5] < found[3]
    text = comparison_tables.groups_text(
        "test", dict.fromkeys("abcd", "a"), [comparison("a", "b", 1)], found
    )
    assert f"of {found[5]:.2g} spectra (5 seeds), {found[3]:.0f} spectra (3 seeds) between" in text


def test_without_a_pair_or_spread_no_difference_is_called_detectable():
    wrong = {name: wrong_spectra([30, 30, 30]) for name in "ab"}
    assert significance.detectable_differences(wrong, [comparison("a", "b", None)]) == {}
    assert significance.detectable_differences(wrong, []) == {}
    text = comparison_tables.groups_text("test", {"a": "", "b": ""}, [], {})
    assert "Not compared: a, b." in text
    assert "found here" not in text
    assert "No letters" not in text  # which is about too many groups
