# SimCLR, ResNet-50, COCO train2017, by its own recipe (Table 4: 37.6 AP).
_base_ = [
    '../_base_/models/simclr_r50.py',
    '../_base_/datasets/coco_views_simclr.py',
    '../_base_/schedules/lars_cosine_simclr_800e.py',
    '../_base_/pretrain_runtime.py',
]

# There is no key encoder. (mmengine's runner refuses a hook set to None
# unless it is one of its own.)
del _base_.default_hooks.momentum_update

# Matching accuracy is measured through SelfEMD's own `predict`.
val_dataloader = val_cfg = val_evaluator = None
test_dataloader = test_cfg = test_evaluator = None
