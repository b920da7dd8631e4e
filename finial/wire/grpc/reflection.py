"""gRPC's server reflection, in both its versions.

Spec: SPIFFE Workload Endpoint section 7 (WEP-19, WEP-21).
"""

from collections.abc import Iterable
from typing import Any

from google.protobuf.descriptor import FileDescriptor

from finial.wire.grpc.call import Call
from finial.wire.grpc.service import Service, service
from finial.wire.pb import reflection_pb2, reflection_v1alpha_pb2
from finial.wire.status import Code

_VERSIONS = (reflection_pb2, reflection_v1alpha_pb2)


def reflection(services: Iterable[Service]) -> tuple[Service, ...]:
    """Describe these services and the reflection itself, nothing else of the pool."""
    descriptors = [each.descriptor for each in services]
    descriptors += [each.DESCRIPTOR.services_by_name["ServerReflection"] for each in _VERSIONS]
    index = _Index(descriptors)
    return tuple(_service_of(version, index) for version in _VERSIONS)


class _Index:
    """The files that the served descriptors stand in, and those that these need."""

    def __init__(self, descriptors: Iterable[Any]) -> None:
        self.names = sorted(each.full_name for each in descriptors)
        self.files: dict[str, FileDescriptor] = {}
        for each in descriptors:
            self._add(each.file)

    def file_with(self, symbol: str) -> FileDescriptor | None:
        for file in self.files.values():
            prefix = f"{file.package}." if file.package else ""
            if symbol.startswith(prefix) and _defines(file, symbol.removeprefix(prefix)):
                return file
        return None

    def with_dependencies(self, file: FileDescriptor) -> list[bytes]:
        found: dict[str, FileDescriptor] = {}
        waiting = [file]
        while waiting:
            each = waiting.pop()
            if each.name not in found:
                found[each.name] = each
                waiting += each.dependencies
        return [each.serialized_pb for each in found.values()]

    def _add(self, file: FileDescriptor) -> None:
        if file.name not in self.files:
            self.files[file.name] = file
            for dependency in file.dependencies:
                self._add(dependency)


def _defines(file: FileDescriptor, name: str) -> bool:
    first, _, rest = name.partition(".")
    if first in file.services_by_name:
        return not rest or rest in file.services_by_name[first].methods_by_name
    if first in file.enum_types_by_name:
        return not rest
    message = file.message_types_by_name.get(first)
    while message is not None and rest:
        first, _, rest = rest.partition(".")
        if not rest and (first in message.fields_by_name or first in message.enum_types_by_name):
            return True
        message = message.nested_types_by_name.get(first)
    return message is not None


def _service_of(version: Any, index: _Index) -> Service:
    async def info(call: Call[Any]) -> None:
        async for request in call:
            response = version.ServerReflectionResponse(valid_host=request.host)
            response.original_request.CopyFrom(request)
            _answer(version, index, request, response)
            await call.send(response)

    descriptor = version.DESCRIPTOR.services_by_name["ServerReflection"]
    return service(descriptor, {"ServerReflectionInfo": info})


def _answer(version: Any, index: _Index, request: Any, response: Any) -> None:
    match request.WhichOneof("message_request"):
        case "list_services":
            services = [version.ServiceResponse(name=name) for name in index.names]
            response.list_services_response.service.extend(services)
        case "file_by_filename":
            _describe(index, index.files.get(request.file_by_filename), response)
        case "file_containing_symbol":
            _describe(index, index.file_with(request.file_containing_symbol), response)
        case "all_extension_numbers_of_type":
            _refuse(response, Code.NOT_FOUND, "there are no extensions")
        case "file_containing_extension":
            _refuse(response, Code.NOT_FOUND, "there are no extensions")
        case _:
            _refuse(response, Code.INVALID_ARGUMENT, "nothing was asked")


def _describe(index: _Index, file: FileDescriptor | None, response: Any) -> None:
    if file is None:
        _refuse(response, Code.NOT_FOUND, "not found")
    else:
        files = index.with_dependencies(file)
        response.file_descriptor_response.file_descriptor_proto.extend(files)


def _refuse(response: Any, code: Code, message: str) -> None:
    response.error_response.error_code = code
    response.error_response.error_message = message
