"""mmcv's C++ files, compiled in a few units that include them.

Nearly all the time of compiling one of mmcv's files goes into torch's headers.
A unit includes several files, unchanged, and so reads the headers once. Some
files define the same names: those must be in units of their own.

The units are all the state there is. They lie where mmcv's build looks for
files, and name what they include; the files themselves stay beside them,
under a name that the build passes over.
"""

import re
from collections.abc import Iterator
from pathlib import Path

# Where mmcv's build looks for C++ files, and those that it compiles for a GPU.
FOLDER = Path('mmcv', 'ops', 'csrc', 'pytorch')
FOLDERS = (FOLDER, FOLDER / 'cpu')
CUDA_FOLDER = FOLDER / 'cuda'

# It binds what all others define; it takes as long as a unit does.
ALONE = 'pybind.cpp'

# Sorts before all else in its folder, and before cpu/: files are compiled in
# the order of their paths, and the longest should come first.
PREFIX = 'amalgamation_'
PASSED_OVER = '.inc'

# Groups of cpu/ that were found to compile together. bezier_align, roi_align
# and roi_align_rotated each define `PreCalc`; rotated_feature_align repeats a
# function of theirs; psamask defines macros min and max, so it comes last.
# What is in no group here makes one more, which may turn out not to compile.
CPU_GROUPS = (
    (
        'active_rotated_filter',
        'bbox_overlaps_cpu',
        'box_iou_quadri',
        'deform_conv',
        'nms',
        'pixel_group',
        'points_in_boxes',
        'roi_align',
        'psamask',
    ),
    (
        'box_iou_rotated',
        'modulated_deform_conv',
        'nms_quadri',
        'nms_rotated',
        'roi_align_rotated',
        'voxelization',
    ),
    ('bezier_align', 'sparse_indice', 'sparse_maxpool', 'sparse_reordering'),
    ('rotated_feature_align',),
)

# ninja's line for a file that does not compile.
FAILED = re.compile(r'^\s*FAILED:\s+(?:\[code=\d+\]\s+)?(\S+)\.o\b', re.M)


def groups(names: list[str], known: tuple[tuple[str, ...], ...]) -> list:
    """Put files into groups: the known ones, and one of all the others.

    Args:
        names (list[str]): Files of a folder, such as ``nms.cpp``.
        known (tuple[tuple[str]]): Groups, by names without ``.cpp``.

    Returns:
        list[list[str]]: Every file once; no group is empty.
    """
    found = [
        [f'{stem}.cpp' for stem in group if f'{stem}.cpp' in names]
        for group in known
    ]
    grouped = {name for group in found for name in group}
    found.append([name for name in sorted(names) if name not in grouped])
    return [group for group in found if group]


def write_units(source: Path) -> None:
    """Replace mmcv's files, but for ``pybind.cpp``, by units.

    Args:
        source (Path): Folder of mmcv's unpacked source.
    """
    for part in FOLDERS:
        folder = source / part
        names = [path.name for path in folder.glob('*.cpp')]
        names = [name for name in names if name != ALONE]
        known = CPU_GROUPS if folder.name == 'cpu' else ()
        for group in groups(names, known):
            for name in group:
                (folder / name).rename(folder / (name + PASSED_OVER))
            write_unit(folder, group)


def write_unit(folder: Path, names: list[str]) -> None:
    """Write one more unit.

    Args:
        folder (Path): Where the files are.
        names (list[str]): The files that it includes, such as ``nms.cpp``.
    """
    number = 1 + len(list(folder.glob(f'{PREFIX}*.cpp')))
    lines = (f'#include "{name}{PASSED_OVER}"\n' for name in names)
    (folder / f'{PREFIX}{number:02d}.cpp').write_text(''.join(lines))


def units(source: Path) -> Iterator[Path]:
    """All units, in the order of their paths."""
    for part in FOLDERS:
        yield from sorted((source / part).glob(f'{PREFIX}*.cpp'))


def members(unit: Path) -> list[str]:
    """The files that a unit includes, such as ``nms.cpp``."""
    included = re.findall(r'#include "(.*)"', unit.read_text())
    return [name.removesuffix(PASSED_OVER) for name in included]


def split(unit: Path, parts: int) -> None:
    """Make several units of one, each of some of its files.

    Args:
        unit (Path): It keeps the first of the parts.
        parts (int): How many; each has one file at least.
    """
    names = members(unit)
    size = -(-len(names) // parts)
    chunks = [names[at : at + size] for at in range(0, len(names), size)]
    for chunk in chunks[1:]:
        write_unit(unit.parent, chunk)
    lines = (f'#include "{name}{PASSED_OVER}"\n' for name in chunks[0])
    unit.write_text(''.join(lines))


def split_failed(source: Path, log: str, one_by_one: bool) -> list[str]:
    """Split the units that a build could not compile.

    Args:
        source (Path): Folder of mmcv's source with its units.
        log (str): What the build said.
        one_by_one (bool): Whether into single files, or else in two.

    Returns:
        list[str]: A line for the user on each that was split. None: what
        failed is no grouping.
    """
    failed = set(FAILED.findall(log))
    said = []
    for unit in list(units(source)):
        place = unit.relative_to(source).with_suffix('')
        names = members(unit)
        if len(names) < 2 or not any(
            path.endswith(str(place)) for path in failed
        ):
            continue
        split(unit, len(names) if one_by_one else 2)
        said.append(
            f'{len(names)} of its files do not compile together '
            f'({names[0]} to {names[-1]}): '
            + ('one at a time' if one_by_one else 'in two parts')
        )
    return said
