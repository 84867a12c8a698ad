"""What a layout is: a table of names for the tensors, two functions for the settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor

Config = Mapping[str, Any]


class Rename(NamedTuple):
    """One row of a table; ``{i}`` stands for the number of a block.

    Attributes:
        ours: name in :class:`resolvent.model.LanguageModel`.
        theirs: name in the file.
        axis: of length 1 in the file and absent here; None where the shapes agree.
    """

    ours: str
    theirs: str
    axis: int | None = None


@dataclass(frozen=True)
class Layout:
    """How a publisher writes one kind of model.

    Attributes:
        name: as `save_pretrained` takes it.
        kind: the layer that all blocks of such a model have, by its name in `resolvent.layers`.
        recognises: whether a config.json is of this layout.
        to_fields: from a config.json to the fields of a `LanguageConfig`; refuses what is not
            understood.
        from_fields: the other way; refuses what the layout cannot express.
        table: one row a tensor; rows whose tensor a model does not have are left out.
        head: name of the output matrix, which a tied model may leave out of the file.
    """

    name: str
    kind: str
    recognises: Callable[[Config], bool]
    to_fields: Callable[[Config], dict[str, Any]]
    from_fields: Callable[[Config], dict[str, Any]]
    table: tuple[Rename, ...]
    head: str = "lm_head.weight"

    def import_tensors(
        self, tensors: Mapping[str, Tensor], parameters: Iterable[str], n_layers: int
    ) -> dict[str, Tensor]:
        """The tensors of a file under this library's names.

        Args:
            tensors: what the file holds.
            parameters: names of everything that the model expects.
            n_layers: number of blocks.

        Raises:
            ValueError: a tensor is left over or missing, or a tied head differs from the embedding.
        """
        left, found = dict(tensors), {}
        for ours, theirs, axis in self._rows(parameters, n_layers):
            if theirs in left:
                value = left.pop(theirs)
                found[ours] = value if axis is None else value.squeeze(axis)
        head = left.get(self.head)
        if head is not None and "head.weight" not in parameters:
            if not head.equal(found["embedding.weight"]):
                raise ValueError(
                    f"{self.head}: differs from the embedding, but the config says that they are "
                    "tied; correct the config, or the file is damaged"
                )
            del left[self.head]
        missing = sorted(set(parameters) - set(found))
        if left or missing:
            raise ValueError(
                f"layout {self.name!r}: not understood, so nothing was loaded; unused tensors: "
                f"{_some(sorted(left))}; parameters without a tensor: {_some(missing)}"
            )
        return found

    def export_tensors(self, weights: Mapping[str, Tensor], n_layers: int) -> dict[str, Tensor]:
        """The model's weights under the publisher's names.

        Raises:
            ValueError: a weight has no name in this layout.
        """
        rows = list(self._rows(weights, n_layers))
        if unnamed := sorted(set(weights) - {row.ours for row in rows}):
            raise ValueError(f"layout {self.name!r}: cannot express {_some(unnamed)}")
        return {
            row.theirs: weights[row.ours] if row.axis is None else weights[row.ours].unsqueeze(1)
            for row in rows
        }

    def _rows(self, parameters: Iterable[str], n_layers: int) -> Iterable[Rename]:
        known = set(parameters)
        for row in self.table:
            for i in range(n_layers) if "{i}" in row.ours else (0,):
                filled = Rename(row.ours.format(i=i), row.theirs.format(i=i), row.axis)
                if filled.ours in known:
                    yield filled


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if names[5:] else "") or "none"
