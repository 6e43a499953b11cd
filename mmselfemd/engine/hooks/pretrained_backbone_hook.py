"""A backbone from the config's one variable, ``pretrained``."""

import re
from collections.abc import Sequence
from functools import partial

from mmengine.hooks import Hook
from mmengine.model import BaseModule, update_init_info
from mmengine.runner import BaseLoop, Runner
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor, nn

from mmselfemd.datasets.image_values import loading_of
from mmselfemd.datasets.pictures import ValueMapping
from mmselfemd.engine.model import unwrap_model
from mmselfemd.engine.resume import find_checkpoint_to_resume
from mmselfemd.errors import UserFileNotFoundError, UserValueError
from mmselfemd.registry import HOOKS
from mmselfemd.zoo.conventions import (
    check_pixel_convention,
    check_same_values,
    check_style,
    warn_of_other_strides,
)
from mmselfemd.zoo.fit import misshapen
from mmselfemd.zoo.loading import state_dict_of
from mmselfemd.zoo.pretraining import read_pretraining

_PREFIX = 'backbone.'


@HOOKS.register_module()
class PretrainedBackboneHook(Hook):
    """Initialise a backbone from ``cfg.pretrained``, a detector's above all.

    In mmengine's text configs a child's ``pretrained`` does not reach the
    ``init_cfg`` that its parent has already computed, so the user would
    silently train from other weights; and ``PretrainedInit`` only logs
    missing keys. This hook reads the variable when the run starts, compares
    names and shapes, raises where the backbone would not be whole, and has
    the tensors loaded where mmengine would initialise the backbone, in place
    of its ``init_cfg``, which some of mmdet's backbones (Swin, PVT) read in a
    way of their own. A backbone that resizes what it loads, such as the
    position embedding of a ViT, does so.

    For C4 detectors, whose last stage is ``roi_head.shared_head``, both parts
    come from the same file.

    Where the file says which pixels it was trained on (see
    :mod:`mmselfemd.zoo.conventions`), the model has to be given the same;
    likewise where its bottlenecks have their strides, and the ``value_range``
    and ``bands`` of its images. Stages of other strides or dilations are a
    warning.

    ``pretrained`` is anything that mmengine's ``CheckpointLoader`` takes (a
    path, a URL, ``torchvision://resnet50``, ``mmselfemd://NAME``): a
    backbone's state dict, or a checkpoint with ``backbone.*`` inside, such
    as a pre-training checkpoint as it is. ``None`` sets nothing. A resumed
    run, a test and a validation load nothing.

    It belongs into ``default_hooks``, under a name of its own:
    ``pretrained_backbone=dict(type='mmselfemd.PretrainedBackboneHook')``.

    Attributes:
        loaded_keys (list[str]): Names of the model found in the file.
        missing_keys (list[str]): Names of the model that the file lacks.
        unexpected_keys (list[str]): Names of the file's backbone that the
            model lacks.
        left_keys (list[str]): Names of the file outside the backbone: heads,
            necks, classifiers.
    """

    # After SafeCheckpointHook, which finds the checkpoint of a resume.
    priority = 'LOWEST'

    def __init__(self) -> None:
        self.loaded_keys: list[str] = []
        self.missing_keys: list[str] = []
        self.unexpected_keys: list[str] = []
        self.left_keys: list[str] = []

    def before_run(self, runner: Runner) -> None:
        """Check the file, and have it loaded when mmengine initialises.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the model's backbone has a tensor that the file
                lacks or has in another shape, the model has no backbone, or
                its ``data_preprocessor`` is not what the file expects.
        """
        pretrained = runner.cfg.get('pretrained')
        # `before_run` is called by `train`, `val` and `test`; only `train`
        # has built its loop by then. (The property would build it.)
        if (
            pretrained is None
            or _is_resumed(runner)
            or not isinstance(runner._train_loop, BaseLoop)
        ):
            return
        model = unwrap_model(runner.model)
        _backbone_parts(model)  # before anything is loaded
        try:
            checkpoint = CheckpointLoader.load_checkpoint(pretrained, 'cpu')
        except FileNotFoundError as error:
            raise UserFileNotFoundError(
                f'pretrained={pretrained!r}: {error}'
            ) from error
        mappings = [
            getattr(load, 'mapping', None)
            for _, load in loading_of(_dataset_of(runner))
        ]
        weights = self.compare(model, checkpoint, pretrained, mappings)
        for part in _backbone_parts(model).values():
            part.init_weights = partial(_load, part, weights, pretrained)
        self._report(runner, pretrained, checkpoint.get('meta'))

    def compare(
        self,
        model: nn.Module,
        checkpoint: dict,
        source: str,
        mappings: Sequence[ValueMapping | None] = (),
    ) -> dict[str, Tensor]:
        """Check that a backbone is whole, and used as it was trained.

        Args:
            model (nn.Module): The detector, or what is pre-trained.
            checkpoint (dict): What was loaded.
            source (str): Where it came from, for errors.
            mappings (Sequence[ValueMapping | None]): How 8-bit colour is made
                of the model's images, for each of its data sets. Defaults
                to (): not compared.

        Returns:
            dict[str, Tensor]: The backbone's tensors, by their names in it.

        Raises:
            ValueError: See :meth:`before_run`.
        """
        parts = _backbone_parts(model)
        weights = state_dict_of(checkpoint, source)
        prefixed = any(name.startswith(_PREFIX) for name in weights)
        prefix = _PREFIX if prefixed else ''
        found = {
            name.removeprefix(prefix): value
            for name, value in weights.items()
            if name.startswith(prefix)
        }
        outside = [name for name in weights if not name.startswith(prefix)]
        self._compare(parts, found, outside, source)
        check_pixel_convention(checkpoint, model.data_preprocessor, source)
        check_style(checkpoint, model.backbone, source)
        for mapping in mappings:
            check_same_values(
                checkpoint,
                getattr(mapping, 'value_range', None),
                getattr(mapping, 'bands', None),
                source,
            )
        warn_of_other_strides(checkpoint, parts.values(), source)
        return found

    def _compare(
        self,
        parts: dict[str, nn.Module],
        found: dict[str, Tensor],
        outside: list[str],
        pretrained: str,
    ) -> None:
        """Sort the names, and raise if the backbone would not be whole."""
        wanted = {
            name: place
            for place, part in parts.items()
            for name in part.state_dict()
            # Of a shared head only the stage: a norm behind it is new.
            if place == 'backbone' or re.match(r'layer\d', name)
        }
        stages = {name.split('.')[0] for name in wanted}
        extra = [name for name in found if name not in wanted]
        self.loaded_keys = [
            f'{place}.{name}'
            for name, place in wanted.items()
            if name in found
        ]
        # Older files lack BN's batch counters, which nothing depends on.
        self.missing_keys = [
            f'{place}.{name}'
            for name, place in wanted.items()
            if name not in found and not name.endswith('num_batches_tracked')
        ]
        self.unexpected_keys = [
            name
            for name in extra
            if name.split('.')[0] in stages or re.match(r'layer\d', name)
        ]
        self.left_keys = [
            *(name for name in extra if name not in self.unexpected_keys),
            *outside,
        ]
        others = [
            f'{place}.{name}: {shape} in the file, {own} in the model'
            for place, part in parts.items()
            for name, (shape, own) in misshapen(part, found).items()
            if wanted.get(name) == place
        ]
        self._raise_if_not_whole(len(wanted), others, stages, pretrained)

    def _raise_if_not_whole(
        self,
        num_wanted: int,
        others: list[str],
        stages: set[str],
        pretrained: str,
    ) -> None:
        # Those of a stage that the detector has: the network would be cut.
        deeper = [
            name
            for name in self.unexpected_keys
            if name.split('.')[0] in stages
            and not name.endswith('num_batches_tracked')
        ]
        if self.missing_keys or others or deeper:
            raise UserValueError(
                f'pretrained={pretrained!r} does not fit the model: of '
                f'its {num_wanted} backbone tensors the file lacks '
                f'{len(self.missing_keys)} ({_first(self.missing_keys)}) and '
                f'has {len(others)} of another shape ({_first(others)}), '
                f'and the model lacks {len(deeper)} of the file '
                f'({_first(deeper)}). Use a backbone of the same architecture '
                'and width, or pretrained=None.'
            )

    def _report(self, runner: Runner, pretrained: str, meta: object) -> None:
        """Log the comparison and keep it in the message hub."""
        runner.logger.info(
            f'Backbone from {pretrained}: {len(self.loaded_keys)} keys '
            f'loaded, {len(self.missing_keys)} missing, '
            f'{len(self.unexpected_keys)} unexpected '
            f'({_first(self.unexpected_keys)}), {len(self.left_keys)} left '
            f'({_first(self.left_keys)}).'
        )
        runner.message_hub.update_info(
            'pretrained_backbone',
            dict(
                checkpoint=pretrained,
                loaded_keys=len(self.loaded_keys),
                missing_keys=list(self.missing_keys),
                unexpected_keys=list(self.unexpected_keys),
                left_keys=len(self.left_keys),
                pretraining=read_pretraining(meta),
            ),
        )


