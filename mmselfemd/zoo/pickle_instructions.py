"""The instructions of a pickle, followed without running them.

``pickletools`` finds claimed lengths that are not there. Left are places in
the memo, for which ``pickle`` takes memory up to the place; frames, within
which ``pickle`` could read other instructions than these; sets, which take
hundreds of times their bytes; and nested tuples, whose hash overflows the C
stack.
"""

import io
import pickletools
from collections.abc import Iterator

from .refusal import Refusal

__all__ = ['DEEPEST', 'check_instructions']

#: How deep containers may be nested. Checkpoints need about ten.
DEEPEST = 100
#: How many sets there may be: of one byte each makes one of 216.
_MOST_SETS = 1000

# Instructions of pickle with an effect of their own on the stack.
_PUTS = ('PUT', 'BINPUT', 'LONG_BINPUT')
_GETS = ('GET', 'BINGET', 'LONG_BINGET')
_EXTENSIONS = ('EXT1', 'EXT2', 'EXT4')
_ADDING = ('APPEND', 'APPENDS', 'SETITEM', 'SETITEMS', 'ADDITEMS')
_SETS = ('EMPTY_SET', 'FROZENSET')
_MARK = -1
_OPCODES = {code.code.encode('latin1'): code for code in pickletools.opcodes}


def check_instructions(content: bytes, start: int) -> int:
    """Follow a pickle's instructions without running them.

    Args:
        content (bytes): The file.
        start (int): Where the pickle starts in it.

    Returns:
        int: Where it ends.

    Raises:
        Refusal: If they would take more memory or depth than their bytes.
    """
    stack: list[int] = []  # of each value: how deep it is nested
    memo: dict[int, int] = {}
    frame_end, sets = None, 0
    stream = io.BytesIO(content)
    stream.seek(start)
    for code, argument, position in _instructions(stream):
        if frame_end is not None and position >= frame_end:
            if position > frame_end:
                raise Refusal('a pickle that is not cut at its frames')
            frame_end = None
        if code.name == 'FRAME':
            if frame_end is not None:
                raise Refusal('frames within frames')
            frame_end = position + 9 + argument
        elif code.name in _PUTS:
            # What was kept before took a byte each, at least.
            if not 0 <= argument <= position - start:
                raise Refusal('a memo larger than the pickle')
            memo[argument] = stack[-1]
        elif code.name == 'MEMOIZE':
            memo[len(memo)] = stack[-1]
        elif code.name in _EXTENSIONS:
            raise Refusal('names of an extension registry')
        else:
            sets += code.name in _SETS
            if sets > _MOST_SETS:
                raise Refusal(f'over {_MOST_SETS} sets')
            _follow(stack, memo, code, argument)
            if stack and stack[-1] > DEEPEST:
                raise Refusal(f'containers nested deeper than {DEEPEST}')
    return stream.tell()


def _instructions(
    stream: io.BytesIO,
) -> Iterator[tuple[pickletools.OpcodeInfo, object, int]]:
    """Give a pickle's instructions, their arguments and places."""
    code = None
    while code is None or code.name != 'STOP':
        position = stream.tell()
        code = _OPCODES[stream.read(1)]
        if code.name == 'STRING':  # pickletools would take ASCII alone
            yield code, stream.readline(), position
        else:
            argument = code.arg and code.arg.reader(stream)
            yield code, argument, position


def _follow(
    stack: list[int],
    memo: dict[int, int],
    code: pickletools.OpcodeInfo,
    argument: object,
) -> None:
    """Do to the depths what an instruction does to the values."""
    if code.name == 'MARK':
        stack.append(_MARK)
    elif code.name == 'DUP':
        stack.append(stack[-1])
    elif code.name in _GETS:
        stack.append(memo[argument])
    else:
        count, taken = len(code.stack_before), []
        if pickletools.markobject in code.stack_before:
            count = code.stack_before.index(pickletools.markobject)
            while (depth := stack.pop()) != _MARK:
                taken.append(depth)
        taken += [stack.pop() for _ in range(count)]
        container = taken.pop() if code.name in _ADDING else 0
        depth = max(container, 1 + max(taken, default=-1))
        stack.extend([depth] * len(code.stack_after))
