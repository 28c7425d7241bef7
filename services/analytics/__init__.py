"""analytics of AIRIS-MON."""
