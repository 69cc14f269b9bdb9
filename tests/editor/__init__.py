"""The language server that the tests of editors drive."""
