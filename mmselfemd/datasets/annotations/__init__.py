"""Annotation files in COCO's format: checked, and mended in memory."""

from .check import Usage, check_file, check_usages
from .content import check_content, checked_file, forget_files
from .findings import Finding, Findings, shown
from .kind import MENDED, SAID, STOP, Kind
from .kinds import KINDS
from .mending import mend

__all__ = [
    'KINDS',
    'MENDED',
    'SAID',
    'STOP',
    'Finding',
    'Findings',
    'Kind',
    'Usage',
    'check_content',
    'check_file',
    'check_usages',
    'checked_file',
    'forget_files',
    'mend',
    'shown',
]
