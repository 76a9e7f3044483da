"""Compare what networks learn from synthetic spectra of the minerals, setting by setting.

    python -m results.rruff.peaks.compare

in the project's folder prints the tables of results/rruff/README.md and draws its figures, from the
runs in the folders beside this file and from those that were trained on measured spectra.
"""

from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from benchmark.figure_style import BLACK, BLUE, COLOURS, GREY, MARKERS, STYLE, WIDTH, save
from benchmark.run_folder import read_predictions, read_run
from benchmark.significance import holm
from benchmark.table_formats import as_markdown

HERE = Path(__file__).parent
RESAMPLES = 9999
DIVISIONS = "split0", "split1", "split2"
SETTINGS = {  # folder -> how its training spectra were rendered
    "advised": "as advised, but for the peak shape",
    "crude": "narrower variation",
    "shape": "pseudo-Voigt peaks",
    "texture": "texture",
    "background": "backgrounds",
    "foreign": "foreign peaks",
    "all": "all of these four, and noise",
}


class Counts(NamedTuple):
    """Misclassified spectra of one kind of samples, in each of the divisions."""

    misclassified: list  # int64 (seeds,) for each division
    spectra: list  # how many the division has


class Row(NamedTuple):
    """One network and what it was trained on."""

    network: str
    training: str
    validation: Counts
    test: Counts


def main():
    networks = sorted({path.name.split("-")[0] for path in HERE.glob("*/split0/*-seed0")})
    rows = [row for network in networks for row in rows_of(network)]
    print(table(rows))
    print(differences(networks))
    paths = save(draw(rows), HERE / "figures", "settings")
    paths += save(draw_judges("vgg"), HERE / "figures", "judges")
    print("\n".join(map(str, paths)))


def rows_of(network):
    """Return the Rows of the settings that the network was trained with, then measured spectra."""
    rows = []
    for folder, training in SETTINGS.items():
        if (HERE / folder / DIVISIONS[0] / f"{network}-seed0").exists():
            validation = counts_of(HERE / folder, network, "test_measured_val")
            test = counts_of(HERE / folder, network, "test_measured")
            rows.append(Row(network, training, validation, test))
    validation, test = (counts_of(HERE.parent, network, split) for split in ("val", "test"))
    return [*rows, Row(network, "measured spectra", validation, test)]


def counts_of(folder, network, split):
    """Return the Counts of all seeds of a network, from the run.json of each."""
    misclassified, spectra = [], []
    for division in DIVISIONS:
        runs = map(read_run, sorted((folder / division).glob(f"{network}-seed*")))
        of_seeds = [run.misclassified[split] for run in runs]
        misclassified.append(np.array([count.misclassified for count in of_seeds]))
        spectra.append(of_seeds[0].spectra)
    return Counts(misclassified, spectra)


def total(counts):
    """Return the sum over the divisions of the mean over the seeds."""
    return sum(of_division.mean() for of_division in counts.misclassified)


def spread(counts):
    """Return the standard deviation over the seeds of a division, pooled over the divisions."""
    found = deviations(counts)
    return np.sqrt((found**2).sum() / (len(found) - len(DIVISIONS)))


def deviations(counts):
    """Return how far each run is from the mean over the seeds of its division."""
    return np.concatenate([seeds - seeds.mean() for seeds in counts.misclassified])


def table(rows):
    """Return the rows as a table in Markdown."""
    spectra = sum(rows[0].test.spectra)
    header = ["network", "training spectra", "val: sum", "test: sum", f"% of {spectra}", "spread"]
    header += ["Levene", "test: seeds of the three divisions"]
    lines = []
    for row, p in zip(rows, levene(rows), strict=True):
        test = total(row.test)
        numbers = total(row.validation), test, 100 * test / spectra, spread(row.test)
        seeds = ", ".join(" ".join(map(str, sorted(n))) for n in row.test.misclassified)
        cells = [*(f"{number:.1f}" for number in numbers), "" if p is None else f"{p:.2g}", seeds]
        lines.append([row.network, row.training, *cells])
    return as_markdown(header, lines)


def levene(rows):
    """Return for each row the p-value of Levene's test, None for rows that are not tested.

    It compares the deviations of a setting of synthetic spectra with those of the network's first
    one, and is Holm-corrected for the settings of the network.
    """
    p_values = []
    for network in dict.fromkeys(row.network for row in rows):
        first, *others, _ = (deviations(row.test) for row in rows if row.network == network)
        p_values += [None, *holm([stats.levene(other, first).pvalue for other in others]), None]
    return p_values


def differences(networks):
    """Return the differences that the page speaks of as a table in Markdown."""
    header = ["network", "trained on", "instead of", "difference", "95 % interval"]
    header.append("the mineral with the largest share")
    minerals = read_run(HERE.parent / DIVISIONS[0] / "vgg-seed0").dataset.class_names
    lines = []
    for network in networks:
        measured = wrong_per_mineral(HERE.parent, network, "test")
        shape = wrong_per_mineral(HERE / "shape", network, "test_measured")
        advised = wrong_per_mineral(HERE / "advised", network, "test_measured")
        for names, other in (
            ((SETTINGS["shape"], "measured spectra"), measured),
            ((SETTINGS["shape"], SETTINGS["advised"]), advised),
        ):
            difference = sum_of_means(shape) - sum_of_means(other)
            low, high = interval(shape, other)
            largest = np.argmax(np.abs(difference))
            share = f"{minerals[largest]} {difference[largest]:+.1f}"
            ends = f"{low:+.0f} to {high:+.0f}"
            lines.append([network, *names, f"{difference.sum():+.1f}", ends, share])
    return as_markdown(header, lines)


