"""What benchmark_step.py times: a config's step, our BYOL's, mmpretrain's."""

from copy import deepcopy
from types import SimpleNamespace

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import MessageHub, MMLogger
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import DefaultScope
from mmpretrain.models import BaseSelfSupervisor
from mmpretrain.structures import DataSample
from torch import Tensor

from mmselfemd.engine import ChannelsLastHook
from mmselfemd.errors import UserError
from mmselfemd.models import SelfEMD
from mmselfemd.registry import HOOKS
from mmselfemd.zoo.frozen_backbone import build_untrained

#: mmpretrain's own settings, whatever switches the config has on.
STOCK_WRAPPER = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.0, momentum=0.9, weight_decay=1e-4),
)


class Step:
    """A whole step of training, from normalised views to moved weights.

    The data preprocessor is left out: input is another benchmark's. The
    learning rate is 0, so that every step has the same numbers before it;
    one micro-batch is a step, whatever the config accumulates.

    Args:
        model (BaseSelfSupervisor): The model.
        optim_wrapper (OptimWrapper): The optimiser in its wrapper.
        views (list[Tensor]): Normalised images of each view, (B, 3, H, W).
    """

    def __init__(
        self,
        model: BaseSelfSupervisor,
        optim_wrapper: OptimWrapper,
        views: list[Tensor],
    ) -> None:
        self.model = model
        self.optim_wrapper = optim_wrapper
        self.views = views
        self.samples = [DataSample() for _ in views[0]]

    def loss(self) -> Tensor:
        """The loss, with the graph that leads to it."""
        with self.optim_wrapper.optim_context(self.model):
            losses = self.model(list(self.views), self.samples, mode='loss')
        return self.model.parse_losses(losses)[0]

    def __call__(self) -> None:
        self.optim_wrapper.update_params(self.loss())
        if isinstance(self.model, SelfEMD):  # mmpretrain's does it in its loss
            self.model.update_key(0.99)


def config_step(cfg: Config, views: list[Tensor]) -> Step:
    """The step of a config, with the switches that it sets.

    Args:
        cfg (Config): The config of a Self-EMD or BYOL run.
        views (list[Tensor]): Normalised images of each view.

    Returns:
        Step: The step.

    Raises:
        UserError: If the config's model is another.
    """
    model = build_untrained(cfg)
    if not isinstance(model, SelfEMD):
        raise UserError(
            f'{cfg.filename} describes a {type(model).__name__}: only steps '
            'of SelfEMD, which BYOL is too, are timed'
        )
    model.reset_key()
    model.has_momentum_hook = True
    return _finish(cfg, model, deepcopy(cfg.optim_wrapper), views)


def our_byol_step(cfg: Config, views: list[Tensor]) -> Step:
    """The step of our BYOL with the backbone and the widths of a config.

    Args:
        cfg (Config): The config of a Self-EMD or BYOL run.
        views (list[Tensor]): Normalised images of two views.

    Returns:
        Step: The step, with the switches that the config sets.
    """
    in_channels, hidden_channels, out_channels = widths(cfg)
    byol = deepcopy(cfg)
    byol.model.pop('neck')  # a config would merge the new one into it
    byol.model.pop('head')
    byol.model.neck = dict(
        type='VectorProjectionNeck',
        in_channels=in_channels,
        hidden_channels=hidden_channels,
        out_channels=out_channels,
    )
    byol.model.head = dict(
        type='BYOLHead',
        in_channels=out_channels,
        hidden_channels=hidden_channels,
    )
    return config_step(byol, views)


def mmpretrain_byol_step(
    cfg: Config, views: list[Tensor], amp_dtype: str | None = None
) -> Step:
    """The step of mmpretrain's BYOL of the same size, without our switches.

    Args:
        cfg (Config): The config of a Self-EMD or BYOL run.
        views (list[Tensor]): Normalised images of two views.
        amp_dtype (str, optional): ``float16`` or ``bfloat16``, to use
            mmengine's AMP. Defaults to None: float32 without AMP.

    Returns:
        Step: The step.
    """
    in_channels, hidden_channels, out_channels = widths(cfg)
    backbone = deepcopy(cfg.model.backbone)
    backbone.pop('with_cp', None)
    stock = Config(
        dict(
            default_scope='mmpretrain',
            model=dict(
                type='BYOL',
                backbone=backbone,
                neck=_mlp(in_channels, hidden_channels, out_channels, True),
                head=dict(
                    type='LatentPredictHead',
                    loss=dict(type='CosineSimilarityLoss'),
                    predictor=_mlp(
                        out_channels, hidden_channels, out_channels, False
                    ),
                ),
            ),
        )
    )
    # What the runner would say, for the momentum's schedule in its loss.
    MessageHub.get_current_instance().update_info('max_iters', 10**6)
    wrapper = deepcopy(STOCK_WRAPPER)
    if amp_dtype:
        wrapper.update(type='AmpOptimWrapper', dtype=amp_dtype)
    return _finish(stock, build_untrained(stock), wrapper, views)


def widths(cfg: Config) -> tuple[int, int, int]:
    """Channels of a config's projector: input, hidden layer, output."""
    neck = cfg.model.neck
    neck = neck[0] if isinstance(neck, list) else neck
    return (
        neck.in_channels,
        neck.get('hidden_channels', 4096),
        neck.get('out_channels', 256),
    )


def _mlp(
    in_channels: int,
    hidden_channels: int,
    out_channels: int,
    with_avg_pool: bool,
) -> dict:
    return dict(
        type='NonLinearNeck',
        in_channels=in_channels,
        hid_channels=hidden_channels,
        out_channels=out_channels,
        num_layers=2,
        with_bias=True,
        with_last_bn=False,
        with_avg_pool=with_avg_pool,
        norm_cfg=dict(type='SyncBN'),
    )


def _finish(
    cfg: Config,
    model: BaseSelfSupervisor,
    wrapper: dict,
    views: list[Tensor],
) -> Step:
    """Do what the runner would do before the first step."""
    model = model.to(get_device()).train()
    wrapper['optimizer']['lr'] = 0.0
    wrapper['accumulative_counts'] = 1
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        optim_wrapper = build_optim_wrapper(model, wrapper)
    runner = SimpleNamespace(
        model=model,
        optim_wrapper=optim_wrapper,
        logger=MMLogger.get_current_instance(),
    )
    for hook in _hooks_of(cfg):
        hook.before_train(runner)
    if options := cfg.get('compile'):
        options = options if isinstance(options, dict) else {}
        model.forward = torch.compile(model.forward, **options)
    return Step(model, optim_wrapper, views)


def _hooks_of(cfg: Config) -> list[ChannelsLastHook]:
    """The hooks that change how a step is computed."""
    hooks = [
        *(cfg.get('default_hooks') or {}).values(),
        *(cfg.get('custom_hooks') or ()),
    ]
    return [
        HOOKS.build(hook)
        for hook in hooks
        if hook and str(hook['type']).endswith('ChannelsLastHook')
    ]
