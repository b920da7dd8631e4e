"""Pure: who asks a proxy for something, what was decided, and what is remembered of it."""
