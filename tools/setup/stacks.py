"""The two stacks that a checkout can be set up with, each in its own folder.

They own the same files, so they never share an environment.
"""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Stack:
    """What a set-up is made from, and where.

    Args:
        venv (str): Folder of the environment, in the checkout.
        lock (str): Its lock, in ``requirements``.
        mmcv (str): Its mmcv, which is built, in ``requirements``.
    """

    venv: str
    lock: str
    mmcv: str


STACKS = {
    'openmmlab': Stack('.venv', 'lock.txt', 'mmcv.txt'),
    'onedl': Stack('.venv-onedl', 'lock_onedl.txt', 'mmcv_onedl.txt'),
}


def chosen() -> Stack:
    """The stack that ``STACK`` names; OpenMMLab's own if it names none.

    Raises:
        SystemExit: If there is no such stack: its message is for the screen.
    """
    name = os.environ.get('STACK') or 'openmmlab'
    if name not in STACKS:
        raise SystemExit(
            f'Set-up stopped: STACK={name} is none of {", ".join(STACKS)}.'
        )
    return STACKS[name]
