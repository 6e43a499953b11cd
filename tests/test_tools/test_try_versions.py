"""tools/analysis_tools/try_versions.py, with set-ups that are none."""

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mmselfemd.errors import UserError

ROOT = Path(__file__).parents[2]
LOCK = """\
# made from lock.in
iniconfig==2.3.0          # via pytest
numpy==1.26.4             # via torch
nvidia-nccl-cu13==2.28.9 ; sys_platform == 'linux'  # via torch
sympy==1.14.0             # via torch
torch==2.11.0             # via timm
torchvision==0.26.0       # via timm
triton==3.6.0 ; sys_platform == 'linux'  # via torch
"""
JUNIT = """\
<testsuites><testsuite name="pytest">
<testcase classname="tests.test_a" name="test_one"/>
<testcase classname="tests.test_a" name="test_two"><failure/></testcase>
<testcase classname="tests.test_b" name="test_three"><error/></testcase>
<testcase classname="tests.test_b" name="test_four"><skipped/></testcase>
</testsuite></testsuites>
"""


@pytest.fixture
def tool(monkeypatch):
    # It puts the set-up's modules there, too.
    monkeypatch.setattr(sys, 'path', [*sys.path])
    path = ROOT / 'tools' / 'analysis_tools' / 'try_versions.py'
    spec = importlib.util.spec_from_file_location('try_versions', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize('text', ['onedl', 'other:2.6.0', 'onedl:new', ''])
def test_a_combination_that_is_none(tool, text):
    with pytest.raises(UserError, match='such as onedl:2.13.0'):
        tool.read_combination(text)


def test_another_torch_takes_the_place_of_the_locks(
    tool, monkeypatch, tmp_path
):
    lock = tmp_path / 'lock.txt'
    lock.write_text(LOCK)
    brought = dict(
        torch='2.6.0', torchvision='0.21.0', sympy='1.13.1', numpy='1.26.4'
    )
    monkeypatch.setattr(tool, 'resolve_torch', lambda *_: brought)
    tool.change_lock(lock, 'python', '2.6.0')
    assert lock.read_text().splitlines() == [
        'iniconfig==2.3.0          # via pytest',
        'numpy==1.26.4',
        'sympy==1.13.1',
        'torch==2.6.0',
        'torchvision==0.21.0',
    ]


def test_the_locks_own_torch_leaves_it_as_it_is(tool, monkeypatch, tmp_path):
    monkeypatch.setattr(tool, 'resolve_torch', None)
    (tmp_path / 'lock.txt').write_text(LOCK)
    tool.change_lock(tmp_path / 'lock.txt', 'python', '2.11.0')
    assert (tmp_path / 'lock.txt').read_text() == LOCK


def test_what_pip_finds_is_read_and_bounds_stay(tool, monkeypatch):
    def run(command, **_):
        options = dict(zip(command, command[1:], strict=False))
        assert options['--constraint'].read_text() == 'numpy==1.26.4'
        install = [dict(metadata=dict(name='Torch', version='2.6.0'))]
        options['--report'].write_text(json.dumps(dict(install=install)))
        return subprocess.CompletedProcess(command, 0, '', '')

    monkeypatch.setattr(tool.subprocess, 'run', run)
    lines = ['numpy==1.26.4', 'sympy==1.14.0']
    assert tool.resolve_torch('python', '2.6.0', lines) == {'torch': '2.6.0'}


def test_a_torch_that_is_none_is_said_in_pips_words(tool):
    # Without a network pip says another thing, and ends with an error too.
    with pytest.raises(UserError, match='torch 0.0.1: pip says\n.+'):
        tool.resolve_torch(sys.executable, '0.0.1', [])


def test_results_are_counted(tool, tmp_path):
    (tmp_path / 'report.xml').write_text(JUNIT)
    assert tool.read_results(tmp_path / 'report.xml') == dict(
        passed=1,
        skipped=1,
        failed=['tests.test_a::test_two', 'tests.test_b::test_three'],
    )


MAKEFILE = """\
setup:
	@test "$(STACK) $(PYTHON)" = 'openmmlab some-python'
test:
	@cp report.xml $(subst --junitxml=,,$(lastword $(ARGS)))
broken:
	@false
"""


@pytest.fixture
def project(tmp_path):
    """What is committed of a project that `make` sets up and tests."""
    folder = tmp_path / 'project'
    (folder / 'requirements').mkdir(parents=True)
    (folder / 'requirements' / 'lock.txt').write_text(LOCK)
    (folder / 'report.xml').write_text(JUNIT)
    (folder / 'Makefile').write_text(MAKEFILE)
    return folder


def commit(folder):
    who = ('-c', 'user.name=a', '-c', 'user.email=a@b.c')
    for command in (['init', '-q'], ['add', '-A'], ['commit', '-qm', 'a']):
        subprocess.run(['git', *who, *command], cwd=folder, check=True)


@pytest.mark.skipif(shutil.which('make') is None, reason='make is absent')
def test_a_combination_is_set_up_and_tested_in_a_clone(
    tool, monkeypatch, project, tmp_path
):
    monkeypatch.setattr(tool, 'ROOT', project)
    versions = dict(torch='2.11.0', numpy='1.26.4')
    monkeypatch.setattr(tool, 'versions_of', lambda python: versions)
    clone = tmp_path / 'the $kept clones' / 'one'
    clone.parent.mkdir()
    wanted = 'openmmlab', '2.11.0', 'some-python', ['tests/test_a'], clone
    commit(project)
    row = tool.try_out(*wanted)
    assert row.items() >= versions.items()
    assert row['passed'] == 1 and len(row['failed']) == 2
    assert row['tests'] == ['tests/test_a'] and 'setup_seconds' in row

    # What is committed since; the clone's lock begins anew.
    (project / 'Makefile').write_text(MAKEFILE.replace('broken', 'setup'))
    commit(project)
    row = tool.try_out(*wanted)
    assert row == dict(stopped_at='setup')
    # A report of before is none of this time.
    (project / 'Makefile').write_text(MAKEFILE.replace('report', 'no'))
    commit(project)
    row = tool.try_out(*wanted)
    assert row['stopped_at'] == 'tests' and 'passed' not in row


def test_rows_are_kept_and_not_tried_again(
    tool, monkeypatch, tmp_path, capsys
):
    tried = []

    def try_out(stack, torch, python, tests, clone):
        assert clone.parent.exists() and torch in clone.name
        tried.append((stack, torch))
        if torch == '2.7.0':
            return dict(stopped_at='setup')
        return dict(
            numpy='2.4.6', mmcv='2.3.6', tests=tests, failed=['a::b'],
            passed=12, skipped=3,
        )  # fmt: skip

    monkeypatch.setattr(tool, 'try_out', try_out)
    out = tmp_path / 'new' / 'versions.json'
    for combinations in (['onedl:2.6.0'], ['onedl:2.6.0', 'onedl:2.7.0']):
        monkeypatch.setattr(
            'sys.argv',
            [
                *('tool', *combinations, '--python', sys.executable),
                *('--json', str(out), '--tests', 'tests/test_models'),
            ],
        )
        tool.main()
    assert tried == [('onedl', '2.6.0'), ('onedl', '2.7.0')]
    version = '.'.join(map(str, sys.version_info[:3]))
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == [
        f'| onedl | {version} | 2.6.0 | 2.4.6 |  | 2.3.6 | some | 12 '
        '| 1 | 3 |',
        f'| onedl | {version} | 2.7.0 |  |  |  | stopped at its setup |  |  '
        '|  |',
    ]


def test_the_page_has_the_rows_that_are_kept(tool):
    kept = ROOT / 'docs' / 'results' / 'versions.json'
    page = (ROOT / 'docs' / 'dependencies.md').read_text()
    assert tool.table(json.loads(kept.read_text())) in page
