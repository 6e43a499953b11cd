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
        for entry in _models_of(yaml.safe_load(path.read_text('utf-8'))):
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


def replace_entry(metafile: Path, entry: dict) -> str:
    """Put an entry in the place of that of its name.

    What stands around it, comments included, stays as it is.

    Args:
        metafile (Path): The metafile; it stays as it is.
        entry (dict): The new entry.

    Returns:
        str: The text of the metafile with it.

    Raises:
        UserValueError: If that would not be read as the same metafile with
            this entry.
    """
    text = metafile.read_text('utf-8')
    node = _node_of(text, entry['Name'])
    start, end = node.start_mark, _end_of(node)
    indent = '\n' + ' ' * start.column
    new = indent.join(text_of(entry).splitlines())
    rest = text[end:]
    if text[end - 1] != '\n':  # as only a block of text ends
        rest = rest.lstrip(' ').removeprefix('\n')
    replaced = f'{text[: start.index]}{new}\n{rest}'
    if not _is_replaced(text, replaced, entry):
        raise UserValueError(
            f'{metafile}: the entry of {entry["Name"]} cannot be replaced '
            'where it stands. Write it in block style, one key a line, '
            'without anchors and aliases, and publish again.'
        )
    return replaced


def _models_of(content: list | dict) -> list[dict]:
    return content if isinstance(content, list) else content['Models']


def _is_replaced(text: str, replaced: str, entry: dict) -> bool:
    """Whether a metafile is read as before but for the entry."""
    expected = yaml.safe_load(text)
    models = _models_of(expected)
    models[:] = [
        entry if model['Name'] == entry['Name'] else model for model in models
    ]
    try:
        return yaml.safe_load(replaced) == expected
    except yaml.YAMLError:
        return False


def _node_of(text: str, name: str) -> yaml.MappingNode:
    """Where a metafile has the entry of a name."""
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
            (key.value, value.value) == ('Name', name)
            for key, value in node.value
        )
    )
    return node


def _end_of(node: yaml.Node) -> int:
    """Where its last value ends.

    In block style its own mark is where the next one begins; in flow style
    it is behind the bracket.
    """
    while (
        isinstance(node, yaml.CollectionNode)
        and node.value
        and not node.flow_style
    ):
        last = node.value[-1]
        node = last[1] if isinstance(node, yaml.MappingNode) else last
    return node.end_mark.index
