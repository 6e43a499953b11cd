"""Ten iterations with the real TensorBoard, W&B and MLflow, read back.

Run by a Python that has them and what this package needs
(CONTRIBUTING.md, "Loggers"):

    python real_loggers.py FOLDER

trains the tests' toy project in FOLDER, eight iterations and, resumed, two
more; draws what a detector found; and writes all that can be read back from
the three as FOLDER/found.json.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import torch
from mmdet.engine.hooks import DetVisualizationHook
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.structures import InstanceData

from mmselfemd.engine import launch
from mmselfemd.settings.loggers import LOGGERS

sys.path.insert(0, str(Path(__file__).parents[1] / 'test_tools'))
import toy_project

CONFIG = (
    toy_project.CONFIG
    + """
custom_hooks = [dict(type='PictureHook')]
train_dataloader.update(batch_size=8)
default_hooks['logger']['interval'] = 1
train_cfg = dict(by_epoch=True, max_epochs=4, val_interval=1)
long = 'a' * 7000
many = {f'name_{number}': number for number in range(250)}
"""
)


@HOOKS.register_module(force=True)
class PictureHook(Hook):
    """Hands a picture over, and a figure with a name that MLflow refuses."""

    def before_train(self, runner) -> None:
        self.show(runner, runner.iter)

    def after_train_iter(self, runner, *args, **kwargs) -> None:
        if self.every_n_train_iters(runner, 2):
            self.show(runner, runner.iter + 1)

    def show(self, runner, step: int) -> None:
        picture = np.full((8, 12, 3), 20 * step, np.uint8)
        runner.visualizer.add_image('views/of a pair', picture, step=step)
        runner.visualizer.add_scalar('AR@100', step / 10, step=step)


def train(names: list[str], work_dir: str) -> torch.nn.Module:
    """Ten iterations, eight of them before a resume."""
    launch.train('toy.py', work_dir, loggers=names)
    time.sleep(1)  # a start is named by its second
    return launch.train(
        'toy.py',
        work_dir,
        resume='auto',
        cfg_options={'train_cfg.max_epochs': 5},
        loggers=names,
    )


def draw_detections(folder: Path) -> None:
    """What mmdet's own hook does at two validations."""
    cv2.imwrite(str(folder / 'a.png'), np.zeros((32, 32, 3), np.uint8))
    visualizer = DetLocalVisualizer.get_instance(
        'detections',
        vis_backends=[dict(type=each.backend) for each in LOGGERS.values()],
        save_dir=str(folder / 'detector' / 'start'),
    )
    visualizer.dataset_meta = dict(classes=('car',), palette=[(0, 99, 0)])
    visualizer.add_config(
        Config(dict(work_dir=str(folder / 'detector'), resume=False))
    )
    found = InstanceData(
        bboxes=torch.tensor([[1.0, 2.0, 20.0, 25.0]]),
        labels=torch.tensor([0]),
        scores=torch.tensor([0.9]),
    )
    sample = DetDataSample(
        pred_instances=found, metainfo=dict(img_path=str(folder / 'a.png'))
    )
    sample.gt_instances = found[:0]
    hook = DetVisualizationHook(draw=True, interval=1)
    for iteration in (500, 1000):
        hook.after_val_iter(SimpleNamespace(iter=iteration), 0, {}, [sample])
    visualizer.close()


def read_tensorboard(work_dir: Path) -> dict:
    from tensorboard.backend.event_processing import event_accumulator

    curves, pictures = {}, {}
    for folder in sorted(work_dir.glob('*/vis_data')):
        found = event_accumulator.EventAccumulator(
            str(folder), size_guidance={event_accumulator.IMAGES: 0}
        ).Reload()
        for name in found.Tags()['scalars']:
            for event in found.Scalars(name):
                curves.setdefault(name, []).append([event.step, event.value])
        for name in found.Tags()['images']:
            for event in found.Images(name):
                pictures.setdefault(name, []).append(
                    [event.step, event.height, event.width]
                )
    return dict(curves=curves, pictures=pictures)


def read_mlflow(work_dir: Path) -> dict:
    from mlflow import MlflowClient

    client = MlflowClient(f'sqlite:///{work_dir}/mlflow.db')
    (experiment,) = (
        each for each in client.search_experiments() if each.name != 'Default'
    )
    (run,) = client.search_runs([experiment.experiment_id])
    curves = {
        name: [
            [metric.step, metric.value]
            for metric in client.get_metric_history(run.info.run_id, name)
        ]
        for name in run.data.metrics
    }

    def files(path: str) -> list[str]:
        found = []
        for each in client.list_artifacts(run.info.run_id, path):
            found += files(each.path) if each.is_dir else [each.path]
        return found

    return dict(
        curves=curves,
        files=files(''),
        status=run.info.status,
        name=run.info.run_name,
        params=run.data.params,
    )


def records_of(file: Path) -> Iterator[bytes]:
    """What a file of W&B holds: a log of LevelDB, behind seven bytes."""
    content, position, record = file.read_bytes(), 7, b''
    while position < len(content):
        left = 32768 - position % 32768  # of a block
        if left < 7:  # no room for a head
            position += left
            continue
        length = int.from_bytes(content[position + 4 : position + 6], 'little')
        kind, position = content[position + 6], position + 7
        record += content[position : position + length]
        position += length
        if kind in (1, 4):  # whole, or the last part
            yield record
            record = b''


def read_wandb(work_dir: Path) -> dict:
    """The records of W&B's files, of all starts."""
    from wandb.proto.wandb_internal_pb2 import Record

    curves, metrics, runs = {}, [], []
    for file in sorted(work_dir.glob('wandb/offline-run-*/*.wandb')):
        for data in records_of(file):
            record = Record.FromString(data)
            kind = record.WhichOneof('record_type')
            if kind == 'run':
                run = record.run
                runs.append([run.run_id, run.project, run.display_name])
            elif kind == 'metric':
                metric = record.metric
                metrics.append(
                    [metric.name or metric.glob_name, metric.step_metric]
                )
            elif kind == 'history':
                row = {
                    item.key or '/'.join(item.nested_key): json.loads(
                        item.value_json
                    )
                    for item in record.history.item
                }
                for name, value in row.items():
                    curves.setdefault(name, []).append(
                        [row.get('iteration'), value]
                    )
    return dict(curves=curves, metrics=metrics, runs=runs)


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    os.chdir(folder)
    Path('toy.py').write_text(CONFIG)
    logged = train(list(LOGGERS), 'logged')
    plain = train([], 'plain')
    draw_detections(folder)
    found = dict(
        versions={name: metadata.version(name) for name in LOGGERS},
        same_weights=all(
            torch.equal(one, other)
            for one, other in zip(
                logged.state_dict().values(),
                plain.state_dict().values(),
                strict=True,
            )
        ),
        lines_of_log=sum(
            'loss: ' in line
            for file in folder.glob('logged/*/*.log')
            for line in file.read_text().splitlines()
        ),
    )
    for work_dir in ('logged', 'detector'):
        found[work_dir] = dict(
            tensorboard=read_tensorboard(folder / work_dir),
            wandb=read_wandb(folder / work_dir),
            mlflow=read_mlflow(folder / work_dir),
        )
    Path('found.json').write_text(json.dumps(found, indent=1))


if __name__ == '__main__':
    main()
