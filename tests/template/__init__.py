"""Templates without a project."""
