"""A model's entry in the index, read and replaced."""

from pathlib import Path

import yaml

from mmselfemd.errors import UserFileNotFoundError, UserValueError
from mmselfemd.zoo.index import INDEX

__all__ = ['find_entry', 'replace_entry', 'text_of']


def find_entry(root: Path, name: str) -> tuple[Path, dict]:
    """Find the metafile that has a model.

    Args:
        root (Path): The folder of ``model-index.yml``.
        name (str): The model's name.

    Returns:
        tuple[Path, dict]: The metafile and the model's entry.

    Raises:
        UserFileNotFoundError: If there is no index.
        UserValueError: If it has no such model.
    """
    index = root / INDEX
    if not index.is_file():
        raise UserFileNotFoundError(f'{index} is not there')
    metafiles = yaml.safe_load(index.read_text('utf-8'))['Import']
    for metafile in metafiles:
        path = root / metafile
        content = yaml.safe_load(path.read_text('utf-8'))
        models = content if isinstance(content, list) else content['Models']
        for entry in models:
            if entry['Name'] == name:
                return path, entry
    raise UserValueError(
        f'no metafile of {index} has {name}: add it to one, with Name, '
        'Config, In Collection and Metadata, and publish again'
    )


def text_of(entry: dict) -> str:
    """Write an entry as YAML.

    Args:
        entry (dict): The entry.

    Returns:
        str: Its text.
    """
    return yaml.safe_dump(entry, sort_keys=False, allow_unicode=True, width=79)


def replace_entry(text: str, entry: dict) -> str:
    """Put an entry in the place of that of its name.

    What stands around it, comments included, stays as it is.

    Args:
        text (str): A metafile.
        entry (dict): The new entry.

    Returns:
        str: The metafile with it.
    """
    document = yaml.compose(text)
    models = document
    if isinstance(document, yaml.MappingNode):
        (models,) = (
            value for key, value in document.value if key.value == 'Models'
        )
    (node,) = (
        node
        for node in models.value
        if any(
            (key.value, value.value) == ('Name', entry['Name'])
            for key, value in node.value
        )
    )
    start = node.start_mark
    indent = '\n' + ' ' * start.column
    new = indent.join(text_of(entry).splitlines())
    rest = text[_end_of(node) :]
    return (
        f'{text[: start.index]}{new}\n{rest.lstrip(" ").removeprefix(chr(10))}'
    )


def _end_of(node: yaml.Node) -> int:
    """Where its last value ends; its own mark is where the next begins."""
    while isinstance(node, yaml.CollectionNode) and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(node, yaml.MappingNode) else last
    return node.end_mark.index
