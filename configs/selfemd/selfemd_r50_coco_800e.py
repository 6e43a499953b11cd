# Self-EMD, ResNet-50, COCO train2017, 800 epochs, batch 8 x 32: the recipe of
# the paper's Sec. 4.1, for its Table 1 (Faster R-CNN with FPN: 39.8 AP).
#
#   tools/dist_train.sh configs/selfemd/selfemd_r50_coco_800e.py 8
_base_ = [
    '../_base_/models/selfemd_r50.py',
    '../_base_/datasets/coco_views.py',
    '../_base_/schedules/sgd_cosine_800e.py',
    '../_base_/pretrain_runtime.py',
]
