"""The schema's history: each revision makes the next one out of the one before."""
