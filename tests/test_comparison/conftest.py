"""A tiny comparison, planned and not trained."""

import json
import os
import shutil
import time
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from made_up_photographs import (
    DETECTOR_OPTIONS,
    PRETRAIN_OPTIONS,
    write_all,
)

from mmselfemd.comparison import run_configs
from mmselfemd.comparison.candidates import RECIPES
from mmselfemd.comparison.planner import Planner
from mmselfemd.comparison.runs import DetectorRun
from mmselfemd.comparison.settings import Settings

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


@pytest.fixture(scope='session')
def made_up(tmp_path_factory):
    """Where the photographs and boxes are."""
    return write_all(tmp_path_factory.mktemp('photographs'))


@pytest.fixture(scope='session', autouse=True)
def shipped_configs_are_read_once():
    """mmdet's inheritance takes a second each time."""
    load, kept = run_configs.load_config, {}

    def load_once(path, cfg_options):
        if CONFIGS not in Path(path).parents:
            return load(path, cfg_options=cfg_options)
        variables = {  # some configs read them
            item
            for item in os.environ.items()
            if not item[0].startswith('PYTEST')
        }
        key = path, repr(cfg_options), frozenset(variables)
        if key not in kept:
            kept[key] = load(path, cfg_options=cfg_options)
        return deepcopy(kept[key])

    run_configs.load_config = load_once
    yield
    run_configs.load_config = load


@pytest.fixture(scope='session')
def settings(made_up):
    """What is asked for; ``settings(seeds=1)`` changes it."""

    def build(**changed):
        recipe = RECIPES['small']
        given = made_up | dict(
            candidates=('random', 'selfemd'),
            detector=CONFIGS / recipe.detector,
            pretraining={
                name: CONFIGS / config
                for name, config in recipe.pretraining.items()
            },
            iterations=(4, 4),
            seconds=(0.5, 0.25),
            fractions=(0.5, 1.0),
            seeds=2,
            pretrain_options=PRETRAIN_OPTIONS,
            detector_options=DETECTOR_OPTIONS,
        )
        return Settings(**given | changed)

    return build


@pytest.fixture(scope='session')
def planned(settings, tmp_path_factory):
    """The runs that answer it, for all tests."""
    return Planner(settings(), tmp_path_factory.mktemp('work')).plan()


@pytest.fixture
def plan(planned):
    """The runs that answer it; what is left of them goes in the end."""
    with _swept(planned.work_dir):
        yield planned


@pytest.fixture(scope='module')
def finished(planned):
    """As if all was trained: Self-EMD finds nearly all, random little."""
    with _swept(planned.work_dir):
        for run in planned.runs:
            share = dict(random=0.3, selfemd=0.95)[run.candidate.name]
            _finish(planned, run, share)
        yield planned


@contextmanager
def _swept(folder):
    before = set(folder.iterdir())
    yield
    for path in set(folder.iterdir()) - before:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.fixture
def finish():
    """Leaves what a run would leave; of a detector that finds a share."""
    return _finish


def _finish(plan, run, share=0.5):
    logs = run.work_dir / '20260101_000000' / 'vis_data'
    logs.mkdir(parents=True)
    (run.work_dir / run.last).touch()
    lines = [dict(loss=2 / step, time=0.5, step=step) for step in (1, 2)]
    if isinstance(run, DetectorRun):
        lines.append({'coco/bbox_mAP_50': share, 'time': 9.0, 'step': 2})
        _predict(plan, run, share)
    else:
        run.backbone.parent.mkdir(exist_ok=True)
        run.backbone.touch()
    text = '\n'.join(map(json.dumps, lines))
    (logs / 'scalars.json').write_text(text)


def _predict(plan, run, share):
    rng = np.random.default_rng([run.seed, len(run.candidate.name)])
    boxes = plan.data.val.content['annotations']
    found = [
        dict(
            image_id=box['image_id'],
            category_id=box['category_id'],
            bbox=box['bbox'],
            score=float(rng.uniform(0.4, 1)),
        )
        for box in boxes
        if rng.random() < share
    ]
    run.predictions.write_text(json.dumps(found))
    later = time.time() + 1
    os.utime(run.predictions, (later, later))
