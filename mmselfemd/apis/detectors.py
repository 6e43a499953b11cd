"""Detectors that are fine-tuned without a config."""

from typing import NamedTuple

from mmselfemd.errors import UserError

from .architectures import Backbone


class Detector(NamedTuple):
    """A kind of detector.

    Attributes:
        config (str): The config that others inherit.
        heads (tuple[str, ...]): Dotted paths, below the model, of the heads
            that have a number of classes.
        learning_rate (float): The published one for 16 images a step.
        has_masks (bool): Whether it learns masks.
    """

    config: str
    heads: tuple[str, ...]
    learning_rate: float = 0.02
    has_masks: bool = False


_CONFIG = 'mmselfemd::detection/coco/{}_r50_fpn_syncbn_90k_coco.py'

#: By the names of the command line.
DETECTORS = {
    'faster-rcnn': Detector(
        _CONFIG.format('faster-rcnn'), ('roi_head.bbox_head',)
    ),
    'mask-rcnn': Detector(
        _CONFIG.format('mask-rcnn'),
        ('roi_head.bbox_head', 'roi_head.mask_head'),
        has_masks=True,
    ),
    'retinanet': Detector(
        _CONFIG.format('retinanet'), ('bbox_head',), learning_rate=0.01
    ),
}


def find_detector(name: str) -> Detector:
    """Look a detector up.

    Args:
        name (str): Its name.

    Returns:
        Detector: It.

    Raises:
        UserError: If it is none of the known ones.
    """
    if name not in DETECTORS:
        raise UserError(
            f'--detector {name}: known are {", ".join(DETECTORS)}. Others '
            'need a config of your own, which configs/detection/README.md '
            'shows'
        )
    return DETECTORS[name]


def detector_settings(
    detector: Detector, backbone: Backbone, num_classes: int
) -> dict:
    """What differs in ``model`` from a detector's config.

    Args:
        detector (Detector): The detector.
        backbone (Backbone): Its backbone.
        num_classes (int): Of each head.

    Returns:
        dict: Settings.
    """
    model: dict = _backbone_settings(backbone)
    if pixels := backbone.convention.get('pixel_convention'):
        model['data_preprocessor'] = _pixels(pixels)
    for path in detector.heads:
        node = model
        for part in path.split('.'):
            node = node.setdefault(part, {})
        node['num_classes'] = num_classes
    return {name: value for name, value in model.items() if value}


def _backbone_settings(backbone: Backbone) -> dict:
    """The network and the widths of its maps, where not ResNet-50's."""
    network = dict(backbone.network)
    if network['type'] == 'MobileNetV2':
        # As in configs/detection/coco/faster-rcnn_mobilenet-v2_*.
        own = dict(
            _delete_=True,
            type='mmpretrain.MobileNetV2',
            out_indices=(1, 2, 4, 7),
            norm_cfg=dict(type='SyncBN'),
        )
        return dict(backbone=own, neck=dict(in_channels=[24, 32, 96, 1280]))
    usual = dict(type='ResNet', depth=50, stem_channels=64, base_channels=64)
    own = {n: v for n, v in network.items() if usual.get(n) != v}
    if backbone.convention.get('style', 'pytorch') != 'pytorch':
        own['style'] = backbone.convention['style']
    width = network.get('base_channels', 64)
    width *= 1 if network['depth'] < 50 else 4
    widths = [width, 2 * width, 4 * width, 8 * width]
    neck = dict(in_channels=widths) if width != 256 else {}
    return dict(backbone=own, neck=neck)


def _pixels(convention: dict) -> dict:
    """What differs from this project's, which the config has."""
    usual = dict(
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    )
    given = dict(
        mean=list(convention['mean']),
        std=list(convention['std']),
        bgr_to_rgb=convention['channel_order'] == 'RGB',
    )
    return {} if given == usual else given
