"""Runs shared by processes: each is locked while it is trained, and its failures are noted."""

import fcntl
import os
import platform
import sys
import time
import traceback
from contextlib import contextmanager, suppress

from tqdm import tqdm

from benchmark import files
from benchmark.checkpoint import Unsaved, read_progress
from benchmark.command_line import InputError
from benchmark.files import replace_file
from benchmark.run_folder import (
    CHECKPOINT,
    FAILURE,
    HISTORY,
    RUN_RECORD,
    counts_text,
    read_run,
)
from benchmark.run_identity import check_same

LOCK = ".lock"


def summary(run):
    counts = counts_text(run.misclassified)
    return f"{run.folder}: {run.epochs} epochs in {run.seconds:.0f} s; {counts}"


def share(folders, train, alone=True, tell=summary):
    """Call `train(folder)` for each run that no other process trains; returns the exit status.

    Any number of processes may do this at once, on one machine or on several with common files. A
    run is locked while it is trained; the system gives back the lock of a process that died, and
    runs found locked are looked at again after each round. If other processes still train runs at
    the end, the status is 1: results are not complete yet. alone: false if others of the same
    command are expected to, and the one that started them looks after all. tell: function that says
    in a line what `train` returned.
    """
    status, failed, waiting = 0, [], list(folders)
    failures = {folder: time_of_failure(folder) for folder in folders}
    with tqdm(total=len(waiting), desc="runs", unit="run", disable=None) as progress:
        while waiting:
            locked = []
            for folder in waiting:
                with run_lock(folder) as mine:
                    if not mine:
                        locked.append(folder)
                        continue
                    if time_of_failure(folder) not in (None, failures[folder]):
                        failed.append(folder)  # in another process
                        continue
                    try:
                        run = train(folder)
                    except (BrokenPipeError, Unsaved):  # nobody reads its output, or it is to end
                        raise
                    except Exception as error:
                        reason = note_failure(folder, error)
                        progress.write(f"{folder}: failed: {reason}", file=sys.stderr)
                        failed.append(folder)
                        status = max(status, 2 if isinstance(error, InputError) else 1)
                    else:
                        progress.write(tell(run))
                progress.update()
            if len(locked) == len(waiting):
                break
            waiting = locked
    if not alone:
        waiting = []
    for folder in waiting:
        print(f"{folder}: being trained by {holder(folder)}", file=sys.stderr)
    if waiting:
        print(
            f"{len(waiting)} of {len(folders)} runs are not finished yet; evaluate when they are",
            file=sys.stderr,
        )
    if failed and len(folders) > 1 and alone:
        print(f"{len(failed)} of {len(folders)} runs failed; --status says why", file=sys.stderr)
    return max(status, 1 if failed or waiting else 0)


@contextmanager
def run_lock(folder):
    """Try to lock a run folder; yields whether that succeeded."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / LOCK, "a+") as file:
        mine = patient_lock(file, fcntl.LOCK_EX)
        if mine:
            file.truncate(0)
            file.write(f"{platform.node()}, process {os.getpid()}")
            file.flush()
        try:
            yield mine
        finally:
            if mine:
                file.truncate(0)


def patient_lock(file, kind):
    """Try twice: `print_status` holds a lock for a moment to see whether it is free."""
    if files.lock(file, kind):
        return True
    time.sleep(0.1)
    return files.lock(file, kind)


def holder(folder):
    """Return who trains a run, None if nobody does."""
    try:
        with open(folder / LOCK) as file:
            if patient_lock(file, fcntl.LOCK_SH):
                return None
            return file.read() or "another process"
    except FileNotFoundError:
        return None


def time_of_failure(folder):
    """Return when the run's last failure was noted, None if there is none."""
    path = folder / FAILURE
    return path.stat().st_mtime_ns if path.exists() else None


def note_failure(folder, error):
    """Write reason and traceback into the run folder; returns the reason, one line."""
    reason = " ".join(str(error).split()) or "no message"
    if not isinstance(error, InputError):
        reason = f"{type(error).__name__}: {reason}"
    trace = "".join(traceback.format_exception(error))
    with suppress(OSError), replace_file(folder / FAILURE) as file:  # on a full disk go on, too
        file.write(f"{reason}\n\n{trace}".encode(errors="replace"))
    return reason


def status_of_workers(folders, received, statuses):
    """Return the exit status of a command whose runs several processes shared, and say why.

    received: the signal that ended them, or None; statuses: their exit statuses.
    """
    if received:
        return 128 + received
    states = [state_of(folder)[0] for folder in folders]
    failed, left = states.count("failed"), len(states) - states.count("finished")
    if failed:
        print(f"{failed} of {len(states)} runs failed; --status says why", file=sys.stderr)
    if left > failed:
        goes_on = "" if 2 in statuses else "; the same command goes on"  # else input stops it again
        print(f"{left - failed} of {len(states)} runs are not finished{goes_on}", file=sys.stderr)
    return max([0, *statuses, 1 if left else 0])


def print_status(identities, splits, first=0):
    """Print for each run whether it is finished, running, waiting, failed or another one.

    identities: run folder -> Identity, whose dataset may be None, then it is not looked at; splits:
    those that a finished run has to have judged; first: number of the first run, for TASK.
    """
    counts = {}
    for number, (folder, identity) in enumerate(identities.items(), first):
        state, detail = state_of(folder, identity, splits)
        counts[state] = counts.get(state, 0) + 1
        print(f"{number:4}  {folder.name:16}  {state:9}{'  ' + detail if detail else ''}")
    print(", ".join(f"{count} {state}" for state, count in counts.items()))


def state_of(folder, identity=None, splits=()):
    """Return the state of a run in one word, and a few words on it.

    identity: of the run that is wanted; one of another protocol is "refused", as training does;
    splits: those that it has to judge; a trained run that has not is "waiting".
    """
    failed = (folder / FAILURE).exists()  # in a finished run, a further test split did
    if (folder / RUN_RECORD).exists() and not failed:
        try:
            run = read_run(folder)
            if identity:
                check_same(folder, run, identity)
        except InputError as error:
            return "refused", str(error).partition(";")[0]
        trained = f"{run.epochs} epochs in {run.seconds / 60:.1f} min"
        unjudged = [split for split in splits if split not in run.misclassified]
        if not unjudged:
            return "finished", trained
        state = "running" if holder(folder) else "waiting"
        return state, f"{trained}, but has not judged {', '.join(unjudged)}"
    epochs = 0
    if (folder / HISTORY).exists():
        epochs = max(0, (folder / HISTORY).read_bytes().count(b"\n") - 1)
    done = f"{epochs} epochs done"
    who = holder(folder)
    if who:
        return "running", f"on {who}, {done}"
    if failed:
        first, _, _ = (folder / FAILURE).read_text(errors="replace").partition("\n")
        return "failed", first
    if not (folder / CHECKPOINT).exists():
        return "waiting", f"starts anew, as {done} left no checkpoint" if epochs else ""
    try:
        training, progress = read_progress(folder / CHECKPOINT)
        if identity:
            check_same(folder, training, identity)
    except InputError as error:
        return "refused", str(error).partition(";")[0]
    return "waiting", f"{progress.epoch} epochs done"  # later ones of the history are lost
