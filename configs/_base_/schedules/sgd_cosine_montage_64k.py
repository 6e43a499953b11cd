# "Cheaper Pre-training Lunch", Sec. 4.1: 64,000 iterations of 512 montages;
# the learning rate rises from 0.2 to 0.8 over the first 1,250 and follows a
# cosine to 0 then; weight decay 1e-4.
optim_wrapper = dict(
    type='FiniteOptimWrapper',  # leaves out a step with NaN
    optimizer=dict(
        type='SGD',
        lr=0.8,
        momentum=0.9,  # ours
        weight_decay=1e-4,
    ),
)

param_scheduler = [
    dict(
        type='LinearLR', start_factor=0.25, by_epoch=False, begin=0, end=1250
    ),
    dict(type='CosineAnnealingLR', eta_min=0.0, by_epoch=False, begin=1250),
]

train_cfg = dict(type='ReproducibleIterBasedTrainLoop', max_iters=64000)

# --auto-scale-lr scales the learning rate by batch size / 512.
auto_scale_lr = dict(enable=False, base_batch_size=512)
