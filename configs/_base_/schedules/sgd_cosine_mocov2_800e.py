# MoCo v2's optimisation: SGD, batch 256, a cosine that takes a step once an
# epoch, no warm-up. The epochs are ours: those of the Self-EMD paper on COCO.
optim_wrapper = dict(
    type='FiniteOptimWrapper',  # leaves out a step with NaN
    optimizer=dict(type='SGD', lr=0.03, momentum=0.9, weight_decay=1e-4),
)

param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        eta_min=0.0,
        by_epoch=True,
        begin=0,
    ),
]

train_cfg = dict(type='ReproducibleEpochBasedTrainLoop', max_epochs=800)

# --auto-scale-lr scales the learning rate by batch size / 256.
auto_scale_lr = dict(enable=False, base_batch_size=256)
