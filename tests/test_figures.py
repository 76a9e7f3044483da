import csv
import json
import re
import zlib
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from conftest import SMALL, variation
from matplotlib.colors import to_hex
from matplotlib.text import Text

import evaluate
from benchmark import class_figures, figures
from benchmark.artefacts import Artefacts, RandomSource, render_with_artefacts
from benchmark.baseline_folder import Baseline
from benchmark.class_file import ClassFile, read_class_file
from benchmark.command_line import InputError
from benchmark.figure_style import network_styles, rows_for, save
from benchmark.misclassifications import Misclassification
from benchmark.published_results import PUBLISHED, PublishedNetwork
from benchmark.rendering import render
from benchmark.run_folder import Count, Run
from benchmark.variants import nine_variants
from spectra_from_config import render_dataset


def class_variation(class_file, limits, label):
    vary = partial(evaluate.vary_class, class_file, limits)
    return class_figures.class_variation(class_file, limits, label, vary)


def confused_classes(confusions, class_file):
    vary = partial(evaluate.vary_class, class_file, SMALL)
    return class_figures.confused_classes(confusions, class_file, SMALL, vary)


LONG_NAME = "my_residual_network_with_attention_and_dropout_v2"


@pytest.fixture
def make_runs(tmp_path):
    """Write the histories of invented runs; returns a function from networks to their runs."""

    def make(networks, seeds=1, count=lambda network, seed: 10 * network + seed, **changes):
        runs = []
        for i, name in enumerate(networks):
            for seed in range(seeds):
                run = (
                    dict.fromkeys(Run._fields)
                    | {
                        "model": name,
                        "seed": seed,
                        "weights": 1_000_000 * (i + 1),
                        "epochs": 5,
                        "best_epoch": 3,
                        "seconds": 10.0 * (seed + 1) * (i + 1),
                        "misclassified": {
                            "val": Count(1, 500),
                            "test": Count(count(i, seed), 450),
                        },
                        "folder": tmp_path / f"{name}-seed{seed}",
                    }
                    | changes
                )
                write_history(run["folder"], seed)
                runs.append(Run(**run))
        return runs

    return make


