"""What every SQL engine shares: tables, rows, queries, migrations."""
