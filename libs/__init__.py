"""libs of AIRIS-MON."""
