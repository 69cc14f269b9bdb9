"""The OAuth server that the tests of tokens run against: oidc-provider from npm, in the version of the lock file."""
