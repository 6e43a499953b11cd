# Montage pre-training, ResNet-50, COCO train2017 with its boxes (Table 4 of
# the Self-EMD paper: 39.0 AP).
_base_ = [
    '../_base_/models/montage_r50.py',
    '../_base_/datasets/coco_montages.py',
    '../_base_/schedules/sgd_cosine_montage_64k.py',
    '../_base_/pretrain_runtime.py',
]

# There is no key encoder. (mmengine's runner refuses a hook set to None
# unless it is one of its own.)
del _base_.default_hooks.momentum_update

default_hooks = dict(
    # Weights the soft labels anew, Eq. 2.
    label_weights=dict(type='LabelWeightsHook', interval=5000),
    # Boxes are checked before anything is learnt from them.
    annotations=dict(type='CheckAnnotationsHook'),
    checkpoint=dict(by_epoch=False, interval=5000),
)
log_processor = dict(by_epoch=False)
