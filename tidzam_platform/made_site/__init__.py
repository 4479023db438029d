"""A made outdoor site: deterministic recordings and labelled clips for the demo and the tests, without a network."""
