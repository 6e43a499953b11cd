#!/usr/bin/env bash
# Pillow 13.0.0, PIL.Image.open; the files are tifffile 2026.3.3's.
# A big-endian BigTIFF, which is valid and which Pillow's list of beginnings
# names, is not identified; the warning speaks of corrupt EXIF data. Of the
# eight bytes of the header the third says 43 for a little-endian one and the
# fourth for a big-endian one; Pillow looks at the third (TiffImagePlugin.py,
# ImageFileDirectory_v2.__init__ and TiffImageFile._open).
# Seen: the text below, between the two EOF.
# Exit status: 0 if it is still so, 1 if it is not.
set -eu
FOLDER=$(mktemp -d)
trap 'rm -rf "$FOLDER"' EXIT
python3 -m venv "$FOLDER/venv"
PYTHON=$FOLDER/venv/bin/python
"$PYTHON" -m pip install --quiet pillow==13.0.0 tifffile==2026.3.3 numpy==2.4.6

cat >"$FOLDER/expected" <<'EOF'
TIFF, little-endian: the pixels that were written
TIFF, big-endian: the pixels that were written
BigTIFF, little-endian: the pixels that were written
BigTIFF, big-endian: UnidentifiedImageError
BigTIFF, big-endian, read by tifffile: the pixels that were written
EOF

cat >"$FOLDER/run.py" <<'EOF'
import io

import numpy as np
import tifffile
from PIL import Image, UnidentifiedImageError

pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)


def compared(found):
    same = np.array_equal(found, pixels)
    return 'the pixels that were written' if same else 'other pixels'


for is_big in (False, True):
    for order, name in (('<', 'little'), ('>', 'big')):
        file = io.BytesIO()
        tifffile.imwrite(
            file, pixels, bigtiff=is_big, byteorder=order, photometric='rgb'
        )
        file.seek(0)
        try:
            found = compared(Image.open(file))
        except UnidentifiedImageError:
            found = 'UnidentifiedImageError'
        kind = f'{"Big" * is_big}TIFF, {name}-endian'
        print(f'{kind}: {found}')
file.seek(0)
print(f'{kind}, read by tifffile: {compared(tifffile.imread(file))}')
EOF

"$PYTHON" -W ignore "$FOLDER/run.py" |
    diff "$FOLDER/expected" - || { echo 'It behaves otherwise now.' >&2; exit 1; }
echo 'It is still so.'
