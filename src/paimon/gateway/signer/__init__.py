"""The signer: the only process that holds keys. It checks what it is asked to sign by itself and trusts no caller.

It never reads the application's database: what it needs is in its own policy file, in the request, and on the chain.
"""
