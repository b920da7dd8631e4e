"""How memory follows the datastore, and how agents are told what changed."""
