"""Where entries are, seen from an agent: who gets them, and why another does not; pure."""
