"""Frozen backbones of a pre-training config: untrained, or from a file."""

from copy import deepcopy

from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import set_random_seed
from mmengine.runner.checkpoint import CheckpointLoader
from mmpretrain.models import BaseClassifier, BaseSelfSupervisor
from torch import Tensor, nn

from mmselfemd.datasets.pictures import ValueMapping
from mmselfemd.errors import UserValueError

from .conventions import check_same_values
from .fit import check_fits
from .loading import check_finite, state_dict_of

_PREFIX = 'backbone.'


def build_untrained(cfg: Config) -> BaseSelfSupervisor | BaseClassifier:
    """Build the model of a pre-training run as it is at iteration 0.

    The generators are seeded as the run's are, by ``randomness.seed``; a
    config without a seed gets 0. (A key encoder becomes a copy of the query
    only when a run starts.)

    Args:
        cfg (Config): The config of a pre-training run.

    Returns:
        BaseSelfSupervisor | BaseClassifier: The model, on the CPU; Montage
        classifies.

    Raises:
        UserValueError: If the config is of another kind of run.
    """
    model_cfg = deepcopy(cfg.get('model'))
    if model_cfg is None:
        raise UserValueError(f"{cfg.filename} has no 'model'")
    if 'data_preprocessor' in cfg:  # as the runner does
        model_cfg.setdefault('data_preprocessor', cfg.data_preprocessor)
    set_random_seed((cfg.get('randomness') or {}).get('seed') or 0)
    scope = cfg.get('default_scope') or 'mmengine'
    with DefaultScope.overwrite_default_scope(scope):
        model = MODELS.build(model_cfg)
        if not isinstance(model, BaseSelfSupervisor | BaseClassifier):
            raise UserValueError(
                f'{cfg.filename} describes a {type(model).__name__}: expected '
                'the config of a pre-training run, such as SelfEMD'
            )
        model.init_weights()
    return model


def load_backbone(
    model: BaseSelfSupervisor,
    checkpoint: str,
    mapping: ValueMapping | None = None,
) -> nn.Module:
    """Read a checkpoint into a copy of a model's backbone.

    Args:
        model (BaseSelfSupervisor): The model of the config that the
            checkpoint was trained with.
        checkpoint (str): A checkpoint of pre-training (``backbone.*``), or a
            backbone by itself: a path, or any address that mmengine's
            ``CheckpointLoader`` takes.
        mapping (ValueMapping, optional): How 8-bit colour is made of the
            images that it is to see. Defaults to None: not compared.

    Returns:
        nn.Module: The backbone; ``model`` stays as it was.

    Raises:
        UserValueError: If the backbone is of another architecture, has
            values that are not finite, or was trained on images of another
            ``value_range`` or other ``bands``.
    """
    loaded = _load(checkpoint)
    if mapping is not None:
        check_same_values(
            loaded,
            mapping.value_range,
            mapping.bands,
            checkpoint,
            is_pretrained=False,
        )
    weights = _weights_of(loaded, checkpoint)
    if not any(name.startswith(_PREFIX) for name in weights):
        # A classifier's last layer, say, is no part of the backbone.
        parts = {name.split('.')[0] for name in model.backbone.state_dict()}
        weights = {
            _PREFIX + name: value
            for name, value in weights.items()
            if name.split('.')[0] in parts
        }
    check_fits(model, weights, checkpoint, part=_PREFIX)
    backbone = deepcopy(model.backbone)
    # Not strict: older files lack BN's batch counters.
    backbone.load_state_dict(
        {
            name.removeprefix(_PREFIX): value
            for name, value in weights.items()
            if name.startswith(_PREFIX)
        },
        strict=False,
    )
    check_finite(backbone.state_dict(), checkpoint)
    return backbone


def load_model(model: BaseSelfSupervisor, checkpoint: str) -> None:
    """Read a checkpoint of a pre-training run, heads and all, into a model.

    Args:
        model (BaseSelfSupervisor): The model of the config that the
            checkpoint was trained with; it is changed.
        checkpoint (str): Any address that mmengine's ``CheckpointLoader``
            takes.

    Raises:
        UserError: If it does not fit.
    """
    weights = _weights_of(_load(checkpoint), checkpoint)
    check_fits(model, weights, checkpoint)
    model.load_state_dict(weights, strict=False)  # older: no batch counters


def _load(checkpoint: str) -> dict:
    return CheckpointLoader.load_checkpoint(
        checkpoint, map_location='cpu', logger='silent'
    )


def _weights_of(loaded: dict, checkpoint: str) -> dict[str, Tensor]:
    return {
        name.removeprefix('module.'): value
        for name, value in state_dict_of(loaded, checkpoint).items()
    }
