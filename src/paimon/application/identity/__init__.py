"""Users: sign-in with a wallet, access tokens, and permissions."""
