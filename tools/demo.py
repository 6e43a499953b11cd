"""Self-EMD from end to end in minutes on a CPU, on made-up scenes.

Pre-trains a small backbone without labels, moves it into a detector,
fine-tunes and evaluates that, and draws what was learnt.
"""

import argparse
import json
import time
from pathlib import Path

from demo_screen import CONSOLE, ProgressHook, show, stage
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.hooks import Hook
from mmengine.runner import Runner, find_latest_checkpoint

import mmselfemd  # noqa: F401  registers everything
from mmselfemd.comparison import (
    DetectionMatches,
    compare,
    read_annotations,
    read_results,
)
from mmselfemd.datasets.scenes import make_scenes
from mmselfemd.engine.command_line import run_tool
from mmselfemd.engine.launch import (
    build_runner,
    check_has_batches,
    load_config,
)
from mmselfemd.errors import UserValueError
from mmselfemd.evaluation import match_batch
from mmselfemd.evaluation.own_flow import (
    own_flow_verdict,
    summarise_own_flow,
)
from mmselfemd.visualization import (
    draw_curves,
    draw_matching_figure,
    draw_pyramid_crops,
    most_overlapping_pairs,
    read_scalars,
    save_figure,
)
from mmselfemd.zoo.extract import extract_backbone
from mmselfemd.zoo.frozen_backbone import build_untrained

# Folders of the two detectors.
DETECTOR, RANDOM = 'detector', 'detector_random'
CONFIGS = Path(__file__).resolve().parent.parent / 'configs' / 'demo'
PRETRAINING = CONFIGS / 'selfemd_r18_scenes.py'
DETECTOR_CONFIG = 'faster-rcnn_r18_fpn_scenes.py'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--images', help='pre-train on the photographs below this folder'
    )
    parser.add_argument(
        '--pretraining',
        metavar='CONFIG',
        default=str(PRETRAINING),
        help="the config of pre-training, with the backbone of the demo's "
        "detector (default: the demo's own, in minutes)",
    )
    parser.add_argument('--work-dir', type=Path, default='work_dirs/demo')
    parser.add_argument('--scenes-dir', type=Path, default='data/demo_scenes')
    parser.add_argument('--num-scenes', type=int, default=600)
    parser.add_argument(
        '--max-epochs', type=int, help='end pre-training after so many epochs'
    )
    parser.add_argument(
        '--max-iters', type=int, help='end fine-tuning after so many steps'
    )
    parser.add_argument('--seed', type=int, default=0)
    return parser.parse_args()


def run(cfg: Config, *hooks: Hook) -> tuple[Runner, float]:
    """Train; return the runner and the seconds that it took."""
    start = time.time()
    runner = build_runner(cfg)
    check_has_batches(runner)
    for hook in (ProgressHook(), *hooks):
        runner.register_hook(hook)
    runner.train()
    return runner, round(time.time() - start, 1)


def check_backbone(config: str) -> None:
    """Raise, before anything is trained, if the detector has another one."""
    backbones = [
        load_config(path).model.backbone
        for path in (config, str(CONFIGS / DETECTOR_CONFIG))
    ]
    for name, default in (('depth', None), ('base_channels', 64)):
        ours, theirs = (each.get(name, default) for each in backbones)
        if ours != theirs:
            raise UserValueError(
                f'{config}: its backbone has {name}={ours!r}, and that of '
                f"the demo's detector {name}={theirs!r}; the detector could "
                'not start from it'
            )


def pretrain(args: argparse.Namespace) -> tuple[Runner, dict, dict]:
    """Pre-train; return the runner, a summary and that of the flow."""
    folder = dict(
        data_root=args.images or str(args.scenes_dir),
        data_prefix='' if args.images else 'train2017/',
    )
    held_out = folder | ({} if args.images else dict(data_prefix='val2017/'))
    options = {'randomness.seed': args.seed}
    for split, place in (('train', folder), ('val', held_out)):
        for name, value in place.items():
            options[f'{split}_dataloader.dataset.{name}'] = value
    if args.max_epochs:
        options['train_cfg.max_epochs'] = args.max_epochs
        options['train_cfg.val_interval'] = args.max_epochs
    cfg = load_config(
        args.pretraining,
        str(args.work_dir / 'pretrain'),
        options,
    )
    runner, seconds = run(cfg)
    scalars = read_scalars(_scalars_of(runner))
    last = {name: values[-1] for name, (_, values) in scalars.items()}
    matching = {
        name.replace('/', '_'): last[name]
        for name in last
        if name.startswith('matching/') and not name.endswith('best')
    }
    summary = dict(
        iterations=runner.iter,
        loss_first=scalars['loss'][1][0],
        loss_last=last['loss'],
        **matching,
        seconds=seconds,
    )
    flow = summarise_own_flow(
        {
            name.removeprefix('transport/'): values
            for name, (_, values) in scalars.items()
        }
    )
    return runner, summary, flow


