"""Two processes, half the batch each, do what one does with all of it."""

import os
import socket
from pathlib import Path

import pytest
import torch
from forked_scripts import Script

SCRIPT = Path(__file__).with_name('one_step.py')


def start(config, out, layout='plain', **env):
    env = os.environ | dict(OMP_NUM_THREADS='1') | env
    return Script(SCRIPT, config, out, layout, env=env)


def finish(*scripts):
    for done in [script.finish() for script in scripts]:
        assert done.returncode == 0, done.stderr


def free_port():
    with socket.socket() as listener:
        listener.bind(('localhost', 0))
        return str(listener.getsockname()[1])


@pytest.mark.parametrize(
    'config, layout',
    [
        ('selfemd_r18_voc256_20e.py', 'plain'),
        ('selfemd_r18_voc256_20e.py', 'watched'),
        ('selfemd_r18_voc256_20e.py', 'with_cp'),
        ('selfemd_r18_voc256_20e.py', 'modules'),
        ('byol_r18_voc256_20e.py', 'plain'),
    ],
)
def test_loss_and_gradients_are_those_of_the_whole_batch(
    config, layout, tmp_path
):
    finish(start(config, tmp_path / 'one.pth'))
    port = free_port()
    finish(
        *(
            start(
                config,
                tmp_path / 'two.pth',
                layout,
                RANK=str(rank),
                LOCAL_RANK=str(rank),
                WORLD_SIZE='2',
                MASTER_ADDR='localhost',
                MASTER_PORT=port,
            )
            for rank in range(2)
        )
    )
    one, two = (
        torch.load(tmp_path / f'{name}.pth', weights_only=True)
        for name in ('one', 'two')
    )
    torch.testing.assert_close(two['loss'], one['loss'], rtol=1e-5, atol=0)
    assert one['gradients'].keys() == two['gradients'].keys()
    assert any(name.startswith('backbone') for name in one['gradients'])
    assert any(name.startswith('head') for name in one['gradients'])
    for name, gradient in one['gradients'].items():
        scale = gradient.abs().max()
        assert scale > 0, name
        difference = (two['gradients'][name] - gradient).abs().max()
        assert difference <= 1e-4 * scale, name
