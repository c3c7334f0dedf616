"""Health checks: single probes, the verdicts drawn from them, and their schedule."""
