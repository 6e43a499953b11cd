# BYOL, ResNet-50, COCO train2017, 800 epochs, by the schedule of Self-EMD
# "for fair comparison" (Table 1, Faster R-CNN with FPN: 38.8 AP).
_base_ = [
    '../_base_/models/byol_r50.py',
    '../_base_/datasets/coco_two_views.py',
    '../_base_/schedules/sgd_cosine_800e.py',
    '../_base_/pretrain_runtime.py',
]
