#!/usr/bin/env bash
# timm 1.0.31, timm.create_model: resnetaa50, resnetblur50 and resnetblur18.
# Their state dicts have the names and shapes of resnet50's and resnet18's, so
# that each loads into the other, strict and without a word, and computes
# something else: they pool where the plain ones have strides
# (timm/models/resnet.py, aa_layer). Nothing in a state dict tells them apart.
# Seen: the text below, between the two EOF; the maps are the last ones, of
# random weights, and differ by more than a twentieth of their norm.
# Exit status: 0 if it is still so, 1 if it is not.
set -eu
FOLDER=$(mktemp -d)
trap 'rm -rf "$FOLDER"' EXIT
python3 -m venv "$FOLDER/venv"
PYTHON=$FOLDER/venv/bin/python
"$PYTHON" -m pip install --quiet timm==1.0.31 torch==2.11.0 torchvision==0.26.0

cat >"$FOLDER/expected" <<'EOF'
resnetaa50: shapes of resnet50: yes, <All keys matched successfully>, maps of resnet50: no
resnetblur50: shapes of resnet50: yes, <All keys matched successfully>, maps of resnet50: no
resnetblur18: shapes of resnet18: yes, <All keys matched successfully>, maps of resnet18: no
EOF

cat >"$FOLDER/run.py" <<'EOF'
import timm
import torch

torch.manual_seed(0)
image = torch.randn(1, 3, 64, 96)
for name, other in (
    ('resnetaa50', 'resnet50'),
    ('resnetblur50', 'resnet50'),
    ('resnetblur18', 'resnet18'),
):
    pooled = timm.create_model(name).eval()
    plain = timm.create_model(other).eval()
    shapes, others = (
        {key: value.shape for key, value in network.state_dict().items()}
        for network in (pooled, plain)
    )
    same = 'yes' if shapes == others else 'no'
    loaded = plain.load_state_dict(pooled.state_dict())
    with torch.no_grad():
        expected = pooled.forward_features(image)
        distance = (plain.forward_features(image) - expected).norm()
    equal = 'no' if distance > 0.05 * expected.norm() else 'yes'
    print(
        f'{name}: shapes of {other}: {same}, {loaded}, '
        f'maps of {other}: {equal}'
    )
EOF

"$PYTHON" -W ignore "$FOLDER/run.py" |
    diff "$FOLDER/expected" - || { echo 'It behaves otherwise now.' >&2; exit 1; }
echo 'It is still so.'
