# ResNet-101 (Table 3: 41.6 AP).
_base_ = ['./faster-rcnn_r50_fpn_syncbn_90k_coco.py']

pretrained = 'mmselfemd://selfemd_r101_coco_800e'

model = dict(backbone=dict(depth=101))
