"""Pickles read as descriptions: nothing that they name is called.

A pickle is a program that calls what it names. Here each call is written down
(:class:`Call`), and :class:`Builder` makes a value of those that are in a
closed table, by functions of ours. So a file can only describe values.
"""

import io
import pickle
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from .pickle_instructions import DEEPEST, check_instructions
from .refusal import Refusal

__all__ = [
    'PERSISTENT_ID',
    'PLAIN_CALLS',
    'Builder',
    'Call',
    'Description',
    'parse_pickle',
]

#: How many values calls may be given, per byte of the pickle. One is enough
#: where none is given twice.
_ALLOWANCE = 8
#: How many names a pickle may have: each takes a class. Checkpoints have some
#: dozens.
_MOST_NAMES = 1000
#: The name of the calls that stand for a persistent id.
PERSISTENT_ID = 'a persistent id'

_ATOMS = (type(None), bool, int, float, complex, str, bytes, bytearray)
_RENAMED = {'__builtin__': 'builtins', 'numpy._core': 'numpy.core'}


class Call:
    """A call that a pickle asks for, and what it does with the result.

    Attributes:
        name (str): The full name of what is called, of the class.
        args (tuple): The arguments.
        state (object): What would be given to ``__setstate__``.
        items (list): What would be set by keys, in pairs, or appended.
    """

    __slots__ = ('args', 'items', 'state')
    name = ''

    def __new__(cls, *args: object, **kwargs: object) -> 'Call':
        """Keep the arguments: some protocols do not call `__init__`."""
        call = super().__new__(cls)
        call.args, call.state, call.items = args, None, []
        return call

    def __call__(self, *args: object) -> 'Call':
        """Write down a call of what this one returned."""
        return _calls_of(f'{self.name.removesuffix("(...)")}(...)')(*args)

    def __setstate__(self, state: object) -> None:
        self.state = state

    def __setitem__(self, key: object, value: object) -> None:
        self.items.append((key, value))

    def append(self, item: object) -> None:
        """Write down what would be appended, or added."""
        self.items.append(item)

    add = append


# Of each name of a pickle there is one class, and one of what it returns.
@lru_cache(maxsize=2 * _MOST_NAMES + 1)
def _calls_of(name: str) -> type[Call]:
    return type('Call', (Call,), dict(name=name, __slots__=()))


class Description(NamedTuple):
    """What :func:`parse_pickle` read.

    Attributes:
        value (object): Numbers, strings, containers, :class:`Call`, and its
            subclasses, which stand for names that are not called.
        size (int): The length of the pickle in bytes.
        persistent_ids (list): The arguments of the calls that are named
            :data:`PERSISTENT_ID`.
    """

    value: object
    size: int
    persistent_ids: list


class _Unpickler(pickle.Unpickler):
    """Writes down what it is asked to call."""

    def __init__(self, program: bytes) -> None:
        # Strings of Python 2 are bytes: Latin-1 takes all of them.
        super().__init__(io.BytesIO(program), encoding='latin1')
        self.persistent_ids: list = []
        self._names: set[str] = set()

    def find_class(self, module: str, name: str) -> type[Call]:
        for old, new in _RENAMED.items():
            if module == old or module.startswith(f'{old}.'):
                module = new + module.removeprefix(old)
        self._names.add(f'{module}.{name}')
        if len(self._names) > _MOST_NAMES:
            raise Refusal(f'over {_MOST_NAMES} names')
        return _calls_of(f'{module}.{name}')

    def persistent_load(self, pid: object) -> Call:
        self.persistent_ids.append(pid)
        return _calls_of(PERSISTENT_ID)(pid)


def parse_pickle(content: bytes, start: int = 0) -> Description:
    """Read a pickle of any protocol, without calling what it names.

    Args:
        content (bytes): The file.
        start (int): Where the pickle starts in it. Defaults to 0.

    Returns:
        Description: What it says.

    Raises:
        Refusal: If its instructions would take more memory or depth than its
            bytes need.
        Exception: Whatever stray bytes make of the parser.
    """
    end = check_instructions(content, start)
    unpickler = _Unpickler(content[start:end])
    value = unpickler.load()
    return Description(value, end - start, unpickler.persistent_ids)


