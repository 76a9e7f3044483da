"""Statistics on results whose answer is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmark import significance


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
    single = [significance.welch(wrong[c.a], wrong[c.b])[-1] for c in found]
    ab, ac, bc = single
    assert ac < bc < ab
    assert [c.welch for c in found] == pytest.approx([ab, 3 * ac, 2 * bc])
    # Of 20 ways to deal 3 + 3 counts, 2 are as extreme where no counts interleave.
    ab, _, _ = (significance.mann_whitney(wrong[c.a], wrong[c.b]) for c in found)
    assert [c.mann_whitney for c in found] == pytest.approx([max(ab, 0.3), 0.3, 0.3])


def test_mann_whitney_is_exact_where_counts_are_equal():
    three, five = wrong_spectra([1, 1, 1]), wrong_spectra([1] * 5)
    assert significance.mann_whitney(three, wrong_spectra([2, 2, 2])) == pytest.approx(2 / 20)
    assert significance.mann_whitney(five, wrong_spectra([2] * 5)) == pytest.approx(2 / 252)
    many = wrong_spectra(range(9)), wrong_spectra(range(5, 14))
    assert significance.mann_whitney(*many) == significance.mann_whitney(*many)


def test_mcnemar_counts_spectra_on_which_the_networks_differ():
    a, b = wrong_spectra([8]), wrong_spectra([5], first=6)  # 6 only a, 2 both, 3 only b
    p_value, favour_a, favour_b = significance.mcnemar(a, b)
    assert (favour_a, favour_b) == (3, 6)
    assert p_value == pytest.approx(stats.binomtest(6, 9).pvalue)


def test_mcnemar_compares_in_how_many_seeds_a_spectrum_is_misclassified():
    a = np.array([[1, 1, 0, 0, 1], [0, 1, 0, 0, 1], [0, 1, 0, 1, 1]], bool)  # 1/3 1 0 1/3 1
    b = np.array([[0, 1, 1, 0, 1], [1, 1, 0, 0, 0]], bool)  # 1/2 1 1/2 0 1/2
    p_value, favour_a, favour_b = significance.mcnemar(a, b)
    assert (favour_a, favour_b) == (2, 2)
    assert p_value == 1


def test_a_network_without_spread_is_compared_without_a_warning(recwarn):
    found = significance.welch(wrong_spectra([4, 4, 4]), wrong_spectra([30, 32, 31]))
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


def test_counts_without_any_spread_are_compared_by_the_mann_whitney_test():
    never, always = wrong_spectra([0, 0, 0]), wrong_spectra([7, 7, 7])
    assert significance.welch(never, never)[-1] == 1
    assert significance.welch(never, always) == (-7, None, None, pytest.approx(0.1))


def test_holm_by_hand():
    assert significance.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert significance.holm([0.9, 0.6]) == [1, 1]
    assert significance.holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_never_lowers_a_p_value_and_keeps_their_order(p_values):
    corrected = significance.holm(p_values)
    assert all(p <= c <= 1 for p, c in zip(p_values, corrected, strict=True))
    order = np.argsort(p_values)
    assert (np.diff(np.array(corrected)[order]) >= 0).all()
