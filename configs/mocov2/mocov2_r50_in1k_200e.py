# MoCo v2, ResNet-50, ImageNet without labels, 200 epochs (Table 4: 39.6 AP).
_base_ = ['./mocov2_r50_coco_800e.py']

train_dataloader = dict(
    dataset=dict(data_root='data/imagenet/', data_prefix='train/')
)

train_cfg = dict(max_epochs=200)
