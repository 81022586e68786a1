"""Everything that a store has, as lines of JSON; and back into a store."""
