"""Mamba-3 against its quadratic form, and against the Mamba-2 that it becomes."""

import math

import pytest
import torch
from torch import nn

from resolvent.contract import Subject
from resolvent.discretize import mixed
from resolvent.execute import run
from resolvent.layers import Mamba3, Timing
from resolvent.structure import Scalar

# a few dozen products in float64
EQUAL = {"rtol": 1e-10, "atol": 1e-10}


def projected(layer, u):
    """What the equations name, B and C (b, l, m, r, n) unturned, angles (b, l, m, k)."""
    (m, n, _), r = layer.shape, layer.rank
    z, x, B, C, dt, a, tau, omega = layer.in_proj(u).split(layer.sizes, -1)
    z, x = (v.unflatten(-1, (m, -1)) for v in (z, x))
    B, C = (
        norm(v.unflatten(-1, (-1, r, n))).repeat_interleave(m // layer.groups, 2) + bias
        for v, norm, bias in ((B, layer.B_norm, layer.B_bias), (C, layer.C_norm, layer.C_bias))
    )
    dt = nn.functional.softplus(dt + layer.dt_bias)
    rate = torch.where(a >= 0, 1 + a, 1 / (1 - a.clamp(max=0)))
    angles = (math.pi * omega.tanh()[:, :, None] * dt[..., None]).cumsum(1)
    return z, x, B, C, dt, rate, tau.sigmoid(), angles


@pytest.mark.parametrize("rank", [1, 2])
def test_the_recurrence_is_the_quadratic_form(rank):
    """The parallel form: one scale a step merges what it writes now and at the next step."""
    d, length = 4, 21
    subject = Subject(lambda d: Mamba3(d, 6, head_dim=4, n_groups=2, rank=rank, rotation=0.7), d)
    layer, u = subject.layer, subject.inputs(2, length)
    with torch.no_grad():
        z, x, B, C, dt, rate, tau, angles = projected(layer, u)
        k = angles.shape[-1]
        turned = torch.polar(torch.ones_like(angles), angles)[:, :, :, None]
        pairs = [torch.complex(v[..., :k], v[..., k : 2 * k]) * turned for v in (B, C)]
        rest = [v[..., 2 * k :] for v in (B, C)]
        scores = torch.einsum("bsmrk,btmqk->btsmqr", pairs[0].conj(), pairs[1]).real
        scores = scores + torch.einsum("bsmrn,btmqn->btsmqr", *rest)
        decay = -(rate * dt).cumsum(1)
        causal = torch.ones(length, length).tril().bool()[..., None]
        L = torch.where(causal, decay[:, :, None] - decay[:, None], -torch.inf).exp()
        later = torch.cat([((1 - tau) * dt)[:, 1:], torch.zeros(2, 1, layer.shape[0])], 1)
        scale = L * (tau * dt + later)[:, None] - torch.eye(length)[..., None] * later[:, None]
        v = x[..., None, :] * layer.spread
        y = torch.einsum("btsmqr,btsm,bsmrp->btmqp", scores, scale, v)
        y = (y + layer.D[:, None, None] * v) * nn.functional.silu(z[..., None, :] * layer.gates)
        y = layer.out_proj((y * layer.gather).sum(-2).flatten(2))
        torch.testing.assert_close(layer(u)[0], y, **EQUAL)


def test_it_reduces_to_mamba_2():
    """At the step's end alone, unturned, without norm and bias: exp for A, Euler for B."""
    subject = Subject(lambda d: Mamba3(d, 4, head_dim=2, rotation=0.0), 4)
    layer, u = subject.layer, subject.inputs(2, 17)
    layer.B_norm = layer.C_norm = nn.Identity()
    (m, n, _), inner = layer.shape, layer.sizes[0]
    with torch.no_grad():
        for bias in (layer.B_bias, layer.C_bias):
            bias.zero_()
        head = u[..., :1] * 0 + 1e3  # tau = 1: its rows read a constant feature
        layer.in_proj.weight[-m:] = 0
        layer.in_proj.weight[-m:, 0] = 1
        u = torch.cat([head, u[..., 1:]], -1)
        z, x, B, C, dt, rate, tau, _ = projected(layer, u)
        assert bool((tau == 1).all())
        A = Scalar(-rate, n)
        a, _ = mixed(A, B.mT, dt[..., None])
        prepared = layer.prepare(u, (), Timing())
        torch.testing.assert_close(prepared.system.A.value, a.value, **EQUAL)
        h, ys = torch.zeros(2, m, n, inner // m).double(), []
        for t in range(u.shape[1]):
            write = (dt[:, t, :, None] * B[:, t, :, 0])[..., None] * x[:, t, :, None]
            h = a.value[:, t, :, None, None] * h + write
            ys.append((C[:, t, :, 0, :, None] * h).sum(-2))
        y, last = run(prepared.system, prepared.x)
        torch.testing.assert_close((y, last), (torch.stack(ys, 1), h), **EQUAL)
