"""Files and maps of libraries that are not in the lock, made by them.

Run by a Python that has the library and not this package (transformers 5
cannot be imported beside mmpretrain 1.2):

    python real_libraries.py write KIND FOLDER
    python real_libraries.py read transformers FOLDER
    python real_libraries.py names FILE

``write`` saves a network in FOLDER as the library does, and its maps of
FOLDER/image.npy, in the library's own preprocessing, as maps.npz. ``read``
loads a folder that this package wrote, and saves the maps likewise.
``names`` makes the names and shapes that the other tests use.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch


def randomised(network: torch.nn.Module) -> torch.nn.Module:
    """Give weights and statistics that no initialiser gives."""
    generator = torch.Generator().manual_seed(1)
    for name, value in network.state_dict().items():
        if name.endswith('running_var') or name.endswith('weight'):
            if value.ndim == 1:
                value.uniform_(0.5, 1.5, generator=generator)
        elif value.is_floating_point():
            value.normal_(0, 0.1, generator=generator)
    return network.eval()


def save_maps(folder: Path, maps: list[torch.Tensor]) -> None:
    arrays = {f'C{i}': m.detach().numpy() for i, m in enumerate(maps, 2)}
    np.savez(folder / 'maps.npz', **arrays)


def image_of(folder: Path) -> np.ndarray:
    return np.load(folder / 'image.npy')


def transformers_maps(folder: Path) -> None:
    from transformers import AutoImageProcessor, ResNetBackbone

    processor = AutoImageProcessor.from_pretrained(str(folder))
    network = ResNetBackbone.from_pretrained(
        str(folder), out_indices=[1, 2, 3, 4]
    )
    inputs = processor(image_of(folder), return_tensors='pt')
    save_maps(folder, list(network.eval()(**inputs).feature_maps))


def write_transformers(folder: Path, **settings) -> None:
    from transformers import (
        BitImageProcessor,
        ResNetConfig,
        ResNetForImageClassification,
    )

    config = ResNetConfig(num_labels=3, **settings)
    randomised(ResNetForImageClassification(config)).save_pretrained(folder)
    BitImageProcessor(
        do_resize=False,
        do_center_crop=False,
        image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
    ).save_pretrained(folder)
    transformers_maps(folder)


def row_maps(row: torch.nn.Sequential, folder: Path, mean, std) -> None:
    from torchvision.transforms import functional

    image = functional.to_tensor(image_of(folder))
    maps, found = functional.normalize(image, mean, std)[None], []
    for index, module in enumerate(row):
        maps = module(maps)
        if index in (4, 5, 6, 7):
            found.append(maps)
    save_maps(folder, found)


def write_lightly(folder: Path) -> None:
    """examples/pytorch/byol.py, in Lightning's wrapping of a state dict."""
    import copy

    import torchvision
    from lightly.models.modules import BYOLProjectionHead
    from lightly.transforms.utils import IMAGENET_NORMALIZE

    class BYOL(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            resnet = torchvision.models.resnet18()
            self.backbone = torch.nn.Sequential(*list(resnet.children())[:-1])
            self.projection_head = BYOLProjectionHead(512, 1024, 256)
            self.backbone_momentum = copy.deepcopy(self.backbone)

    network = randomised(BYOL())
    torch.save(dict(state_dict=network.state_dict()), folder / 'last.ckpt')
    row_maps(network.backbone, folder, **IMAGENET_NORMALIZE)


def write_lightly_train(folder: Path) -> None:
    """One epoch of DINO on a few pictures, and the export."""
    import lightly_train
    import torchvision
    from PIL import Image

    (folder / 'pictures').mkdir()
    generator = np.random.default_rng(0)
    for index in range(4):
        pixels = generator.integers(0, 256, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / 'pictures' / f'{index}.png')
    lightly_train.pretrain(
        out=str(folder / 'out'),
        data=str(folder / 'pictures'),
        model='torchvision/resnet18',
        method='dino',
        epochs=1,
        batch_size=2,
        num_workers=0,
        accelerator='cpu',
        devices=1,
        precision='32-true',
        transform_args=dict(local_view=None),
        method_args=dict(hidden_dim=32, bottleneck_dim=16, output_dim=32),
    )
    exported = folder / 'out' / 'exported_models' / 'exported_last.pt'
    network = torchvision.models.resnet18()
    network.load_state_dict(torch.load(exported))
    row = torch.nn.Sequential(*list(network.eval().children())[:-1])
    row_maps(row, folder, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


_BOTTLENECK = dict(
    layer_type='bottleneck',
    embedding_size=16,
    hidden_sizes=[64, 128, 256, 512],
    depths=[3, 4, 6, 3],
)
KINDS = {
    'transformers-18': lambda folder: write_transformers(
        folder,
        layer_type='basic',
        hidden_sizes=[64, 128, 256, 512],
        depths=[2, 2, 2, 2],
    ),
    'transformers-50': lambda folder: write_transformers(
        folder, **_BOTTLENECK
    ),
    'transformers-50-caffe': lambda folder: write_transformers(
        folder, downsample_in_bottleneck=True, **_BOTTLENECK
    ),
    'transformers-50-stride': lambda folder: write_transformers(
        folder, downsample_in_first_stage=True, **_BOTTLENECK
    ),
    'lightly': write_lightly,
    'lightly-train': write_lightly_train,
}


def names_of(path: Path) -> None:
    """Print the names and shapes of a state dict, whatever holds it."""
    if path.suffix == '.safetensors':
        from safetensors.torch import load_file

        weights = load_file(path)
    else:
        # What this script has just written itself, with the library.
        loaded = torch.load(path, weights_only=False)
        weights = loaded.get('state_dict', loaded)
    shapes = {name: list(value.shape) for name, value in weights.items()}
    rows = ',\n'.join(
        f'{json.dumps(name)}: {shape}' for name, shape in shapes.items()
    )
    print(f'{{\n{rows}\n}}')


def main() -> None:
    action, *rest = sys.argv[1:]
    if action == 'names':
        names_of(Path(rest[0]))
    elif action == 'write':
        KINDS[rest[0]](Path(rest[1]))
    else:
        transformers_maps(Path(rest[1]))


if __name__ == '__main__':
    main()
