"""What both programs share; it knows neither the server, the agent nor the command line."""
