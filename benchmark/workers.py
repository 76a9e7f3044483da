"""Workers: several processes of one command, which share its runs by their locks."""

import math
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import NamedTuple

from tqdm import tqdm

from benchmark.command_line import flags_of, heeded, require
from benchmark.machine import available_cores

PROGRESS = re.compile(r", (epoch|artefact) \d+")  # in the lines of tell_epoch and robustness.py

MOST_THREADS = 1024
MOST_WORKERS = 256


class Line(NamedTuple):
    """What a worker has printed; None as text when it will print no more."""

    worker: int
    error: bool
    text: str | None


def check_processes(workers, threads):
    """Raise InputError for a number of WORKERS or THREADS that is not accepted."""
    accepted = f"a whole number from 1 to {MOST_WORKERS}"
    require(1 <= workers <= MOST_WORKERS, "WORKERS", workers, accepted)
    valid = threads is None or 1 <= threads <= MOST_THREADS
    require(valid, "THREADS", threads, f"a whole number from 1 to {MOST_THREADS}")


def divided(settings, runs):
    """Return how many processes share so many runs, and the threads of each.

    settings: with WORKERS and THREADS; without the latter the cores are divided. A process alone
    then has None: it takes all cores, or in a notebook as many as it computes with already.
    """
    workers = min(settings.workers, runs)
    if settings.threads or workers == 1:
        return workers, settings.threads
    return workers, max(1, available_cores() // workers)


def run_workers(script, settings, workers, threads):
    """Run the script in several processes until all of them end.

    script: the module; settings: what the command line says; threads: of each process. SIGTERM and
    Ctrl-C reach all of them. Returns the signal, or None, and the exit statuses.
    """
    processes = [
        start_worker(script, settings, number, threads) for number in range(1, workers + 1)
    ]
    with signals_passed_on(processes) as received, progress_view(workers) as show:
        for line in lines_of(processes):
            show(line)
    statuses = [process.wait() for process in processes]
    for number, status in enumerate(statuses, 1):
        if status < 0 and not received:
            reason = signal.Signals(-status).name
            print(f"worker {number} was ended by {reason}; its run goes on later", file=sys.stderr)
    return (received[0] if received else None), statuses


def start_worker(script, settings, number, threads):
    flags = flags_of(script, settings, workers=1, worker=number, threads=threads)
    return subprocess.Popen(
        [sys.executable, str(Path(script.__file__).absolute()), *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,  # Ctrl-C comes once, from the first process, not twice
    )


@contextmanager
def signals_passed_on(processes):
    """Pass SIGTERM and Ctrl-C on to all processes. Yields the list of signals received."""
    received = []

    def pass_on(number, frame):
        received.append(number)
        for process in processes:
            if process.poll() is None:
                process.send_signal(number)

    previous = {
        number: signal.signal(number, pass_on) for number in heeded(signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def tell_epoch(bar, title, epoch, losses, seconds_left):
    """Show how an epoch, counted from 1, went: beside the progress bar, or in a line of a log."""
    accuracy = losses.get("val_accuracy", math.nan)
    text = (
        f"epoch {epoch}: loss {losses['loss']:.4g}, val_loss {losses['val_loss']:.4g}, "
        f"val_accuracy {accuracy:.4f}, learning rate {losses['learning_rate']:.3g}, stops in "
        f"{tqdm.format_interval(seconds_left)} or later"
    )
    if not bar.disable:
        bar.set_postfix_str(text)
        return
    print_to_log(f"{title}, {text}")


def print_to_log(line):
    """Print a line at once. A log on a full disk is like a pipe that nobody reads."""
    try:
        print(line, flush=True)
    except OSError as error:
        raise BrokenPipeError(error.errno, error.strerror, "standard output") from None


def lines_of(processes):
    """Yield a Line for each line that a process prints, until all have ended."""
    lines = SimpleQueue()

    def read(worker, stream, error):
        for text in stream:
            lines.put(Line(worker, error, text.rstrip("\n")))
        lines.put(Line(worker, error, None))

    for worker, process in enumerate(processes, 1):
        for stream, error in (process.stdout, False), (process.stderr, True):
            Thread(target=read, args=(worker, stream, error), daemon=True).start()
    open_streams = 2 * len(processes)
    while open_streams:
        line = lines.get()
        if line.text is None:
            open_streams -= 1
        else:
            yield line


@contextmanager
def progress_view(workers):
    """Yield a function that shows a Line: in a terminal a line per worker, in a log all of them.

    What several workers say, such as the result of a run that is finished, is shown once.
    """
    bars = [
        tqdm(position=number, bar_format="{desc}", leave=False, disable=None)
        for number in range(workers)
    ]
    said = set()

    def show(line):
        bar = bars[line.worker - 1]
        if PROGRESS.search(line.text) and not bar.disable:
            bar.set_description_str(f"worker {line.worker}: {line.text}")
        elif line.text not in said:
            said.add(line.text)
            stream = sys.stderr if line.error else sys.stdout
            tqdm.write(line.text, file=stream)
            stream.flush()

    try:
        yield show
    finally:
        for bar in bars:
            bar.close()
