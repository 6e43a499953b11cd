"""Did pre-training help? Candidates under equal settings, with intervals.

Pre-trains on photographs without labels, fine-tunes detectors that differ in
their initial backbone alone, and says which is better by how much, and how
sure that is. What is done already is not done again: the same command goes on.
"""

import argparse
import os
import sys
from pathlib import Path

import torch

import mmselfemd  # noqa: F401  registers everything
from mmselfemd.comparison.candidates import RECIPES, parse_pretraining
from mmselfemd.comparison.execution import (
    chain_of,
    describe_plan,
    execute,
    num_chains,
)
from mmselfemd.comparison.first_look import runs_to_read, take_look
from mmselfemd.comparison.plan import Plan
from mmselfemd.comparison.planner import Planner
from mmselfemd.comparison.report import write_report
from mmselfemd.comparison.settings import Settings
from mmselfemd.comparison.slurm import write_slurm_script
from mmselfemd.engine.command_line import CfgOptionsAction, run_tool
from mmselfemd.errors import UserError, UserValueError

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    # No abbreviations: --slurm is taken out of the script that it writes.
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    add_data(parser)
    add_candidates(parser)
    add_running(parser)
    return parser.parse_args()


def add_data(parser: argparse.ArgumentParser) -> None:
    """Options of the photographs and boxes."""
    group = parser.add_argument_group('photographs and boxes')
    group.add_argument(
        '--images',
        type=Path,
        required=True,
        metavar='DIR',
        help='photographs without labels, to pre-train on',
    )
    for split, use in (('train', 'train detectors on'), ('val', 'evaluate')):
        group.add_argument(
            f'--{split}',
            type=Path,
            required=True,
            metavar='FILE',
            help=f"boxes to {use}, in COCO's format",
        )
        group.add_argument(
            f'--{split}-images',
            type=Path,
            metavar='DIR',
            help=f'folder of the images of --{split} (default: --images)',
        )
    group.add_argument(
        '--leave-out-val',
        action='store_true',
        help='leave photographs of --val out of pre-training',
    )
    group.add_argument(
        '--fractions',
        type=float,
        nargs='+',
        default=[1.0],
        metavar='SHARE',
        help='shares of the labelled images, each inside the larger ones '
        '(default: all, 1)',
    )


def add_candidates(parser: argparse.ArgumentParser) -> None:
    """Options of what is compared."""
    group = parser.add_argument_group('what is compared')
    group.add_argument(
        '--candidates',
        nargs='+',
        default=[],
        metavar='NAME',
        help='random, selfemd, byol, known_pairs, montage, and weights: '
        'NAME=FILE, or NAME=PROJECT:FILE for a file of another project '
        '(default: random and selfemd, beside weights)',
    )
    group.add_argument(
        '--seeds', type=int, default=3, help='runs of each (default: 3)'
    )
    group.add_argument(
        '--recipe',
        choices=list(RECIPES),
        default='small',
        help='size of the networks: small trains on a CPU (default), r50 is '
        "the paper's",
    )
    group.add_argument(
        '--detector',
        type=Path,
        metavar='CONFIG',
        help='another detector than that of the recipe',
    )
    group.add_argument(
        '--pretrain',
        nargs='+',
        default=[],
        metavar='NAME=CONFIG',
        help='other ways of pre-training, or other configs of those',
    )
    for name in ('pretrain', 'detector'):
        group.add_argument(
            f'--{name}-options',
            nargs='+',
            action=CfgOptionsAction,
            metavar='KEY=VALUE',
            help=f'settings of the config of the {name}'
            + ('ing' if name == 'pretrain' else ''),
        )


