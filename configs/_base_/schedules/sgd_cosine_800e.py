# Sec. 4.1: SGD, weight decay 1e-4, batch 256, 800 epochs on COCO; "warm-up is
# used at the first 4 epochs, where the learning rate starts from 0.0 and then
# linearly increases to 0.2. Afterwards, the learning rate decreases to 0.0
# following a cosine scheduler."
optim_wrapper = dict(
    type='FiniteOptimWrapper',  # skips a step with NaN, on all ranks alike
    optimizer=dict(
        type='SGD',
        lr=0.2,
        momentum=0.9,  # ours: the paper gives no momentum
        weight_decay=1e-4,
    ),
)  # ours: on every parameter

param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-6,  # 0.0 would divide by zero in mmengine
        by_epoch=True,
        begin=0,
        end=4,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        eta_min=0.0,
        by_epoch=True,
        begin=4,
        convert_to_iter_based=True,
    ),
]

train_cfg = dict(
    type='ReproducibleEpochBasedTrainLoop', max_epochs=800, val_interval=10
)

# --auto-scale-lr scales the learning rate by batch size / 256.
auto_scale_lr = dict(enable=False, base_batch_size=256)
