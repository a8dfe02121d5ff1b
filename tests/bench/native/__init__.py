"""Programs compiled by the native engine against gcc, clang and the Linux kernel: `make bench-native`.

programs/   what is run: C, with the BPF objects made of it
rounds      interleaved rounds, and what they say     table   figures, ratios and goals as text
builds      gcc's and clang's builds of the same C    kernel  the same objects on this machine's Linux
engine      the same objects on our engine
compute lookups events threads compiling rings        the measurements
"""
