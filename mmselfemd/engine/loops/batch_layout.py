"""Whether a resumed run deals out its images as before."""

import logging

from mmengine.dist import get_world_size
from mmengine.logging import MessageHub, print_log
from torch.utils.data import DataLoader

from mmselfemd.engine.model import batch_size_of
from mmselfemd.errors import UserValueError

_LAYOUT = 'train_layout'  # in the message hub, and so in checkpoints


def check_layout(
    message_hub: MessageHub,
    loader: DataLoader,
    accumulative_counts: int,
    by_epoch: bool,
) -> None:
    """Compare how images are dealt out with the checkpoint, and note it.

    By epoch, other batches in an epoch are refused: learning rate, key
    momentum and what is past are counted in iterations, so that a cosine
    would end early, or never. A checkpoint without a note is not compared.

    Args:
        message_hub (MessageHub): The runner's, with the note of the
            checkpoint if the run is resumed.
        loader (DataLoader): The loader of the training data.
        accumulative_counts (int): Batches a step of the optimiser.
        by_epoch (bool): Whether the loop counts epochs.

    Raises:
        UserValueError: If ``by_epoch``, and an epoch has another number of
            batches than before.
    """
    layout = {
        'processes': get_world_size(),
        'train_dataloader.batch_size': batch_size_of(loader),
        'optim_wrapper.accumulative_counts': accumulative_counts,
        'images': len(loader.dataset),
        'batches of an epoch': len(loader),
    }
    former = message_hub.get_info(_LAYOUT, layout)
    message_hub.update_info(_LAYOUT, layout)
    changes = ', '.join(
        f'{name} {value} ({former[name]} before)'
        for name, value in layout.items()
        if former.get(name, value) != value
    )
    if by_epoch and former['batches of an epoch'] != len(loader):
        raise UserValueError(
            f'Cannot resume with {changes}: learning rate and momentum go by '
            'iterations, and would no longer end with the last epoch. Keep '
            'processes x batch_size and accumulative_counts as they were; or '
            'start from the weights alone: load_from, without --resume.'
        )
    if changes:
        print_log(
            f'Resumed with {changes}: views stay the same image by image; '
            'batches do not, and the losses will not be those of a run '
            'without an interruption.',
            logger='current',
            level=logging.WARNING,
        )
