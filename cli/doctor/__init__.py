"""What `finial doctor` looks at by itself, whom it asks, and how it says what it found."""
