"""The images take a Python that we take, copy what is there, and run `make`.

There is no Docker here: what they are made of is read, not built.
"""

import json
import re
from pathlib import Path

import environment
import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / 'docker').glob('Dockerfile*'))
UBUNTU = {'22.04': (3, 10), '24.04': (3, 12)}  # the Python of each


def instructions(file):
    """Each instruction and its arguments, continued lines joined."""
    text = re.sub(r'^#.*\n', '', file.read_text(), flags=re.M)
    for line in text.replace('\\\n', ' ').splitlines():
        if line.strip():
            yield line.split(maxsplit=1)


def arguments(file, wanted):
    return [text for name, text in instructions(file) if name == wanted]


def python_of(image):
    """The Python of a base image."""
    found = re.fullmatch(r'python:3\.(\d+)-slim', image)
    if found:
        return 3, int(found[1])
    return UBUNTU[re.search(r'ubuntu([\d.]+)$', image)[1]]


def test_there_is_one_for_gpus_and_one_for_cpus():
    assert [file.name for file in FILES] == ['Dockerfile', 'Dockerfile.cpu']


@pytest.mark.parametrize('file', FILES, ids=lambda file: file.name)
def test_their_python_is_one_that_we_take(file):
    (image,) = arguments(file, 'FROM')
    oldest, newest = environment.SUPPORTED
    assert oldest <= python_of(image) <= newest
    required = re.search(
        r"python_requires='>=(\d)\.(\d+)'", (ROOT / 'setup.py').read_text()
    )
    assert python_of(image) >= tuple(map(int, required.groups()))


def test_cuda_is_that_of_the_locked_torch():
    (image,) = arguments(ROOT / 'docker' / 'Dockerfile', 'FROM')
    lock = (ROOT / 'requirements' / 'lock.txt').read_text()
    locked = re.search(r'^cuda-toolkit==([\d.]+)', lock, re.M)[1]
    assert image.startswith(f'nvidia/cuda:{locked}-devel-')


@pytest.mark.parametrize('file', FILES, ids=lambda file: file.name)
def test_what_is_copied_is_there(file):
    for text in arguments(file, 'COPY'):
        *sources, _ = text.split()
        assert sources
        for source in sources:
            assert (ROOT / source).exists(), source


@pytest.mark.parametrize('file', FILES, ids=lambda file: file.name)
def test_what_is_run_is_the_set_up_of_everyone(file):
    system, *rest = arguments(file, 'RUN')
    # What tools/setup asks for: preflight.py, suitable.py.
    assert {'build-essential', 'git'} <= set(system.split())
    if not arguments(file, 'FROM')[0].startswith('python:'):
        assert {'python3-dev', 'python3-venv'} <= set(system.split())
    targets = re.findall(r'^([a-z-]+):', (ROOT / 'Makefile').read_text(), re.M)
    assert rest == ['make setup'] and 'setup' in targets
    # It comes after what it sets up.
    names = [name for name, _ in instructions(file)]
    assert names.index('COPY') < len(names) - 1 - names[::-1].index('RUN')


@pytest.mark.parametrize('file', FILES, ids=lambda file: file.name)
def test_commands_are_lists(file):
    for name in ('CMD', 'ENTRYPOINT'):
        for text in arguments(file, name):
            assert all(isinstance(word, str) for word in json.loads(text))


def test_git_and_docker_leave_out_the_same():
    left_out = {
        name: {
            line.removeprefix('**/').rstrip('/')
            for line in (ROOT / name).read_text().splitlines()
            if line and not line.startswith('#')
        }
        for name in ('.gitignore', '.dockerignore')
    }
    assert left_out['.dockerignore'] == left_out['.gitignore'] | {'.git'}
