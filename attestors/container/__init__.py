"""Which container a process is in, as far as the kernel says so; shared by the attestors."""
