"""What a workload may ask about itself: `finial.workload.v1.Introspection`."""

from typing import Any

from agent.operations.explain_caller import Explaining
from finial.runtime.peer import KernelPeer
from finial.wire.grpc.call import Call
from finial.wire.grpc.service import Service, service
from finial.wire.pb import introspection_pb2


def introspection(explaining: Explaining) -> Service:
    """Serve it, on the workloads' socket and behind the same gate."""

    async def explain_me(call: Call[KernelPeer], _: Any) -> introspection_pb2.SelfExplanation:
        explanation = await explaining.of_caller(call.peer)
        return introspection_pb2.SelfExplanation(document=explanation.encoded())

    descriptor = introspection_pb2.DESCRIPTOR.services_by_name["Introspection"]
    return service(descriptor, {"ExplainMe": explain_me})
