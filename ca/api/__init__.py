"""The ways in: gRPC for agents, REST for administrators."""
