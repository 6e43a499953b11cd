"""Matching accuracy of backbones on held-out images; it needs no labels.

How often the optimal flow between two views of an image goes to the same
place, from the last map of the frozen backbone, beside the untrained
network, chance, and a network that knows the answer. See docs/monitors.md.
"""

import argparse
import json
from pathlib import Path

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from rich.console import Console
from rich.progress import track
from rich.table import Table

import mmselfemd  # noqa: F401  registers everything
from mmselfemd.datasets.data_paths import check_data_paths
from mmselfemd.engine.command_line import add_cfg_options, run_tool
from mmselfemd.engine.launch import load_config
from mmselfemd.errors import UserError
from mmselfemd.evaluation import measure_matching
from mmselfemd.visualization.view_pipeline import view_pipeline
from mmselfemd.zoo.frozen_backbone import build_untrained, load_backbone


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='the config of the pre-training')
    parser.add_argument(
        'checkpoints',
        nargs='*',
        metavar='checkpoint',
        help='checkpoints of pre-training, or extracted backbones; the '
        'untrained network is always measured',
    )
    parser.add_argument(
        '--images',
        help='folder of held-out images (default: those of val_dataloader)',
    )
    parser.add_argument('--json', type=Path, metavar='OUT')
    add_cfg_options(parser)
    return parser.parse_args()


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
        loader['dataset'] |= dict(
            data_root=images, data_prefix='', ann_file=''
        )
    return loader


def main() -> None:
    """Measure the untrained network and every checkpoint."""
    args = parse_args()
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
    cfg = load_config(args.config, cfg_options=args.cfg_options)
    cfg.val_dataloader = held_out(cfg, args.images)
    check_data_paths(cfg, ['val'])
    # How each weight was initialised would fill the screen.
    MMLogger.get_current_instance().setLevel('WARNING')
    model = build_untrained(cfg)
    # All are read before the first is measured: a wrong one loses no work.
    backbones = {'untrained': model.backbone} | {
        path: load_backbone(model, path) for path in args.checkpoints
    }
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        batches = Runner.build_dataloader(cfg.val_dataloader)
    device = get_device()
    model.data_preprocessor.to(device)
    table = Table('', 'accuracy', 'chance', 'best possible', 'nodes')
    results = {}
    for name, backbone in backbones.items():
        result = measure_matching(
            backbone.to(device),
            model.data_preprocessor,
            track(batches, description=name),
        )
        backbone.cpu()
        results[name] = result._asdict()
        shares = (f'{value:.3f}' for value in result[:3])
        table.add_row(name, *shares, str(result.num_nodes))
        if args.json:
            args.json.write_text(json.dumps(results, indent=2) + '\n')
    Console().print(table)


if __name__ == '__main__':
    run_tool(main)
