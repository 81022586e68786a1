"""Where sessions, messages and runs are kept: in memory, or in SQL. One contract suite tests
both."""
