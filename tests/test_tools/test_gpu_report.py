"""tools/analysis_tools/gpu_report.py: each part alone may fail."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from forked_scripts import run_script

from mmselfemd.datasets.scenes import make_scenes
from mmselfemd.errors import UserError

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / 'tools' / 'analysis_tools'
SMALL = 'configs/small/selfemd_r18_voc256_20e.py'
STEP_NAMES = [
    *('fp32', 'tf32', 'bf16', 'fp16'),
    *('fp32_channels_last', 'tf32_channels_last'),
    *('bf16_channels_last', 'fp16_channels_last', 'bf16_compiled'),
]


@pytest.fixture
def load(monkeypatch):
    """Load a tool as Python does by name."""
    monkeypatch.syspath_prepend(str(TOOLS))

    def load(path):
        spec = importlib.util.spec_from_file_location('tool', path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def tool(load):
    return load(TOOLS / 'gpu_report.py')


def settings_of(tool, folder, **changes):
    settings = tool.Settings(
        **dict(
            work_dir=folder,
            device='cpu',
            tiny=True,
            batch_size=4,
            photographs=None,
            report=folder / 'report.json',
        )
        | changes
    )
    settings.prepare()
    return settings


def part_of(tool, name, code, weight=1.0):
    return tool.Part(name, name, weight, lambda seconds: ['-c', code])


def test_a_part_that_fails_or_hangs_leaves_the_rest(
    tool, tmp_path, monkeypatch, capfd
):
    monkeypatch.setattr(tool, 'LEAST_SECONDS', 0)
    settings = settings_of(tool, tmp_path)
    child = tmp_path / 'child'
    parts = [
        part_of(tool, 'wrong', 'raise ValueError("no such\\nnumber 7")'),
        part_of(
            tool,
            'endless',
            'import os, pathlib, subprocess, sys, time\n'
            'child = subprocess.Popen(["sleep", "600"])\n'
            f'pathlib.Path({str(child)!r}).write_text(str(child.pid))\n'
            'time.sleep(600)',
        ),
        part_of(
            tool,
            'good',
            'import json, pathlib; pathlib.Path('
            f'{str(settings.json_of("good"))!r}).write_text('
            'json.dumps(dict(images_per_second=3)))',
            weight=8,
        ),
        part_of(tool, 'without figures', '1'),
    ]
    report = dict(parts={})
    tool.run_parts(parts, 0.25, settings, report)
    found = json.loads(settings.report.read_text())['parts']
    assert found == report['parts']
    assert list(found) == [part.name for part in parts]
    assert found['wrong']['error'] == 'number 7'
    assert 'it took more than' in found['endless']['error']
    assert 1 < found['endless']['seconds'] < 12
    assert found['good']['figures'] == dict(images_per_second=3)
    assert [each['ok'] for each in found.values()] == [
        False,
        False,
        True,
        True,
    ]
    # What a part has started is ended with it.
    state = Path('/proc', child.read_text(), 'stat')
    assert not state.exists() or state.read_text().split()[2] == 'Z'
    printed = capfd.readouterr().out
    assert '[1/4] wrong' in printed and 'failed: number 7' in printed


def test_what_one_part_leaves_the_others_have(tool, tmp_path, monkeypatch):
    limits = []
    monkeypatch.setattr(
        tool,
        'run_part',
        lambda part, limit, settings: (
            limits.append(limit) or dict(ok=True, seconds=0)
        ),
    )
    settings = settings_of(tool, tmp_path)
    parts = [
        part_of(tool, str(n), '', weight) for n, weight in enumerate([1, 2, 1])
    ]
    tool.run_parts(parts, 2, settings, dict(parts={}))
    assert limits == pytest.approx([30, 80, 120], abs=1)


def test_parts_without_time_are_named(tool, tmp_path):
    settings = settings_of(tool, tmp_path)
    report = dict(parts={})
    tool.run_parts([part_of(tool, 'late', '1')], 0.1, settings, report)
    assert report['parts']['late']['error'] == 'no time was left for it'


@pytest.mark.parametrize('tiny', [False, True])
def test_every_command_is_what_its_tool_reads(
    tool, load, tmp_path, monkeypatch, tiny
):
    settings = settings_of(tool, tmp_path, tiny=tiny, device='cuda')
    names = []
    for part in tool.all_parts(settings):
        path, *arguments = part.command(60)
        monkeypatch.setattr('sys.argv', [path, *arguments])
        args = load(path).parse_args()
        if 'config' in args:
            assert Path(args.config).is_file()
        if part.name in STEP_NAMES:
            assert args.json == settings.json_of(part.name)
            assert args.seconds == 30 and args.cfg_options
        names.append(part.name)
    assert set(STEP_NAMES) < set(names)
    assert set(names) - set(STEP_NAMES) == {
        *('scenes', 'input', 'processes', 'detector', 'resume')
    }


def test_parts_are_chosen_by_name(tool, tmp_path):
    parts = tool.all_parts(settings_of(tool, tmp_path))
    chosen = tool.choose(parts, ['resume'])
    assert [part.name for part in chosen] == ['scenes', 'resume']
    with pytest.raises(UserError, match='--parts fp23: .*fp32'):
        tool.choose(parts, ['fp23'])


def step(speedup=None, emd=None, launches=None, **figures):
    figures = (
        dict(
            batch_size=256,
            images_per_second=1000.0,
            peak_memory_bytes=2**31,
            speedup_over_mmpretrain=speedup,
            emd_overhead=emd,
            emd_launches=launches and dict(share=launches),
        )
        | figures
    )
    figures = {name: each for name, each in figures.items() if each}
    return dict(ok=True, seconds=1, figures=figures)


def test_hours_and_targets_follow(tool, capsys):
    parts = dict(
        fp32=step(1.4, 0.03, 0.005),
        fp32_channels_last=step(1.6, images_per_second=2000.0),
        bf16=step(1.1, 0.01, 0.02),
        fp16=dict(ok=False, seconds=1, error='[it] broke'),
        input=dict(
            ok=True,
            seconds=1,
            figures=dict(
                images_per_second_with_workers={'4': 900.0, '16': 3000.0},
                device_ms=0.5,
            ),
        ),
        resume=dict(
            ok=True,
            seconds=1,
            figures=dict(
                bit_equal=False,
                tensors=9,
                tensors_that_differ=2,
                largest_difference=1e-3,
            ),
        ),
    )
    report = dict(machine={'GPU 0': 'a card'}, tiny=False, parts=parts)
    report |= tool.conclusions(parts)
    hours = report['hours_of_800_epochs']
    assert hours['fp32'] == pytest.approx(118287 * 800 / 1000 / 3600)
    assert hours['fp32_channels_last'] == pytest.approx(hours['fp32'] / 2)
    assert hours.keys() == {'fp32', 'fp32_channels_last', 'bf16'}
    assert report['fed_images_per_second'] == 3000
    met = [(target['found'], target['met']) for target in report['targets']]
    assert met == [
        *((1.6, True), (0.03, False), (0.005, True)),
        *((1.1, False), (0.01, True), (0.02, False)),
        (0.0, False),
    ]
    tool.show(report)
    printed = capsys.readouterr().out
    assert 'a card' in printed and '[it] broke' in printed
    assert '2 of 9' in printed


def test_nothing_follows_from_nothing(tool, capsys):
    parts = dict(fp32=dict(ok=False, seconds=0, error='no GPU'))
    report = dict(machine={}, tiny=True, parts=parts)
    report |= tool.conclusions(parts)
    assert report['targets'] == []
    tool.show(report)
    assert 'fp32 failed: no GPU' in capsys.readouterr().out


@pytest.mark.parametrize(
    'device, said', [('cuda', 'a card, another'), ('cpu', 'no GPU')]
)
def test_the_table_names_what_was_measured(
    tool, monkeypatch, capsys, device, said
):
    """mmengine has one entry for all cards of a kind."""
    found = {'CUDA available': True, 'GPU 0': 'a card', 'GPU 1,2': 'another'}
    monkeypatch.setattr(tool, 'collect_env', lambda: found)
    report = dict(machine=tool.machine(device), tiny=False, parts={})
    tool.show(report | tool.conclusions({}))
    printed = ' '.join(capsys.readouterr().out.split())
    assert f'A step of three views, {said}' in printed


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    return make_scenes(
        tmp_path_factory.mktemp('scenes') / 'set', 8, 4, size=(160, 120)
    )


def train(kind, config, scenes, folder):
    out = folder / 'figures.json'
    done = run_script(
        TOOLS / 'short_trainings.py',
        *(kind, config, '--scenes', scenes, '--iterations', 4),
        *('--batch-size', 2, '--workers', 0),
        *('--work-dir', folder / 'runs', '--json', out),
        cwd=ROOT,
        env=os.environ | dict(OMP_NUM_THREADS='1'),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(out.read_text())


def test_a_resumed_run_is_compared(scenes, tmp_path):
    figures = train('resume', SMALL, scenes, tmp_path)
    assert figures['tensors'] > 100
    assert figures['bit_equal'] is True
    assert figures['largest_difference'] == 0
    runs = [tmp_path / 'runs' / name for name in ('straight', 'resumed')]
    assert [len(list(run.glob('iter_*.pth'))) for run in runs] == [2, 1]


def test_differences_are_counted(load):
    import torch

    module = load(TOOLS / 'short_trainings.py')
    ours = dict(a=torch.zeros(2), b=torch.ones(3))
    others = dict(a=torch.zeros(2), b=torch.tensor([1.0, 1.5, 1.0]))
    assert module._differences(ours, others) == dict(
        bit_equal=False,
        tensors=2,
        tensors_that_differ=1,
        largest_difference=0.5,
    )


def test_a_detector_is_tuned_and_evaluated(scenes, tmp_path):
    config = 'configs/demo/faster-rcnn_r18_fpn_scenes.py'
    figures = train('detector', config, scenes, tmp_path)
    assert figures['iterations'] == 4
    assert figures['images_per_second'] > 0
    assert 0 <= figures['bbox_mAP_50'] <= 1


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_whole_report_on_a_cpu(tmp_path):
    """With tiny sizes; AMP fails there, by itself, and all else is found."""
    out = tmp_path / 'report.json'
    done = subprocess.run(
        [
            *(sys.executable, TOOLS / 'gpu_report.py'),
            *('--device', 'cpu', '--tiny', '--minutes', '60'),
            *('--work-dir', tmp_path, '--json', out),
        ],
        cwd=ROOT,
        env=os.environ | dict(OMP_NUM_THREADS='1'),
        capture_output=True,
        text=True,
    )
    report = json.loads(out.read_text())
    failed = {
        name: each['error']
        for name, each in report['parts'].items()
        if not each['ok']
    }
    assert set(failed) == {
        *('bf16', 'fp16', 'bf16_compiled'),
        *('bf16_channels_last', 'fp16_channels_last'),
    }, failed
    assert all('only available training on gpu' in e for e in failed.values())
    assert done.returncode == 1
    assert report['parts']['processes']['figures']['processes'] == 2
    assert report['parts']['resume']['figures']['bit_equal'] is True
    assert report['hours_of_800_epochs'].keys() == {
        *('fp32', 'tf32', 'fp32_channels_last', 'tf32_channels_last')
    }
