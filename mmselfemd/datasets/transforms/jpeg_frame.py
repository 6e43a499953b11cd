"""The frame header of a JPEG, found without a decoder."""

from typing import NamedTuple


class JpegFrame(NamedTuple):
    """What a JPEG says of its pixels.

    Attributes:
        width (int): As stored, in pixels.
        height (int): The same.
        num_components (int): 1 grey, 3 colour, 4 CMYK.
    """

    width: int
    height: int
    num_components: int


def jpeg_frame(content: bytes) -> JpegFrame | None:
    """Read the frame header (SOF) of a JPEG.

    Args:
        content (bytes): The file.

    Returns:
        JpegFrame | None: None if it ends or is damaged in front of it.
    """
    at = 2
    while content[at : at + 1] == b'\xff':
        marker = bytes(content[at + 1 : at + 2])
        if marker == b'\xff':  # filling
            at += 1
            continue
        if b'\xc0' <= marker <= b'\xcf' and marker not in b'\xc4\xc8\xcc':
            frame = content[at + 5 : at + 10]
            if len(frame) < 5:
                return None
            height, width = (
                int.from_bytes(frame[start : start + 2], 'big')
                for start in (0, 2)
            )
            return JpegFrame(width, height, frame[4])
        if marker == b'\xda' or not marker:
            return None
        at += 2 + int.from_bytes(content[at + 2 : at + 4], 'big')
    return None
