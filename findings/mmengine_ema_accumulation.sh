#!/usr/bin/env bash
# mmengine 0.10.7, mmengine.hooks.EMAHook with accumulative_counts above 1.
# It moves the average after every batch, also after those that only add to the
# gradient, and not once a step of the optimiser: with 4 batches a step the
# weights of a step are averaged in four times, so that the average reaches
# back a quarter as far as with one batch of 4 times the size, at the same
# momentum. Nothing is said.
# Seen: the text below, between the two EOF. The first line is the control: one
# batch a step, the same weight of 1, 2 and 3 after the three steps.
# Exit status: 0 if it is still so, 1 if it is not.
set -eu
FOLDER=$(mktemp -d)
trap 'rm -rf "$FOLDER"' EXIT
python3 -m venv "$FOLDER/venv"
PYTHON=$FOLDER/venv/bin/python
"$PYTHON" -m pip install --quiet mmengine==0.10.7 torch==2.11.0 \
    numpy==1.26.4 opencv-python==4.11.0.86 setuptools==80.10.2

cat >"$FOLDER/expected" <<'EOF'
1 batches a step: weight 3.0 after 3 steps, averaged 3 times to 2.250
4 batches a step: weight 3.0 after 3 steps, averaged 12 times to 2.467
EOF

cat >"$FOLDER/run.py" <<'EOF'
import logging
import sys

import torch
from mmengine.hooks import EMAHook
from mmengine.model import BaseModel
from mmengine.runner import Runner


class Climber(BaseModel):
    """One weight, which every step of SGD raises by one."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def forward(self, inputs, mode):
        return dict(loss=-self.weight)


for counts in (1, 4):
    runner = Runner(
        Climber(),
        sys.argv[1],
        train_dataloader=torch.utils.data.DataLoader(
            [dict(inputs=0)] * 12, batch_size=1
        ),
        optim_wrapper=dict(
            optimizer=dict(type='SGD', lr=1.0), accumulative_counts=counts
        ),
        train_cfg=dict(by_epoch=False, max_iters=3 * counts),
        custom_hooks=[EMAHook(momentum=0.5)],
        experiment_name=f'of_{counts}',
        log_level=logging.ERROR,
    )
    runner.train()
    (hook,) = (hook for hook in runner.hooks if isinstance(hook, EMAHook))
    print(
        f'{counts} batches a step: weight {float(runner.model.weight)} after '
        f'3 steps, averaged {int(hook.ema_model.steps)} times to '
        f'{float(hook.ema_model.module.weight):.3f}'
    )
EOF

"$PYTHON" -W ignore "$FOLDER/run.py" "$FOLDER/work" 2>"$FOLDER/log" |
    grep 'batches a step' | diff "$FOLDER/expected" - || {
    echo 'It behaves otherwise now.' >&2
    tail -3 "$FOLDER/log" >&2
    exit 1
}
echo 'It is still so.'
