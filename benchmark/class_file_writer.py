"""Writing class files, which loses nothing that cannot be made again."""

import hashlib
import json
from pathlib import Path

from benchmark.command_line import InputError
from benchmark.files import replace_file
from benchmark.published_results import PUBLISHED


def write_class_file(path, config):
    """Write the content of a class file, a dict, to `path`; returns its SHA-256.

    Raises InputError if it would replace classes of the papers, a file that is no class file, or
    classes of which more is said than here, such as names or test variants.
    """
    path, content = Path(path), json.dumps(config).encode()
    earlier = path.read_bytes() if path.is_file() else b""
    if earlier not in (content, b""):
        for found in what_would_be_lost(earlier, config):
            raise InputError(
                f"{path} holds {found}; choose another OUTPUT, or delete it to replace it"
            )
    with replace_file(path) as file:
        file.write(content)
    return hashlib.sha256(content).hexdigest()


def what_would_be_lost(content, config):
    """Yield in words what the content of a file is that no class file should replace.

    Scripts write a class file on one line, so one of many was written or changed by hand.
    """
    digest = hashlib.sha256(content).hexdigest()
    for published in PUBLISHED.values():
        if digest == published.class_file:
            yield f"other classes, those of the dataset {published.name!r} of the papers"
    try:
        earlier = json.loads(content)
        more = fields_of(earlier) - fields_of(config)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        yield "something else than classes"
        return
    if more:
        yield f"classes with {', '.join(sorted(more))}"
    if json.dumps(earlier).encode() != content:
        yield "classes written or changed by hand"


def fields_of(config):
    """Return the fields of a class file and of its classes."""
    return set(config).union(*map(dict.keys, config["spectra"].values()))
