"""How the matrices of a model are stored: in fewer bits they are read, and so decoded, faster.

Sums and states stay float32 whatever the storage, and nothing but the matrices of linear maps and
the embedding is touched: step sizes, eigenvalues, convolutions and norms keep all their bits.
"""

from __future__ import annotations

from torch import Tensor, nn

from resolvent.execute import STORAGES, Packed, linear, pack, rows, unpack


class PackedLinear(nn.Module):
    """A linear map without gradients for its weights, which are stored as `pack` does.

    Args:
        packed: the matrix (out_features, in_features).
        bias: (out_features,) or None.
    """

    data: Tensor
    scales: Tensor | None
    bias: Tensor | None

    def __init__(self, packed: Packed, bias: Tensor | None = None):
        super().__init__()
        self.out_features, self.in_features = packed.data.shape[0], packed.columns
        self.register_buffer("data", packed.data)
        self.register_buffer("scales", packed.scales)
        self.register_buffer("bias", None if bias is None else bias.detach().float())

    @property
    def packed(self) -> Packed:
        """The matrix as it is stored."""
        return Packed(self.data, self.scales, self.in_features)

    @property
    def weight(self) -> Tensor:
        """The matrix that is stood for, in float32."""
        return unpack(self.packed)

    def forward(self, x: Tensor) -> Tensor:
        """W x + bias for x (..., in_features), in float32."""
        return linear(x, self.packed, self.bias)


class PackedEmbedding(PackedLinear):
    """A table of vectors, stored as `pack` does."""

    def forward(self, x: Tensor) -> Tensor:
        """The vectors (..., in_features) of tokens x (...), in float32."""
        return rows(self.packed, x)


def packed_matrix(module: nn.Module) -> Packed:
    """The matrix of a linear map or an embedding, packed or not, without a copy."""
    if isinstance(module, PackedLinear):
        return module.packed
    weight: Tensor = module.weight  # type: ignore[assignment]
    return Packed(weight.detach(), None, weight.shape[1])


def check_storage(storage: str) -> None:
    """Refuse an unknown way to store weights.

    Raises:
        ValueError: the storage is unknown.
    """
    if storage not in STORAGES:
        raise ValueError(f"weights: {storage!r} is unknown; choose one of {', '.join(STORAGES)}")


def pack_linear(module: nn.Module, storage: str) -> None:
    """Replace every `nn.Linear` within a module by a packed one.

    Raises:
        ValueError: the storage is unknown, or a weight is not finite.
    """
    for name, child in list(module.named_children()):
        if isinstance(child, nn.Linear):
            setattr(module, name, PackedLinear(pack(child.weight, storage), child.bias))
        else:
            pack_linear(child, storage)
