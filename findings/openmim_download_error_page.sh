#!/usr/bin/env bash
# openmim 0.3.9, mim download PACKAGE --config NAME --dest DIR; requests 2.28.2
# and urllib3 1.26.20, which its requirements ask for.
# It looks at neither the status nor the length of an answer: the page that a
# server sends with status 404 becomes the checkpoint, and so does half a file
# whose connection ended before the length that was announced. It says that it
# succeeded, ends with exit status 0, and the next call finds that the file
# exists (mim/utils/utils.py, download_from_file; its argument hash_prefix is
# not given by mim/commands/download.py).
# Seen: the text below, between the two EOF. The first line is the control: a
# file that is there comes as it is.
# mim reads configs by mmengine or mmcv 1; the latter does without PyTorch. The
# package of a model zoo is made here and installed. Python 3.10 or 3.11, which
# the setuptools that openmim's requirements ask for needs.
# Exit status: 0 if it is still so, 1 if it is not.
set -eu
FOLDER=$(mktemp -d)
trap 'rm -rf "$FOLDER"' EXIT
python3 -m venv "$FOLDER/venv"
PYTHON=$FOLDER/venv/bin/python
"$PYTHON" -m pip install --quiet openmim==0.3.9 openxlab==0.1.3 \
    requests==2.28.2 urllib3==1.26.20 model-index==0.1.11 click==8.5.1 \
    pandas==2.3.3 numpy==1.26.4 opencv-python-headless==4.11.0.86 \
    pillow==13.0.0 yapf==0.40.1 setuptools==60.2.0 wheel==0.45.1
"$PYTHON" -m pip install --quiet --no-build-isolation mmcv==1.7.2

cat >"$FOLDER/expected" <<'EOF'
whole: answer 200, exit status 0, "Successfully downloaded whole.pth": the file
there_is_none: answer 404, exit status 0, "Successfully downloaded there_is_none.pth": a page, "Error code: 404"
cut: answer 200, exit status 0, "Successfully downloaded cut.pth": the first half of the file
there_is_none, once more: no answer, exit status 0, "there_is_none.pth exists"
EOF

cat >"$FOLDER/run.py" <<'EOF'
import functools
import http.server
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

folder = Path(sys.argv[1])
content = os.urandom(100_000)
served = folder / 'served'
served.mkdir()
for name in ('whole', 'cut'):
    (served / f'{name}.pth').write_bytes(content)
answers = []


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_request(self, code='-', size='-'):
        answers.append(int(code))

    def log_message(self, *arguments):
        pass

    def copyfile(self, source, outputfile):
        """Send the file, whose length has been announced, or half of it."""
        end = len(content) // 2 if 'cut' in self.path else None
        outputfile.write(source.read()[:end])


server = http.server.ThreadingHTTPServer(
    ('127.0.0.1', 0), functools.partial(Handler, directory=served)
)
threading.Thread(target=server.serve_forever, daemon=True).start()

package = folder / 'tinyzoo' / 'tinyzoo'
(package / '.mim').mkdir(parents=True)
(package / '__init__.py').touch()
(package / '.mim' / 'config.py').write_text('model = None\n')
entry = """
  - Name: {name}
    Config: config.py
    Weights: http://127.0.0.1:{port}/{name}.pth
"""
(package / '.mim' / 'model-index.yml').write_text(
    'Models:'
    + ''.join(
        entry.format(name=name, port=server.server_port)
        for name in ('whole', 'there_is_none', 'cut')
    )
)
(package.parent / 'setup.py').write_text(
    'from setuptools import setup\n'
    "setup(name='tinyzoo', version='1', packages=['tinyzoo'],\n"
    "      package_data={'tinyzoo': ['.mim/*']})\n"
)
pip = [sys.executable, '-m', 'pip', 'install', '--quiet']
subprocess.run([*pip, '--no-build-isolation', package.parent], check=True)


def described(file):
    found = file.read_bytes()
    if found == content:
        return 'the file'
    if found == content[: len(content) // 2]:
        return 'the first half of the file'
    code = re.search(rb'Error code: \d+', found)
    return f'a page, "{code[0].decode()}"' if code else 'something else'


def download(name):
    answers.clear()
    mim = [sys.executable, '-W', 'ignore', '-m', 'mim', 'download', 'tinyzoo']
    done = subprocess.run(
        [*mim, '--config', name, '--dest', folder / 'dest'],
        capture_output=True,
        text=True,
        cwd=folder,
        env=dict(os.environ, NO_PROXY='127.0.0.1', no_proxy='127.0.0.1'),
    )
    said = re.search(r'Successfully downloaded \S+|\S+ exists', done.stdout)
    answer = f'answer {answers[0]}' if answers else 'no answer'
    quoted = said[0] if said else done.stderr
    return f'{answer}, exit status {done.returncode}, "{quoted}"'


for name in ('whole', 'there_is_none', 'cut'):
    said = download(name)
    file = folder / 'dest' / f'{name}.pth'
    found = described(file) if file.exists() else 'no file'
    print(f'{name}: {said}: {found}')
print(f'there_is_none, once more: {download("there_is_none")}')
EOF

"$PYTHON" -W ignore "$FOLDER/run.py" "$FOLDER" |
    diff "$FOLDER/expected" - || { echo 'It behaves otherwise now.' >&2; exit 1; }
echo 'It is still so.'
