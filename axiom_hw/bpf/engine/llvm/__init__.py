"""The native engine: verified programs, lifted to LLVM IR and compiled for the processor that runs them.

native       a loaded program: the interpreter's methods, native code behind them
available    whether this machine and this Python can have it
lift  runstate          bytecode to IR, and what compiled code knows of its run
  unit here body        one program, one instruction, one function's text while it is written
  places                what a pointer is
  alu jumps memory atomics calls helper_calls map_calls ring_calls choose    what each instruction becomes
  operations  prelude   what it calls: map operations, simplified once; pieces of IR
entry  builtin  ahead   how Python enters: one event, or a batch, which reserves room in rings ahead
target  passes  jit     the processor, the optimiser, code into memory
cache  identity         objects on disk, by all that they depend on
listing  locations      native code by the instruction that it is for
"""
