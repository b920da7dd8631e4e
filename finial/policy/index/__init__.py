"""What is held ready, so that a decision looks at few rules."""
