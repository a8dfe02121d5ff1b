"""The native engine: verified programs, lifted to LLVM IR and compiled for the processor that runs them.

native       a loaded program: the interpreter's methods, native code behind them
available    whether this machine and this Python can have it
lift  runstate          bytecode to IR, and what compiled code knows of its run
entry  builtin          how Python enters: one event, or a batch
target  passes  jit     the processor, the optimiser, code into memory
cache  listing          objects on disk;  source, BPF and native code side by side
"""
