"""Checkpoints are read once, and readings of another study are refused."""

import json

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmselfemd.errors import UserValueError
from mmselfemd.study import (
    CheckpointReader,
    Origin,
    checkpoints,
    find_candidates,
    plan_runs,
    save_sums,
    untrained_path,
)


class CountingReader:
    """Reads nothing: each reading is its number."""

    def __init__(self, cfg, boxes):
        self.boxes = boxes
        self.read_files = []

    def read(self, checkpoint, seed=0):
        self.read_files.append(checkpoint and checkpoint.name)
        sums = np.full((2, 3), float(len(self.read_files)))
        return dict(matching=sums, boxes=sums)


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, 'Reader', CountingReader)
    (tmp_path / 'annotations').mkdir()
    for split in ('train3000', 'val1952'):
        path = tmp_path / 'annotations' / f'instances_{split}.json'
        path.write_text(json.dumps(split))
    weights = dict(state_dict=dict(weight=torch.ones(3)))
    torch.save(weights, untrained_path(tmp_path, 7))
    runs = plan_runs(
        find_candidates(['selfemd']), [7], tmp_path, tmp_path, 4, 2
    )
    (tmp_path / 'readings').mkdir()
    for run in runs:
        run.work_dir.mkdir()
        (run.work_dir / 'epoch_2.pth').touch()
    return tmp_path, runs


def build_reader(folder):
    return CheckpointReader(Config(), folder, folder, [7], lambda line: None)


def test_each_is_read_once(study):
    folder, runs = study
    reader = build_reader(folder)
    records = reader.read(runs)
    assert [(r.candidate, r.seed, r.epoch) for r in records] == [
        ('untrained', 7, 0),
        ('byol_three_views', 7, 2),
        ('selfemd', 7, 2),
    ]
    assert [r.sums['boxes'][0, 0] for r in records] == [1, 2, 3]
    (runs[0].work_dir / 'epoch_4.pth').touch()
    runs[1].work_dir.joinpath('epoch_2.pth').unlink()  # its reading is kept
    reader = build_reader(folder)
    again = reader.read(runs)
    assert reader.reader.read_files == ['epoch_4.pth']
    assert [(r.candidate, r.epoch) for r in again] == [
        ('untrained', 0),
        ('byol_three_views', 2),
        ('byol_three_views', 4),
        ('selfemd', 2),
    ]


def test_boxes_are_cut_only_where_something_is_read(study):
    folder, runs = study
    build_reader(folder).read(runs)
    reader = build_reader(folder)
    reader.check(runs)
    reader.read(runs)
    assert 'reader' not in vars(reader)
    assert reader.seconds() >= 0
    assert reader.reader.read_files == [None]
    files = [file.name for file, _ in reader.reader.boxes]
    assert files == ['instances_train3000.json', 'instances_val1952.json']


def test_a_reading_of_another_study_is_refused(study):
    folder, runs = study
    reader = build_reader(folder)
    sums = dict(matching=np.ones((2, 3)), boxes=np.ones((2, 3)))
    own = reader.origins[7]
    save_sums(runs[0].reading_path(2), sums, own)
    reader.check(runs)
    for other, named in (
        (Origin(own.beginning, 'other boxes'), 'other images or boxes'),
        (Origin(own.beginning + 1, own.data), 'another untrained backbone'),
    ):
        save_sums(runs[0].reading_path(2), sums, other)
        with pytest.raises(UserValueError, match=named):
            reader.check(runs)
        with pytest.raises(UserValueError, match=named):
            reader.read(runs)
