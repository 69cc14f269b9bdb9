"""What one process holds for one run."""
