# All nodes weigh the same: no Eq. 15.
_base_ = ['./selfemd_r18_voc256_20e.py']
model = dict(head=dict(marginals='uniform'))
