"""What a file is, by its first bytes, where its name says something else."""

import re

from mmselfemd.errors import UserValueError

__all__ = ['START', 'check_format']

#: How many bytes tell the format.
START = 256

#: Of each format: how its files start, and what to say of one that is not
#: expected. The first that matches counts.
_FORMATS: dict[str, tuple[bytes, str]] = {
    'nothing': (rb'\Z', 'empty. Download or copy it again.'),
    'pointer': (
        rb'version https://git-lfs',
        'a Git LFS pointer, which stands for the file. Fetch the file itself: '
        'git lfs pull.',
    ),
    'page': (
        rb'\s*<(!doctype|html|head|\?xml)',
        'a web page and no weights: the download failed, or the address is '
        "that of a page. Open the file in a browser, and take the weights' "
        'own address.',
    ),
    'gzip': (rb'\x1f\x8b', 'packed (gzip). Unpack it: gunzip, or tar xzf.'),
    'zip': (
        rb'PK\x03\x04',
        'a zip archive, as torch.save writes it. If it is one, rename it to '
        'end with .pth.',
    ),
    'legacy': (  # torch's magic number, by every protocol of pickle
        rb'(\x80.(\x95.{8})?\x8a\x0al\xfc\x9cF|L119547037146038801333356L)',
        'a file of torch.save. Rename it to end with .pth.',
    ),
    'safetensors': (  # the length of its header, and the header
        rb'.{5}\0\0\0\{',
        'a safetensors file. Rename it to end with .safetensors.',
    ),
    'pickle': (
        rb'\x80[\x02-\x05]',
        'a pickle that torch.save did not write. If it holds arrays, as '
        "Detectron2's do, rename it to end with .pkl and import it: "
        'tools/model_converters/import_backbone.py.',
    ),
}


def check_format(start: bytes, expected: tuple[str, ...], source: str) -> None:
    """Raise if a file's first bytes are those of another format.

    Args:
        start (bytes): The first :data:`START` bytes, or all.
        expected (tuple[str, ...]): The formats that its name stands for,
            among 'zip' and 'legacy' (both of torch), 'safetensors', 'pickle'.
        source (str): The file, for the error.

    Raises:
        UserValueError: If it is of a known format that is not expected.
            Bytes of no known format pass: its reader names the damage.
    """
    for name, (pattern, words) in _FORMATS.items():
        if re.match(pattern, start, re.DOTALL | re.IGNORECASE):
            if name not in expected:
                raise UserValueError(f'{source} is {words}')
            return
