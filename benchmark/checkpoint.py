"""The checkpoint of a training: all that its rest depends on, in one file, whole or not at all."""

import json
import signal
import time
import zipfile
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

import numpy as np

from benchmark.command_line import InputError, heeded
from benchmark.files import replace_file
from benchmark.run_folder import CHECKPOINT, DatasetRecord, Identity, Protocol
from benchmark.run_identity import check_same

PLATEAU_COUNTERS = "best", "wait", "cooldown_counter"
STOPPING_COUNTERS = "best", "wait", "best_epoch"


@dataclass
class Progress:
    """How far a training has come."""

    epoch: int = 0  # epochs done
    step: int = 0  # steps done of the epoch at hand
    training: dict | None = None  # loss and accuracy of that epoch, once its last step is done
    history: dict = field(default_factory=dict)  # column of history.csv -> a number per epoch
    seconds: float = 0  # of training, in all processes up to the last checkpoint
    environments: list = field(default_factory=list)  # all that took part


class Terminated(BaseException):
    """A signal asked the process to end; what a checkpoint keeps is safe."""

    def __init__(self, number):
        super().__init__(number)
        self.number = number


class Unsaved(OSError):
    """The process is to end, but what it has done since its last checkpoint could not be saved."""


class Checkpoint:
    """Restores a training from its folder, and saves it there from time to time.

    plateau, stopping: the Keras callbacks that reduce the learning rate and stop the training.
    """

    def __init__(self, folder, identity, model, plateau, stopping, minutes):
        self.path = folder / CHECKPOINT
        self.identity = identity
        self.model, self.plateau, self.stopping = model, plateau, stopping
        self.minutes = minutes  # between two checkpoints
        self.progress = Progress()
        self.signals = []  # received since the training began
        self.began = self.saved = time.monotonic()

    def seconds(self):
        """Return how long the training has taken, earlier processes included."""
        return self.progress.seconds + time.monotonic() - self.began

    def save(self):
        """Write all that the rest of the training depends on, in place of the last checkpoint."""
        counters = {
            "plateau": {name: getattr(self.plateau, name) for name in PLATEAU_COUNTERS},
            "stopping": {name: getattr(self.stopping, name) for name in STOPPING_COUNTERS},
            "stopped": self.model.stop_training,
        }
        identity = self.identity._asdict() | {
            "protocol": self.identity.protocol._asdict(),
            "dataset": self.identity.dataset._asdict(),
        }
        progress = asdict(self.progress) | {"seconds": self.seconds()}
        text = json.dumps({"identity": identity, "progress": progress, **counters})
        variables = [variable.numpy() for variable in changing_variables(self.model)]
        arrays = {f"variable{i}": storable(array) for i, array in enumerate(variables)}
        best = self.stopping.best_weights or []
        arrays |= {f"best{i}": storable(array) for i, array in enumerate(best)}
        with replace_file(self.path) as file:
            np.savez(file, text=np.frombuffer(text.encode(), np.uint8), **arrays)
        self.saved = time.monotonic()

    def resume(self):
        """Restore what `save` wrote, if there is a checkpoint; the model's metrics must exist.

        Raises InputError if it is damaged, or that of another network, protocol or dataset.
        """
        if not self.path.exists():
            return
        try:
            with opened(self.path) as content:
                arrays = dict(content)
            kept = json.loads(arrays.pop("text").tobytes())
            check_same(self.path.parent, identity_in(kept), self.identity)
            for i, variable in enumerate(changing_variables(self.model)):
                variable.assign(arrays.pop(f"variable{i}"))
            self.stopping.best_weights = [arrays[f"best{i}"] for i in range(len(arrays))] or None
            for name in PLATEAU_COUNTERS:
                setattr(self.plateau, name, kept["plateau"][name])
            for name in STOPPING_COUNTERS:
                setattr(self.stopping, name, kept["stopping"][name])
            self.model.stop_training = kept["stopped"]
            self.progress = Progress(**kept["progress"])
        except (InputError, MemoryError):
            raise
        except Exception as error:  # a damaged archive raises nearly anything, OSError included
            raise damaged(self.path, error) from None

    def check_signals(self):
        """Raise Terminated if a signal has come."""
        if self.signals:
            raise Terminated(self.signals[0])

    def after_step(self):
        """Raise Terminated if a signal has come; save if that is due."""
        self.check_signals()
        if time.monotonic() - self.saved >= 60 * self.minutes:
            self.save()

    @contextmanager
    def saved_when_stopped(self):
        """Save when SIGTERM, Ctrl-C or an output that nobody reads ends the training.

        Raises Unsaved if that fails.
        """
        previous = {n: signal.getsignal(n) for n in heeded(signal.SIGTERM, signal.SIGINT)}

        def note(number, frame):
            self.signals.append(number)
            signal.signal(number, previous[number])  # a second one ends the process at once

        for number in previous:
            signal.signal(number, note)
        try:
            yield
            self.check_signals()
        except (Terminated, BrokenPipeError):
            try:
                self.save()
            except OSError as error:
                raise Unsaved(error.errno, error.strerror, error.filename) from None
            raise
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


def storable(array):
    """Return an array that numpy can store: bfloat16, which it does not know, as float32."""
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array


def damaged(path, error):
    return InputError(
        f"{path} is damaged or that of another network ({type(error).__name__}: {error}); delete "
        f"it to train this run from its start"
    )


def identity_in(kept):
    """Return the Identity in the text that a checkpoint keeps, a dict."""
    identity = Identity(**kept["identity"])
    return identity._replace(
        protocol=Protocol(**identity.protocol), dataset=DatasetRecord(**identity.dataset)
    )


def read_progress(path):
    """Return the Identity of the training that left a checkpoint, and its Progress.

    Raises InputError if it is damaged.
    """
    try:
        with opened(path) as content:
            kept = json.loads(content["text"].tobytes())
        return identity_in(kept), Progress(**kept["progress"])
    except Exception as error:
        raise damaged(path, error) from None


@contextmanager
def opened(path):
    """Open the archive of arrays that `Checkpoint.save` writes."""
    with open(path, "rb") as file:
        if not zipfile.is_zipfile(file):  # which np.load would take for something else
            raise ValueError("it is no archive of arrays")
        file.seek(0)
        with np.load(file) as content:
            yield content


def changing_variables(model):
    """Return weights, dropout's random state, optimiser state and running metrics."""
    weights, metrics = model.weights, model.metrics_variables
    known = {id(variable) for variable in [*weights, *metrics]}
    random_states = [variable for variable in model.variables if id(variable) not in known]
    return [*weights, *random_states, *model.optimizer.variables, *metrics]
