"""The administrators' API over HTTP."""
