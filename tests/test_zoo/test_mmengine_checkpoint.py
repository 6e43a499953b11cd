"""Checkpoints as mmengine's own hook saves them, with objects inside."""

import pytest
import torch
from mmdet.models import ResNet
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.runner.checkpoint import CheckpointLoader

from mmselfemd.errors import UserError
from mmselfemd.zoo import UnsafeCheckpointError, extract_backbone
from mmselfemd.zoo.import_backbone import import_backbone


class Toy(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = ResNet(depth=18, stem_channels=2, base_channels=2)

    def forward(self, inputs, mode='tensor'):
        return dict(loss=self.backbone(inputs)[0].mean())


def runner(folder, hook: str, **more) -> Runner:
    return Runner(
        Toy(),
        str(folder),
        train_dataloader=dict(
            dataset=[dict(inputs=torch.ones(3, 32, 32))] * 2,
            sampler=dict(type='DefaultSampler', shuffle=False),
            batch_size=2,
            collate_fn=dict(type='default_collate'),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9)),
        param_scheduler=dict(type='CosineAnnealingLR', T_max=1),
        default_hooks=dict(checkpoint=dict(type=hook)),
        experiment_name=folder.name,
        **more,
    )


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """A file of a run of mmengine, and the weights of its backbone."""
    folder = tmp_path_factory.mktemp('mmengine')
    run = runner(folder, 'CheckpointHook')
    run.train()
    return folder / 'epoch_1.pth', run.model.backbone.state_dict()


def test_its_weights_are_read_everywhere(checkpoint, tmp_path):
    path, weights = checkpoint
    with pytest.raises(Exception, match='HistoryBuffer'):  # it holds objects
        torch.load(path, weights_only=True)
    loaded = CheckpointLoader.load_checkpoint(str(path), 'cpu')
    assert loaded.keys() == {'meta', 'state_dict'}
    assert loaded['meta']['epoch'] == 1
    extract_backbone(path, tmp_path / 'a.pth')
    import_backbone(path, tmp_path / 'b.pth', 'mmpretrain')
    for name in 'ab':
        written = torch.load(tmp_path / f'{name}.pth', weights_only=True)
        assert written['state_dict'].keys() == weights.keys()
        for key, value in written['state_dict'].items():
            assert torch.equal(value, weights[key]), key


@pytest.mark.parametrize('hook', ['mmselfemd.SafeCheckpointHook', None])
def test_no_run_resumes_from_it(checkpoint, tmp_path, hook):
    run = runner(
        tmp_path,
        hook or 'CheckpointHook',
        load_from=str(checkpoint[0]),
        resume=True,
    )
    with pytest.raises((UserError, KeyError), match='message_hub|Cannot resu'):
        run.train()


class Asks:
    def __init__(self, function, *args) -> None:
        self.reduced = function, args

    def __reduce__(self):
        return self.reduced


@pytest.mark.parametrize(
    'place', ['message_hub', 'optimizer', 'param_schedulers', 'meta', 'more']
)
def test_nothing_of_a_refused_state_is_left(tmp_path, place, capfd):
    shared = [1]
    content = dict(
        message_hub=dict(x=shared),
        optimizer={},
        param_schedulers=[],
        meta=dict(x=shared),
        state_dict=dict(a=torch.ones(1)),
    )
    content[place] = [shared, Asks(print, 'called')]
    torch.save(content, tmp_path / 'a.pth')
    if place in ('meta', 'more'):
        with pytest.raises(UnsafeCheckpointError, match=r'builtins\.print'):
            CheckpointLoader.load_checkpoint(str(tmp_path / 'a.pth'))
    else:
        loaded = CheckpointLoader.load_checkpoint(str(tmp_path / 'a.pth'))
        assert loaded == {key: content[key] for key in ('meta', 'state_dict')}
    assert 'called' not in capfd.readouterr().out.splitlines()


def test_a_state_of_plain_values_stays(tmp_path):
    content = dict(state_dict={}, optimizer=dict(x=1), message_hub={})
    torch.save(content, tmp_path / 'a.pth')
    assert CheckpointLoader.load_checkpoint(str(tmp_path / 'a.pth')) == content


def test_a_state_without_weights_is_refused(tmp_path):
    torch.save(dict(optimizer=Asks(print, 'x')), tmp_path / 'a.pth')
    with pytest.raises(UnsafeCheckpointError, match=r'builtins\.print'):
        CheckpointLoader.load_checkpoint(str(tmp_path / 'a.pth'))
