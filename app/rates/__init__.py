"""How often each caller came: the windows that rates are counted in, by where they are kept."""
