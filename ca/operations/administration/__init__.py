"""Administrators' acts."""
