"""Policies as Cedar reads and decides them; it is loaded when there is a policy, not before."""
