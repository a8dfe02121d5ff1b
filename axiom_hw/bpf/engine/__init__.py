"""The engines: what a verified program means. `interp` is the definition; every other engine must equal it.

program      what an engine takes
interp       loading and running                 machine    what one slot has while it runs
semantics    the table of instructions           site  data  control  arithmetic    what its rows do
linkage      addresses of maps and functions     memory     the address space, every access checked
calls        the helpers                         printf     the formats of trace_printk
llvm         native code                         choice     the engines by name
"""
