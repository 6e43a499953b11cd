# Self-EMD, ResNet-50, COCO+: train2017 and unlabeled2017 (Table 1: 40.4 AP).
# The epochs are ours: the paper gives none for COCO+.
_base_ = ['./selfemd_r50_coco_800e.py']

train_dataloader = dict(
    dataset=dict(data_prefix=['train2017/', 'unlabeled2017/'])
)
