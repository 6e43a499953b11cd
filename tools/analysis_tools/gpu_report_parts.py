"""The parts of gpu_report.py: which tool each runs, and its share of time."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mmselfemd.errors import UserError

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CONFIGS = ROOT / 'configs'
#: Of a part's time, what its rounds may take; the rest is for its start.
ROUNDS = 0.5

#: The precisions: title, options of benchmark_step.py, settings.
PRECISIONS: dict[str, tuple[str, list[str], dict[str, str]]] = {
    'fp32': ('float32', ['--tf32', 'off'], {}),
    'tf32': ('float32 rounded to TF32', ['--tf32', 'on'], {}),
    'bf16': (
        'bfloat16 by AMP',
        ['--mmpretrain-amp', 'bfloat16'],
        {'type': 'FiniteAmpOptimWrapper', 'dtype': 'bfloat16'},
    ),
    'fp16': (
        'float16 by AMP',
        ['--mmpretrain-amp', 'float16'],
        {'type': 'FiniteAmpOptimWrapper', 'dtype': 'float16'},
    ),
}
CHANNELS_LAST = {'default_hooks.channels_last.devices': '[cuda,cpu]'}
CHANNELS_FIRST = {'default_hooks.channels_last': 'None'}


@dataclass(frozen=True)
class Settings:
    """What all parts are run with.

    Args:
        work_dir (Path): Gets the scenes, logs, figures and runs.
        device (str): ``cuda`` or ``cpu``.
        tiny (bool): Whether with a small network and a few steps.
        batch_size (int): Images of a step.
        photographs (Path, optional): Folder of images for the input.
        report (Path): File of the whole report.
    """

    work_dir: Path
    device: str
    tiny: bool
    batch_size: int
    photographs: Path | None
    report: Path

    @property
    def pretraining(self) -> Path:
        """The config whose step is timed."""
        if self.tiny:
            return CONFIGS / 'small' / 'selfemd_r18_voc256_20e.py'
        return CONFIGS / 'selfemd' / 'selfemd_r50_coco_800e.py'

    @property
    def detection(self) -> Path:
        """The config of the fine-tuning."""
        if self.tiny:
            return CONFIGS / 'demo' / 'faster-rcnn_r18_fpn_scenes.py'
        folder = CONFIGS / 'detection' / 'coco'
        return folder / 'faster-rcnn_r50_fpn_syncbn_90k_coco.py'

    @property
    def scenes(self) -> Path:
        """The folder of the scenes."""
        return self.work_dir / 'scenes'

    def log_of(self, part: str) -> Path:
        """The file of what a part prints."""
        return self.work_dir / f'{part}.log'

    def json_of(self, part: str) -> Path:
        """The file of a part's figures."""
        return self.work_dir / f'{part}.json'

    def runs_of(self, part: str) -> Path:
        """The work directory of a part's trainings."""
        return self.work_dir / 'runs' / part

    def prepare(self) -> None:
        """Make the folder; remove the trainings of an earlier report."""
        if self.photographs and not self.photographs.is_dir():
            raise UserError(f'--data {self.photographs}: no such folder')
        self.work_dir.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.work_dir / 'runs', ignore_errors=True)

    def environment(self) -> dict[str, str]:
        """The environment of a part's process."""
        added = os.pathsep.join(
            filter(None, [str(ROOT), os.environ.get('PYTHONPATH')])
        )
        hidden = {'CUDA_VISIBLE_DEVICES': ''} if self.device == 'cpu' else {}
        return os.environ | dict(PYTHONPATH=added) | hidden


@dataclass(frozen=True)
class Part:
    """One part of the report.

    Args:
        name (str): By which it is found in the report.
        title (str): What it does, for the screen.
        weight (float): Its share of the time: about the seconds that it takes
            in a report of eight minutes.
        command (Callable): Given the seconds that it has, what Python runs.
        needed (bool): Whether others need what it makes. Defaults to False.
    """

    name: str
    title: str
    weight: float
    command: Callable[[float], list[str]]
    needed: bool = False


