"""Tell whether networks keep their order from one kind of spectra to another.

    python rank_correlation.py --first results/rruff/split0 results/rruff/split1 --second followup
    python rank_correlation.py --first results/a --second results/b --output results/a_and_b

A benchmark on synthetic spectra is worth its while if the network that is best there is best on
measured spectra, too. FIRST and SECOND are results folders of train_models.py, or the name of a
published result (paper, followup, challenge). Several folders are several divisions of the same
spectra into splits, and count alike. Of each network, the share of misclassified test spectra is
the mean over its seeds, then over the folders. Networks that are not in all folders are left out
and named.

Spearman's rank correlation of these shares is 1 if both orders are the same, 0 if neither says
anything of the other, -1 if one is the reverse of the other. Two numbers say how sure it is. Its
p-value is the share of all ways to pair the networks at random that correlate as much or more, in
either direction. Its range tells how far seeds and divisions alone move it, in 95 % of RESAMPLES
draws: folders are drawn anew with replacement, the same for all networks, then the seeds of each
network in each of them (bootstrap, Efron 1979, doi 10.1214/aos/1176344552). It is no confidence
interval: a draw adds to the noise of the results, so correlations tend to be weaker in it than that
of the results themselves. What is there only once, one folder, one seed, or a published mean
without its runs, cannot move, so the range is then too narrow. Written into OUTPUT are

    rank_correlation.md            the shares of both sides, correlation, p-value and range
    figures/rank_correlation.png   (and .pdf) one point per network
"""

import sys
from pathlib import Path
from typing import Annotated, NamedTuple

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy import stats

from benchmark import significance
from benchmark.command_line import InputError, require, require_folder, run_script, warn
from benchmark.data_card import main_split
from benchmark.figure_style import (
    BLACK,
    GREY,
    STYLE,
    WIDTH,
    columns_of_legend,
    in_lines,
    network_styles,
    save,
)
from benchmark.files import replace_file
from benchmark.published_results import PUBLISHED
from benchmark.results_folder import by_network, read_results
from benchmark.run_folder import Protocol, differing_constants
from benchmark.table_formats import as_markdown, as_plain_text

# Files
FIRST: Annotated[
    tuple[str, ...] | None, "Results folders of one kind of spectra, or a published result's name."
] = None
SECOND: Annotated[
    tuple[str, ...], "Results folders of another kind of spectra, or a published result's name."
] = ("followup",)
OUTPUT: Annotated[str, "Folder for table and figure."] = "results/rank_correlation"

# What is compared
FIRST_SPLIT: Annotated[
    str | None,
    "Split that FIRST is judged by; by default test_measured, or test_wide, or its last.",
] = None
SECOND_SPLIT: Annotated[str | None, "Split that SECOND is judged by; by default likewise."] = None

# Uncertainty
RESAMPLES: Annotated[int, "Draws of the bootstrap."] = 2000
SEED: Annotated[int, "Seed of the bootstrap."] = 0


class Side(NamedTuple):
    """What one kind of spectra says of the networks."""

    name: str  # of folders or published result, and split
    shares: dict  # network -> list over folders of float64 (seeds,), misclassified shares
    repeats: str  # how many folders and seeds there are, for the reader
    split: str
    run_ids: tuple  # SHA-256 of the weights of all runs, in their order, or the publication
    protocol: Protocol


class Correlation(NamedTuple):
    """Spearman's rank correlation of two sides."""

    rho: float
    p_value: float
    low: float  # ends of the range of 95 % of the draws of seeds and folders
    high: float


