"""Child registries of mmengine's roots, all of scope ``mmselfemd``.

A component is looked up here first and in mmengine's root next; those of a
sibling (mmpretrain, mmdet) are named with their scope, e.g.
``mmpretrain.ResNet``. ``locations`` says which modules to import when a
registry is first asked for a name, so that ``import mmselfemd`` stays cheap.
"""

from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import Registry

MODELS = Registry(
    'model',
    parent=MMENGINE_MODELS,
    scope='mmselfemd',
    locations=['mmselfemd.models'])
DATASETS = Registry(
    'dataset',
    parent=MMENGINE_DATASETS,
    scope='mmselfemd',
    locations=['mmselfemd.datasets'])
TRANSFORMS = Registry(
    'transform',
    parent=MMENGINE_TRANSFORMS,
    scope='mmselfemd',
    locations=['mmselfemd.datasets'])
HOOKS = Registry(
    'hook',
    parent=MMENGINE_HOOKS,
    scope='mmselfemd',
    locations=['mmselfemd.engine'])
METRICS = Registry(
    'metric',
    parent=MMENGINE_METRICS,
    scope='mmselfemd',
    locations=['mmselfemd.evaluation'])
