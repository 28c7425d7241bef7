"""api gateway of AIRIS-MON."""