def main(settings):
    require(settings.first is not None, "FIRST", settings.first, "one results folder or more")
    require(settings.resamples >= 100, "RESAMPLES", settings.resamples, "100 or more")
    require(settings.seed >= 0, "SEED", settings.seed, "0 or more")
    require_folder("OUTPUT", settings.output)
    sides = [
        side_of("FIRST", settings.first, settings.first_split),
        side_of("SECOND", settings.second, settings.second_split),
    ]
    paired = same_runs(sides)
    tell_other_protocol(*sides)
    sides = matched(*sides)
    correlation = correlate(*sides, resamples=settings.resamples, seed=settings.seed, paired=paired)
    header, lines = shares_table(*sides)
    sentence = sentence_of(correlation, networks=len(lines))
    output = Path(settings.output)
    with replace_file(output / "rank_correlation.md") as file:
        file.write(f"{as_markdown(header, lines)}\n{sentence}\n".encode())
    save(draw(*sides, correlation), output / "figures", "rank_correlation")
    print(f"{as_plain_text(header, lines)}\n{sentence}\n{output}: table and figure")


def same_runs(sides):
    """Tell whether both sides are other splits of the same runs, in the same order.

    Raises InputError if they have runs in common in any other way, copies included, for the errors
    of a run would be held against themselves.
    """
    first, second = (side.run_ids for side in sides)
    if not set(first) & set(second):
        return False
    other = first == second and sides[0].split != sides[1].split
    twins = f"{sides[1].name}, with runs of FIRST"
    require(other, "SECOND", twins, "other runs, or the same folders and another split")
    return True


def tell_other_protocol(first, second):
    constants = differing_constants(first.protocol, second.protocol)
    differ = [f"{name} {own}, not {theirs}" for name, own, theirs in constants]
    if differ:
        warn(f"{first.name} was trained otherwise than {second.name}: {'; '.join(differ)}")


def side_of(constant, names, split):
    """Read the results folders, or the one published result, that a constant names; a Side."""
    if len(names) == 1 and names[0] in PUBLISHED:
        published = PUBLISHED[names[0]]
        accepted = f"{published.split}, the one split that {published.name} is published for"
        require(split in (None, published.split), f"{constant}_SPLIT", split, accepted)
        return published_side(published)
    results = [read_results(Path(name)) for name in names]
    check_divisions(constant, names, results)
    split = split or main_split(results[0][0].misclassified)
    shares = {}
    for name, runs in zip(names, results, strict=True):
        known = runs[0].misclassified
        require(
            split in known, f"{constant}_SPLIT", split, f"a split of {name}: {', '.join(known)}"
        )
        for network, seeds in by_network(runs).items():
            shares.setdefault(network, []).append(shares_of(seeds, split))
    for network, found in shares.items():
        if len(found) < len(names):
            places = f"{len(found)} of {len(names)} folders of {constant}"
            warn(f"{network} is left out, as it is in {places}")
    complete = {network: found for network, found in shares.items() if len(found) == len(names)}
    folder = Path(names[0]).absolute()  # "." has no name
    name = folder.parent.name if len(names) > 1 else folder.name
    return Side(
        name=f"{name}, {split}",
        shares=complete,
        repeats=f"folders: {len(names)}, seeds in each: {numbers_of_seeds(complete)}",
        split=split,
        run_ids=tuple(run.weights_sha256 for runs in results for run in runs),
        protocol=results[0][0].protocol,
    )


def check_divisions(constant, names, results):
    """Raise InputError unless folders are different divisions of one kind of spectra.

    results: for each folder its list of Run, all of one dataset and protocol.
    """
    first, *others = ((name, runs[0]) for name, runs in zip(names, results, strict=True))
    known = {}
    for name, run in (first, *others):
        spectra = run.dataset.sha256.get("x_train.npy")
        twins = f"{known.get(spectra)} and {name}, trained on the same spectra"
        require(spectra not in known, constant, twins, "each division once")
        known[spectra] = name
    for name, run in others:
        for what, own, other in (
            ("protocol", first[1].protocol, run.protocol),
            ("class file", first[1].dataset.class_file, run.dataset.class_file),
            ("classes", first[1].dataset.class_names, run.dataset.class_names),
            ("number of classes", first[1].dataset.classes, run.dataset.classes),
            ("datapoints", first[1].dataset.datapoints, run.dataset.datapoints),
            ("variation", without_seed(first[1]), without_seed(run)),
        ):
            if own != other:
                raise InputError(
                    f"{constant} is {first[0]} and {name}, which differ in {what}, accepted: "
                    f"divisions of the same spectra, trained under one protocol"
                )


