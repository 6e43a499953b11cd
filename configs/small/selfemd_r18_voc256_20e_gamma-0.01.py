# A sharper flow; see docs/small_experiments.md.
_base_ = ['./selfemd_r18_voc256_20e.py']

model = dict(head=dict(gamma=0.01))
