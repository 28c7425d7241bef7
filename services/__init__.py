"""services of AIRIS-MON."""
