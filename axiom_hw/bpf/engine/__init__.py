"""The engines: what a verified program means. `interp` is the definition; every other engine must equal it."""
