"""The configs of a comparison's runs, written out whole.

All detectors of a fraction are trained by one file; what they begin with, the
seed and the place of their results are options of the command.
"""

from copy import deepcopy
from inspect import signature
from pathlib import Path

from mmengine.config import Config

from mmselfemd.datasets import ObjectDataset
from mmselfemd.datasets.data_paths import walk
from mmselfemd.datasets.pipelines import type_name
from mmselfemd.errors import UserValueError
from mmselfemd.settings.run_length import (
    counts_epochs,
    iterations_of,
    set_iterations,
)

#: So many checkpoints a run has from its start to its end.
NUM_CHECKPOINTS = 10


def pretraining_config(
    base: Config,
    images: Path,
    names: Path,
    num_images: int,
    iterations: int,
) -> Config:
    """A pre-training on the unlabelled photographs.

    Args:
        base (Config): The config that it follows; left as it is.
        images (Path): Folder of the photographs.
        names (Path): List of their paths below it.
        num_images (int): How many these are.
        iterations (int): How long it is to be.

    Returns:
        Config: The config, of the nearest number of whole epochs.

    Raises:
        UserError: If the base is no config of pre-training.
    """
    cfg = deepcopy(base)
    dataset = (cfg.get('train_dataloader') or {}).get('dataset') or {}
    if not type_name(dataset).endswith('UnlabelledDataset'):
        raise UserValueError(
            f'{cfg.filename} is not the config of a pre-training on images '
            'without labels: its train_dataloader.dataset is no '
            'UnlabelledDataset'
        )
    dataset.update(
        data_root='',
        data_prefix=f'{images.resolve()}/',
        ann_file=str(names.resolve()),
        img_suffix='',
    )
    for part in ('every', 'indices'):  # all that are listed
        dataset.pop(part, None)
    _drop_validation(cfg)
    set_iterations(cfg, iterations, num_images)
    set_intervals(cfg)
    cfg.pop('work_dir')
    return cfg


def learns_from_boxes(cfg: Config) -> bool:
    """Whether a pre-training takes boxes and their classes.

    Args:
        cfg (Config): Its config.

    Returns:
        bool: Else it takes photographs without labels.
    """
    dataset = (cfg.get('train_dataloader') or {}).get('dataset') or {}
    return type_name(dataset).endswith('MontageDataset')


def smallest_side(cfg: Config) -> float:
    """Of the boxes that a pre-training learns from.

    Args:
        cfg (Config): The config of one that does.

    Returns:
        float: Pixels; boxes with a shorter side are left out.
    """
    default = signature(ObjectDataset).parameters['min_size'].default
    return labels_node(cfg, 'train_dataloader').get('min_size', default)


def montage_config(
    base: Config,
    train: tuple[Path, Path],
    classes: tuple[str, ...],
    num_montages: int,
    iterations: int,
) -> Config:
    """A pre-training on the boxes that a detector is to learn from.

    Args:
        base (Config): The config that it follows; left as it is.
        train (tuple[Path, Path]): Annotations, and the folder of their
            images.
        classes (tuple[str, ...]): Names of the classes.
        num_montages (int): How many an epoch has.
        iterations (int): How long it is to be.

    Returns:
        Config: The config, of the nearest number of whole epochs, where it
        counts these.

    Raises:
        UserError: If the montages are too few for one step.
    """
    cfg = deepcopy(base)
    _set_data(cfg, 'train_dataloader', train, classes, 'ObjectDataset')
    montages = cfg.train_dataloader.dataset
    former = iterations_of(cfg, montages.get('length') or num_montages)
    montages.length = num_montages
    cfg.model.head.num_classes = len(classes)
    _drop_validation(cfg)
    length = set_iterations(cfg, iterations, num_montages)
    weighting = cfg.default_hooks.get('label_weights')
    if weighting:  # as often in the run as before
        interval = round(weighting.interval * length / former)
        weighting.interval = max(1, interval)
    set_intervals(cfg)
    cfg.pop('work_dir')
    return cfg


