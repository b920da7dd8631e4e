from google.protobuf.any_pb2 import Any as Any
from google.protobuf.empty_pb2 import Empty as Empty
from google.protobuf.struct_pb2 import ListValue as ListValue
from google.protobuf.struct_pb2 import Struct as Struct
from google.protobuf.struct_pb2 import Value as Value
from google.protobuf.timestamp_pb2 import Timestamp as Timestamp
from google.protobuf.wrappers_pb2 import BoolValue as BoolValue
from google.protobuf.wrappers_pb2 import StringValue as StringValue
