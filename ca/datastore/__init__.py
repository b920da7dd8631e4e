"""What must survive: SQLAlchemy Core, values in, values out."""
