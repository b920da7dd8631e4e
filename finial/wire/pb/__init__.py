"""Generated messages; see finial/wire/proto. Import modules, such as `agent_pb2`."""