def without_seed(run):
    return {n: value for n, value in (run.dataset.variation or {}).items() if n != "seed"}


def shares_of(seeds, split):
    """Return float64 (seeds,), the misclassified shares of a split; seeds: list of Run."""
    counts = [run.misclassified[split] for run in seeds]
    return np.array([count.misclassified / count.spectra for count in counts])


def numbers_of_seeds(shares):
    """Say how many seeds networks have in a folder; shares: network -> list over folders."""
    numbers = {len(seeds) for folders in shares.values() for seeds in folders} or {0}
    return "–".join(map(str, sorted({min(numbers), max(numbers)})))


def published_side(published):
    """Return the Side of a Published: its single runs, or means where runs are not published."""
    shares = {
        name: [np.array(network.runs or network.mean_and_deviation()[:1]) / published.spectra]
        for name, network in published.networks.items()
    }
    runs = {len(counts) for (counts,) in shares.values()}
    return Side(
        name=f"published ({published.name}), {published.split}",
        shares=shares,
        repeats="only means are published" if runs == {1} else f"published runs: {max(runs)}",
        split=published.split,
        run_ids=(published.name,),
        protocol=published.protocol,
    )


def matched(first, second):
    """Return both sides with the same networks, in the same order, under their short names."""
    networks = shared_networks(first, second)
    own = {short: first.shares[name] for short, (name, _) in networks.items()}
    other = {short: second.shares[name] for short, (_, name) in networks.items()}
    return first._replace(shares=own), second._replace(shares=other)


def shared_networks(first, second):
    """Return short name -> the names of a network on both sides; warns of those on one only.

    A network is the same on both sides if it has the same name and arguments, or if there is only
    one of its name on each side, whatever its arguments.
    """
    own, other = list(first.shares), list(second.shares)
    shared = {name: (name, name) for name in own if name in other}
    for name in own:
        alike, opposite = alike_in(own, name), alike_in(other, name)
        if name not in shared and len(alike) == len(opposite) == 1:
            warn(f"{name} of {first.name} is compared with {opposite[0]} of {second.name}")
            shared[short_name(name)] = name, opposite[0]
    paired = {name for names in shared.values() for name in names}
    for side in first, second:
        lonely = [name for name in side.shares if name not in paired]
        if lonely:
            warn(f"left out, as only {side.name} has them: {', '.join(lonely)}")
    if len(shared) < significance.FEWEST_NETWORKS:
        raise InputError(
            f"{len(shared)} networks are on both sides ({first.name}; {second.name}), accepted: "
            f"{significance.FEWEST_NETWORKS} or more"
        )
    return shared


def short_name(name):
    """Return the name of a network without its arguments."""
    return name.partition(":")[0]


def alike_in(names, name):
    """Return those names that differ from a name in nothing but arguments."""
    return [other for other in names if short_name(other) == short_name(name)]


def correlate(first, second, resamples, seed, paired=False):
    """Return the Correlation of two sides that are `matched`.

    resamples: draws of the bootstrap; seed: of them; paired: whether both are of the same runs, of
    which the same are drawn then. Raises InputError if all networks of a side misclassify the same
    share: they have no order.
    """
    own, other = list(first.shares.values()), list(second.shares.values())
    means = mean_shares(own), mean_shares(other)
    for side, shares in zip((first, second), means, strict=True):
        if np.ptp(shares) == 0:
            raise InputError(
                f"{side.name}: all networks misclassify the same share, so they have no order"
            )
    rng = np.random.default_rng(seed)
    other_rng = np.random.default_rng(seed) if paired else rng
    drawn = [
        spearman(shares_drawn(own, rng), shares_drawn(other, other_rng)) for _ in range(resamples)
    ]
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Correlation(*significance.rank_correlation(*means), float(low), float(high))


