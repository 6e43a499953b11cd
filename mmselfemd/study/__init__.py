"""What the flow adds: candidates trained and read alike, and compared."""

from .beginning import fingerprint, save_untrained, untrained_path
from .candidates import (
    BASELINE,
    CANDIDATES,
    CAUSES,
    UNTRAINED,
    find_candidates,
)
from .checkpoints import CheckpointReader
from .differences import Difference, paired_difference
from .fitting import (
    NUM_READINGS,
    Length,
    fitting_length,
    kept_length,
    length_within,
    save_length,
)
from .logs import what_the_log_says
from .origin import Origin, digest_of
from .pretraining import READINGS, Run, plan_runs, pretrain, worker_options
from .readings import Reader, annotation_files, figures_of, write_lists
from .records import (
    Record,
    differences_of,
    differences_to_baseline,
    load_sums,
    save_sums,
)
from .report import draw_study, render_study

__all__ = [
    'BASELINE',
    'CANDIDATES',
    'CAUSES',
    'NUM_READINGS',
    'READINGS',
    'UNTRAINED',
    'CheckpointReader',
    'Difference',
    'Length',
    'Origin',
    'Reader',
    'Record',
    'Run',
    'annotation_files',
    'differences_of',
    'differences_to_baseline',
    'digest_of',
    'draw_study',
    'figures_of',
    'find_candidates',
    'fingerprint',
    'fitting_length',
    'kept_length',
    'length_within',
    'load_sums',
    'paired_difference',
    'plan_runs',
    'pretrain',
    'render_study',
    'save_length',
    'save_sums',
    'save_untrained',
    'untrained_path',
    'what_the_log_says',
    'worker_options',
    'write_lists',
]
