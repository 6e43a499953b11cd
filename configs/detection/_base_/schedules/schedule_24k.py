# VOC: MoCo's schedule in Detectron2; the paper gives none. What is not set
# here is as on COCO.
_base_ = './schedule_90k.py'

max_iters = 24000

train_cfg = dict(max_iters=max_iters, val_interval=6000)

param_scheduler = [
    dict(
        type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=100
    ),
    dict(
        type='MultiStepLR',
        by_epoch=False,
        begin=0,
        end=max_iters,
        milestones=[18000, 22000],
        gamma=0.1,
    ),
]
