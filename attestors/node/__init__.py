"""Node attestors: the agent half gives evidence, the server half verifies it."""
