# Table 2, "Eq. 14", without scale training (37.2 AP). Ours: BYOL's loss is
# kept, so that one thing changes at a time.
_base_ = ['./selfemd_r50_coco_800e_eq15.py']

model = dict(head=dict(marginals='mean'))
