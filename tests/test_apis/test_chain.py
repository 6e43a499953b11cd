"""Both calls one after the other, trained for a few steps; slow as a whole.

With the commands of docs/two_commands.md, as they stand there.
"""

import importlib.util
import os
import re
import shlex
from pathlib import Path

import pytest
import torch
from forked_scripts import run_script
from mmengine.config import Config

from mmselfemd.apis import finetune, pretrain
from mmselfemd.engine.launch import load_config
from mmselfemd.settings.decisive_settings import decisive_settings

ROOT = Path(__file__).resolve().parents[2]


def parsed(command, monkeypatch):
    """What a tool reads of the command that another has printed."""
    program, tool, *arguments = shlex.split(command)
    assert program == 'python'
    monkeypatch.syspath_prepend(str(Path(tool).parent))
    spec = importlib.util.spec_from_file_location('tool', tool)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr('sys.argv', [tool, *arguments])
    return module.parse_args()


def settings_of(config):
    return decisive_settings(config.to_dict())


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_from_a_folder_to_a_detector(folder, narrow, small, monkeypatch):
    said = []
    photos = dict(images='photos', arch='resnet18', epochs=3)
    photos |= dict(report=said.append)
    planned = pretrain(dry_run=True, **photos)
    narrow('work_dirs/pretrain_photos.py', 64)
    backbone = pretrain(**photos)
    assert backbone == planned and backbone.is_file()
    # What ran is what the file says.
    written = load_config('work_dirs/pretrain_photos.py')
    ran = Config.fromfile('work_dirs/pretrain_photos/pretrain_photos.py')
    assert settings_of(written) == settings_of(ran)
    assert torch.load(backbone)['meta']['pretraining']['epoch'] == 3
    step = parsed(said[-1].removeprefix('Next: '), monkeypatch)
    assert (step.images, step.pretrained) == ('photos', str(backbone))

    boxes = dict(
        images=step.images,
        train='train.json',
        val='val.json',
        pretrained=step.pretrained,
        iterations=2,
        report=said.append,
    )
    finetune(dry_run=True, **boxes)
    small('work_dirs/finetune_photos.py')
    detector = finetune(**boxes)
    assert detector.checkpoint.name == 'iter_2.pth'
    log = next(detector.checkpoint.parent.glob('*/*.log')).read_text()
    found = re.search(r'coco/bbox_mAP: +(-?[\d.]+)', log).group(1)
    evaluated = next(line for line in said if line.startswith('On val.json'))
    assert f'coco/bbox_mAP {float(found):.3f}' in evaluated
    assert ' 0 missing' in log
    step = parsed(said[-1].removeprefix('Next: '), monkeypatch)
    assert step.checkpoint == str(detector.checkpoint)
    assert step.config == 'work_dirs/finetune_photos.py'

    # Once more: nothing is trained.
    before = os.stat(backbone.parent / 'epoch_3.pth').st_mtime_ns
    said.clear()
    assert pretrain(**photos) == backbone
    assert finetune(**boxes) == detector
    assert sum('is finished' in line for line in said) == 2
    assert evaluated in said
    assert os.stat(backbone.parent / 'epoch_3.pth').st_mtime_ns == before

    # Longer: it goes on from where it was.
    with open('work_dirs/pretrain_photos.py', 'a') as file:
        file.write('train_cfg = dict(max_epochs=4)\n')
    pretrain(**photos)
    last = torch.load(backbone.parent / 'epoch_4.pth', weights_only=False)
    assert last['meta']['epoch'] == 4
    assert torch.load(backbone)['meta']['pretraining']['epoch'] == 4


def tool(words, cwd):
    environment = os.environ | dict(PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1')
    done = run_script(ROOT / words[1], *words[2:], cwd=cwd, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_documented_commands(folder, narrow, small, capsys):
    page = (ROOT / 'docs' / 'two_commands.md').read_text()
    commands = [
        shlex.split(line)
        for block in re.findall(r'```bash\n(.*?)```', page, re.S)
        for line in block.replace('\\\n', ' ').splitlines()
    ]
    first, second, third = commands
    assert [first[1], second[1]] == ['tools/pretrain.py', 'tools/finetune.py']
    readme = (ROOT / 'README.md').read_text().replace('\\\n', ' ')
    for words in (first, second):
        assert shlex.join(words) in re.sub(' +', ' ', readme)

    tool([*first, '--dry-run'], folder)
    narrow('work_dirs/pretrain_photos.py', 256)
    with open('work_dirs/pretrain_photos.py', 'a') as file:
        file.write('train_cfg = dict(max_epochs=1)\n')
    assert 'Next: ' in tool(first, folder)
    tool([*second, '--dry-run'], folder)
    small('work_dirs/finetune_photos.py')
    with open('work_dirs/finetune_photos.py', 'a') as file:
        file.write('train_cfg = dict(max_iters=1)\n')
    said = tool(second, folder)
    # The last command is printed as the page has it.
    assert shlex.split(said.splitlines()[-1].removeprefix('Next: '))[2:] == [
        word.replace('iter_N', 'iter_1').rstrip('/') for word in third[2:]
    ]
    tool([word.replace('iter_N', 'iter_1') for word in third], folder)
    pictures = list((folder / 'work_dirs/finetune_photos/found').glob('*.png'))
    assert len(pictures) == 12

    # From Python it is the same run, which is finished.
    (block,) = re.findall(r'```python\n(.*?)```', page, re.S)
    exec(block, {})
    assert capsys.readouterr().out.count('is finished') == 2