class Builder:
    """Makes values of what a pickle describes.

    Args:
        calls (Mapping[str, Callable]): The functions that stand in for what a
            pickle may call, by its full name. Each is given a
            :class:`Call`, whose arguments, state and items are built.
        values (Mapping[str, object]): What stands for names that are not
            called.
        size (int): The size of the pickle in bytes: calls that share
            arguments must not multiply them.
        words (Mapping[str, str], optional): What names that are in neither
            table are called in the error. Defaults to None: as they are.
    """

    def __init__(
        self,
        calls: Mapping[str, Callable[[Call], object]],
        values: Mapping[str, object],
        size: int,
        words: Mapping[str, str] | None = None,
    ) -> None:
        self._calls, self._values = calls, values
        self._words = words or {}
        self._allowance = _ALLOWANCE * size
        self._built: dict[int, object] = {}
        self._depth = 0

    def build(self, described: object, path: tuple = ()) -> object:
        """Build a value. Containers are new; what was shared, is shared.

        Args:
            described (object): The value of a :class:`Description`. It must
                live as long as the builder.
            path (tuple): The keys under which it lies, for the error.

        Returns:
            object: The value.

        Raises:
            Refusal: If it names what is in neither table, or is nested too
                deeply.
        """
        if type(described) in _ATOMS:
            return described
        if id(described) in self._built:
            if self._built[id(described)] is self:
                raise Refusal('a value that contains itself')
            return self._built[id(described)]
        if self._depth > DEEPEST:
            raise Refusal(f'containers nested deeper than {DEEPEST}')
        self._depth += 1
        try:
            return self._build_new(described, path)
        finally:
            self._depth -= 1

    def _build_new(self, described: object, path: tuple) -> object:
        kind = type(described)
        if kind in (dict, list):  # may contain themselves
            new = self._built[id(described)] = kind()
            if kind is dict:
                for key, value in described.items():
                    new[self.build(key, path)] = self.build(
                        value, (*path, key)
                    )
            else:
                new.extend(self._build_all(described, path))
            return new
        self._built[id(described)] = self  # being built
        if kind in (tuple, set, frozenset):
            new = kind(self._build_all(described, path))
        elif isinstance(described, Call):
            new = self._call(described, path)
        elif isinstance(described, type) and issubclass(described, Call):
            if described.name not in self._values:
                raise self._unknown(described.name, path)
            new = self._values[described.name]
        else:
            raise Refusal(_at(f'a {kind.__name__}', path))
        self._built[id(described)] = new
        return new

    def _build_all(self, described: object, path: tuple) -> list:
        return [self.build(value, path) for value in described]

    def _call(self, described: Call, path: tuple) -> object:
        function = self._calls.get(described.name)
        if function is None:
            raise self._unknown(described.name, path)
        call = Call(*self.build(described.args, path))
        call.state = self.build(described.state, path)
        call.items = self._build_all(described.items, path)
        state = call.state if isinstance(call.state, tuple) else ()
        self._allowance -= sum(
            len(value)
            for value in (*call.args, *state)
            if isinstance(value, (str, bytes, bytearray, list, dict, tuple))
        )
        if self._allowance < 0:
            raise Refusal('values that are many times as large as the file')
        try:
            return function(call)
        except Refusal as error:
            raise Refusal(_at(str(error), path)) from None

    def _unknown(self, name: str, path: tuple) -> Refusal:
        return Refusal(_at(self._words.get(name, name), path))


def _at(what: str, path: tuple) -> str:
    """Say where something lies, in characters that any terminal shows."""
    place = '.'.join(key for key in path if isinstance(key, str))
    text = f'{what} (under {place})' if place else what
    return text.encode('unicode_escape').decode()[:300]


def _ordered_dict(call: Call) -> OrderedDict:
    plain = OrderedDict([*_listed(call), *call.items])
    # The versions of a state dict's modules travel as an attribute.
    if isinstance(call.state, dict) and '_metadata' in call.state:
        plain._metadata = call.state['_metadata']
    return plain


def _encode(call: Call) -> bytes:
    text, encoding = call.args
    if encoding not in ('latin1', 'latin-1'):
        raise Refusal('a text in another code than Latin-1')
    return text.encode('latin1')


def _bytearray(call: Call) -> bytearray:
    content, *encoding = call.args or (b'',)
    if isinstance(content, str) and encoding:
        content = content.encode('latin1')
    if not isinstance(content, (bytes, bytearray)):
        raise Refusal('a bytearray of something else than bytes')
    return bytearray(content)


def _listed(call: Call) -> list:
    (values,) = call.args or ([],)
    if not isinstance(values, list):
        raise Refusal('a container of something else than a list')
    return values


#: Calls for plain values, over the protocols of pickle.
PLAIN_CALLS: dict[str, Callable[[Call], object]] = {
    '_codecs.encode': _encode,
    'argparse.Namespace': lambda call: dict(call.state or {}),
    'builtins.bytearray': _bytearray,
    'builtins.bytes': lambda call: bytes(_bytearray(call)),
    'builtins.complex': lambda call: complex(*map(float, call.args)),
    'builtins.frozenset': lambda call: frozenset(_listed(call)),
    'builtins.set': lambda call: set(_listed(call)),
    'collections.Counter': lambda call: Counter(dict(*call.args)),
    'collections.OrderedDict': _ordered_dict,
}
