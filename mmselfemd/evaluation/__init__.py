"""What can be measured of a backbone, without labels and with some."""

from mmselfemd.models.node_geometry import (
    correspondences,
    nodes_in_image,
    overlap,
    receptive_field_centres,
)

from .backbone_flow import BackboneFlow, BackboneFlowHead
from .backbone_matching import (
    match_batch,
    match_others,
    match_views,
    measure_matching,
)
from .bootstrap import Estimate, bootstrap, paired_differences
from .box_features import read_boxes
from .boxes import Boxes, cut_boxes
from .flow_warm_up import FlowWarmUpHead
from .matching import (
    MatchingResult,
    matching_figures,
    matching_sums,
    pool_results,
)
from .matching_metric import MatchingAccuracy
from .partnered_flow import PartneredFlowHead
from .reading import Reading, reading_figures

__all__ = [
    'BackboneFlow',
    'BackboneFlowHead',
    'Boxes',
    'Estimate',
    'FlowWarmUpHead',
    'MatchingAccuracy',
    'MatchingResult',
    'PartneredFlowHead',
    'Reading',
    'bootstrap',
    'correspondences',
    'cut_boxes',
    'match_batch',
    'match_others',
    'match_views',
    'matching_figures',
    'matching_sums',
    'measure_matching',
    'nodes_in_image',
    'overlap',
    'paired_differences',
    'pool_results',
    'read_boxes',
    'reading_figures',
    'receptive_field_centres',
]
