"""Short trainings on made-up scenes, for gpu_report.py: do they run, how fast.

``detector`` fine-tunes Faster R-CNN and evaluates it. ``processes`` pre-trains
in several processes, on a GPU each, by NCCL. ``resume`` pre-trains, goes on
from the middle once more, and compares the weights. What they learn says
nothing: the scenes are few and the steps are too.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

import torch
from mmengine.device import get_device

import mmselfemd  # noqa: F401  registers everything
from mmselfemd.datasets.scenes import SCENE_CLASSES
from mmselfemd.engine.command_line import run_tool
from mmselfemd.engine.launch import load_config, train
from mmselfemd.errors import UserError
from mmselfemd.visualization.curve_sources import read_curves

TRAIN = Path(__file__).resolve().parents[1] / 'train.py'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('kind', choices=KINDS)
    parser.add_argument('config', help='of a pre-training or a detector')
    parser.add_argument(
        '--scenes', type=Path, required=True, help='folder of make_scenes.py'
    )
    parser.add_argument(
        '--iterations', type=int, default=20, help='(default: %(default)s)'
    )
    parser.add_argument(
        '--batch-size',
        type=int,
        default=4,
        help='on each device (default: %(default)s)',
    )
    parser.add_argument(
        '--workers', type=int, default=2, help='(default: %(default)s)'
    )
    parser.add_argument('--work-dir', type=Path, required=True)
    parser.add_argument('--json', type=Path, metavar='OUT')
    return parser.parse_args()


def detector(args: argparse.Namespace) -> dict:
    """Fine-tune a detector from random weights and evaluate it."""
    annotations = args.scenes / 'annotations' / 'instances_val2017.json'
    options = _options(args, ['train', 'val', 'test']) | {
        'pretrained': None,
        'model.roi_head.bbox_head.num_classes': len(SCENE_CLASSES),
        'val_evaluator.ann_file': str(annotations),
        'test_evaluator.ann_file': str(annotations),
        'train_cfg.max_iters': args.iterations,
        'train_cfg.val_interval': args.iterations,
        'default_hooks.precise_bn.num_images': 2 * args.batch_size,
    }
    for split in ('train', 'val', 'test'):
        place = f'{split}_dataloader.dataset.metainfo'
        options[place] = dict(classes=SCENE_CLASSES)
    model = train(args.config, str(args.work_dir), cfg_options=options)
    curves = read_curves(args.work_dir)
    return _speed(curves, args.batch_size) | dict(
        device=next(model.parameters()).device.type,
        bbox_mAP_50=curves['coco/bbox_mAP_50'][1][-1],
    )


def processes(args: argparse.Namespace) -> dict:
    """Pre-train in a process on each GPU, or in two on the CPU."""
    count = torch.cuda.device_count() or 2
    cfg = load_config(args.config, str(args.work_dir), _pretraining(args))
    args.work_dir.mkdir(parents=True, exist_ok=True)
    config = args.work_dir / 'config.py'
    cfg.dump(config)
    command = [sys.executable, '-m', 'torch.distributed.run', '--standalone']
    command += [f'--nproc_per_node={count}', TRAIN, config]
    error = args.work_dir / 'error'
    done = subprocess.run(
        [*map(str, command), '--launcher', 'pytorch'],
        env=os.environ | dict(MMSELFEMD_ERROR_FILE=str(error)),
    )
    if done.returncode:
        said = error.read_text().strip() if error.exists() else 'see above'
        raise UserError(f'{count} processes did not train: {said}')
    speed = _speed(read_curves(args.work_dir), count * args.batch_size)
    backend = 'gloo' if get_device() == 'cpu' else 'nccl'
    return speed | dict(processes=count, backend=backend)


def resume(args: argparse.Namespace) -> dict:
    """Pre-train, and once more from the middle: are the weights the same?"""
    # What cuBLAS needs to give the same twice; read when CUDA starts.
    os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')
    half = args.iterations // 2
    straight, resumed = args.work_dir / 'straight', args.work_dir / 'resumed'
    weights = []
    for folder, start in (
        (straight, None),
        (resumed, str(straight / f'iter_{half}.pth')),
    ):
        # Made anew: what is merged into a config is changed by that.
        options = _pretraining(args) | {
            'randomness.seed': 0,
            'randomness.deterministic': True,
        }
        model = train(
            args.config, str(folder), resume=start, cfg_options=options
        )
        weights.append(
            {name: each.cpu() for name, each in model.state_dict().items()}
        )
    return _differences(*weights)


def _differences(ours: dict, others: dict) -> dict:
    found = [
        (value.double() - others[name].double()).abs().max().item()
        for name, value in ours.items()
        if not torch.equal(value, others[name])
    ]
    return dict(
        bit_equal=not found,
        tensors=len(ours),
        tensors_that_differ=len(found),
        largest_difference=max(found, default=0.0),
    )


def _options(args: argparse.Namespace, splits: list[str]) -> dict:
    """What all trainings set: the scenes, and every step in the log."""
    options = {
        'train_dataloader.batch_size': args.batch_size,
        'train_dataloader.num_workers': args.workers,
        'train_dataloader.persistent_workers': args.workers > 0,
        'default_hooks.logger.interval': 1,
        'log_processor.window_size': 1,
    }
    for split in splits:
        options[f'{split}_dataloader.dataset.data_root'] = f'{args.scenes}/'
    return options


def _pretraining(args: argparse.Namespace) -> dict:
    """Counts iterations, so that few scenes are enough; no validation."""
    return _options(args, ['train']) | {
        'train_dataloader.dataset.data_prefix': 'train2017/',
        'train_dataloader.dataset.ann_file': '',
        'train_dataloader.sampler': dict(
            _delete_=True, type='InfiniteSampler', shuffle=True
        ),
        'train_cfg': dict(
            _delete_=True,
            type='ReproducibleIterBasedTrainLoop',
            max_iters=args.iterations,
        ),
        'param_scheduler': [],
        'log_processor.by_epoch': False,
        'default_hooks.checkpoint.by_epoch': False,
        'default_hooks.checkpoint.interval': args.iterations // 2,
        'val_dataloader': None,
        'val_cfg': None,
        'val_evaluator': None,
    }


def _speed(curves: dict, images: int) -> dict:
    """Seconds of a step, the first ones left out, and images a second."""
    _, times = curves['time']
    _, losses = curves['loss']
    seconds = median(times[len(times) // 2 :])
    return dict(
        iterations=len(losses),
        seconds_per_step=seconds,
        images_per_second=images / seconds,
        loss_first=losses[0],
        loss_last=losses[-1],
    )


KINDS = dict(detector=detector, processes=processes, resume=resume)


def main() -> None:
    """Train; print and save."""
    args = parse_args()
    if args.iterations < 2:
        raise UserError(
            f'--iterations must be at least 2, got {args.iterations}'
        )
    figures = KINDS[args.kind](args)
    print(json.dumps(figures, indent=2))
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(figures, indent=2) + '\n')


if __name__ == '__main__':
    run_tool(main)
