"""The command line of all scripts: flags from constants, errors in one sentence, exit statuses."""

import argparse
import errno
import math
import os
import re
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from types import NoneType, SimpleNamespace, UnionType
from typing import Annotated, Literal, NamedTuple, get_args, get_origin, get_type_hints

LARGEST = 10**9  # of all whole numbers that are lengths, counts or heights
LONGEST = 1000  # characters of a message: a value may have a million
NAMES = {int: "a whole number", float: "a number", str: "text", bool: "True or False"}


class InputError(ValueError):
    """Bad input, told in one sentence: what is wrong, where, and what is accepted."""


class Settings(SimpleNamespace):
    """The constants of a script, by their names in lower case."""

    def __getattr__(self, name):
        raise LostAnnotation(
            f"{name.upper()} has no annotation, accepted: {name.upper()}: Annotated[TYPE, "
            f'"Sentence."] = VALUE, as it came with the script'
        )


class LostAnnotation(InputError, AttributeError):
    """A constant was edited so that it is no flag any more."""


def require(condition, name, value, accepted):
    if not condition:
        raise InputError(f"{name} is {value}, accepted: {accepted}")


def require_folder(name, path):
    """Raise InputError unless the path is that of a folder, or of one that can be made."""
    missing = Path(path)
    while not missing.exists() and not missing.is_symlink() and missing != missing.parent:
        missing = missing.parent
    what = "a folder, not a file" if missing == Path(path) else f"a folder; {missing} is a file"
    require(missing.is_dir(), name, path, what)


def require_range(limits):
    """Raise InputError unless RANGE is the x of a first and a last datapoint."""
    first, last = limits
    rises = -math.inf < first < last < math.inf
    require(rises, "RANGE", f"{first:g} {last:g}", "two numbers, the smaller one first")


def warn(message):
    text = " ".join(str(message).split())  # names of files may hold line breaks, or no text
    text = text.encode(errors="replace").decode()
    print(f"warning: {text}", file=sys.stderr)


def run_script(script, main):
    """Call `main` with the script's constants as the command line overrides them.

    `settings.peak_count` holds PEAK_COUNT, and so on. Errors end in one sentence on standard
    error: exit status 2 for bad input, 1 for failures of the environment such as a full disk.
    """
    if os.getpid() == 1:  # in a container, where the kernel keeps SIGTERM from the first process
        signal.signal(signal.SIGTERM, lambda number, frame: os._exit(128 + number))
    open_standard_streams()
    message = None
    try:
        try:
            status = main(parse_flags(script))
        except SystemExit as wanted:  # --help, or flags that are not accepted
            status = wanted.code
        flush_output()
    except InputError as error:
        status, message = 2, error
    except MemoryError as error:
        status, message = 1, f"out of memory: {error}"
    except OSError as error:
        status, message = 1, error.strerror or error
        where = error.filename
        if where is None and error.errno in (errno.ENOSPC, errno.EPIPE):  # of an unbuffered print
            where = "standard output"
        if where is not None:
            message = f"{where}: {message}"
    except KeyboardInterrupt:
        status, message = 130, "interrupted"
    except Exception as error:
        if type(error).__name__ != "ResourceExhaustedError":  # TensorFlow's, which may not be there
            raise
        status, message = 1, f"out of memory: {str(error).rpartition('}} ')[2]}"
    if message is not None:
        with suppress(OSError):
            print(f"{Path(script.__file__).name}: error: {in_one_line(message)}", file=sys.stderr)
            flush_output()
    sys.exit(status)


def heeded(*signals):
    """Return those signals that the process does not ignore.

    Jobs that a script starts in the background ignore Ctrl-C, which is meant for the script.
    """
    return [number for number in signals if signal.getsignal(number) is not signal.SIG_IGN]


