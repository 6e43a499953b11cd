# What selfemd_r18_voc256_20e_predictor-lr-10x.py is held against: BYOL with
# the same change. See docs/small_experiments.md.
_base_ = ['./byol_r18_voc256_20e_three-views.py']

optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={'head.vector_predictor': dict(lr_mult=10.0)}
    )
)
