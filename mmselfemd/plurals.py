"""Numbers of things, as people say them."""


def counted(number: int, noun: str) -> str:
    """A number and its noun.

    Args:
        number (int): How many.
        noun (str): What one of them is called, such as ``image``.

    Returns:
        str: Such as ``1 class``, ``2 classes``, ``0 images``.
    """
    ending = 'es' if noun[-1] in 'sx' else 's'
    return f'{number} {noun}{ending if number != 1 else ""}'
