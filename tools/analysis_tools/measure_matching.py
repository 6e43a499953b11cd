"""Matching accuracy of backbones on held-out images; it needs no labels.

How often the optimal flow between two views of an image goes to the same
place, from the last map of the frozen backbone, beside the untrained
network, answers that do not look at the image, and a network that knows. The
gain is the accuracy less that with the second view of another image. See
docs/monitors.md.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from comparison_tables import (
    add_checkpoints,
    difference_table,
    reference_of,
    with_error,
)
from held_out_views import check_others, check_overlap, held_out
from mmengine.device import get_device
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from rich.console import Console
from rich.progress import track
from rich.table import Column, Table

import mmselfemd  # noqa: F401  registers everything
from mmselfemd.datasets.data_paths import check_data_paths
from mmselfemd.datasets.image_values import mapping_of
from mmselfemd.engine.command_line import add_cfg_options, run_tool
from mmselfemd.engine.launch import load_config
from mmselfemd.evaluation import (
    matching_figures,
    matching_sums,
    measure_matching,
)
from mmselfemd.evaluation.comparison import compare
from mmselfemd.zoo.frozen_backbone import build_untrained, load_backbone


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='the config of the pre-training')
    add_checkpoints(parser)
    parser.add_argument(
        '--images',
        help='folder of held-out images (default: those of val_dataloader)',
    )
    parser.add_argument('--json', type=Path, metavar='OUT')
    add_cfg_options(parser)
    return parser.parse_args()


def report(sums: Mapping[str, np.ndarray], reference: str) -> dict[str, dict]:
    """Figures of the networks measured so far."""
    compared = compare(sums, matching_figures, reference)
    for name, figures in compared.items():
        num_nodes = sums[name][:, 1, 0]
        figures['num_nodes'] = int(num_nodes.sum())
        figures['num_images'] = int((num_nodes > 0).sum())
    return compared


def show(compared: Mapping[str, Mapping], reference: str) -> None:
    """Print tables."""
    table = Table(
        Column(overflow='fold'),
        'accuracy',
        'other image',
        'gain',
        'same position',
        'chance',
        'best possible',
        'nodes',
        'images',
    )
    for name, figures in compared.items():
        table.add_row(
            name,
            *(
                with_error(figures, key)
                for key in ('accuracy', 'other_image', 'gain')
            ),
            *(
                f'{figures[key]:.3f}'
                for key in ('same_position', 'chance', 'best')
            ),
            str(figures['num_nodes']),
            str(figures['num_images']),
        )
    console = Console()
    console.print(table)
    if len(compared) > 1:
        columns = ('accuracy', 'other_image', 'gain')
        console.print(difference_table(compared, reference, columns))


def main() -> None:
    """Measure the untrained network and every checkpoint."""
    args = parse_args()
    reference = reference_of(args)
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
        path: load_backbone(model, path, mapping_of(cfg, 'val'))
        for path in args.checkpoints
    }
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        batches = Runner.build_dataloader(cfg.val_dataloader)
    check_others(batches)
    device = get_device()
    model.data_preprocessor.to(device)
    sums = {}
    for name, backbone in backbones.items():
        results = measure_matching(
            backbone.to(device),
            model.data_preprocessor,
            track(batches, description=name),
        )
        backbone.cpu()
        sums[name] = matching_sums(results)
        check_overlap(sums[name])
        compared = report(sums, reference)
        if args.json:
            args.json.write_text(json.dumps(compared, indent=2) + '\n')
    show(compared, reference)


if __name__ == '__main__':
    run_tool(main)
