"""ui of AIRIS-MON."""