def _load(part: nn.Module, weights: dict[str, Tensor], source: str) -> None:
    """Take the place of a module's ``init_weights``, once."""
    del part.init_weights
    part.init_cfg = None
    if isinstance(part, BaseModule):
        # Its children, of which the file may lack one. Its own may say that
        # it starts from scratch.
        BaseModule.init_weights(part)
    part.load_state_dict(weights, strict=False)
    update_init_info(part, f'loaded from {source}')


def _is_resumed(runner: Runner) -> bool:
    """Whether the run goes on from a checkpoint.

    ``runner._resume`` alone is also true when there is nothing to resume.
    """
    return bool(
        runner._resume
        and (runner._load_from or find_checkpoint_to_resume(runner.work_dir))
    )


def _dataset_of(runner: Runner) -> object:
    return getattr(runner.train_dataloader, 'dataset', None)


def _backbone_parts(model: nn.Module) -> dict[str, nn.Module]:
    """Find the modules that make up the pre-trained network."""
    if not isinstance(getattr(model, 'backbone', None), nn.Module):
        raise UserValueError(
            f'pretrained is set, but {type(model).__name__} has no backbone. '
            'Set pretrained=None.'
        )
    parts = {'backbone': model.backbone}
    shared_head = getattr(
        getattr(model, 'roi_head', None), 'shared_head', None
    )
    if shared_head is not None and any(
        re.match(r'layer\d', name) for name in shared_head.state_dict()
    ):
        parts['roi_head.shared_head'] = shared_head
    return parts


def _first(names: list[str], count: int = 3) -> str:
    """Show the first few of a list."""
    if not names:
        return 'none'
    return ', '.join(names[:count]) + (', ...' if len(names) > count else '')
