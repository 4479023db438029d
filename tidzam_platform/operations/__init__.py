"""Start, stop, check and install of what runs beside the code."""
