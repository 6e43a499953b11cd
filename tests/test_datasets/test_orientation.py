"""All of us turn a picture in the same way, and as OpenCV does."""

from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image

from mmselfemd.datasets.annotations.image_size import look_at_image
from mmselfemd.datasets.pictures import open_picture
from mmselfemd.datasets.transforms.encoded_image import (
    EncodedImage,
    decode_image,
    jpeg_size,
)

XMP = (
    b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
)


def segment(content):
    return b'\xff\xe1' + (len(content) + 2).to_bytes(2, 'big') + content


def exif(orientation):
    tags = Image.Exif()
    if orientation:
        tags[0x0112] = orientation
    else:
        tags[0x010E] = 'no orientation'
    return segment(tags.tobytes())


def jpeg(*segments):
    """320 x 200 with these in front, as cameras and programs order them."""
    buffer = BytesIO()
    pixels = np.zeros((200, 320, 3), np.uint8)
    pixels[:40, :40] = 255
    Image.fromarray(pixels).save(buffer, 'JPEG', quality=95)
    content = buffer.getvalue()
    return content[:2] + b''.join(segments) + content[2:]


@pytest.mark.parametrize(
    'segments',
    [
        [segment(XMP)],
        [exif(None), segment(XMP)],
        [segment(XMP), exif(6)],
        [exif(6), segment(XMP)],
        [exif(8)],
        [segment(XMP + b' ' * 5000)],
        [],
    ],
    ids=[
        *('XMP alone', 'EXIF without it, XMP', 'XMP before EXIF'),
        *('EXIF before XMP', 'EXIF', 'long XMP', 'none'),
    ],
)
def test_a_jpeg_with_xmp_is_turned_as_opencv_does(tmp_path, segments):
    content = jpeg(*segments)
    encoded = np.frombuffer(content, np.uint8)
    expected = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert np.array_equal(decode_image(content), expected)
    path = tmp_path / 'image.jpg'
    path.write_bytes(content)
    assert look_at_image(str(path)).size == expected.shape[1::-1]
    assert open_picture(content).pixels.shape[:2] == expected.shape[:2]
    size = jpeg_size(content)
    if size is not None:
        assert size == expected.shape[:2]
        lazily = EncodedImage(content, size, pytest.fail)
        assert np.array_equal(lazily.decode(1), expected)


def test_a_webp_is_checked_at_the_size_that_it_opens_at(tmp_path):
    buffer = BytesIO()
    image = Image.new('RGB', (320, 200))
    image.save(buffer, 'WEBP', xmp=XMP, exif=exif(None)[4:])
    path = tmp_path / 'image.webp'
    path.write_bytes(buffer.getvalue())
    size = look_at_image(str(path)).size
    assert size == (320, 200)
    assert open_picture(buffer.getvalue()).pixels.shape[1::-1] == size
