# Self-EMD, ResNet-101, COCO train2017, 800 epochs (Table 3: 41.6 AP).
_base_ = ['./selfemd_r50_coco_800e.py']

model = dict(backbone=dict(depth=101))
