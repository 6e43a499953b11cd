"""Is the environment what the lock says? Run by the environment's Python.

The lock is installed with ``--no-deps`` (the stack's metadata asks for a
second OpenCV, which lifts numpy to 2), so nothing has checked it yet.
"""

import argparse
import re
import sys
from importlib import metadata
from pathlib import Path

# What a stack's metadata asks for -> what is the same and locked in its place.
STAND_INS = {'opencv-python': 'opencv-python-headless'}
# Packages that would put a second, different cv2 over the locked one.
CLASHING = ('opencv-python', 'opencv-contrib-python', 'mmcv-lite', 'mmcv-full')
# Each package of a stack owns the files of its like in the other.
STACKS = (
    ('mmengine', 'mmcv', 'mmdet', 'mmpretrain'),
    ('onedl-mmengine', 'onedl-mmcv', 'onedl-mmdetection', 'onedl-mmpretrain'),
)


def canonical(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r'[-_.]+', '-', name).lower()


def read_lock(path: Path) -> dict[str, str]:
    """Read the exact versions that a lock asks for on this Python.

    Args:
        path (Path): A requirements file of ``name==version [; marker]``.

    Returns:
        dict[str, str]: Version by canonical name.
    """
    from packaging.requirements import Requirement

    locked = {}
    for line in path.read_text().splitlines():
        text = line.partition('#')[0].strip()
        if not text:
            continue
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate():
            (version,) = requirement.specifier
            locked[canonical(requirement.name)] = version.version
    return locked


def installed() -> dict[str, metadata.Distribution]:
    """All installed packages by canonical name.

    The first on the path counts, as in an import. What an interrupted
    installation has left without a name does not.
    """
    found: dict[str, metadata.Distribution] = {}
    for package in metadata.distributions():
        name = _name_of(package)
        if name:
            found.setdefault(canonical(name), package)
    return found


def _name_of(package: metadata.Distribution) -> str | None:
    try:
        return package.metadata and package.metadata['Name']
    except FileNotFoundError:  # how newer versions of the library say None
        return None


def installed_versions() -> dict[str, str]:
    """Versions of all installed packages by canonical name."""
    return {name: package.version for name, package in installed().items()}


def differences(locked: dict[str, str], versions: dict[str, str]) -> list:
    """Locked packages that are not there in exactly the locked version."""
    from packaging.version import Version

    problems = []
    for name, version in sorted(locked.items()):
        found = versions.get(name)
        if found is None:
            problems.append(f'{name} {version} is locked, but not installed')
        # A build's local part, such as +cu130, is not the lock's business.
        elif Version(Version(found).public) != Version(version):
            problems.append(f'{name} is {found}, but {version} is locked')
    return problems


def clashes(locked: dict[str, str], versions: dict[str, str]) -> list[str]:
    """Installed packages that cannot live beside the locked ones."""
    others = [
        name
        for stack in STACKS
        if not locked.keys() & set(stack)
        for name in stack
    ]
    return [
        f'{name} {versions[name]} overwrites files of a locked package; '
        f'remove it: pip uninstall {name}'
        for name in (*CLASHING, *others)
        if name in versions
    ]


def unmet(packages: dict[str, metadata.Distribution]) -> list[str]:
    """What installed packages ask for and do not get."""
    from packaging.requirements import Requirement

    problems = []
    for owner, package in packages.items():
        for text in package.requires or ():
            asked = Requirement(text)
            if asked.marker and not asked.marker.evaluate({'extra': ''}):
                continue
            name = canonical(asked.name)
            name = STAND_INS.get(name, name)
            found = packages[name].version if name in packages else None
            if found is None or not asked.specifier.contains(found, True):
                problems.append(
                    f'{owner} asks for {asked}, found {found or "none"}'
                )
    return sorted(set(problems))


def main() -> int:
    """Print every problem; 0 if there is none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('locks', nargs='+', type=Path)
    parser.add_argument(
        '--locked-only',
        action='store_true',
        help='only ask whether the locked packages are there',
    )
    args = parser.parse_args()
    locked = {}
    try:
        for path in args.locks:
            locked.update(read_lock(path))
    except ModuleNotFoundError:  # a bare environment has no packaging yet
        print('packaging is locked, but not installed')
        return 1
    versions = installed_versions()
    problems = differences(locked, versions)
    if not args.locked_only:
        problems += clashes(locked, versions) + unmet(installed())
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
