#!/usr/bin/env bash
# mmengine 0.10.7, mmengine.visualization.WandbVisBackend; wandb 0.31.0.
# It is given the iteration of all that it logs, and hands none of it on
# (add_scalars, add_scalar and add_image call wandb.log without a step). W&B
# then counts the calls: loss, accuracy and picture of one iteration lie at
# different places of its axis, and the curves of two runs that log at other
# intervals cannot be laid over each other.
# Seen: the text below, between the two EOF; it is W&B's own `run.step`, offline.
# The last line is the control: with the step handed on, W&B has it.
# Exit status: 0 if it is still so, 1 if it is not.
set -eu
FOLDER=$(mktemp -d)
trap 'rm -rf "$FOLDER"' EXIT
python3 -m venv "$FOLDER/venv"
PYTHON=$FOLDER/venv/bin/python
"$PYTHON" -m pip install --quiet mmengine==0.10.7 wandb==0.31.0 torch==2.11.0 \
    numpy==1.26.4 opencv-python==4.11.0.86 setuptools==80.10.2

cat >"$FOLDER/expected" <<'EOF'
iteration 50, loss: step 1
iteration 100, loss: step 2
iteration 100, accuracy: step 3
iteration 100, picture: step 4
iteration 150, loss: step 5
iteration 150, loss, step handed on: step 150
EOF

cat >"$FOLDER/run.py" <<'EOF'
import sys

import numpy as np
import wandb
from mmengine.visualization import WandbVisBackend

backend = WandbVisBackend(sys.argv[1], dict(mode='offline'))
run = backend.experiment.run
for iteration, name, value in (
    (50, 'loss', 4.0),
    (100, 'loss', 3.0),
    (100, 'accuracy', 0.5),
    (100, 'picture', np.zeros((8, 8, 3), np.uint8)),
    (150, 'loss', 2.0),
):
    if name == 'picture':
        backend.add_image(name, value, step=iteration)
    else:
        backend.add_scalars({name: value}, step=iteration)
    print(f'iteration {iteration}, {name}: step {run.step}')
wandb.log(dict(loss=2.0), step=150)
print(f'iteration 150, loss, step handed on: step {run.step}')
run.finish()
EOF

WANDB_SILENT=true "$PYTHON" -W ignore "$FOLDER/run.py" "$FOLDER" |
    diff "$FOLDER/expected" - || { echo 'It behaves otherwise now.' >&2; exit 1; }
echo 'It is still so.'
