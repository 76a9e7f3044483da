"""Judge trained networks and methods on test spectra with artefacts, one at a time, ever stronger.

    python robustness.py --results results/quick
    python robustness.py --results results/ladder100 --workers 2

The test spectra of the split `test` are rendered again with one artefact of real measurements at
one of five severities, and nothing else changed: benchmark/severities.py is the ladder, with the
sources of its ranges, and benchmark/artefacts.py says what each artefact does. Every finished run
of train_models.py in the results folder, and every method of baselines.py that has judged there,
classifies all of them, but for ideal_observer, which knows nothing of artefacts. Methods that learn
do so again from training spectra that are rendered anew. Into the results folder go

    robustness.csv             misclassified spectra per network, seed, artefact and severity
    robustness.md              accuracies per network, first of all their mean over all artefacts
                               and severities
    figures/robustness.*       accuracy against severity, a panel per artefact
    figures/artefacts.*        what each artefact does to one class
    robustness/RUN/            how far each run or method has got

A command that was stopped goes on when it is given again. `--workers 2` shares the work among
processes, and so do any number of processes that are started with the same command.
"""

import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from tqdm import tqdm

import baselines
from benchmark import robustness_report
from benchmark.artefacts import may_leave
from benchmark.baseline_folder import BASELINE_RECORD, COMPARE, LEARN, read_baselines
from benchmark.class_figures import class_artefacts, most_telling_class
from benchmark.command_line import (
    InputError,
    Settings,
    parse_flags,
    require_folder,
    run_script,
    warn,
)
from benchmark.data_card import array_names
from benchmark.dataset_folder import read_classes
from benchmark.figure_style import save
from benchmark.files import replace_file
from benchmark.networks import build, network_builders, read_network
from benchmark.results_folder import read_results
from benchmark.robustness_record import (
    CLEAN,
    FOLDER,
    Judged,
    Record,
    Test,
    read_record,
    write_record,
)
from benchmark.run_folder import FAILURE, WEIGHTS, Count
from benchmark.run_identity import check_definition
from benchmark.run_sharing import holder, share
from benchmark.saved_networks import definition_of, load_weights
from benchmark.severities import LADDER
from benchmark.tensorflow_startup import gpu_required, release_memory, start_tensorflow
from benchmark.variants import change_heights, variants_of
from benchmark.workers import check_processes, divided, print_to_log, run_workers
from spectra_from_config import labels_of, render_rows, splits_of

# Files
RESULTS: Annotated[str, "Folder with the run folders of one dataset."] = "results/dataset500"
CONFIG: Annotated[
    str | None, "Class file of the dataset; by default the one of its name in dataset_configs/."
] = None

# Output
FIGURES: Annotated[bool, "Draw the figures."] = True

# Machine
WORKERS: Annotated[int, "Processes that share the runs, and the processor's cores."] = 1
THREADS: Annotated[
    int | None, "Processor threads of each process; by default all cores, divided by WORKERS."
] = None
WORKER: Annotated[int | None, "Which of several processes this is; set by WORKERS."] = None

SPLIT = "test"
LEARNED_FROM = "train", "val"
JUDGED = *COMPARE, *LEARN  # the methods that can judge spectra with artefacts
MAY_DIFFER = 0.01  # share of test spectra, see refuse_other_answers


class Judge(NamedTuple):
    """A network or method that classifies spectra."""

    network: str
    seed: int | None
    depends_on: dict  # what its answers depend on beside the spectra
    classifier: Callable  # returns a function from spectra (n, datapoints) to class indices (n,)
    earlier: Count | None  # of the test split, in its run.json or baseline.json


