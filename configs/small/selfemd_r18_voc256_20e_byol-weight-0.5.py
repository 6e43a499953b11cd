# Half of BYOL's loss beside that of the flow.
_base_ = ['./selfemd_r18_voc256_20e.py']
model = dict(head=dict(byol_weight=0.5))
