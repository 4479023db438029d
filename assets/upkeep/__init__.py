"""What keeps a site alive: retention, backup, and telling people of runs that failed."""
