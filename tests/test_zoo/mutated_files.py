"""Small files of every format that is read, and what chance makes of them."""

import io
import json
import pickle
import pickletools
import random
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterator

import numpy as np
import torch
from mmdet.models.backbones import ResNet
from mmengine.logging import HistoryBuffer
from safetensors.torch import save

CONFIG = """
model = dict(
    backbone=dict(type='ResNet', depth=18, style='pytorch'),
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True))
"""
RECORD = dict(
    pixel_convention=dict(
        channel_order='RGB', mean=[1.0, 2.0, 3.0], std=[4.0, 5.0, 6.0]
    ),
    style='pytorch',
)
NUMBERS = [0, 1, 2, 7, 255, 2**16, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1]
# What a file may name, rightly and wrongly.
NAMES = [
    b'collections\nCounter\n',
    b'collections\nOrderedDict\n',
    b'builtins\nbytearray\n',
    b'builtins\nset\n',
    b'numpy\ndtype\n',
    b'numpy\nndarray\n',
    b'numpy.core.multiarray\n_reconstruct\n',
    b'torch._tensor\n_rebuild_from_type_v2\n',
    b'torch\nByteStorage\n',
    b'torch\nFloatTensor\n',
    b'torch\nSize\n',
    b'torch\nTensor\n',
    b'torch\ndevice\n',
    b'torch._utils\n_rebuild_parameter\n',
    b'torch._utils\n_rebuild_sparse_tensor\n',
    b'torch._utils\n_rebuild_tensor_v2\n',
    b'torch._utils\n_rebuild_tensor_v3\n',
]


def backbones() -> list[dict[str, torch.Tensor]]:
    """A few tensors, and a whole network as narrow as can be."""
    torch.manual_seed(0)
    whole = ResNet(depth=18, stem_channels=2, base_channels=2).state_dict()
    few = dict(list(whole.items())[:4])
    few['expandable'] = torch.arange(12.0).view(3, 4).t()
    return [few, dict(whole)]


def saved(weights: dict, zipped: bool, record: bool) -> bytes:
    meta = dict(
        RECORD if record else dict(cfg=CONFIG),
        epoch=np.int64(12),
        palette=np.uint8([[1, 2, 3]]),
        others=[(1, 2.5, None, True), {'x', 'y'}, b'\xff'],
    )
    noted = torch.ones(2)
    noted.note = 'x'
    file = io.BytesIO()
    torch.save(
        dict(
            state_dict={f'backbone.{k}': v for k, v in weights.items()},
            meta=meta,
            noted=noted,
            message_hub=HistoryBuffer([1.0], [1]) if record else {},
        ),
        file,
        _use_new_zipfile_serialization=zipped,
    )
    return file.getvalue()


def pickled(weights: dict, protocol: int) -> bytes:
    arrays = {name: value.numpy() for name, value in weights.items()}
    arrays['fortran'] = np.asfortranarray(np.ones((2, 3)))
    return pickle.dumps(
        dict(model=arrays, scalar=np.float32(0.5), __author__='MOCO'), protocol
    )


def originals(kind: str) -> list[bytes]:
    """Whole files of a format: small ones, and last one of a whole network."""
    few, whole = backbones()
    if kind == 'pkl':
        small = [pickled(few, protocol) for protocol in range(6)]
        return [*small, pickled(whole, 2)]
    if kind == 'safetensors':
        return [
            save(
                {f'backbone.{k}': v.contiguous() for k, v in each.items()},
                dict(format='pt', mmselfemd_meta=json.dumps(RECORD)),
            )
            for each in (few, whole)
        ]
    return [
        saved(weights, kind == 'zip', record)
        for weights, record in ((few, True), (few, False), (whole, True))
    ]


def mutate_bytes(rng: random.Random, content: bytes) -> bytes:
    """Flip, cut, repeat, move or overwrite some bytes."""
    mutated = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 8])):
        if not mutated:
            break
        start = rng.randrange(len(mutated))
        length = min(rng.choice([1, 2, 4, 8, 40]), len(mutated) - start)
        end = start + length
        what = rng.randrange(6)
        if what == 0:
            mutated[start] ^= 1 << rng.randrange(8)
        elif what == 1:
            del mutated[start:end]
        elif what == 2:
            mutated[start:start] = mutated[start:end] * rng.choice([1, 3])
        elif what == 3:
            target = rng.randrange(len(mutated))
            mutated[target:target] = mutated[start:end]
        elif what == 4:
            layout = rng.choice(['<H', '<I', '<Q', '>I'])
            number = rng.choice(NUMBERS) % 2 ** (8 * struct.calcsize(layout))
            packed = struct.pack(layout, number)
            mutated[start : start + len(packed)] = packed
        elif rng.random() < 0.2:
            del mutated[start:]
    return bytes(mutated)


