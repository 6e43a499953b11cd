# Predictors that learn ten times as fast: the keys match better than the
# predictions, as if these lagged behind. See docs/small_experiments.md.
_base_ = ['./selfemd_r18_voc256_20e.py']

optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={
            'head.dense_predictor': dict(lr_mult=10.0),
            'head.vector_predictor': dict(lr_mult=10.0),
        }
    )
)
