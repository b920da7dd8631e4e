"""Generated from reflection.proto; do not edit."""

from finial.wire.pool import build as _build

_build(
    b'\n\x10reflection.proto\x12\x12grpc.reflection.v1"\xf3\x02\n\x17ServerReflectionR'
    b'equest\x12\x12\n\x04host\x18\x01 \x01(\tR\x04host\x12*\n\x10file_by_filename\x18\x03 \x01(\tH\x00R\x0efile'
    b'ByFilename\x126\n\x16file_containing_symbol\x18\x04 \x01(\tH\x00R\x14fileContaining'
    b'Symbol\x12b\n\x19file_containing_extension\x18\x05 \x01(\x0b2$.grpc.reflection.'
    b'v1.ExtensionRequestH\x00R\x17fileContainingExtension\x12B\n\x1dall_extens'
    b'ion_numbers_of_type\x18\x06 \x01(\tH\x00R\x19allExtensionNumbersOfType\x12%\n\rli'
    b'st_services\x18\x07 \x01(\tH\x00R\x0clistServicesB\x11\n\x0fmessage_request"f\n\x10Exte'
    b"nsionRequest\x12'\n\x0fcontaining_type\x18\x01 \x01(\tR\x0econtainingType\x12)\n\x10ext"
    b'ension_number\x18\x02 \x01(\x05R\x0fextensionNumber"\xae\x04\n\x18ServerReflectionRes'
    b'ponse\x12\x1d\n\nvalid_host\x18\x01 \x01(\tR\tvalidHost\x12V\n\x10original_request\x18\x02 \x01'
    b'(\x0b2+.grpc.reflection.v1.ServerReflectionRequestR\x0foriginalReq'
    b'uest\x12f\n\x18file_descriptor_response\x18\x04 \x01(\x0b2*.grpc.reflection.v1.'
    b'FileDescriptorResponseH\x00R\x16fileDescriptorResponse\x12r\n\x1eall_exte'
    b'nsion_numbers_response\x18\x05 \x01(\x0b2+.grpc.reflection.v1.ExtensionN'
    b'umberResponseH\x00R\x1ballExtensionNumbersResponse\x12_\n\x16list_service'
    b"s_response\x18\x06 \x01(\x0b2'.grpc.reflection.v1.ListServiceResponseH\x00R"
    b'\x14listServicesResponse\x12J\n\x0eerror_response\x18\x07 \x01(\x0b2!.grpc.reflect'
    b'ion.v1.ErrorResponseH\x00R\rerrorResponseB\x12\n\x10message_response"L\n'
    b'\x16FileDescriptorResponse\x122\n\x15file_descriptor_proto\x18\x01 \x03(\x0cR\x13file'
    b'DescriptorProto"j\n\x17ExtensionNumberResponse\x12$\n\x0ebase_type_name'
    b'\x18\x01 \x01(\tR\x0cbaseTypeName\x12)\n\x10extension_number\x18\x02 \x03(\x05R\x0fextensionNum'
    b'ber"T\n\x13ListServiceResponse\x12=\n\x07service\x18\x01 \x03(\x0b2#.grpc.reflectio'
    b'n.v1.ServiceResponseR\x07service"%\n\x0fServiceResponse\x12\x12\n\x04name\x18\x01 \x01'
    b'(\tR\x04name"S\n\rErrorResponse\x12\x1d\n\nerror_code\x18\x01 \x01(\x05R\terrorCode\x12#\n\r'
    b'error_message\x18\x02 \x01(\tR\x0cerrorMessage2\x89\x01\n\x10ServerReflection\x12u\n\x14Se'
    b'rverReflectionInfo\x12+.grpc.reflection.v1.ServerReflectionRequ'
    b'est\x1a,.grpc.reflection.v1.ServerReflectionResponse(\x010\x01b\x06proto'
    b'3',
    globals(),
)
