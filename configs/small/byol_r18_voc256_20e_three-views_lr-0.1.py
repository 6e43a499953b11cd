# What selfemd_r18_voc256_20e_lr-0.1.py is held against: BYOL with the same
# change. See docs/small_experiments.md.
_base_ = ['./byol_r18_voc256_20e_three-views.py']

optim_wrapper = dict(optimizer=dict(lr=0.1))
