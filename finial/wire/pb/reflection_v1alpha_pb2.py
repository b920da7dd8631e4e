"""Generated from reflection_v1alpha.proto; do not edit."""

from finial.wire.pool import build as _build

_build(
    b'\n\x18reflection_v1alpha.proto\x12\x17grpc.reflection.v1alpha"\xf8\x02\n\x17Serv'
    b'erReflectionRequest\x12\x12\n\x04host\x18\x01 \x01(\tR\x04host\x12*\n\x10file_by_filename\x18'
    b'\x03 \x01(\tH\x00R\x0efileByFilename\x126\n\x16file_containing_symbol\x18\x04 \x01(\tH\x00R\x14f'
    b'ileContainingSymbol\x12g\n\x19file_containing_extension\x18\x05 \x01(\x0b2).grp'
    b'c.reflection.v1alpha.ExtensionRequestH\x00R\x17fileContainingExten'
    b'sion\x12B\n\x1dall_extension_numbers_of_type\x18\x06 \x01(\tH\x00R\x19allExtensionN'
    b'umbersOfType\x12%\n\rlist_services\x18\x07 \x01(\tH\x00R\x0clistServicesB\x11\n\x0fmessa'
    b'ge_request"f\n\x10ExtensionRequest\x12\'\n\x0fcontaining_type\x18\x01 \x01(\tR\x0econ'
    b'tainingType\x12)\n\x10extension_number\x18\x02 \x01(\x05R\x0fextensionNumber"\xc7\x04\n\x18S'
    b'erverReflectionResponse\x12\x1d\n\nvalid_host\x18\x01 \x01(\tR\tvalidHost\x12[\n\x10or'
    b'iginal_request\x18\x02 \x01(\x0b20.grpc.reflection.v1alpha.ServerReflect'
    b'ionRequestR\x0foriginalRequest\x12k\n\x18file_descriptor_response\x18\x04 \x01('
    b'\x0b2/.grpc.reflection.v1alpha.FileDescriptorResponseH\x00R\x16fileDe'
    b'scriptorResponse\x12w\n\x1eall_extension_numbers_response\x18\x05 \x01(\x0b20.g'
    b'rpc.reflection.v1alpha.ExtensionNumberResponseH\x00R\x1ballExtensi'
    b'onNumbersResponse\x12d\n\x16list_services_response\x18\x06 \x01(\x0b2,.grpc.ref'
    b'lection.v1alpha.ListServiceResponseH\x00R\x14listServicesResponse\x12'
    b'O\n\x0eerror_response\x18\x07 \x01(\x0b2&.grpc.reflection.v1alpha.ErrorRespo'
    b'nseH\x00R\rerrorResponseB\x12\n\x10message_response"L\n\x16FileDescriptorRe'
    b'sponse\x122\n\x15file_descriptor_proto\x18\x01 \x03(\x0cR\x13fileDescriptorProto"j'
    b'\n\x17ExtensionNumberResponse\x12$\n\x0ebase_type_name\x18\x01 \x01(\tR\x0cbaseTypeN'
    b'ame\x12)\n\x10extension_number\x18\x02 \x03(\x05R\x0fextensionNumber"Y\n\x13ListServic'
    b'eResponse\x12B\n\x07service\x18\x01 \x03(\x0b2(.grpc.reflection.v1alpha.Service'
    b'ResponseR\x07service"%\n\x0fServiceResponse\x12\x12\n\x04name\x18\x01 \x01(\tR\x04name"S\n\r'
    b'ErrorResponse\x12\x1d\n\nerror_code\x18\x01 \x01(\x05R\terrorCode\x12#\n\rerror_messag'
    b'e\x18\x02 \x01(\tR\x0cerrorMessage2\x93\x01\n\x10ServerReflection\x12\x7f\n\x14ServerReflecti'
    b'onInfo\x120.grpc.reflection.v1alpha.ServerReflectionRequest\x1a1.g'
    b'rpc.reflection.v1alpha.ServerReflectionResponse(\x010\x01b\x06proto3',
    globals(),
)
