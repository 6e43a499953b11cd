"""Where the tools are, in a checkout and in an installed package."""

from pathlib import Path

import mmselfemd


def tools_folder() -> Path:
    """Where this project's tools are.

    Returns:
        Path: That of the checkout, or that of the installed package.
    """
    package = Path(mmselfemd.__file__).parent
    checkout = package.parent / 'tools'
    is_there = (checkout / 'dist_train.sh').is_file()
    return checkout if is_there else package / '.mim' / 'tools'
