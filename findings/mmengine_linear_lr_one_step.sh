#!/usr/bin/env bash
# mmengine 0.10.7, mmengine.optim.LinearLR over a single step (end - begin 1).
# As a warm-up it is to end at the full rate. Over one step it never leaves its
# first one: the whole run trains at start_factor times the rate that was set.
# Nothing is said. A warm-up of one epoch that is counted in epochs, or one that
# was shortened with the run, is such a step.
# Seen: the text below, between the two EOF. Controls: two steps, after which
# the rate is the full one; and torch's LinearLR over one step, after which it
# is too.
# Exit status: 0 if it is still so, 1 if it is not.
set -eu
FOLDER=$(mktemp -d)
trap 'rm -rf "$FOLDER"' EXIT
python3 -m venv "$FOLDER/venv"
PYTHON=$FOLDER/venv/bin/python
"$PYTHON" -m pip install --quiet mmengine==0.10.7 torch==2.11.0 \
    numpy==1.26.4 opencv-python==4.11.0.86 setuptools==80.10.2

cat >"$FOLDER/expected" <<'EOF'
mmengine, 1 steps: 0.001 0.001 0.001 0.001
mmengine, 2 steps: 0.001 1.000 1.000 1.000
torch, 1 steps: 0.001 1.000 1.000 1.000
EOF

cat >"$FOLDER/run.py" <<'EOF'
import torch
from mmengine.optim import LinearLR


def rates(make):
    """The rates of four steps, of which 1 is the full one."""
    weight = torch.nn.Parameter(torch.zeros(()))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    scheduler = make(optimizer)
    found = []
    for _ in range(4):
        found.append(f"{optimizer.param_groups[0]['lr']:.3f}")
        optimizer.step()
        scheduler.step()
    return ' '.join(found)


for steps in (1, 2):
    found = rates(lambda of: LinearLR(of, start_factor=0.001, end=steps))
    print(f'mmengine, {steps} steps: {found}')
found = rates(
    lambda of: torch.optim.lr_scheduler.LinearLR(of, 0.001, total_iters=1)
)
print(f'torch, 1 steps: {found}')
EOF

"$PYTHON" -W ignore "$FOLDER/run.py" 2>"$FOLDER/log" |
    diff "$FOLDER/expected" - || {
    echo 'It behaves otherwise now.' >&2
    tail -3 "$FOLDER/log" >&2
    exit 1
}
echo 'It is still so.'
