"""Angles between the gradients of the similarity on a model's features.

One batch of a pre-training config's own pipeline goes through the model,
untrained or from a checkpoint of a run, and the gradients `envelope`,
`implicit` and `unroll` of each transport problem are held against each other.
See docs/transport.md.
"""

import argparse
import json
from copy import deepcopy
from pathlib import Path

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from mmengine.runner import Runner, set_random_seed
from rich.console import Console
from rich.table import Table

import mmselfemd  # noqa: F401  registers everything
from mmselfemd.datasets.data_paths import check_data_paths
from mmselfemd.engine.command_line import add_cfg_options, run_tool
from mmselfemd.engine.launch import load_config
from mmselfemd.errors import UserError
from mmselfemd.evaluation.gradients import compare_gradients, node_pairs
from mmselfemd.models import SelfEMD
from mmselfemd.visualization.view_pipeline import view_pipeline
from mmselfemd.zoo.frozen_backbone import build_untrained, load_model


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='the config of the pre-training')
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='a checkpoint of that run; without one, the untrained network',
    )
    parser.add_argument(
        '--images',
        metavar='DIR',
        help="a folder of images, instead of the config's",
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='of the images drawn, the views'
    )
    parser.add_argument('--json', type=Path, metavar='OUT')
    add_cfg_options(parser)
    return parser.parse_args()


def read_config(args: argparse.Namespace) -> Config:
    """Read the config, with the folder of images put into it."""
    cfg = load_config(args.config, cfg_options=args.cfg_options)
    if args.images:
        cfg.train_dataloader.dataset = dict(
            type='UnlabelledDataset',
            data_root=args.images,
            pipeline=view_pipeline(cfg),
        )
    check_data_paths(cfg, ['train'])
    return cfg


def build_model(cfg: Config, checkpoint: str | None) -> SelfEMD:
    """Build the model, as it is at iteration 0 or in a checkpoint."""
    model = build_untrained(cfg)
    if not isinstance(model, SelfEMD):
        raise UserError(
            f'{cfg.filename} describes a {type(model).__name__}, which has no '
            'transport: expected SelfEMD, as in configs/selfemd'
        )
    model.reset_key()
    if checkpoint is not None:
        load_model(model, checkpoint)
    return model


def first_batch(cfg: Config, seed: int) -> dict:
    """One batch of the training pipeline, always the same for a seed."""
    loader = deepcopy(cfg.train_dataloader)
    loader.update(num_workers=0, persistent_workers=False, drop_last=False)
    set_random_seed(seed)
    with DefaultScope.overwrite_default_scope('mmselfemd'):
        return next(iter(Runner.build_dataloader(loader, seed=seed)))


def show(results: dict) -> None:
    """Print a table."""
    settings = results['settings']
    table = Table(
        'by',
        'gradients',
        'angle, degrees',
        'ratio of lengths',
        title=f'{results["num_problems"]} problems, '
        f'gamma={settings["gamma"]}, max_iters={settings["max_iters"]}',
        caption='mean +- standard deviation over the problems',
    )
    for by in ('cost', 'query'):
        for name, found in results[by].items():
            table.add_row(
                by,
                name.replace('-', ', '),
                f'{found["angle"]:.2f} +- {found["angle_std"]:.2f}',
                f'{found["length_ratio"]:.3f} '
                f'+- {found["length_ratio_std"]:.3f}',
            )
        table.add_section()
    Console().print(table)


def main() -> None:
    """Measure, print, and write what was asked for."""
    args = parse_args()
    cfg = read_config(args)
    # How each weight was initialised would fill the screen.
    MMLogger.get_current_instance().setLevel('WARNING')
    model = build_model(cfg, args.checkpoint).to(get_device())
    problems = node_pairs(model, first_batch(cfg, args.seed))
    transport = {
        name: model.head.transport_cfg[name] for name in ('gamma', 'max_iters')
    }
    comparison = compare_gradients(problems, **transport)
    results = dict(
        settings={name: str(value) for name, value in vars(args).items()}
        | transport,
        num_problems=sum(len(problem.query) for problem in problems),
    ) | {
        by: {name: found._asdict() for name, found in parts.items()}
        for by, parts in comparison.items()
    }
    show(results)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(results, indent=2) + '\n')


if __name__ == '__main__':
    run_tool(main)
