"""Files under the name of another format are named by their first bytes."""

import gzip
import io
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save

from mmselfemd.errors import UserValueError
from mmselfemd.zoo.import_backbone import import_backbone

WEIGHTS = dict(a=torch.arange(6.0))


def saved(zipped: bool, protocol: int = 2) -> bytes:
    file = io.BytesIO()
    torch.save(
        WEIGHTS,
        file,
        pickle_protocol=protocol,
        _use_new_zipfile_serialization=zipped,
    )
    return file.getvalue()


OTHERS = {
    'empty': b'',
    'a Git LFS pointer': b'version https://git-lfs.github.com/spec/v1\noid',
    'a web page': b'\n<!DOCTYPE html>\n<html><body>404</body></html>',
    'packed': gzip.compress(saved(True)),
}
TORCH = {
    'a zip archive': saved(True),
    'a file of torch.save': saved(False),
    'a file of torch.save.*': saved(False, 4),
}
SAFETENSORS = {
    'a safetensors file': save(WEIGHTS),
    # A header whose length, 0x280, starts like a pickle of protocol 2.
    'a safetensors file.*': save(WEIGHTS, dict(x='x' * 560)),
}
assert SAFETENSORS['a safetensors file.*'].startswith(b'\x80\x02')
PICKLES = {
    f'a pickle {"." * protocol}*': pickle.dumps(
        dict(model=dict(a=np.zeros(3))), protocol
    )
    for protocol in (2, 3, 4, 5)
}


@pytest.mark.parametrize(
    ('name', 'what', 'content'),
    [
        (name, what, content)
        for name, files in {
            'a.pth': OTHERS | SAFETENSORS | PICKLES,
            'a.SAFETENSORS': SAFETENSORS,
            'a.safetensors': OTHERS | TORCH | PICKLES,
            'a.pkl': OTHERS | TORCH | SAFETENSORS,
        }.items()
        for what, content in files.items()
    ],
)
def test_another_format_is_named(tmp_path, name, what, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserValueError, match=f'{name} is {what}'):
        import_backbone(tmp_path / name, tmp_path / 'out.pth', 'torchvision')
