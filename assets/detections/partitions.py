"""Days of the archive, in UTC."""

import dagster as dg

# The first microphones of the original Tidzam were set up in 2014: no archive of ours begins before.
days = dg.DailyPartitionsDefinition(start_date="2014-01-01", timezone="UTC", end_offset=1)