def write_history(folder, seed, losses=(2, 0.5, 0.1, 0.02, 0.01)):
    folder.mkdir(exist_ok=True)
    with open(folder / "history.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["epoch", "val_loss", "accuracy", "loss", "learning_rate", "val_accuracy"])
        for epoch, loss in enumerate(losses, 1):
            rate = 3e-4 if epoch < 4 - seed else 1.5e-4
            table.writerow([epoch, 2 * loss + seed, 0.5, loss, rate, 0.5])


@pytest.fixture
def write_classes(tmp_path):
    """Write a class file of the given peaks (position, height); returns it as read."""

    def write(*classes, datapoints=300):
        spectra = {
            str(label): {
                "peak_positions": [x for x, _ in peaks],
                "peak_heights": [h for _, h in peaks],
            }
            for label, peaks in enumerate(classes)
        }
        path = tmp_path / "classes.json"
        config = {"datapoints": datapoints, "classes": len(classes), "spectra": spectra}
        path.write_text(json.dumps(config))
        return read_class_file(path)

    return write


def confusion(true, predicted, variant=0, network="vgg", seed=0, split="test_wide"):
    return Misclassification(
        network=network,
        seed=seed,
        split=split,
        spectrum=9 * true + variant,
        true_class=true,
        predicted_class=predicted,
        variant=variant,
        confidence=0.5,
        reason="",
    )


def points(panel, **style):
    """Return the coordinates of all points drawn in a style, such as marker="o"."""
    drawn = [
        np.transpose(line.get_data())
        for line in panel.lines
        if all(getattr(line, f"get_{name}")() == value for name, value in style.items())
    ]
    return np.concatenate(drawn)


def legend_of(figure):
    """Return text -> what stands before it, of the one legend of a figure or panel."""
    (legend,) = getattr(figure, "legends", None) or [figure.get_legend()]
    texts = [text.get_text() for text in legend.get_texts()]
    return dict(zip(texts, legend.legend_handles, strict=True))


def styles_of(figure):
    """Return text -> colour, line and marker that a legend of lines gives it."""
    return {
        text: (line.get_color(), line.get_linestyle(), line.get_marker())
        for text, line in legend_of(figure).items()
    }


def test_a_network_of_the_paper_looks_the_same_whatever_stands_beside_it():
    paper = list(PUBLISHED["paper"].networks)
    alone = {name: network_styles([name])[name] for name in paper}
    assert network_styles(paper) == alone
    beside = network_styles(["mine", "vgg", "cnn2:hidden_activation=relu", "inc6"])
    assert (beside["vgg"], beside["inc6"]) == (alone["vgg"], alone["inc6"])
    many = network_styles([f"mine{number}" for number in range(64)] + paper)
    assert len(set(many.values())) == 72
    assert len(network_styles([f"mine{number}" for number in range(100)])) == 100


def assert_nothing_clipped_or_small(figure):
    """All text is inside the figure and at least 8 points high, and no legend covers a panel."""
    figure.draw_without_rendering()
    undrawn = [label for panel in figure.axes for label in labels_beyond_the_limits(panel)]
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text() and text not in undrawn:
            box = text.get_window_extent()
            assert figure.bbox.padded(1).contains(*box.min), text
            assert figure.bbox.padded(1).contains(*box.max), text
            assert text.get_fontsize() >= 8, text
    for legend in [*figure.legends, *(panel.get_legend() for panel in figure.axes)]:
        if legend is not None:
            box = legend.get_window_extent().padded(-3)
            assert not any(box.overlaps(panel.bbox) for panel in figure.axes), legend


def labels_beyond_the_limits(panel):
    for axis in panel.xaxis, panel.yaxis:
        low, high = sorted(axis.get_view_interval())
        for tick in axis.get_major_ticks() + axis.get_minor_ticks():
            if not low <= tick.get_loc() <= high:
                yield from (tick.label1, tick.label2)


def test_class_variation_plots_the_peak_as_the_dataset_draws_it(write_classes, tmp_path):
    classes = write_classes([(50, 1), (250, 0.9)], [(40, 1), (120, 0.6), (230, 0.1)])
    figure = class_variation(classes, SMALL, 1)
    panel = next(p for p in figure.axes if p.get_title("left") == "class 1, peak at 120")
    trained, tested, wide = (points(panel, marker=marker) for marker in "osx")
    assert trained.shape == (6, 2)
    assert np.abs(trained - (120, 0.6)).max(axis=0) == pytest.approx((5, 0.05), rel=0.9)
    expected = [(120 + x, 0.6 + h) for h in (0, 0.02, -0.02) for x in (0, -3, 3)]
    np.testing.assert_allclose(tested, expected)
    expected = [(120 + x, 0.6 + h) for h in (0, 0.2, -0.2) for x in (0, -3, 3)]
    np.testing.assert_allclose(wide, expected)

    render_dataset(tmp_path / "classes.json", tmp_path / "data", SMALL)
    spectra = np.load(tmp_path / "data" / "x_train.npy")[6:12]
    tested = np.load(tmp_path / "data" / "x_test.npy")[9]
    shown = [p.lines[0].get_ydata() for p in figure.axes if p is not panel]
    np.testing.assert_array_equal(shown, [tested, *spectra[:2]])
    for (position, _), spectrum in zip(trained, spectra, strict=True):
        assert spectrum[90:150].argmax() + 90 == position

    widths = [evaluate.vary_class(classes, SMALL, split, 1)[2] for split in ("test", "train")]
    spectra_panels = [p for p in figure.axes if p is not panel]
    assert [p.get_title("left") for p in spectra_panels] == [
        f"ideal pattern, σ = {widths[0][0]:.2g} datapoints",
        f"training spectrum, σ = {widths[1][0]:.2g} datapoints",
        f"another training spectrum, σ = {widths[1][1]:.2g} datapoints",
    ]
    for span in (p.patches[0] for p in spectra_panels):
        assert (span.get_x(), span.get_x() + span.get_width()) == (115, 125)  # MAX_SHIFT is 5
    assert spectra_panels[-1].get_xlabel() == panel.get_xlabel() == "position (datapoints)"
    assert list(legend_of(figure)) == [
        *("range of the peak drawn on the right", "training spectra (6)"),
        *("test (9)", "test_wide (9)"),
    ]


def test_symmetric_artefacts_are_written_with_their_sign():
    assert class_figures.range_text(0.02) == "±0.02"
    assert class_figures.range_text((0, 0.5)) == "0 to 0.5"


def test_class_artefacts_shows_the_spectrum_that_differs_most(write_classes):
    classes = write_classes([(50, 1), (250, 0.5)])
    strong, none = Artefacts(background=(0.0, 0.8)), Artefacts()
    shown = [("background", strong, False), ("in part", strong, True), ("nothing", none, False)]
    figure = class_figures.class_artefacts(classes, SMALL, 0, shown)
    pattern = np.array([[50, 250]] * 9), np.array([[1, 0.5]] * 9), np.full(9, 2.0)
    source = RandomSource(SMALL.seed, 0, [(0, range(9))])
    drawn = render_with_artefacts(pattern, strong, source, 300)
    ideal = render(*(values[:1] for values in pattern), 300)[0]
    most = drawn[np.abs(drawn - ideal).sum(axis=1).argmax()]
    for panel, expected in zip(figure.axes, (most, most, ideal), strict=True):
        assert [line.get_label() for line in panel.lines] == ["ideal pattern", "with the artefact"]
        np.testing.assert_array_equal(panel.lines[0].get_ydata(), ideal)
        np.testing.assert_array_equal(panel.lines[1].get_ydata(), expected)
    assert [panel.get_xlim() for panel in figure.axes] == [(0, 299), (230, 270), (0, 299)]
    assert [panel.get_title("left") for panel in figure.axes] == [title for title, *_ in shown]
    note = "position (datapoints); panels marked * show a part"
    assert figure.get_supxlabel() == note


def test_long_names_of_classes_keep_both_ends():
    long = "Clinoptilolite-Na, sample of 1999"
    classes = ClassFile(100, [], [], "", {}, [long, "Quartz"])
    assert class_figures.called(classes, 0) == "Clinoptil…f 1999"
    assert class_figures.called(classes, 1) == "Quartz"


def test_peak_with_room_to_vary_is_followed_not_the_highest():
    assert class_figures.peak_to_follow(np.array([1, 0.05, 0.4, 0.9])) == 2
    assert class_figures.peak_to_follow(np.array([1.0])) == 0


def test_most_telling_class_has_many_peaks_far_apart(write_classes):
    two = [(50, 1), (250, 0.5)]
    close = [(40, 1), (45, 0.5), (50, 0.5), (250, 0.5)]
    apart = [(40, 1), (100, 0.5), (170, 0.5), (250, 0.5)]
    faint = [(40, 1), (110, 0.01), (180, 0.01), (250, 0.01)]
    assert class_figures.most_telling_class(write_classes(two, close, apart, faint)) == 2
    assert class_figures.most_telling_class(write_classes([(50, 1)])) == 0


def test_class_variation_works_with_one_training_spectrum_and_one_peak(write_classes):
    figure = class_variation(write_classes([(50, 1)]), SMALL._replace(n_train=1), 0)
    assert len(figure.axes) == 3
    assert_nothing_clipped_or_small(figure)


def test_every_seed_is_a_point_and_the_mean_a_line(make_runs):
    runs = make_runs(
        ["cnn2", "vgg"], 3, lambda network, seed: [[4, 0, 5], [100, 200, 3000]][network][seed]
    )
    panel = figures.misclassifications(runs, [], "test").axes[0]
    assert points(panel, marker="o")[:, 0].tolist() == [4, 0, 5, 100, 200, 3000]
    assert np.round(points(panel, marker="o")[:, 1]).tolist() == [0, 0, 0, 1, 1, 1]
    lines = points(panel, marker="None", linewidth=1.5)
    assert lines[:, 0].tolist() == [3, 3, 1100, 1100]
    labels = [label.get_text() for label in panel.get_yticklabels()]
    assert labels == ["cnn2", "vgg"]
    assert panel.get_xscale() == "symlog"
    assert panel.get_xlabel() == "misclassified of 450 spectra of test (logarithmic above 10)"
    low, high = panel.get_xlim()
    assert low < 0 and high > 3000
    assert panel.xaxis.get_transform().linthresh == 10
    (means,) = panel.child_axes
    assert [label.get_text() for label in means.get_yticklabels()] == ["3", "1100"]
    assert styles_of(panel.figure) == {
        "one seed": (figures.BLUE, "None", "o"),
        "mean": (figures.BLACK, "None", "|"),
    }


def test_baselines_and_the_papers_range_stand_beside_the_networks(make_runs, tmp_path):
    baselines = [
        Baseline(tmp_path, "cosine similarity", 1, {"test": Count(321, 450)}, {}, {}),
        Baseline(tmp_path, "unjudged", 1, {"val": Count(5, 500)}, {}, {}),
        Baseline(tmp_path, "silent", 1, {"test": Count(5, 450, unanswered=3)}, {}, {}),
    ]
    paper = PUBLISHED["paper"]
    figure = figures.misclassifications(make_runs(["cnn_bn", "mine"]), baselines, "test", paper)
    panel = figure.axes[0]
    (bar,) = panel.patches
    assert (bar.get_x(), bar.get_x() + bar.get_width()) == (60, 130)  # 95 ± 35
    assert bar.get_y() < 0 < bar.get_y() + bar.get_height()
    assert points(panel, marker="D").tolist() == [[321, 2]]
    labels = [label.get_text() for label in panel.get_yticklabels()]
    assert labels == ["cnn_bn", "mine", "cosine similarity"]
    (means,) = panel.child_axes
    assert [label.get_text() for label in means.get_yticklabels()] == ["0", "10", "321"]
    handles = legend_of(figure)
    assert list(handles)[2:] == ["published: mean ± deviation", "method"]
    assert handles["method"].get_marker() == "D"
    assert PublishedNetwork(misclassified="30 ± 40").range() == (0, 70)
    assert panel.get_xlabel().endswith("\nwithout silent, which answers only a part")
    assert "\n" not in figures.misclassifications(make_runs(["a"]), [], "test").axes[0].get_xlabel()


def test_without_any_misclassified_spectrum_the_axis_counts_whole_spectra(make_runs):
    runs = make_runs(["vgg"], 2, lambda network, seed: 0)
    panel = figures.misclassifications(runs, [], "test").axes[0]
    low, high = panel.get_xlim()
    assert [tick for tick in panel.get_xticks() if low <= tick <= high] == [0, 1]


def test_many_misclassified_spectra_leave_no_room_empty(make_runs):
    runs = make_runs(["cnn2", "vgg"], 3, lambda network, seed: 20 * 6**network + 4 * seed)
    (panel,) = figures.misclassifications(runs, [], "test").axes
    assert panel.get_xscale() == "log"
    assert panel.get_xlabel() == "misclassified of 450 spectra of test (logarithmic)"
    ends = panel.get_xlim()
    assert ends == pytest.approx((16, 160))
    marked = [tick for tick in panel.get_xticks() if ends[0] <= tick <= ends[1]]
    assert marked == pytest.approx([20, 30, 40, 50, 60, 80, 100, 150])
    seconds, _ = figures.cost(runs, "test").axes
    assert seconds.get_yscale() == "log"
    assert "\n(logarithmic)\n" in seconds.get_ylabel()
    runs = make_runs(["vgg"], 2, lambda network, seed: 40 * seed)
    (panel,) = figures.misclassifications(runs, [], "test").axes
    assert panel.get_xscale() == "symlog"  # from 0 on


@pytest.mark.parametrize(("fewest", "most"), [(0, 20), (7, 16), (17, 31), (50, 250)])
def test_counts_near_each_other_stand_on_a_linear_axis(make_runs, fewest, most):
    runs = make_runs(["vgg"], 2, lambda network, seed: (fewest, most)[seed])
    (panel,) = figures.misclassifications(runs, [], "test").axes
    assert panel.get_xscale() == "linear"
    assert panel.get_xlabel() == "misclassified of 450 spectra of test"
    low, high = panel.get_xlim()
    assert low < fewest and most < high
    ticks = [tick for tick in panel.get_xticks() if low <= tick <= high]
    assert 4 <= len(ticks) <= 10 and all(tick == int(tick) for tick in ticks)


@pytest.mark.parametrize("name", ["cnn2", "cnn2 (shipped)"])
def test_published_runs_stand_in_the_row_of_their_network(make_runs, name):
    published = PUBLISHED["followup"]
    figure = figures.misclassifications(make_runs(["mine", name]), [], "test", published)
    drawn = points(figure.axes[0], marker="s")
    assert drawn[:, 0].tolist() == published.networks["cnn2"].runs
    assert np.round(drawn[:, 1]).tolist() == [1] * 5
    (bar,) = figure.axes[0].patches
    assert bar.get_y() < 1 < bar.get_y() + bar.get_height()
    assert legend_of(figure)["published run"].get_marker() == "s"


def test_cost_is_the_mean_over_the_seeds_with_their_range(make_runs):
    runs = make_runs(["cnn2", "vgg"], 3)
    seconds, size = figures.cost(runs, "test").axes
    assert seconds.get_xlabel() == "seconds per epoch"
    (alone,) = figures.cost(runs, "test", comparable=False).axes
    assert alone.get_xlabel() == "weights (million)"
    for panel, expected in (
        (seconds, [(4, 1, [2, 6], [0, 2]), (8, 11, [4, 12], [10, 12])]),
        (size, [(1, 1, [1, 1], [0, 2]), (2, 11, [2, 2], [10, 12])]),
    ):
        for bars, (x, y, xs, ys) in zip(panel.containers, expected, strict=True):
            assert bars.lines[0].get_xydata().tolist() == [[x, y]]
            horizontal, vertical = (collection.get_segments()[0] for collection in bars.lines[2])
            assert horizontal.tolist() == [[xs[0], y], [xs[1], y]]
            assert vertical.tolist() == [[x, ys[0]], [x, ys[1]]]
    assert size.get_xlabel() == "weights (million)"
    assert seconds.get_ylabel() == (
        "misclassified of 450 spectra of test\nmean, smallest and largest of the seeds"
    )
    assert (seconds.get_xscale(), size.get_xscale(), seconds.get_yscale()) == (
        *("log", "log"),
        "linear",
    )
    handles = legend_of(seconds.figure)
    assert list(handles) == ["cnn2", "vgg"]
    for panel in seconds, size:
        for handle, bars in zip(handles.values(), panel.containers, strict=True):
            assert to_hex(handle.get_color()[0]) == to_hex(bars.lines[0].get_color())


def test_networks_of_the_same_cost_are_told_apart_by_the_legend(make_runs):
    names = [*PUBLISHED["paper"].networks, LONG_NAME]
    runs = make_runs(names, count=lambda network, seed: 0)
    figure = figures.cost([run._replace(weights=10**6, seconds=100) for run in runs], "test")
    assert_nothing_clipped_or_small(figure)
    (legend,) = figure.legends
    texts = [text.get_text().replace("\n", "") for text in legend.get_texts()]
    assert texts == names
    drawn = [bars.lines[0] for bars in figure.axes[0].containers]
    assert len({(line.get_marker(), line.get_color()) for line in drawn}) == len(names)
    assert len({line.get_color() for line in drawn[:8]}) == 8  # the networks of the paper


@pytest.mark.parametrize("name", ["net", LONG_NAME, 5 * LONG_NAME])
def test_many_networks_and_many_runs_of_one_fit_their_figures(make_runs, name):
    names = [f"{name}_{number}" for number in range(50)]
    runs = make_runs(names, count=lambda network, seed: network**3)
    runs += make_runs(["vgg"], 40, lambda network, seed: seed)
    for figure in (
        figures.misclassifications(runs, [], "test"),
        figures.cost(runs, "test"),
        figures.learning_curves(runs),
    ):
        assert_nothing_clipped_or_small(figure)
    panel = figures.misclassifications(runs, [], "test").axes[0]
    panel.figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in panel.get_yticklabels()]
    assert all(above.y0 >= below.y1 for above, below in pairwise(boxes))
    panel = figures.learning_curves(runs).axes[-1]
    ticks = points(panel, marker="|")[:, 1]
    lowest_loss = (panel.transData + panel.transAxes.inverted()).transform((1, 0.01))[1]
    assert ticks.min() > 0 and ticks.max() < lowest_loss


