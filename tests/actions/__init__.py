"""Tests of runner/actions, one file per type."""
