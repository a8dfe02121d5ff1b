"""Record and replay: every event that reaches programs, in a file (docs/record-and-replay.md).

tap.py       the seam: what sees all that reaches programs
recorder.py  the tap that records
stream.py    entries on their way to the file, and the thread that writes them
entries.py   what a recording consists of;  codec.py  entries to bytes and back
blocks.py    the frames of the file, with checksums
reading.py   a file, back to entries; what is lost of a damaged one
header.py    what a file says of itself
hook_names.py  hooks to their names and back
"""