def test_learning_curves_show_every_seed_of_every_network(make_runs):
    runs = make_runs(["cnn2", "vgg", "mine"], 2)
    figure = figures.learning_curves(runs)
    assert [panel.get_title("left") for panel in figure.axes] == ["cnn2", "vgg", "mine"]
    for panel in figure.axes:
        assert panel.get_yscale() == "log"
        trained = points(panel, color=figures.BLUE)
        assert trained.tolist() == 2 * [[1, 2], [2, 0.5], [3, 0.1], [4, 0.02], [5, 0.01]]
        validated = points(panel, color=figures.VERMILION, linestyle="--")
        np.testing.assert_allclose(validated[:5, 1], [4, 1, 0.2, 0.04, 0.02])
        np.testing.assert_allclose(validated[5:, 1], [5, 2, 1.2, 1.04, 1.02])
        np.testing.assert_allclose(points(panel, marker="o"), [[3, 0.2], [3, 1.2]])
        lowered = points(panel, marker="|")
        assert lowered[:, 0].tolist() == [4, 3]
        assert lowered[0, 1] < lowered[1, 1]  # a row per seed
    assert (figure.get_supxlabel(), figure.get_supylabel()) == (
        *("epoch", "loss (categorical cross-entropy)"),
    )
    assert styles_of(figure) == {
        "training": (figures.BLUE, "-", "None"),
        "validation": (figures.VERMILION, "--", "None"),
        "best epoch": (figures.BLACK, "None", "o"),
        "learning rate lowered": (figures.BLACK, "None", "|"),
    }


