"""TensorBoard, W&B and MLflow themselves: what is read back from them.

By this Python if it has them, or by that which LOGGERS_PYTHON names
(CONTRIBUTING.md, "Loggers"); without a network.
"""

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from mmselfemd.settings.loggers import LOGGERS

HERE = Path(__file__).parent
PYTHON = os.environ.get('LOGGERS_PYTHON', sys.executable)
MISSING = [
    logger.package
    for logger in LOGGERS.values()
    if PYTHON == sys.executable and find_spec(logger.package) is None
]
pytestmark = pytest.mark.skipif(
    bool(MISSING),
    reason=f'{", ".join(MISSING)}: not here, nor named by LOGGERS_PYTHON',
)
ALL = list(range(1, 11))
EVEN = list(range(2, 11, 2))


@pytest.fixture(scope='module')
def found(tmp_path_factory, root):
    """Ten iterations, in two starts, and the detections of a hook."""
    folder = tmp_path_factory.mktemp('real')
    theirs = ('WANDB_', 'MLFLOW_')
    env = {k: v for k, v in os.environ.items() if not k.startswith(theirs)}
    env |= dict(
        PYTHONPATH=str(root),
        HOME=str(folder),
        WANDB_MODE='offline',
        WANDB_SILENT='true',
        MLFLOW_DISABLE_TELEMETRY='true',
        DO_NOT_TRACK='true',
    )
    done = subprocess.run(
        [PYTHON, HERE / 'real_loggers.py', folder],
        capture_output=True,
        text=True,
        env=env,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads((folder / 'found.json').read_text())


def steps(curve):
    return [step for step, *_ in curve]


@pytest.mark.parametrize('logger', LOGGERS)
def test_curves_are_by_iteration_across_a_resume(found, logger):
    curves = found['logged'][logger]['curves']
    assert steps(curves['loss']) == ALL
    assert steps(curves['error']) == EVEN
    values = {
        name: [value for _, value in each['curves']['loss']]
        for name, each in found['logged'].items()
    }
    assert values[logger] == pytest.approx(values['wandb'])
    assert len(set(values[logger])) == 10


def test_pictures_of_tensorboard(found):
    pictures = found['logged']['tensorboard']['pictures']
    name = 'views/of a pair'
    assert [each[0] for each in pictures[name]] == [0, 2, 4, 6, 8, 8, 10]
    assert {tuple(each[1:]) for each in pictures[name]} == {(8, 12)}
    detections = found['detector']['tensorboard']['pictures']['val_img']
    assert [each[0] for each in detections] == [500, 1000]


def test_pictures_of_wandb(found):
    curves = found['logged']['wandb']['curves']
    for entry, value in (('_type', 'image-file'), ('width', 12)):
        pictures = curves[f'views/of a pair/{entry}']
        assert steps(pictures) == [0, 2, 4, 6, 8, 8, 10]
        assert {found for _, found in pictures} == {value}
    detections = found['detector']['wandb']['curves']['val_img/_type']
    assert steps(detections) == [500, 1000]


def test_pictures_of_mlflow(found):
    for work_dir, expected in (
        ('logged', {0, 2, 4, 6, 8, 10}),
        ('detector', {500, 1000}),
    ):
        files = found[work_dir]['mlflow']['files']
        # MLflow's own page shows them by the step that is in their names.
        found_steps = re.findall(
            r'step.(\d+).timestamp.*png$', '\n'.join(files), re.M
        )
        assert set(map(int, found_steps)) == expected


def test_wandb_draws_over_iterations_in_one_run(found):
    wandb = found['logged']['wandb']
    assert ['*', 'iteration'] in wandb['metrics']
    ids = {run_id for run_id, *_ in wandb['runs']}
    names = {tuple(rest) for _, *rest in wandb['runs']}
    assert len(ids) == 1
    assert names == {('mmselfemd', 'logged')}


def test_mlflow_has_one_run_with_its_settings_and_logs(found):
    mlflow = found['logged']['mlflow']
    assert mlflow['status'] == 'FINISHED' and mlflow['name'] == 'logged'
    assert steps(mlflow['curves']['AR_100']) == [0, 2, 4, 6, 8, 8, 10]
    params = mlflow['params']
    assert params['train_cfg.max_epochs'] == '4'
    assert params['many.name_249'] == '249'
    assert params['long'].startswith('aaa') and len(params['long']) <= 7000
    assert mlflow['files'].count('config.py') == 1
    ends = [Path(file).name for file in mlflow['files']]
    assert ends.count('scalars.json') == 2  # each start's, once
    assert not any('mlartifacts' in file for file in mlflow['files'])


def test_logging_changes_neither_the_run_nor_its_log(found):
    assert found['same_weights']
    assert found['lines_of_log'] == 10
