# A slower key: a moving average over 250 iterations at first, in place of 50.
# See docs/small_experiments.md.
_base_ = ['./selfemd_r18_voc256_20e.py']

default_hooks = dict(momentum_update=dict(base_momentum=0.996))
