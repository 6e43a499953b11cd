# SimCLR, ResNet-50, ImageNet without labels, 200 epochs (Table 4: 39.4 AP).
_base_ = ['./simclr_r50_coco_800e.py']

train_dataloader = dict(
    dataset=dict(data_root='data/imagenet/', data_prefix='train/')
)

param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-6,
        by_epoch=True,
        begin=0,
        end=10,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        eta_min=0.0,
        by_epoch=True,
        begin=10,
        end=200,
        T_max=190,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=200)
