#!/usr/bin/env bash
# mmengine 0.10.7, mmengine.visualization.WandbVisBackend; wandb 0.31.0.
# It is given the iteration of all that it logs, and hands none of it on
# (add_scalars, add_scalar, add_image call wandb.log without a step). W&B then
# counts calls: the loss, the accuracy and the picture of one iteration lie at
# different places of the one axis that there is, and two runs that log at
# different intervals cannot be laid over each other.
# Seen: the text below, between the two EOF; read from the file that wandb
# writes offline.
# The class alone is run, from the file of the wheel: importing mmengine needs
# PyTorch, of which this class uses nothing.
# Exit status: 0 if it is still so, 1 if it is not.
set -eu
FOLDER=$(mktemp -d)
trap 'rm -rf "$FOLDER"' EXIT
python3 -m venv "$FOLDER/venv"
PYTHON=$FOLDER/venv/bin/python
"$PYTHON" -m pip install --quiet wandb==0.31.0 numpy==2.4.6 pillow==13.0.0
"$PYTHON" -m pip install --quiet --no-deps --target "$FOLDER/wheel" mmengine==0.10.7

cat >"$FOLDER/expected" <<'EOF'
iteration 50, loss: W&B's step 0
iteration 100, loss: W&B's step 1
iteration 100, accuracy: W&B's step 2
iteration 100, picture: W&B's step 3
iteration 150, loss: W&B's step 4
handed on besides: nothing
EOF

cat >"$FOLDER/run.py" <<'EOF'
import __future__
import ast
import functools
import logging
import os
import sys
from types import SimpleNamespace

import numpy as np
from wandb.proto.wandb_internal_pb2 import Record

source = open(sys.argv[1]).read()
names = ('force_init_env', 'WandbVisBackend')
nodes = [
    node
    for node in ast.parse(source).body
    if getattr(node, 'name', None) in names
]


class BaseVisBackend:
    """As mmengine's, without the abstract methods."""

    def __init__(self, save_dir):
        self._save_dir = save_dir


scope = dict(
    BaseVisBackend=BaseVisBackend,
    VISBACKENDS=SimpleNamespace(register_module=lambda: lambda cls: cls),
    functools=functools,
    logging=logging,
    os=os,
    print_log=lambda *args, **kwargs: None,
)
flags = __future__.annotations.compiler_flag
exec(compile(ast.Module(nodes, []), 'vis_backend.py', 'exec', flags), scope)

folder = sys.argv[2]
backend = scope['WandbVisBackend'](folder, dict(mode='offline'))
calls = [
    (50, 'loss', 4.0),
    (100, 'loss', 3.0),
    (100, 'accuracy', 0.5),
    (100, 'picture', np.zeros((8, 8, 3), np.uint8)),
    (150, 'loss', 2.0),
]
for iteration, name, value in calls:
    if name == 'picture':
        backend.add_image(name, value, step=iteration)
    else:
        backend.add_scalars({name: value}, step=iteration)
backend.experiment.finish()

(path,) = (
    os.path.join(folder, file)
    for folder, _, files in os.walk(folder)
    for file in files
    if file.endswith('.wandb')
)
content, position, part = open(path, 'rb').read(), 7, b''
rows = []
while position < len(content):  # LevelDB's log, behind seven bytes
    if (left := 32768 - position % 32768) < 7:
        position += left
        continue
    length = int.from_bytes(content[position + 4 : position + 6], 'little')
    kind, position = content[position + 6], position + 7
    part += content[position : position + length]
    position += length
    if kind in (1, 4):  # whole, or the last part
        record, part = Record.FromString(part), b''
        if record.HasField('history'):
            items = record.history.item
            rows.append(
                {
                    item.key or item.nested_key[0]: item.value_json
                    for item in items
                }
            )
besides = set()
for (iteration, name, _), row in zip(calls, rows, strict=True):
    print(f"iteration {iteration}, {name}: W&B's step {row['_step']}")
    besides |= {key for key in row if key[0] != '_'} - {name}
print(f'handed on besides: {", ".join(sorted(besides)) or "nothing"}')
EOF

WANDB_SILENT=true "$PYTHON" -W ignore "$FOLDER/run.py" \
    "$FOLDER/wheel/mmengine/visualization/vis_backend.py" "$FOLDER" |
    diff "$FOLDER/expected" - || { echo 'It behaves otherwise now.' >&2; exit 1; }
echo 'It is still so.'