def main(settings):
    check_processes(settings.workers, settings.threads)
    results = Path(settings.results)
    require_folder("RESULTS", results)
    runs = read_results(results)
    class_file, variation = classes_of(runs[0], settings.config)
    tests = tests_for(class_file.datapoints)
    start = cache(
        partial(start_tensorflow, settings.threads, gpu_required(None), runs[0].protocol.precision)
    )
    methods = read_baselines(results, runs[0])
    if settings.worker is None:
        warn_of_empty_spectra(tests, class_file, variation)
        tell_of_methods_left_out(methods)
    judges = judges_of(results, runs, methods, class_file, variation, start)
    if settings.workers > 1:
        script = sys.modules[__name__]
        received, statuses = run_workers(script, settings, *divided(settings, len(judges)))
        if received:
            return 128 + received
        status = max(0, *statuses)
    else:

        def judge_all(folder):
            return judge_tests(folder, judges[folder], tests, class_file, variation)

        status = share(judges, judge_all, alone=False, tell=summary)
    if settings.worker is not None:
        return status
    wanted = {
        folder: empty_record(judge, class_file, variation) for folder, judge in judges.items()
    }
    complete, missing = records_of(wanted, tests)
    if missing:
        status = max(status, 1)
    if complete:
        write_tables(results, complete, missing)
        if settings.figures:
            draw(results / "figures", complete, class_file, variation)
    return status


def classes_of(run, config):
    """Return ClassFile and Variation of the dataset that a Run was trained on."""
    if not run.dataset.class_file:
        raise InputError(
            f"{run.folder} was trained on arrays without a class file, so no test spectra of its "
            f"classes can be rendered"
        )
    return read_classes(run.dataset._asdict(), config)


def tests_for(datapoints):
    """Return a list of Test: the clean spectra, then the ladder from its first rung on."""
    ladder = [
        Test(rung.artefact, severity, rung.settings(severity, datapoints))
        for rung in LADDER
        for severity in rung.severities
    ]
    return [Test(CLEAN, 0, None), *ladder]


def warn_of_empty_spectra(tests, class_file, variation):
    """Name the tests that can move all peaks of a test spectrum off the axis."""
    variants = variants_of(class_file, variation)[SPLIT]
    for test in tests[1:]:
        if not (test.artefacts.strain or test.artefacts.common_shift):
            continue  # all variants leave the peaks on the axis, as class files are checked for it
        label = class_with_empty_tests(test.artefacts, class_file, variants)
        if label is not None:
            warn(
                f"{test.artefact} {test.severity:g} can move all peaks off the axis, of class "
                f"{label} to begin with; such spectra are empty"
            )


def class_with_empty_tests(artefacts, class_file, variants):
    """Return the first class whose test spectra may be empty, None without one.

    variants: per class a list of Variant.
    """
    for label, own in enumerate(variants):
        positions, heights = class_file.positions[label], class_file.heights[label]
        for variant in own:
            shifted = positions[change_heights(heights, variant.height_change) > 0] + variant.shift
            if may_leave(artefacts, shifted, shifted, class_file.datapoints):
                return label
    return None


def tell_of_methods_left_out(methods):
    left_out = [baseline.method for baseline in methods if baseline.method not in JUDGED]
    if left_out:
        print(
            f"not judged: {', '.join(left_out)}, which knows nothing of artefacts", file=sys.stderr
        )


def judges_of(results, runs, methods, class_file, variation, start):
    """Return folder -> Judge of all finished runs, then of the methods that can judge.

    methods: list of Baseline; start: function that starts TensorFlow, called before the first
    network is built.
    """
    judges = {}
    for run in runs:
        judges[results / FOLDER / run.folder.name] = Judge(
            network=run.model,
            seed=run.seed,
            depends_on={"weights_sha256": run.weights_sha256},
            classifier=partial(network_classifier, run, start),
            earlier=run.misclassified.get(SPLIT),
        )
    for baseline in methods:
        if baseline.method not in JUDGED:
            continue
        own = settings_of(baseline, class_file.datapoints)
        depends_on = {"settings": own, "max_shift": variation.max_shift}
        if baseline.method in LEARN:
            hashes = baseline.dataset["sha256"]
            depends_on["sha256"] = {
                name: hashes[name] for split in LEARNED_FROM for name in array_names(split)
            }
        judges[results / FOLDER / baseline.folder.name] = Judge(
            network=baseline.method,
            seed=None,
            depends_on=depends_on,
            classifier=partial(
                method_classifier, baseline.method, class_file, variation, Settings(**own)
            ),
            earlier=baseline.misclassified.get(SPLIT),
        )
    return judges


