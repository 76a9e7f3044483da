"""What stands below the table of an evaluation: sentences that say what it is about."""

from benchmark.baseline_folder import settings_told
from benchmark.results_folder import SHIPPED_MARK, by_network
from benchmark.table_formats import markdown_text, mean_text, names_text
from benchmark.tables import origin_of

VERSIONS = "tensorflow", "keras", "onednn", "benchmark"  # that may change what runs compute


def group_text(rows, shown):
    """Say in Markdown what the groups mean; shown: the split that they are about."""
    if not any(row.group for row in rows):
        return ""
    return (
        f"\ngroup: networks with a common letter were not shown to differ on "
        f"{markdown_text(shown)}.\n"
    )


def distance_from_ideal(rows):
    """Say in Markdown how far the best network is from the ideal observer; "" without it."""
    ideal = next((row for row in rows if row.network == "ideal_observer"), None)
    networks = [row for row in rows if row.seeds]
    if ideal is None or not networks:
        return ""
    lines = []
    for split, score in ideal.scores.items():
        if score.unanswered:
            continue
        best = min(networks, key=lambda row: row.scores[split].mean)
        lines.append(
            f"- {markdown_text(split)}: {markdown_text(best.network)} misclassifies "
            f"{mean_text(best.scores[split].mean)}, the ideal observer {mean_text(score.mean)} of "
            f"{score.spectra}"
        )
    if not lines:
        return ""
    head = (
        "\nHow far the best network is from what is possible (on val no classifier can do better "
        "on average than the ideal observer; on test splits it is what training spectra teach):\n"
    )
    return head + "\n" + "\n".join(lines) + "\n"


def origin_text(run):
    """Say in Markdown which spectra and which protocol all rows of a table are about."""
    origin = origin_of(run)
    return (
        f"\nDataset {markdown_text(origin['dataset'])}, checksum {origin['checksum'][:16]}…; "
        f"protocol: {markdown_text(origin['protocol'])}.\n"
    )


def methods_text(baselines):
    """Say in Markdown with which settings the methods judged; "" if none depends on any."""
    parts = [
        f"{markdown_text(baseline.method)} with {setting}"
        for baseline in baselines
        for setting in settings_told(baseline)
    ]
    return f"\nMethods: {', '.join(parts)}.\n" if parts else ""


def seeds_text(runs):
    """Say which seeds there are unless all networks have 0, 1, 2 and so on; "" if they have.

    Who leaves out seeds after seeing their results makes means and tests worthless.
    """
    seeds = {name: [run.seed for run in own] for name, own in by_network(runs).items()}
    usual = all(numbers == list(range(len(numbers))) for numbers in seeds.values())
    if usual and len(set(map(len, seeds.values()))) == 1:
        return ""
    parts = [
        f"{markdown_text(name)} {', '.join(map(str, numbers))}" for name, numbers in seeds.items()
    ]
    return (
        f"\nSeeds: {'; '.join(parts)}. Which ones count has to be decided before their results "
        f"are known.\n"
    )


def cut_off_text(runs):
    """Say whose training EPOCHS ended before early stopping could; "" if none was."""
    counts = {}
    for run in runs:
        limits = run.protocol
        ended = run.epochs == limits.epochs and run.epochs - run.best_epoch < limits.stop_patience
        counts.setdefault(run.model, []).append(ended)
    parts = [
        f"{markdown_text(name)} {sum(ended)} of {len(ended)}"
        for name, ended in counts.items()
        if any(ended)
    ]
    if not parts:
        return ""
    which = "all" if all(map(all, counts.values())) else ", ".join(parts)
    return (
        f"\nRuns that EPOCHS {runs[0].protocol.epochs} ended before early stopping did: {which}. "
        f"They might have become better.\n"
    )


def shipped_text(runs, known):
    """Say where the rows come from that are not of the results folder's own runs.

    known: the results folders that come with the project.
    """
    folders = [str(run.folder.parent) for run in runs if run.model.endswith(SHIPPED_MARK)]
    if not folders:
        return ""
    names = names_text(dict.fromkeys(folders))
    whence = "come with the project, from" if set(folders) <= set(known) else "are those in"
    return f"\nRows marked{SHIPPED_MARK} {whence} {names}; all others are yours.\n"


def versions_text(runs):
    """Say by which versions runs were trained if that differs, for then their results may, too."""
    sentences = []
    for name in VERSIONS:
        networks = {}
        for run in runs:
            for environment in run.environments:
                networks.setdefault(environment.get(name), {})[run.model] = None
        networks.pop(None, None)  # runs that did not record it
        if len(networks) > 1:
            parts = [f"{names_text(models)} with {value}" for value, models in networks.items()]
            sentences.append(f"{name} differs: {'; '.join(parts)}; results may differ by that.")
    return "".join(f"\n{sentence}\n" for sentence in sentences)


def times_text(runs):
    """Say on what the runs were trained if that differs, for then their times do, too."""
    networks = {}
    for run in runs:
        for environment in run.environments:
            device, threads = environment.get("device"), environment.get("threads")
            networks.setdefault(f"{device}, threads: {threads}", {})[run.model] = None
    if len(networks) < 2:
        return ""
    machines = "; ".join(f"{', '.join(names)} on {where}" for where, names in networks.items())
    return f"\nTimes are not comparable: {markdown_text(machines)}.\n"
