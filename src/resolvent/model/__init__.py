"""Whole models: input projection, blocks, pooling over time, and a head."""

from resolvent.model.backbone import Backbone
from resolvent.model.build import build_model, find_layer
from resolvent.model.config import ModelConfig
from resolvent.model.context import Context, PrefixCache, load_context, read
from resolvent.model.decoder import Decoder
from resolvent.model.folder import describe, load_model, save_model
from resolvent.model.generation import Generation
from resolvent.model.language import LanguageModel
from resolvent.model.network import LanguageConfig, LanguageNetwork
from resolvent.model.sampling import Sampling
from resolvent.model.sequence import ModelState, SequenceModel
from resolvent.model.streaming import Stream

__all__ = [
    "Backbone",
    "Context",
    "Decoder",
    "Generation",
    "LanguageConfig",
    "LanguageModel",
    "LanguageNetwork",
    "ModelConfig",
    "ModelState",
    "SequenceModel",
    "PrefixCache",
    "Sampling",
    "Stream",
    "build_model",
    "describe",
    "find_layer",
    "load_context",
    "load_model",
    "read",
    "save_model",
]
