"""The interpreter against a scope that follows a script."""
