"""The serving tier: export of SavedModels, the model repository, the model server and its client."""
