#!/usr/bin/env bash
# opencv-python-headless 4.11.0.86, cv2.imdecode; Pillow 11.3.0, getexif and
# ImageOps.exif_transpose. A JPEG says in its EXIF how it is to be turned.
# OpenCV looks into the first segment APP1 alone: where a program has put XMP
# in front of the EXIF, it does not turn. Pillow turns, and it also takes the
# orientation of XMP where EXIF has none, which OpenCV never reads. So the two
# give the same file another width and height, and boxes that were drawn in the
# one do not fit the other.
# Seen: the text below, between the two EOF.
# Exit status: 0 if it is still so, 1 if it is not.
set -eu
FOLDER=$(mktemp -d)
trap 'rm -rf "$FOLDER"' EXIT
python3 -m venv "$FOLDER/venv"
"$FOLDER/venv/bin/python" -m pip install --quiet \
    opencv-python-headless==4.11.0.86 Pillow==11.3.0 numpy==2.2.6

cat >"$FOLDER/expected" <<'EOF'
EXIF: OpenCV 200 x 320, Pillow 200 x 320
EXIF before XMP: OpenCV 200 x 320, Pillow 200 x 320
XMP before EXIF: OpenCV 320 x 200, Pillow 200 x 320
XMP alone: OpenCV 320 x 200, Pillow 200 x 320
EOF

cat >"$FOLDER/run.py" <<'EOF'
from io import BytesIO

import cv2
import numpy as np
from PIL import Image, ImageOps


def segment(content):
    return b'\xff\xe1' + (len(content) + 2).to_bytes(2, 'big') + content


TAGS = Image.Exif()
TAGS[0x0112] = 6
EXIF = segment(TAGS.tobytes())
XMP = segment(
    b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
)
buffer = BytesIO()
Image.new('RGB', (320, 200)).save(buffer, 'JPEG')
plain = buffer.getvalue()
for title, segments in {
    'EXIF': EXIF,
    'EXIF before XMP': EXIF + XMP,
    'XMP before EXIF': XMP + EXIF,
    'XMP alone': XMP,
}.items():
    content = plain[:2] + segments + plain[2:]
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    height, width = pixels.shape[:2]
    upright = ImageOps.exif_transpose(Image.open(BytesIO(content))).size
    print(
        f'{title}: OpenCV {width} x {height}, '
        'Pillow {} x {}'.format(*upright)
    )
EOF

"$FOLDER/venv/bin/python" "$FOLDER/run.py" |
    diff "$FOLDER/expected" - || { echo 'It behaves otherwise now.' >&2; exit 1; }
echo 'It is still so.'
