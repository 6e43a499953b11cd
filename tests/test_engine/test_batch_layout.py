"""A resumed run whose images are dealt out otherwise."""

import sys
from pathlib import Path

import pytest
from mmengine.logging import MessageHub
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler

from mmselfemd.engine.loops import batch_layout
from mmselfemd.errors import UserError

sys.path.insert(0, str(Path(__file__).parent))
from toy_long_run import make_runner


def runner(work_dir, epochs, **kwargs):
    return make_runner(
        work_dir,
        epochs=epochs,
        loop='ReproducibleEpochBasedTrainLoop',
        checkpoint=dict(interval=1),
        **kwargs,
    )


def warnings(logged):
    return [line for line in logged if line.startswith('Resumed with')]


def test_the_same_is_not_mentioned(tmp_path, logged):
    runner(tmp_path, 1, size=16).train()
    runner(tmp_path, 2, size=16, resume=True).train()
    assert (tmp_path / 'epoch_2.pth').exists()
    assert not warnings(logged)


def test_other_images_in_as_many_batches_are_mentioned(tmp_path, logged):
    runner(tmp_path, 1, size=16).train()
    runner(tmp_path, 2, size=15, resume=True).train()
    assert (tmp_path / 'epoch_2.pth').exists()
    (line,) = warnings(logged)
    assert 'Resumed with images 15 (16 before): views stay' in line
    # From the next checkpoint on, that is how it is.
    runner(tmp_path, 3, size=15, resume=True).train()
    assert len(warnings(logged)) == 1


@pytest.mark.parametrize(
    ('changed', 'message'),
    [
        (dict(size=20), r'images 20 \(16 before\), batches of an epoch 5 \(4'),
        (
            dict(size=16, wrapper=dict(accumulative_counts=3)),
            r'accumulative_counts 3 \(1 before\), batches of an epoch 3 \(4',
        ),
    ],
)
def test_epochs_of_other_lengths_are_refused(tmp_path, changed, message):
    runner(tmp_path, 1, size=16).train()
    with pytest.raises(UserError, match=f'Cannot resume with .*{message}'):
        runner(tmp_path, 2, resume=True, **changed).train()
    # The weights are no part of it.
    start = str(tmp_path / 'epoch_1.pth')
    runner(tmp_path / 'anew', 1, load_from=start, **changed).train()
    assert (tmp_path / 'anew' / 'epoch_1.pth').exists()


def check(hub, batch_size, processes, monkeypatch, by_epoch):
    monkeypatch.setattr(batch_layout, 'get_world_size', lambda: processes)
    share = range(0, 48, processes)
    batches = BatchSampler(SequentialSampler(share), batch_size, True)
    loader = DataLoader(range(48), batch_sampler=batches)
    batch_layout.check_layout(hub, loader, 1, by_epoch)


def test_by_iteration_a_warning_is_enough(monkeypatch, logged):
    hub = MessageHub('layout by iteration')
    check(hub, 4, 2, monkeypatch, by_epoch=False)
    assert not warnings(logged)
    check(hub, 4, 1, monkeypatch, by_epoch=False)
    (line,) = warnings(logged)
    expected = 'processes 1 (2 before), batches of an epoch 12 (6 before)'
    assert f'Resumed with {expected}: views stay' in line


def test_fewer_processes_with_larger_batches_go_on(monkeypatch, logged):
    hub = MessageHub('layout by epoch')
    check(hub, 4, 2, monkeypatch, by_epoch=True)
    check(hub, 8, 1, monkeypatch, by_epoch=True)
    (line,) = warnings(logged)
    assert 'processes 1 (2 before), train_dataloader.batch_size 8 (4' in line
    with pytest.raises(UserError, match='Cannot resume with .*batch_size 4'):
        check(hub, 4, 1, monkeypatch, by_epoch=True)
