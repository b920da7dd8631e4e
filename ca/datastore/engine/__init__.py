"""How the database is reached: connections, the one writer, the readers, what can go wrong."""
