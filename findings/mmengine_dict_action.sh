#!/usr/bin/env bash
# mmengine 0.10.7, mmengine.config.DictAction (--cfg-options KEY=VALUE).
# It takes every space out of a value and splits it at every comma, also in
# quotation marks: a folder "photos 2" becomes "photos2", "Smith, John" two
# names, "2017" a number, and the class "traffic light" one word. Two tuples
# without brackets around them, (1,2),(3,4), end in RecursionError.
# Seen: the text below, between the two EOF.
# The class alone is run, from the file of the wheel: importing mmengine needs
# PyTorch, of which this class uses nothing.
# Exit status: 0 if it is still so, 1 if it is not.
set -eu
FOLDER=$(mktemp -d)
trap 'rm -rf "$FOLDER"' EXIT
python3 -m pip install --quiet --no-deps --target "$FOLDER" mmengine==0.10.7

cat >"$FOLDER/expected" <<'EOF'
'photos 2' -> 'photos2'
'Smith, John' -> ['Smith', 'John']
'"Smith, John"' -> ['Smith', 'John']
'2017' -> 2017
'[traffic light,car]' -> ['trafficlight', 'car']
'(1,2),(3,4)' -> RecursionError
EOF

cat >"$FOLDER/run.py" <<'EOF'
import argparse
import ast
import copy
import sys
import typing

source = open(sys.argv[1]).read()
(node,) = (
    node
    for node in ast.parse(source).body
    if isinstance(node, ast.ClassDef) and node.name == 'DictAction'
)
scope = {**vars(typing), **vars(argparse), 'copy': copy}
exec(compile(ast.Module([node], []), 'config.py', 'exec'), scope)
parser = argparse.ArgumentParser()
parser.add_argument('--cfg-options', nargs='+', action=scope['DictAction'])
for text in (
    'photos 2',
    'Smith, John',
    '"Smith, John"',
    '2017',
    '[traffic light,car]',
    '(1,2),(3,4)',
):
    try:
        options = parser.parse_args(['--cfg-options', f'key={text}'])
        found = repr(options.cfg_options['key'])
    except RecursionError:
        found = 'RecursionError'
    print(f'{text!r} -> {found}')
EOF

python3 "$FOLDER/run.py" "$FOLDER/mmengine/config/config.py" |
    diff "$FOLDER/expected" - || { echo 'It behaves otherwise now.' >&2; exit 1; }
echo 'It is still so.'
