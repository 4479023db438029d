"""The data platform: Dagster assets, checks and jobs; one folder a concern."""
