# BYOL, ResNet-50, ImageNet without labels, 300 epochs (Table 1: 39.9 AP).
_base_ = [
    '../_base_/models/byol_r50.py',
    '../_base_/datasets/coco_two_views.py',
    '../_base_/schedules/sgd_cosine_300e.py',
    '../_base_/pretrain_runtime.py',
]

train_dataloader = dict(
    dataset=dict(data_root='data/imagenet/', data_prefix='train/')
)
val_dataloader = dict(
    dataset=dict(data_root='data/imagenet/', data_prefix='val/')
)
test_dataloader = val_dataloader
