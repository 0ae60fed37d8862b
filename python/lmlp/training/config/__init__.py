"""What a training can be told, in sections: steps, model, and the whole."""

from lmlp.training.config.model import BaselineConfig, DescriptorConfig, ModelConfig, NetworkStart
from lmlp.training.config.steps import LossConfig, OptimizerConfig, RunConfig, StepsConfig
from lmlp.training.config.train import TrainConfig, TrainLoss, load_config, make_config

__all__ = [
    "BaselineConfig",
    "DescriptorConfig",
    "LossConfig",
    "ModelConfig",
    "NetworkStart",
    "OptimizerConfig",
    "RunConfig",
    "StepsConfig",
    "TrainConfig",
    "TrainLoss",
    "load_config",
    "make_config",
]
