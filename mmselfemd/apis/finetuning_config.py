"""What the config of a fine-tuning says, and why."""

from collections.abc import Sequence

from mmselfemd.plurals import counted

from .architectures import ARCHITECTURES, USUAL_WIDTH, Backbone
from .config_text import Name, Setting
from .detectors import Detector, detector_settings
from .finetuning_rule import BATCH, FinetuningChoice
from .labels import Labels
from .machine import Machine
from .run_folder import value_settings

_NUM_NAMED = 8  # classes


def finetuning_notes(
    labels: Labels,
    backbone: Backbone,
    detector: Detector,
    machine: Machine,
    choice: FinetuningChoice,
) -> list[str]:
    """What was chosen, and why.

    Args:
        labels (Labels): What is learnt.
        backbone (Backbone): What it starts from.
        detector (Detector): The kind of detector.
        machine (Machine): What it is trained on.
        choice (FinetuningChoice): The settings.

    Returns:
        list[str]: A line each.
    """
    images = choice.iterations * choice.batches.num_at_a_time
    named = ', '.join(labels.classes[:_NUM_NAMED])
    more = ', ...' if len(labels.classes) > _NUM_NAMED else ''
    width, if_usual = _width_of(backbone)
    rounds = round(images / labels.num_images)
    lines = [
        f'{counted(labels.num_images, "photograph")} with boxes; {machine}.',
        f'{counted(len(labels.classes), "class")}: {named}{more}.',
        f'Backbone: {backbone.name}{width}.',
        f'Batch: {choice.batches}; published are {BATCH}.',
        f'Learning rate: {choice.learning_rate:g}, in proportion to the '
        f'published {detector.learning_rate:g} for {BATCH} images.',
        f'Length: {counted(choice.iterations, "iteration")}, '
        f'{counted(rounds, "round")} through the photographs; '
        f'an evaluation every {choice.interval}.',
        'Rules of thumb: docs/two_commands.md says where each is from.',
    ]
    if not machine.num_gpus:
        seconds = images * ARCHITECTURES[backbone.name].seconds[1]
        hours = max(1, round(seconds / 3600 / machine.num_cores))
        lines.append(
            f'Without a GPU: about {counted(hours, "hour")}{if_usual}. '
            'Fewer --iterations take less.'
        )
    return lines


def _width_of(backbone: Backbone) -> tuple[str, str]:
    """Words on a width that the seconds of a step are not of."""
    channels = backbone.network.get('base_channels', USUAL_WIDTH)
    if channels == USUAL_WIDTH:
        return '', ''
    return (
        f', of {channels} channels where {USUAL_WIDTH} are usual',
        ', were the backbone of the usual width',
    )


def finetuning_settings(
    pretrained: str | None,
    ann_files: Sequence[str],
    folders: Sequence[str],
    backbone: Backbone,
    detector: Detector,
    labels: Labels,
    values: dict,
    choice: FinetuningChoice,
) -> list[Setting]:
    """What differs from the config that is inherited.

    Args:
        pretrained (str, optional): Where the backbone comes from; None:
            random weights.
        ann_files (Sequence[str]): Of training and of validation.
        folders (Sequence[str]): Of their images.
        backbone (Backbone): What is in ``pretrained``.
        detector (Detector): The kind of detector.
        labels (Labels): What is learnt.
        values (dict): ``value_range`` and ``bands``, or None for each.
        choice (FinetuningChoice): The settings that were chosen.

    Returns:
        list[Setting]: Settings.
    """
    model = detector_settings(detector, backbone, len(labels.classes))
    return [
        Setting('pretrained', pretrained, f'A {backbone.name}.'),
        Setting('model', model),
        *value_settings(values),
        Setting(
            'metainfo',
            dict(classes=labels.classes),
            'The categories that have boxes, in the order of the file.',
        ),
        *_data(ann_files, folders, labels, choice),
        *_schedule(choice),
        Setting('randomness', dict(seed=0)),
    ]


def _data(
    ann_files: Sequence[str],
    folders: Sequence[str],
    labels: Labels,
    choice: FinetuningChoice,
) -> list[Setting]:
    batches = choice.batches
    train, val = (
        dict(
            data_root='',
            ann_file=ann_file,
            data_prefix=dict(img=folder),
            metainfo=Name('metainfo'),
        )
        for ann_file, folder in zip(ann_files, folders, strict=True)
    )
    loader = dict(
        batch_size=batches.batch_size,
        num_workers=batches.num_workers,
        dataset=train,
    )
    settings = [
        Setting('num_processes', batches.num_processes, f'{batches}.'),
        Setting('train_dataloader', loader),
        Setting(
            'val_dataloader',
            dict(num_workers=batches.num_workers, dataset=val),
        ),
        Setting('test_dataloader', Name('val_dataloader')),
        Setting('val_evaluator', dict(ann_file=ann_files[1])),
        Setting('test_evaluator', Name('val_evaluator')),
    ]
    if labels.has_other_masks:
        settings.append(
            Setting(
                '_base_.train_dataloader.dataset.pipeline[1].poly2mask',
                True,
                'Some masks are no polygons.',
            )
        )
    return settings


def _schedule(choice: FinetuningChoice) -> list[Setting]:
    end = Name('max_iters')
    rise = dict(
        type='LinearLR',
        start_factor=0.001,
        by_epoch=False,
        begin=0,
        end=choice.warm_up,
    )
    fall = dict(
        type='MultiStepLR',
        by_epoch=False,
        begin=0,
        end=end,
        milestones=list(choice.milestones),
        gamma=0.1,
    )
    batches = choice.batches
    return [
        Setting(
            'max_iters',
            choice.iterations,
            f'Batches of {batches.num_at_a_time}. Learning rate, evaluations '
            'and checkpoints go by the same count.',
        ),
        Setting(
            'train_cfg', dict(max_iters=end, val_interval=choice.interval)
        ),
        Setting('param_scheduler', [rise, fall]),
        Setting(
            'optim_wrapper',
            dict(
                optimizer=dict(lr=choice.learning_rate),
                accumulative_counts=batches.accumulative_counts,
            ),
        ),
        Setting('auto_scale_lr', dict(base_batch_size=batches.num_images)),
        Setting(
            'default_hooks',
            dict(
                checkpoint=dict(interval=choice.interval),
                precise_bn=dict(num_images=choice.precise_bn_images),
            ),
        ),
    ]
