"""Data: read series from files, by name, or made up; split, preprocess and batch them."""

from resolvent.data import split, synthetic
from resolvent.data.catalogue import NAMED, NamedSeries, named
from resolvent.data.columns import Columns
from resolvent.data.errors import DataError
from resolvent.data.formats.table import from_frame
from resolvent.data.labels import LabelEncoding
from resolvent.data.loader import Batch, BucketSampler, SeriesDataset, collate, make_loader
from resolvent.data.missing import Missing
from resolvent.data.preprocess import Preprocess
from resolvent.data.reader import read, read_split
from resolvent.data.scale import Standardise
from resolvent.data.series import SeriesSet
from resolvent.data.sources import fsdd

__all__ = [
    "NAMED",
    "Batch",
    "BucketSampler",
    "Columns",
    "DataError",
    "LabelEncoding",
    "Missing",
    "NamedSeries",
    "Preprocess",
    "SeriesDataset",
    "SeriesSet",
    "Standardise",
    "collate",
    "from_frame",
    "fsdd",
    "make_loader",
    "named",
    "read",
    "read_split",
    "split",
    "synthetic",
]
