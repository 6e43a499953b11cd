"""mmcv's C++ files, compiled in a few units that include them.

Nearly all the time of compiling one of mmcv's files goes into torch's headers.
A unit includes several files, unchanged, and so reads the headers once. Some
files define the same names: those must be in units of their own.

The units are all the state there is. They lie where mmcv's build looks for
files, and name what they include; the files themselves stay where they are,
under a name that the build passes over.
"""

import re
from pathlib import Path

# Where mmcv's build looks for C++ files: here, and in the folder cpu.
FOLDER = Path('mmcv', 'ops', 'csrc', 'pytorch')

PREFIX = 'amalgamation_'
PASSED_OVER = '.inc'

# Units are compiled in this order. The first takes the least time, and tells
# how long the others take; then come the longest, so that no processor is
# left with one of them at the end: the bindings of all operators, which are
# as much work as three units, and all that is in no group, but for cpu/.
BINDINGS = 'pybind'
FIRST = (('cpu/rotated_feature_align',), (BINDINGS,))
# What was found to compile together. bezier_align, roi_align and
# roi_align_rotated each define `PreCalc`; rotated_feature_align repeats a
# function of theirs; psamask defines macros min and max, so it comes last.
# What else is in cpu/ makes one more group, which may not compile as it is.
CPU_GROUPS = (
    (
        'cpu/active_rotated_filter',
        'cpu/bbox_overlaps_cpu',
        'cpu/box_iou_quadri',
        'cpu/deform_conv',
        'cpu/nms',
        'cpu/pixel_group',
        'cpu/points_in_boxes',
        'cpu/roi_align',
        'cpu/psamask',
    ),
    (
        'cpu/box_iou_rotated',
        'cpu/modulated_deform_conv',
        'cpu/nms_quadri',
        'cpu/nms_rotated',
        'cpu/roi_align_rotated',
        'cpu/voxelization',
    ),
    (
        'cpu/bezier_align',
        'cpu/sparse_indice',
        'cpu/sparse_maxpool',
        'cpu/sparse_reordering',
    ),
)

# ninja's line for a file that does not compile.
FAILED = re.compile(r'^\s*FAILED:\s+(?:\[code=\d+\]\s+)?(\S+)\.o\b', re.M)


def groups(names: list[str]) -> list[list[str]]:
    """Put files into groups: the known ones, and all others.

    Args:
        names (list[str]): Files, such as ``nms`` and ``cpu/nms``.

    Returns:
        list[list[str]]: Every file once, in the order to compile them in; no
        group is empty.
    """
    known = {name for group in FIRST + CPU_GROUPS for name in group}
    others = sorted(set(names) - known)
    found = [
        *FIRST,
        [name for name in others if '/' not in name],
        *CPU_GROUPS,
        [name for name in others if '/' in name],
    ]
    present = [[name for name in group if name in names] for group in found]
    return [group for group in present if group]


def write_units(source: Path) -> None:
    """Replace mmcv's files by units.

    Args:
        source (Path): Folder of mmcv's unpacked source.
    """
    folder = source / FOLDER
    files = [*folder.glob('*.cpp'), *folder.glob('cpu/*.cpp')]
    names = [str(file.relative_to(folder).with_suffix('')) for file in files]
    for file in files:
        file.rename(f'{file}{PASSED_OVER}')
    for group in groups(names):
        add_unit(source, group)


def add_unit(source: Path, names: list[str]) -> None:
    """Write one more unit.

    Args:
        source (Path): Folder of mmcv's source.
        names (list[str]): The files that it includes, such as ``cpu/nms``.
    """
    number = 1 + len(units(source))
    write_unit(source / FOLDER / f'{PREFIX}{number:02d}.cpp', names)


def write_unit(unit: Path, names: list[str]) -> None:
    """Write a unit of some files."""
    lines = (f'#include "{name}.cpp{PASSED_OVER}"\n' for name in names)
    unit.write_text(''.join(lines))


def units(source: Path) -> list[Path]:
    """All units, in their order."""
    return sorted((source / FOLDER).glob(f'{PREFIX}*.cpp'))


def members(unit: Path) -> list[str]:
    """The files that a unit includes, such as ``cpu/nms``."""
    return re.findall(rf'"(.*)\.cpp\{PASSED_OVER}"', unit.read_text())


def split(source: Path, unit: Path, parts: int) -> None:
    """Make several units of one, each of some of its files.

    Args:
        source (Path): Folder of mmcv's source.
        unit (Path): It keeps the first of the parts.
        parts (int): How many; each has one file at least.
    """
    names = members(unit)
    size = -(-len(names) // parts)
    chunks = [names[at : at + size] for at in range(0, len(names), size)]
    for chunk in chunks[1:]:
        add_unit(source, chunk)
    write_unit(unit, chunks[0])


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
    for unit in units(source):
        place = str(unit.relative_to(source).with_suffix(''))
        names = members(unit)
        if len(names) < 2 or not any(path.endswith(place) for path in failed):
            continue
        split(source, unit, len(names) if one_by_one else 2)
        said.append(
            f'{len(names)} of its files do not compile together '
            f'({names[0]} to {names[-1]}): '
            + ('one at a time' if one_by_one else 'in two parts')
        )
    return said
