"""A tiny comparison, planned and not trained."""

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from made_up_photographs import (
    DETECTOR_OPTIONS,
    PRETRAIN_OPTIONS,
    write_all,
)

from mmselfemd.comparison.candidates import RECIPES
from mmselfemd.comparison.planner import Planner
from mmselfemd.comparison.runs import DetectorRun
from mmselfemd.comparison.settings import Settings

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


@pytest.fixture(scope='session')
def made_up(tmp_path_factory):
    """Where the photographs and boxes are."""
    return write_all(tmp_path_factory.mktemp('photographs'))


@pytest.fixture
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


@pytest.fixture
def plan(settings, tmp_path):
    """The runs that answer it."""
    return Planner(settings(), tmp_path / 'work').plan()


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
