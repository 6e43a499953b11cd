# Twice the learning rate; see docs/small_experiments.md.
_base_ = ['./selfemd_r18_voc256_20e.py']

optim_wrapper = dict(optimizer=dict(lr=0.1))
