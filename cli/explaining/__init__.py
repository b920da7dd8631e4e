"""Asking agents and servers why a process got what it got, and telling it to people."""
