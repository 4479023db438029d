"""The serving tier: what consumers of the model server rely on."""
