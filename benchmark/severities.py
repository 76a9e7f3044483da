"""The ladder: five severities of every artefact, from mild ones to about the strongest of others.

At a severity all spectra have the artefact in full, except that strain, common shift, and the
places of foreign peaks, spikes, humps and backgrounds are drawn per spectrum as
`benchmark.artefacts` says. Severities lie around the ranges that others train or test with, which
`Rung.source` names; the highest of common shift reach three times as far, the highest one of noise
and of spikes twice, that of texture a little farther; backgrounds of RamanSPy are a little higher.

XRD-AutoAnalyzer                doi 10.1021/acs.chemmater.1c01071, github.com/njszym
python-powder-diffraction       doi 10.1107/S2052252521002402, github.com/jschuetzke
SimXRD                          github.com/Bin-Cao/SimXRD
RamanSPy                        doi 10.1021/acs.analchem.4c00383
"""

from collections.abc import Callable
from typing import NamedTuple

from benchmark.artefacts import Artefacts

FOREIGN, SPIKES = 3, 3  # how many of them a spectrum has


class Rung(NamedTuple):
    """An artefact and its severities, the mildest first."""

    artefact: str  # its field in Artefacts, but for the peak shape
    unit: str  # of the severities
    severities: tuple
    settings: Callable  # of severity and datapoints; returns Artefacts
    source: str  # of the range
    local: bool = False  # whether it shows best in a part of the spectrum


LADDER = [
    Rung(
        artefact="lorentzian_share",
        unit="share of a pseudo-Voigt peak",
        severities=(0.2, 0.4, 0.6, 0.8, 1),
        settings=lambda s, n: Artefacts(peak_shape="pseudo_voigt", lorentzian_share=(s, s)),
        source="all there is between Gaussian and Lorentzian",
        local=True,
    ),
    Rung(
        artefact="width_trend",
        unit="growth along the axis, fraction",
        severities=(0.25, 0.5, 1, 1.5, 2),
        settings=lambda s, n: Artefacts(width_trend=(s, s)),
        source="from 10 to 80 degrees grain size makes it 0.3 (1 / cos, Scherrer), strain far more "
        "(tan)",
        local=True,
    ),
    Rung(
        artefact="strain",
        unit="largest, fraction of position",
        severities=(0.005, 0.01, 0.02, 0.03, 0.04),
        settings=lambda s, n: Artefacts(strain=s),
        source="XRD-AutoAnalyzer 0.03 and 0.04, python-powder-diffraction 0.01 and 0.04",
        local=True,
    ),
    Rung(
        artefact="common_shift",
        unit="largest, fraction of the axis",
        severities=(0.002, 0.005, 0.01, 0.015, 0.02),
        settings=lambda s, n: Artefacts(common_shift=s * n),
        source="SimXRD 0.001, XRD-AutoAnalyzer 0.007",
        local=True,
    ),
    Rung(
        artefact="texture",
        unit="largest fall, fraction of height",
        severities=(0.2, 0.4, 0.5, 0.6, 0.7),
        settings=lambda s, n: Artefacts(texture=(s, s)),
        source="XRD-AutoAnalyzer 0.5 and 0.6, python-powder-diffraction 0.4 and 0.6",
    ),
    Rung(
        artefact="foreign_peaks",
        unit=f"height of {FOREIGN} peaks, maximum 1",
        severities=(0.1, 0.2, 0.3, 0.5, 0.7),
        settings=lambda s, n: Artefacts(foreign_peaks=(FOREIGN, FOREIGN), foreign_heights=(s, s)),
        source="XRD-AutoAnalyzer up to 0.7",
    ),
    Rung(
        artefact="background",
        unit="height of the curve, maximum 1",
        severities=(0.05, 0.1, 0.2, 0.4, 0.8),
        settings=lambda s, n: Artefacts(background=(s, s)),
        source="SimXRD 0.05, python-powder-diffraction 0.1, RamanSPy 2 on a maximum of about 2",
    ),
    Rung(
        artefact="hump",
        unit="height of the hump, maximum 1",
        severities=(0.05, 0.1, 0.2, 0.4, 0.8),
        settings=lambda s, n: Artefacts(hump=(s, s)),
        source="as backgrounds",
    ),
    Rung(
        artefact="counts",
        unit="counts at the maximum",
        severities=(10_000, 3000, 1000, 300, 100),
        settings=lambda s, n: Artefacts(counts=(s, s)),
        source="relative noise of 1 to 10 % at the maximum",
    ),
    Rung(
        artefact="spikes",
        unit=f"height of {SPIKES} spikes, maximum 1",
        severities=(0.2, 0.5, 1, 2, 5),
        settings=lambda s, n: Artefacts(spikes=(SPIKES, SPIKES), spike_heights=(s, s)),
        source="RamanSPy 5 on spectra whose maximum is about 2",
    ),
    Rung(
        artefact="noise",
        unit="standard deviation, maximum 1",
        severities=(0.0025, 0.01, 0.02, 0.05, 0.1),
        settings=lambda s, n: Artefacts(noise=(s, s)),
        source="XRD-AutoAnalyzer 0.0025; SimXRD about 0.006 (uniform, up to 0.02); "
        "python-powder-diffraction about 0.001 to 0.0025 (amplitude 0.005 to 0.015); RamanSPy 0.1 "
        "on spectra whose maximum is about 2",
    ),
]