def add_running(parser: argparse.ArgumentParser) -> None:
    """Options of how long and where it runs."""
    group = parser.add_argument_group('how long, and where')
    group.add_argument('--work-dir', type=Path, required=True, metavar='DIR')
    group.add_argument(
        '--hours', type=float, metavar='H', help='budget, by the clock'
    )
    group.add_argument(
        '--iterations',
        type=int,
        nargs=2,
        metavar=('P', 'F'),
        help='instead: those of a pre-training and of a detector',
    )
    group.add_argument(
        '--seconds',
        type=float,
        nargs=2,
        metavar=('P', 'F'),
        help='of an iteration of each; by default a few are measured',
    )
    group.add_argument(
        '--evaluations',
        type=int,
        default=4,
        metavar='N',
        help='evaluations of a detector, for its curve; the last is at its '
        'end (default: 4)',
    )
    group.add_argument(
        '--jobs',
        type=int,
        metavar='N',
        help='how many runs at a time (default: one for each GPU, or 1)',
    )
    group.add_argument(
        '--look',
        action='store_true',
        help='a cheap first look: pre-train, read the frozen backbones, end',
    )
    group.add_argument(
        '--slurm',
        action='store_true',
        help='write a script for sbatch, and end',
    )
    group.add_argument(
        '--task',
        type=int,
        metavar='N',
        help='do the part of one task of that script',
    )
    group.add_argument(
        '--yes', action='store_true', help='begin; else the plan is shown'
    )


def settings_of(args: argparse.Namespace) -> Settings:
    """What was asked for."""
    recipe = RECIPES[args.recipe]
    pretraining = {
        name: CONFIGS / config for name, config in recipe.pretraining.items()
    }
    pretraining |= parse_pretraining(args.pretrain, args.candidates)
    detector = args.detector or CONFIGS / recipe.detector
    return Settings(
        images=args.images.resolve(),
        train=args.train.resolve(),
        val=args.val.resolve(),
        train_images=(args.train_images or args.images).resolve(),
        val_images=(args.val_images or args.images).resolve(),
        candidates=tuple(args.candidates),
        detector=detector.resolve(),
        pretraining=pretraining,
        hours=args.hours,
        iterations=args.iterations and tuple(args.iterations),
        seconds=args.seconds and tuple(args.seconds),
        fractions=tuple(args.fractions),
        seeds=args.seeds,
        evaluations=args.evaluations,
        leave_out_val=args.leave_out_val,
        pretrain_options=args.pretrain_options or {},
        detector_options=args.detector_options or {},
    )


def devices_of(args: argparse.Namespace) -> tuple[int, list[str]]:
    """How many runs at a time, and on which GPUs."""
    visible = os.environ.get('CUDA_VISIBLE_DEVICES')
    count = torch.cuda.device_count()
    devices = visible.split(',') if visible else list(map(str, range(count)))
    if args.jobs is not None and args.jobs < 1:
        raise UserValueError(f'--jobs {args.jobs}: expected 1 or more')
    jobs = args.jobs or max(1, count)
    if not count:
        return jobs, []
    # Several on each, where more are asked for than there are.
    return jobs, [devices[n % count] for n in range(jobs)]


def main() -> None:
    """Plan, train, compare."""
    args = parse_args()
    is_task = args.task is not None
    if is_task:  # which has a machine of its own; --jobs counts these
        args.jobs = None
    jobs, devices = devices_of(args)
    if is_task and (args.slurm or not args.yes):
        raise UserValueError('--task goes with --yes, and without --slurm')
    settings = settings_of(args)
    plan = Planner(settings, args.work_dir, jobs, devices, is_task).plan()
    runs = runs_to_read(plan) if args.look else plan.runs
    if is_task:
        if not 0 <= args.task < num_chains(plan):
            raise UserValueError(
                f'--task {args.task}: expected 0 to {num_chains(plan) - 1}'
            )
        execute(plan, chain_of(plan, args.task, runs), jobs, devices)
        return
    if plan.data.said:
        print(plan.data.said)
    print(describe_plan(plan, jobs, runs), flush=True)
    if args.slurm:
        words = [word for word in sys.argv if word != '--slurm']
        words += [] if args.yes else ['--yes']
        path = write_slurm_script(plan, words, os.getcwd())
        print(f'Nothing was started. The script for sbatch: {path}')
        return
    if not args.yes:
        raise UserError('nothing was started: add --yes to begin')
    execute(plan, runs, jobs, devices)
    if args.look:
        print(take_look(plan))
        print('Without --look the same command goes on with the detectors.')
        return
    tell(plan)


def tell(plan: Plan) -> None:
    """Write the report; print the sentences."""
    print()
    for sentence in write_report(plan):
        print(sentence)
    names = ', '.join(f'report.{kind}' for kind in ('html', 'md', 'json'))
    print(f'\n{names} in {plan.work_dir}')


if __name__ == '__main__':
    run_tool(main)