def draw(runner: Runner, folder: Path) -> dict:
    """Fig. 5, Fig. 4 and the losses; return where they are."""
    model = runner.model
    batch = next(iter(runner.val_dataloader))
    flows, others, views = zip(
        *(
            match_batch(backbone, model.data_preprocessor, batch)
            for backbone in (
                build_untrained(runner.cfg).backbone.to(get_device()),
                model.backbone,
            )
        ),
        strict=True,
    )
    images = [sample.img_path for sample in batch['data_samples']]
    pairs = most_overlapping_pairs(images, views[0], flows, others=others)
    scalars = read_scalars(_scalars_of(runner))
    figures = dict(
        matching=draw_matching_figure(pairs),
        pyramid=draw_pyramid_crops(pairs[0].crop1),
        loss=draw_curves(
            {
                name: scalars[name]
                for name in ('loss', 'loss_emd', 'loss_byol')
            },
            title='Pre-training loss',
        ),
    )
    paths = {name: folder / f'{name}.png' for name in figures}
    for name, figure in figures.items():
        save_figure(figure, paths[name])
    return {name: str(path) for name, path in paths.items()}


def finetune(
    args: argparse.Namespace, backbone: Path | None, name: str
) -> tuple[dict, dict]:
    """Fine-tune and evaluate; return what was loaded and the metrics."""
    scenes = f'{args.scenes_dir}/'
    annotations = scenes + 'annotations/instances_val2017.json'
    options = {
        'pretrained': backbone and str(backbone),
        'randomness.seed': args.seed,
        'train_dataloader.dataset.data_root': scenes,
        'val_dataloader.dataset.data_root': scenes,
        'test_dataloader.dataset.data_root': scenes,
        'val_evaluator.ann_file': annotations,
        'val_evaluator.outfile_prefix': str(args.work_dir / name / 'val'),
        'test_evaluator.ann_file': annotations,
    }
    if args.max_iters:
        options['train_cfg.max_iters'] = args.max_iters
        options['train_cfg.val_interval'] = args.max_iters
    cfg = load_config(
        str(CONFIGS / DETECTOR_CONFIG),
        str(args.work_dir / name),
        options,
    )
    runner, seconds = run(cfg)
    report = next(
        hook
        for hook in runner.hooks
        if type(hook).__name__ == 'PretrainedBackboneHook'
    )
    scalar = runner.message_hub.get_scalar
    return dict(
        missing_keys=list(report.missing_keys),
        unexpected_keys=list(report.unexpected_keys),
    ), dict(
        bbox_mAP=scalar('val/coco/bbox_mAP').current(),
        bbox_mAP_50=scalar('val/coco/bbox_mAP_50').current(),
        seconds=seconds,
    )


def did_it_help(args: argparse.Namespace) -> str:
    """The sentence of docs/did_it_help.md about the two detectors."""
    annotations = read_annotations(
        args.scenes_dir / 'annotations' / 'instances_val2017.json'
    )
    first, second = (
        DetectionMatches.from_results(
            read_results(args.work_dir / name / 'val.bbox.json', annotations),
            annotations,
        )
        for name in (DETECTOR, RANDOM)
    )
    difference = compare([first], [second])
    return difference.sentence('Self-EMD', 'random weights')


def main() -> None:
    """Run the demo."""
    args = parse_args()
    check_backbone(args.pretraining)
    logs = args.work_dir / 'logs'
    CONSOLE.print(
        'Self-EMD in miniature: ten minutes or more on 2 cores.'
        if args.pretraining == str(PRETRAINING)
        else f'Self-EMD by {args.pretraining}.'
    )
    with stage('1/6 Scenes', logs / 'scenes.log'):
        make_scenes(
            args.scenes_dir, args.num_scenes, max(args.num_scenes // 5, 4)
        )
    with stage('2/6 Pre-training without labels', logs / 'pretrain.log'):
        runner, pretraining, flow = pretrain(args)
    if args.images:
        CONSOLE.print(
            '  Matching accuracy is on these photographs themselves.'
        )
    with stage('3/6 What it learnt', logs / 'figures.log'):
        figures = draw(runner, args.work_dir / 'figures')
        backbone = args.work_dir / 'backbone.pth'
        extract_backbone(
            find_latest_checkpoint(runner.work_dir), backbone, force=True
        )
    with stage('4/6 Fine-tuning a detector from it', logs / 'detector.log'):
        transfer, detector = finetune(args, backbone, DETECTOR)
    with stage('5/6 The same from random weights', logs / 'random.log'):
        _, random = finetune(args, None, RANDOM)
    CONSOLE.print('\n[bold]6/6 Summary[/bold]')
    sentence = did_it_help(args)
    summary = dict(
        settings=dict(
            pretraining=args.pretraining,
            num_scenes=args.num_scenes,
            seed=args.seed,
        ),
        pretrain=pretraining,
        flow=flow,
        transfer=transfer,
        detector=detector,
        detector_from_random_weights=random,
        figures=figures,
    )
    path = args.work_dir / 'summary.json'
    written = summary | dict(did_it_help=sentence)
    path.write_text(json.dumps(written, indent=2) + '\n')
    show(summary)
    CONSOLE.print(own_flow_verdict(flow))
    CONSOLE.print(f'Also in {path}')
    CONSOLE.print(f'\n[bold]{sentence}[/bold]')


def _scalars_of(runner: Runner) -> Path:
    return Path(runner.log_dir) / 'vis_data' / 'scalars.json'


if __name__ == '__main__':
    run_tool(main)
