"""Reports of the fund: collect the inputs, make the files, keep them with their hashes, find and explain them."""
