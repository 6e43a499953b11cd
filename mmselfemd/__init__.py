"""Self-EMD: self-supervised pre-training of detection backbones.

Importing this package is enough to use it from any config: the registries
answer to the scope ``mmselfemd``, ``_base_ = 'mmselfemd::...'`` resolves, and
``mmselfemd://NAME`` names a published backbone.
"""

from typing import Any

from .stack import check_stack, leave_out_multimodal
from .version import __version__

# Before anything of OpenMMLab is imported.
check_stack()
leave_out_multimodal()

from mmengine.config.utils import MODULE2PACKAGE  # noqa: E402

from . import zoo  # noqa: E402, F401  registers mmselfemd:// and safe loaders
from .detector_inference import hand_on_image_values  # noqa: E402

# mmengine resolves `_base_ = 'package::path'` only for packages listed here.
# It looks the value up as a distribution, whose location is not the package's
# in an editable install, and then as a module, whose folder always is.
MODULE2PACKAGE.setdefault('mmselfemd', 'mmselfemd.version')
hand_on_image_values()

__all__ = ['__version__', 'extract_features']


def __getattr__(name: str) -> Any:
    """Import what needs more than the registries when it is asked for."""
    if name == 'extract_features':
        from .zoo.features import extract_features

        return extract_features
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
