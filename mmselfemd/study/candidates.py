"""What the study of the flow compares, each a config of its own."""

from typing import NamedTuple

from mmselfemd.errors import UserValueError


class Candidate(NamedTuple):
    """One way of pre-training.

    Attributes:
        name (str): In files, and on the command line.
        label (str): In tables and figures.
        config (str): Below ``configs/small/``, without the ending.
    """

    name: str
    label: str
    config: str


#: What the others are held against: the same views, pooled.
BASELINE = 'byol_three_views'

#: The network that no run has trained yet; it has no run of its own.
UNTRAINED = 'untrained'

CANDIDATES = (
    Candidate(
        BASELINE,
        'BYOL, the same three views',
        'byol_r18_voc256_20e_three-views',
    ),
    Candidate('selfemd', 'Self-EMD (default)', 'selfemd_r18_voc256_20e'),
    Candidate('byol_two_views', 'BYOL, two views', 'byol_r18_voc256_20e'),
    Candidate('uniform', 'uniform weights', 'selfemd_r18_voc256_20e_uniform'),
    Candidate(
        'byol_weight_0.5',
        "half of BYOL's loss",
        'selfemd_r18_voc256_20e_byol-weight-0.5',
    ),
    Candidate(
        'byol_weight_0',
        "none of BYOL's loss",
        'selfemd_r18_voc256_20e_byol-weight-0',
    ),
    Candidate(
        'known_pairs',
        'bound: pairs known from the crops',
        'known-pairs_r18_voc256_20e',
    ),
)

#: Tried to find out why the flow adds little; trained only where named.
CAUSES = (
    Candidate(
        'backbone_flow',
        "flow from the backbone's maps",
        'backbone-flow_r18_voc256_20e',
    ),
    Candidate(
        'partnered_flow',
        'flow between nodes with a partner alone',
        'partnered-flow_r18_voc256_20e',
    ),
    Candidate(
        'gamma_0.01', 'a sharper flow', 'selfemd_r18_voc256_20e_gamma-0.01'
    ),
    Candidate(
        'flow_warm_up',
        "the flow's loss warmed up",
        'selfemd_r18_voc256_20e_flow-warm-up',
    ),
    Candidate(
        'predictor_lr_10x',
        'predictors that learn faster',
        'selfemd_r18_voc256_20e_predictor-lr-10x',
    ),
    Candidate(
        'byol_predictor_lr_10x',
        'BYOL, a predictor that learns faster',
        'byol_r18_voc256_20e_three-views_predictor-lr-10x',
    ),
    Candidate(
        'key_momentum_0.996',
        'a slower key',
        'selfemd_r18_voc256_20e_key-momentum-0.996',
    ),
    Candidate(
        'lr_0.1', 'twice the learning rate', 'selfemd_r18_voc256_20e_lr-0.1'
    ),
    Candidate(
        'byol_lr_0.1',
        'BYOL, twice the learning rate',
        'byol_r18_voc256_20e_three-views_lr-0.1',
    ),
    Candidate(
        'pyramid_after',
        'pyramid behind the predictor',
        'selfemd_r18_voc256_20e_pyramid-after',
    ),
)


def find_candidates(names: list[str] | None) -> list[Candidate]:
    """Candidates by name, in the order of :data:`CANDIDATES` and `CAUSES`.

    Args:
        names (list[str], optional): Their names. None means all of
            :data:`CANDIDATES`.

    Returns:
        list[Candidate]: With the baseline among them in any case.

    Raises:
        UserValueError: If a name is none of theirs.
    """
    every = (*CANDIDATES, *CAUSES)
    known = [candidate.name for candidate in every]
    for name in names or ():
        if name not in known:
            raise UserValueError(
                f"there is no candidate '{name}'; there are: "
                + ', '.join(known)
            )
    chosen = {*(names or [c.name for c in CANDIDATES]), BASELINE}
    return [c for c in every if c.name in chosen]
