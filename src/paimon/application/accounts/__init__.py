"""Who may come in: wallets with a role, sign-in with a wallet's signature, access tokens."""