def instructions(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Cut a pickle into its instructions."""
    parts = list(pickletools.genops(content))
    ends = [position for _, _, position in parts[1:]] + [len(content)]
    for (code, _, start), end in zip(parts, ends, strict=True):
        yield code.name, content[start:end]


def mutate_pickle(rng: random.Random, content: bytes) -> bytes:
    """Drop, repeat, swap or rewrite instructions of a pickle."""
    parts = [part for name, part in instructions(content) if name != 'FRAME']
    for _ in range(rng.choice([1, 1, 2, 5])):
        index, other = rng.randrange(len(parts)), rng.randrange(len(parts))
        what = rng.randrange(7)
        number = rng.choice(NUMBERS)
        if what == 0:
            parts[index] = b''
        elif what == 1:
            parts[index] *= rng.choice([2, 200])
        elif what == 2:
            parts[index], parts[other] = parts[other], parts[index]
        elif what == 3:
            parts[index] = parts[other]
        elif what == 4:
            named = [i for i, part in enumerate(parts) if part[:1] == b'c']
            index = rng.choice(named or [index])
            parts[index] = b'c' + rng.choice(NAMES)
        elif what == 5:
            parts[index] = b'\x8a\x09' + struct.pack('<Q', number) + b'\0'
        else:  # an integer
            integers = [
                i for i, part in enumerate(parts) if part[:1] in b'KMJ'
            ]
            index = rng.choice(integers or [index])
            parts[index] = b'J' + struct.pack('<I', number % 2**32)
    return b''.join(parts)


def mutate_zip(rng: random.Random, content: bytes) -> bytes:
    """Write a zip anew, with right check sums, around mutated members."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    what = rng.randrange(5)
    index = rng.randrange(len(members))
    name, data = members[index]
    if what <= 2:
        index = [name.endswith('/data.pkl') for name, _ in members].index(True)
        name, data = members[index]
        data = mutate_pickle(rng, data)
    elif what == 3:
        data = data[: len(data) // 2] if rng.random() < 0.5 else data * 3
    else:
        name = members[rng.randrange(len(members))][0]
    members[index] = name, data
    packing = rng.choice([zipfile.ZIP_STORED] * 9 + [zipfile.ZIP_DEFLATED])
    file = io.BytesIO()
    with (
        warnings.catch_warnings(),  # of names that occur twice
        zipfile.ZipFile(file, 'w', packing) as archive,
    ):
        warnings.simplefilter('ignore')
        for name, data in members:
            archive.writestr(name, data)
    return file.getvalue()


def mutate_legacy(rng: random.Random, content: bytes) -> bytes:
    """Rewrite one of the five pickles at the start."""
    parts, position = [], 0
    for _ in range(5):
        stream = io.BytesIO(content)
        stream.seek(position)
        for _ in pickletools.genops(stream):
            pass
        parts.append(content[position : stream.tell()])
        position = stream.tell()
    index = rng.choice([0, 1, 2, 3, 3, 3, 3, 4, 4])
    parts[index] = mutate_pickle(rng, parts[index])
    return b''.join(parts) + content[position:]


def mutate_safetensors(rng: random.Random, content: bytes) -> bytes:
    """Rewrite a number, a string or the record in the header."""
    (length,) = struct.unpack_from('<Q', content)
    header = json.loads(content[8 : 8 + length])
    names = [name for name in header if name != '__metadata__']
    entry = header[rng.choice(names)]
    what = rng.randrange(5)
    if what == 0:
        entry['shape'] = [rng.choice(NUMBERS) for _ in range(rng.randrange(5))]
    elif what == 1:
        entry['data_offsets'][rng.randrange(2)] = rng.choice(NUMBERS)
    elif what == 2:
        entry['dtype'] = rng.choice(['F64', 'BOOL', 'C64', 'F8_E4M3', 'X', ''])
    elif what == 3:
        header[rng.choice(['\x1b[0m', '', 'backbone.', 'x'])] = header.pop(
            rng.choice(names)
        )
    else:
        record = header['__metadata__']['mmselfemd_meta']
        header['__metadata__']['mmselfemd_meta'] = rng.choice(
            [
                '[' * 100000,
                '[1]',
                mutate_bytes(rng, record.encode()).decode('latin1'),
                record.replace('1.0', rng.choice(['NaN', '1e999', '"x"'])),
                record.replace('mean', 'median'),
            ]
        )
    text = json.dumps(header).encode()
    return struct.pack('<Q', len(text)) + text + content[8 + length :]


MUTATORS: dict[str, Callable[[random.Random, bytes], bytes]] = {
    'zip': mutate_zip,
    'legacy': mutate_legacy,
    'pkl': mutate_pickle,
    'safetensors': mutate_safetensors,
}


def mutated(kind: str, seed: int, files: list[bytes]) -> bytes:
    """One mutated file; the same for the same seed."""
    rng = random.Random(f'{kind} {seed}')
    # A whole network takes longer: now and then.
    content = files[-1] if rng.random() < 0.05 else rng.choice(files[:-1])
    mutate = rng.choice([mutate_bytes, MUTATORS[kind], MUTATORS[kind]])
    return mutate(rng, content)
