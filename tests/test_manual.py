"""README.md and docs/ name what there is: files, headings, flags, and the version."""

import importlib
import re
import shlex

import pytest
from conftest import PROJECT

from benchmark import VERSION
from benchmark.command_line import parse_flags

PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
NAMES = [str(path.relative_to(PROJECT)) for path in PAGES]


def text_of(path):
    """Return a page without the block of commands that are still to be written."""
    block = r"<!-- six commands -->\nTODO.*?<!-- end of six commands -->"
    return re.sub(block, "", path.read_text(), flags=re.DOTALL)


def anchors(path):
    """Return the names that headings have as targets of links."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_leads_to_a_file_and_a_heading(page):
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if not target.startswith("https://"):
            name, _, heading = target.partition("#")
            path = (page.parent / name).resolve() if name else page
            assert path.exists(), target
            assert not heading or heading in anchors(path), target


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_command_has_flags_that_its_script_takes(page):
    text = text_of(page).replace("\\\n", " ")
    blocks = re.findall(r"```(?:shell|console)\n(.*?)```", text, re.DOTALL)
    commands = re.findall(r"python (\w+)\.py(.*)", "\n".join(blocks))
    commands += re.findall(r"`python (\w+)\.py([^`]*)`", " ".join(text.split()))
    for name, flags in commands:
        assert (PROJECT / f"{name}.py").exists(), name
        flags = flags.replace("$SLURM_ARRAY_TASK_ID", "0")
        parse_flags(importlib.import_module(name), shlex.split(flags, comments=True))


def test_the_readme_is_short_and_leads_to_every_page():
    readme = (PROJECT / "README.md").read_text()
    assert readme.count("\n") <= 250
    for name in NAMES[1:]:
        assert f"]({name}" in readme, name


def test_the_version_is_one_number_everywhere():
    citation = (PROJECT / "CITATION.cff").read_text()
    assert re.search(r'^version: "(.*)"$', citation, re.MULTILINE)[1] == VERSION
    changes = (PROJECT / "CHANGELOG.md").read_text()
    assert re.search(r"^## (.*)$", changes, re.MULTILINE)[1] == VERSION
