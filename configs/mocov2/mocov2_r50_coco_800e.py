# MoCo v2, ResNet-50, COCO train2017, by its own recipe (Table 4: 38.2 AP).
_base_ = [
    '../_base_/models/mocov2_r50.py',
    '../_base_/datasets/coco_views_mocov2.py',
    '../_base_/schedules/sgd_cosine_mocov2_800e.py',
    '../_base_/pretrain_runtime.py',
]

# MoCo moves its key encoder by itself. (mmengine's runner refuses a hook set
# to None unless it is one of its own.)
del _base_.default_hooks.momentum_update

# Matching accuracy is measured through SelfEMD's own `predict`.
val_dataloader = val_cfg = val_evaluator = None
test_dataloader = test_cfg = test_evaluator = None
