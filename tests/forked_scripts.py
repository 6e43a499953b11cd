"""Runs a script in a process of its own, without the seconds of its imports.

Starting Python, torch and the OpenMMLab packages takes longer than what most
tests ask of a tool. A server, started once, has imported what is not ours;
each script is a fork of it with its own folder, environment, arguments and
output, and imports `mmselfemd` itself, as it does from a shell.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

# None of these starts a thread, so that a fork of them is whole.
STACK = [
    'torch',
    'torchvision',
    'mmengine.runner',
    'mmcv.ops',
    'mmdet.apis',
    'mmdet.datasets',
    'mmdet.engine',
    'mmdet.evaluation',
    'mmdet.models',
    'mmpretrain.datasets',
    'mmpretrain.engine',
    'mmpretrain.evaluation',
    'mmpretrain.models',
    'matplotlib.pyplot',
    'rich.console',
]
SERVER = multiprocessing.get_context('forkserver')
SERVER.set_forkserver_preload(STACK)


class Script:
    """A script that runs, as one of ``subprocess.Popen`` would."""

    def __init__(
        self,
        path: str | Path,
        *args: object,
        cwd: str | Path = '.',
        env: Mapping[str, str] = os.environ,
    ) -> None:
        self.command = [os.path.join(cwd, path), *map(str, args)]
        self.folder = tempfile.TemporaryDirectory()
        self.outputs = [
            os.path.join(self.folder.name, name) for name in ('out', 'err')
        ]
        self.process = SERVER.Process(
            target=_become,
            args=(self.command, cwd, dict(env), self.outputs),
        )
        self.process.start()

    def finish(self) -> subprocess.CompletedProcess:
        """Wait for its end; return its exit status and what it wrote."""
        with self.folder:
            self.process.join()
            texts = [Path(output).read_text() for output in self.outputs]
        return subprocess.CompletedProcess(
            self.command, self.process.exitcode, *texts
        )


def run_script(
    path: str | Path, *args: object, **kwargs
) -> subprocess.CompletedProcess:
    """Run the script at `path`, as ``subprocess.run`` would, with its text."""
    return Script(path, *args, **kwargs).finish()


def _become(
    command: list[str],
    cwd: str | Path,
    env: Mapping[str, str],
    outputs: list[str],
) -> None:
    for stream, output in zip((sys.stdout, sys.stderr), outputs, strict=True):
        with open(output, 'w') as file:
            os.dup2(file.fileno(), stream.fileno())
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    import torch

    torch.set_num_threads(int(env.get('OMP_NUM_THREADS', os.cpu_count())))
    added = env.get('PYTHONPATH', '').split(os.pathsep)
    sys.path[:0] = [os.path.dirname(command[0]), *filter(None, added)]
    sys.argv[:] = command
    runpy.run_path(command[0], run_name='__main__')
