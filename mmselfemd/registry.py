"""Child registries of mmengine's roots, all of scope ``mmselfemd``.

A component is looked up here first and in mmengine's root next; those of a
sibling (mmpretrain, mmdet) are named with their scope, e.g.
``mmpretrain.ResNet``. There is one for every root that a run asks: where one
is missing, mmengine warns at each look-up.
"""

from mmengine import registry as root
from mmengine.registry import Registry


def _child(parent: Registry, *locations: str) -> Registry:
    """Make a child that imports its modules when first asked for a name.

    So ``import mmselfemd`` stays cheap.
    """
    return Registry(
        parent.name,
        parent=parent,
        scope='mmselfemd',
        locations=[f'mmselfemd.{location}' for location in locations],
    )


DATASETS = _child(root.DATASETS, 'datasets')
DATA_SAMPLERS = _child(root.DATA_SAMPLERS, 'datasets')
TRANSFORMS = _child(root.TRANSFORMS, 'datasets')

MODELS = _child(root.MODELS, 'models')
MODEL_WRAPPERS = _child(root.MODEL_WRAPPERS, 'models')
WEIGHT_INITIALIZERS = _child(root.WEIGHT_INITIALIZERS, 'models')

HOOKS = _child(root.HOOKS, 'engine', 'monitors')
LOOPS = _child(root.LOOPS, 'engine')
RUNNERS = _child(root.RUNNERS, 'engine')
RUNNER_CONSTRUCTORS = _child(root.RUNNER_CONSTRUCTORS, 'engine')
OPTIMIZERS = _child(root.OPTIMIZERS, 'engine')
OPTIM_WRAPPERS = _child(root.OPTIM_WRAPPERS, 'engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child(root.OPTIM_WRAPPER_CONSTRUCTORS, 'engine')
PARAM_SCHEDULERS = _child(root.PARAM_SCHEDULERS, 'engine')
LOG_PROCESSORS = _child(root.LOG_PROCESSORS, 'engine')

METRICS = _child(root.METRICS, 'evaluation')
EVALUATOR = _child(root.EVALUATOR, 'evaluation')

VISUALIZERS = _child(root.VISUALIZERS, 'visualization')
VISBACKENDS = _child(root.VISBACKENDS, 'visualization')