def test_ticks_of_the_learning_rate_stay_below_the_losses(make_runs):
    figure = figures.learning_curves(make_runs(["vgg"], 5))
    (panel,) = figure.axes
    to_axes = (panel.transData + panel.transAxes.inverted()).transform
    lowest_loss = to_axes((1, 0.01))[1]
    assert points(panel, marker="|")[:, 1].max() < lowest_loss


@pytest.mark.parametrize(
    ("losses", "ticks"),
    [
        ((3.1, 3), [3, 4, 5, 6, 8]),  # validation losses are twice as large
        ((3.1, 1.5), [1.5, 2, 3, 4, 5, 6, 8]),
        ((0.4, 0.3), [0.3, 0.4, 0.5, 0.6, 0.8, 1]),
        ((5, 0.001), [0.001, 0.01, 0.1, 1, 10]),
    ],
)
def test_losses_can_be_read_from_their_axis_however_few_there_are(make_runs, losses, ticks):
    runs = make_runs(["vgg"], epochs=len(losses))
    write_history(runs[0].folder, 0, losses)
    (panel,) = figures.learning_curves(runs).axes
    assert panel.get_yticks().tolist() == pytest.approx(ticks)


@pytest.mark.parametrize(
    "losses", [[0, 0], ["nan", "nan"], [1, "inf"], [1], ["8e307", 1, "1e-320"], ["8e307", "1e38"]]
)
def test_learning_curves_survive_losses_without_logarithm(make_runs, tmp_path, losses):
    runs = make_runs(["vgg"], epochs=len(losses))
    write_history(runs[0].folder, 0, [float(loss) for loss in losses])
    save(figures.learning_curves(runs), tmp_path, "curves")


