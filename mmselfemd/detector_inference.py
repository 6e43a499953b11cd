"""mmdet's ``DetInferencer`` reads images as the training did.

It asks neither this project's tools nor a hook. What a config says by
``value_range`` and ``bands`` would not reach its pipeline, and images of 16
bits would come in nearly black, without a word.
"""

from functools import wraps
from typing import Any

from mmengine.infer import BaseInferencer
from torch import nn


def hand_on_image_values() -> None:
    """Put a config's settings into the pipeline of every inferencer.

    By the class of mmengine's beneath: importing mmdet's takes seconds, and a
    script may do it before or after it imports this package.
    """
    # A method of theirs. The config may come out of the checkpoint, so that
    # it is whole no earlier than the model; the pipeline is built next.
    init_model = BaseInferencer._init_model

    @wraps(init_model)
    def _init_model(
        self: BaseInferencer, cfg: Any, *args: Any, **kwargs: Any
    ) -> nn.Module:
        model = init_model(self, cfg, *args, **kwargs)
        if cfg.get('default_scope') == 'mmdet':
            # Not above: it imports mmdet, as the caller has by now.
            from .datasets.image_values import set_inferencer_values

            set_inferencer_values(cfg)
        return model

    BaseInferencer._init_model = _init_model
