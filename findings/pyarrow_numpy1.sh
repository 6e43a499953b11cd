#!/usr/bin/env bash
# pyarrow 26.0.1 beside numpy 1.26.4 (Python 3.11).
# Its metadata names no requirement, so pip installs it beside numpy 1 and
# finds nothing wrong (`pip check`); `import pyarrow` then raises, and with it
# whatever imports it: lightly-train 0.18 among others, whose own bound of
# pyarrow has no upper end. pyarrow 23.0.1 imports beside the same numpy.
# Seen: the text below, between the two EOF.
# Exit status: 0 if it is still so, 1 if it is not.
set -eu
FOLDER=$(mktemp -d)
trap 'rm -rf "$FOLDER"' EXIT
python3 -m venv "$FOLDER/venv"
PYTHON=$FOLDER/venv/bin/python

cat >"$FOLDER/expected" <<'EOF'
pyarrow 26.0.1 requires nothing; pip check: 0
ImportError: pyarrow requires NumPy 2.0 or newer, found 1.26.4
pyarrow 23.0.1 requires nothing; pip check: 0
imported
EOF

cat >"$FOLDER/run.py" <<'EOF'
import subprocess
import sys
from importlib import metadata

needs = metadata.requires('pyarrow') or 'nothing'
check = subprocess.run([sys.executable, '-m', 'pip', 'check'], stdout=-1)
version = metadata.version('pyarrow')
print(f'pyarrow {version} requires {needs}; pip check: {check.returncode}')
try:
    import pyarrow  # noqa: F401

    print('imported')
except ImportError as error:
    print(f'ImportError: {error}')
EOF

for version in 26.0.1 23.0.1; do
    "$PYTHON" -m pip install --quiet numpy==1.26.4 "pyarrow==$version"
    "$PYTHON" "$FOLDER/run.py"
done | diff "$FOLDER/expected" - ||
    { echo 'It behaves otherwise now.' >&2; exit 1; }
echo 'It is still so.'