def test_unreadable_history_is_named(make_runs):
    (run,) = make_runs(["vgg"])
    path = run.folder / "history.csv"
    for content, words in (
        ("epoch,loss\n1,2\n", "column 'val_loss'"),
        ("epoch,loss\n1,x\n", "column 'loss'"),
        ("epoch,loss\n", "no epoch"),
    ):
        path.write_text(content)
        with pytest.raises(InputError, match=words) as error:
            figures.learning_curves([run])
        assert str(path) in str(error.value)
    path.unlink()
    with pytest.raises(InputError, match="does not exist"):
        figures.learning_curves([run])


def test_most_confused_pairs_come_first_and_at_most_four(write_classes):
    classes = write_classes(*([(30 + 30 * i, 1), (280, 0.5)] for i in range(6)))
    cases = [confusion(0, 1)]
    cases += [confusion(2, 3, variant, seed=seed) for variant in (4, 5) for seed in range(3)]
    cases += [confusion(3, 2, 5, "cnn2")]
    cases += [confusion(i, 5, seed=seed) for i in range(3) for seed in range(2)]
    figure = confused_classes(cases, classes)
    titles = [panel.get_title("left").split("\n")[0] for panel in figure.axes]
    assert titles == [
        "classes 2 and 3: 3 spectra of test_wide confused in 4 runs",
        *(f"classes {i} and 5: 1 spectrum of test_wide confused in 2 runs" for i in range(3)),
    ]


