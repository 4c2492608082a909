"""Constant data for a document: an LZ4 block (github.com/lz4/lz4, doc/lz4_Block_format.md) in base64."""

import base64

LAST_LITERALS = 5  # a block ends in literals, and no match starts in its last 12 bytes
MATCH_LIMIT = 12
WINDOW = 65535


def pack(data):
    """Base64 text of `data` (bytes). Greedy: the latest occurrence of the next four bytes."""
    out, seen = bytearray(), {}
    start = at = 0
    while at < len(data) - MATCH_LIMIT:
        key = data[at : at + 4]
        earlier = seen.get(key)
        seen[key] = at
        if earlier is None or at - earlier > WINDOW:
            at += 1
            continue
        length = _match(data, earlier, at)
        _sequence(out, data[start:at], at - earlier, length)
        at += length
        start = at
    _sequence(out, data[start:])
    return base64.b64encode(bytes(out)).decode("ascii")


def _match(data, earlier, at):
    """Length of the match, doubling the step so that long ones are found by comparing slices."""
    limit = len(data) - LAST_LITERALS - at
    length, step = 4, 64
    while length < limit and step:
        step = min(step, limit - length)
        if data[earlier + length : earlier + length + step] == data[at + length : at + length + step]:
            length += step
            step *= 2
        else:
            step //= 2
    return length


def _sequence(out, literals, back=0, length=0):
    low = min(length - 4, 15) if back else 0
    out.append(min(len(literals), 15) << 4 | low)
    _length(out, len(literals))
    out += literals
    if back:
        out += back.to_bytes(2, "little")
        _length(out, length - 4)


def _length(out, value):
    if value < 15:
        return
    value -= 15
    while value >= 255:
        out.append(255)
        value -= 255
    out.append(value)


def unpack(text):
    """The bytes again, for checks."""
    data, out, at = base64.b64decode(text), bytearray(), 0

    def length(nibble):
        nonlocal at
        total = nibble
        while nibble == 15:
            total += data[at]
            at += 1
            if data[at - 1] < 255:
                break
        return total

    while at < len(data):
        token = data[at]
        at += 1
        count = length(token >> 4)
        out += data[at : at + count]
        at += count
        if at == len(data):
            break
        back = int.from_bytes(data[at : at + 2], "little")
        at += 2
        for _ in range(4 + length(token & 15)):
            out.append(out[-back])
    return bytes(out)
