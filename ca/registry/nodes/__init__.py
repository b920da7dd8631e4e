"""Nodes whose agents have attested: how they stand, and how they are found."""
