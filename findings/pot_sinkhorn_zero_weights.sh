#!/usr/bin/env bash
# POT 0.9.7.post1, ot.sinkhorn with its default method (Sinkhorn-Knopp).
# Weights of zero are valid, and on one side alone they do no harm. Where both
# sides have one, 1 / 0 meets 0 in the first iteration, and it returns what it
# began with: no plan, with a sum of 0.17 in place of 1, beside the warning
# "numerical errors at iteration 0", which is also that of a reg that is too
# small. A larger reg does not help. Its methods sinkhorn_log, sinkhorn_stabilized
# and greenkhorn solve the same problem.
# Seen: the text below, between the two EOF.
# Exit status: 0 if it is still so, 1 if it is not.
set -eu
FOLDER=$(mktemp -d)
trap 'rm -rf "$FOLDER"' EXIT
python3 -m venv "$FOLDER/venv"
"$FOLDER/venv/bin/python" -m pip install --quiet \
    POT==0.9.7.post1 numpy==2.2.6 scipy==1.15.3

cat >"$FOLDER/expected" <<'EOF'
one side has a zero, sinkhorn: sum 1.000, marginals kept: True, warned: False
both have one, sinkhorn: sum 0.174, marginals kept: False, warned: True
both have one, sinkhorn, reg 10: sum 0.953, marginals kept: False, warned: True
both have one, sinkhorn_log: sum 1.000, marginals kept: True, warned: False
both have one, sinkhorn_stabilized: sum 1.000, marginals kept: True, warned: False
both have one, greenkhorn: sum 1.000, marginals kept: True, warned: False
EOF

cat >"$FOLDER/run.py" <<'EOF'
import warnings

import numpy as np
import ot

COST = np.array([[0.1, 0.5, 0.9], [0.5, 0.2, 0.6], [0.9, 0.4, 0.3]])
ZERO = np.array([0.5, 0.5, 0.0])
NO_ZERO = np.array([0.5, 0.25, 0.25])


def show(title, source, target, method='sinkhorn', reg=0.2):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        with np.errstate(all='ignore'):
            plan = ot.sinkhorn(source, target, COST, reg, method=method)
    warned = any('numerical errors' in str(w.message) for w in caught)
    kept = np.allclose(plan.sum(1), source, atol=1e-6) and np.allclose(
        plan.sum(0), target, atol=1e-6
    )
    print(
        f'{title}: sum {plan.sum():.3f}, marginals kept: {kept}, '
        f'warned: {warned}'
    )


show('one side has a zero, sinkhorn', NO_ZERO, ZERO)
show('both have one, sinkhorn', ZERO, ZERO)
show('both have one, sinkhorn, reg 10', ZERO, ZERO, reg=10)
for method in ('sinkhorn_log', 'sinkhorn_stabilized', 'greenkhorn'):
    show(f'both have one, {method}', ZERO, ZERO, method)
EOF

"$FOLDER/venv/bin/python" "$FOLDER/run.py" |
    diff "$FOLDER/expected" - || { echo 'It behaves otherwise now.' >&2; exit 1; }
echo 'It is still so.'
