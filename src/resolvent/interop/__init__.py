"""Published language models on disk: the layouts of their files, as tables of names.

    tensors, config, layout = read(folder)      what the folder holds, under this library's names
    write(folder, fields, weights, layout)      the same the other way

A layout knows how its publisher names tensors and settings, and nothing of modules. What it does
not understand it refuses: every tensor of a folder is used, and every parameter is filled.
"""

from resolvent.interop.files import CONFIG, read_config, read_tensors, write_folder
from resolvent.interop.layout import Layout, Rename
from resolvent.interop.published import LAYOUTS, find_layout

__all__ = [
    "CONFIG",
    "LAYOUTS",
    "Layout",
    "Rename",
    "find_layout",
    "read_config",
    "read_tensors",
    "write_folder",
]
