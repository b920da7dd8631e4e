"""Envoy's secret discovery service: the same identities and bundles, in Envoy's words."""
