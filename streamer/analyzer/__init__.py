"""Windows, model client, decision, recorder of clips, outputs, alerts."""
