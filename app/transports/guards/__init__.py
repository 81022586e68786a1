"""Who may: authentication, origins, rates, bodies."""
