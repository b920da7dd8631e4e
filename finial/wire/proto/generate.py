"""Generate finial/wire/pb from the protocol files beside this script.

Run by hand, as `python -m finial.wire.proto.generate`, after a change of a .proto file. What it
writes holds the serialised descriptor alone, so that it works with every release of protobuf
that the project allows, and puts it into our private pool.
"""

import re
import sys
import tempfile
from importlib import resources
from pathlib import Path

from google.protobuf import descriptor_pb2
from grpc_tools import protoc  # type: ignore[import-untyped]

PROTO = Path(__file__).parent
PB = PROTO.parent / "pb"

_PACKAGE = '"""Generated messages; see finial/wire/proto. Import modules, such as `agent_pb2`."""\n'

_WELL_KNOWN = {
    "any": ("Any",),
    "empty": ("Empty",),
    "struct": ("ListValue", "Struct", "Value"),
    "timestamp": ("Timestamp",),
    "wrappers": ("BoolValue", "StringValue"),
}


def main() -> None:
    """Write one module and one stub for each protocol file, and the well-known messages."""
    PB.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        files = _compile(Path(scratch))
        for file in files:
            _write_module(file)
            stub = Path(scratch, file.name.replace(".proto", "_pb2.pyi"))
            _target(file.name, ".pyi").write_text(_our_imports(stub.read_text()))
    _write_well_known()
    (PB / "__init__.py").write_text(_PACKAGE)


def _compile(scratch: Path) -> list[descriptor_pb2.FileDescriptorProto]:
    sources = sorted(str(path) for path in PROTO.glob("*.proto"))
    target = scratch / "set"
    well_known = resources.files("grpc_tools") / "_proto"
    outputs = [f"--pyi_out={scratch}", f"--descriptor_set_out={target}"]
    status = protoc.main(["protoc", f"-I{PROTO}", f"-I{well_known}", *outputs, *sources])
    if status != 0:
        sys.exit(status)
    return list(descriptor_pb2.FileDescriptorSet.FromString(target.read_bytes()).file)


def _target(proto: str, suffix: str) -> Path:
    return PB / proto.replace(".proto", f"_pb2{suffix}")


def _write_module(file: descriptor_pb2.FileDescriptorProto) -> None:
    ours = [name for name in file.dependency if not name.startswith("google/protobuf/")]
    lines = [f'"""Generated from {file.name}; do not edit."""', ""]
    lines += [f"from finial.wire.pb import {name[:-6]}_pb2 as _{name[:-6]}" for name in ours]
    lines += ["from finial.wire.pool import build as _build", "", "_build("]
    raw = file.SerializeToString(deterministic=True)
    lines += [f"    {raw[at : at + 60]!r}" for at in range(0, len(raw), 60)]
    lines[-1] += ","
    lines += ["    globals(),", ")", ""]
    _target(file.name, ".py").write_text("\n".join(lines))


def _our_imports(stub: str) -> str:
    return re.sub(
        r"^import (\w+_pb2) as", r"from finial.wire.pb import \1 as", stub, flags=re.MULTILINE
    )


def _write_well_known() -> None:
    code = ['"""Generated: the well-known messages of our pool."""', ""]
    code += ["from finial.wire.pool import message_named as _named", ""]
    stub = []
    for module, names in _WELL_KNOWN.items():
        code += [f'{name} = _named("google.protobuf.{name}")' for name in names]
        stub += [f"from google.protobuf.{module}_pb2 import {name} as {name}" for name in names]
    (PB / "well_known.py").write_text("\n".join([*code, ""]))
    (PB / "well_known.pyi").write_text("\n".join([*stub, ""]))


if __name__ == "__main__":
    main()
