# MoCo v2, ResNet-50, ImageNet without labels, 200 epochs (Table 4: 39.6 AP).
_base_ = ['./mocov2_r50_coco_800e.py']

train_dataloader = dict(
    dataset=dict(data_root='data/imagenet/', data_prefix='train/')
)

param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        eta_min=0.0,
        by_epoch=True,
        begin=0,
        end=200,
        T_max=200,
    ),
]
train_cfg = dict(max_epochs=200)