def settings_of(baseline, datapoints):
    """Return name -> number of the settings that a method was judged with.

    Where its record lacks one, that is the default for spectra that were not rendered, which older
    versions took for all. Raises InputError naming the record if it holds one that is not accepted.
    """
    defaults = baselines.numbers_used(parse_flags(baselines, []), variation=None)
    own = defaults | baseline.settings
    try:
        if baseline.method == "minirocket":
            baselines.check_features(own["minirocket_features"])
        baselines.check_methods([baseline.method], Settings(**own), datapoints)
    except InputError as error:
        record = baseline.folder / BASELINE_RECORD
        raise InputError(f"{record} is not what baselines.py writes: {error}") from None
    return own


def method_classifier(method, class_file, variation, settings):
    """Return a function from spectra to class indices: one of COMPARE, or of LEARN once trained.

    settings: with numbers for all SETTINGS of baselines.py.
    """
    if method in COMPARE:
        return baselines.classifier_of(method, class_file, variation, settings)
    splits = splits_of(class_file, variation)
    train, val = (rendered(name, class_file, splits) for name in LEARNED_FROM)
    return baselines.learned_classifier(method, train, val, class_file.classes, settings)


def rendered(name, class_file, splits):
    """Return the spectra of a split, float32 (n, datapoints), in memory, and labels, int64 (n,)."""
    labels = labels_of(splits[name])
    spectra = np.empty((len(labels), class_file.datapoints), np.float32)
    for rows, piece in pieces(name, class_file, splits):
        spectra[rows.start : rows.stop] = piece
    return spectra, labels


def pieces(name, class_file, splits):
    """Render a split piece by piece; yields a range of spectra and these, (n, datapoints)."""
    spectra, buffers = sum(splits[name].per_class), {}
    step = baselines.spectra_at_once(class_file.datapoints, class_file.classes)
    for first in range(0, spectra, step):
        rows = range(first, min(first + step, spectra))
        yield rows, render_rows(name, rows, buffers, class_file, splits)


def network_classifier(run, start):
    """Return a function from spectra to class indices: the network with its saved weights."""
    start()
    release_memory()
    network = read_network(run.model, network_builders())
    model = build(network, run.dataset, run.protocol.learning_rate)
    check_definition(run.folder, run, run._replace(definition=definition_of(model)))
    load_weights(model, run.folder / WEIGHTS, run.weights_sha256, [SPLIT])
    size = run.protocol.batch_size

    def classify(spectra):
        batches = (spectra[first : first + size] for first in range(0, len(spectra), size))
        return np.concatenate([model.predict_on_batch(b).argmax(axis=1) for b in batches])

    return classify


def judge_tests(folder, judge, tests, class_file, variation):
    """Let a Judge classify what it has not yet, and record it after each artefact.

    The caller holds the folder's lock. Returns the complete Record.
    """
    (folder / FAILURE).unlink(missing_ok=True)
    split = splits_of(class_file, variation)[SPLIT]
    record = empty_record(judge, class_file, variation)
    known = known_answers(folder, record)
    left = {judged.test: judged for judged in known}
    name, classify = folder.name, None
    with tqdm(tests, name, unit="test", leave=False, disable=None) as progress:
        for number, test in enumerate(progress):
            judged = left.pop(test, None)
            if judged is None:
                classify = classify or judge.classifier()
                wrong = misclassified(classify, split, test.artefacts, class_file)
                if test.artefact == CLEAN:
                    refuse_other_answers(folder, judge.earlier, wrong)
                judged = Judged(test, misclassified=wrong)
            record.judged.append(judged)
            last = number + 1 == len(tests) or tests[number + 1].artefact != test.artefact
            if last and classify:
                write_record(folder, record._replace(judged=[*record.judged, *left.values()]))
                tell(progress, name, test.artefact)
    if record.judged != known:
        write_record(folder, record)  # without what the ladder no longer has
    return record


