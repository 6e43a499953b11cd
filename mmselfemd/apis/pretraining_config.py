"""What the config of a pre-training says, and why."""

from mmselfemd.errors import UserError
from mmselfemd.plurals import counted
from mmselfemd.zoo.pixels import LAYOUT

from .architectures import (
    ARCHITECTURES,
    USUAL_WIDTH,
    Architecture,
    Backbone,
)
from .config_text import Name, Setting
from .machine import Machine
from .pretraining_rule import (
    BATCH,
    MOMENTUM,
    RATE,
    WARM_UP,
    PretrainingChoice,
)
from .run_folder import value_settings


def pretraining_notes(
    num_images: int,
    architecture: Architecture,
    machine: Machine,
    choice: PretrainingChoice,
) -> list[str]:
    """What was chosen, and why.

    Args:
        num_images (int): Photographs that there are.
        architecture (Architecture): What is trained.
        machine (Machine): What it is trained on.
        choice (PretrainingChoice): The settings.

    Returns:
        list[str]: A line each.
    """
    lines = [
        f'{counted(num_images, "photograph")}; {machine}.',
        f'Batch: {choice.batches}; published are {BATCH}.',
        f'Learning rate: {choice.learning_rate:g}, in proportion to the '
        f'published {RATE:g} for {BATCH} images.',
        f'Length: {counted(choice.epochs, "epoch")}, '
        f'{counted(choice.steps, "step")}; a checkpoint every '
        f'{choice.interval}.',
        'Rules of thumb: docs/two_commands.md says where each is from.',
    ]
    if not machine.num_gpus:
        seconds = num_images * choice.epochs * architecture.seconds[0]
        hours = max(1, round(seconds / 3600 / machine.num_cores))
        small = ARCHITECTURES['resnet18']
        is_slower = architecture.seconds[0] > small.seconds[0]
        advice = '--arch resnet18 and fewer' if is_slower else 'Fewer'
        own = architecture.backbone.get('base_channels', USUAL_WIDTH)
        if_usual = ', were it of the usual width' * (own != USUAL_WIDTH)
        lines.append(
            f'Without a GPU: about {counted(hours, "hour")}{if_usual}. '
            f'{advice} --epochs take less.'
        )
    return lines


def init_settings(init: str, backbone: Backbone) -> list[Setting]:
    """The weights to start from, with the pixels and strides they want.

    Args:
        init (str): A file, or an address.
        backbone (Backbone): What is in it.

    Returns:
        list[Setting]: Settings.

    Raises:
        UserError: If it was trained on BGR.
    """
    convention = backbone.convention
    settings = [Setting('pretrained', init, 'The weights to start from.')]
    if pixels := convention.get('pixel_convention'):
        if pixels['channel_order'] != 'RGB':
            raise UserError(
                f'--init {init} was trained on BGR, and the changes of colour '
                'of a pre-training are for RGB. Start from other weights'
            )
        own = dict(mean=list(pixels['mean']), std=list(pixels['std']))
        settings.append(
            Setting('data_preprocessor', own, 'Their mean and deviation.')
        )
    if backbone.network['type'] == 'MobileNetV2':
        return settings
    return settings + [
        Setting(f'_base_.model.backbone.{name}', convention[name])
        for name in LAYOUT
        if name in convention
    ]


def pretraining_settings(
    images: str,
    num_images: int,
    architecture: Architecture,
    values: dict,
    choice: PretrainingChoice,
) -> list[Setting]:
    """What differs from the config that is inherited.

    Args:
        images (str): Folder of the photographs.
        num_images (int): How many there are.
        architecture (Architecture): What is trained.
        values (dict): ``value_range`` and ``bands``, or None for each.
        choice (PretrainingChoice): The settings that were chosen.

    Returns:
        list[Setting]: Settings.
    """
    return [
        *_network(architecture),
        *value_settings(values),
        *_data(images, num_images, choice),
        *_schedule(choice),
        Setting('randomness', dict(seed=0)),
    ]


def _network(architecture: Architecture) -> list[Setting]:
    if not architecture.backbone:
        return []
    return [
        Setting('model', dict(backbone=architecture.backbone), 'The network.'),
        Setting('_base_.model.neck[0].in_channels', architecture.channels),
    ]


def _sample(num_images: int, choice: PretrainingChoice) -> dict:
    """From the whole of the folder, whose neighbours may be alike."""
    every = num_images // choice.val_images
    found = dict(indices=choice.val_images)
    return found | dict(every=every) if every > 1 else found


def _data(
    images: str, num_images: int, choice: PretrainingChoice
) -> list[Setting]:
    batches, folder = choice.batches, dict(data_root=images, data_prefix='')
    return [
        Setting('num_processes', batches.num_processes, f'{batches}.'),
        Setting(
            'train_dataloader',
            dict(
                batch_size=batches.batch_size,
                num_workers=batches.num_workers,
                dataset=folder,
            ),
        ),
        Setting(
            'optim_wrapper',
            dict(
                optimizer=dict(lr=choice.learning_rate),
                accumulative_counts=batches.accumulative_counts,
            ),
        ),
        Setting('auto_scale_lr', dict(base_batch_size=batches.num_images)),
        Setting(
            'val_dataloader',
            dict(dataset=dict(**folder, **_sample(num_images, choice))),
            'Matching accuracy (docs/monitors.md), on some of the same '
            'photographs.',
        ),
        Setting('test_dataloader', Name('val_dataloader')),
    ]


def _schedule(choice: PretrainingChoice) -> list[Setting]:
    hooks = dict(checkpoint=dict(interval=choice.interval))
    settings = [
        Setting(
            'train_cfg',
            dict(max_epochs=choice.epochs, val_interval=choice.interval),
            f'{choice.steps} steps of the optimiser in all.',
        )
    ]
    if choice.warm_up != WARM_UP:
        settings += [
            Setting(
                '_base_.param_scheduler[0].end',
                choice.warm_up,
                'Epochs over which the learning rate rises.',
            ),
            Setting('_base_.param_scheduler[1].begin', choice.warm_up),
        ]
    comment = 'Epochs from one checkpoint to the next.'
    if choice.momentum != MOMENTUM:
        hooks['momentum_update'] = dict(base_momentum=choice.momentum)
        comment += ' A short run has no time for a slow average.'
    return [*settings, Setting('default_hooks', hooks, comment)]
