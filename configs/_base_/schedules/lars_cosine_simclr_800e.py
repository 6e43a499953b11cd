# SimCLR's optimisation: LARS, learning rate 0.3 x batch / 256 at a batch of
# 4096, warm-up over 10 epochs from 0, then a cosine, both by iteration. Norms
# and biases neither decay nor are they adapted. The epochs are ours: those of
# the Self-EMD paper on COCO.
optim_wrapper = dict(
    type='FiniteOptimWrapper',  # leaves out a step with NaN
    optimizer=dict(
        type='mmpretrain.LARS', lr=4.8, momentum=0.9, weight_decay=1e-6
    ),
    paramwise_cfg=dict(
        custom_keys={
            'bn': dict(decay_mult=0.0, lars_exclude=True),
            'bias': dict(decay_mult=0.0, lars_exclude=True),
            # The norm of a ResNet's shortcut, which has no name of its own.
            'downsample.1': dict(decay_mult=0.0, lars_exclude=True),
        }
    ),
)

param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-6,  # 0.0 would divide by zero in mmengine
        by_epoch=True,
        begin=0,
        end=10,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        eta_min=0.0,
        by_epoch=True,
        begin=10,
        convert_to_iter_based=True,
    ),
]

train_cfg = dict(type='ReproducibleEpochBasedTrainLoop', max_epochs=800)

# --auto-scale-lr scales the learning rate by batch size / 4096.
auto_scale_lr = dict(enable=False, base_batch_size=4096)
