"""cli of AIRIS-MON."""
