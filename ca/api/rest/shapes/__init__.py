"""The JSON documents of the REST API, and how each becomes a value and back."""
