"""Restricted Python to LLVM IR: for users, and, with raw pointers and atomics, for map operations.

source      a function's text, and what its names mean         refusal      what isn't taken, with the place
values      what syntax can ask of a value: the protocol       numbers      integers and bools
lowering    one function on its way to IR                      flow         what is known of variables
expressions statements loops functions builtins arith          the language; syntax: what isn't in it
signatures  types and signatures                               module debug what one compilation makes
raw         the raw dialect: primitives, rawcalls, extern
"""