def test_misclassified_spectrum_is_the_one_in_the_dataset(write_classes, tmp_path):
    classes = write_classes([(50, 1), (250, 0.9)], [(40, 1), (120, 0.6), (230, 0.1)])
    render_dataset(tmp_path / "classes.json", tmp_path / "data", SMALL)
    for split in "test", "test_wide":
        spectra = np.load(tmp_path / "data" / f"x_{split}.npy")
        cases = [confusion(1, 0, 3, split=split)] + 2 * [confusion(1, 0, 7, split=split)]
        (panel,) = confused_classes(cases, classes).axes
        np.testing.assert_array_equal(panel.lines[0].get_ydata(), spectra[9 + 7])
        change = {"test": "0.02", "test_wide": "0.2"}[split]
        assert panel.get_title("left").endswith(f"\nshown: {split}, shift −3, heights −{change}")
        assert points(panel, marker="o").tolist() == [[40, 1], [120, 0.6], [230, 0.1]]
        assert points(panel, marker="s").tolist() == [[50, 1], [250, 0.9]]
        labels = [text.get_text() for text in panel.get_legend().get_texts()]
        assert labels[:3] == ["spectrum of 1", "ideal 1 (true)", "ideal 0 (predicted)"]


@pytest.mark.parametrize(
    ("first", "second", "marked", "words"),
    [
        ([(50, 1), (150, 0.5)], [(58, 1), (159, 0.5)], [150], "peak 150 (height 0.5) of class 0"),
        ([(50, 1)], [(50, 1), (200, 0.2), (250, 0.3)], [250], "has no partner in class 0"),
        # A peak of height 0 decides nothing.
        ([(50, 1), (150, 0)], [(55, 1)], [50, 55], "least alike: peaks 50"),
        # Two peaks near one: only one of them has it as partner.
        ([(50, 1), (54, 0.6)], [(53, 1)], [54], "peak 54 (height 0.6) of class 0"),
        ([(50, 0.6), (54, 1)], [(51, 1)], [50], "peak 50 (height 0.6) of class 0"),
        ([(50, 1), (99, 0.5)], [(58, 1), (99, 0.7)], [99, 99], "least alike: peaks 99"),
    ],
)
def test_deciding_peak_has_no_partner_or_the_least_alike(
    write_classes, first, second, marked, words
):
    classes = write_classes(first, second)
    (panel,) = confused_classes([confusion(0, 1)], classes).axes
    arrows = points(panel, marker="v")
    assert arrows[:, 0].tolist() == marked
    assert words in panel.get_title("left")
    heights = [height for x, height in first + second if x in marked]
    assert all(arrows[:, 1] > heights)


def test_variants_are_named_by_what_varies():
    names = [class_figures.variant_text(variant) for variant in nine_variants(3, 0.02)]
    assert names[:4] == ["unvaried", "shift −3", "shift +3", "heights +0.02"]
    assert names[7] == "shift −3, heights −0.02"


