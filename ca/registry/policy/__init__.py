"""Who may call whom, as it is registered: policies, the modes of callees, and who needs which."""
