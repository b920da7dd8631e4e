"""Who may call whom: a pure decision over rules, made by Cedar over the few that can matter."""
