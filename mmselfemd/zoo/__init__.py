"""The zoo: how weights are found, read, written and converted.

Importing it registers ``mmselfemd://NAME`` and puts every checkpoint loader
of mmengine behind a guard that runs no code of a file.
"""

from .download import DownloadError, download_model
from .extract import extract_backbone
from .index import WeightsNotPublishedError, read_model_index
from .loading import UnsafeCheckpointError, state_dict_of
from .saving import AtomicLocalBackend, to_plain

__all__ = [
    'AtomicLocalBackend',
    'DownloadError',
    'UnsafeCheckpointError',
    'WeightsNotPublishedError',
    'download_model',
    'extract_backbone',
    'read_model_index',
    'state_dict_of',
    'to_plain',
]