def test_peaks_within_both_shifts_are_partners():
    patterns = (np.array([50, 150]), np.array([1, 0.5])), (np.array([58, 150]), np.array([1, 0.4]))
    assert class_figures.deciding_peaks(*patterns, 8) == (1, 1)
    assert class_figures.deciding_peaks(*patterns, 7) == (0, None)


def test_of_peaks_that_differ_alike_in_height_the_furthest_decide():
    patterns = (np.array([70, 300]), np.array([1, 0.7])), (np.array([70, 307]), np.array([1, 0.7]))
    assert class_figures.deciding_peaks(*patterns, 8) == (1, 1)


def test_names_of_classes_do_not_make_panels_narrow(tmp_path):
    positions = [np.array([50, 250]), np.array([60, 250])]
    for names in None, ["Übergangsmetalloxid-Hydrat", "Magnesiumhydroxidchlorid"]:
        classes = ClassFile(300, positions, [np.array([1, 0.9])] * 2, "", {}, names)
        figure = confused_classes([confusion(0, 1)], classes)
        assert_nothing_clipped_or_small(figure)
        (panel,) = figure.axes
        assert panel.get_position().width > 0.85


def test_long_sentences_on_confused_classes_are_broken():
    positions = [np.array([50, 250 + i]) for i in range(5)]
    names = [f"Manganomelane {i:02d}" for i in range(5)]
    heights = [np.array([1, 0.123])] * 5
    for unit in "deg", "degrees 2-theta (Cu Kα)":
        classes = ClassFile(300, positions, heights, "", {}, names, unit=unit, range=(10, 70.1))
        figure = confused_classes([confusion(0, i) for i in range(1, 5)], classes)
        assert_nothing_clipped_or_small(figure)
        for panel in figure.axes:
            title = panel.get_title("left").replace("\n", " ")
            assert "(height 0.123) of class Manganomelane 00 and" in title
        figure.draw_without_rendering()
        boxes = [panel.get_tightbbox() for panel in figure.axes]
        titles = [panel._left_title.get_window_extent() for panel in figure.axes]
        assert all(upper.y0 >= title.y1 for upper, title in zip(boxes, titles[1:], strict=False))
        heights_of_panels = [panel.bbox.height / figure.dpi for panel in figure.axes]
        assert min(heights_of_panels) > 0.45


def test_spectrum_is_cropped_only_if_its_peaks_are_in_one_half(write_classes):
    together, apart = [(50, 1), (150, 0.5)], [(50, 1), (250, 0.5)]
    classes = write_classes(together, apart, [(70, 1), (150, 0.5)])
    cases = [confusion(0, 2), confusion(0, 2), confusion(1, 2)]
    first, second = confused_classes(cases, classes).axes
    assert first.get_xlim() == (34, 166)
    assert second.get_xlim() == (0, 299)


@pytest.mark.parametrize("seeds", [1, 5])
@pytest.mark.parametrize(
    "networks", [["vgg"], [LONG_NAME], [*PUBLISHED["paper"].networks, LONG_NAME]], ids=len
)
def test_figures_of_any_size_are_readable(make_runs, tmp_path, networks, seeds):
    baselines = [Baseline(tmp_path, "cosine similarity", 1, {"val": Count(400, 500)}, {}, {})]
    paper = PUBLISHED["paper"]
    for count in lambda network, seed: 0, lambda network, seed: 10**seed:
        runs = make_runs(networks, seeds, count)
        for figure in (
            figures.misclassifications(runs, [], "test"),
            figures.misclassifications(runs, baselines, "val", paper),
            figures.learning_curves(runs),
            figures.cost(runs, "test"),
            figures.cost(runs, "val"),
        ):
            assert_nothing_clipped_or_small(figure)
            assert figure.get_figwidth() == 7


def test_figures_of_classes_are_readable(write_classes):
    pair = [(1000, 1), (3000, 0.456), (4800, 0.3)], [(1030, 1), (2990, 0.723), (4850, 0.31)]
    classes = write_classes(*pair, datapoints=5000)
    limits = classes, variation()
    vary = partial(evaluate.vary_class, *limits)
    cases = [confusion(0, 1, variant) for variant in range(9)]
    assert_nothing_clipped_or_small(class_figures.confused_classes(cases, *limits, vary))
    assert_nothing_clipped_or_small(class_figures.class_variation(*limits, 0, vary))


def test_same_runs_give_the_same_bytes(make_runs, tmp_path):
    files = []
    for folder in "first", "second":
        for name, figure in (
            ("curves", figures.learning_curves(make_runs(["vgg"], 2))),
            ("cost", figures.cost(make_runs(["vgg", "cnn2"], 2), "test")),
        ):
            paths = save(figure, tmp_path / folder, name)
            assert paths == tuple(tmp_path / folder / f"{name}.{kind}" for kind in ("png", "pdf"))
            files.append([path.read_bytes() for path in paths])
    assert files[:2] == files[2:]
    for png, pdf in files:
        assert png.startswith(b"\x89PNG")
        assert b"Software" not in png and b"CreationDate" not in pdf
    left = {path.name for path in (tmp_path / "first").iterdir()}
    assert left == {"curves.png", "curves.pdf", "cost.png", "cost.pdf"}


