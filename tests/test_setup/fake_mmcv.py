"""A stand-in for mmcv's build: small files, without torch, in its places.

Run by name, with a source folder and a folder for the wheel, it does what
``pip wheel --verbose`` does with mmcv: it compiles with ninja, in the source
folder, what has changed, and links.
"""

import subprocess
import sys
from pathlib import Path

FOLDER = Path('mmcv/ops/csrc/pytorch')

RULES = """
rule compile
  command = c++ -O0 -fPIC -MMD -MF $out.d -c $in -o $out
  depfile = $out.d
  deps = gcc
rule link
  command = c++ -shared $in -o $out
"""


def write_source(source, files):
    """Write files, given as text by name: ``nms`` or ``cpu/nms``."""
    for name, text in files.items():
        path = source / FOLDER / f'{name}.cpp'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def main(source, out):
    files = sorted(source.glob(f'{FOLDER}/*.cpp'))
    files = sorted([*files, *source.glob(f'{FOLDER}/cpu/*.cpp')])
    room = source / 'build' / 'temp.linux'
    rules, objects = [RULES], []
    for file in files:
        made = room / file.relative_to(source).with_suffix('.o')
        rules.append(f'build {made}: compile {file}')
        objects.append(str(made))
    library = source / 'build' / '_ext.so'
    room.mkdir(parents=True, exist_ok=True)
    text = '\n'.join([*rules, ''])
    (room / 'build.ninja').write_text(text)
    print("  building 'mmcv._ext' extension", flush=True)
    ninja = Path(sys.executable).parent / 'ninja'
    done = subprocess.run([ninja, '-v', '-j1'], cwd=room)
    if done.returncode:
        return done.returncode
    subprocess.run(['c++', '-shared', *objects, '-o', library], check=True)
    out.mkdir(exist_ok=True)
    library.rename(out / 'mmcv-0.0.1-fake.whl')
    return 0


if __name__ == '__main__':
    sys.exit(main(*map(Path, sys.argv[1:])))
