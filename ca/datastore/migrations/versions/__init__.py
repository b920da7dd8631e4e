"""The revisions, numbered; none is ever changed once it was released."""