def refuse_other_answers(folder, earlier, wrong):
    """Raise InputError if the same spectra were answered otherwise when the run was judged.

    earlier: Count, or None; wrong: misclassified now. Another processor or version may change what
    a few spectra are taken for.
    """
    if earlier and abs(wrong - earlier.misclassified) > max(2, MAY_DIFFER * earlier.spectra):
        raise InputError(
            f"{folder.name} misclassifies {wrong} of {earlier.spectra} {SPLIT} spectra now and "
            f"{earlier.misclassified:g} when its run was judged, so network or spectra have changed"
        )


def empty_record(judge, class_file, variation):
    """Return the Record of a Judge that has not judged anything."""
    depends_on = judge.depends_on | {
        "class_file": class_file.sha256,
        "seed": variation.seed,
        **{name: getattr(variation, name) for name in ("test_shift", "test_height_change")},
        "test_kernel": variation.test_kernel,
    }
    spectra = sum(splits_of(class_file, variation)[SPLIT].per_class)
    return Record(judge.network, judge.seed, depends_on, spectra, judged=[])


def known_answers(folder, record):
    """Return what was recorded of the same judge, a list of Judged."""
    earlier = read_record(folder)
    if earlier is None:
        return []
    if earlier._replace(judged=[]) != record:
        print(f"{folder} was judged with other weights or settings: anew", file=sys.stderr)
        return []
    return earlier.judged


def misclassified(classify, split, artefacts, class_file):
    """Render test spectra with these Artefacts, or None, and count those misclassified."""
    labels, wrong = labels_of(split), 0
    splits = {SPLIT: split._replace(artefacts=artefacts)}
    for rows, spectra in pieces(SPLIT, class_file, splits):
        wrong += int(np.count_nonzero(classify(spectra) != labels[rows.start : rows.stop]))
    return wrong


def tell(progress, name, artefact):
    """Say that an artefact is judged, where a log takes the place of the progress bar."""
    if progress.disable:
        number = [CLEAN, *(rung.artefact for rung in LADDER)].index(artefact)
        print_to_log(f"{name}, artefact {number} of {len(LADDER)}: {artefact}")


def summary(record):
    name = record.network if record.seed is None else f"{record.network} seed {record.seed}"
    clean = record.accuracies()[CLEAN][0]
    return f"{name}: accuracy {clean:.4f} without artefacts, {record.mean_accuracy():.4f} with them"


def records_of(wanted, tests):
    """Return the complete Records, and the folders of the others, which it names.

    wanted: folder -> Record as it begins; one of other weights or settings is not complete, nor is
    one of other tests; tests: list of Test.
    """
    complete, missing, failed = [], [], False
    for folder, begun in wanted.items():
        try:
            record = read_record(folder)
        except InputError as error:
            reason, failed = error, True
        else:
            if record is None:
                reason = "not judged yet"
            elif record._replace(judged=[]) != begun:
                reason = "judged with other weights or settings"
            elif not record.is_complete(tests):
                reason = "not judged to the end"
            else:
                complete.append(record)
                continue
        missing.append(folder)
        if who := holder(folder):
            reason = f"being judged by {who}"
        elif (folder / FAILURE).exists():
            reason = (folder / FAILURE).read_text(errors="replace").partition("\n")[0]
            failed = True
        print(f"{folder} is left out: {reason}", file=sys.stderr)
    if missing:
        goes_on = "" if failed else "; the same command goes on"
        print(f"{len(missing)} of {len(wanted)} are not complete{goes_on}", file=sys.stderr)
    return complete, missing


def write_tables(results, records, missing):
    texts = {
        "robustness.csv": robustness_report.csv_table(records),
        "robustness.md": robustness_report.markdown(records, [folder.name for folder in missing]),
    }
    for name, text in texts.items():
        with replace_file(results / name) as file:
            file.write(text.encode())
    print(robustness_report.summary_table(records), end="")


def draw(folder, records, class_file, variation):
    save(robustness_report.draw(records), folder, "robustness")
    label = most_telling_class(class_file)
    shown = robustness_report.ladder_to_show(class_file.datapoints)
    save(class_artefacts(class_file, variation, label, shown), folder, "artefacts")


if __name__ == "__main__":
    run_script(sys.modules[__name__], main)
