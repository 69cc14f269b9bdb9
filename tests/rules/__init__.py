"""Tests of the rules: every page's examples, and places exact to the column."""