def detector_config(
    base: Config,
    train: tuple[Path, Path],
    val: tuple[Path, Path],
    classes: tuple[str, ...],
    num_images: int,
    iterations: int,
    evaluations: int = 4,
) -> Config:
    """A detector of the labelled photographs, from random weights.

    Args:
        base (Config): The config that it follows; left as it is.
        train (tuple[Path, Path]): Annotations for training, and the folder of
            their images.
        val (tuple[Path, Path]): The same for evaluation.
        classes (tuple[str, ...]): Names of the classes.
        num_images (int): Images of ``train``.
        iterations (int): How long it is to be.
        evaluations (int): How many there are on the way, with that at the
            end. Defaults to 4.

    Returns:
        Config: The config.

    Raises:
        UserError: If the base is no config of a detector, or trains on
            several data sets.
    """
    cfg = deepcopy(base)
    if cfg.get('default_scope') != 'mmdet' or 'pretrained' not in cfg:
        raise UserValueError(
            f'{cfg.filename} is not the config of a detector of this '
            "project: it has no variable 'pretrained' "
            '(configs/detection/README.md)'
        )
    cfg.pretrained = None
    for split, labels in dict(train=train, val=val).items():
        _set_data(cfg, f'{split}_dataloader', labels, classes, 'CocoDataset')
    cfg.test_dataloader = deepcopy(cfg.val_dataloader)
    cfg.val_evaluator = dict(
        type='CocoMetric',
        ann_file=str(val[0].resolve()),
        metric='bbox',
        outfile_prefix=None,
    )
    cfg.test_evaluator = deepcopy(cfg.val_evaluator)
    for where, node in walk(cfg.model, 'model'):
        if 'num_classes' in node and 'rpn' not in where:
            node['num_classes'] = len(classes)
    set_iterations(cfg, iterations, num_images)
    set_intervals(cfg, evaluations)
    if logger := cfg.default_hooks.get('logger'):
        logger.log_metric_by_epoch = False  # the report's curve, by iteration
    cfg.pop('work_dir')
    return cfg


def last_checkpoint(cfg: Config) -> str:
    """Name of the file that a run leaves at its end.

    Args:
        cfg (Config): Its config.

    Returns:
        str: Such as ``epoch_20.pth``.
    """
    if counts_epochs(cfg):
        return f'epoch_{cfg.train_cfg.max_epochs}.pth'
    return f'iter_{cfg.train_cfg.max_iters}.pth'


def _drop_validation(cfg: Config) -> None:
    """That of pre-training, of the matching: the detectors decide."""
    for split in ('val', 'test'):
        for part in ('dataloader', 'cfg', 'evaluator'):
            cfg[f'{split}_{part}'] = None


def set_intervals(cfg: Config, num_evaluations: int = 1) -> None:
    """How often a run is evaluated, and keeps a checkpoint.

    Args:
        cfg (Config): Its config, of the length that it is to have.
        num_evaluations (int): How many there are, with that at the end.
            Defaults to 1.
    """
    length = cfg.train_cfg.get('max_epochs') or cfg.train_cfg.max_iters
    cfg.train_cfg.val_interval = -(-length // num_evaluations)
    cfg.default_hooks.checkpoint.update(
        interval=-(-length // NUM_CHECKPOINTS), max_keep_ckpts=1
    )


def _set_data(
    cfg: Config,
    name: str,
    labels: tuple[Path, Path],
    classes: tuple[str, ...],
    dataset: str,
) -> None:
    file, folder = labels
    node = labels_node(cfg, name)
    metainfo = dict(node.get('metainfo') or {})
    metainfo.pop('palette', None)
    node.update(
        type=dataset,
        data_root='',
        ann_file=str(file.resolve()),
        data_prefix=dict(img=f'{folder.resolve()}/'),
        metainfo=metainfo | dict(classes=classes),
    )
    node.pop('ann_subdir', None)  # VOC's


def labels_node(cfg: Config, name: str) -> dict:
    """The one data set of a loader that reads files.

    Args:
        cfg (Config): A config.
        name (str): Of the loader.

    Returns:
        dict: Its part of the config.

    Raises:
        UserValueError: If there is not exactly one.
    """
    nodes = [
        node
        for _, node in walk(cfg[name].dataset, '')
        if node.get('ann_file') is not None
    ]
    if len(nodes) != 1:
        raise UserValueError(
            f'{cfg.filename}: {name} reads {len(nodes)} lists of images; take '
            'a config that reads one'
        )
    return nodes[0]
