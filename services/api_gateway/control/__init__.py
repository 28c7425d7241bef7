"""The gateway's part of the control store."""
