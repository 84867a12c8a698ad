"""Cauchy products: partial fractions of conjugate pairs of poles, at many points of the plane.

`cauchy_reference` defines them. Axes: m system, k product, n mode, f point.
"""

from torch import Tensor

from resolvent.kernels import cauchy_ops
from resolvent.kernels.arguments import cast, common_dtypes


def cauchy_reference(values: Tensor, w: Tensor, s: Tensor) -> Tensor:
    """The definition of `cauchy`, all numbers at once; equal dtypes."""
    upper = w[..., None, :] / (s[:, None] - values[:, None, None])
    lower = w.conj()[..., None, :] / (s[:, None] - values.conj()[:, None, None])
    return (upper + lower).sum(-1)


def cauchy(values: Tensor, w: Tensor, s: Tensor) -> Tensor:
    """Several Cauchy products of each of m systems, sum_n w_n / (s - v_n) + its conjugate pair.

    The product of a real linear functional, the resolvent of a diagonal matrix in conjugate halves
    and a real vector is one with w = c b; S4's kernel takes four of them (Gu et al. 2022,
    "Efficiently Modeling Long Sequences with Structured State Spaces", appendix C.3). s - v cancels
    for slow modes, so that such products are taken in double precision.

    Args:
        values: Poles, one of each conjugate pair, (m, n), complex.
        w: Weights, (m, k, n): the conjugate of a pole has the conjugate weight.
        s: Points, (f,), complex; they have no gradient.

    Returns:
        y (m, k, f), complex, of the common dtype, at least complex64; y_kf = sum_n w_kn /
        (s_f - v_n) + conj(w_kn) / (s_f - conj(v_n)). Within rounding of a pole it is not finite.

    Raises:
        ValueError: A shape or dtype does not fit, or the points ask for a gradient.
    """
    _, dtype = common_dtypes(values, w, s)
    if values.dim() != 2 or not values.is_complex():
        given = f"shape {tuple(values.shape)}, dtype {values.dtype}"
        raise ValueError(f"values has {given}: expected (m, n), complex.")
    m, n = values.shape
    if w.dim() != 3 or (w.shape[0], w.shape[2]) != (m, n):
        shape = tuple(w.shape)
        raise ValueError(f"w has shape {shape}: expected (m, k, n), m = {m} and n = {n}.")
    if s.dim() != 1 or s.requires_grad:
        given = f"shape {tuple(s.shape)}, requires_grad {s.requires_grad}"
        raise ValueError(f"s has {given}: expected points (f,) without a gradient.")
    return cauchy_ops.cauchy(cast(values, dtype), cast(w, dtype), cast(s, dtype))
