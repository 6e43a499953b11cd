"""The held-out views that the measuring tools look at."""

import numpy as np
from mmengine.config import Config
from torch.utils.data import DataLoader

from mmselfemd.errors import UserError
from mmselfemd.visualization.view_pipeline import view_pipeline


def held_out(cfg: Config, images: str | None) -> dict:
    """Data loader of the config's validation, or of a folder."""
    loader = cfg.get('val_dataloader')
    if loader is None and images is None:
        raise UserError(
            f'{cfg.filename} validates nothing: name a folder of held-out '
            'images with --images'
        )
    if loader is None:  # another method: its first two views are measured
        loader = dict(
            batch_size=32,
            num_workers=2,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='default_collate'),
            dataset=dict(
                type='UnlabelledDataset',
                indices=512,
                seed=0,
                pipeline=view_pipeline(cfg),
            ),
        )
    if images is not None:
        # Meant for the config's own folder; of another it may skip most.
        loader['dataset'].pop('every', None)
        loader['dataset'] |= dict(
            data_root=images, data_prefix='', ann_file=''
        )
    return loader


def check_others(batches: DataLoader) -> None:
    """Raise if no image has another in its batch."""
    if min(batches.batch_size, len(batches.dataset)) < 2:
        raise UserError(
            f'{len(batches.dataset)} held-out images in batches of '
            f'{batches.batch_size}: matching accuracy is held against that '
            'with the next image of the batch, which takes at least 2. '
            'Set val_dataloader.batch_size, or name more images.'
        )


def check_overlap(sums: np.ndarray) -> None:
    """Raise if there is nothing to match."""
    if not sums.any():
        raise UserError(
            f'The two views of none of the {len(sums)} held-out images '
            'overlap: matching accuracy is unknown. Name more images.'
        )
