"""Can this Python run the set-up? Exits with 3 and says why if it cannot.

It is run by whatever ``python`` is on the machine, so it keeps to what an old
one understands, too.
"""

import sys


def shortcomings():
    """List what this Python lacks, in words for the user."""
    version = sys.version_info[:2]
    lacks = []
    if not (3, 10) <= version <= (3, 12):
        lacks.append('is %d.%d' % version)
        return lacks
    import os
    import sysconfig

    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        lacks.append(
            'is %d.%d but lacks venv (Debian, Ubuntu: install python3-venv)'
            % version
        )
    include = sysconfig.get_paths()['include']
    if not os.path.exists(os.path.join(include, 'Python.h')):
        lacks.append(
            'is %d.%d but lacks the headers that mmcv is built with '
            '(Debian, Ubuntu: install python3-dev)' % version
        )
    return lacks


if __name__ == '__main__':
    found = shortcomings()
    if found:
        print('; '.join(found))
        sys.exit(3)
