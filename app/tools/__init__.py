"""Tools that the server runs: what one is, those that are registered, how calls of them are run."""
