"""Weeks whose data is degenerate: constant, too short, or from one sensor only."""