def interval(ours, others):
    """Return the ends of the 95 % interval of a difference of sums, for other minerals and seeds.

    ours, others: what `wrong_per_mineral` returns. Minerals are drawn with replacement, the same on
    both sides and in all divisions, and so are the seeds of each division and side: one fewer than
    there are, which gives their mean the spread that it has (bootstrap, Efron 1979, doi
    10.1214/aos/1176344552; one fewer: Rao and Wu 1988, doi 10.1080/01621459.1988.10478591).
    """
    rng = np.random.default_rng(0)
    minerals = ours[0].shape[1]
    drawn = []
    for _ in range(RESAMPLES):
        chosen = rng.integers(minerals, size=minerals)
        sides = (
            sum_of_means([wrong[rng.integers(len(wrong), size=len(wrong) - 1)] for wrong in side])
            for side in (ours, others)
        )
        our_sum, other_sum = (wrong[chosen].sum() for wrong in sides)
        drawn.append(our_sum - other_sum)
    return np.percentile(drawn, [2.5, 97.5])


def sum_of_means(wrong):
    """Return the sum over the divisions of the mean over the seeds, float64 (minerals,)."""
    return sum(of_division.mean(axis=0) for of_division in wrong)


def wrong_per_mineral(folder, network, split):
    """Return for each division the misclassified spectra of each run, int64 (seeds, minerals)."""
    wrong = []
    for division in DIVISIONS:
        labels = np.load(HERE.parent / division / "y_test.npy")
        of_seeds = []
        for path in sorted((folder / division).glob(f"{network}-seed*")):
            run = read_run(path)
            count, minerals = run.misclassified[split], run.dataset.classes
            predictions = read_predictions(path, split, labels, minerals, count)
            of_seeds.append(np.bincount(labels[predictions != labels], minlength=minerals))
        wrong.append(np.array(of_seeds))
    return wrong


@matplotlib.rc_context(STYLE)
def draw(rows):
    """Draw a line for each Row: a point for each run, a stroke at their mean.

    A run is shown as a share of the spectra of its division, the mean as one of all divisions.
    """
    networks = list(dict.fromkeys(row.network for row in rows))
    figure = Figure((WIDTH, 0.9 + 0.28 * len(rows)), layout="constrained")
    panels = figure.subplots(
        len(networks),
        2,
        sharex=True,
        sharey="row",
        squeeze=False,
        height_ratios=[sum(row.network == network for row in rows) for network in networks],
    )
    for (left, right), network in zip(panels, networks, strict=True):
        shown = [row for row in rows if row.network == network]
        draw_rows(left, [row.validation for row in shown])
        draw_rows(right, [row.test for row in shown])
        left.set_yticks(range(len(shown)), [row.training for row in shown])
        left.set_ylim(len(shown) - 0.5, -0.5)
        left.set_title(f"{network}: validation samples", loc="left")
        right.set_title("test samples", loc="left")
    for panel in panels[-1]:
        panel.set_xlim(left=0)
        panel.set_xlabel("misclassified measured spectra, %")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=4)
    return figure


def draw_rows(panel, rows):
    """Draw the Counts of each row of a panel, the first on top."""
    for place, counts in enumerate(rows):
        label = "mean" if place == 0 else None
        mean = 100 * total(counts) / sum(counts.spectra)
        panel.plot([mean] * 2, [place - 0.4, place + 0.4], color=BLACK, lw=2, zorder=1, label=label)
        for i, (misclassified, spectra) in enumerate(zip(*counts, strict=True)):
            style = {"marker": MARKERS[i], "color": COLOURS[i], "markersize": 4, "linestyle": ""}
            label = f"division {i}" if place == 0 else None
            height = np.full(len(misclassified), place + 0.25 * (i - 1))
            panel.plot(100 * misclassified / spectra, height, **style, alpha=0.8, label=label)
    panel.axhline(len(rows) - 1.5, color=GREY, lw=0.8)  # below it: trained on measured spectra


@matplotlib.rc_context(STYLE)
def draw_judges(network):
    """Draw how runs that differ in nothing but the seed do on measured and on synthetic spectra.

    A point is a run: its deviation from the mean over the seeds of its setting and division.
    """
    figure = Figure((WIDTH, 3.2), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    judges = {
        "test_wide": "synthetic test spectra (test_wide)",
        "test_measured_val": "measured spectra of the validation samples",
    }
    folders = [HERE / folder for folder in SETTINGS]
    test = np.concatenate([deviations(counts_of(f, network, "test_measured")) for f in folders])
    for panel, (split, name) in zip(panels, judges.items(), strict=True):
        judge = np.concatenate([deviations(counts_of(f, network, split)) for f in folders])
        rho = stats.spearmanr(judge, test).statistic
        panel.plot(judge, test, "o", color=BLUE, markersize=4, alpha=0.6)
        panel.axhline(0, color=GREY, lw=0.8)
        panel.axvline(0, color=GREY, lw=0.8)
        panel.set_title(f"rank correlation {rho:.2f}".replace("-", "\N{MINUS SIGN}"), loc="left")
        panel.set_xlabel(f"more or fewer misclassified:\n{name}")
    panels[0].set_ylabel("more or fewer misclassified:\nmeasured spectra of the test samples")
    return figure


if __name__ == "__main__":
    main()