@contextmanager
def interrupts_held():
    """Let Ctrl-C wait until the block is done.

    Half-way through an import it becomes any error, and while a process is forked Python drops it.
    """
    if threading.current_thread() is not threading.main_thread() or not heeded(signal.SIGINT):
        yield
        return
    received = []
    previous = signal.signal(signal.SIGINT, lambda number, frame: received.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if received:
        raise KeyboardInterrupt


def in_one_line(message):
    """Return a message without line breaks, and without the middle of a very long value."""
    text = " ".join(str(message).split())
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]} […] {text[-LONGEST // 3 :]}"
    return text


def open_standard_streams():
    """Make standard output and error usable, wherever the script runs.

    A stream that the shell has closed becomes /dev/null; otherwise the next file that is opened
    would take its number, and receive what libraries print.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")
    for stream in sys.stdout, sys.stderr:
        if hasattr(stream, "reconfigure"):  # those of Jupyter and Spyder have no encoding to fail
            stream.reconfigure(errors="replace")


def flush_output():
    """Write what standard output still holds; Python would do so later, and fail with a trace."""
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        error.filename = "standard output"
        raise


class Constant(NamedTuple):
    """A constant of a script that a flag can override."""

    name: str
    kind: type  # int, float, str, bool or a Literal; of the items if the constant is a tuple
    items: int | None  # of the tuple; 0 for any number of at least 1, None if it is not a tuple
    optional: bool  # whether None is accepted
    sentence: str
    value: object


def parse_flags(script, arguments=None):
    """Return the annotated UPPER_CASE constants of a script module, overridden by its flags.

    A constant `NAME: Annotated[TYPE, "Sentence."] = VALUE` becomes the flag `--name`, typed, with
    the sentence as its help. Returns a namespace with lower-case names.

    Raises InputError for a constant that was edited to a value of another type.
    """
    parser = OneSentenceParser(
        prog=Path(script.__file__).name,
        description=script.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    # argparse takes -1e1 for a flag otherwise, though -10 is a number to it.
    parser._negative_number_matcher = re.compile(r"-\.?\d")
    for constant in constants_of(script):
        default = checked(constant)
        shown = " ".join(map(str, default)) if isinstance(default, tuple) else default
        text = constant.sentence if default is None else f"{constant.sentence} [{shown}]"
        parser.add_argument(
            "--" + constant.name.lower().replace("_", "-"),
            default=default,
            help=text.replace("%", "%%"),
            **flag_options(constant),
        )
    settings = vars(parser.parse_args(arguments))
    return Settings(
        **{name: tuple(v) if isinstance(v, list) else v for name, v in settings.items()}
    )


def flags_of(script, settings, **changes):
    """Return the flags that give a script these settings, a namespace of `parse_flags`."""
    values = vars(settings) | changes
    flags = []
    for constant in constants_of(script):
        value = values[constant.name.lower()]
        flag = "--" + constant.name.lower().replace("_", "-")
        if constant.kind is bool and value is not None:
            flags.append(flag if value else flag.replace("--", "--no-", 1))
        elif isinstance(value, tuple):
            flags += [flag, *map(str, value)]
        elif value is not None:
            flags.append(f"{flag}={value}")
    return flags


def constants_of(script):
    """Return a Constant for each annotated UPPER_CASE constant of a script module.

    After its own follow those of other scripts that it passes on to them, or shares with them:
    PASSED_ON, if it has that, maps a script module to their names.
    """
    constants = []
    for name, hint in get_type_hints(script, include_extras=True).items():
        if not name.isupper() or get_origin(hint) is not Annotated:
            continue
        kind, sentence = get_args(hint)
        optional = get_origin(kind) is UnionType
        if optional:
            (kind,) = (member for member in get_args(kind) if member is not NoneType)
        items = None
        if get_origin(kind) is tuple:
            members = get_args(kind)
            kind, items = members[0], 0 if members[-1] is Ellipsis else len(members)
        constants.append(Constant(name, kind, items, optional, sentence, getattr(script, name)))
    for other, names in getattr(script, "PASSED_ON", {}).items():
        constants += [constant for constant in constants_of(other) if constant.name in names]
    return constants


def checked(constant):
    """Return the value of a constant, checked as its flag is; whole numbers may be floats.

    Raises InputError naming the constant, its value and what is accepted.
    """
    value, kind = constant.value, constant.kind
    if value is None and constant.optional:
        return None
    what = NAMES.get(kind) or "one of " + ", ".join(map(repr, get_args(kind)))
    if constant.items is None:
        require(fits(value, kind), constant.name, repr(value), what)
        return value
    number = f"{constant.items} times" if constant.items else "once or more"
    such = ", ".join([example(kind)] * (constant.items or 1))
    end = "" if constant.items and constant.items > 1 else ","
    accepted = f"a tuple that holds {number} {what}, such as ({such}{end})"
    several = isinstance(value, (tuple, list, range))
    valid = several and len(value) == (constant.items or max(1, len(value)))
    valid = valid and all(fits(item, kind) for item in value)
    require(valid, constant.name, repr(value), accepted)
    return tuple(value)


def fits(value, kind):
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if kind is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def example(kind):
    return repr({int: 0, float: 1.0, str: "name"}.get(kind))


class OneSentenceParser(argparse.ArgumentParser):
    def error(self, message):
        message = in_one_line(message)
        self.exit(2, f"{self.prog}: error: {message} (--help lists the flags)\n")


class Gather(argparse.Action):
    """Gather the values of a flag that is given again: `--seeds 0 --seeds 1` is `--seeds 0 1`."""

    def __call__(self, parser, namespace, values, flag=None):
        earlier = getattr(namespace, self.dest)
        first = earlier is self.default
        setattr(namespace, self.dest, values if first else [*earlier, *values])


def flag_options(constant):
    kind = constant.kind
    if kind is bool:
        return {"action": argparse.BooleanOptionalAction}
    options = {}
    if constant.items is not None:
        options["nargs"] = constant.items or "+"
    if constant.items == 0:
        options["action"] = Gather
    if get_origin(kind) is Literal:
        return options | {"choices": get_args(kind)}

    def convert(text):
        if not text:  # as of a shell's variable that is not set
            raise argparse.ArgumentTypeError("'' is empty")
        try:
            return kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not {NAMES[kind]}") from None

    return options | {"type": convert, "metavar": kind.__name__.upper()}
