"""Pure but for the signature: from a request to a draft, its judgement and the seal."""
