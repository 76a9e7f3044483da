"""What the readers of measurement files return, and the choice among several spectra of a file."""

import re
from typing import NamedTuple

import numpy as np

from benchmark.command_line import InputError
from benchmark.number_text import shortened

MOST_LISTED = 8  # spectra of one file in a message
SAME_RADIATION = 1e-3  # of a wavelength: programs round it, or average two lines
# Ways of writing a unit, in lower case and without blanks, that mean no other unit
SAME_UNIT = {
    "cm-1": "1/cm",
    "cm^-1": "1/cm",
    "cm⁻¹": "1/cm",
    "cm^{-1}": "1/cm",
    "wavenumber": "1/cm",
    "wavenumbers": "1/cm",
    "ramanshift": "1/cm",  # by definition a difference of wavenumbers
    "nanometers": "nm",
    "nm-1": "1/nm",
    "nm^-1": "1/nm",
    "nm⁻¹": "1/nm",
    "angstrom": "å",
    "angstroms": "å",
    "å-1": "1/å",
    "å^-1": "1/å",
    "å⁻¹": "1/å",
    "micrometers": "um",
    "microns": "um",
    "\N{GREEK SMALL LETTER MU}m": "um",  # to which casefold turns the micro sign
    "degree": "deg",
    "degrees": "deg",
    "deg.": "deg",
    "°": "deg",
    "a.u.": "arbitraryunits",
    "arbitraryunit": "arbitraryunits",
    "abs": "absorbance",
    "%t": "%transmittance",
    "transmission": "transmittance",
}
# 2θ, which is in degrees where nothing else is said: 2THETA, °2θ, 2-theta/deg, degrees 2-theta
DEGREES = r"(°|deg\.?|degrees?)?"
TWO_THETA = re.compile(rf"{DEGREES}[-_,/]?(2|two)[-_*]?(theta|θ|th\.?)[-_,/]?{DEGREES}")
# What y is, by words and signs in its unit; of several the first counts. Of a text of any length,
# \s*+ and (?>...) take the blanks, and all up to the first "log", once for all.
KINDS_OF_Y = {
    "absorbance": r"absor[bp]|\babs\b|kubelka|^(?>.*?\blog).*(transmi|reflect|\b[tr]\b)",
    "transmittance": r"transmi|%\s*+t\b|\bt\s*+[(\[]?\s*+%",
    "reflectance": r"reflect|%\s*+r\b|\br\s*+[(\[]?\s*+%",
    "intensity": r"intens|count|\bcps\b",
}
DOWNWARD = "transmittance", "reflectance"  # kinds of y whose bands point down
UPWARD = "absorbance or intensity"  # unit of y of rendered spectra and of peaks


class Measurement(NamedTuple):
    """One measured spectrum, as its file holds it."""

    x: np.ndarray  # float64 (points,), rising
    y: np.ndarray  # float64 (points,)
    x_unit: str = ""  # as the file writes it; "" where it says nothing
    y_unit: str = ""
    title: str = ""
    wavelength: float | None = None  # of X-rays, in angstrom; None where the file states none
    notes: tuple[str, ...] = ()  # what was left out, averaged or decided; a sentence each


def chosen(path, titles, block, what):
    """Return the index of the spectrum that is meant among those of a file.

    titles: one for each spectrum; block: number from 1 or title of one, None if nobody chose;
    what: the plural of the thing. Raises InputError listing the titles unless one is meant.
    """
    if len(titles) == 1:
        return 0
    if block is not None:
        meant = [i for i in range(len(titles)) if block.strip() == str(i + 1)]
        meant = meant or [
            i for i, title in enumerate(titles) if title.casefold() == block.strip().casefold()
        ]
        if len(meant) == 1:
            return meant[0]
    listed = ", ".join(f"{i} {shortened(t)}" for i, t in enumerate(titles[:MOST_LISTED], 1))
    if len(titles) > MOST_LISTED:
        listed += f" and {len(titles) - MOST_LISTED} more"
    if block is None:
        raise InputError(
            f"{path} holds {len(titles)} {what}: {listed}; accepted: 1, or, where a script has "
            f"BLOCK, the number or title of one"
        )
    raise InputError(
        f"{path}: BLOCK is {shortened(block)}, accepted: the number or title of one of "
        f"{len(titles)} {what}: {listed}"
    )


def same_unit(one, other):
    """Tell whether two units are the same, or one of them is not known."""
    one, other = one_spelling(one), one_spelling(other)
    return not one or not other or one == other


def different_units(stated):
    """Return the units that are not the same, each with the first file that states it.

    stated: pairs of unit, "" or None where a file says nothing, and file.
    """
    found = {}
    for unit, file in stated:
        if unit and not any(same_unit(unit, other) for other in found):
            found[unit] = file
    return found


def same_wavelength(one, other):
    """Tell whether two wavelengths differ by 0.1 % at most, or one of them is not known (None).

    So 1.5406 angstrom, K-alpha 1 of copper, and 1.5418, its mean with K-alpha 2, are one.
    """
    return one is None or other is None or abs(one - other) <= SAME_RADIATION * other


def different_wavelengths(stated):
    """Return wavelength -> files that state it, for those that are not the same.

    stated: pairs of wavelength, None where a file states none, and file.
    """
    found = {}
    for wavelength, file in stated:
        if wavelength is not None:
            alike = (one for one in found if same_wavelength(wavelength, one))
            found.setdefault(next(alike, wavelength), []).append(file)
    return found


def kind_of_y(unit):
    """Return what y is in a unit, a key of KINDS_OF_Y, or "" where the unit does not tell."""
    found = (kind for kind, signs in KINDS_OF_Y.items() if re.search(signs, unit, re.IGNORECASE))
    return next(found, "")


def opposite(one, other):
    """Tell whether bands point down in one of two units of y and up in the other."""
    one, other = kind_of_y(one), kind_of_y(other)
    return bool(one and other) and (one in DOWNWARD) != (other in DOWNWARD)


def one_spelling(unit):
    """Return a unit in one way of writing it: of "Wavenumbers (cm-1)", 1/cm."""
    in_brackets = re.match(r"[^(\[]*+[(\[](.+)[)\]]", unit)
    unit = "".join((in_brackets[1] if in_brackets else unit).casefold().split())
    unit = re.sub("[−–]", "-", unit)  # minus signs, as in numbers
    if TWO_THETA.fullmatch(unit):
        return "deg"
    return SAME_UNIT.get(unit, unit)
