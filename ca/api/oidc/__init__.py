"""OIDC discovery: the keys of JWT-SVIDs for verifiers that know no SPIFFE."""
