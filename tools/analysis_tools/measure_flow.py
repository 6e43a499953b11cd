"""Where the flow of the loss goes, on held-out images; it needs no labels.

How much of the flow between two views of an image goes to the same place, by
what is compared: what the loss compares (the head's prediction and the key),
or what it could compare, down to the backbone's maps; before training and
after it, beside answers that do not look at the image. See docs/monitors.md.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from comparison_tables import with_error
from held_out_views import check_others, check_overlap, held_out
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from rich.console import Console
from rich.progress import track
from rich.table import Column, Table

import mmselfemd  # noqa: F401  registers everything
from mmselfemd.datasets.data_paths import check_data_paths
from mmselfemd.engine.command_line import add_cfg_options, run_tool
from mmselfemd.engine.launch import load_config
from mmselfemd.errors import UserError
from mmselfemd.evaluation.comparison import compare
from mmselfemd.evaluation.flow_sources import (
    find_pyramid,
    flow_figures,
    measure_flows,
)
from mmselfemd.models import SelfEMD
from mmselfemd.zoo.frozen_backbone import build_untrained, load_model

#: What the others are compared with: the flow of the loss.
REFERENCE = 'prediction'

#: What knows nothing, and what knows all.
CONTROLS = {
    'node i to i': 'same_position',
    'chance': 'chance',
    'best possible': 'best',
}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='the config of the pre-training')
    parser.add_argument(
        'checkpoints',
        nargs='*',
        metavar='checkpoint',
        help='checkpoints of pre-training, heads and all; the untrained '
        'network is always measured',
    )
    parser.add_argument(
        '--images',
        help='folder of held-out images (default: those of val_dataloader)',
    )
    parser.add_argument('--json', type=Path, metavar='OUT')
    add_cfg_options(parser)
    return parser.parse_args()


def report(sums: Mapping[str, np.ndarray]) -> dict[str, dict]:
    """Figures of a network, by what is compared."""
    compared = compare(sums, flow_figures, REFERENCE)
    for source, figures in compared.items():
        figures['num_images'] = len(sums[source])
    return compared


def show(network: str, compared: Mapping[str, Mapping]) -> None:
    """Print the table of a network, with its controls."""
    loss = compared[REFERENCE]
    table = Table(
        Column('compared', no_wrap=True),
        'right share',
        'to another image',
        'accuracy',
        'other image',
        title=f'{network}: {loss["num_images"]} images',
    )
    columns = ('right_share', 'right_share_other_image')
    columns += ('accuracy', 'other_image')
    for source, figures in compared.items():
        cells = (with_error(figures, name) for name in columns)
        table.add_row(source, *cells, end_section=source == 'backbone')
    for label, name in CONTROLS.items():
        share = with_error(loss, f'right_share_{name}')
        table.add_row(label, share, '', with_error(loss, name), '')
    Console().print(table)


def models_of(args: argparse.Namespace, cfg: Config) -> dict[str, SelfEMD]:
    """All of them, before the first is measured: no mistake loses work."""
    models = {}
    for name in ('untrained', *args.checkpoints):
        model = build_untrained(cfg)
        if find_pyramid(model) is None:
            raise UserError(
                f'{args.config} has no flow between the nodes of a pyramid: '
                'expected the config of a SelfEMD with an EMDHead and an '
                'SPCNeck'
            )
        if name == 'untrained':
            model.reset_key()  # as training begins
        else:
            load_model(model, name)
        models[name] = model
    return models


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
    models = models_of(args, cfg)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        batches = Runner.build_dataloader(cfg.val_dataloader)
    check_others(batches)
    compared = {}
    for name, model in models.items():
        sums = measure_flows(
            model.to(get_device()), track(batches, description=name)
        )
        model.cpu()
        check_overlap(sums[REFERENCE])
        compared[name] = report(sums)
        show(name, compared[name])
        if args.json:
            args.json.write_text(json.dumps(compared, indent=2) + '\n')


if __name__ == '__main__':
    run_tool(main)
