"""From finished runs to a model that others may have: file, card, entry."""

from .finished_run import FinishedRun, read_finished_runs
from .publish import Published, publish

__all__ = ['FinishedRun', 'Published', 'publish', 'read_finished_runs']
