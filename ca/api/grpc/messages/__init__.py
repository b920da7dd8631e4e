"""Our values as SPIRE's messages, whole or in part."""
