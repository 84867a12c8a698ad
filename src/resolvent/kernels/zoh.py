"""Zero-order hold of diagonal systems: what discretises them at every training step.

`zoh_ops.reference` defines it.
"""

import torch
from torch import Tensor

from resolvent.kernels import zoh_ops
from resolvent.kernels.arguments import cast, common_dtypes


def zoh(values: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
    """What a diagonal system h' = A h + B u does in a step dt of constant input: h <- a h + s B u.

    One kernel for both factors, in double precision inside; its gradients are in closed form and
    right near dt * values = 0 too.

    Args:
        values: The diagonal of A, real or complex.
        dt: Step sizes, real; its shape and that of the values broadcast.

    Returns:
        a = e^(dt values) and s = (a - 1) / values, its limit dt where a value is 0; of the
        broadcast shape and the common dtype, at least float32.

    Raises:
        ValueError: The shapes do not broadcast, dt is complex, or a dtype does not fit.
    """
    real, dtype = common_dtypes(values, dt)
    if dt.is_complex():
        raise ValueError(f"dt has dtype {dt.dtype}: expected real step sizes.")
    try:
        torch.broadcast_shapes(values.shape, dt.shape)
    except RuntimeError:
        shapes = f"{tuple(values.shape)} and {tuple(dt.shape)}"
        raise ValueError(f"values and dt have shapes {shapes}: they do not broadcast.") from None
    return zoh_ops.zoh(cast(values, dtype), cast(dt, real))
