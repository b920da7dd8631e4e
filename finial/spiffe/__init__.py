"""The SPIFFE standards as pure values: parsing, judging and rendering, with no input or output."""
