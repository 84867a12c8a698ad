"""Papers whose layers are here as mixers of language models, without a claim of their own yet."""

from __future__ import annotations

from resolvent.layers import Hyena, LinearAttention
from resolvent.papers.base import Paper

HYENA = Paper(
    name="Hyena",
    title="Hyena Hierarchy: Towards Larger Convolutional Language Models",
    authors="Michael Poli, Stefano Massaroli, Eric Nguyen, Daniel Y. Fu, Tri Dao, Stephen Baccus, "
    "Yoshua Bengio, Stefano Ermon, Christopher Ré",
    year=2023,
    venue="International Conference on Machine Learning",
    choices="no system: a kernel a feature, written by a network · gates from projections · the "
    "last n inputs are the state",
    layer=Hyena,
)
LINEAR = Paper(
    name="LinearAttention",
    title="Transformers are RNNs: Fast Autoregressive Transformers with Linear Attention",
    authors="Angelos Katharopoulos, Apoorv Vyas, Nikolaos Pappas, François Fleuret",
    year=2020,
    venue="International Conference on Machine Learning",
    choices="identity a head of p channels · born discrete · keys and queries from the token, "
    "divided by their sum",
    layer=lambda d_model: LinearAttention(d_model, decay="none"),
)
RETNET = Paper(
    name="RetNet",
    title="Retentive Network: A Successor to Transformer for Large Language Models",
    authors="Yutao Sun, Li Dong, Shaohan Huang, Shuming Ma, Yuqing Xia, Jilong Xue, Jianyong Wang, "
    "Furu Wei",
    year=2023,
    venue="arXiv:2307.08621",
    choices="a fixed scalar a head of p channels · born discrete · keys and queries from the "
    "token; without the rotation",
    layer=lambda d_model: LinearAttention(d_model, decay="fixed"),
)
GLA = Paper(
    name="GLA",
    title="Gated Linear Attention Transformers with Hardware-Efficient Training",
    authors="Songlin Yang, Bailin Wang, Yikang Shen, Rameswar Panda, Yoon Kim",
    year=2024,
    venue="International Conference on Machine Learning",
    choices="diagonal a head of p channels · born discrete · decay, keys and queries from "
    "the token",
    layer=LinearAttention,
)
