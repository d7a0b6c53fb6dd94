"""The metadata of an ONNX file and how its graph ends, read without loading the graph and without any library.

An ONNX file is a protocol buffer: a sequence of (field number, wire type, value). Only the fields of the outermost
message are looked at, and what is long is stepped over.
"""

import io
from collections.abc import Iterator
from pathlib import Path

from onenet.errors import DataError, describe_os_error

_GRAPH, _METADATA = 7, 14  # field numbers of ModelProto
_NODE, _OUTPUT = 1, 12  # of GraphProto
_NODE_OUTPUT, _OPERATOR = 2, 4  # of NodeProto
_LONGEST = 1 << 24  # bytes of one entry


def read_metadata(path: str | Path) -> dict[str, str]:
    """Key and value of each of the file's `metadata_props`.

    Raises:
        DataError: the file is missing, truncated or no ONNX file.
    """
    found: dict[str, str] = {}
    try:
        with Path(path).open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            fields = set()
            for field, kind, length in _fields(file, size):
                fields.add(field)
                if field == _METADATA and kind == 2 and length < _LONGEST:
                    key, value = _entry(file.read(length))
                    found[key] = value
                else:
                    file.seek(length, 1)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({describe_os_error(error)})") from None
    except (ValueError, UnicodeDecodeError):
        raise DataError(f"{path}: no ONNX file, or a truncated one; export it again") from None
    if _GRAPH not in fields:
        raise DataError(f"{path}: no ONNX file, or a truncated one; export it again")
    return found


def last_operator(path: str | Path) -> str:
    """The operator that makes the graph's first output, "Sigmoid" for example.

    Raises:
        DataError: the file is missing, truncated or no ONNX file, or nothing makes the output.
    """
    makers: dict[str, str] = {}
    outputs: list[str] = []
    try:
        with Path(path).open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            for field, kind, length in _fields(file, size):
                if field != _GRAPH or kind != 2:
                    file.seek(length, 1)
                    continue
                for inner, inner_kind, inner_length in _fields(file, file.tell() + length):
                    if inner_kind == 2 and inner == _NODE:
                        texts = _texts(file.read(inner_length), (_NODE_OUTPUT, _OPERATOR))
                        makers |= dict.fromkeys(texts[_NODE_OUTPUT], (texts[_OPERATOR] or [""])[0])
                    elif inner_kind == 2 and inner == _OUTPUT:
                        outputs += _texts(file.read(inner_length), (1,))[1][:1]
                    else:
                        file.seek(inner_length, 1)
        return makers[outputs[0]]
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({describe_os_error(error)})") from None
    except (ValueError, LookupError):
        raise DataError(f"{path}: no ONNX file, or a truncated one; export it again") from None


def _fields(file: io.BufferedIOBase, end: int) -> Iterator[tuple[int, int, int]]:
    """(field number, wire type, bytes that its value has); the file stands at the value meanwhile."""
    while file.tell() < end:
        tag = _varint(file)
        field, kind = tag >> 3, tag & 7
        if kind == 0:
            _varint(file)
            yield field, kind, 0
            continue
        length = {1: 8, 5: 4}[kind] if kind in (1, 5) else _varint(file) if kind == 2 else -1
        if length < 0 or file.tell() + length > end or field == 0:
            raise ValueError("not a protocol buffer")
        yield field, kind, length


def _varint(file: io.BufferedIOBase) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise ValueError("truncated")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("a number without end")


def _entry(data: bytes) -> tuple[str, str]:
    """A StringStringEntryProto: field 1 is the key, field 2 the value."""

    texts = _texts(data, (1, 2))
    return (texts[1] or [""])[0], (texts[2] or [""])[0]


def _texts(data: bytes, wanted: tuple[int, ...]) -> dict[int, list[str]]:
    """The texts that a message holds in each of the fields wanted."""
    texts: dict[int, list[str]] = {field: [] for field in wanted}
    stream = io.BytesIO(data)
    for field, kind, length in _fields(stream, len(data)):
        text = stream.read(length)
        if field in texts and kind == 2:
            texts[field].append(text.decode("utf-8"))
    return texts
