"""A run and the config beside it, as people leave them."""

import shlex
import signal

import pytest

from mmselfemd.apis.command_lines import plain_path
from mmselfemd.apis.run_folder import RunFolder
from mmselfemd.errors import UserError, UserFileExistsError

CONFIG = """# Written for: python tools/pretrain.py --work-dir runs/mine
work_dir = 'runs/mine'
train_cfg = dict(max_epochs=3)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'runs').mkdir()


def begun(change=''):
    """A run whose config someone has added a line to."""
    run = RunFolder('pretrain.py', dict(work_dir='runs/mine'))
    run.config.write_text(f'{CONFIG}{change}\n')
    return run


@pytest.mark.parametrize('change', ['', "work_dir = './runs/mine/'"])
def test_the_last_checkpoint_is_that_of_the_config(change):
    run = begun(change)
    assert run.is_begun()
    assert str(run.last_checkpoint('epoch')) == 'runs/mine/epoch_3.pth'


@pytest.mark.parametrize(
    'change, message',
    [
        ('train_cfg = dict(', r"line 4 of 'runs/mine.py'.*never closed"),
        ('train_cfg = nothing', "line 4 of .*mine.py' fails: NameError"),
        ("work_dir = 'other'", "work_dir is 'other'.*'runs/mine'"),
        ('del work_dir', 'work_dir is None'),
        ('train_cfg = dict(max_iters=3)', 'no max_epochs.*train.py'),
        ('train_cfg = None', 'no max_epochs'),
    ],
)
def test_what_was_edited_wrongly_is_said(change, message):
    with pytest.raises(UserError, match=message):
        begun(change).last_checkpoint('epoch')


@pytest.mark.parametrize('name', ['.', '..', '/', 'a/..', '../..'])
def test_a_folder_without_a_name_is_refused(name):
    work_dir = plain_path(name, '--work-dir')
    with pytest.raises(UserError, match='--work-dir work_dirs/'):
        RunFolder('pretrain.py', dict(work_dir=work_dir))


def test_what_is_no_config_of_ours_is_left_alone():
    run = begun()
    run.config.write_bytes(b'\xff\xfe\0')
    with pytest.raises(UserFileExistsError, match='nothing that is known'):
        run.is_begun()
    run.config.unlink()
    run.config.mkdir()
    with pytest.raises(UserFileExistsError, match='nothing that is known'):
        run.is_begun()


@pytest.mark.parametrize('name', ['a\nb', 'a\u2028b', 'a\udcffb', '{{ x }}'])
def test_the_same_command_is_known_again(name):
    given = dict(images=name, work_dir='mine')
    RunFolder('pretrain.py', given).write([], 'none.py', [])
    assert RunFolder('pretrain.py', given).is_begun()


def test_several_gpus_are_started_by_torchrun():
    command = begun().training_command()
    assert command.endswith('tools/train.py runs/mine.py --resume')
    command = begun('num_processes = 2').training_command()
    tool, *arguments = shlex.split(command)
    assert tool.endswith('tools/dist_train.sh')
    assert arguments == ['runs/mine.py', '2', '--resume']


def processes(monkeypatch, script):
    """A run of two processes, by a script in place of dist_train.sh."""
    run = begun('num_processes = 2')
    monkeypatch.setattr(
        run, '_distributed', lambda _: ['bash', '-c', script], raising=True
    )
    return run


@pytest.mark.parametrize('name', ['TERM', 'USR1'])
def test_a_signal_reaches_the_processes_and_their_status_the_caller(
    monkeypatch, name
):
    number = getattr(signal, f'SIG{name}')
    former = signal.getsignal(number)
    # It signals its parent, as a scheduler would, and waits for its own.
    run = processes(
        monkeypatch,
        f"trap 'exit {128 + number}' {name}; kill -{name} $PPID; "
        'while :; do sleep 0.05; done',
    )
    with pytest.raises(SystemExit) as ended:
        run.train()
    assert ended.value.code == 128 + number
    assert signal.getsignal(number) is former


def test_another_status_is_an_error(monkeypatch):
    with pytest.raises(UserError, match='ended with status 3'):
        processes(monkeypatch, 'exit 3').train()
