"""Colours that were drawn and that nobody would change."""

from collections.abc import Iterator
from typing import Any

from mmengine.config import Config

from mmselfemd.errors import UserError
from mmselfemd.models.data_preprocessors import PhotometricPreprocessor
from mmselfemd.registry import MODELS

from .pipelines import pipelines_of, type_name


def check_colour_changes(cfg: Config) -> None:
    """Raise if what ``DrawPhotometric`` draws would never be done.

    The views would go into the network as they were cut: a run without colour
    augmentation, which says nothing.

    Args:
        cfg (Config): The config, with the command line's settings.

    Raises:
        UserError: If ``DrawPhotometric`` is in a pipeline and the data
            preprocessor is not a :class:`PhotometricPreprocessor`, or the
            pipeline does not pack ``views``.
    """
    for split in ('train', 'val', 'test'):
        loader = cfg.get(f'{split}_dataloader') or {}
        for pipeline in pipelines_of(loader):
            if 'DrawPhotometric' not in set(_types(pipeline)):
                continue
            where = f'{split}_dataloader: its pipeline has DrawPhotometric, '
            _check_preprocessor(cfg, where)
            _check_packing(pipeline, where)


def _check_preprocessor(cfg: Config, where: str) -> None:
    own = (cfg.get('model') or {}).get('data_preprocessor')
    name = (own or cfg.get('data_preprocessor') or {}).get('type')
    found = MODELS.get(name) if isinstance(name, str) else name
    if found is None or not issubclass(found, PhotometricPreprocessor):
        raise UserError(
            f'{where}which changes no pixel itself, but the data preprocessor '
            f'is {name!r}: colours would never change. Set data_preprocessor='
            "dict(type='mmselfemd.PhotometricPreprocessor', ...), or take the "
            'pipeline of configs/_base_/datasets/coco_views_on_host.py'
        )


def _check_packing(pipeline: list, where: str) -> None:
    for step in pipeline:
        if type_name(step) == 'PackInputs' and 'views' not in step.get(
            'meta_keys', ()
        ):
            raise UserError(
                f"{where}but PackInputs does not have 'views' among its "
                'meta_keys: what was drawn would be lost. Add it there'
            )


def _types(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield type_name(node)
        node = list(node.values())
    if isinstance(node, list | tuple):
        for child in node:
            yield from _types(child)
