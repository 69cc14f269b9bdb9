"""Tests of runner/auth, one file per type."""
