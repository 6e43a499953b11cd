"""The OpenMMLab packages beneath: is one of the two stacks there, alone?

OpenMMLab's own packages and their maintained fork (``onedl-*``) have the same
import names and own the same files. pip does not know that: it installs one
over the other, and leaves a mixture that fails later and elsewhere.
"""

import sys
from importlib import metadata
from importlib.util import find_spec

from .errors import UserImportError

#: Distributions that own each module's files: OpenMMLab's, and the fork's.
_OWNERS: dict[str, dict[str, tuple[str, ...]]] = {
    'mmengine': dict(
        openmmlab=('mmengine', 'mmengine-lite'), onedl=('onedl-mmengine',)
    ),
    'mmcv': dict(
        openmmlab=('mmcv', 'mmcv-lite', 'mmcv-full'), onedl=('onedl-mmcv',)
    ),
    'mmdet': dict(openmmlab=('mmdet',), onedl=('onedl-mmdetection',)),
    'mmpretrain': dict(openmmlab=('mmpretrain',), onedl=('onedl-mmpretrain',)),
}
#: What installs a stack. mmcv comes second: it is compiled against the torch
#: that is there by then, which a build in isolation does not see.
_INSTALL: dict[str, tuple[str, str]] = dict(
    openmmlab=(
        "pip install 'mmselfemd[openmmlab]'",
        "pip install --no-build-isolation 'mmcv>=2.0.1,<2.2'",
    ),
    onedl=(
        "pip install 'mmselfemd[onedl]'",
        "pip install --no-build-isolation 'onedl-mmcv>=2.3.6,<2.4'",
    ),
)


def check_stack() -> None:
    """Raise unless exactly one stack is installed, and whole.

    Raises:
        UserImportError: With what is missing or mixed, and the lines to type.
    """
    found = installed_stacks()
    if len(found) > 1:
        names = sorted(name for names in found.values() for name in names)
        raise UserImportError(
            'two stacks are installed over each other, and own the same '
            f'files: {", ".join(names)}. Remove them, and install one:\n'
            + _lines(
                f'pip uninstall -y {" ".join(names)}',
                *_INSTALL['openmmlab'],
            )
            + '\nThe fork in its place:\n'
            + _lines(*_INSTALL['onedl'])
        )
    missing = [name for name in _OWNERS if find_spec(name) is None]
    if missing:
        stacks = found or _INSTALL
        ways = (_lines(*_INSTALL[stack]) for stack in stacks)
        raise UserImportError(
            f'mmselfemd needs {", ".join(_OWNERS)}; {", ".join(missing)} '
            'cannot be found. Install the stack:\n'
            + '\nor, its maintained fork:\n'.join(ways)
        )


def installed_stacks() -> dict[str, list[str]]:
    """Which distributions of each stack there are.

    Returns:
        dict[str, list[str]]: Names by stack (``openmmlab``, ``onedl``); one
        of which there is nothing is left out.
    """
    found = {
        stack: [
            name
            for owners in _OWNERS.values()
            for name in owners[stack]
            if _is_installed(name)
        ]
        for stack in _INSTALL
    }
    return {stack: names for stack, names in found.items() if names}


def leave_out_multimodal() -> None:
    """Let mmpretrain import without its models of images and language.

    Where ``transformers`` is installed mmpretrain imports them all, whatever
    is asked for. mmpretrain 1.2 takes names from ``transformers`` that newer
    ones have elsewhere or not at all, swallows that, and dies on what is left
    (``TypeError: NoneType takes no arguments``); so would every use of this
    package, which needs none of these models. Their names then say that they
    are not installed. Who wants them in the same process, with a
    ``transformers`` that they work with, imports ``mmpretrain.models`` first.
    """
    if 'mmpretrain.models' in sys.modules or not find_spec('transformers'):
        return
    from mmpretrain.utils import dependency

    # Read when the models, and the data sets, are imported.
    dependency.WITH_MULTIMODAL = False


def _is_installed(distribution: str) -> bool:
    try:
        metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def _lines(*commands: str) -> str:
    return '\n'.join(f'    {command}' for command in commands)