def test_text_of_a_pdf_is_text(make_runs, tmp_path):
    figure = figures.misclassifications(make_runs([LONG_NAME]), [], "test")
    _, path = save(figure, tmp_path, "counts")
    pdf = path.read_bytes()
    assert b"/Subtype /Type3" not in pdf and b"/ToUnicode" in pdf
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    pages = [zlib.decompress(stream) for stream in streams if stream.startswith(b"\x78")]
    shown = [
        b"".join(re.findall(rb"\(((?:\\.|[^\\)])*)\)", text))
        .replace(b"\0", b"")
        .replace(b"\\", b"")
        for page in pages
        for text in re.findall(rb"BT\n(.*?)\nET", page, re.DOTALL)
    ]
    # Letters such as "fi" may be set as one character; here are none.
    assert {b"one seed", b"mean", b"attention_and_dropout_v2"} <= set(shown)


def test_drawing_leaves_matplotlibs_settings_alone(make_runs):
    import matplotlib

    before = dict(matplotlib.rcParams)
    figures.cost(make_runs(["vgg"]), "test")
    assert dict(matplotlib.rcParams) == before


def test_axes_are_named():
    classes = ClassFile(
        300, [np.array([50, 250]), np.array([60, 250])], [np.array([1, 0.9])] * 2, "", {}
    )
    panel = class_variation(classes, SMALL, 0).axes
    assert "relative intensity, before normalisation" in [p.get_ylabel() for p in panel]
    (panel,) = confused_classes([confusion(0, 1)], classes).axes
    assert panel.get_xlabel() == "position (datapoints)"


def test_positions_are_shown_in_the_unit_of_the_axis_where_it_is_known(write_classes):
    classes = write_classes([(50, 1), (250, 0.5)], [(60, 1), (250, 0.9)])
    classes = classes._replace(datapoints=301, unit="deg $2θ", range=(10.0, 70.0))
    panels = class_variation(classes, SMALL, 0).axes
    (peak,) = (panel for panel in panels if "peak" in panel.get_title("left"))
    (lowest,) = (panel for panel in panels if "another" in panel.get_title("left"))
    (confused,) = confused_classes([confusion(0, 1)], classes).axes
    artefacts = Artefacts(noise=(0.0, 0.1))
    figure = class_figures.class_artefacts(classes, SMALL, 0, [("noise", artefacts, True)])
    for panel in lowest, peak, confused, figure.axes[0]:
        low, high = panel.get_xlim()
        texts = [label.get_text() for label in panel.get_xticklabels()]
        assert len(texts) > 2
        places = [(float(text) - 10) / 0.2 for text in texts]
        np.testing.assert_allclose(panel.get_xticks(), places, atol=1e-6)
        assert low <= min(places) <= max(places) <= high
    assert peak.get_xlabel() == confused.get_xlabel() == "position (deg \\$2θ)"
    assert figure.get_supxlabel() == "position (deg \\$2θ); panels marked * show a part"
    assert peak.get_title("left") == "class 0, peak at 60 deg \\$2θ"
    assert "peak 20 deg \\$2θ (height 1) of class 0" in confused.get_title("left")
    assert classes._replace(unit=None).place(250) == "x 60"
    assert classes._replace(datapoints=1).place(0) == "0"


def test_the_ideal_pattern_is_shown_unvaried_where_no_variant_is(tmp_path):
    spectrum = {"peak_positions": [100, 150], "peak_heights": [1, 0.5]}
    spectrum["test_variants"] = [[30, 0], [0, -0.4]]
    config = {"datapoints": 300, "classes": 1, "spectra": {"0": spectrum}}
    (tmp_path / "own.json").write_text(json.dumps(config))
    classes = read_class_file(tmp_path / "own.json")
    ideal = class_variation(classes, SMALL, 0).axes[0]
    assert ideal.get_title("left").startswith("ideal pattern")
    spectrum = ideal.lines[0].get_ydata()
    assert (spectrum.argmax(), spectrum[150]) == (100, pytest.approx(0.5, abs=1e-3))


def test_a_single_seed_is_drawn_in_the_middle_of_its_row():
    assert rows_for(1, row=3, reach=0.2).tolist() == [3]
    assert rows_for(3, row=3, reach=0.2) == pytest.approx([2.8, 3, 3.2])
    assert not rows_for(0, row=3, reach=0.2).size
