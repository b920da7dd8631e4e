"""Files for programs that speak no API: an SVID kept on the disk, and its readers told."""
