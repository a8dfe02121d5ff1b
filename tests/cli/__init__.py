"""The command line; a package, because some of its modules are named as others elsewhere."""