def spearman(a, b):
    """Return Spearman's rank correlation; nan for a draw that leaves all of a side equal."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return np.nan
    return stats.spearmanr(a, b).statistic


def mean_shares(shares):
    """Return float64 (networks,), means over seeds, then over folders.

    shares: for each network a list over folders of float64 (seeds,).
    """
    means = [np.mean([seeds.mean() for seeds in folders]) for folders in shares]
    return np.round(means, significance.DECIMALS)


def shares_drawn(shares, rng):
    """Return `mean_shares` of folders drawn with replacement and of seeds drawn in each."""
    folders = rng.integers(len(shares[0]), size=len(shares[0]))
    return mean_shares(
        [[rng.choice(network[f], size=len(network[f])) for f in folders] for network in shares]
    )


def shares_table(first, second):
    """Return header and lines: the shares of both sides in percent, the best of FIRST first."""
    header = ["network", f"{first.name} ({first.repeats})", f"{second.name} ({second.repeats})"]
    lines = [
        [network, f"{100 * own:.2f} %", f"{100 * other:.2f} %"]
        for network, own, other in sorted(means_of(first, second), key=lambda row: row[1:])
    ]
    return header, lines


def means_of(first, second):
    """Return network, mean misclassified share of FIRST and of SECOND for each network."""
    own, other = mean_shares(first.shares.values()), mean_shares(second.shares.values())
    return list(zip(first.shares, own, other, strict=True))


def sentence_of(correlation, networks):
    c = correlation
    return (
        f"Spearman's rank correlation of {networks} networks: {c.rho:.2f}, p = {c.p_value:.2g} for "
        f"networks paired at random; {c.low:.2f} to {c.high:.2f} in 95 % of the draws of seeds and "
        f"folders."
    )


@matplotlib.rc_context(STYLE)
def draw(first, second, correlation):
    """Draw one point per network: misclassified shares of both sides, in percent.

    Ticks are the single folders of FIRST, or its seeds if there is one folder.
    """
    several = any(len(folders) > 1 for folders in first.shares.values())
    labels = [in_lines(network, 28) for network in first.shares]
    labels.append("one folder" if several else "one seed")
    columns = columns_of_legend(labels)
    figure = Figure((WIDTH, 3.4 + 0.2 * max(map(len, columns))), layout="constrained")
    panel = figure.subplots()
    panel.grid(color=GREY, alpha=0.5, linewidth=0.5)
    means = means_of(first, second)
    handles = []
    styles = network_styles(first.shares)
    for network, own, other in means:
        folders = first.shares[network]
        single = [seeds.mean() for seeds in folders] if len(folders) > 1 else folders[0]
        colour, marker = styles[network]
        for share in single if len(single) > 1 else []:
            panel.plot(100 * share, 100 * other, "|", color=colour, zorder=2)
        style = {"color": colour, "marker": marker, "linestyle": "", "markersize": 6, "zorder": 3}
        handles += panel.plot(100 * own, 100 * other, **style)
    handles.append(Line2D([], [], color=BLACK, marker="|", linestyle=""))
    figure.legend(handles, labels, loc="outside upper center", ncols=len(columns))
    panel.set_xlabel(f"misclassified / %: {in_lines(first.name, 40)}")
    panel.set_ylabel(f"misclassified / %: {in_lines(second.name, 40)}")
    panel.set_title(
        f"rank correlation {correlation.rho:.2f}, in 95 % of draws {correlation.low:.2f} to "
        f"{correlation.high:.2f}".replace("-", "\N{MINUS SIGN}")
    )
    return figure


if __name__ == "__main__":
    run_script(sys.modules[__name__], main)
