"""mmdet's ``DetInferencer`` reads images as the training did.

It asks neither this project's tools nor a hook. What a config says by
``value_range`` and ``bands`` would not reach its pipeline, and images of 16
bits would come in nearly black, without a word.
"""

from functools import wraps

from mmengine.config import Config, ConfigDict
from mmengine.infer import BaseInferencer
from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

from .zoo.conventions import check_same_values


def hand_on_image_values() -> None:
    """Put a config's settings into the pipeline of every inferencer.

    By the class of mmengine's beneath: importing mmdet's takes seconds, and a
    script may do it before or after it imports this package.
    """
    init_model = BaseInferencer._init_model

    @wraps(init_model)
    def _init_model(
        self: BaseInferencer,
        cfg: Config | ConfigDict,
        weights: str | None,
        device: str = 'cpu',
    ) -> nn.Module:
        # The config may come out of the checkpoint, so that it is whole no
        # earlier than the model. The pipeline is built next.
        model = init_model(self, cfg, weights, device)
        # The config may have none: it is DetInferencer's own by default.
        if 'mmdet' in (self.scope, cfg.get('default_scope')):
            _hand_on(cfg, weights)
        return model

    BaseInferencer._init_model = _init_model


def _hand_on(cfg: Config | ConfigDict, weights: str | None) -> None:
    # Not above: it imports mmdet, as the caller has by now.
    from .datasets.image_values import mapping_of, set_inferencer_values

    set_inferencer_values(cfg)
    if weights is not None:
        mapping = mapping_of(cfg, 'test')
        check_same_values(
            CheckpointLoader.load_checkpoint(weights, 'cpu', logger='silent'),
            mapping.value_range,
            mapping.bands,
            weights,
            is_pretrained=False,
        )
