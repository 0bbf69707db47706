"""The signer: the only process that holds keys. It checks every request itself and trusts no caller.

It never reads the application's database. It needs only its own policy file, the request, and the chain.
"""
