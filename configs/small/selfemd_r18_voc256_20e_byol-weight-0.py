# The flow by itself, without BYOL's loss.
_base_ = ['./selfemd_r18_voc256_20e.py']
model = dict(head=dict(byol_weight=0.0))
