"""What a process tells: its audit log, its log lines, its figures."""
