"""Whatever a file's bytes are: success or an error for the user.

Never another exception, never a signal, and memory in proportion to the file.
"""

import functools
import json
import multiprocessing
import os
import resource
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from mmengine.runner.checkpoint import CheckpointLoader

from mmselfemd.errors import UserError
from mmselfemd.zoo import architecture, extract_backbone
from mmselfemd.zoo import import_backbone as importing
from mmselfemd.zoo.numpy_pickle import read_numpy_pickle

sys.path.insert(0, str(Path(__file__).parent))
import mutated_files

KINDS = ('zip', 'legacy', 'pkl', 'safetensors')
MEMORY = 300 * 2**20  # of the process, beyond what it has at the start


def readings(kind: str, folder: Path) -> tuple[Path, list[Callable]]:
    """A file's name, and all that can be done with it."""
    suffix = dict(zip='pth', legacy='pth').get(kind, kind)
    path, out = folder / f'a.{suffix}', folder / 'out.pth'
    load = functools.partial(
        CheckpointLoader.load_checkpoint, str(path), 'cpu', 'silent'
    )
    if kind == 'pkl':
        load = functools.partial(read_numpy_pickle, path)
    return path, [
        load,
        functools.partial(importing.import_backbone, path, out, force=True),
        functools.partial(extract_backbone, path, out, force=True),
        functools.partial(
            extract_backbone, path, out, to='detectron2', force=True
        ),
    ]


def read_all(kind: str, seeds: range, folder: Path) -> None:
    """In a process of its own: read mutated files, report what escapes."""
    os.fsync = lambda file: None  # no test cuts the power
    # Networks are built once, which takes most of the time.
    cached = {}

    def tensors_of(config: dict) -> dict:
        key = json.dumps(config)
        if key not in cached:
            cached[key] = original(config)
        return cached[key]

    original = architecture.tensors_of
    architecture.tensors_of = importing.tensors_of = tensors_of
    files = mutated_files.originals(kind)
    path, actions = readings(kind, folder)
    escaped, done = [], [0] * len(actions)
    pages = int(Path('/proc/self/statm').read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for seed in seeds:
        path.write_bytes(mutated_files.mutated(kind, seed, files))
        (folder / 'seed').write_text(str(seed))  # for a signal
        for index, action in enumerate(actions):
            try:
                action()
                done[index] += 1
            except UserError:
                continue
            except Exception:
                escaped.append((seed, index, traceback.format_exc()))
    (folder / 'report').write_text(json.dumps((escaped, done)))


def check(kind: str, seeds: range, folder: Path) -> None:
    fork = multiprocessing.get_context('fork')
    child = fork.Process(target=read_all, args=(kind, seeds, folder))
    child.start()
    child.join()
    assert child.exitcode == 0, (
        f'ended by {child.exitcode} at {(folder / "seed").read_text()}'
    )
    escaped, done = json.loads((folder / 'report').read_text())
    assert not escaped, f'{len(escaped)}: {escaped[0][:2]}\n{escaped[0][2]}'
    # Not all are beyond reading, so that all that follows is tried, too.
    assert done[0] > len(seeds) / 50, done


@pytest.mark.parametrize('kind', KINDS)
def test_untouched_files_are_read(tmp_path, kind):
    path, actions = readings(kind, tmp_path)
    for content in mutated_files.originals(kind):
        path.write_bytes(content)
        actions[0]()
    for action in actions[1 : 2 if kind == 'pkl' else None]:
        action()  # the last one is of a whole network


@pytest.mark.parametrize('kind', KINDS)
def test_mutated_files(tmp_path, kind):
    check(kind, range(300), tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize('kind', KINDS)
def test_five_thousand_mutated_files(tmp_path, kind):
    check(kind, range(5000), tmp_path)