def all_parts(settings: Settings) -> list[Part]:
    """All parts; the scenes, which others need, first."""
    parts = [_scenes(settings), _step(settings, 'fp32', weight=60)]
    parts.append(_step(settings, 'bf16', weight=45))
    parts += [_step(settings, name, weight=30) for name in ('tf32', 'fp16')]
    parts += [
        _step(settings, name, '_channels_last', weight=30)
        for name in ('fp32', 'tf32', 'bf16', 'fp16')
    ]
    return [
        *parts,
        _input(settings),
        _training(settings, 'processes', 'pre-training on every GPU, NCCL'),
        _training(settings, 'detector', 'Faster R-CNN, a short fine-tuning'),
        _training(settings, 'resume', 'is a resumed run equal to the bit?'),
        _step(settings, 'bf16', '_compiled', weight=90),
    ]


def _scenes(settings: Settings) -> Part:
    size = ['160', '120'] if settings.tiny else ['640', '480']
    count = ['8', '4'] if settings.tiny else ['96', '16']
    tool = ROOT / 'tools' / 'dataset_converters' / 'make_scenes.py'
    command = [tool, settings.scenes, '--size', *size]
    command += ['--train', count[0], '--val', count[1]]
    return _part('scenes', 'images to train on', 25, command, needed=True)


def _step(
    settings: Settings, precision: str, kind: str = '', weight: float = 30
) -> Part:
    """A step of the config in one precision, and both BYOLs'.

    Plain, ``_channels_last``, or ``_compiled``, which has channels last, too.
    """
    title, options, wrapper = PRECISIONS[precision]
    changed = {f'optim_wrapper.{name}': wrapper[name] for name in wrapper}
    changed |= CHANNELS_LAST if kind else CHANNELS_FIRST
    command = [HERE / 'benchmark_step.py', settings.pretraining, *options]
    command += ['--batch-size', settings.batch_size, '--fit-memory']
    command += ['--repeats', 1 if settings.tiny else 20]
    if kind == '_compiled':
        # Watching the parts breaks up the compiled step.
        changed |= {
            'compile.backend': 'eager' if settings.tiny else 'inductor'
        }
        command += ['--contestants']
    elif kind:
        command += ['--contestants', 'byol_step', 'mmpretrain_byol_step']
    name = precision + kind
    command += ['--json', settings.json_of(name), '--cfg-options']
    command += [f'{key}={value}' for key, value in changed.items()]

    def with_time(seconds: float) -> list[str]:
        rounds = ['--seconds', f'{ROUNDS * seconds:.0f}']
        return [*map(str, command[:2]), *rounds, *map(str, command[2:])]

    title += dict(_channels_last=', channels last').get(kind, '')
    title += dict(_compiled=', channels last, torch.compile').get(kind, '')
    return Part(name, f'a step in {title}', weight, with_time)


def _input(settings: Settings) -> Part:
    cores = len(os.sched_getaffinity(0))
    folder = settings.photographs or settings.scenes / 'train2017'
    command = [HERE / 'benchmark_pipeline.py', '--data', folder]
    command += ['--images', 4 if settings.tiny else 48, '--rounds', 2]
    command += ['--batch', 4 if settings.tiny else 32]
    command += ['--seconds', 0.5 if settings.tiny else 5]
    command += ['--workers', *([1] if settings.tiny else [4, cores])]
    command += ['--device', settings.device]
    command += ['--json', settings.json_of('input')]
    return _part('input', 'from files to views', 45, command)


def _training(settings: Settings, kind: str, title: str) -> Part:
    is_detector = kind == 'detector'
    config = settings.detection if is_detector else settings.pretraining
    batch_size = 4 if is_detector or settings.tiny else 32
    command = [HERE / 'short_trainings.py', kind, config]
    command += ['--scenes', settings.scenes, '--batch-size', batch_size]
    command += ['--iterations', 4 if settings.tiny else 30]
    command += ['--workers', 0 if settings.tiny else 4]
    command += ['--work-dir', settings.runs_of(kind)]
    command += ['--json', settings.json_of(kind)]
    return _part(kind, title, 45, command)


def _part(
    name: str,
    title: str,
    weight: float,
    command: list[object],
    needed: bool = False,
) -> Part:
    words = [str(word) for word in command]
    return Part(name, title, weight, lambda seconds: words, needed)
